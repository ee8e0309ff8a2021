"""`SqliteStore`: the port on one data folder, written in one place and read in others."""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import msgspec

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Epoch, Millis, OpNumber, RecordId, ScopeName, Seq
from schemas.limits import ARRAY_LEN_MAX, PAGE_ROWS_MAX
from schemas.wire import Range
from server.commits import ScopeChange, Settled, Submission
from server.logbook import Erased, KeptEntry
from server.observing.measures import Took
from server.store import paging
from server.store.port import Changes, KeptOp, Page
from server.store.sqlite import log, reader
from server.store.sqlite.erasing import read_erased
from server.store.sqlite.folder import LOCK_WAIT_S, database_of
from server.store.sqlite.process import WriterProcess, unheard
from server.store.sqlite.reader import Readers
from server.store.sqlite.writer import SqliteWriter
from sync.evidence.chain import ChainHead
from sync.evidence.merkle import Frontier
from sync.session import Head


class Writer(Protocol):
    """Where commits are made: a process, or a thread of this one."""

    epoch: Epoch
    took: Callable[[Took], None] | None
    """Told how long each group took by the writer's own clock."""
    restarts: int
    """How often it had to be started again."""

    @property
    def pid(self) -> int | None:
        """Its process; None while it has none."""

    async def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        """See `server.store.port.Store.commit`."""

    async def close(self) -> None:
        """End, after what is being committed."""


class InlineWriter:
    """The writer on a thread of this process: for tests, tools and simulation, where no loop is busy beside it."""

    def __init__(self, thread: ThreadPoolExecutor, writer: SqliteWriter) -> None:
        """Use `open`."""
        self._thread = thread
        self._closed = False
        self.writer = writer
        self.epoch = writer.epoch
        self.took: Callable[[Took], None] | None = None
        self.restarts = 0

    @property
    def pid(self) -> int:
        """This process."""
        return os.getpid()

    @classmethod
    async def open(cls, folder: Path, wait_s: float) -> "InlineWriter":
        """See `SqliteWriter.open`."""
        # An SQLite connection belongs to the thread that opened it.
        thread = ThreadPoolExecutor(1, thread_name_prefix="beatbook-writer")
        try:
            writer = await asyncio.get_running_loop().run_in_executor(thread, SqliteWriter.open, folder, wait_s)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(thread, writer)

    async def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        """See `server.store.port.Store.commit`. Cancelled, it goes on to its end unheard."""
        if self._closed:
            raise StoreError("the store is closed")
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self.writer.commit, group, now)
        settled = await unheard(asked)
        if self.took is not None:
            self.took(self.writer.took)
        return settled

    async def close(self) -> None:
        """End, after what is being committed."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self.writer.close)
        self._thread.shutdown()


class SqliteStore:
    """See the package's text and `server.store.port.Store`."""

    def __init__(self, writer: Writer, readers: Readers, told: Seq) -> None:
        """Use `open`.

        Args:
            writer: where to commit.
            readers: where to read.
            told: the last commit that whoever holds this store knows of.
        """
        self.writer = writer
        """Where commits are made."""
        self._readers = readers
        self._told = told

    @classmethod
    async def open(cls, folder: Path, *, inline: bool = False, wait_s: float = LOCK_WAIT_S) -> "SqliteStore":
        """Open a data folder, and make it if it is not there.

        Args:
            folder: the data folder.
            inline: write on a thread of this process and not in a process of its own.
            wait_s: how long to wait for another server that is about to leave the folder (seconds).

        Raises:
            StoreError: the folder cannot be used: the text says why and what to do. Nothing of it was touched.
        """
        writer: Writer = await (InlineWriter.open(folder, wait_s) if inline else WriterProcess.open(folder, wait_s))
        return await cls.over(writer, folder)

    @classmethod
    async def over(cls, writer: Writer, folder: Path) -> "SqliteStore":
        """The store over a writer that has opened the data folder; the store closes it.

        Raises:
            StoreError: the database cannot be read.
        """
        try:
            readers = await Readers.open(database_of(folder))
        except BaseException:
            await writer.close()
            raise
        try:
            told, _ = await readers.read(reader.read_heads)
        except BaseException:
            await readers.close()
            await writer.close()
            raise
        return cls(writer, readers, told)

    @property
    def epoch(self) -> Epoch:
        """This store's unbroken history."""
        return self.writer.epoch

    async def heads(self) -> dict[ScopeName, Head]:
        """Where every scope stands."""
        _, heads = await self._readers.read(reader.read_heads)
        return heads

    async def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        """Settle the group's ops in order and make them durable; in several commits when they are many."""
        settled = await self.writer.commit(group, now)
        if settled and self._missed_some(settled):
            settled[-1] = await self._with_missed(settled)
        if settled:
            self._told = settled[-1].seq
        if gone := [erased.record for one in settled for erased in one.erased]:
            await self._readers.forget(gone)
        return settled

    def _missed_some(self, settled: Sequence[Settled]) -> bool:
        """Whether a commit lies between the last one told and these.

        It was made by a call that failed further on, that was cancelled, or whose answer died with the writing process.
        """
        told = self._told
        for one in settled:
            if one.seq != (told + 1 if one.rows or one.erased else told):
                return True
            told = one.seq
        return False

    async def _with_missed(self, settled: Sequence[Settled]) -> Settled:
        """The last of these commits, telling also where the scopes stand that a commit unheard of has moved.

        Such a change leads from the scope's head to that head, so it holds nothing: who stands there misses nothing,
        and everybody else is behind and reads the log.
        """
        covered = {change.scope for one in settled for change in one.scopes}
        moved = tuple(
            ScopeChange(scope=scope, frm=head.seq, rows=(), members=(), gone=(), head=head)
            for scope, head in sorted((await self.heads()).items())
            if head.seq > self._told and scope not in covered
        )
        return msgspec.structs.replace(settled[-1], scopes=settled[-1].scopes + moved)

    async def changes(self, scope: ScopeName, after: Seq) -> Changes:
        """The scope's log behind a position; never part of a commit."""
        return await self._readers.read(lambda db: reader.read_changes(db, scope, after))

    async def page(self, scope: ScopeName, after: str, upto: str) -> Page:
        """The scope's records with after < id <= upto, in order of id; upto "" has no end."""
        return await self._readers.read(lambda db: reader.read_page(db, scope, after, upto))

    async def ranges(self, scope: ScopeName, ranges: Sequence[Range]) -> list[tuple[bytes, int]]:
        """(digest, count) of the scope's records in each range."""
        return await self._readers.read(lambda db: reader.read_ranges(db, scope, ranges))

    async def last_op(self, device: DeviceId) -> OpNumber:
        """Highest number among the device's ops; 0 for none."""
        return await self._readers.read(lambda db: reader.read_last_op(db, device))

    async def record(self, record: RecordId) -> bytes | None:
        """One encoded row."""
        return await self._readers.read(lambda db: reader.read_record(db, record))

    async def records(self, kind: str, scope: ScopeName | None, after: str, limit: int) -> list[bytes]:
        """Encoded rows of a kind with id > after, in order of id; of one scope only, when it is given."""
        if limit < 1:
            raise UsageError(f"records: the limit is {limit}; ask for at least 1 row")
        return await self._readers.read(lambda db: reader.read_records(db, kind, scope, after, limit))

    async def existing(self, records: Sequence[RecordId]) -> dict[RecordId, bytes]:
        """Those of the records that are there, with their encoded rows; at most ARRAY_LEN_MAX asked at once."""
        if len(records) > ARRAY_LEN_MAX:
            raise UsageError(f"existing: {len(records)} records asked at once; ask for at most {ARRAY_LEN_MAX}")
        return await self._readers.read(lambda db: reader.read_existing(db, records))

    async def ops(self, record: RecordId | None, after: int, limit: int) -> list[KeptOp]:
        """Ops in the order in which they were decided; of one record only, when it is given."""
        paging.require_limit(limit)
        return await self._readers.read(lambda db: reader.read_ops(db, record, after, limit))

    async def op(self, device: DeviceId, n: OpNumber) -> KeptOp | None:
        """One op, a refused one too; None when none of that number was kept."""
        return await self._readers.read(lambda db: reader.read_op(db, device, n))

    async def erased(self, record: RecordId) -> Erased | None:
        """What is kept of a record that was erased; None when it was not."""
        return await self._readers.read(lambda db: read_erased(db, record))

    async def journal(self, what: str | None, after: int, limit: int) -> list[KeptEntry]:
        """Entries of the journal in the order in which they were kept; of one sort only, when it is given."""
        paging.require_limit(limit)
        return await self._readers.read(lambda db: reader.read_journal(db, what, after, limit))

    async def entry(self, what: str, key: str) -> KeptEntry | None:
        """One entry of the journal."""
        return await self._readers.read(lambda db: reader.read_entry(db, what, key))

    async def chain(self, name: str) -> ChainHead | None:
        """Where a chain stands."""
        return await self._readers.read(lambda db: reader.read_chain(db, name))

    async def secret(self, name: str) -> bytes | None:
        """What is kept under that name."""
        return await self._readers.read(lambda db: reader.read_secret(db, name))

    async def secrets(self, prefix: str) -> dict[str, bytes]:
        """What is kept under names that begin so."""
        return await self._readers.read(lambda db: reader.read_secrets(db, prefix))

    async def tree(self) -> Frontier:
        """The right edge of the log's Merkle tree."""
        return await self._readers.read(lambda db: log.read_tree(db.connection))

    async def leaves(self, first: int, count: int) -> list[bytes]:
        """The log's leaves from index `first` on."""
        paging.require_limit(count)
        return await self._readers.read(lambda db: log.read_leaves(db.connection, first, min(count, PAGE_ROWS_MAX)))

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that a leaf is in the tree of that size."""
        return await self._readers.read(lambda db: reader.read_inclusion(db, index, size))

    async def consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that one tree continues another."""
        return await self._readers.read(lambda db: reader.read_consistency(db, old, size))

    async def close(self) -> None:
        """End: what was committed is on disk, files and processes are closed."""
        # Readers first: the last connection to go folds the WAL in, and that must be the writer.
        await self._readers.close()
        await self.writer.close()
