"""`SqlTables`: the replica's tables in one SQLCipher database, and the format of that database.

Everything here runs on the one thread that owns the connection, inside a transaction that its caller opened
(`sync.device.database`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from schemas.errors import ReplicaError
from schemas.ids import Generation, OpNumber, RecordId, ScopeName, Seq
from sync.outbox import PENDING, OpState, Untaken
from sync.replica.tables import StoredOp, StoredPosition

FORMAT: Final = 4
"""Version of the tables below, kept in the database's `user_version`. The key check beside it says with which version
it was made. A replica of an earlier version is brought up to this one when it is opened (`upgrade_tables`)."""

_PENDING: Final = "state NOT IN ('settled', 'mended', 'withdrawn', 'reissued', 'sealed', 'quarantined')"
"""The ops of `sync.outbox.PENDING`. The others are kept for ever, are most of the table, and are rarely asked for by
record: two indexes leave them out. An index serves a statement that has these very words."""
_OP_INDEXES: Final = f"""
CREATE INDEX op_pending ON op (record, n) WHERE {_PENDING};
CREATE INDEX op_pending_by_kind ON op (kind, record) WHERE {_PENDING};
"""
_READING: Final = "CREATE TABLE reading (n INTEGER PRIMARY KEY, body BLOB NOT NULL)"
_SCHEMA: Final = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE row (record TEXT PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX row_by_kind ON row (kind, record);
CREATE TABLE member (
    scope TEXT, record TEXT, version INTEGER NOT NULL,
    PRIMARY KEY (scope, record)
) WITHOUT ROWID;
CREATE INDEX member_by_record ON member (record);
CREATE TABLE position (
    scope TEXT PRIMARY KEY, gen INTEGER NOT NULL, seq INTEGER NOT NULL, after TEXT,
    digest BLOB NOT NULL, count INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE op (
    n INTEGER PRIMARY KEY, record TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
    body BLOB NOT NULL, seq INTEGER NOT NULL, scopes TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL,
    became INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '', untaken TEXT NOT NULL DEFAULT ''
);
CREATE INDEX op_by_state ON op (state, n);
{_READING};
{_OP_INDEXES}
"""
_UPGRADES: Final = {
    # 2: ops that were mended, withdrawn or issued again.
    2: f"""
ALTER TABLE op ADD COLUMN became INTEGER NOT NULL DEFAULT 0;
ALTER TABLE op ADD COLUMN why TEXT NOT NULL DEFAULT '';
DROP INDEX op_pending;
DROP INDEX op_pending_by_kind;
{_OP_INDEXES}
""",
    # 3: ops that are sealed to the server, and the read log.
    3: f"""
{_READING};
DROP INDEX op_pending;
DROP INDEX op_pending_by_kind;
{_OP_INDEXES}
""",
    # 4: ops that a row does not hold, whatever it counts. Until then the state alone said so.
    4: """
ALTER TABLE op ADD COLUMN untaken TEXT NOT NULL DEFAULT '';
UPDATE op SET untaken = 'ever' WHERE state IN ('waiting', 'held');
""",
}
"""Version -> what leads there from the one before."""
_ROW_PUT: Final = """
INSERT INTO row VALUES (?, ?, ?, ?)
ON CONFLICT (record) DO UPDATE SET kind = excluded.kind, version = excluded.version, body = excluded.body
"""
_RECORDS_OF_KIND: Final = f"""
SELECT record FROM row WHERE kind = ?1
UNION SELECT record FROM op WHERE kind = ?1 AND {_PENDING}
ORDER BY record
"""  # noqa: S608  every part is a constant of this module
_KIND_PENDING: Final = f"SELECT kind FROM op WHERE record = ? AND {_PENDING} LIMIT 1"  # noqa: S608  as above
_MEMBERS: Final = "SELECT record, version FROM member WHERE scope = ? AND record > ? ORDER BY record"
_MEMBERS_UPTO: Final = (
    "SELECT record, version FROM member WHERE scope = ? AND record > ? AND record <= ? ORDER BY record"
)
_POSITIONS: Final = "SELECT scope, gen, seq, after, digest, count FROM position"
_POSITION: Final = "SELECT gen, seq, after, digest, count FROM position WHERE scope = ?"
_OP: Final = "SELECT n, record, kind, state, body, seq, scopes, code, detail, became, why, untaken FROM op WHERE n = ?"
_OPS_PENDING: Final = f"""
SELECT n, record, kind, state, body, seq, scopes, code, detail, became, why, untaken FROM op
WHERE record = ? AND {_PENDING} ORDER BY n
"""  # noqa: S608  as above
_OPS_OF: Final = """
SELECT n, record, kind, state, body, seq, scopes, code, detail, became, why, untaken FROM op WHERE record = ? ORDER BY n
"""
_OPS_IN_STATE: Final = """
SELECT n, record, kind, state, body, seq, scopes, code, detail, became, why, untaken FROM op
WHERE state = ? AND n > ? ORDER BY n LIMIT ?
"""
_OP_PUT: Final = """
INSERT OR REPLACE INTO op (n, record, kind, state, body, seq, scopes, code, detail, became, why, untaken)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Found(Protocol):
    """What a statement found (`sqlcipher3.dbapi2.Cursor`; the library ships no types)."""

    def fetchone(self) -> Any:  # noqa: ANN401  a row, whose columns only the statement knows
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rest of the rows."""


class Sql(Protocol):
    """The parts of a `sqlcipher3.dbapi2.Connection` that are used."""

    in_transaction: bool

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Found:
        """Run one statement."""

    def close(self) -> None:
        """Close the connection."""


def make_tables(connection: Sql) -> None:
    """Lay out an empty database. The caller's transaction makes it all or nothing."""
    _run(connection, _SCHEMA, FORMAT)


def upgrade_tables(connection: Sql, found: int) -> None:
    """Bring a database of version `found` up to this program's. The caller's transaction makes it all or nothing."""
    for version in range(found + 1, FORMAT + 1):
        _run(connection, _UPGRADES[version], version)


def _run(connection: Sql, statements: str, version: int) -> None:
    # One by one: executescript would commit that transaction first.
    for statement in statements.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")


def check_format(found: int, where: str) -> None:
    """Accept a replica of this program's format.

    Raises:
        ReplicaError: it was written by a newer program.
    """
    if found > FORMAT:
        raise ReplicaError(
            f"the replica in {where} has format {found}, from a newer program; this one knows up to {FORMAT}. "
            "Nothing was touched: update this program"
        )


class SqlTables:
    """Adapter of `sync.replica.tables.Tables`.

    Attributes:
        kinds: kind of every record whose row was put or dropped since it was last cleared. Whoever opens a transaction
            clears it: that is how a listener learns what kind of record has just left the replica.
    """

    def __init__(self, connection: Sql) -> None:
        """Bind to a connection of `sqlcipher3` whose database has these tables; use it on that connection's thread."""
        self._execute = connection.execute
        self.kinds: dict[RecordId, str] = {}

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

    def row(self, record: RecordId) -> bytes | None:
        """See `Tables`."""
        body: bytes | None = self._one("SELECT body FROM row WHERE record = ?", record)
        return body

    def put_row(self, record: RecordId, kind: str, version: Seq, body: bytes) -> None:
        """See `Tables`."""
        self._execute(_ROW_PUT, (record, kind, version, body))
        self.kinds[record] = kind

    def drop_row(self, record: RecordId) -> None:
        """See `Tables`."""
        kind = self._one("SELECT kind FROM row WHERE record = ?", record)
        if kind is not None:
            self._execute("DELETE FROM row WHERE record = ?", (record,))
            self.kinds[record] = kind

    def row_version(self, record: RecordId) -> Seq | None:
        """See `Tables`."""
        version: Seq | None = self._one("SELECT version FROM row WHERE record = ?", record)
        return version

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

    def put_member(self, scope: ScopeName, record: RecordId, version: Seq) -> None:
        """See `Tables`."""
        self._execute(
            "INSERT INTO member VALUES (?, ?, ?) ON CONFLICT (scope, record) DO UPDATE SET version = excluded.version",
            (scope, record, version),
        )

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

    def op(self, n: OpNumber) -> StoredOp | None:
        """See `Tables`."""
        found = self._execute(_OP, (n,)).fetchone()
        return None if found is None else _op(*found)

    def put_op(self, op: StoredOp) -> None:
        """See `Tables`."""
        self._execute(
            _OP_PUT,
            (
                op.n, op.record, op.kind, op.state.value, op.body, op.seq, " ".join(op.scopes), op.code, op.detail,
                op.became, op.why, op.untaken.value,
            ),
        )  # fmt: skip

    def pending_ops(self, record: RecordId) -> list[StoredOp]:
        """See `Tables`."""
        return [_op(*columns) for columns in self._execute(_OPS_PENDING, (record,)).fetchall()]

    def ops_of(self, record: RecordId) -> list[StoredOp]:
        """See `Tables`."""
        return [_op(*columns) for columns in self._execute(_OPS_OF, (record,)).fetchall()]

    def ops_in(self, states: Iterable[OpState], after: OpNumber, limit: int) -> list[StoredOp]:
        """See `Tables`."""
        found = [
            columns
            for state in set(states)
            for columns in self._execute(_OPS_IN_STATE, (state.value, after, limit)).fetchall()
        ]
        return [_op(*columns) for columns in sorted(found)[:limit]]

    def count_ops(self, state: OpState) -> int:
        """See `Tables`."""
        count: int = self._one("SELECT count(*) FROM op WHERE state = ?", state.value)
        return count

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


def _position(gen: int, seq: int, after: str | None, digest: bytes, count: int) -> StoredPosition:
    return StoredPosition(gen=Generation(gen), seq=Seq(seq), after=after, digest=digest, count=count)


def _op(*columns: Any) -> StoredOp:  # noqa: ANN401  the columns of the statements above
    n, record, kind, state, body, seq, scopes, code, detail, became, why, untaken = columns
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


if {state.value for state in frozenset(OpState) - PENDING} != set(_PENDING.split("'")[1::2]):
    raise TypeError("these statements and sync.outbox disagree about which ops are pending")
