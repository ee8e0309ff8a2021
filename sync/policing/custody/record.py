"""What a booking says of the person and of where they are, read in one place for every rule of custody.

A rule must answer alike on the handheld, the desk and the server, so it looks at the record's values alone. Where they
say two things (the status says hospital, the steps of the detention do not), what counts is what keeps the person
cared for: nobody counts as checked in a cell while anything says that they were not there.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas import scopes
from schemas.ids import Millis, RecordId
from schemas.kinds import CustodyBooking, Incident
from schemas.kinds.admission import Basis, Juvenile, Need
from schemas.kinds.booking import AppropriateAdult, BookingStatus
from schemas.kinds.common import Arrest
from schemas.kinds.detention import Step
from schemas.settings import Settings
from schemas.tokens import Token
from sync.policing.custody import events
from sync.policing.custody.days import day_of

DETENTION_S136: Final = (Basis.SECTION_136, Basis.SECTION_135)
"""Held for an assessment, and not for an offence."""


class Where(Token):
    """Where a detainee is, as far as care goes."""

    NOT_YET = "not-yet"
    SUITE = "suite"
    TRAVELLING = "travelling"
    HOSPITAL = "hospital"
    COURT = "court"
    OUT = "out"


ELSEWHERE: Final = frozenset({Where.NOT_YET, Where.TRAVELLING, Where.HOSPITAL, Where.COURT, Where.OUT})

_GOES: Final = {
    Step.STATION_ARREST: Where.SUITE,
    Step.ARRIVAL: Where.SUITE,
    Step.STREET_BAIL_RETURN: Where.SUITE,
    Step.BAIL_RETURN: Where.SUITE,
    Step.BACK_FROM_HOSPITAL: Where.SUITE,
    Step.TRANSFER_ARRIVED: Where.SUITE,
    Step.TRANSFER_LEFT: Where.TRAVELLING,
    Step.LEFT_HOSPITAL: Where.TRAVELLING,
    Step.BAIL_ARREST: Where.TRAVELLING,
    Step.LEFT_FOR_HOSPITAL: Where.HOSPITAL,
    Step.AT_HOSPITAL: Where.HOSPITAL,
    Step.QUESTIONED_IN_HOSPITAL: Where.HOSPITAL,
    Step.HANDED_TO_COURT: Where.COURT,
    Step.BAILED: Where.OUT,
    Step.RELEASED: Where.OUT,
}
"""Step of the detention -> where the person is from then on. The others move nobody."""
_STATUS: Final = {
    BookingStatus.HOSPITAL: Where.HOSPITAL,
    BookingStatus.COURT: Where.COURT,
    BookingStatus.RELEASED: Where.OUT,
}


class Stay(msgspec.Struct, frozen=True):
    """From when on the person was somewhere (ms since 1970), until the next one begins."""

    since: Millis
    where: Where


def stays(booking: CustodyBooking, now: Millis, status_since: Millis | None = None) -> tuple[Stay, ...]:
    """Where the person was, by when.

    Args:
        booking: the record.
        now: the moment (ms since 1970).
        status_since: when the status was set, where that is known (ms since 1970). Otherwise a status that says that
            the person is elsewhere, and that no step tells, holds from the last step on.

    Returns:
        In order; () when nobody has said that they came.
    """
    held = events.held(booking.detention, now).events
    found = [Stay(Millis(one.at), _GOES[one.what]) for one in held if one.what in _GOES]
    arrived = booking.arrived_at
    if arrived is not None and arrived <= now and not any(one.where is Where.SUITE for one in found):
        found = sorted([Stay(arrived, Where.SUITE), *found], key=lambda one: one.since)
    says = None if came_back(found) else _STATUS.get(booking.status)
    if says is not None and (not found or found[-1].where is not says):
        last = found[-1].since if found else Millis(0)
        found.append(Stay(last if status_since is None else max(last, status_since), says))
    return tuple(found)


def came_back(found: Sequence[Stay]) -> bool:
    """Whether the person went out, on bail or released, and came back since.

    A status that says that they were released is older than that: it is set once and never back.
    """
    return bool(found) and found[-1].where is not Where.OUT and any(one.where is Where.OUT for one in found)


def is_over(booking: CustodyBooking, now: Millis) -> bool:
    """Whether the booking says by its status that the person was released, and no step that they came back since."""
    return booking.status == BookingStatus.RELEASED and not came_back(stays(booking, now))


def where_at(found: Iterable[Stay], at: int) -> Where:
    """Where the person was at a moment (ms since 1970)."""
    here = Where.NOT_YET
    for stay in found:
        if stay.since <= at:
            here = stay.where
    return here


def here_since(booking: CustodyBooking, now: Millis) -> Millis | None:
    """Since when the person has been in the suite without a break (ms since 1970); None when they are not there.

    A booking of which nobody recorded an arrival, and whose person nothing says to be elsewhere, is one that an older
    program wrote: they count as there from when detention was authorised, or else from the arrest.
    """
    found = stays(booking, now)
    if not found:
        return booking.detention_authorised_at or booking.arrested_at
    since = None
    for stay in found:
        if stay.where is not Where.SUITE:
            since = None
        elif since is None:
            since = stay.since
    return since


def came_at(booking: CustodyBooking, now: Millis) -> Millis:
    """When the person first came into the suite (ms since 1970); the arrest, as long as nobody has said so."""
    return next((one.since for one in stays(booking, now) if one.where is Where.SUITE), booking.arrested_at)


def is_child(booking: CustodyBooking, settings: Settings, now: Millis) -> bool:
    """Whether the person is treated as under 18 (PACE 1984 section 37(15), Code C 1.5).

    Whoever appears to be is, whatever day of birth they gave; so is whoever was born too late.
    """
    if booking.juvenile == Juvenile.UNDER_18:
        return True
    age = age_on(booking.born, now)
    return age is not None and age < settings.care.child_age


def age_on(born: str | None, now: Millis) -> int | None:
    """Age in whole years on the day of a moment (ms since 1970), in England; None when no day of birth is known."""
    if born is None:
        return None
    year, month, day = map(int, born.split("-"))
    today = day_of(now)
    return today.year - year - ((today.month, today.day) < (month, day))


def needs_adult(booking: CustodyBooking, settings: Settings, now: Millis) -> bool:
    """Whether an appropriate adult must come (Code C 1.4, 1.5, 1.7)."""
    vulnerable = Need.VULNERABLE in booking.needs and booking.appropriate_adult != AppropriateAdult.NOT_NEEDED
    return booking.appropriate_adult == AppropriateAdult.NEEDED or vulnerable or is_child(booking, settings, now)


def booking_from_arrest(
    incident: RecordId,
    about: Incident,
    arrest: Arrest,
    *,
    suite: str,
    officer: str,
    suspect: RecordId | None = None,
) -> CustodyBooking:
    """A booking from an arrest that is recorded at an incident: nothing is typed a second time.

    Args:
        incident, about: the incident.
        arrest: the arrest.
        suite: slug of the custody suite that the person is brought to.
        officer: who arrested them: collar number or name.
        suspect: the wanted person's record, of one who was sought.

    Returns:
        The booking, with the way back to the incident. Not so of one in a compartment: what is in it is told to nobody
        outside, that it exists included (DESIGN section 8), so only what the desk must have comes along.
    """
    closed = any(scopes.closed(scope) for scope in about.scopes())
    return CustodyBooking(
        suite=suite,
        detainee=arrest.person,
        arrested_at=arrest.arrested_at,
        offence=arrest.offence,
        arresting_officer=officer,
        basis=Basis.ARREST,
        incident=None if closed else incident,
        suspect=None if closed else suspect,
    )
