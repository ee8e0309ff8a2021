"""When an entry that bears a time to come begins to count: whatever rules count by its time is looked at again."""

from typing import Any

import pytest

from schemas.ids import FieldName, Millis
from schemas.kinds import KINDS
from schemas.settings import DEFAULTS
from sync.merge import RecordState
from sync.policing.custody.to_come import next_to_count
from sync.policing.timetable import moments_of, next_look
from tests.examples import LEAST
from tests.sync.policing.custody_record.bookings import at, booking, check, made, step


@pytest.mark.parametrize(
    "booked",
    [
        {"arrived_at": at(90)},
        {"detention_authorised_at": at(90)},
        {"detention": [step("arrival", 0), step("left-for-hospital", 90)]},
        {"detention": [step("left-for-hospital", 0), step("questioned-in-hospital", 10, until=at(90))]},
        {"checks": [check(90)]},
        {"rights": [{"at": at(90), "right": "codes", "step": "given"}]},
        {"rights": [{"at": at(10), "right": "codes", "step": "delayed", "until": at(90)}]},
        {"adults": [{"at": at(90), "step": "arrived"}]},
        {"care": [{"at": at(90), "what": "drink"}]},
        {"care": [{"at": at(10), "what": "rest", "until": at(90)}]},
        {"place_of_safety": [{"at": at(90), "step": "ended"}]},
    ],
)
def test_what_bears_a_time_to_come_counts_from_then_on(booked: dict[str, Any]) -> None:
    """The moment itself is not to come any more; of several the first is told."""
    held = booking(**booked)
    assert next_to_count(held, at(60)) == next_to_count(held, Millis(at(90) - 1)) == at(90)
    assert next_to_count(held, at(90)) is None
    later = {
        "searches": (),
        "belongings": (),
        "release_assessments": [{"at": at(95), "level": "high", "plan": "A lift."}],
    }
    assert next_to_count(booking(**later | booked), at(60)) == at(90)


def test_a_booking_of_what_has_happened_is_not_looked_at_for_it() -> None:
    """Nor is a record of which nobody counts anything by time."""
    assert next_to_count(booking(), at(0)) is None
    cell = KINDS["resource"].build({FieldName(name): value for name, value in LEAST["resource"].items()})
    assert next_to_count(cell, at(0)) is None


def test_a_record_is_looked_at_again_at_whichever_comes_first() -> None:
    """Its next warning, or what begins to count."""
    plain, soon = made(), made(checks=[check(54)])

    def silent(_error: Exception, _where: str) -> None:
        """No rule fails here."""

    def again(state: RecordState) -> Millis | None:
        return next_look(state, moments_of(state, DEFAULTS, at(50), silent), at(50))

    assert again(plain) == at(55)
    assert again(soon) == at(54)
    assert next_look(plain, [], at(50)) is None
