"""A custody booking: one person's detention at one suite (PACE 1984 sections 34 to 46, Code C; DOMAIN, Custody).

Two clocks run in custody and confusing them is the classic error, so both starting points are fields of their own:
`relevant_time` (section 41, the detention clock) and `detention_authorised_at` (section 40, the review clock).
"""

import enum
from typing import Annotated

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, ScopeName, SlugText
from schemas.kinds.base import Kind, record_kind
from schemas.kinds.common import Line, LogEntry, Note
from schemas.policies import grow, latest, once


class BookingStatus(enum.Enum):
    """Where the detention stands."""

    ARRIVED = "arrived"
    DETAINED = "detained"
    HOSPITAL = "hospital"
    COURT = "court"
    RELEASED = "released"


class Risk(enum.Enum):
    """The detainee's assessed risk."""

    STANDARD = "standard"
    MEDIUM = "medium"
    HIGH = "high"


class ObservationLevel(enum.Enum):
    """Observation levels 1 to 4: general, intermittent, constant, close proximity."""

    L1 = "l1"
    L2 = "l2"
    L3 = "l3"
    L4 = "l4"


class Response(enum.Enum):
    """What the officer met at a check."""

    AWAKE = "awake"
    ROUSED = "roused"
    ASLEEP = "asleep"
    NO_RESPONSE = "no-response"


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One observation of a detainee, made by one person at one time. There is no bulk entry (IOPC 2020, 2021).

    Attributes:
        checked_at: when the officer looked (ms since 1970); when it was recorded is its stamp's.
        where: cell, hospital, court: where the detainee was seen.
        response: what the officer met.
        note: anything else.
    """

    checked_at: MillisInt
    where: Line
    response: Response
    note: Note | None = None


@record_kind("custody-booking")
class CustodyBooking(Kind, frozen=True, kw_only=True):
    """One detention.

    Attributes:
        suite: slug of the custody suite.
        detainee: the detainee's name.
        arrested_at: when the person was arrested (ms since 1970).
        arrived_at: when the person came to the station (ms since 1970).
        relevant_time: start of the detention clock (PACE section 41), in ms since 1970.
        detention_authorised_at: start of the review clock (PACE section 40), in ms since 1970.
        offence: what for.
        arresting_officer: collar number or name.
        status: where the detention stands.
        cell: which cell.
        risk: the assessed risk.
        observation: the observation level.
        checks: the observations made.
        property_items: what was taken into safe keeping, entry by entry.
        log: the custody log.
    """

    suite: Annotated[SlugText, latest]
    detainee: Annotated[Line, latest]
    arrested_at: Annotated[MillisInt, once]
    arrived_at: Annotated[MillisInt | None, once] = None
    relevant_time: Annotated[MillisInt | None, once] = None
    detention_authorised_at: Annotated[MillisInt | None, once] = None
    offence: Annotated[Line | None, latest] = None
    arresting_officer: Annotated[Line | None, once] = None
    status: Annotated[BookingStatus, latest] = BookingStatus.ARRIVED
    cell: Annotated[Line | None, latest] = None
    risk: Annotated[Risk | None, latest] = None
    observation: Annotated[ObservationLevel | None, latest] = None
    checks: Annotated[tuple[Check, ...], grow] = ()
    property_items: Annotated[tuple[LogEntry, ...], grow] = ()
    log: Annotated[tuple[LogEntry, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The suite that holds the person."""
        return frozenset({scopes.suite(self.suite)})
