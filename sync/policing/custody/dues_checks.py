"""What falls due in the care of a detainee: checks, rousing, rights, the appropriate adult, meals, rest, section 136.

The clocks of the detention are another module's (`dues`). Nothing here is due of a person who is not in the suite: whom
an escort has in hospital or at court is in the escort's sight.
"""

from collections.abc import Iterator
from typing import Final

from schemas.ids import Millis
from schemas.kinds import CustodyBooking, Kind
from schemas.kinds.admission import Need
from schemas.kinds.care import Provision
from schemas.roles import Role
from schemas.settings import Settings
from sync.policing.custody import care, checks, safety
from sync.policing.custody.juveniles import held_unlawfully
from sync.policing.custody.record import came_at, here_since, is_over, needs_adult
from sync.policing.custody.rights_given import Owed, came, owed
from sync.policing.due import Due, What

_DESK: Final = (Role.CUSTODY_OFFICER,)
_ABOVE: Final = (Role.REVIEWING_OFFICER,)
ROUSED: Final = "roused"
MAIN: Final = "main"
CHILD: Final = "under-18"


def dues(record: Kind, settings: Settings, now: Millis) -> Iterator[Due]:
    """What is still to come, or is overdue, in the care of one person."""
    if not isinstance(record, CustodyBooking) or is_over(record, now):
        return
    yield from _safety(record, settings, now)
    if here_since(record, now) is None:
        return
    yield from _checks(record, settings, now)
    for one in owed(record, settings, now):
        yield _right(one, settings)
    yield from _adult(record, settings, now)
    yield from _health(record, settings, now)
    yield from _care(record, settings, now)


def _due(
    what: What,
    at: Millis,
    words: str,
    source: str,
    settings: Settings,
    *,
    key: str = "",
    warn_ms: tuple[int, ...] = (0,),
    then: tuple[Role, ...] = _ABOVE,
) -> Due:
    return Due(
        what=what,
        key=key,
        at=at,
        warn_ms=warn_ms,
        roles=_DESK,
        then=then,
        within_ms=settings.care.acknowledge_ms,
        words=words,
        source=source,
    )


def _checks(booking: CustodyBooking, settings: Settings, now: Millis) -> Iterator[Due]:
    warn = settings.care.check_warn_ms
    at, roused = checks.next_check(booking, settings, now), checks.next_rousing(booking, settings, now)
    if at is not None:
        level = "l1" if booking.observation is None else str(booking.observation.value)
        words = f"Check {booking.detainee}: observation level {level[1:]}."
        yield _due(What.CHECK, at, words, "PACE Code C 9.3; observation levels", settings, warn_ms=warn)
    if roused is not None:
        words = f"Rouse {booking.detainee}, who is under drink or drugs: enter the cell, have them answer."
        yield _due(What.CHECK, roused, words, "PACE Code C 9.3, annex H", settings, key=ROUSED, warn_ms=warn)


def _right(one: Owed, settings: Settings) -> Due:
    name = str(one.right.value).replace("-", " ")
    if one.unlawful:
        words = f"The delay of a right cannot stand, for it lacks its authority, grounds or end: {name}. Give it now."
        source = "PACE 1984 ss.56, 58; Code C annex B"
    elif one.delayed:
        words, source = f"The delay of a right ends: {name}. Give it now.", "PACE Code C annex B"
    elif one.with_adult:
        words, source = f"Give a right again, in the appropriate adult's presence: {name}.", "PACE Code C 3.17"
    else:
        words, source = f"Give a right that has not been given: {name}.", "PACE Code C 3.1"
    return _due(What.RIGHTS, one.at, words, source, settings, key=str(one.right.value))


def _adult(booking: CustodyBooking, settings: Settings, now: Millis) -> Iterator[Due]:
    if not needs_adult(booking, settings, now) or came(booking.adults, now):
        return
    at = Millis(came_at(booking, now) + settings.care.adult_within_ms)
    words = f"The appropriate adult of {booking.detainee} has not come."
    yield _due(What.APPROPRIATE_ADULT, at, words, "PACE Code C 3.15", settings)


def _health(booking: CustodyBooking, settings: Settings, now: Millis) -> Iterator[Due]:
    """Also of whoever is found to be pregnant long after detention was authorised, when it was asked about."""
    if Need.PREGNANT not in booking.needs or care.done(booking, now, Provision.HEALTH_CARE_ASKED):
        return
    at = Millis(came_at(booking, now) + settings.care.health_care_within_ms)
    words = f"Ask a health care professional to see {booking.detainee}: look at what their care must go by."
    yield _due(What.HEALTH_CARE, at, words, "PACE Code C 9.5; College of Policing, pregnancy in custody", settings)


def _care(booking: CustodyBooking, settings: Settings, now: Millis) -> Iterator[Due]:
    meal, main = care.next_meal(booking, settings, now), care.next_main_meal(booking, settings, now)
    rest = care.next_rest(booking, settings, now)
    if meal is not None:
        yield _due(What.MEAL, meal, f"Offer {booking.detainee} a meal.", "PACE Code C 8.6", settings)
    if main is not None:
        yield _due(What.MEAL, main, f"Offer {booking.detainee} a main meal.", "PACE Code C 8.6", settings, key=MAIN)
    if rest is not None:
        words = f"{booking.detainee} must begin to rest: {settings.care.rest_ms // 3_600_000} hours without a break."
        yield _due(What.REST, rest, words, "PACE Code C 12.2", settings)


def _safety(booking: CustodyBooking, settings: Settings, now: Millis) -> Iterator[Due]:
    ends = safety.ends_at(booking, settings, now)
    if ends is None:
        return
    yield _due(
        What.PLACE_OF_SAFETY,
        ends,
        f"The power to hold {booking.detainee} under section 136 ends: have the assessment done, or let them go.",
        "Mental Health Act 1983 ss.136(2A), 136A, 136B",
        settings,
        warn_ms=settings.care.place_of_safety_warn_ms,
        then=(Role.SUPERINTENDENT,),
    )
    if held_unlawfully(booking, settings, now):
        yield _due(
            What.PLACE_OF_SAFETY,
            safety.began_at(booking, now),
            f"{booking.detainee} is treated as under 18: a police station is no place of safety. Take them to one now.",
            "Mental Health Act 1983 s.136A(1)",
            settings,
            key=CHILD,
            then=(Role.SUPERINTENDENT,),
        )
