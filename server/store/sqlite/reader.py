"""The connections that read: a few, each with a thread of its own; every read is one call and one short transaction.

A read sees one committed state. It is bounded (`server.store.paging`), because one long reader keeps the writer from
folding its WAL in. The functions here take a plain connection; `Readers` runs them.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite
import msgspec

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, OpNumber, RecordId, ScopeName, Seq
from schemas.limits import PAGE_ROWS_MAX
from schemas.wire import Range, Result
from server.logbook import KeptEntry
from server.store import paging
from server.store.port import Changes, KeptOp, Page
from server.store.sqlite import log
from server.store.sqlite.schema import open_reader
from server.store.sqlite.trouble import store_error
from sync import digest
from sync.evidence import merkle
from sync.evidence.chain import ChainHead
from sync.history import Act
from sync.session import Head

_T = TypeVar("_T")
_RESULT: Final = msgspec.msgpack.Decoder(Result)
_ACTS: Final = msgspec.msgpack.Decoder(tuple[Act, ...])

READERS: Final = 2
"""Connections: a page that comes from disk does not hold up the next one, and two cores have no use for more."""
_ROWS_AT_ONCE: Final = 64
"""What aiosqlite fetches in one go through its own cursors. A read here has none."""

_HEAD: Final = "SELECT seq, digest, count FROM scope WHERE name = ?"
_HEADS: Final = "SELECT name, seq, digest, count FROM scope"
_SEQ: Final = "SELECT value FROM meta WHERE key = 'seq'"
_LOG: Final = (
    "SELECT member.seq, member.record, CASE member.gone WHEN 0 THEN record.body END"
    " FROM member LEFT JOIN record ON record.id = member.record"
    " WHERE member.scope = ? AND member.seq > ? ORDER BY member.seq"
)
_MEMBERS: Final = "FROM member WHERE scope = ? AND gone = 0 AND record > ?"
_ROWS: Final = (
    "SELECT member.record, record.body FROM member CROSS JOIN record ON record.id = member.record"
    " WHERE member.scope = ? AND member.gone = 0 AND member.record > ?"
)
_ENTRIES: Final = "SELECT place, what, key, record, at, seq, body, leaf FROM journal"
_OF_KIND: Final = "SELECT id, body FROM record WHERE kind = ? AND id > ? ORDER BY id"


def read_heads(connection: sqlite3.Connection) -> tuple[Seq, dict[ScopeName, Head]]:
    """(last commit, where every scope stands)."""
    (seq,) = connection.execute(_SEQ).fetchone()
    return seq, {name: Head(at, total, count) for name, at, total, count in connection.execute(_HEADS)}


def read_changes(connection: sqlite3.Connection, scope: ScopeName, after: Seq) -> Changes:
    """See `server.store.port.Store.changes`."""
    with closing(connection.execute(_LOG, (scope, after))) as log:
        found = paging.stretch(log)
    head: Head | None = None
    if not found.more:
        stands = connection.execute(_HEAD, (scope,)).fetchone()
        head = Head(Seq(0), digest.EMPTY, 0) if stands is None else Head(*stands)
    return Changes(to=after if found.to is None else found.to, rows=found.rows, gone=found.gone, head=head)


def read_page(connection: sqlite3.Connection, scope: ScopeName, after: str, upto: str) -> Page:
    """See `server.store.port.Store.page`."""
    sql, values = _stretch(_ROWS, "member.record", (scope, after), upto)
    with closing(connection.execute(sql, values)) as rows:
        return paging.page(rows)


def read_ranges(connection: sqlite3.Connection, scope: ScopeName, ranges: Sequence[Range]) -> list[tuple[bytes, int]]:
    """See `server.store.port.Store.ranges`. While a record is in a scope, its `seq` there is its version."""
    found = []
    for one in ranges:
        sql, values = _stretch(f"SELECT record, seq {_MEMBERS}", "record", (scope, one.after), one.upto)
        total, count = digest.EMPTY, 0
        with closing(connection.execute(sql, values)) as rows:
            while pairs := rows.fetchmany(PAGE_ROWS_MAX):
                total = digest.change(total, added=pairs)
                count += len(pairs)
        found.append((total, count))
    return found


def read_last_op(connection: sqlite3.Connection, device: DeviceId) -> OpNumber:
    """See `server.store.port.Store.last_op`."""
    (n,) = connection.execute("SELECT max(n) FROM op WHERE device = ?", (device,)).fetchone()
    return OpNumber(n or 0)


def read_record(connection: sqlite3.Connection, record: RecordId) -> bytes | None:
    """See `server.store.port.Store.record`."""
    found = connection.execute("SELECT body FROM record WHERE id = ?", (record,)).fetchone()
    return None if found is None else found[0]


def read_records(
    connection: sqlite3.Connection, kind: str, scope: ScopeName | None, after: str, limit: int
) -> list[bytes]:
    """See `server.store.port.Store.records`."""
    values: tuple[str, ...] = (kind, after)
    sql = _OF_KIND
    if scope is not None:
        values = (scope, after, kind)
        sql = f"{_ROWS} AND record.kind = ? ORDER BY member.record"
    with closing(connection.execute(sql, values)) as rows:
        return list(paging.page(rows, limit).rows)


def read_existing(connection: sqlite3.Connection, records: Sequence[RecordId]) -> dict[RecordId, bytes]:
    """See `server.store.port.Store.existing`."""
    found = ((record, read_record(connection, record)) for record in records)
    return {record: body for record, body in found if body is not None}


def read_ops(connection: sqlite3.Connection, record: RecordId | None, after: int, limit: int) -> list[KeptOp]:
    """See `server.store.port.Store.ops`."""
    where, values = ("", (after,)) if record is None else (" AND record = ?", (after, record))
    sql = f"SELECT place, seq, recorded_at, body, result, acts, leaf FROM op WHERE place > ?{where} ORDER BY place"  # noqa: S608
    with closing(connection.execute(sql, values)) as rows:
        found = (
            KeptOp(place, seq, recorded_at, body, _RESULT.decode(result), _ACTS.decode(acts), leaf)
            for place, seq, recorded_at, body, result, acts, leaf in rows
        )
        return paging.kept(found, limit)


def read_journal(connection: sqlite3.Connection, what: str | None, after: int, limit: int) -> list[KeptEntry]:
    """See `server.store.port.Store.journal`."""
    where, values = ("", (after,)) if what is None else (" AND what = ?", (after, what))
    with closing(connection.execute(f"{_ENTRIES} WHERE place > ?{where} ORDER BY place", values)) as rows:
        return paging.kept((KeptEntry(*row) for row in rows), limit)


def read_entry(connection: sqlite3.Connection, what: str, key: str) -> KeptEntry | None:
    """See `server.store.port.Store.entry`."""
    found = connection.execute(f"{_ENTRIES} WHERE what = ? AND key = ?", (what, key)).fetchone()
    return None if found is None else KeptEntry(*found)


def read_chain(connection: sqlite3.Connection, name: str) -> ChainHead | None:
    """See `server.store.port.Store.chain`."""
    found = connection.execute("SELECT n, link FROM chain WHERE device = ?", (name,)).fetchone()
    return None if found is None else ChainHead(*found)


def read_secrets(connection: sqlite3.Connection, prefix: str) -> dict[str, bytes]:
    """See `server.store.port.Store.secrets`."""
    # A range and not LIKE: names hold characters that mean something there.
    sql = "SELECT name, body FROM secret WHERE name >= ? AND substr(name, 1, ?) = ? ORDER BY name"
    return dict(connection.execute(sql, (prefix, len(prefix), prefix)).fetchall())


def read_secret(connection: sqlite3.Connection, name: str) -> bytes | None:
    """See `server.store.port.Store.secret`."""
    found = connection.execute("SELECT body FROM secret WHERE name = ?", (name,)).fetchone()
    return None if found is None else found[0]


def read_inclusion(connection: sqlite3.Connection, index: int, size: int) -> list[bytes]:
    """See `server.store.port.Store.inclusion`."""
    return merkle.inclusion_proof(_hashes(connection, size), index, size)


def read_consistency(connection: sqlite3.Connection, old: int, size: int) -> list[bytes]:
    """See `server.store.port.Store.consistency`."""
    return merkle.consistency_proof(_hashes(connection, size), old, size)


def _hashes(connection: sqlite3.Connection, size: int) -> log.StoredHashes:
    held = log.read_tree(connection).size
    if not 0 <= size <= held:
        raise UsageError(f"the log has {held} entries, {size} were asked about")
    return log.StoredHashes(connection)


def _stretch(sql: str, column: str, values: tuple[Any, ...], upto: str) -> tuple[str, tuple[Any, ...]]:
    """The query for ids up to and with `upto`, in order; "" has no end."""
    if upto == "":
        return f"{sql} ORDER BY {column}", values
    return f"{sql} AND {column} <= ? ORDER BY {column}", (*values, upto)


class _Reader(aiosqlite.Connection):
    """A connection on a thread of its own that runs one whole read at a time."""

    def __init__(self, database: Path) -> None:
        super().__init__(partial(open_reader, database), _ROWS_AT_ONCE)
        # It only reads: a program that ends without closing its store must not be held up by it.
        self._thread.daemon = True
        self.waiting = 0
        """Reads that it was given and has not done."""

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run one read; nothing of another comes between its beginning and its end."""
        self.waiting += 1
        try:
            result: _T = await self._execute(_in_one_state, self._conn, work)  # type: ignore[no-untyped-call]
            return result
        finally:
            self.waiting -= 1


def _in_one_state(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]) -> _T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        # After some errors SQLite has ended it itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


class Readers:
    """The connections that read one database."""

    def __init__(self, database: Path) -> None:
        """Use `open`."""
        self._database = database
        self._readers: list[_Reader] = []

    @classmethod
    async def open(cls, database: Path) -> "Readers":
        """Connect to a database that its writer has opened.

        Raises:
            StoreError: it cannot be opened.
        """
        readers = cls(database)
        try:
            for _ in range(READERS):
                one = _Reader(database)
                await one
                readers._readers.append(one)
        except sqlite3.Error as error:
            await readers.close()
            raise store_error(error, database) from error
        return readers

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run one read on the connection that has least to do.

        Raises:
            StoreError: the database cannot be read, or the store is closed.
        """
        if not self._readers:
            raise StoreError(f"{self._database}: the store is closed")
        reader = min(self._readers, key=lambda one: one.waiting)
        try:
            return await reader.read(work)
        except sqlite3.Error as error:
            raise store_error(error, self._database) from error

    async def close(self) -> None:
        """Do what was asked, then disconnect."""
        readers, self._readers = self._readers, []
        await asyncio.gather(*(reader.close() for reader in readers))
