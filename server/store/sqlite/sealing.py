"""Seals what an earlier program wrote open, and moves keys to the newest master key: in steps, each a transaction.

A marker in `meta` says how far it has come, in the same transaction as the step: a server that was killed on the way
goes on where it was. Nothing is served before the end, and nothing is lost by stopping in between, since a body is
either open or sealed and the marker tells which.
"""

import sqlite3
from collections.abc import Callable
from typing import Final

import msgspec

from schemas.codec import decode_row
from schemas.errors import FrameError
from schemas.ids import RecordId, op_id
from schemas.kinds import kind_named
from schemas.wire import Result
from server.store.sqlite import sealed
from server.store.sqlite.sealed import SealedTables, entry_row, entry_subject
from server.store.sqlite.transaction import transaction
from server.store.vault import Subject
from sync import merge

AT_ONCE: Final = 500
"""Rows of one step: some hundred kilobytes to some megabytes of the log that SQLite writes ahead."""
MARKER: Final = "unsealed"
"""Key in `meta`: `table rowid` of the last row that was sealed; absent when everything is."""
BEGIN: Final = "record 0"

_RESULT: Final = msgspec.msgpack.Decoder(Result)
_RECORDS: Final = "SELECT rowid, id, body FROM record WHERE rowid > ? ORDER BY rowid LIMIT ?"
_OPS: Final = "SELECT place, device, n, record, body, result FROM op WHERE place > ? ORDER BY place LIMIT ?"
_ENTRIES: Final = "SELECT place, what, key, record, body FROM journal WHERE place > ? ORDER BY place LIMIT ?"
_KEYS: Final = "SELECT n, record, wrapped FROM record_key WHERE n > ? ORDER BY n LIMIT ?"


def finish(tables: SealedTables) -> None:
    """Seal everything that is still open. Afterwards no file of the database holds a word of it in clear.

    Raises:
        StoreError: a row cannot be read; what was sealed so far stays so.
    """
    connection = tables.connection
    marker = _marker(connection)
    if marker is None:
        return
    while marker != _DONE:
        table, _, after = marker.partition(" ")
        with transaction(connection):
            marker = _after(table, _STEPS[table](tables, int(after)))
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", (marker, MARKER))
    # Pages that were freed before still hold what they held. It is rebuilt in a file of its own: in memory a large
    # database has no room, and there is nothing in clear any more that could be spilled.
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute("VACUUM")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("DELETE FROM meta WHERE key = ?", (MARKER,))
    fold(connection)


def fold(connection: sqlite3.Connection) -> bool:
    """Fold the whole log into the database and cut it to nothing. False when a reader was in the way."""
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def rewrap(tables: SealedTables) -> int:
    """Wrap every key under the newest master key. Returns how many were moved.

    Stopped on the way, it has moved some; the next call moves the rest.

    Raises:
        StoreError: a key cannot be opened; those before it have been moved.
    """
    connection, after, moved = tables.connection, 0, 0
    while rows := connection.execute(_KEYS, (after, AT_ONCE)).fetchall():
        fresh = [
            (wrapped, n)
            for n, record, old in rows
            if any(old) and (wrapped := tables.vault.rewrapped(Subject(record), old)) is not None
        ]
        with transaction(connection):
            connection.executemany("UPDATE record_key SET wrapped = ? WHERE n = ?", fresh)
        after, moved = rows[-1][0], moved + len(fresh)
    fold(connection)
    return moved


def about_of(row: bytes) -> RecordId | None:
    """The record that an encoded row is a part of; None when it stands alone, or only a newer program could say."""
    decoded = decode_row(row)
    return None if kind_named(decoded.kind) is None else merge.from_row(decoded).build().about()


def _records(tables: SealedTables, after: int) -> int | None:
    rows = tables.connection.execute(_RECORDS, (after, AT_ONCE)).fetchall()
    tables.connection.executemany(
        "UPDATE record SET body = ?, about = ? WHERE rowid = ?",
        [
            (tables.key_for(Subject(record)).seal(sealed.RECORD, record, body), _about_if_readable(body), rowid)
            for rowid, record, body in rows
        ],
    )
    return rows[-1][0] if rows else None


def _about_if_readable(body: bytes) -> RecordId | None:
    try:
        return about_of(body)
    except (FrameError, ValueError):
        # Damaged, and told when it is read; sealing it is no moment to lose it.
        return None


def _ops(tables: SealedTables, after: int) -> int | None:
    rows = tables.connection.execute(_OPS, (after, AT_ONCE)).fetchall()
    fresh = []
    for place, device, n, record, body, result in rows:
        key, name = tables.key_for(Subject(record)), op_id(device, n)
        told = key.seal(sealed.RESULT, name, result) if _RESULT.decode(result).detail else result
        fresh.append((key.seal(sealed.OP, name, body), told, place))
    tables.connection.executemany("UPDATE op SET body = ?, result = ? WHERE place = ?", fresh)
    return rows[-1][0] if rows else None


def _entries(tables: SealedTables, after: int) -> int | None:
    rows = tables.connection.execute(_ENTRIES, (after, AT_ONCE)).fetchall()
    tables.connection.executemany(
        "UPDATE journal SET body = ? WHERE place = ?",
        [
            (tables.key_for(entry_subject(what, record)).seal(sealed.ENTRY, entry_row(what, key), body), place)
            for place, what, key, record, body in rows
            if body is not None
        ],
    )
    return rows[-1][0] if rows else None


def _secrets(tables: SealedTables, _after: int) -> None:
    """All in one step: they are a few for each officer and device."""
    for name, body in tables.connection.execute("SELECT name, body FROM secret").fetchall():
        kept = tables.key_for(sealed.SECRETS).seal(sealed.SECRET, name, body)
        tables.connection.execute("UPDATE secret SET body = ? WHERE name = ?", (kept, name))


_STEPS: Final[dict[str, Callable[[SealedTables, int], int | None]]] = {
    "record": _records,
    "op": _ops,
    "journal": _entries,
    "secret": _secrets,
}
"""Tables in the order in which they are sealed. Each step takes the last row that is done and gives its own last."""
_DONE: Final = "vacuum 0"


def _after(table: str, last: int | None) -> str:
    if last is not None:
        return f"{table} {last}"
    names = list(_STEPS)
    at = names.index(table) + 1
    return f"{names[at]} 0" if at < len(names) else _DONE


def _marker(connection: sqlite3.Connection) -> str | None:
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (MARKER,)).fetchone()
    return None if found is None else str(found[0])
