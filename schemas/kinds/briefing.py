"""A briefing: what a shift, an area or the whole force must know now (DOMAIN, Briefings and information)."""

from typing import Annotated, Final

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, RecordText, ScopeName, ScopeText
from schemas.kinds.base import Kind
from schemas.kinds.common import Body, Line, Receipt
from schemas.kinds.registry import record_kind
from schemas.limits import SCOPES_PER_BRIEFING_MAX
from schemas.policies import Asks, Retired, grow, highest, latest, once, rising
from schemas.retention import RetentionGroup
from schemas.rights import POLICE, SUPERVISING, Rights, writes
from schemas.roles import Role
from schemas.tokens import Token


class Classification(Token):
    """Marking of the Government Security Classifications that a briefing may bear."""

    OFFICIAL = "official"
    OFFICIAL_SENSITIVE = "official-sensitive"


class Priority(Token):
    """How far ahead of everything else a briefing goes."""

    ROUTINE = "routine"
    URGENT = "urgent"
    OFFICER_SAFETY = "officer-safety"


REPLACED_MAX: Final = 32
"""How many more briefings one can stand in the place of: a warning brought up to date for days names them all."""


class Topic(Token):
    """What a briefing tells the neighbourhood, if it may: each stands for a text that was cleared for everybody."""

    BURGLARY = "burglary"
    VEHICLE_CRIME = "vehicle-crime"
    THEFT_FROM_SHOPS = "theft-from-shops"
    PERSONAL_ROBBERY = "personal-robbery"
    BICYCLE_THEFT = "bicycle-theft"
    FRAUD = "fraud"
    ANTISOCIAL_BEHAVIOUR = "antisocial-behaviour"


@record_kind(
    "briefing",
    retention=RetentionGroup.BRIEFING,
    rights=Rights(
        makers=SUPERVISING,
        writers=SUPERVISING,
        because="A briefing speaks for the force: whoever issues or changes one answers for those who act on it.",
    ),
)
class Briefing(Kind, frozen=True, kw_only=True):
    """One item of a briefing.

    Attributes:
        title: what it is about, in one line.
        body: what to know and do.
        audience: the scopes it is addressed to.
        classification: its marking.
        handling: handling caveat, in words.
        urgent: whether officer safety hangs on it, as older programs say it; `ranked` understands both.
        priority: how far ahead of everything else it goes.
        issued_at: when it was issued (ms since 1970).
        valid_from: from when on it applies (ms since 1970).
        expires_at: until when it applies (ms since 1970).
        review_at: when someone looks at it again (ms since 1970).
        withdrawn: whether it no longer applies; it stays readable.
        replaces: the briefing in whose place this one stands; that one is shown as replaced.
        also_replaces: the others in whose place it stands, where there are several.
        topic: what the neighbourhood may be told because of it; nothing, unless it is said.
        receipts: who has read it, as older programs say it; now each receipt is a record (`schemas.kinds.receipts`).
    """

    title: Annotated[Line, latest]
    body: Annotated[Body, latest]
    audience: Annotated[tuple[ScopeText, ...], msgspec.Meta(min_length=1, max_length=SCOPES_PER_BRIEFING_MAX), latest]
    issued_at: Annotated[
        MillisInt,
        once,
        Asks(
            roles=(Role.CONTROL_ROOM,),
            within_ms=24 * 60 * 60_000,
            then=(Role.SUPERVISOR,),
            safe_because="The time under which it was first read stands.",
        ),
    ]
    classification: Annotated[Classification, latest] = Classification.OFFICIAL
    handling: Annotated[Line | None, latest] = None
    urgent: Annotated[bool, latest, Retired(4, "set its priority; on officer-safety officer safety hangs")] = False
    priority: Annotated[
        Priority | None, highest, rising(Priority.ROUTINE, Priority.URGENT, Priority.OFFICER_SAFETY)
    ] = None
    valid_from: Annotated[MillisInt | None, latest] = None
    expires_at: Annotated[MillisInt | None, latest] = None
    review_at: Annotated[MillisInt | None, latest] = None
    withdrawn: Annotated[bool, latest] = False
    replaces: Annotated[RecordText | None, latest] = None
    also_replaces: Annotated[tuple[RecordText, ...], msgspec.Meta(max_length=REPLACED_MAX), latest] = ()
    topic: Annotated[Topic | None, latest] = None
    receipts: Annotated[
        tuple[Receipt, ...],
        grow,
        Retired(4, "confirm the briefing itself: that makes a receipt"),
        writes(
            *POLICE,
            Role.REGISTRAR,
            Role.AUDITOR,
            Role.ADMINISTRATOR,
            because="Whoever is addressed says for themselves that they have read it.",
        ),
    ] = ()

    @property
    def ranked(self) -> Priority:
        """Its priority, whichever program said it: where an older one says that safety hangs on it, it does."""
        if self.urgent:
            return Priority.OFFICER_SAFETY
        return self.priority if self.priority is not None and self.priority.known else Priority.ROUTINE

    @property
    def closed(self) -> tuple[ScopeName, ...]:
        """The closed ones among its audiences, in order; while there is one, no other counts."""
        return tuple(sorted(filter(scopes.closed, set(self.audience))))

    def scopes(self) -> frozenset[ScopeName]:
        """Of every audience the scope in whose lane it goes; where one is closed, of the closed ones alone."""
        ahead = self.ranked is Priority.OFFICER_SAFETY
        lane = scopes.safety if ahead else scopes.briefing
        return scopes.kept_in(map(lane, self.audience))
