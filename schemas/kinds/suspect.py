"""A wanted person, whom one officer at a time sets out to arrest (DOMAIN, Briefings and information: person claims)."""

from typing import Annotated

from schemas import scopes
from schemas.ids import ScopeName, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.claims import Hold
from schemas.kinds.common import Line, LogEntry, Marker, Note
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, claim, grow, latest, tags
from schemas.retention import RetentionGroup
from schemas.rights import POLICE, SUPERVISING, Rights, writes
from schemas.roles import Role


@record_kind(
    "suspect",
    retention=RetentionGroup.OTHER_OFFENCE,
    rights=Rights(
        makers=POLICE,
        writers=POLICE,
        because="Whoever does police work may circulate a person, claim one and write down what was done.",
    ),
)
class Suspect(Kind, frozen=True, kw_only=True):
    """One wanted person.

    Attributes:
        name: who.
        wanted_for: what for, in words.
        area: slug of the Local Policing Area that looks for them.
        claimed: the officer who has taken them on.
        markers: warnings, with where they come from and until when they hold.
        log: what was done.
    """

    name: Annotated[Line, latest]
    wanted_for: Annotated[Note, latest]
    area: Annotated[
        SlugText,
        latest,
        writes(*SUPERVISING, because="Another area takes the person out of the sight of those who look for them now."),
    ]
    claimed: Annotated[
        Hold | None,
        claim,
        Asks(
            roles=(Role.SUPERVISOR,),
            within_ms=30 * 60_000,
            then=(Role.CONTROL_ROOM,),
            safe_because="The first claim that reached the server stands, so that two teams do not go in unaware.",
        ),
    ] = None
    markers: Annotated[tuple[Marker, ...], tags] = ()
    log: Annotated[tuple[LogEntry, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The area that looks for the person."""
        return frozenset({scopes.area(self.area)})
