"""What a device itself says of briefings that have come, and what its officer has said of them before.

`on device` is written in the transaction that brings a version: neither a power cut nor a crash comes between having a
briefing and saying so. It need not go up at once: a force-wide briefing reaches thousands of handhelds in one instant,
and what they say of it is spread over a few seconds, officer safety over fewer. What an officer says comes back to that
officer alone (`schemas.kinds.receipts`), so it is known here what is said already, and saying it again writes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, OfficerId, RecordId, ScopeName
from schemas.kinds import Briefing, BriefingReceipt, KindSpec, spec_of
from schemas.kinds.briefing import Priority
from schemas.kinds.receipts import edition_of, receipt_id, receipts_of
from sync.check import changed_fields
from sync.device.force_settings import settings_in
from sync.device.store import Held
from sync.replica import WriteFacts

_log = logging.getLogger(__name__)
_BRIEFING: Final = spec_of(Briefing)
RECEIPT: Final[KindSpec] = spec_of(BriefingReceipt)
STEPS: Final = ("on_device_at", "opened_at", "acknowledged_at")
"""What is said of a version, in order."""


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """What an officer has said of the version of a briefing that is here, on whatever device; the first time of each.

    Attributes:
        on_device_at, opened_at, acknowledged_at: ms since 1970; None for what has not been said.
    """

    on_device_at: Millis | None = None
    opened_at: Millis | None = None
    acknowledged_at: Millis | None = None


AllConfirmed: TypeAlias = dict[tuple[RecordId, str], Confirmed]
"""(briefing, version of it) -> what one officer has said of it."""
UNCONFIRMED: Final[Confirmed] = Confirmed()


class Word(msgspec.Struct, frozen=True):
    """What is still to be said: a change to a receipt.

    Attributes:
        receipt: which.
        changes: field -> plain value.
        create: whether it makes the receipt.
    """

    receipt: RecordId
    changes: dict[FieldName, Any]
    create: bool


class Arrivals:
    """Writes `on device` for the versions of briefings that a message from the server has brought."""

    def __init__(self, author: OfficerId, facts: Callable[[], WriteFacts]) -> None:
        """Bind it.

        Args:
            author: whose device it is.
            facts: who writes, and the time.
        """
        self._author = author
        self._facts = facts

    def note(self, held: Held, touched: Iterable[RecordId], filled: ScopeName | None = None) -> int | None:
        """Write what is to be said, in the transaction that brought it.

        Args:
            held: the replica, with what has come.
            touched: the records that the message changed here.
            filled: the scope whose snapshot ended with it. Until what the officer said earlier is back, nothing is
                said: it might be said already, on a replica that this one replaces.

        Returns:
            Within how long what was written is to go up (ms); None when nothing was.
        """
        own = filled is not None and _is_own(filled, self._author)
        wanted = held.tables.records_of_kind(_BRIEFING.name) if own else touched
        found = [record for record in wanted if held.tables.kind_of(record) == _BRIEFING.name]
        said = [self._note(held, record, self._facts()) for record in sorted(found)]
        ranks = [one for one in said if one is not None]
        if not ranks:
            return None
        settings = settings_in(held).briefings
        safety = Priority.OFFICER_SAFETY in ranks
        return settings.safety_receipts_within_ms if safety else settings.receipts_within_ms

    def _note(self, held: Held, record: RecordId, facts: WriteFacts) -> Priority | None:
        """Write the receipt of one briefing. Returns the briefing's priority; None when nothing is to be said of it."""
        state = held.replica.view(record)
        value = None if state is None else state.build()
        if not isinstance(value, Briefing) or not comes_back(held, value, self._author):
            return None
        if value.expires_at is not None and value.expires_at <= facts.now:
            return None
        word = to_say(held, record, value, self._author, {"on_device_at": facts.now})
        if word is None:
            return None
        try:
            held.replica.write(word.receipt, RECEIPT, word.changes, facts, create=word.create)
        except UsageError as error:
            # An officer whose role was taken may say nothing; what arrived must stay all the same.
            _log.info("no receipt of briefing %s: %s", record, error)
            return None
        return value.ranked


def all_of(held: Held, author: OfficerId) -> AllConfirmed:
    """All that an officer has said of briefings, as far as it is here."""
    found: AllConfirmed = {}
    for state in held.replica.views(RECEIPT):
        value = state.build()
        if isinstance(value, BriefingReceipt) and value.officer == author:
            key = (value.briefing, value.edition)
            found[key] = _both(found.get(key, UNCONFIRMED), value)
    return found


def confirmed_of(held: Held, briefing: RecordId, value: Briefing, author: OfficerId) -> Confirmed:
    """What an officer has said of a briefing as it stands here, on whatever device."""
    after, upto = receipts_of(briefing)
    found = {receipt_id(briefing, edition_of(value), author, held.replica.device)}
    for scope in _own_scopes(value, author):
        found |= {record for record, _ in held.tables.members(scope, after, upto)}
    said = UNCONFIRMED
    for record in found:
        state = held.replica.view(record)
        receipt = None if state is None else state.build()
        if isinstance(receipt, BriefingReceipt) and (receipt.briefing, receipt.officer) == (briefing, author):
            said = _both(said, receipt) if receipt.edition == edition_of(value) else said
    return said


def _both(said: Confirmed, receipt: BriefingReceipt) -> Confirmed:
    return Confirmed(**{step: _first(getattr(said, step), getattr(receipt, step)) for step in STEPS})


def _first(one: Millis | None, other: Millis | None) -> Millis | None:
    return min((at for at in (one, other) if at is not None), default=None)


def to_say(held: Held, record: RecordId, value: Briefing, author: OfficerId, said: Mapping[str, Millis]) -> Word | None:
    """The change that says what is not said yet; None when all of it is."""
    edition, device = edition_of(value), held.replica.device
    receipt = receipt_id(record, edition, author, device)
    state = held.replica.view(receipt)
    if state is not None:
        known = state.values()
        missing = {FieldName(step): at for step, at in said.items() if known.get(FieldName(step)) is None}
        return Word(receipt, changed_fields(missing), create=False) if missing else None
    new: dict[str, object] = {"briefing": record, "edition": edition, "officer": author, "device": device, **said}
    if value.closed:
        new["closed"] = value.closed
    return Word(receipt, changed_fields({FieldName(name): field for name, field in new.items()}), create=True)


def comes_back(held: Held, value: Briefing, author: OfficerId) -> bool:
    """Whether a receipt comes back to this seat, and all that was said earlier is here already."""
    positions = map(held.tables.position, _own_scopes(value, author))
    there = [position for position in positions if position is not None]
    return bool(there) and all(position.after is None for position in there)


def _own_scopes(value: Briefing, author: OfficerId) -> list[ScopeName]:
    """Where what this officer says of a briefing comes back."""
    own = [scopes.personal(author, audience) for audience in value.closed or (None,)]
    return [scope for scope in own if scope is not None]


def _is_own(scope: ScopeName, author: OfficerId) -> bool:
    """Whether a scope is one in which this officer's receipts come back."""
    audience = scopes.audience(scope)
    return scope == scopes.personal(author, None if audience == scope else audience)
