"""Proof files of single entries: what was done to a record, one op, or one entry of the journal.

A proof names hashes, ids, seats and times, and no content; but it is made to be handed to somebody, and that something
was written about a record, when and on which device is about people too. So a proof about a record leaves a trace
before it is given: a disclosure, where it is told to whom it goes, otherwise a consultation by whoever asks.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId, RecordId, split_op_id
from server.evidence.gathering import Prover
from server.registry.acts import Act, DisclosedAt, checked
from server.store import Store
from sync.evidence.leaf import EntryLeaf, Leaf, OpLeaf, RowsLeaf, decode
from sync.evidence.proof import Proof

NO_ENTRY: Final = "the log has no entry {}: it has {} of them, from 0"


class Performs(Protocol):
    """Where acts are done: the ledger."""

    async def perform(self, *acts: Act) -> None:
        """Do acts, durably."""


class Signs(Protocol):
    """Where the log's head is signed: the checkpoints."""

    async def witnessed(self) -> tuple[int, bytes]:
        """(size, signed checkpoint) of the log as it is now."""


class Giving(msgspec.Struct, frozen=True, kw_only=True):
    """Who gives a proof out, to whom, and what for.

    Attributes:
        by, seat: who, where.
        recipients: to whom.
        why: what for.
        at: now (ms since 1970).
    """

    by: OfficerId
    seat: DeviceId
    recipients: tuple[str, ...]
    why: str
    at: Millis


class Proofs:
    """Makes the proof files of one running server."""

    def __init__(self, store: Store, ledger: Performs, checkpoints: Signs) -> None:
        """Bind the parts."""
        self._store = store
        self._ledger = ledger
        self._checkpoints = checkpoints

    async def of_record(self, row: bytes) -> Proof:
        """Of the commit that left a record as it stands.

        Args:
            row: the record's encoded row.

        Raises:
            StoreError: it cannot be read, or the log lacks it.
        """
        size, head = await self._checkpoints.witnessed()
        proven = await Prover(self._store, size).commit_of(row)
        return Proof(proven.index, proven.path, head, proven.leaf)

    async def of_entry(self, index: int) -> Proof:
        """Of one entry of the log.

        Raises:
            UsageError: there is no such entry.
            StoreError: it cannot be read.
        """
        size, head = await self._checkpoints.witnessed()
        if not 0 <= index < size:
            # An op of before there was a log says -1.
            raise UsageError(NO_ENTRY.format(index, size))
        proven = await Prover(self._store, size).entry(index)
        return Proof(index, proven.path, head, proven.leaf)

    async def give(self, raw: bytes, record: RecordId, giving: Giving) -> None:
        """Put into the log that a proof about a record is given out; hand it over only once this returns.

        Args:
            raw: the proof file.
            record: about which record it is.
            giving: by whom, to whom and why.

        Raises:
            UsageError: a recipient or the reason is missing or too long.
            StoreError: it could not be made durable.
        """
        if not giving.why.strip():
            raise UsageError("say what the proof is given out for: it is kept in the log")
        act = DisclosedAt(
            by=giving.by,
            seat=giving.seat,
            at=giving.at,
            record=record,
            recipients=giving.recipients,
            export=hashlib.sha256(raw).digest(),
            why=giving.why,
        )
        checked(act)
        await self._ledger.perform(act)

    async def records_in(self, raw: bytes) -> Sequence[RecordId]:
        """Which records an entry of the log is about.

        Raises:
            StoreError: the entry cannot be read.
        """
        leaf: Leaf = decode(raw)
        match leaf:
            case RowsLeaf():
                return [record for record, _ in leaf.rows]
            case OpLeaf():
                kept = await self._store.op(*split_op_id(leaf.id))
                return [] if kept is None else [kept.record]
            case EntryLeaf():
                entry = await self._store.entry(leaf.what, leaf.key)
                return [] if entry is None or entry.record is None else [entry.record]
