"""The port under the replica: six small tables, and an adapter that keeps them in memory.

Calls are synchronous, because a transaction of the replica is one call on the thread that owns the database. Whoever
calls opens and ends the transaction; a failed one must leave no trace.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from schemas.ids import Generation, OpNumber, RecordId, ScopeName, Seq
from sync.outbox import PENDING, OpState, Untaken


class StoredOp(msgspec.Struct, frozen=True, kw_only=True):
    """An op of this device as it is kept.

    Attributes:
        n, record, kind: as in the op.
        state: where it stands.
        body: the op's bytes, as they are pushed; of an op that is sealed or quarantined: those bytes, sealed to the
            server; b"" where they were destroyed.
        seq: the commit, once it is durable; else 0.
        scopes: of a durable op: those in which its row may still come.
        code, detail: why it is held, or was before it was mended or withdrawn; or why it waits.
        became: number of the op that stands in its place, once it was mended or issued again; else 0.
        why: what its author said when they mended or withdrew it, or "".
        untaken: whether it is laid over rows that count later ops of this device.
    """

    n: OpNumber
    record: RecordId
    kind: str
    state: OpState
    body: bytes
    seq: Seq = Seq(0)
    scopes: tuple[ScopeName, ...] = ()
    code: str = ""
    detail: str = ""
    became: OpNumber = OpNumber(0)
    why: str = ""
    untaken: Untaken = Untaken.NO


class StoredPosition(msgspec.Struct, frozen=True, kw_only=True):
    """Where the replica stands in one scope.

    Attributes:
        gen, seq: as on the wire (`schemas.wire.Position`).
        after: last record id of an unfinished snapshot; None when none is open.
        digest: kept incrementally over the scope's members.
        count: members of the scope.
    """

    gen: Generation
    seq: Seq
    after: str | None
    digest: bytes
    count: int


class PlacedRow(msgspec.Struct, frozen=True):
    """A row to be kept.

    Attributes:
        record, kind: whose it is.
        version: seq of the commit that wrote it.
        body: the row, as MessagePack.
    """

    record: RecordId
    kind: str
    version: Seq
    body: bytes


class Tables(Protocol):
    """What the replica keeps. Ids sort as text, by code point."""

    def meta(self, key: str) -> bytes | None:
        """A single value by name."""

    def set_meta(self, key: str, value: bytes) -> None:
        """Set it."""

    def row(self, record: RecordId) -> bytes | None:
        """The record's row, as MessagePack."""

    def put_row(self, record: RecordId, kind: str, version: Seq, body: bytes) -> None:
        """Keep or replace a row."""

    def put_rows(self, rows: Sequence[PlacedRow]) -> None:
        """Keep or replace many rows at once, each record once."""

    def drop_row(self, record: RecordId) -> None:
        """Forget a row."""

    def row_version(self, record: RecordId) -> Seq | None:
        """The version of the row that is kept."""

    def row_versions(self, records: Sequence[RecordId]) -> dict[RecordId, Seq]:
        """The same of many records; those without a row are left out."""

    def records_of_kind(self, kind: str) -> list[RecordId]:
        """Records of a kind that have a row or a pending op, in order of id."""

    def member(self, scope: ScopeName, record: RecordId) -> Seq | None:
        """The version in which the scope last told of the record, or None when it is not in the scope."""

    def members_among(self, scope: ScopeName, records: Sequence[RecordId]) -> dict[RecordId, Seq]:
        """The same of many records; those that are not in the scope are left out."""

    def put_members(self, scope: ScopeName, members: Sequence[tuple[RecordId, Seq]]) -> None:
        """Keep or replace memberships: (record, version), each record once."""

    def drop_member(self, scope: ScopeName, record: RecordId) -> None:
        """Forget a membership."""

    def members(self, scope: ScopeName, after: str, upto: str) -> list[tuple[RecordId, Seq]]:
        """The scope's (record, version) pairs with after < id <= upto, in order of id; upto "" has no end."""

    def is_member_of_any(self, record: RecordId) -> bool:
        """Whether any scope holds the record."""

    def positions(self) -> dict[ScopeName, StoredPosition]:
        """Every position."""

    def position(self, scope: ScopeName) -> StoredPosition | None:
        """One position."""

    def put_position(self, scope: ScopeName, position: StoredPosition) -> None:
        """Keep or replace a position."""

    def drop_position(self, scope: ScopeName) -> None:
        """Forget a position."""

    def op(self, n: OpNumber) -> StoredOp | None:
        """One op."""

    def put_op(self, op: StoredOp) -> None:
        """Keep or replace an op."""

    def pending_ops(self, record: RecordId) -> list[StoredOp]:
        """The record's ops in the states `sync.outbox.PENDING`, in order of number."""

    def ops_of(self, record: RecordId) -> list[StoredOp]:
        """All ops of a record, in order of number."""

    def ops_in(self, states: Iterable[OpState], after: OpNumber, limit: int) -> list[StoredOp]:
        """Ops in one of these states with a number above `after`, in order of number."""

    def count_ops(self, state: OpState) -> int:
        """How many ops are in that state."""

    def put_reading(self, n: int, body: bytes) -> None:
        """Keep entry `n` of the read log."""

    def readings(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """(number, body) of the read log's entries with numbers above `after`, in order."""

    def drop_readings(self, upto: int) -> None:
        """Forget the read log's entries up to and with that number."""


class MemoryTables:
    """Tables in memory, for tests, load and simulation. `checkpoint` and `restore` stand for a transaction."""

    def __init__(self) -> None:
        """Start empty."""
        self._meta: dict[str, bytes] = {}
        self._rows: dict[RecordId, tuple[str, Seq, bytes]] = {}
        self._members: dict[ScopeName, dict[RecordId, Seq]] = {}
        self._positions: dict[ScopeName, StoredPosition] = {}
        self._ops: dict[OpNumber, StoredOp] = {}
        self._readings: dict[int, bytes] = {}

    def checkpoint(self) -> "MemoryTables":
        """A copy to go back to."""
        other = MemoryTables()
        other.restore(self)
        return other

    def restore(self, saved: "MemoryTables") -> None:
        """Become what `saved` is."""
        self._meta = dict(saved._meta)
        self._rows = dict(saved._rows)
        self._members = copy.deepcopy(saved._members)
        self._positions = dict(saved._positions)
        self._ops = dict(saved._ops)
        self._readings = dict(saved._readings)

    def meta(self, key: str) -> bytes | None:
        """See `Tables`."""
        return self._meta.get(key)

    def set_meta(self, key: str, value: bytes) -> None:
        """See `Tables`."""
        self._meta[key] = value

    def row(self, record: RecordId) -> bytes | None:
        """See `Tables`."""
        kept = self._rows.get(record)
        return None if kept is None else kept[2]

    def put_row(self, record: RecordId, kind: str, version: Seq, body: bytes) -> None:
        """See `Tables`."""
        self._rows[record] = (kind, version, body)

    def put_rows(self, rows: Sequence[PlacedRow]) -> None:
        """See `Tables`."""
        for row in rows:
            self.put_row(row.record, row.kind, row.version, row.body)

    def drop_row(self, record: RecordId) -> None:
        """See `Tables`."""
        self._rows.pop(record, None)

    def row_version(self, record: RecordId) -> Seq | None:
        """See `Tables`."""
        kept = self._rows.get(record)
        return None if kept is None else kept[1]

    def row_versions(self, records: Sequence[RecordId]) -> dict[RecordId, Seq]:
        """See `Tables`."""
        return {record: self._rows[record][1] for record in records if record in self._rows}

    def records_of_kind(self, kind: str) -> list[RecordId]:
        """See `Tables`."""
        rows = {record for record, kept in self._rows.items() if kept[0] == kind}
        pending = {op.record for op in self._ops.values() if op.kind == kind and op.state in PENDING}
        return sorted(rows | pending)

    def member(self, scope: ScopeName, record: RecordId) -> Seq | None:
        """See `Tables`."""
        return self._members.get(scope, {}).get(record)

    def members_among(self, scope: ScopeName, records: Sequence[RecordId]) -> dict[RecordId, Seq]:
        """See `Tables`."""
        held = self._members.get(scope, {})
        return {record: held[record] for record in records if record in held}

    def put_members(self, scope: ScopeName, members: Sequence[tuple[RecordId, Seq]]) -> None:
        """See `Tables`."""
        self._members.setdefault(scope, {}).update(members)

    def drop_member(self, scope: ScopeName, record: RecordId) -> None:
        """See `Tables`."""
        self._members.get(scope, {}).pop(record, None)

    def members(self, scope: ScopeName, after: str, upto: str) -> list[tuple[RecordId, Seq]]:
        """See `Tables`."""
        held = self._members.get(scope, {})
        return sorted(
            (record, seq) for record, seq in held.items() if record > after and (upto == "" or record <= upto)
        )

    def is_member_of_any(self, record: RecordId) -> bool:
        """See `Tables`."""
        return any(record in held for held in self._members.values())

    def positions(self) -> dict[ScopeName, StoredPosition]:
        """See `Tables`."""
        return dict(self._positions)

    def position(self, scope: ScopeName) -> StoredPosition | None:
        """See `Tables`."""
        return self._positions.get(scope)

    def put_position(self, scope: ScopeName, position: StoredPosition) -> None:
        """See `Tables`."""
        self._positions[scope] = position

    def drop_position(self, scope: ScopeName) -> None:
        """See `Tables`."""
        self._positions.pop(scope, None)

    def op(self, n: OpNumber) -> StoredOp | None:
        """See `Tables`."""
        return self._ops.get(n)

    def put_op(self, op: StoredOp) -> None:
        """See `Tables`."""
        self._ops[op.n] = op

    def pending_ops(self, record: RecordId) -> list[StoredOp]:
        """See `Tables`."""
        found = [op for op in self._ops.values() if op.record == record and op.state in PENDING]
        return sorted(found, key=lambda op: op.n)

    def ops_of(self, record: RecordId) -> list[StoredOp]:
        """See `Tables`."""
        return sorted((op for op in self._ops.values() if op.record == record), key=lambda op: op.n)

    def ops_in(self, states: Iterable[OpState], after: OpNumber, limit: int) -> list[StoredOp]:
        """See `Tables`."""
        wanted = frozenset(states)
        found = sorted((op for op in self._ops.values() if op.state in wanted and op.n > after), key=lambda op: op.n)
        return found[:limit]

    def count_ops(self, state: OpState) -> int:
        """See `Tables`."""
        return sum(op.state is state for op in self._ops.values())

    def put_reading(self, n: int, body: bytes) -> None:
        """See `Tables`."""
        self._readings[n] = body

    def readings(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """See `Tables`."""
        return sorted((n, body) for n, body in self._readings.items() if n > after)[:limit]

    def drop_readings(self, upto: int) -> None:
        """See `Tables`."""
        self._readings = {n: body for n, body in self._readings.items() if n > upto}
