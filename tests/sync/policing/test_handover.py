"""What a shift hands over: all that waits, whose it is, and that nothing of it is lost or nobody's at 07:00."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import scopes
from schemas.ids import Millis, RecordId, ScopeName
from schemas.kinds import Acknowledgement, Alarm, InboxItem, Kind
from schemas.roles import Role
from schemas.settings import DEFAULTS
from sync.policing import handover as module
from sync.policing.handover import Matter, Part, handover, nobodys
from tests.sync.policing.custody_record.bookings import at, booking, step
from tests.sync.policing.incidents.cases import incident, number

SEVEN = at(19 * 60)
"""07:00 on the next day."""
UNTIL = at(27 * 60)
AREA = scopes.area("birmingham")
SUITE = scopes.suite("perry-barr")
RESPONSE = scopes.team("response-a")
INVESTIGATION = scopes.team("investigation-a")
REPORTED = {"opened_at": at(18 * 60), "category": "transport"}


def fails(error: Exception, where: str) -> None:
    """No rule may."""
    raise AssertionError(where) from error


def handed(records: dict[RecordId, Kind], *audiences: str, now: Millis = SEVEN) -> tuple[Matter, ...]:
    """What is handed over to whoever these audiences are."""
    return handover(
        records,
        [ScopeName(each) for each in audiences],
        until=Millis(now + 8 * 3_600_000),
        settings=DEFAULTS,
        now=now,
        report=fails,
    )


def decision(**more: Any) -> InboxItem:  # noqa: ANN401  any field
    """Something that a custody officer decides."""
    fields: dict[str, Any] = {
        "subject": number(1), "subject_kind": "custody-booking", "field": "arrested_at", "policy": "once",
        "places": (SUITE,), "roles": (Role.CUSTODY_OFFICER,), "opened_at": at(0), "due_at": at(30),
        "safe_because": "What was recorded first stands.",
    }  # fmt: skip
    return InboxItem(**(fields | more))


def alarm(**more: Any) -> Alarm:  # noqa: ANN401  any field
    """A warning that a review is due."""
    fields: dict[str, Any] = {
        "subject": number(1), "subject_kind": "custody-booking", "what": "review", "key": "", "due_at": at(60),
        "warn_ms": 0, "roles": (Role.REVIEWING_OFFICER,), "then": (), "within_ms": 1, "words": "Review the detention.",
        "source": "s.40", "places": (SUITE,), "raised_at": at(60),
    }  # fmt: skip
    return Alarm(**(fields | more))


def parts(found: tuple[Matter, ...]) -> list[str]:
    """What sorts of matter they are, in order."""
    return [matter.part.value for matter in found]


def test_a_decision_that_waits_is_handed_over_until_somebody_has_decided() -> None:
    """With who may decide; whether its time has passed or not."""
    (found,) = handed({number(9): decision()}, SUITE)
    assert (found.part, found.at, found.roles) == (Part.DECISION, at(30), ("custody-officer",))
    assert "arrested at" in found.words
    assert handed({number(9): decision(ended_by="hh-1:7")}, SUITE) == ()


def test_an_alarm_is_handed_over_until_somebody_has_taken_it_up() -> None:
    """What nobody has acknowledged does not end with the shift."""
    (found,) = handed({number(9): alarm()}, SUITE)
    assert (found.part, found.words) == (Part.ALARM, "Review the detention.")
    assert handed({number(9): alarm(acknowledged=(Acknowledgement(),))}, SUITE) == ()
    assert handed({number(9): alarm(over_at=at(70))}, SUITE) == ()


def test_a_person_in_custody_is_handed_over_with_the_time_left() -> None:
    """Until they are released; and what is due for them in the next shift, the first to come first."""
    held = booking()
    found = handed({number(1): held}, SUITE)
    (whole,) = [one for one in found if one.part is Part.BOOKING]
    assert whole.at == at(24 * 60)
    assert "5 h" in whole.words
    assert {one.key for one in found if one.part is Part.DUE} >= {"check", "detention-limit"}
    times = [one.at for one in found]
    assert times == sorted(times, key=lambda one: one or 0)
    assert handed({number(1): booking(status="released")}, SUITE) == ()
    back = [step("arrival", 0), step("bailed", 30), step("bail-return", 50)]
    assert Part.BOOKING in {one.part for one in handed({number(1): booking(status="released", detention=back)}, SUITE)}


def test_a_person_held_too_long_is_handed_over_as_that() -> None:
    """Overdue is no reason to leave the list."""
    (whole,) = [one for one in handed({number(1): booking()}, SUITE, now=at(25 * 60)) if one.part is Part.BOOKING]
    assert "longer than the limit" in whole.words


def test_an_open_incident_is_handed_over_with_its_next_step() -> None:
    """What falls due first in it; where nothing does, what its status asks for. A closed one is not."""
    (row, *_) = [one for one in handed({number(1): incident(**REPORTED)}, AREA) if one.part is Part.INCIDENT]
    assert row.at is not None
    assert "send one" in row.words
    crime = incident(opened_at=at(18 * 60), category="crime", grade="p1")
    (row, *_) = [one for one in handed({number(1): crime}, AREA) if one.part is Part.INCIDENT]
    assert "send one" in row.words, "the crime decision has a day, the attendance a quarter of an hour"
    calm = incident(**REPORTED, grade="no-deployment", status="attended")
    (row,) = handed({number(1): calm}, AREA)
    assert (row.part, row.at) == (Part.INCIDENT, None)
    assert "say who goes on" in row.words
    assert handed({number(1): incident(**REPORTED, status="closed")}, AREA) == ()


def test_what_falls_due_after_the_shift_is_left_to_the_next() -> None:
    """An open incident is there all the same."""
    later = incident(opened_at=SEVEN, category="transport", grade="scheduled")
    assert parts(handed({number(1): later}, AREA)) == ["incident"]


def test_hub_handover_of_response_and_investigation() -> None:
    """Seed row: while it passes from response to investigation it is in both handovers, and never in nobody's."""
    attended = {**REPORTED, "grade": "no-deployment", "status": "attended"}
    steps = [("response-a",), ("response-a", "investigation-a"), ("investigation-a",)]
    teams = {"response": [RESPONSE], "investigation": [INVESTIGATION]}
    seen = []
    for named in steps:
        records: dict[RecordId, Kind] = {number(1): incident(**attended, teams=named)}
        seen.append((len(handed(records, RESPONSE)), len(handed(records, INVESTIGATION))))
        assert nobodys(records, teams, until=UNTIL, settings=DEFAULTS, now=SEVEN, report=fails) == ()
    assert seen == [(1, 0), (1, 1), (0, 1)]
    orphan: dict[RecordId, Kind] = {number(1): incident(**attended)}
    (left,) = nobodys(orphan, teams, until=UNTIL, settings=DEFAULTS, now=SEVEN, report=fails)
    assert left.record == number(1)


def test_what_is_closed_is_handed_over_to_the_closed_audience_only() -> None:
    """The area learns of nothing; not in its own handover, and nobody's list is not for it to see either."""
    secret = incident(**REPORTED, compartment="op-example")
    assert handed({number(1): secret}, AREA) == ()
    assert handed({number(1): secret}, scopes.compartment("op-example")) != ()


KINDS: dict[str, Kind] = {
    "decision": decision(),
    "alarm": alarm(),
    "held": booking(),
    "incident": incident(**REPORTED),
    "done": incident(**REPORTED, status="closed"),
    "released": booking(status="released"),
}


@given(names=st.lists(st.sampled_from(sorted(KINDS)), max_size=12), minutes=st.integers(0, 3 * 24 * 60))
def test_nothing_is_lost_at_seven(names: list[str], minutes: int) -> None:
    """Whenever the shift ends: each record that waits is in the view of who goes off and of who comes on, alike."""
    records = {number(place): KINDS[name] for place, name in enumerate(names)}
    waiting = {number(place) for place, name in enumerate(names) if name not in {"done", "released"}}
    off = handed(records, SUITE, AREA, now=at(minutes))
    on = handed(dict(reversed(records.items())), AREA, SUITE, now=at(minutes))
    assert off == on
    assert {one.record for one in off} >= waiting
    assert len({(one.part, one.record, one.key) for one in off}) == len(off)


def test_a_rule_that_fails_takes_nothing_out_of_the_handover(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported with the record, and the record is handed over all the same."""

    def broken(*_: object) -> list[Any]:
        raise ArithmeticError

    monkeypatch.setattr(module, "TIMETABLE", {"incident": (broken,)})
    told: list[str] = []
    records: dict[RecordId, Kind] = {number(1): incident(**REPORTED)}
    found = handover(
        records, [AREA], until=UNTIL, settings=DEFAULTS, now=SEVEN, report=lambda _, where: told.append(where)
    )
    assert parts(found) == ["incident"]
    assert told == [f"incident {number(1)}"]
