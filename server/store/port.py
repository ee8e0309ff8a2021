"""The port: what the server asks of whatever keeps the records."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from schemas.ids import DeviceId, Epoch, Millis, OpId, OpNumber, RecordId, ScopeName, Seq
from schemas.wire import Range, Result
from server.commits import Settled, Submission
from server.logbook import Erased, KeptEntry
from sync.evidence.chain import ChainHead
from sync.evidence.merkle import Frontier
from sync.history import Act
from sync.session import Head


class Changes(msgspec.Struct, frozen=True):
    """A stretch of one scope's log, with each record as it stands now.

    Attributes:
        to: the position it leads to; the one asked about when nothing has changed since.
        rows: encoded rows of the records that changed and are in the scope.
        gone: records that left the scope.
        erased: those of them that were erased.
        head: the scope's head, when the stretch leads to it; None while there is more.
    """

    to: Seq
    rows: tuple[bytes, ...]
    gone: tuple[RecordId, ...]
    head: Head | None
    erased: tuple[RecordId, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """A stretch of one scope's records in order of id.

    Attributes:
        rows: encoded rows.
        upto: last id of the stretch, or "" when it reaches the end of what was asked for.
        erased: ids of the stretch that were in the scope and were erased.
    """

    rows: tuple[bytes, ...]
    upto: str
    erased: tuple[RecordId, ...] = ()


class KeptOp(msgspec.Struct, frozen=True):
    """An op as the store keeps it.

    Attributes:
        place: its place in the order in which ops were decided, from 1.
        id, record: its name, and the record it was made on.
        seq, recorded_at: its commit, and the server's clock then (ms since 1970).
        body: its bytes as they came; nothing, once the record was erased.
        result: what its device was told.
        acts: what it did, field by field.
        leaf: index of its leaf in the log; -1 for one that was kept before there was a log.
        erased: what is said where the record was, once it was erased; otherwise "".
    """

    place: int
    id: OpId
    record: RecordId
    seq: Seq
    recorded_at: Millis
    body: bytes
    result: Result
    acts: tuple[Act, ...]
    leaf: int = -1
    erased: str = ""


class Store(Protocol):
    """Keeps records, ops, and a log per scope.

    Whoever holds a store awaits one `commit` at a time; reads may run beside it and see a committed state, never part
    of a commit. Every read is bounded by PAGE_ROWS_MAX rows and PAGE_BYTES_MAX bytes.
    """

    @property
    def epoch(self) -> Epoch:
        """This store's unbroken history."""

    async def heads(self) -> dict[ScopeName, Head]:
        """Where every scope stands."""

    async def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        """Settle the group's ops in order (`server.settle`) and make them durable, in several commits if need be.

        Returns once everything is on disk. The same op again gives its stored result and changes nothing.
        A commit of an earlier call that failed or was cancelled is told with these: a change that leads from a scope's
        head to that head, and holds nothing, says that the scope has moved.

        Args:
            group: ops by device.
            now: the server's clock (ms since 1970).

        Raises:
            StoreError: the store failed; what it did not return may or may not be durable, and may be asked again.
        """

    async def changes(self, scope: ScopeName, after: Seq) -> Changes:
        """The scope's log behind a position; never part of a commit."""

    async def page(self, scope: ScopeName, after: str, upto: str) -> Page:
        """The scope's records with after < id <= upto, in order of id; upto "" has no end."""

    async def ranges(self, scope: ScopeName, ranges: Sequence[Range]) -> list[tuple[bytes, int]]:
        """(digest, count) of the scope's records in each range."""

    async def last_op(self, device: DeviceId) -> OpNumber:
        """Highest number among the device's ops; 0 for none."""

    async def record(self, record: RecordId) -> bytes | None:
        """One encoded row."""

    async def records(self, kind: str, scope: ScopeName | None, after: str, limit: int) -> list[bytes]:
        """Encoded rows of a kind with id > after, in order of id; of one scope only, when it is given.

        At most `limit` (1 or more), or a page; an empty list is the end, a shorter one need not be.
        """

    async def existing(self, records: Sequence[RecordId]) -> dict[RecordId, bytes]:
        """Those of the records that are there, with their encoded rows; at most ARRAY_LEN_MAX asked at once."""

    async def ops(self, record: RecordId | None, after: int, limit: int) -> list[KeptOp]:
        """Ops in the order in which they were decided, refused ones too; of one record only, when it is given.

        At most `limit` (1 to PAGE_ROWS_MAX) with place > after, fewer when they are long; an empty list is the end.
        """

    async def op(self, device: DeviceId, n: OpNumber) -> KeptOp | None:
        """One op, a refused one too; None when none of that number was kept."""

    async def erased(self, record: RecordId) -> Erased | None:
        """What is kept of a record that was erased; None when it was not.

        A record is erased by a `Submission.erasure`, in the transaction of its commit. From when that has returned,
        nothing that the store keeps holds content of it, and nothing can open what an older copy of its files holds.
        """

    async def journal(self, what: str | None, after: int, limit: int) -> list[KeptEntry]:
        """Entries of the journal in the order in which they were kept; of one sort only, when it is given.

        At most `limit` (1 to PAGE_ROWS_MAX) with place > after, fewer when they are long; an empty list is the end.
        """

    async def entry(self, what: str, key: str) -> KeptEntry | None:
        """One entry of the journal."""

    async def chain(self, name: str) -> ChainHead | None:
        """Where a chain stands: a seat's ops (`sync.evidence.chain`), or another that is kept; None when it is new."""

    async def secret(self, name: str) -> bytes | None:
        """What is kept under that name."""

    async def secrets(self, prefix: str) -> dict[str, bytes]:
        """What is kept under names that begin so."""

    async def tree(self) -> Frontier:
        """The right edge of the log's Merkle tree."""

    async def leaves(self, first: int, count: int) -> list[bytes]:
        """The log's leaves from index `first` on, at most `count` (1 to PAGE_ROWS_MAX) of them, as they were hashed."""

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that a leaf is in the tree of that size (RFC 6962 section 2.1.1).

        Raises:
            UsageError: there is no such leaf or no such tree.
        """

    async def consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that the tree of size `size` continues that of size `old` (RFC 6962 section 2.1.2).

        Raises:
            UsageError: there is no such tree.
        """

    async def close(self) -> None:
        """End: what was committed is on disk, files and processes are closed."""
