"""What was believed at a moment, from what had been recorded by then, beside what is believed now."""

from datetime import date
from typing import Any

import msgspec

from schemas.ids import Millis, Seq
from schemas.kinds import KINDS
from schemas.ops import Op
from schemas.settings import DEFAULTS
from sync.merge import RecordState, apply, new_state
from sync.policing.custody import believed, words
from sync.policing.custody.believed import Recorded
from sync.policing.custody.clocks import of_booking
from tests.examples import BOOKING, op
from tests.sync.policing.custody.pace import events, moment

DAY = date(2025, 1, 14)
CUSTODY = DEFAULTS.custody


def at(text: str) -> Millis:
    """A clock time of the day."""
    return moment(text, DAY)


class Desk:
    """A booking and what is recorded in it, at which time."""

    def __init__(self) -> None:
        self.state: RecordState | None = None
        self.ops: list[tuple[str, Op]] = []

    def record(self, when: str, *lines: str, **changes: Any) -> None:  # noqa: ANN401  a field's value
        """Entries and fields, recorded at a time."""
        n = len(self.ops) + 1
        entries = [msgspec.to_builtins(one) for one in events(lines, DAY)]
        said = {**changes, **({"detention": entries} if entries else {})}
        if n == 1:
            said |= {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": at("09:40")}
        one = op(n, BOOKING, "custody-booking", said, create=n == 1, hlc=(int(at(when)), n))
        before = new_state(one, KINDS["custody-booking"]) if self.state is None else self.state
        self.state = apply(before, one, at(when), Seq(n))
        self.ops.append((when, one))

    def known(self) -> tuple[Recorded, ...]:
        """What the record holds."""
        assert self.state is not None
        return believed.recorded(self.state)


def late_return() -> Desk:
    """A return from hospital at 13:00, recorded at 18:00 by an escort whose handheld had no signal."""
    desk = Desk()
    desk.record("10:20", "10:00 arrival", "10:15 authorised")
    desk.record("11:05", "11:00 left-for-hospital")
    desk.record("18:00", "13:00 back-from-hospital")
    return desk


def test_a_late_entry_changes_what_is_believed_and_not_what_was() -> None:
    """At 17:00 the screen said: in hospital, one hour counted. It still says that of 17:00."""
    desk = late_return()
    then = believed.at(desk.known(), at("17:00"), CUSTODY)
    now = believed.at(desk.known(), at("18:00"), CUSTODY)
    assert then is not None
    assert now is not None
    assert (then.counted_ms, now.counted_ms) == (3_600_000, 6 * 3_600_000)
    assert (then.place.value, now.place.value) == ("hospital", "station")


def test_what_is_believed_now_is_what_the_booking_says() -> None:
    """The same function, asked of everything."""
    desk = late_return()
    assert desk.state is not None
    record = desk.state.build()
    assert believed.at(desk.known(), at("19:00"), CUSTODY) == of_booking(record, CUSTODY, at("19:00"))  # type: ignore[arg-type]  # a booking's state builds a booking


def test_the_order_of_what_was_recorded_does_not_matter() -> None:
    """It is sorted by when, not by how it comes."""
    known = late_return().known()
    assert believed.at(known, at("19:00"), CUSTODY) == believed.at(known[::-1], at("19:00"), CUSTODY)


def test_before_the_arrest_was_recorded_nothing_was_believed() -> None:
    """There was no booking."""
    assert believed.at(late_return().known(), at("10:19"), CUSTODY) is None


def test_a_corrected_time_is_believed_from_its_correction_on() -> None:
    """What a correction replaced is no longer in the record; its history gives it back."""
    desk = Desk()
    desk.record("10:20", "10:00 arrival", "10:15 authorised", relevant_time=at("10:00"))
    known = [one for one in desk.known() if one.field != "relevant_time"]
    known.append(Recorded(recorded_at=at("10:20"), field="relevant_time", value=at("10:00")))
    known.append(Recorded(recorded_at=at("12:00"), field="relevant_time", value=at("09:50")))
    before, after = (believed.at(known, at(when), CUSTODY) for when in ("11:59", "12:00"))
    assert before is not None
    assert after is not None
    assert (before.relevant.at, after.relevant.at) == (at("10:00"), at("09:50"))


def test_an_entry_that_is_only_on_the_device_counts_from_when_it_was_written() -> None:
    """The handheld's own screen showed it before the server had it."""
    desk = late_return()
    assert desk.state is not None
    pending = op(
        9,
        BOOKING,
        "custody-booking",
        {"detention": [{"what": "charged", "at": int(at("18:30"))}]},
        hlc=(int(at("18:31")), 0),
    )
    known = believed.recorded(apply(desk.state, pending))
    before, after = (believed.at(known, at(when), CUSTODY) for when in ("18:30", "18:31"))
    assert before is not None
    assert after is not None
    assert (before.charged_at, after.charged_at) == (None, at("18:30"))


def test_what_changed_is_told_in_words() -> None:
    """What the correction did, at one and the same moment."""
    desk = late_return()
    moment_of = at("18:00")
    after = believed.at(desk.known(), moment_of, CUSTODY)
    earlier = [one for one in desk.known() if one.recorded_at < moment_of]
    before = believed.at(earlier, moment_of, CUSTODY)
    assert before is not None
    assert after is not None
    assert {(one.what, one.before, one.after) for one in believed.changes(before, after)} == {
        ("counted", "1 h", "6 h"),
        ("limit", "24 h, while the clock stands still", "24 h, 12:00 on 15 January"),
        ("whereabouts", "In hospital or on the way since 11:00.", "At the station since 13:00."),
    }
    assert believed.changes(after, after) == ()


def test_charge_release_and_contradictions_are_told_as_changes() -> None:
    """Each question that a custody officer asks has its line."""
    known = late_return().known()
    stray = events(["15:00 charged", "16:00 released", "13:30 back-from-hospital"], DAY)
    more = [*known, *(Recorded(recorded_at=at("18:00"), entry=one) for one in stray)]
    before, after = (believed.at(each, at("18:00"), CUSTODY) for each in (known, more))
    assert before is not None
    assert after is not None
    told = {one.what: (one.before, one.after) for one in believed.changes(before, after)}
    assert told["charged"] == ("no", "15:00")
    assert told["released"] == ("no", "16:00")
    assert told["limit"] == ("24 h, 12:00 on 15 January", "none")
    assert told["next review"] == ("16:15", "none")
    assert told["to look at"][0] == "nothing"
    assert told["to look at"][1] == after.contradictions[0].words
    assert all(words.lines(after))
