"""An incident: every report is one, crime or not (National Standard for Incident Recording; DOMAIN, Incidents)."""

import enum
from typing import Annotated

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, ScopeName, SlugText
from schemas.kinds.base import Kind, record_kind
from schemas.kinds.common import Line, LogEntry, Note, Position
from schemas.policies import grow, latest, once


class Category(enum.Enum):
    """The incident's category under the National Standard for Incident Recording."""

    TRANSPORT = "transport"
    ANTISOCIAL_PERSONAL = "antisocial-personal"
    ANTISOCIAL_NUISANCE = "antisocial-nuisance"
    ANTISOCIAL_ENVIRONMENTAL = "antisocial-environmental"
    PUBLIC_SAFETY = "public-safety"
    CRIME = "crime"
    ADMINISTRATION = "administration"


class Grade(enum.Enum):
    """How urgently officers are sent (West Midlands: P1 within 15 min, P2 within 60 min)."""

    P1 = "p1"
    P2 = "p2"
    SCHEDULED = "scheduled"
    NO_DEPLOYMENT = "no-deployment"


class IncidentStatus(enum.Enum):
    """Where the incident stands."""

    OPEN = "open"
    ASSIGNED = "assigned"
    ATTENDED = "attended"
    CLOSED = "closed"


@record_kind("incident")
class Incident(Kind, frozen=True, kw_only=True):
    """One report to the police and what was done about it.

    Attributes:
        opened_at: when it was reported (ms since 1970). Of an imported row: the first moment of its month.
        area: slug of the Local Policing Area it lies in.
        category: its category.
        summary: what it is, in a line or a few.
        location: the place in words.
        position: the place on the ground.
        grade: how urgently officers are sent.
        status: where it stands.
        outcome: how it ended, in words.
        units: call signs of who is assigned, as last set.
        source: where an imported incident comes from.
        log: what happened, entry by entry.
    """

    opened_at: Annotated[MillisInt, once]
    area: Annotated[SlugText, latest]
    category: Annotated[Category, latest]
    summary: Annotated[Note, latest]
    location: Annotated[Line | None, latest] = None
    position: Annotated[Position | None, latest] = None
    grade: Annotated[Grade, latest] = Grade.SCHEDULED
    status: Annotated[IncidentStatus, latest] = IncidentStatus.OPEN
    outcome: Annotated[Line | None, latest] = None
    units: Annotated[tuple[Line, ...], msgspec.Meta(max_length=64), latest] = ()
    source: Annotated[Line | None, once] = None
    log: Annotated[tuple[LogEntry, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The area it lies in."""
        return frozenset({scopes.area(self.area)})
