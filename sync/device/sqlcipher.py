"""`SqlTables`: the replica's tables in one SQLCipher database, whose bodies rest under the keys of single records.

The format of the database and its upgrades are in `sync.device.layout`, the keys in `sync.device.ring`. Everything here
runs on the one thread that owns the connection, inside a transaction that its caller opened (`sync.device.database`).
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas.errors import ReplicaError
from schemas.ids import Generation, OpNumber, RecordId, ScopeName, Seq
from sync.device.layout import IS_PENDING, SHUT, Found, Sql, change_ring, make_tables, stored_ring
from sync.device.ring import Ring, new_record_key, nonces, op_place, pack_op, row_place, seal, unpack_op, unseal
from sync.outbox import PENDING, OpState, Untaken
from sync.replica.tables import PlacedRow, StoredOp, StoredPosition

__all__ = ["Found", "Sql", "SqlTables", "make_tables"]

PENDING_KEPT_MAX: Final = 32
"""Records whose pending ops are remembered, opened: of one record there may be hundreds."""
_ROW_PUT: Final = """
INSERT INTO row VALUES (?, ?, ?, ?)
ON CONFLICT (record) DO UPDATE SET kind = excluded.kind, version = excluded.version, body = excluded.body
"""
_RECORDS_OF_KIND: Final = f"""
SELECT record FROM row WHERE kind = ?1
UNION SELECT record FROM op WHERE kind = ?1 AND {IS_PENDING}
ORDER BY record
"""  # noqa: S608  every part is a constant of the program
_KIND_PENDING: Final = f"SELECT kind FROM op INDEXED BY op_pending WHERE record = ? AND {IS_PENDING} LIMIT 1"  # noqa: S608  as above
_ROW_VERSIONS: Final = "SELECT record, version FROM row WHERE record IN (SELECT value FROM json_each(?))"
_MEMBERS_AMONG: Final = (
    "SELECT record, version FROM member WHERE scope = ? AND record IN (SELECT value FROM json_each(?))"
)
_MEMBER_PUT: Final = (
    "INSERT INTO member VALUES (?, ?, ?) ON CONFLICT (scope, record) DO UPDATE SET version = excluded.version"
)
_KEYS: Final = "SELECT record, wrapped FROM record_key WHERE record IN (SELECT value FROM json_each(?))"
_MEMBERS: Final = "SELECT record, version FROM member WHERE scope = ? AND record > ? ORDER BY record"
_MEMBERS_UPTO: Final = (
    "SELECT record, version FROM member WHERE scope = ? AND record > ? AND record <= ? ORDER BY record"
)
_POSITIONS: Final = "SELECT scope, gen, seq, after, digest, count FROM position"
_POSITION: Final = "SELECT gen, seq, after, digest, count FROM position WHERE scope = ?"
_OP_COLUMNS: Final = "n, op.record, kind, state, body, seq, scopes, code, detail, became, why, untaken, wrapped"
_ITS_KEY: Final = "LEFT JOIN record_key ON record_key.record = op.record"
_OPS: Final = f"SELECT {_OP_COLUMNS} FROM op {_ITS_KEY}"  # noqa: S608  as above
_OP: Final = f"{_OPS} WHERE n = ?"
_OPS_PENDING: Final = f"""
SELECT {_OP_COLUMNS} FROM op INDEXED BY op_pending {_ITS_KEY} WHERE op.record = ? AND {IS_PENDING} ORDER BY n
"""  # noqa: S608  as above
_OPS_OF: Final = f"{_OPS} WHERE op.record = ? ORDER BY n"
_OPS_IN_STATE: Final = f"{_OPS} WHERE state = ? AND n > ? ORDER BY n LIMIT ?"
_OPS_READABLE: Final = """
SELECT n, body FROM op WHERE record = ? AND body <> x'' AND state NOT IN ('sealed', 'quarantined', 'erased')
"""
_ROW: Final = "SELECT body, wrapped FROM row JOIN record_key ON record_key.record = row.record WHERE row.record = ?"
_OP_PUT: Final = """
INSERT OR REPLACE INTO op (n, record, kind, state, body, seq, scopes, code, detail, became, why, untaken)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class SqlTables:
    """Adapter of `sync.replica.tables.Tables`.

    Attributes:
        kinds: kind of every record whose row was put or dropped since it was last cleared. Whoever opens a transaction
            clears it: that is how a listener learns what kind of record has just left the replica.
    """

    def __init__(self, connection: Sql, ring: Ring | None = None) -> None:
        """Bind to a connection of `sqlcipher3` whose database has these tables; use it on that connection's thread.

        Args:
            connection: the connection.
            ring: what the records' keys are wrapped under; by default the one that the database holds itself.
        """
        self._connection = connection
        self._execute = connection.execute
        self._own_ring = ring
        self.kinds: dict[RecordId, str] = {}
        self._pending: OrderedDict[RecordId, list[StoredOp]] = OrderedDict()
        """Pending ops of the records that are worked on, as they are in the database."""

    def undone(self) -> None:
        """A transaction was undone: what is remembered of the database may not be so. On the connection's thread."""
        self._pending.clear()

    def _one(self, sql: str, *values: object) -> Any:  # noqa: ANN401  what the statement selects
        """The single column of the single row that is found, or None."""
        found = self._execute(sql, values).fetchone()
        return None if found is None else found[0]

    def meta(self, key: str) -> bytes | None:
        """See `Tables`."""
        value: bytes | None = self._one("SELECT value FROM meta WHERE key = ?", key)
        return value

    def set_meta(self, key: str, value: bytes) -> None:
        """See `Tables`."""
        self._execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
        )

    # --- keys --------------------------------------------------------------------------------------------------------

    def use_ring(self, ring: Ring) -> None:
        """Wrap and unwrap under this ring from now on: the database is under it."""
        self._own_ring = ring

    def _ring(self) -> Ring:
        if self._own_ring is None:
            self._own_ring = stored_ring(self._connection)
        return self._own_ring

    def rotate_ring(self, new: Ring) -> int:
        """Put the keys of all records that are left under a new ring key.

        It is a transaction of its own: only when that is on disk, `use_ring(new)` is to be called.

        Returns:
            How many records' keys there are.

        Raises:
            ReplicaError: a record's key is damaged.
        """
        return change_ring(self._connection, self._ring(), new)

    def ring_due(self) -> bool:
        """Whether a record's key was dropped since the ring key was last a new one."""
        return bool(self._one("SELECT due FROM ring"))

    def _key(self, record: RecordId) -> bytes:
        """The record's key; made when it has none yet."""
        wrapped = self._one("SELECT wrapped FROM record_key WHERE record = ?", record)
        if wrapped is not None:
            return self._ring().unwrap(record, wrapped)
        key = new_record_key()
        self._execute("INSERT INTO record_key VALUES (?, ?)", (record, self._ring().wrap(record, key)))
        return key

    def _keys(self, records: Sequence[RecordId]) -> dict[RecordId, bytes]:
        """The keys of many records; made for those that have none yet."""
        ring = self._ring()
        found = self._execute(_KEYS, (_listed(records),)).fetchall()
        keys = {record: ring.unwrap(record, wrapped) for record, wrapped in found}
        new = {record: new_record_key() for record in records if record not in keys}
        self._connection.executemany(
            "INSERT INTO record_key VALUES (?, ?)",
            [
                (record, ring.wrap(record, key, nonce))
                for (record, key), nonce in zip(new.items(), nonces(len(new)), strict=True)
            ],
        )
        return keys | new

    def _drop_key(self, record: RecordId) -> None:
        """Let go of the key that what has just left was sealed under; what is left of the record gets another."""
        wrapped = self._one("SELECT wrapped FROM record_key WHERE record = ?", record)
        if wrapped is None:
            return
        left = self._execute(_OPS_READABLE, (record,)).fetchall()
        self._execute("DELETE FROM record_key WHERE record = ?", (record,))
        if left:
            old, new = self._ring().unwrap(record, wrapped), self._key(record)
            for n, body in left:
                place = op_place(record, n)
                self._execute("UPDATE op SET body = ? WHERE n = ?", (seal(new, unseal(old, body, place), place), n))
        self._execute("UPDATE ring SET due = 1 WHERE due = 0")

    # --- rows --------------------------------------------------------------------------------------------------------

    def row(self, record: RecordId) -> bytes | None:
        """See `Tables`."""
        found = self._execute(_ROW, (record,)).fetchone()
        return None if found is None else unseal(self._ring().unwrap(record, found[1]), found[0], row_place(record))

    def put_row(self, record: RecordId, kind: str, version: Seq, body: bytes) -> None:
        """See `Tables`."""
        sealed = seal(self._key(record), body, row_place(record))
        self._execute(_ROW_PUT, (record, kind, version, sealed))
        self.kinds[record] = kind

    def put_rows(self, rows: Sequence[PlacedRow]) -> None:
        """See `Tables`."""
        keys = self._keys([row.record for row in rows])
        self._connection.executemany(
            _ROW_PUT,
            [
                (row.record, row.kind, row.version, seal(keys[row.record], row.body, row_place(row.record), nonce))
                for row, nonce in zip(rows, nonces(len(rows)), strict=True)
            ],
        )
        self.kinds.update((row.record, row.kind) for row in rows)

    def drop_row(self, record: RecordId) -> None:
        """See `Tables`. The key that the row was sealed under goes with it."""
        kind = self._one("SELECT kind FROM row WHERE record = ?", record)
        if kind is not None:
            self._execute("DELETE FROM row WHERE record = ?", (record,))
            self._drop_key(record)
            self.kinds[record] = kind

    def row_version(self, record: RecordId) -> Seq | None:
        """See `Tables`."""
        version: Seq | None = self._one("SELECT version FROM row WHERE record = ?", record)
        return version

    def row_versions(self, records: Sequence[RecordId]) -> dict[RecordId, Seq]:
        """See `Tables`."""
        return dict(self._execute(_ROW_VERSIONS, (_listed(records),)).fetchall())

    def records_of_kind(self, kind: str) -> list[RecordId]:
        """See `Tables`."""
        return [record for (record,) in self._execute(_RECORDS_OF_KIND, (kind,)).fetchall()]

    def kind_of(self, record: RecordId) -> str | None:
        """The kind of a record that has a row or a pending op."""
        kind: str | None = self._one("SELECT kind FROM row WHERE record = ?", record) or self._one(
            _KIND_PENDING, record
        )
        return kind

    def member(self, scope: ScopeName, record: RecordId) -> Seq | None:
        """See `Tables`."""
        version: Seq | None = self._one("SELECT version FROM member WHERE scope = ? AND record = ?", scope, record)
        return version

    def members_among(self, scope: ScopeName, records: Sequence[RecordId]) -> dict[RecordId, Seq]:
        """See `Tables`."""
        return dict(self._execute(_MEMBERS_AMONG, (scope, _listed(records))).fetchall())

    def put_members(self, scope: ScopeName, members: Sequence[tuple[RecordId, Seq]]) -> None:
        """See `Tables`."""
        self._connection.executemany(_MEMBER_PUT, [(scope, record, version) for record, version in members])

    def drop_member(self, scope: ScopeName, record: RecordId) -> None:
        """See `Tables`."""
        self._execute("DELETE FROM member WHERE scope = ? AND record = ?", (scope, record))

    def members(self, scope: ScopeName, after: str, upto: str) -> list[tuple[RecordId, Seq]]:
        """See `Tables`."""
        found = self._execute(_MEMBERS_UPTO, (scope, after, upto)) if upto else self._execute(_MEMBERS, (scope, after))
        return found.fetchall()

    def is_member_of_any(self, record: RecordId) -> bool:
        """See `Tables`."""
        return self._one("SELECT 1 FROM member WHERE record = ? LIMIT 1", record) is not None

    def positions(self) -> dict[ScopeName, StoredPosition]:
        """See `Tables`."""
        return {scope: _position(*columns) for scope, *columns in self._execute(_POSITIONS).fetchall()}

    def position(self, scope: ScopeName) -> StoredPosition | None:
        """See `Tables`."""
        found = self._execute(_POSITION, (scope,)).fetchone()
        return None if found is None else _position(*found)

    def put_position(self, scope: ScopeName, position: StoredPosition) -> None:
        """See `Tables`."""
        self._execute(
            "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?, ?)",
            (scope, position.gen, position.seq, position.after, position.digest, position.count),
        )

    def drop_position(self, scope: ScopeName) -> None:
        """See `Tables`."""
        self._execute("DELETE FROM position WHERE scope = ?", (scope,))

    # --- ops ---------------------------------------------------------------------------------------------------------

    def op(self, n: OpNumber) -> StoredOp | None:
        """See `Tables`."""
        found = self._execute(_OP, (n,)).fetchone()
        return None if found is None else self._op(*found)

    def put_op(self, op: StoredOp) -> None:
        """See `Tables`. A body that is sealed to the server, or destroyed, is kept as it is, under no key of ours."""
        readable = op.state.value not in SHUT and op.body != b""
        body, detail, why = op.body, op.detail, op.why
        if readable:
            body = seal(self._key(op.record), pack_op(body, detail, why), op_place(op.record, op.n))
            detail = why = ""
        self._execute(
            _OP_PUT,
            (
                op.n, op.record, op.kind, op.state.value, body, op.seq, " ".join(op.scopes), op.code, detail,
                op.became, why, op.untaken.value,
            ),
        )  # fmt: skip
        if not readable and self.row_version(op.record) is None:
            self._drop_key(op.record)
        known = self._pending.get(op.record)
        if known is not None and op.state in PENDING and (not known or known[-1].n < op.n):
            # The usual case by far: one more edit of what is worked on.
            known.append(op)
        elif known is not None:
            del self._pending[op.record]

    def _op(self, *columns: Any) -> StoredOp:  # noqa: ANN401  the columns of the statements above
        n, record, kind, state, body, seq, scopes, code, detail, became, why, untaken, wrapped = columns
        if state not in SHUT and body != b"":
            if wrapped is None:
                raise ReplicaError(f"the key of record {record} is gone, and op {n} is still under it")
            body, detail, why = unpack_op(unseal(self._ring().unwrap(record, wrapped), body, op_place(record, n)))
        return StoredOp(
            n=n,
            record=record,
            kind=kind,
            state=OpState(state),
            body=body,
            seq=seq,
            scopes=tuple(ScopeName(scope) for scope in scopes.split()),
            code=code,
            detail=detail,
            became=became,
            why=why,
            untaken=Untaken(untaken),
        )

    def pending_ops(self, record: RecordId) -> list[StoredOp]:
        """See `Tables`."""
        known = self._pending.get(record)
        if known is None:
            known = [self._op(*columns) for columns in self._execute(_OPS_PENDING, (record,)).fetchall()]
            self._pending[record] = known
            if len(self._pending) > PENDING_KEPT_MAX:
                self._pending.popitem(last=False)
        else:
            self._ring().require_open()
            self._pending.move_to_end(record)
        return list(known)

    def ops_of(self, record: RecordId) -> list[StoredOp]:
        """See `Tables`."""
        return [self._op(*columns) for columns in self._execute(_OPS_OF, (record,)).fetchall()]

    def ops_in(self, states: Iterable[OpState], after: OpNumber, limit: int) -> list[StoredOp]:
        """See `Tables`."""
        found = [
            columns
            for state in set(states)
            for columns in self._execute(_OPS_IN_STATE, (state.value, after, limit)).fetchall()
        ]
        return [self._op(*columns) for columns in sorted(found)[:limit]]

    def count_ops(self, state: OpState) -> int:
        """See `Tables`."""
        count: int = self._one("SELECT count(*) FROM op WHERE state = ?", state.value)
        return count

    # --- what waits for the server beside the ops --------------------------------------------------------------------

    def put_reading(self, n: int, body: bytes) -> None:
        """See `Tables`."""
        self._execute("INSERT INTO reading VALUES (?, ?)", (n, body))

    def readings(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """See `Tables`."""
        sql = "SELECT n, body FROM reading WHERE n > ? ORDER BY n LIMIT ?"
        return self._execute(sql, (after, limit)).fetchall()

    def drop_readings(self, upto: int) -> None:
        """See `Tables`."""
        self._execute("DELETE FROM reading WHERE n <= ?", (upto,))

    def put_sealed(self, n: int, body: bytes) -> None:
        """Keep item `n` of what is sealed to the server and waits to be handed over."""
        self._execute("INSERT INTO sealed VALUES (?, ?)", (n, body))

    def sealed(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """(number, body) of what is sealed to the server, with numbers above `after`, in order."""
        return self._execute("SELECT n, body FROM sealed WHERE n > ? ORDER BY n LIMIT ?", (after, limit)).fetchall()

    def drop_sealed(self, n: int) -> None:
        """Forget the item: the server has it."""
        self._execute("DELETE FROM sealed WHERE n = ?", (n,))


def _position(gen: int, seq: int, after: str | None, digest: bytes, count: int) -> StoredPosition:
    return StoredPosition(gen=Generation(gen), seq=Seq(seq), after=after, digest=digest, count=count)


def _listed(records: Sequence[RecordId]) -> str:
    """Records as the statements above take many of them: a JSON array.

    With a placeholder for each there would be a statement for each number of them, prepared anew.
    """
    return msgspec.json.encode(records).decode()
