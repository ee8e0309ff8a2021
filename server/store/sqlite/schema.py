"""The tables, how they came to be, and how their file is opened.

One connection writes and checkpoints. That is not only order: SQLite before 3.51.3 can corrupt a WAL when two or more
connections write or checkpoint (the WAL-reset bug), and most systems ship an older one. Readers are therefore opened
read-only with checkpoints off; closing one does not checkpoint either.
"""

import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from schemas.errors import StoreError
from server.store.masters import MasterKeys
from server.store.sqlite import log, sealing
from server.store.sqlite.trouble import store_errors

APPLICATION_ID: Final = 0x42656174
""""Beat" in the database's head: a file without it is not ours."""

SQLITE_MIN: Final = (3, 37, 0)
"""Oldest library that knows STRICT tables."""
WAL_RESET_FIXED: Final = (3, 51, 3)
"""First library in which more than one connection may write or checkpoint."""

CHECKED_BYTES_MAX: Final = 256 * 1024 * 1024
"""A database up to this size is read through when it is opened (under a second). Damage further in a larger one is met,
and refused, when it is read."""

BUSY_TIMEOUT_S: Final = 5.0
"""How long a connection waits for a lock. Only a start, an end and a foreign program ever make it wait."""

_CHECKPOINT_PAGES: Final = 4_000
"""WAL pages (16 MiB) after which the writer folds them into the database: fewer and larger, each page written once."""
_WAL_BYTES_KEPT: Final = 64 * 1024 * 1024
"""A WAL that grew beyond this behind a long read is cut back to it."""
_CACHE_KIB: Final = 64 * 1024

_FIRST: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
    # Bodies are too large for a table without rowid: its inner pages would hold them, and each search read them.
    """
    CREATE TABLE record (
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        version INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX record_by_kind ON record (kind, id)",
    # `place` is the order of commit, and makes an insert an append: by (device, n) alone, each op of a group would
    # dirty another page. `seq` is the last commit that changed a record when the op was kept.
    """
    CREATE TABLE op (
        place INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        n INTEGER NOT NULL,
        record TEXT NOT NULL,
        seq INTEGER NOT NULL,
        digest BLOB NOT NULL,
        body BLOB NOT NULL,
        result BLOB NOT NULL,
        recorded_at INTEGER NOT NULL,
        UNIQUE (device, n)
    ) STRICT
    """,
    # A row with gone = 1 is the tombstone of a record that left the scope. Otherwise seq is the record's version.
    """
    CREATE TABLE member (
        scope TEXT NOT NULL,
        record TEXT NOT NULL,
        seq INTEGER NOT NULL,
        gone INTEGER NOT NULL,
        PRIMARY KEY (scope, record)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX member_log ON member (scope, seq, record, gone)",
    """
    CREATE TABLE scope (
        name TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        digest BLOB NOT NULL,
        count INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)
_SECOND: Final = (
    # What each op did, as MessagePack; an empty array for those of the first version, which did not say.
    "ALTER TABLE op ADD COLUMN acts BLOB NOT NULL DEFAULT x'90'",
    "CREATE INDEX op_by_record ON op (record, place)",
)
_THIRD: Final = (
    # Index of the op's leaf in the log.
    "ALTER TABLE op ADD COLUMN leaf INTEGER NOT NULL DEFAULT -1",
    # What is no op and must be attributable; a body is gone once the record that it is about was erased.
    """
    CREATE TABLE journal (
        place INTEGER PRIMARY KEY,
        what TEXT NOT NULL,
        key TEXT NOT NULL,
        record TEXT,
        at INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        body BLOB,
        leaf INTEGER NOT NULL,
        UNIQUE (what, key)
    ) STRICT
    """,
    "CREATE INDEX journal_by_what ON journal (what, place)",
    "CREATE INDEX journal_by_record ON journal (record, place) WHERE record IS NOT NULL",
    "CREATE TABLE chain (device TEXT PRIMARY KEY, n INTEGER NOT NULL, link BLOB NOT NULL) STRICT, WITHOUT ROWID",
    """
    CREATE TABLE covered (
        device TEXT NOT NULL,
        n INTEGER NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (device, n)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE secret (name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID",
    # The log: its leaves as they were hashed, and the complete subtrees that proofs are read from.
    "CREATE TABLE log (n INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT",
    """
    CREATE TABLE node (
        level INTEGER NOT NULL,
        n INTEGER NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (level, n)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE tree (one INTEGER PRIMARY KEY CHECK (one = 1), edge BLOB NOT NULL) STRICT",
    "CREATE TABLE record_key (record TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT, WITHOUT ROWID",
)
_FOURTH: Final = (
    # Keys stay where they were written (`sealed`): by number, not by record, the table grows at its end only.
    "DROP TABLE record_key",
    "CREATE TABLE record_key (n INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE, wrapped BLOB NOT NULL) STRICT",
    # The record that this one is a part of and is erased with.
    "ALTER TABLE record ADD COLUMN about TEXT",
    "CREATE INDEX record_by_about ON record (about, id) WHERE about IS NOT NULL",
    """
    CREATE TABLE erased (
        record TEXT PRIMARY KEY,
        subject TEXT NOT NULL,
        at INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        note BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # A database that holds anything was written open.
    f"INSERT INTO meta SELECT '{sealing.MARKER}', '{sealing.BEGIN}' WHERE EXISTS (SELECT 1 FROM meta)",  # noqa: S608
)
MIGRATIONS: Final = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""MIGRATIONS[v] leads from version v of the tables to v + 1. A released one is never changed."""
LOG_SINCE: Final = 3
"""Version of the tables that first had a log."""
SEALED_SINCE: Final = 4
"""Version of the tables that first rested sealed."""
VERSION: Final = len(MIGRATIONS)
"""Version of the tables, kept in `user_version`."""


def one_checkpointer_only(library: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite needs all writing and checkpointing in one connection (it has the WAL-reset bug).

    Args:
        library: its version.

    Raises:
        StoreError: it is too old to be used at all.
    """
    if library < SQLITE_MIN:
        found, least = ".".join(map(str, library)), ".".join(map(str, SQLITE_MIN))
        raise StoreError(f"SQLite {found} is too old; Beatbook needs {least} or newer: update Python or its SQLite")
    return library < WAL_RESET_FIXED


def create(path: Path, newest: bytes) -> None:
    """Build a new database with the tables of today and an epoch of its own.

    Args:
        path: an empty file.
        newest: id of the master key that its keys will be wrapped under.
    """
    with closing(_connect(path, "rw")) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        _migrate_from(connection, 0)
        connection.execute("INSERT INTO meta VALUES ('epoch', ?), ('seq', 0)", (secrets.token_hex(8),))
        _put_masters(connection, [newest])
        log.begin(connection)
        connection.execute("COMMIT")


def renew_epoch(connection: sqlite3.Connection) -> None:
    """Begin another history: what the database held after it was copied is lost, and devices must offer it again."""
    connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (secrets.token_hex(8),))


def examine(path: Path) -> list[bytes]:
    """Look, without writing a byte, whether a database is one that this program can go on with.

    Returns the ids of the master keys that it cannot be read without; none, when it was written before there were any.

    Raises:
        StoreError: it is not ours, it is from a newer version, or it is damaged.
    """
    with store_errors(path), closing(open_reader(path)) as connection:
        if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            raise StoreError(f"{path}: is not a Beatbook database; nothing was touched: name another folder")
        version = _version(connection)
        if version > VERSION:
            raise StoreError(
                f"{path}: the database has version {version}, from a newer program; this one knows up to {VERSION}. "
                "Nothing was touched: update this program"
            )
        if path.stat().st_size <= CHECKED_BYTES_MAX:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise StoreError(
                    f"{path}: the database is damaged ({verdict}); keep the folder as it is and restore a backup into "
                    "a new one"
                )
        connection.execute("SELECT max(place) FROM op").fetchone()
        if connection.execute("SELECT count(*) FROM meta WHERE key IN ('epoch', 'seq')").fetchone() != (2,):
            raise StoreError(f"{path}: the database does not say its epoch; keep it as it is and restore a backup")
        return _masters(connection, path) if version >= SEALED_SINCE else []


def open_writer(path: Path, masters: MasterKeys) -> sqlite3.Connection:
    """The one connection that writes and checkpoints; every commit is on disk when it returns.

    Args:
        path: the database.
        masters: the master keys, every one of those that `examine` named among them.

    Raises:
        StoreError: the file system cannot carry a WAL, or the tables could not be brought up to date.
    """
    with store_errors(path):
        connection = _connect(path, "rw")
        try:
            _use_wal(connection, path)
            # NORMAL lost acknowledged ops in simulated power cuts; FULL syncs the WAL at every commit.
            connection.execute("PRAGMA synchronous = FULL")
            # On macOS fsync leaves data in the drive's cache; elsewhere this does nothing.
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("PRAGMA temp_store = MEMORY")
            # What is deleted or overwritten is overwritten on disk as well.
            connection.execute("PRAGMA secure_delete = ON")
            version = _version(connection)
            if version < VERSION:
                connection.execute("BEGIN IMMEDIATE")
                _migrate_from(connection, version)
                if version < LOG_SINCE:
                    log.begin(connection)
                _put_masters(
                    connection, [*([] if version < SEALED_SINCE else _masters(connection, path)), masters.newest]
                )
                connection.execute("COMMIT")
            elif masters.newest not in (known := _masters(connection, path)):
                # Said before anything is wrapped under it: from then on the database cannot be read without it.
                _put_masters(connection, [*known, masters.newest])
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that reads: it never writes, never checkpoints, and never makes a file that is not there."""
    connection = _connect(path, "ro")
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    one_checkpointer_only()
    # Transactions are ours to begin and end: the module's own would be deferred, and fail when it comes to write.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S
    )


def require_masters_only(connection: sqlite3.Connection, newest: bytes) -> None:
    """Say that the database is wrapped under one master key alone, once everything has been wrapped anew."""
    _put_masters(connection, [newest])


def _masters(connection: sqlite3.Connection, path: Path) -> list[bytes]:
    found = connection.execute("SELECT value FROM meta WHERE key = 'masters'").fetchone()
    try:
        return [bytes.fromhex(one) for one in str(found[0]).split()]
    except (TypeError, ValueError):
        raise StoreError(
            f"{path}: the database does not say its master keys; keep it as it is and restore a backup"
        ) from None


def _put_masters(connection: sqlite3.Connection, masters: Sequence[bytes]) -> None:
    text = " ".join(dict.fromkeys(one.hex() for one in masters))
    connection.execute(
        "INSERT INTO meta VALUES ('masters', ?) ON CONFLICT DO UPDATE SET value = excluded.value", (text,)
    )


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StoreError(
            f"{path}: this file system cannot carry a write-ahead log (no shared memory); use a local disk"
        )


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _migrate_from(connection: sqlite3.Connection, version: int) -> None:
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
