"""An incident: every report is one, crime or not (National Standard for Incident Recording; DOMAIN, Incidents)."""

from typing import Annotated, Final

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, ScopeName, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.common import Arrest, Line, LogEntry, Marker, Note, Position
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, Ending, Sees, flow, grow, highest, latest, once, rising, state, tags
from schemas.retention import RetentionGroup
from schemas.rights import POLICE, SUPERVISING, Rights, writes
from schemas.roles import Role
from schemas.tokens import Token

HOUR_MS = 60 * 60_000
_SHARED: Final = "Who sees an incident beside its area is decided by whoever reports it or answers for the work on it."


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


@record_kind(
    "incident",
    retention=RetentionGroup.MISCELLANEOUS,
    rights=Rights(
        makers=POLICE,
        writers=POLICE,
        because="Whoever does police work reports an incident and writes down what was done (every report is one).",
    ),
)
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
        teams: slugs of the teams that work on it beside the area.
        missions: slugs of the missions that it belongs to.
        named: collar numbers, in lower case, of officers who see it wherever they are posted.
        compartment: slug of the compartment that it is closed in; nobody outside learns of it.
        retention: why it is kept, when a reviewer has said so.
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
    area: Annotated[
        SlugText,
        latest,
        writes(*SUPERVISING, because="Another area takes the incident out of the sight of those who work on it now."),
    ]
    category: Annotated[
        Category,
        latest,
        writes(
            *POLICE,
            Role.REGISTRAR,
            because="Whoever attends says what it is; the Force Crime Registrar has the last word on what is recorded.",
        ),
    ]
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
        writes(
            *POLICE,
            to={IncidentStatus.CLOSED: SUPERVISING, IncidentStatus.OPEN: SUPERVISING},
            because="An incident is closed, and taken up anew, by somebody who answers for the work on it.",
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
    log: Annotated[
        tuple[LogEntry, ...],
        grow,
        writes(*POLICE, Role.REGISTRAR, because="Whoever acts on an incident, or judges how it is recorded, says so."),
    ] = ()
    arrests: Annotated[tuple[Arrest, ...], grow, Sees(("status",))] = ()
    markers: Annotated[tuple[Marker, ...], tags] = ()
    teams: Annotated[
        tuple[SlugText, ...],
        tags,
        writes(*SUPERVISING, maker=True, because=_SHARED),
    ] = ()
    missions: Annotated[
        tuple[SlugText, ...],
        tags,
        writes(*SUPERVISING, maker=True, because=_SHARED),
    ] = ()
    named: Annotated[
        tuple[SlugText, ...],
        tags,
        writes(*SUPERVISING, maker=True, because=_SHARED),
    ] = ()
    compartment: Annotated[
        SlugText | None,
        latest,
        writes(
            Role.SUPERINTENDENT,
            maker=True,
            because="A superintendent answers for who learns of a closed matter, and for its opening to others.",
        ),
    ] = None
    retention: Annotated[
        RetentionGroup | None,
        latest,
        writes(
            *SUPERVISING,
            Role.REGISTRAR,
            because="How long people's data is kept is decided by somebody who answers for it (MoPI).",
        ),
    ] = None

    def scopes(self) -> frozenset[ScopeName]:
        """Its area, teams, missions and named officers; when it is in a compartment, that and nothing else."""
        if self.compartment is not None:
            return frozenset({scopes.compartment(self.compartment)})
        return frozenset(
            {
                scopes.area(self.area),
                *map(scopes.team, self.teams),
                *map(scopes.mission, self.missions),
                *map(scopes.officer, self.named),
            }
        )

    def own_retention(self) -> RetentionGroup | None:
        """What a reviewer said; otherwise that of an offence, when it is one or somebody was arrested."""
        if self.retention is not None:
            return self.retention
        offence = self.category is Category.CRIME or bool(self.arrests)
        return RetentionGroup.OTHER_OFFENCE if offence else None
