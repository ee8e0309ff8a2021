"""`EncryptedDatabase`: one SQLCipher database, one connection, one thread, one function per transaction.

A transaction is a single call on the thread that owns the connection: no other task's work can fall inside it, and a
cancelled caller cannot leave it half done. Errors of `sqlcipher3` are none of `sqlite3`'s; none leaves this module.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import aiosqlite
from sqlcipher3 import dbapi2

from schemas.errors import ReplicaError
from sync.device.folder import ReplicaFolder
from sync.device.keys import KEY_BYTES, KeyHolder, RingHolder
from sync.device.layout import FORMAT, Sql, check_format, make_tables, open_ring, upgrade_tables
from sync.device.ring import Ring
from sync.device.sqlcipher import SqlTables

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_FETCH_ROWS: Final = 64
_JOURNAL_PAGES: Final = 4_000
"""Pages in the journal, 16 MB, at which it is merged into the database. With SQLite's 1,000 a handheld that takes in
thousands of records writes the ends of its indexes to the disk several times over."""
_SYNCED: Final = "INSERT OR REPLACE INTO meta VALUES ('synced', randomblob(8))"
"""Changes something each time: a commit that changes nothing would not reach the journal."""
_DAMAGE: Final = frozenset({dbapi2.SQLITE_CORRUPT, dbapi2.SQLITE_NOTADB})


class _Damaged(Exception):  # noqa: N818  a signal inside this module, never seen outside it
    """The key fits, and the database still cannot be read."""


async def uninterrupted(work: Coroutine[Any, Any, _T]) -> _T:
    """Await `work` to its end even when the caller is cancelled; the cancellation is raised after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled() and (failed := task.exception()) is not None:
        _log.warning("failed while its caller was cancelled: %s", failed)
    raise cancelled


class _Connection(aiosqlite.Connection):
    """aiosqlite's thread, with a door for whole functions."""

    stopped: "asyncio.Future[object] | None" = None

    def __init__(self, connector: Callable[[], Any]) -> None:
        super().__init__(connector, _FETCH_ROWS)
        # A program that forgets to close must still be able to end; what was committed is on disk in any case.
        self._thread.daemon = True

    def stop(self) -> "asyncio.Future[object] | None":
        """Stop the thread; remembers what tells when it has."""
        self.stopped = super().stop()
        return self.stopped

    async def run(self, work: Callable[[Sql], _T]) -> _T:
        result: _T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]  # private, hence untyped
        return result


class EncryptedDatabase:
    """An open replica's database. Make one with `open`.

    Attributes:
        ring: what its records' keys are wrapped under.
    """

    ring: Ring

    def __init__(self, folder: Path, keys: KeyHolder) -> None:
        """Use `open`."""
        self._path = folder
        self._keys = keys
        self._folder: ReplicaFolder | None = None
        self._connection = _Connection(self._connect)
        self._open = False
        self.undone: Callable[[], None] = _nothing
        """Called on the connection's thread when what a function may have changed was undone."""

    @classmethod
    async def open(cls, folder: Path, keys: KeyHolder) -> Self:
        """Open the replica in a folder, or make a new one where there is none.

        Raises:
            ReplicaError: it cannot be opened; the text says why, and what was done: a damaged one has been set aside,
                in every other case nothing was touched.
        """
        database = cls(folder, keys)
        try:
            await uninterrupted(database._begin())
        except asyncio.CancelledError:
            await database.close()
            raise
        return database

    async def _begin(self) -> None:
        try:
            with _FOREIGN_ERRORS:
                await self._connection
        except BaseException:
            # aiosqlite has told its thread to end and does not wait for it; it would speak to a loop that is gone.
            if self._connection.stopped is not None:
                await self._connection.stopped
            raise
        self._open = True

    async def transaction(self, work: Callable[[Sql], _T], *, may_wait: Callable[[], bool] | None = None) -> _T:
        """Run `work` as one transaction on the connection's thread: all of it is on disk afterwards, or nothing.

        A cancelled caller gets its CancelledError once the transaction has ended, one way or the other.

        Args:
            work: gets the raw connection. What it raises undoes everything and is raised here.
            may_wait: asked on the connection's thread once `work` is committed: True lets the disk have it with the
                next transaction that does not wait. The power may go before that; then both are gone, and nothing that
                came before. None never waits.

        Raises:
            ReplicaError: the database failed.
        """

        def whole(connection: Sql) -> _T:
            try:
                if may_wait is None:
                    return _transaction(connection, work)
                return _lazy_transaction(connection, work, may_wait)
            except BaseException:
                self.undone()
                raise

        return await self._run(whole)

    async def read(self, work: Callable[[Sql], _T]) -> _T:
        """Run `work` on the connection's thread and undo whatever it may have changed.

        Raises:
            ReplicaError: the database failed.
        """

        def look(connection: Sql) -> _T:
            before = connection.total_changes
            try:
                return _read(connection, work)
            finally:
                if connection.total_changes != before:
                    self.undone()

        return await self._run(look)

    async def renew_ring(self, tables: SqlTables, share: bytes | None = None) -> int:
        """Put what is left under a new ring key, so that what was removed is under keys that exist nowhere.

        The new key is kept beside the old one before the database changes, and the old one is forgotten after it: a
        power cut at any point leaves a replica that opens.

        Args:
            tables: the database's; they go on under the new ring.
            share: a new share, under which the key slots are to be together with the new ring key.

        Returns:
            How many records there are.

        Raises:
            ReplicaError: the database failed, or the slots cannot be written. Calling again carries it through.
        """
        return await self._run(lambda connection: self._renew_ring(connection, tables, share))

    def _renew_ring(self, connection: Sql, tables: SqlTables, share: bytes | None) -> int:
        keys = self._keys
        if isinstance(keys, RingHolder):
            # Of a change whose end could not be written down, the next key is the one that the database is under.
            keys.ring_settled(self.ring.key())
        ring = Ring(keys.next_ring() if isinstance(keys, RingHolder) else os.urandom(KEY_BYTES))
        count = _transaction(connection, lambda _: tables.rotate_ring(ring))
        tables.use_ring(ring)
        self.ring.wipe()
        self.ring = ring
        # What the journal still holds of the pages goes with it, as far as a file system that writes in place goes.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if isinstance(keys, RingHolder):
            keys.ring_settled(ring.key(), share)
        return count

    async def _run(self, work: Callable[[Sql], _T]) -> _T:
        if not self._open:
            raise ReplicaError(f"the replica in {self._path} is closed")
        with _FOREIGN_ERRORS:
            return await uninterrupted(self._connection.run(work))

    async def close(self) -> None:
        """End: the journal is merged into the database, the lock is given back. Again: nothing."""
        if self._open:
            self._open = False
            with _FOREIGN_ERRORS:
                await uninterrupted(self._end())

    async def _end(self) -> None:
        try:
            await self._connection.close()
        finally:
            self.ring.wipe()
            if self._folder is not None:
                self._folder.release()

    # --- on the connection's thread ----------------------------------------------------------------------------------

    def _connect(self) -> Sql:
        folder = ReplicaFolder.hold(self._path)
        try:
            key = folder.data_key(self._keys)
            if not folder.holds_replica(key):
                _make(folder, key)
            try:
                connection = _connect_checked(folder, key)
                try:
                    self.ring = _transaction(connection, lambda sql: open_ring(sql, self._keys))
                    if isinstance(self._keys, RingHolder):
                        self._keys.ring_settled(self.ring.key())
                except BaseException:
                    connection.close()
                    raise
            except _Damaged as damage:
                aside = folder.set_aside()
                raise ReplicaError(
                    f"the replica in {folder.path} is damaged ({damage}). It was moved whole to {aside}: keep it, "
                    "edits that no server has may be in it. The next opening starts a new replica"
                ) from damage
        except BaseException:
            folder.release()
            raise
        self._folder = folder
        return connection


def set_aside(folder: Path | str) -> Path:
    """Move the replica in a folder into a subfolder, so that the next opening starts a new one. Nothing is deleted.

    Returns:
        The subfolder.

    Raises:
        ReplicaError: the replica is open, or cannot be moved.
    """
    held = ReplicaFolder.hold(Path(folder))
    try:
        return held.set_aside()
    finally:
        held.release()


def copy_under(folder: ReplicaFolder, old: bytes, new: bytes) -> None:
    """Write a whole copy of a closed replica under another data key: the folder's unfinished database.

    Raises:
        ReplicaError: it cannot be read or written; the replica is as it was.
    """
    folder.clear_unfinished()
    try:
        os.close(os.open(folder.unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        with _FOREIGN_ERRORS:
            connection = connect_keyed(folder.database, old)
            try:
                version = _check_pages(connection, str(folder.path))
                name = folder.unfinished.absolute().as_uri()
                connection.execute(f"ATTACH DATABASE ? AS fresh KEY \"x'{new.hex()}'\"", (name,))
                connection.execute("SELECT sqlcipher_export('fresh')").fetchall()
                connection.execute(f"PRAGMA fresh.user_version = {version}")
                connection.execute("DETACH DATABASE fresh")
            finally:
                connection.close()
        with folder.unfinished.open("rb") as file:
            os.fsync(file.fileno())
    except (_Damaged, OSError) as error:
        raise ReplicaError(f"the replica in {folder.path} cannot be copied under a new key: {error}") from error


def _nothing() -> None:
    """Nobody remembers anything."""


def _transaction(connection: Sql, work: Callable[[Sql], _T]) -> _T:
    # IMMEDIATE: it takes the right to write at its start, or fails there.
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some failures.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _lazy_transaction(connection: Sql, work: Callable[[Sql], _T], may_wait: Callable[[], bool]) -> _T:
    # It can only be said before a transaction. The journal is written in order, whoever syncs it.
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        result = _transaction(connection, work)
    finally:
        connection.execute("PRAGMA synchronous = FULL")
    if not may_wait():
        # Whatever is committed now takes what lies before it in the journal to the disk.
        _transaction(connection, lambda sql: sql.execute(_SYNCED))
    return result


def _read(connection: Sql, work: Callable[[Sql], _T]) -> _T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _make(folder: ReplicaFolder, key: bytes) -> None:
    """A new, empty replica. It gets its name only when it is whole."""
    folder.clear_unfinished()
    try:
        # SQLite would give it the permissions that the process happens to have, and its journal the database's.
        os.close(os.open(folder.unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise ReplicaError(f"cannot make a replica in {folder.path}: {error.strerror}") from error
    connection = connect_keyed(folder.unfinished, key)
    try:
        _transaction(connection, make_tables)
    finally:
        connection.close()
    folder.announce(key)


def connect_keyed(path: Path, key: bytes) -> Sql:
    """A connection that has shown that it can read the database.

    Raises:
        dbapi2.Error: it cannot.
    """
    # mode=rw: a missing file stays missing, where SQLite would make an empty database under whatever key came.
    connection: Sql = dbapi2.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("PRAGMA cipher_log_level = NONE")
        # Sorting spills to files otherwise, and those are not encrypted.
        connection.execute("PRAGMA temp_store = MEMORY")
        # What is deleted is overwritten in its page.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a local edit has survived a power cut when its call returns.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_JOURNAL_PAGES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_checked(folder: ReplicaFolder, key: bytes) -> Sql:
    """A connection to a replica whose pages are all intact, and whose tables are this program's.

    Raises:
        _Damaged: they are not.
        ReplicaError: it was written by a newer program.
    """
    if folder.database.stat().st_size == 0:
        # SQLite takes a file that was emptied for a new database; ours is never without tables.
        raise _Damaged("the database is empty")
    try:
        connection = connect_keyed(folder.database, key)
        try:
            version = _check_pages(connection, str(folder.path))
            if version < FORMAT:
                _transaction(connection, lambda sql: upgrade_tables(sql, version))
        except BaseException:
            connection.close()
            raise
    except dbapi2.DatabaseError as error:
        if _is_damage(error):
            raise _Damaged(str(error)) from error
        raise
    return connection


def _check_pages(connection: Sql, where: str) -> int:
    """Look at every page. Returns the version of the tables."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    check_format(version, where)
    if version == 0:
        raise _Damaged("the database has no tables")
    # The journal first: after a power cut it may hold the whole copy of a page that was being written.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    broken = connection.execute("PRAGMA cipher_integrity_check").fetchall()
    if broken:
        raise _Damaged(f"{len(broken)} pages fail their check, the first: {broken[0][0]}")
    return version


def _is_damage(error: Exception) -> bool:
    # The low byte is the primary code; the rest tells its kind.
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF in _DAMAGE


class _ForeignErrors:
    """Turns what the database library raises into ReplicaError."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, dbapi2.Error):
            if _is_damage(error):
                raise ReplicaError(
                    f"the replica is damaged ({error}): close it and open it again, which sets it aside"
                ) from error
            raise ReplicaError(f"the replica's database failed: {error}") from error


_FOREIGN_ERRORS: Final = _ForeignErrors()
