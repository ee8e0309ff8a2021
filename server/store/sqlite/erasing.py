"""Erased records in the tables: what goes, what stays, and how the files are cleaned behind it.

The key goes, and what it sealed goes as well; either would do, and neither rests on the other. What is said where the
record was is kept sealed under a key of its own. The record's ids, kind, scopes, times and hashes stay.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.ids import RecordId, ScopeName
from schemas.wire import Result
from server.logbook import Erased
from server.store.sqlite import sealed, sealing
from server.store.sqlite.sealed import NOTES, SealedTables
from server.store.vault import Subject

FOLD_WAIT_MS: Final = 250
"""How long to wait for readers before the log is cut. Commits wait meanwhile; what is not cut now is cut later."""

_RESULT: Final = msgspec.msgpack.Decoder(Result)
_ENCODER: Final = msgspec.msgpack.Encoder()
_NOTE: Final = (
    "SELECT erased.record, subject, at, seq, note, wrapped FROM erased"
    " LEFT JOIN record_key ON record_key.record = ? WHERE erased.record = ?"
)
_ADD: Final = "INSERT INTO erased (record, subject, at, seq, note) VALUES (?, ?, ?, ?, ?)"
_SCOPES_EVER: Final = (
    "SELECT name FROM scope WHERE EXISTS (SELECT 1 FROM member WHERE member.scope = scope.name AND member.record = ?)"
)
_OPS: Final = (
    "SELECT op.place, op.device, op.n, op.result, record_key.wrapped FROM op"
    " LEFT JOIN record_key ON record_key.record = op.record WHERE op.record = ?"
)


def erase(tables: SealedTables, gone: Iterable[Erased]) -> None:
    """Erase records, inside the writer's transaction."""
    connection, write = tables.connection, tables.connection.executemany
    for one in gone:
        ops = [
            (_wordless(tables.result((device, n), one.record, wrapped, result)), place)
            for place, device, n, result, wrapped in connection.execute(_OPS, (one.record,)).fetchall()
        ]
        write("UPDATE op SET body = x'', acts = x'90', result = ? WHERE place = ?", ops)
        connection.execute("UPDATE journal SET body = NULL WHERE record = ?", (one.record,))
        connection.execute("DELETE FROM record WHERE id = ?", (one.record,))
        tables.destroy(Subject(one.record))
        note = tables.key_for(NOTES).seal(sealed.NOTE, one.record, one.note.encode())
        connection.execute(_ADD, (one.record, one.subject, one.at, one.seq, note))


def read_erased(tables: SealedTables, record: RecordId) -> Erased | None:
    """See `server.store.port.Store.erased`."""
    found = tables.connection.execute(_NOTE, (NOTES, record)).fetchone()
    if found is None:
        return None
    one, subject, at, seq, note, wrapped = found
    return Erased(one, subject, at, seq, tables.opened((sealed.NOTE, record), NOTES, wrapped, note).decode())


def is_erased(connection: sqlite3.Connection, record: RecordId) -> bool:
    """Whether a record was erased."""
    return connection.execute("SELECT 1 FROM erased WHERE record = ?", (record,)).fetchone() is not None


def parts(connection: sqlite3.Connection, record: RecordId) -> list[RecordId]:
    """The records that are directly a part of one, in order of id."""
    return [one for (one,) in connection.execute("SELECT id FROM record WHERE about = ? ORDER BY id", (record,))]


def scopes_ever(connection: sqlite3.Connection, record: RecordId) -> frozenset[ScopeName]:
    """The scopes that a record is in or has left. Asked scope by scope: nothing else needs an index by record."""
    return frozenset(scope for (scope,) in connection.execute(_SCOPES_EVER, (record,)))


def clean(connection: sqlite3.Connection, wait_ms: int = FOLD_WAIT_MS) -> bool:
    """Fold the log into the database and cut it, so that no frame of it keeps what was overwritten.

    Args:
        connection: the writer's, outside a transaction.
        wait_ms: how long to wait for readers.

    Returns False when one was in the way; ask again.
    """
    (before,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
    try:
        return sealing.fold(connection)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {before}")


def _wordless(result: bytes) -> bytes:
    """A result without what it says in words: it may hold a value."""
    return _ENCODER.encode(msgspec.structs.replace(_RESULT.decode(result), detail=""))
