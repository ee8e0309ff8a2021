"""Numbers are given by the server in the commit: one to each, from 1 each day in London, with no gap, for ever."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_row, encode
from schemas.ids import DeviceId, FieldName
from schemas.kinds import Incident
from schemas.scopes import compartment
from server.commits import Submission
from server.numbering import series_id
from sync.policing.incidents.numbers import compartment_code, provisional_id
from tests.server.settle.desk import BOTH, INCIDENT, NOW, SUITE, Desk, op, record, statuses

HOUR = 3_600_000
LARCH = frozenset({compartment("larch")})
CRIME = {"type": "burglary", "offence": "Door forced.", "by": "WM1", "decided_at": NOW}


def at(text: str) -> int:
    """A moment in ms since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


@pytest.fixture
def desk() -> Desk:
    """An empty store."""
    return Desk()


def urn(desk: Desk, number: int) -> str:
    """The number of an incident."""
    built = desk.held(number).build()
    assert isinstance(built, Incident)
    assert built.urn is not None
    return built.urn


def test_incidents_are_counted_in_the_order_of_their_commits(desk: Desk) -> None:
    """Daily sequential, over commits and within one."""
    desk.submit(op(1, 1), op(2, 2))
    desk.submit(op(3, 3))
    assert [urn(desk, number) for number in (1, 2, 3)] == [f"20231114-000{n}" for n in (1, 2, 3)]


def test_a_day_begins_at_midnight_in_london(desk: Desk) -> None:
    """In summer that is 23:00 of the day before by the server's clock; a new day is counted from 1."""
    for n, moment in enumerate(["2026-06-30T22:59:59", "2026-06-30T23:00:00", "2026-07-01T12:00:00"], 1):
        desk.submit(op(n, n), now=at(moment))
    assert [urn(desk, n) for n in (1, 2, 3)] == ["20260630-0001", "20260701-0001", "20260701-0002"]


def test_a_clock_that_is_set_back_gives_no_number_twice(desk: Desk) -> None:
    """The day before is counted on from where it stood."""
    for n, moment in enumerate(["2026-11-21T12:00", "2026-11-22T12:00", "2026-11-21T13:00"], 1):
        desk.submit(op(n, n), now=at(moment))
    assert [urn(desk, n) for n in (1, 2, 3)] == ["20261121-0001", "20261122-0001", "20261121-0002"]


def test_a_number_is_never_changed(desk: Desk) -> None:
    """Not by later changes, not by the same op again, not by a person."""
    desk.submit(op(1, 1))
    desk.submit(op(1, 1), op(2, 1, {"summary": "later"}), now=NOW + 48 * HOUR)
    assert urn(desk, 1) == "20231114-0001"
    forged = desk.submit(op(3, 1, {"urn": "20231114-0099"}))
    assert statuses(forged) == [("refused", "op_by_rule_only")]
    assert statuses(desk.submit(op(4, 2, INCIDENT | {"urn": "20231114-0099"}, create=True))) == [
        ("refused", "op_by_rule_only")
    ]


def test_what_is_refused_takes_no_number(desk: Desk) -> None:
    """The next one follows the last that was taken."""
    desk.submit(op(1, 1), op(2, 2, INCIDENT | {"category": "nonsense"}, create=True), op(3, 3))
    assert [urn(desk, n) for n in (1, 3)] == ["20231114-0001", "20231114-0002"]


def test_incidents_in_a_compartment_are_counted_apart(desk: Desk) -> None:
    """Compartmented handling: their numbers leave no gap in the force's series, and no name of theirs is in one."""
    desk.submit(op(1, 1), op(2, 2, INCIDENT | {"compartment": "larch"}, create=True), op(3, 3))
    assert [urn(desk, n) for n in (1, 3)] == ["20231114-0001", "20231114-0002"]
    assert urn(desk, 2) == f"20231114-{compartment_code('larch')}-0001"
    assert "larch" not in urn(desk, 2).casefold()


def test_an_incident_that_is_closed_in_later_keeps_its_number(desk: Desk) -> None:
    """What it was called by then is on paper."""
    desk.submit(op(1, 1))
    desk.submit(op(2, 1, {"compartment": "larch"}), op(3, 2))
    assert [urn(desk, n) for n in (1, 2)] == ["20231114-0001", "20231114-0002"]


def test_how_far_was_counted_is_in_no_scope(desk: Desk) -> None:
    """It is kept with the incident, in one commit, and goes to no device."""
    settled = desk.submit(op(1, 1))
    assert {row.record for row in settled.rows} == {record(1), series_id("", "2023-11-14")}
    assert [change.scope for change in settled.scopes] == ["area:north"]
    assert desk.values(series_id("", "2023-11-14"))["last"] == 1


def test_only_the_rules_count(desk: Desk) -> None:
    """A device that makes such a record is refused."""
    made = op(1, 1, {"series": "incidents", "day": "2023-11-14", "last": 7}, create=True, kind="number-series")
    assert statuses(desk.submit(made)) == [("refused", "op_by_rule_only")]


def test_an_incident_from_before_gets_its_number_with_its_next_change(desk: Desk) -> None:
    """A record that an earlier program kept has none."""
    desk.submit(op(1, 1))
    row = decode_row(desk.row(1) or b"")
    desk._bodies[record(1)] = encode(msgspec.structs.replace(row, cells={**row.cells, FieldName("urn"): [None, 0]}))
    desk._bodies.pop(series_id("", "2023-11-14"))
    desk.submit(op(2, 1, {"summary": "later"}))
    assert urn(desk, 1) == "20231114-0001"


def test_a_crime_gets_its_number_when_it_is_recorded(desk: Desk) -> None:
    """One for each handle, whoever says it again, and in a series of its own; the incident keeps its own number."""
    desk.submit(op(1, 1, INCIDENT | {"crimes": [{"crime": "theft", **CRIME}]}, create=True))
    desk.submit(op(2, 1, {"crimes": [{"crime": "theft", **CRIME}, {"crime": "assault", **CRIME}]}))
    desk.submit(op(3, 2, INCIDENT | {"crimes": [{"crime": "theft", **CRIME}]}, create=True))
    assert desk.values(1)["crime_numbers"] == [
        {"crime": "theft", "number": "20231114-CR-0001"},
        {"crime": "assault", "number": "20231114-CR-0002"},
    ]
    assert [urn(desk, n) for n in (1, 2)] == ["20231114-0001", "20231114-0002"]
    assert desk.values(2)["crime_numbers"] == [{"crime": "theft", "number": "20231114-CR-0003"}]


def test_a_crime_that_two_recorded_apart_from_each_other_has_one_number(desk: Desk) -> None:
    """The handle says that it is the same."""
    desk.submit(op(1, 1))
    for device in ("hh-2", "hh-3"):
        desk.submit(op(1, 1, {"crimes": [{"crime": "theft", **CRIME}]}, device=device), device=device)
    assert [one["number"] for one in desk.values(1)["crime_numbers"]] == ["20231114-CR-0001"]


def test_what_is_no_incident_has_no_number(desk: Desk) -> None:
    """A cell changes nothing in the series."""
    desk.submit(op(1, 1, kind="resource"), scopes=frozenset({SUITE}))
    assert desk.row(series_id("", "2023-11-14")) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from(["", "larch"])), max_size=30))
def test_every_number_is_given_once_and_none_left_out(steps: list[tuple[int, int, str]]) -> None:
    """Any commits over any days, clocks set back among them: each day of each series is 1 to n."""
    desk, made = Desk(), 0
    for size, day, closed in steps:
        group: list[bytes] = []
        for _ in range(size):
            made += 1
            values: dict[str, Any] = INCIDENT | ({"compartment": closed} if closed else {})
            group.append(op(made, made, values, create=True))
        desk.decide(Submission(DeviceId("hh-1"), BOTH | LARCH, tuple(group)), now=NOW + day * 24 * HOUR)
    given_out: dict[str, list[int]] = {}
    for number in range(1, made + 1):
        series, _, count = urn(desk, number).rpartition("-")
        given_out.setdefault(series, []).append(int(count))
    assert all(sorted(counts) == list(range(1, len(counts) + 1)) for counts in given_out.values())


def test_until_then_it_has_a_provisional_id() -> None:
    """`P-` and six characters that follow from the record id; the same on every device."""
    assert provisional_id(record(1)) == provisional_id(record(1))
    assert provisional_id(record(1)) != provisional_id(record(2))
    assert all(provisional_id(record(n)).startswith("P-") and len(provisional_id(record(n))) == 8 for n in range(50))
