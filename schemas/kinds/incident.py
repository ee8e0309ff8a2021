"""An incident: every report is one, crime or not (National Standard for Incident Recording; DOMAIN, Incidents)."""

from typing import Annotated

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, ScopeName, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.common import Arrest, Line, LogEntry, Marker, Note, Position
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, Ending, Sees, flow, grow, highest, latest, once, rising, state, tags
from schemas.roles import Role
from schemas.tokens import Token

HOUR_MS = 60 * 60_000


class Category(Token):
    """The incident's category under the National Standard for Incident Recording."""

    TRANSPORT = "transport"
    ANTISOCIAL_PERSONAL = "antisocial-personal"
    ANTISOCIAL_NUISANCE = "antisocial-nuisance"
    ANTISOCIAL_ENVIRONMENTAL = "antisocial-environmental"
    PUBLIC_SAFETY = "public-safety"
    CRIME = "crime"
    ADMINISTRATION = "administration"


class Grade(Token):
    """How urgently officers are sent (West Midlands: P1 within 15 min, P2 within 60 min)."""

    P1 = "p1"
    P2 = "p2"
    SCHEDULED = "scheduled"
    NO_DEPLOYMENT = "no-deployment"


class IncidentStatus(Token):
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
        status: where it stands. A closing that had not seen an arrest asks a supervisor.
        outcome: how it ended, in words.
        units: call signs of who is assigned, as last set.
        source: where an imported incident comes from.
        log: what happened, entry by entry.
        arrests: the arrests made.
        markers: warnings about the people and places in it.
    """

    opened_at: Annotated[
        MillisInt,
        once,
        Asks(
            roles=(Role.CONTROL_ROOM, Role.SUPERVISOR),
            within_ms=24 * HOUR_MS,
            then=(Role.REGISTRAR,),
            safe_because="The time that was recorded first stands: the time limits counted from it do not move.",
        ),
    ]
    area: Annotated[SlugText, latest]
    category: Annotated[Category, latest]
    summary: Annotated[Note, latest]
    location: Annotated[Line | None, latest] = None
    position: Annotated[Position | None, latest] = None
    grade: Annotated[Grade, highest, rising(Grade.NO_DEPLOYMENT, Grade.SCHEDULED, Grade.P2, Grade.P1)] = Grade.SCHEDULED
    status: Annotated[
        IncidentStatus,
        state,
        flow(
            {
                IncidentStatus.OPEN: (IncidentStatus.ASSIGNED, IncidentStatus.ATTENDED, IncidentStatus.CLOSED),
                IncidentStatus.ASSIGNED: (IncidentStatus.OPEN, IncidentStatus.ATTENDED, IncidentStatus.CLOSED),
                IncidentStatus.ATTENDED: (IncidentStatus.ASSIGNED, IncidentStatus.CLOSED),
                IncidentStatus.CLOSED: (IncidentStatus.OPEN,),
            },
            # Work goes before closing: what one officer still does, another's closing does not end.
            precedence=(
                IncidentStatus.CLOSED,
                IncidentStatus.OPEN,
                IncidentStatus.ASSIGNED,
                IncidentStatus.ATTENDED,
            ),
            ending=Ending(states=("closed",), unless=("arrests",), shown="attended"),
        ),
        Sees(("arrests",)),
        Asks(
            roles=(Role.SUPERVISOR, Role.CONTROL_ROOM),
            within_ms=HOUR_MS,
            then=(Role.CONTROL_ROOM,),
            safe_because="An incident with an arrest that the closing officer had not seen stays in sight.",
        ),
    ] = IncidentStatus.OPEN
    outcome: Annotated[Line | None, latest] = None
    units: Annotated[tuple[Line, ...], msgspec.Meta(max_length=64), latest] = ()
    source: Annotated[
        Line | None,
        once,
        Asks(
            roles=(Role.CONTROL_ROOM,),
            within_ms=24 * HOUR_MS,
            then=(Role.REGISTRAR,),
            safe_because="The source that was recorded first stands.",
        ),
    ] = None
    log: Annotated[tuple[LogEntry, ...], grow] = ()
    arrests: Annotated[tuple[Arrest, ...], grow, Sees(("status",))] = ()
    markers: Annotated[tuple[Marker, ...], tags] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The area it lies in."""
        return frozenset({scopes.area(self.area)})
