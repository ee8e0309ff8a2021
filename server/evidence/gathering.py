"""All that is to be disclosed about one record, gathered from a store: bytes, entries of the log, and their proofs."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from schemas.codec import decode_row
from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Millis, OfficerId, OpNumber, RecordId, Seq
from schemas.limits import PAGE_ROWS_MAX
from server import dossier
from server.evidence.consulted import CONSULTED, consultations
from server.evidence.exported import EntryEvidence, Evidence, OpEvidence, Proven, RowEvidence, ToldRead
from server.intake import ReadBatch
from server.logbook import ACT, HEAD, OFFICE, READS, KeptEntry
from server.registry.acts import (
    Act,
    DeviceEnrolled,
    Disclosed,
    KeyRenewed,
    OfficerAdded,
    RetentionReviewed,
    SeatOpened,
    decode,
)
from server.store import Store
from server.store.port import KeptOp
from sync.evidence.chain import SignedHead
from sync.evidence.leaf import EntryLeaf, OpLeaf, RowsLeaf
from sync.evidence.leaf import decode as decode_leaf
from sync.explain import Account

TRIES: Final = 5
"""How often to begin again when the record is changed while it is read."""
NEAR: Final = 2_000
"""Entries of the log behind an op among which its head is looked for before all heads are: a commit has fewer."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants a record disclosed, for whom and why.

    Attributes:
        record: which.
        by: who makes the export.
        recipients: for whom.
        why: what for.
        at: now (ms since 1970).
    """

    record: RecordId
    by: OfficerId
    recipients: tuple[str, ...]
    why: str
    at: Millis


class Head(msgspec.Struct, frozen=True):
    """The log's head to prove everything by.

    Attributes:
        size: its entries.
        log: the log's verifier key (vkey).
        checkpoint: the head, signed.
    """

    size: int
    log: str
    checkpoint: bytes


class Gathering:
    """Gathers what is to be disclosed about one record."""

    def __init__(self, store: Store, request: Request) -> None:
        """Bind it; nothing is read yet."""
        self._store = store
        self._request = request
        self._rows: list[bytes] = []
        self._ops: list[KeptOp] = []

    async def read(self) -> None:
        """Read the record, the inbox items about it, and the ops on all of these. Take the log's head after this.

        Raises:
            UsageError: there is no such record, it was erased, or only a newer program can tell it.
            StoreError: the store failed, or the record is changed faster than it can be read.
        """
        record = self._request.record
        for _ in range(TRIES):
            gone = await self._store.erased(record)
            if gone is not None:
                raise UsageError(f"record {record} was {gone.note}; nothing is left of it to disclose")
            account = await dossier.account(self._store, record, self._request.at)
            if account is None:
                raise UsageError(f"there is no record {record}; check its id")
            about = [record, *sorted(account.items)]
            rows = await self._store.existing(about)
            self._ops = await self._ops_on(about, {one.op.id for one in account.log})
            self._rows = [rows[one] for one in about if one in rows]
            if {row.id: row.v for row in map(decode_row, self._rows)} == _versions(account):
                return
        raise StoreError(f"record {record} is being worked on: it changes faster than it can be read; ask again")

    async def evidence(self, head: Head) -> Evidence:
        """The evidence, proven by a head of the log that was taken after `read`.

        Raises:
            StoreError: the store failed, or the log lacks something of it.
        """
        prover = Prover(self._store, head.size)
        heads = await self._heads(prover)
        request = self._request
        return Evidence(
            record=request.record,
            made_at=request.at,
            made_by=request.by,
            recipients=request.recipients,
            why=request.why,
            log=head.log,
            checkpoint=head.checkpoint,
            rows=tuple([RowEvidence(row, await prover.commit_of(row)) for row in self._rows]),
            ops=tuple([await _op(prover, kept) for kept in self._ops]),
            heads=tuple([await _entry(prover, kept) for kept in heads]),
            acts=tuple([await _entry(prover, kept) for kept in await self._acts(head.size)]),
            reads=tuple(await self._reads(prover)),
        )

    async def _ops_on(self, records: Sequence[RecordId], told: set[str]) -> list[KeptOp]:
        found = []
        for record in records:
            after = 0
            while page := await self._store.ops(record, after, PAGE_ROWS_MAX):
                found += [kept for kept in page if dossier.logged(kept).op.id in told]
                after = page[-1].place
        return sorted(found, key=lambda kept: kept.place)

    async def _heads(self, prover: "Prover") -> list[KeptEntry]:
        """What devices signed for the ops, each once."""
        found: dict[int, KeptEntry] = {}
        covered: set[tuple[DeviceId, OpNumber]] = set()
        for kept in self._ops:
            op = dossier.logged(kept).op
            if op.device == OFFICE or (op.device, op.n) in covered:
                continue
            entry = await prover.head_of(kept, op.device, op.n)
            if entry is not None and entry.body is not None:
                found[entry.place] = entry
                covered.update((op.device, n) for n, _ in msgspec.msgpack.decode(entry.body, type=SignedHead).ops)
        return [entry for _, entry in sorted(found.items())]

    async def _acts(self, size: int) -> list[KeptEntry]:
        """Who the devices and people are, and what was decided about the record."""
        ops = [dossier.logged(kept).op for kept in self._ops]
        people = {op.author for op in ops} | {self._request.by}
        seats = {seat for op in ops for seat in (op.device, op.seat)}
        found: list[tuple[KeptEntry, Act]] = []
        devices: set[DeviceId] = set()
        async for kept in _journal(self._store, ACT):
            if kept.body is not None and kept.leaf < size:
                act = decode(kept.body)
                found.append((kept, act))
                if isinstance(act, SeatOpened) and act.seat in seats:
                    devices.add(act.device)
        return [kept for kept, act in found if _tells(act, seats, devices, people, self._request.record)]

    async def _reads(self, prover: "Prover") -> list[ToldRead]:
        record, found = self._request.record, []
        async for kept in _journal(self._store, READS):
            batch = None if kept.body is None else msgspec.msgpack.decode(kept.body, type=ReadBatch)
            for read in [] if batch is None or kept.leaf >= prover.size else batch.reads():
                if batch is not None and record in read.records:
                    proven = await prover.entry(kept.leaf)
                    told = (read.what, read.author, batch.seat, read.at, read.why, read.recipients)
                    found.append(ToldRead(*told, proven))
        async for kept in _journal(self._store, CONSULTED):
            for one in [] if kept.leaf >= prover.size else consultations(kept):
                if record in one.records:
                    told = (one.what, one.officer, one.seat, one.at, one.why, ())
                    found.append(ToldRead(*told, await prover.entry(kept.leaf)))
        return sorted(found, key=lambda one: (one.at, one.proven.index))


class Prover:
    """Entries of the log with their proofs in the tree of one size."""

    def __init__(self, store: Store, size: int) -> None:
        """Bind it.

        Args:
            store: whose log.
            size: of the tree that the proofs are in.
        """
        self._store = store
        self.size = size
        self._entries: dict[int, Proven] = {}

    async def entry(self, index: int) -> Proven:
        """One entry; there must be one."""
        if index not in self._entries:
            (leaf,) = await self._store.leaves(index, 1)
            path = await self._store.inclusion(index, self.size)
            self._entries[index] = Proven(index, leaf, tuple(path))
        return self._entries[index]

    async def commit_of(self, row: bytes) -> Proven:
        """The entry of the commit that left a record so."""
        decoded = decode_row(row)
        index = await self._first_of(decoded.v)
        async for at, leaf in self._from(index):
            if isinstance(leaf, RowsLeaf) and any(one == decoded.id for one, _ in leaf.rows):
                return await self.entry(at)
        raise StoreError(f"the log does not hold commit {decoded.v} of record {decoded.id}; run `beatbook verify`")

    async def head_of(self, kept: KeptOp, seat: DeviceId, n: OpNumber) -> KeptEntry | None:
        """The signed head that covers an op: soon behind it, or before it when the op came later."""
        async for at, leaf in self._from(kept.leaf + 1, NEAR):
            if isinstance(leaf, EntryLeaf) and leaf.what == HEAD and leaf.key.startswith(f"{seat}:"):
                entry = await self._store.entry(HEAD, leaf.key)
                if entry is not None and at < self.size and _covers(entry, n):
                    return entry
        async for entry in _journal(self._store, HEAD):
            if entry.key.startswith(f"{seat}:") and entry.leaf < self.size and _covers(entry, n):
                return entry
        return None

    async def _first_of(self, seq: Seq) -> int:
        """Index of an entry before which no commit up to `seq` ended: commits stand in their order."""
        low, high = 0, self.size
        while low < high:
            middle = (low + high) // 2
            found = await self._seq_at(middle)
            if found is None or found >= seq:
                high = middle
            else:
                low = middle + 1
        return low

    async def _seq_at(self, index: int) -> Seq | None:
        """The commit of the first op or commit from an index on; None when none follows."""
        async for _, leaf in self._from(index):
            if isinstance(leaf, OpLeaf | RowsLeaf):
                return leaf.seq
        return None

    async def _from(
        self, index: int, most: int | None = None
    ) -> AsyncIterator[tuple[int, OpLeaf | RowsLeaf | EntryLeaf]]:
        end = self.size if most is None else min(self.size, index + most)
        while index < end and (page := await self._store.leaves(index, min(64, end - index))):
            for raw in page:
                yield index, decode_leaf(raw)
                index += 1


async def _journal(store: Store, what: str) -> AsyncIterator[KeptEntry]:
    place = 0
    while page := await store.journal(what, place, PAGE_ROWS_MAX):
        for kept in page:
            yield kept
        place = page[-1].place


async def _op(prover: Prover, kept: KeptOp) -> OpEvidence:
    encode = msgspec.msgpack.encode
    return OpEvidence(kept.body, encode(kept.result), encode(kept.acts), await prover.entry(kept.leaf))


async def _entry(prover: Prover, kept: KeptEntry) -> EntryEvidence:
    return EntryEvidence(kept.what, kept.key, kept.body or b"", await prover.entry(kept.leaf))


def _covers(entry: KeptEntry, n: OpNumber) -> bool:
    body = entry.body
    return body is not None and any(each == n for each, _ in msgspec.msgpack.decode(body, type=SignedHead).ops)


def _tells(act: Act, seats: set[DeviceId], devices: set[DeviceId], people: set[OfficerId], record: RecordId) -> bool:
    match act:
        case SeatOpened():
            return act.seat in seats
        case DeviceEnrolled() | KeyRenewed():
            return act.device in devices
        case OfficerAdded():
            return act.officer in people
        case Disclosed() | RetentionReviewed():
            return act.record == record
        case _:
            return False


def _versions(account: Account) -> dict[RecordId, Seq]:
    return {state.id: state.version for state in (account.state, *account.items.values())}
