"""A receipt: what one officer says, on one device, about having got and read one version of a briefing.

It is a record of its own, because what thousands say of a briefing must not travel to the thousands of others: it goes
up, is counted on the server (`force:receipts`, which nobody holds), and comes back to its author alone. There is one
for each (briefing, version, officer, device), under an id that follows from the four, so that saying it again changes
nothing. What is said of a closed briefing stays inside the closed audience.
"""

import hashlib
from typing import Annotated, Final

import msgspec

from schemas import scopes
from schemas.ids import (
    DeviceId,
    DeviceText,
    MillisInt,
    OfficerId,
    OfficerText,
    RecordId,
    RecordText,
    ScopeName,
    ScopeText,
    named_record_id,
)
from schemas.kinds.base import Kind
from schemas.kinds.briefing import Briefing
from schemas.kinds.registry import record_kind
from schemas.limits import SCOPES_PER_BRIEFING_MAX
from schemas.policies import latest
from schemas.retention import RetentionGroup
from schemas.rights import POLICE, Rights, Writes
from schemas.roles import Role

CONTENT: Final = (
    "title", "body", "classification", "handling", "priority", "valid_from", "expires_at", "withdrawn",
)  # fmt: skip
"""What somebody who has read a briefing has read. Whom else it is addressed to, when it is reviewed and what it
replaces are its author's affair."""
_ADDRESSED: Final = (*POLICE, Role.REGISTRAR)
"""Whom a briefing can reach: those outside operations hold no scope of it."""
_ABOUT_CHARS: Final = len("01234567-89ab")
_NOTHING: Final = "-0000-0000-0000-000000000000"
EDITION_PATTERN: Final = r"^[0-9a-f]{16}$(?!\n)"
Edition = Annotated[str, msgspec.Meta(pattern=EDITION_PATTERN)]
"""A version of a briefing: 16 hexadecimal digits that follow from its content (`edition_of`)."""


@record_kind(
    "receipt",
    retention=RetentionGroup.BRIEFING,
    rights=Rights(
        makers=_ADDRESSED,
        writers=_ADDRESSED,
        because="Whoever is addressed says for themselves that they have read it.",
    ),
)
class BriefingReceipt(Kind, frozen=True, kw_only=True):
    """One officer's word on one version of one briefing.

    Attributes:
        briefing: which.
        edition: which version of it (`edition_of`).
        officer: who; it counts only where that is its author.
        device: the seat on which it was read.
        closed: the closed audiences that the briefing is addressed to; none for an open one.
        on_device_at: when the version came to the device (ms since 1970).
        opened_at: when it was first shown there (ms since 1970).
        acknowledged_at: when the officer confirmed that they have read it (ms since 1970).
    """

    briefing: Annotated[RecordText, latest]
    edition: Annotated[Edition, latest]
    officer: Annotated[
        OfficerText,
        latest,
        Writes(roles=_ADDRESSED, own=True, because="A receipt is the word of whoever it names, and of nobody else."),
    ]
    device: Annotated[DeviceText, latest]
    closed: Annotated[tuple[ScopeText, ...], msgspec.Meta(max_length=SCOPES_PER_BRIEFING_MAX), latest] = ()
    on_device_at: Annotated[MillisInt | None, latest] = None
    opened_at: Annotated[MillisInt | None, latest] = None
    acknowledged_at: Annotated[MillisInt | None, latest] = None

    def scopes(self) -> frozenset[ScopeName]:
        """Where it is counted, and its author's own scope; for a closed briefing both inside the closed audience."""
        if not self.closed:
            return frozenset({scopes.receipts(scopes.FORCE)} | _there(scopes.personal(self.officer)))
        found: frozenset[ScopeName] = frozenset()
        for audience in self.closed:
            found |= {scopes.receipts(audience)} | _there(scopes.personal(self.officer, audience))
        return found

    def writing_scopes(self) -> frozenset[ScopeName]:
        """Its author's own scope: nobody else adds a word to it."""
        counted = {scopes.receipts(audience) for audience in self.closed or (scopes.FORCE,)}
        return self.scopes() - counted or self.scopes()


def edition_of(briefing: Briefing) -> str:
    """The version of a briefing: the same on every device and after every restore, since it is its content's.

    A version number counts one server's commits; that server may be set back and count on to other content.
    """
    content = {name: getattr(briefing, name) for name in CONTENT} | {"priority": briefing.ranked}
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]


def receipt_id(briefing: RecordId, edition: str, officer: OfficerId, device: DeviceId) -> RecordId:
    """The id of a receipt: a UUID version 8 (RFC 9562 section 5.8) whose first 48 bits follow from the briefing alone.

    So the receipts of one briefing lie beside each other in the order of ids (`receipts_of`).
    """
    own = named_record_id("receipt", briefing, edition, officer.upper(), device)
    return RecordId(_about(briefing) + own[_ABOUT_CHARS:])


def receipts_of(briefing: RecordId) -> tuple[str, str]:
    """(id before all receipts of a briefing, id behind them). Those of another may lie among them, once in 2^48."""
    about = _about(briefing)
    return about + _NOTHING, about + _NOTHING.replace("0", "f")


def _about(briefing: RecordId) -> str:
    return named_record_id("receipts of", briefing)[:_ABOUT_CHARS]


def _there(scope: ScopeName | None) -> frozenset[ScopeName]:
    return frozenset() if scope is None else frozenset({scope})
