"""An incident: every report is one, crime or not (National Standard for Incident Recording; DOMAIN, Incidents)."""

from typing import Annotated, Any, ClassVar, Final

import msgspec

from schemas import scopes
from schemas.ids import FieldName, MillisInt, OfficerText, ScopeName, SlugText
from schemas.kinds.abuse import AbuseAssessment, AbuseVictim
from schemas.kinds.base import Kind
from schemas.kinds.call import Confirmation, Deployment, FirstContact, Grade, Grading, Involved, Link, Methane
from schemas.kinds.common import Arrest, Line, LogEntry, Marker, Note, Position
from schemas.kinds.crime import Cancellation, Crime, CrimeNumber, NotCrime, VictimTold
from schemas.kinds.passing import Keeping, Passing, keeping
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, ByRule, Ending, Needs, Sees, flow, grow, highest, latest, once, rising, state, tags
from schemas.retention import RetentionGroup
from schemas.rights import CLOSING, POLICE, SUPERVISING, Rights, writes
from schemas.roles import Role
from schemas.tokens import Token

__all__ = ["UPRN_PATTERN", "Category", "Grade", "Incident", "IncidentStatus"]

HOUR_MS = 60 * 60_000
_ASSESSED: Final = Needs(
    each="abuse_victims",
    has="assessments",
    same=("name", "born"),
    void="withdrawn",
    because="A domestic abuse incident closes only once the risk to each victim has been assessed, family and "
    "non-crime included (HMIC 2014; College of Policing, domestic abuse).",
)
_DECIDES: Final = (*POLICE, Role.REGISTRAR)
_RECORDING: Final = "Whether a report is a crime is decided by an officer, under the Force Crime Registrar's oversight."
UPRN_PATTERN: Final = r"^[0-9]{1,12}$(?!\n)"
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
        urn: its number, given once by the server; until then it is called by its provisional id.
        uprn: the place's Unique Property Reference Number.
        people: who is in it: callers, victims, witnesses, the accused, children.
        first_contact: what was asked of people's vulnerability when they were first spoken to.
        gradings: each grade with the six THRIVE answers it rests on.
        deployments: which unit was sent, and when it was on its way, there, and free again.
        methane: reports from the scene of a major incident; the latest whole one is shown.
        qualifiers: what else it is, in the force's words: `domestic-abuse`, `hate-crime`.
        links: other incidents that it belongs with.
        closing_code: how it ended, in the force's list.
        investigator: collar number of the officer in charge of the investigation.
        crimes: the crimes recorded from it.
        not_crimes: why what was reported is not recorded as a crime.
        crime_numbers: the numbers that the server gave to the crimes.
        cancellations: recorded crimes that were cancelled.
        registrar_cancellations: the same, by the Force Crime Registrar; of rape there is no other.
        victims_told: what victims were told.
        abuse_victims: who suffers domestic abuse in it. A closing that had not seen one asks a supervisor.
        assessments: the risk to each of them, assessed.
        confirmations: what officers in probation wrote and a tutor has looked at.
        passing: to which team it was offered by the one that has it, and what that team said; until it accepts, the
            incident is the giver's (`schemas.kinds.passing`).
    """

    SIDED: ClassVar[frozenset[FieldName]] = frozenset({FieldName("passing")})

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
            ending=Ending(
                states=("closed",),
                unless=("arrests", "abuse_victims", "assessments"),
                shown="attended",
                needs=(_ASSESSED,),
            ),
        ),
        Sees(("arrests", "abuse_victims", "assessments")),
        Asks(
            roles=(Role.SUPERVISOR, Role.CONTROL_ROOM),
            within_ms=HOUR_MS,
            then=(Role.CONTROL_ROOM,),
            safe_because="An incident with an arrest, a victim of domestic abuse or an assessment that the closing "
            "officer had not seen stays in sight.",
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
    compartment: Annotated[SlugText | None, latest, CLOSING] = None
    retention: Annotated[
        RetentionGroup | None,
        latest,
        writes(
            *SUPERVISING,
            Role.REGISTRAR,
            because="How long people's data is kept is decided by somebody who answers for it (MoPI).",
        ),
    ] = None
    urn: Annotated[Line | None, latest, ByRule()] = None
    uprn: Annotated[Annotated[str, msgspec.Meta(pattern=UPRN_PATTERN)] | None, latest] = None
    people: Annotated[tuple[Involved, ...], grow] = ()
    first_contact: Annotated[tuple[FirstContact, ...], grow] = ()
    gradings: Annotated[tuple[Grading, ...], grow] = ()
    deployments: Annotated[tuple[Deployment, ...], grow] = ()
    methane: Annotated[tuple[Methane, ...], grow] = ()
    qualifiers: Annotated[tuple[SlugText, ...], tags] = ()
    links: Annotated[tuple[Link, ...], tags] = ()
    closing_code: Annotated[SlugText | None, latest] = None
    investigator: Annotated[
        OfficerText | None,
        latest,
        writes(*SUPERVISING, maker=True, because="Who investigates is settled by somebody who answers for the work."),
    ] = None
    crimes: Annotated[tuple[Crime, ...], grow, writes(*_DECIDES, because=_RECORDING)] = ()
    not_crimes: Annotated[tuple[NotCrime, ...], grow, writes(*_DECIDES, because=_RECORDING)] = ()
    crime_numbers: Annotated[tuple[CrimeNumber, ...], grow, ByRule()] = ()
    cancellations: Annotated[
        tuple[Cancellation, ...],
        grow,
        writes(
            *SUPERVISING,
            Role.REGISTRAR,
            because="A recorded crime is cancelled by somebody independent of its investigation.",
        ),
    ] = ()
    registrar_cancellations: Annotated[
        tuple[Cancellation, ...],
        grow,
        writes(Role.REGISTRAR, because="A recorded rape is cancelled by the Force Crime Registrar alone."),
    ] = ()
    victims_told: Annotated[tuple[VictimTold, ...], grow, writes(*_DECIDES, because=_RECORDING)] = ()
    abuse_victims: Annotated[tuple[AbuseVictim, ...], grow, Sees(("status",))] = ()
    assessments: Annotated[tuple[AbuseAssessment, ...], grow, Sees(("status",))] = ()
    confirmations: Annotated[tuple[Confirmation, ...], grow] = ()
    passing: Annotated[
        tuple[Passing, ...],
        grow,
        writes(
            *SUPERVISING, because="An incident passes from team to team by the word of those who answer for their work."
        ),
    ] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """Its area, teams, missions and named officers; when it is in a compartment, that and nothing else.

        The team that has it, and both sides of an open offer, are among its teams, whatever `teams` says: taking a team
        off the list leaves no incident with nobody.
        """
        if self.compartment is not None:
            return frozenset({scopes.compartment(self.compartment)})
        return frozenset(
            {
                scopes.area(self.area),
                *map(scopes.team, self.teams),
                *(map(scopes.team, self.kept().teams) if self.passing else ()),
                *map(scopes.mission, self.missions),
                *map(scopes.officer, self.named),
            }
        )

    def kept(self) -> Keeping:
        """Whose it is, and to whom it is offered."""
        return keeping(self.passing) if self.passing else Keeping()

    def sides(self, field: FieldName, value: Any) -> frozenset[ScopeName]:  # noqa: ARG002  see `Kind.sides`
        """An answer to an offer is written by somebody of the team whose word it is."""
        teams = (one.team for one in msgspec.convert(value, list[Passing]))
        return frozenset(scopes.team(team) for team in teams if team is not None)

    def own_retention(self) -> RetentionGroup | None:
        """What a reviewer said; otherwise that of an offence, when it is one or somebody was arrested."""
        if self.retention is not None:
            return self.retention
        offence = self.category is Category.CRIME or bool(self.arrests)
        return RetentionGroup.OTHER_OFFENCE if offence else None
