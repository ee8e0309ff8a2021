"""The format of the replica's database: its tables, and how one that an earlier program laid out becomes this one's.

Everything here runs inside a transaction that its caller opened, on the thread that owns the connection.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from schemas.errors import ReplicaError
from sync.device.keys import KEY_BYTES, KeyHolder, RingHolder
from sync.device.ring import Ring, new_record_key, op_place, pack_op, row_place, seal
from sync.outbox import PENDING, OpState

FORMAT: Final = 6
"""Version of the tables below, kept in the database's `user_version`. The key check beside it says with which version
it was made. A replica of an earlier version is brought up to this one when it is opened (`upgrade_tables`)."""
SHUT: Final = ("sealed", "quarantined", "erased")
"""States of ops whose body is sealed to the server, or destroyed: no key of this device is around them."""
IS_PENDING: Final = "state NOT IN ('settled', 'mended', 'withdrawn', 'reissued', 'sealed', 'quarantined', 'erased')"
"""The ops of `sync.outbox.PENDING`. The others are kept for ever, are most of the table, and are rarely asked for by
record: two indexes leave them out. An index serves a statement that has these very words, so a new state of ops that is
not pending makes a new format."""

_OP_INDEXES: Final = f"""
CREATE INDEX op_pending ON op (record, n) WHERE {IS_PENDING};
CREATE INDEX op_pending_by_kind ON op (kind, record) WHERE {IS_PENDING};
"""
# Of an op, `body` is sealed with `detail` and `why` in it, whose columns are then empty.
_READING: Final = "CREATE TABLE reading (n INTEGER PRIMARY KEY, body BLOB NOT NULL)"
# The ring's one row: `held` is the ring key itself, where no `RingHolder` keeps it apart; else `known_by` tells which
# one it is (`Ring.check`). `due`: a record's key was dropped since the ring key was last a new one.
_SEALING: Final = """
CREATE TABLE ring (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), held BLOB, known_by BLOB, due INTEGER NOT NULL);
CREATE TABLE record_key (record TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE sealed (n INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE INDEX op_by_record ON op (record)
"""
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
{_OP_INDEXES};
{_SEALING}
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
    # 5: bodies sealed under the keys of single records.
    5: _SEALING,
    # 6: ops of records that were erased.
    6: f"""
DROP INDEX op_pending;
DROP INDEX op_pending_by_kind;
{_OP_INDEXES}
""",
}
"""Version -> what leads there from the one before."""


class Found(Protocol):
    """What a statement found (`sqlcipher3.dbapi2.Cursor`; the library ships no types)."""

    def fetchone(self) -> Any:  # noqa: ANN401  a row, whose columns only the statement knows
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rest of the rows."""


class Sql(Protocol):
    """The parts of a `sqlcipher3.dbapi2.Connection` that are used."""

    in_transaction: bool
    total_changes: int

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Found:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[object]]) -> object:
        """Run one statement once for each of these."""

    def close(self) -> None:
        """Close the connection."""


def make_tables(connection: Sql) -> None:
    """Lay out an empty database, with a ring key of its own. The caller's transaction makes it all or nothing."""
    _run(connection, _SCHEMA, FORMAT)
    _set_ring(connection, Ring(os.urandom(KEY_BYTES)), held=True)


def upgrade_tables(connection: Sql, found: int) -> None:
    """Bring a database of version `found` up to this program's. The caller's transaction makes it all or nothing."""
    for version in range(found + 1, FORMAT + 1):
        _run(connection, _UPGRADES[version], version)
        work = _UPGRADE_WORK.get(version)
        if work is not None:
            work(connection)


def _run(connection: Sql, statements: str, version: int) -> None:
    # One by one: executescript would commit that transaction first.
    for statement in statements.split(";"):
        connection.execute(statement.strip())
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


def _seal_bodies(connection: Sql) -> None:
    """Format 5: every body gets under the key of its record. What lay open before is overwritten (`secure_delete`)."""
    ring = Ring(os.urandom(KEY_BYTES))
    _set_ring(connection, ring, held=True)
    records = connection.execute("SELECT record FROM row UNION SELECT record FROM op").fetchall()
    for (record,) in records:
        key = new_record_key()
        connection.execute("INSERT INTO record_key VALUES (?, ?)", (record, ring.wrap(record, key)))
        for (body,) in connection.execute("SELECT body FROM row WHERE record = ?", (record,)).fetchall():
            sealed = seal(key, body, row_place(record))
            connection.execute("UPDATE row SET body = ? WHERE record = ?", (sealed, record))
        said = connection.execute("SELECT n, body, detail, why FROM op WHERE record = ?", (record,)).fetchall()
        for n, body, detail, why in said:
            sealed = seal(key, pack_op(body, detail, why), op_place(record, n))
            connection.execute("UPDATE op SET body = ?, detail = '', why = '' WHERE n = ?", (sealed, n))


_UPGRADE_WORK: Final[dict[int, Callable[[Sql], None]]] = {5: _seal_bodies}
"""Version -> what leads there beside the statements, after them."""


# --- the ring's key ---------------------------------------------------------------------------------------------------


def stored_ring(connection: Sql) -> Ring:
    """The ring of a database that holds its key itself.

    Raises:
        ReplicaError: it does not.
    """
    key, _ = _find_ring(connection)
    if key is None:
        raise ReplicaError(
            "this replica's records are under a ring key that is kept in the key slots: open it with PIN and share"
        )
    return Ring(key)


def open_ring(connection: Sql, keys: KeyHolder) -> Ring:
    """The ring that the database's record keys are under. Ends a change of it that was broken off.

    A database that held its ring key itself comes under the holder's, where there is one. The caller's transaction
    makes it all or nothing; when it is on disk, `RingHolder.ring_settled` is to be told.

    Raises:
        ReplicaError: the key holder does not have it.
    """
    if not isinstance(keys, RingHolder):
        return stored_ring(connection)
    rings = [Ring(key) for key in keys.ring_keys()]
    held, known_by = _find_ring(connection)
    if held is not None:
        rewrap(connection, Ring(held), rings[0])
        _set_ring(connection, rings[0], held=False)
        return rings[0]
    for ring in rings:
        if ring.check() == known_by:
            return ring
    raise ReplicaError(
        "this replica's records are under a ring key that is gone: the database was set back to an earlier copy. "
        "Nothing was touched: set the replica aside, and the next opening starts a new one"
    )


def change_ring(connection: Sql, old: Ring, new: Ring) -> int:
    """Put every record's key under a new ring key. The caller's transaction makes it all or nothing.

    Returns:
        How many records' keys there are.

    Raises:
        ReplicaError: one of them is damaged; nothing may be kept of the change then.
    """
    count = rewrap(connection, old, new)
    held, _ = _find_ring(connection)
    _set_ring(connection, new, held=held is not None)
    return count


def rewrap(connection: Sql, old: Ring, new: Ring) -> int:
    """Wrap every record's key anew; how many there are."""
    found = connection.execute("SELECT record, wrapped FROM record_key").fetchall()
    for record, wrapped in found:
        again = new.wrap(record, old.unwrap(record, wrapped))
        connection.execute("UPDATE record_key SET wrapped = ? WHERE record = ?", (again, record))
    return len(found)


def _find_ring(connection: Sql) -> tuple[bytes | None, bytes | None]:
    held, known_by = connection.execute("SELECT held, known_by FROM ring").fetchone()
    return held, known_by


def _set_ring(connection: Sql, ring: Ring, *, held: bool) -> None:
    columns = (ring.key(), None) if held else (None, ring.check())
    connection.execute("INSERT OR REPLACE INTO ring VALUES (1, ?, ?, 0)", columns)


if {state.value for state in frozenset(OpState) - PENDING} != set(IS_PENDING.split("'")[1::2]):
    raise TypeError("this format and sync.outbox disagree about which ops are pending: make a new format")
