"""When an op took place, by the best that is known: kept with its doubts, never a reason to refuse (DESIGN, Time)."""

import pytest

from schemas.ids import Seq
from schemas.limits import CLOCK_SKEW_NOTICE_MS, INT_MAX
from schemas.ops import Doubt, Stamp
from tests.server.settle.desk import NOW, Desk, op

DAY_MS = 24 * 60 * 60_000


@pytest.fixture
def desk() -> Desk:
    """A store with one incident, made an hour ago."""
    desk = Desk()
    desk.one(op(1, 1, hlc=(NOW - 3_600_000, 0)))
    return desk


def summary(desk: Desk) -> tuple[str, Stamp]:
    """The summary that stands, and its stamp."""
    return desk.values(1)["summary"], desk.stamp(1, "summary")


def test_a_stamp_keeps_when_it_happened_and_when_it_was_recorded(desk: Desk) -> None:
    """Both, apart: the hours between are what an inspector asks about."""
    desk.one(op(2, 1, {"summary": "late"}, hlc=(NOW, 3), occurred_at=NOW - DAY_MS), now=NOW + 9)
    _, stamp = summary(desk)
    assert (stamp.ms, stamp.tick, stamp.occurred_at, stamp.recorded_at, stamp.doubt) == (
        NOW,
        3,
        NOW - DAY_MS,
        NOW + 9,
        0,
    )


def test_a_better_time_told_since_takes_the_place_of_the_ops_own(desk: Desk) -> None:
    """A device that ran a year ahead, and told so when it met the server, wins nothing by it."""
    desk.one(op(1, 1, {"summary": "true clock"}, device="hh-2", hlc=(NOW - 1_000, 0)))
    astray = op(1, 1, {"summary": "a year ahead"}, device="hh-3", hlc=(NOW + 365 * DAY_MS, 0))
    result = desk.one(astray, times={1: NOW - 2_000})
    assert result.stands == {"summary": "hh-2/1"}
    assert summary(desk)[0] == "true clock"
    desk.one(op(2, 1, {"location": "x"}, device="hh-3", hlc=(NOW + DAY_MS, 0)), times={2: NOW - 500})
    stamp = desk.stamp(1, "location")
    assert (stamp.ms, Doubt(stamp.doubt)) == (NOW - 500, Doubt.CORRECTED)


def test_a_better_time_never_puts_an_op_before_what_its_author_saw(desk: Desk) -> None:
    """Causality first: what its base held, what it names and what its own device wrote stay beneath it."""
    first = desk.one(op(1, 1, {"summary": "seen by base"}, device="hh-2", hlc=(NOW, 0)))
    desk.one(op(2, 1, {"summary": "later"}, base=Seq(first.seq), hlc=(NOW + 9, 0)), times={2: 5})
    text, stamp = summary(desk)
    assert (text, stamp.ms, stamp.tick) == ("later", NOW, 1)
    desk.one(op(3, 1, {"summary": "own"}, hlc=(NOW + 9, 0)), times={3: 6})
    text, stamp = summary(desk)
    assert (text, stamp.ms, stamp.tick) == ("own", NOW, 2)


def test_a_better_time_is_not_lifted_by_what_its_author_had_not_seen(desk: Desk) -> None:
    """Another's clock that is days ahead does not drag along the op of a device that never heard of it."""
    desk.one(op(1, 1, {"location": "astray"}, device="hh-2", hlc=(NOW + 9 * DAY_MS, 0)))
    desk.one(op(1, 1, {"summary": "own time"}, device="hh-3", hlc=(NOW, 0), base=Seq(1)), times={1: NOW - 7})
    assert summary(desk)[1].ms == NOW - 7


@pytest.mark.parametrize(
    ("ahead_ms", "doubt"), [(CLOCK_SKEW_NOTICE_MS, Doubt(0)), (CLOCK_SKEW_NOTICE_MS + 1, Doubt.AHEAD)]
)
def test_an_op_from_the_future_is_taken_and_flagged(desk: Desk, ahead_ms: int, doubt: Doubt) -> None:
    """A clock that is further ahead than the notice allows is told in the stamp; the op is durable."""
    assert desk.one(op(2, 1, {"summary": "soon"}, hlc=(NOW + ahead_ms, 0))).status == "durable"
    assert Doubt(summary(desk)[1].doubt) == doubt


def test_the_doubts_of_the_device_and_of_the_server_are_kept_together(desk: Desk) -> None:
    """And one that only a newer program knows is kept too."""
    newer = 128
    own = Doubt.NEVER_SET | Doubt.SET_BACK
    desk.one(op(2, 1, {"summary": "x"}, hlc=(NOW, 0), doubt=int(own) | newer), times={2: NOW + DAY_MS})
    assert summary(desk)[1].doubt == int(own | Doubt.CORRECTED | Doubt.AHEAD) | newer


def test_a_time_is_for_the_op_it_names(desk: Desk) -> None:
    """A better time of one op leaves the next one of the same push as it was."""
    desk.submit(
        op(2, 1, {"summary": "x"}, hlc=(NOW, 0)), op(3, 1, {"location": "y"}, hlc=(NOW, 1)), times={2: NOW - 50}
    )
    assert (summary(desk)[1].ms, desk.stamp(1, "location").ms) == (NOW - 50, NOW)


def test_a_repeated_op_is_not_corrected_twice(desk: Desk) -> None:
    """Its stored result is given; a better time that came with the repetition moves nothing."""
    raw = op(2, 1, {"summary": "x"}, hlc=(NOW, 0))
    first = desk.one(raw)
    before = desk.row(1)
    assert desk.one(raw, times={2: NOW - DAY_MS}) == first
    assert desk.row(1) == before


@pytest.mark.parametrize("told", [0, INT_MAX])
def test_no_time_is_too_wild_to_be_recorded(desk: Desk, told: int) -> None:
    """The earliest and the latest that can travel are taken, and whoever saw them can go on."""
    assert desk.one(op(2, 1, {"summary": "wild"}, hlc=(NOW, 0)), times={2: told}).status == "durable"
    seen = desk.held(1).seen()
    on_top = op(1, 1, {"summary": "after"}, device="hh-2", base=desk.held(1).version, hlc=(seen.ms, seen.tick + 1))
    assert desk.one(on_top).status == "durable"
    assert desk.values(1)["summary"] == "after"


def test_an_inbox_item_is_timed_by_the_server(desk: Desk) -> None:
    """How long a person has to decide does not hang on the clock of the device that brought the question about."""
    desk.one(op(2, 1, {"opened_at": 5}, hlc=(NOW + 30 * DAY_MS, 0), wall=NOW + 30 * DAY_MS), now=NOW + 4)
    item = desk.item(1, "opened_at")
    assert item is not None
    assert (item.opened_at, item.due_at) == (NOW + 4, NOW + 4 + DAY_MS)
