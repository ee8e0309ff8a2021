"""The connections that read: a few, each with a thread of its own; every read is one call and one short transaction.

A read sees one committed state. It is bounded (`server.store.paging`), because one long reader keeps the writer from
folding its WAL in. The functions here take a connection with its vault; `Readers` runs them.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite
import msgspec

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, OpNumber, RecordId, ScopeName, Seq, op_id
from schemas.limits import PAGE_ROWS_MAX
from schemas.wire import Range, Result
from server.logbook import KeptEntry
from server.store import paging
from server.store.masters import MasterKeys, key_file
from server.store.port import Changes, KeptOp, Page
from server.store.sqlite import log
from server.store.sqlite.erasing import is_erased, read_erased
from server.store.sqlite.schema import open_reader
from server.store.sqlite.sealed import ENTRY, OP, SECRET, SECRETS, SealedTables, entry_row, entry_subject
from server.store.sqlite.trouble import store_error
from server.store.vault import Subject, Vault
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
    "SELECT member.seq, member.record, CASE member.gone WHEN 0 THEN record.body END, record_key.wrapped"
    " FROM member LEFT JOIN record ON record.id = member.record"
    " LEFT JOIN record_key ON record_key.record = member.record"
    " WHERE member.scope = ? AND member.seq > ? ORDER BY member.seq"
)
_MEMBERS: Final = "FROM member WHERE scope = ? AND gone = 0 AND record > ?"
_ROWS: Final = (
    "SELECT member.record, record_key.wrapped, record.body FROM member CROSS JOIN record ON record.id = member.record"
    " LEFT JOIN record_key ON record_key.record = member.record"
    " WHERE member.scope = ? AND member.gone = 0 AND member.record > ?"
)
_TOLD_OF: Final = (
    "SELECT member.record, record_key.wrapped, record.body FROM member LEFT JOIN record ON record.id = member.record"
    " AND member.gone = 0 LEFT JOIN record_key ON record_key.record = record.id"
    " WHERE member.scope = ? AND (member.gone = 0 OR EXISTS (SELECT 1 FROM erased WHERE record = member.record))"
    " AND member.record > ?"
)
_ROW: Final = (
    "SELECT record_key.wrapped, record.body FROM record LEFT JOIN record_key ON record_key.record = record.id"
    " WHERE record.id = ?"
)
_OPS: Final = (
    "SELECT op.place, op.device, op.n, op.record, op.seq, op.recorded_at, op.body, op.result, op.acts, op.leaf,"
    " record_key.wrapped FROM op LEFT JOIN record_key ON record_key.record = op.record"
)
_ENTRIES: Final = (
    "SELECT place, what, key, journal.record, at, seq, body, leaf, wrapped FROM journal"
    " LEFT JOIN record_key ON record_key.record = coalesce(journal.record, 'journal:' || what)"
)
_OF_KIND: Final = (
    "SELECT id, record_key.wrapped, record.body FROM record LEFT JOIN record_key ON record_key.record = record.id"
    " WHERE kind = ? AND id > ? ORDER BY id"
)


def read_heads(tables: SealedTables) -> tuple[Seq, dict[ScopeName, Head]]:
    """(last commit, where every scope stands)."""
    (seq,) = tables.connection.execute(_SEQ).fetchone()
    return seq, {name: Head(at, total, count) for name, at, total, count in tables.connection.execute(_HEADS)}


def read_changes(tables: SealedTables, scope: ScopeName, after: Seq) -> Changes:
    """See `server.store.port.Store.changes`."""
    with closing(tables.connection.execute(_LOG, (scope, after))) as log:
        found = paging.stretch(
            (seq, record, None if body is None else tables.row(record, wrapped, body))
            for seq, record, body, wrapped in log
        )
    head: Head | None = None
    if not found.more:
        stands = tables.connection.execute(_HEAD, (scope,)).fetchone()
        head = Head(Seq(0), digest.EMPTY, 0) if stands is None else Head(*stands)
    erased = tuple(one for one in found.gone if is_erased(tables.connection, one))
    to = after if found.to is None else found.to
    return Changes(to=to, rows=found.rows, gone=found.gone, head=head, erased=erased)


def read_page(tables: SealedTables, scope: ScopeName, after: str, upto: str) -> Page:
    """See `server.store.port.Store.page`."""
    sql, values = _stretch(_TOLD_OF, "member.record", (scope, after), upto)
    with closing(tables.connection.execute(sql, values)) as rows:
        return paging.page(
            (record, None if body is None else tables.row(record, wrapped, body)) for record, wrapped, body in rows
        )


def read_ranges(tables: SealedTables, scope: ScopeName, ranges: Sequence[Range]) -> list[tuple[bytes, int]]:
    """See `server.store.port.Store.ranges`. While a record is in a scope, its `seq` there is its version."""
    found = []
    for one in ranges:
        sql, values = _stretch(f"SELECT record, seq {_MEMBERS}", "record", (scope, one.after), one.upto)
        total, count = digest.EMPTY, 0
        with closing(tables.connection.execute(sql, values)) as rows:
            while pairs := rows.fetchmany(PAGE_ROWS_MAX):
                total = digest.change(total, added=pairs)
                count += len(pairs)
        found.append((total, count))
    return found


def read_last_op(tables: SealedTables, device: DeviceId) -> OpNumber:
    """See `server.store.port.Store.last_op`."""
    (n,) = tables.connection.execute("SELECT max(n) FROM op WHERE device = ?", (device,)).fetchone()
    return OpNumber(n or 0)


def read_record(tables: SealedTables, record: RecordId) -> bytes | None:
    """See `server.store.port.Store.record`."""
    found = tables.connection.execute(_ROW, (record,)).fetchone()
    return None if found is None else tables.row(record, *found)


def read_records(tables: SealedTables, kind: str, scope: ScopeName | None, after: str, limit: int) -> list[bytes]:
    """See `server.store.port.Store.records`."""
    values: tuple[str, ...] = (kind, after)
    sql = _OF_KIND
    if scope is not None:
        values = (scope, after, kind)
        sql = f"{_ROWS} AND record.kind = ? ORDER BY member.record"
    with closing(tables.connection.execute(sql, values)) as rows:
        return list(paging.page(_opened(tables, rows), limit).rows)


def read_existing(tables: SealedTables, records: Sequence[RecordId]) -> dict[RecordId, bytes]:
    """See `server.store.port.Store.existing`."""
    found = ((record, read_record(tables, record)) for record in records)
    return {record: body for record, body in found if body is not None}


def read_ops(tables: SealedTables, record: RecordId | None, after: int, limit: int) -> list[KeptOp]:
    """See `server.store.port.Store.ops`."""
    where, values = ("", (after,)) if record is None else (" AND op.record = ?", (after, record))
    with closing(tables.connection.execute(f"{_OPS} WHERE place > ?{where} ORDER BY place", values)) as rows:
        return paging.kept((_kept_op(tables, row) for row in rows), limit)


def read_op(tables: SealedTables, device: DeviceId, n: OpNumber) -> KeptOp | None:
    """See `server.store.port.Store.op`."""
    found = tables.connection.execute(f"{_OPS} WHERE device = ? AND op.n = ?", (device, n)).fetchone()
    return None if found is None else _kept_op(tables, found)


def _kept_op(tables: SealedTables, row: tuple[Any, ...]) -> KeptOp:
    place, device, n, record, seq, recorded_at, body, result, acts, leaf, wrapped = row
    name, erased = op_id(device, n), ""
    if body:
        body = tables.opened((OP, name), record, wrapped, body)
    else:
        gone = read_erased(tables, record)
        erased = paging.erased_note(body, None if gone is None else gone.note)
    return KeptOp(
        *(place, name, record, seq, recorded_at, body),
        _RESULT.decode(tables.result((device, n), record, wrapped, result)),
        _ACTS.decode(acts),
        leaf,
        erased,
    )


def read_journal(tables: SealedTables, what: str | None, after: int, limit: int) -> list[KeptEntry]:
    """See `server.store.port.Store.journal`."""
    where, values = ("", (after,)) if what is None else (" AND what = ?", (after, what))
    with closing(tables.connection.execute(f"{_ENTRIES} WHERE place > ?{where} ORDER BY place", values)) as rows:
        return paging.kept((_kept_entry(tables, row) for row in rows), limit)


def read_entry(tables: SealedTables, what: str, key: str) -> KeptEntry | None:
    """See `server.store.port.Store.entry`."""
    found = tables.connection.execute(f"{_ENTRIES} WHERE what = ? AND key = ?", (what, key)).fetchone()
    return None if found is None else _kept_entry(tables, found)


def _kept_entry(tables: SealedTables, row: tuple[Any, ...]) -> KeptEntry:
    place, what, key, record, at, seq, body, leaf, wrapped = row
    if body is not None:
        body = tables.opened((ENTRY, entry_row(what, key)), entry_subject(what, record), wrapped, body)
    return KeptEntry(place, what, key, record, at, seq, body, leaf)


def read_chain(tables: SealedTables, name: str) -> ChainHead | None:
    """See `server.store.port.Store.chain`."""
    found = tables.connection.execute("SELECT n, link FROM chain WHERE device = ?", (name,)).fetchone()
    return None if found is None else ChainHead(*found)


def read_secrets(tables: SealedTables, prefix: str) -> dict[str, bytes]:
    """See `server.store.port.Store.secrets`."""
    # A range and not LIKE: names hold characters that mean something there.
    sql = "SELECT name, body FROM secret WHERE name >= ? AND substr(name, 1, ?) = ? ORDER BY name"
    found = tables.connection.execute(sql, (prefix, len(prefix), prefix)).fetchall()
    return {name: _secret(tables, name, body) for name, body in found}


def read_secret(tables: SealedTables, name: str) -> bytes | None:
    """See `server.store.port.Store.secret`."""
    found = tables.connection.execute("SELECT body FROM secret WHERE name = ?", (name,)).fetchone()
    return None if found is None else _secret(tables, name, found[0])


def _secret(tables: SealedTables, name: str, body: bytes) -> bytes:
    key = tables.key(SECRETS)
    if key is None:
        raise StoreError("the key of the secrets has gone; keep the folder as it is and restore a backup")
    return key.open(SECRET, name, body)


def read_inclusion(tables: SealedTables, index: int, size: int) -> list[bytes]:
    """See `server.store.port.Store.inclusion`."""
    return merkle.inclusion_proof(_hashes(tables.connection, size), index, size)


def read_consistency(tables: SealedTables, old: int, size: int) -> list[bytes]:
    """See `server.store.port.Store.consistency`."""
    return merkle.consistency_proof(_hashes(tables.connection, size), old, size)


def _hashes(connection: sqlite3.Connection, size: int) -> log.StoredHashes:
    held = log.read_tree(connection).size
    if not 0 <= size <= held:
        raise UsageError(f"the log has {held} entries, {size} were asked about")
    return log.StoredHashes(connection)


def _opened(
    tables: SealedTables, rows: Iterable[tuple[RecordId, bytes | None, bytes]]
) -> Iterator[tuple[RecordId, bytes]]:
    """(record, its row) of (record, wrapped key, its row as it rests); one by one, since a page may end before."""
    return ((record, tables.row(record, wrapped, body)) for record, wrapped, body in rows)


def _stretch(sql: str, column: str, values: tuple[Any, ...], upto: str) -> tuple[str, tuple[Any, ...]]:
    """The query for ids up to and with `upto`, in order; "" has no end."""
    if upto == "":
        return f"{sql} ORDER BY {column}", values
    return f"{sql} AND {column} <= ? ORDER BY {column}", (*values, upto)


class _Reader(aiosqlite.Connection):
    """A connection on a thread of its own that runs one whole read at a time."""

    def __init__(self, database: Path, masters: MasterKeys) -> None:
        super().__init__(partial(open_reader, database), _ROWS_AT_ONCE)
        # It only reads: a program that ends without closing its store must not be held up by it.
        self._thread.daemon = True
        self._vault = Vault(masters, database)
        self.waiting = 0
        """Reads that it was given and has not done."""

    async def read(self, work: Callable[[SealedTables], _T]) -> _T:
        """Run one read; nothing of another comes between its beginning and its end."""
        self.waiting += 1
        try:
            result: _T = await self._execute(_in_one_state, SealedTables(self._conn, self._vault), work)  # type: ignore[no-untyped-call]
            return result
        finally:
            self.waiting -= 1


def _in_one_state(tables: SealedTables, work: Callable[[SealedTables], _T]) -> _T:
    connection = tables.connection
    connection.execute("BEGIN")
    try:
        return work(tables)
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
            StoreError: it cannot be opened, or its master keys cannot be read.
        """
        readers = cls(database)
        masters = MasterKeys.read(key_file(database.parent))
        try:
            for _ in range(READERS):
                one = _Reader(database, masters)
                await one
                readers._readers.append(one)
        except sqlite3.Error as error:
            await readers.close()
            raise store_error(error, database) from error
        return readers

    async def read(self, work: Callable[[SealedTables], _T]) -> _T:
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

    async def forget(self, records: Sequence[RecordId]) -> None:
        """Have every connection drop the keys of records that were erased."""
        await asyncio.gather(*(one.read(lambda db: db.vault.forget(map(Subject, records))) for one in self._readers))

    async def close(self) -> None:
        """Do what was asked, then disconnect."""
        readers, self._readers = self._readers, []
        await asyncio.gather(*(reader.close() for reader in readers))
