"""A briefing: what a shift, an area or the whole force must know now (DOMAIN, Briefings and information)."""

from typing import Annotated

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, ScopeName, ScopeText
from schemas.kinds.base import Kind
from schemas.kinds.common import Body, Line, Receipt
from schemas.kinds.registry import record_kind
from schemas.limits import SCOPES_PER_BRIEFING_MAX
from schemas.policies import Asks, grow, latest, once
from schemas.retention import RetentionGroup
from schemas.rights import POLICE, SUPERVISING, Rights, writes
from schemas.roles import Role
from schemas.tokens import Token


class Classification(Token):
    """Marking of the Government Security Classifications that a briefing may bear."""

    OFFICIAL = "official"
    OFFICIAL_SENSITIVE = "official-sensitive"


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
        urgent: whether officer safety hangs on it.
        issued_at: when it was issued (ms since 1970).
        valid_from: from when on it applies (ms since 1970).
        expires_at: until when it applies (ms since 1970).
        review_at: when someone looks at it again (ms since 1970).
        withdrawn: whether it no longer applies; it stays readable.
        receipts: who has read it.
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
    urgent: Annotated[bool, latest] = False
    valid_from: Annotated[MillisInt | None, latest] = None
    expires_at: Annotated[MillisInt | None, latest] = None
    review_at: Annotated[MillisInt | None, latest] = None
    withdrawn: Annotated[bool, latest] = False
    receipts: Annotated[
        tuple[Receipt, ...],
        grow,
        writes(
            *POLICE,
            Role.REGISTRAR,
            Role.AUDITOR,
            Role.ADMINISTRATOR,
            because="Whoever is addressed says for themselves that they have read it.",
        ),
    ] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The briefing scope of every audience; where one is closed, of the closed ones alone."""
        return scopes.kept_in(scopes.briefing(audience) for audience in self.audience)
