"""The replica as transactions: what `sync.replica` decides, committed whole, and what follows from it, exactly once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self, TypeVar

import msgspec

from schemas.ids import DeviceId, Millis, RecordId
from sync.clock import Learned
from sync.device.database import EncryptedDatabase, uninterrupted
from sync.device.keys import KeyHolder
from sync.device.layout import Sql
from sync.device.notices import Notice, WatchedTables
from sync.outbox import UNSENT, OpState
from sync.replica import Replica

_T = TypeVar("_T")


class Held(msgspec.Struct, frozen=True):
    """What a transaction works on. Use it only inside the function that got it."""

    replica: Replica
    tables: WatchedTables

    def number(self, key: str) -> int:
        """A whole number among the tables' meta values; 0 when it is not there."""
        raw = self.tables.meta(key)
        return 0 if raw is None else int(raw)

    def set_number(self, key: str, value: int) -> None:
        """Keep it."""
        self.tables.set_meta(key, str(value).encode())


class Committed(msgspec.Struct, frozen=True):
    """What holds right after a transaction.

    Attributes:
        revision: counts transactions; a later one has a higher number.
        waiting, held, sealed: how many ops are so; sealed ones wait to be handed over to quarantine.
        kinds: kind of each record whose row came, changed or went, or whose last pending op is in a row now.
        notices: what an officer must hear of.
    """

    revision: int
    waiting: int
    held: int
    sealed: int
    kinds: dict[RecordId, str]
    notices: tuple[Notice, ...]


class Transactions(Protocol):
    """What the officer's calls work on: `ReplicaStore`, or one that asks first whether they may.

    Attributes:
        device: whose replica it is.
    """

    device: DeviceId

    async def change(self, work: Callable[[Held], _T], then: Callable[[_T, Committed], None]) -> _T:
        """See `ReplicaStore`."""

    async def read(self, work: Callable[[Held], _T]) -> _T:
        """See `ReplicaStore`."""

    async def close(self) -> None:
        """See `ReplicaStore`."""


class ReplicaStore:
    """One open replica. Make one with `open`."""

    def __init__(self, database: EncryptedDatabase, held: Held) -> None:
        """Use `open`."""
        self._database = database
        self._held = held
        self._revision = 0
        self._impatient = 0
        self.device: DeviceId = held.replica.device

    @classmethod
    async def open(cls, folder: Path, keys: KeyHolder, device: DeviceId) -> Self:
        """Open a device's replica, or make it.

        Raises:
            ReplicaError: it cannot be opened (`EncryptedDatabase.open`).
            UsageError: it belongs to another device.
        """
        database = await EncryptedDatabase.open(folder, keys)

        def bind(connection: Sql) -> Held:
            tables = WatchedTables(connection)
            tables.use_ring(database.ring)
            database.undone = tables.undone
            return Held(Replica(tables, device), tables)

        try:
            return cls(database, await database.transaction(bind))
        except BaseException:
            await database.close()
            raise

    async def change(
        self,
        work: Callable[[Held], _T],
        then: Callable[[_T, Committed], None],
        *,
        may_wait: bool = False,
        patient: bool = False,
    ) -> _T:
        """Run `work` as one transaction, then tell of it.

        Args:
            work: runs on the database's thread. What it raises undoes everything.
            then: runs on the loop after the commit, also when the caller was cancelled meanwhile: what is on disk is
                always told.
            may_wait: whether the disk may have it later, with the next change that may not: for what the server sends
                again to a device whose power went. It does not wait all the same where it writes an own op: that would
                be pushed, and its number used again after the power went.
            patient: whether it may be kept waiting by long work (`is_waited_for`).

        Raises:
            ReplicaError: the database failed; nothing was changed.
        """
        return await uninterrupted(self._change(work, then, may_wait=may_wait, patient=patient))

    async def _change(
        self, work: Callable[[Held], _T], then: Callable[[_T, Committed], None], *, may_wait: bool, patient: bool
    ) -> _T:
        tables = self._held.tables
        with self._wanted(patient=patient):
            result, committed = await self._database.transaction(
                lambda _: self._work(work), may_wait=(lambda: not tables.wrote_ops) if may_wait else None
            )
        then(result, committed)
        return result

    def _work(self, work: Callable[[Held], _T]) -> tuple[_T, Committed]:
        held = self._held
        held.tables.begin()
        result = work(held)
        self._revision += 1
        count = held.replica.count
        counts = (sum(map(count, UNSENT)), count(OpState.HELD), count(OpState.SEALED))
        notices = tuple(held.tables.notices(held.replica))
        return result, Committed(self._revision, *counts, dict(held.tables.kinds), notices)

    def is_waited_for(self) -> bool:
        """Whether somebody who is not patient waits for the database: long work ends early then. From any thread."""
        return self._impatient > 0

    @contextmanager
    def _wanted(self, *, patient: bool) -> Iterator[None]:
        self._impatient += not patient
        try:
            yield
        finally:
            self._impatient -= not patient

    async def read(self, work: Callable[[Held], _T], *, patient: bool = False) -> _T:
        """Run `work` on the database's thread; it sees a committed state and changes nothing.

        Args:
            work: gets what is held.
            patient: as in `change`.

        Raises:
            ReplicaError: the database failed.
        """
        with self._wanted(patient=patient):
            return await self._database.read(lambda _: work(self._held))

    async def renew_ring(self, share: bytes | None = None) -> int:
        """Put what is left under a new ring key: what was removed is then under keys that exist nowhere.

        To be called after records were removed because a right to them ended, before that is confirmed to the server.
        `SqlTables.ring_due` says that it is still to be done, also after a restart.

        Args:
            share: the server's new share; the key slots are under it when this returns. Only then may the server
                forget the one before.

        Returns:
            How many records are left.

        Raises:
            ReplicaError: it could not be carried through; the replica is as it was, and calling again does it.
        """
        return await self._database.renew_ring(self._held.tables, share)

    async def close(self) -> None:
        """Close the database. Again: nothing."""
        await self._database.close()


LEARNED_KEY = "learned"
"""What the server's clock said last: MessagePack of a `sync.clock.Learned`."""
SYNCED_KEY = "last_synced_at"
"""When the replica last held all that the server had (ms since 1970)."""


def last_synced(held: Held) -> Millis | None:
    """When the replica last held all that the server had, as far as it was written down."""
    return Millis(held.number(SYNCED_KEY)) or None


def last_learned(held: Held) -> Learned | None:
    """What the server's clock said last, as far as it was written down."""
    raw = held.tables.meta(LEARNED_KEY)
    return None if raw is None else msgspec.msgpack.decode(raw, type=Learned)
