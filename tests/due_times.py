"""Invented rules of time for the tests of alarms: a review every six hours, and a wanted list's expiry."""

from typing import Final

from schemas.ids import Millis
from schemas.kinds import CustodyBooking, Kind
from schemas.roles import Role
from schemas.settings import Settings
from sync.policing.due import Due, What

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
REVIEW_EVERY_MS: Final = 6 * HOUR
WITHIN_MS: Final = 15 * MINUTE
WARN_MS: Final = (60 * MINUTE, 30 * MINUTE, 0)


def review_dues(record: Kind, _settings: Settings, _now: Millis) -> list[Due]:
    """Six hours after detention was authorised, or after somebody last looked in."""
    if not isinstance(record, CustodyBooking) or record.detention_authorised_at is None:
        return []
    last = max((record.detention_authorised_at, *(check.checked_at for check in record.checks)))
    return [
        Due(
            what=What.REVIEW,
            at=Millis(last + REVIEW_EVERY_MS),
            warn_ms=WARN_MS,
            roles=(Role.REVIEWING_OFFICER,),
            then=(Role.SUPERINTENDENT, Role.CONTROL_ROOM),
            within_ms=WITHIN_MS,
            words="Review the detention.",
            source="an invented rule",
        )
    ]


TIMETABLE: Final = {"custody-booking": (review_dues,)}
"""As `sync.policing.timetable.TIMETABLE`."""
