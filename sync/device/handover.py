"""What goes up beside the ops: edits and drafts that are sealed to the server, and the log of what was read.

Sealed edits go before anything else is pushed: they are the work of somebody who may no longer see what they worked on,
and a supervisor waits for them. The read log goes behind the ops. All of it stays on the disk until the server has said
that it keeps it, and is sent again in every session until then.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from schemas.ids import OpNumber
from schemas.limits import INT_MAX, OPS_PER_PUSH_MAX
from sync.device.drafts import DraftBox
from sync.device.store import Committed, Held, ReplicaStore
from sync.replica import StoredOp
from sync.session import DeviceSession

DRAFTS_FROM: Final = 2**52
"""Ids of drafts in QUARANTINE begin above it: below are the numbers of ops, which answers must not be taken for."""

if DRAFTS_FROM >= INT_MAX:
    raise ValueError("the ids of drafts do not fit the wire")


class HandOver:
    """Hands over what waits, to one session after the other."""

    def __init__(self, store: ReplicaStore, drafts: DraftBox | None = None) -> None:
        """Bind it.

        Args:
            store: where sealed edits and the read log wait.
            drafts: the seat's; None where there are none.
        """
        self._store = store
        self._drafts = drafts
        self._handed: set[int] = set()
        self._draft = 0
        self._read = 0
        self._reads_wait = False

    def begin(self) -> None:
        """A new connection: what it was not told of is handed over again."""
        self._handed.clear()
        self._draft = 0
        self._read = 0
        self._reads_wait = False

    def keep_reads(self) -> None:
        """The server takes nothing of the read log in this session: somebody has to look into it first."""
        self._reads_wait = True

    async def edits(self, session: DeviceSession) -> bool:
        """Hand over sealed edits and drafts, as many as the session takes.

        Returns:
            Whether that was all of them: only then something else may be pushed.

        Raises:
            ReplicaError: they cannot be read.
        """
        while waiting := await self.waiting():
            taken = session.quarantine(waiting)
            for id_, _ in waiting[:taken]:
                if id_ > DRAFTS_FROM:
                    self._draft = id_ - DRAFTS_FROM
                else:
                    self._handed.add(id_)
            if not taken:
                return False
        return True

    async def left(self) -> int:
        """How many sealed edits and drafts were not handed over in this session yet.

        Raises:
            ReplicaError: they cannot be counted.
        """
        edits = await self._store.read(lambda held: sum(1 for _ in self._unsent(held)))
        return edits if self._drafts is None else edits + await asyncio.to_thread(self._drafts.count, self._draft)

    async def waiting(self) -> list[tuple[int, bytes]]:
        """(id, sealed bytes) of what was not handed over in this session, at most one message's worth."""
        found = await self._store.read(self._sealed)
        if not found and self._drafts is not None:
            drafts = await asyncio.to_thread(self._drafts.sealed, self._draft, OPS_PER_PUSH_MAX)
            found = [(DRAFTS_FROM + n, sealed) for n, sealed in drafts]
        return found

    def _sealed(self, held: Held) -> list[tuple[int, bytes]]:
        return [(op.n, op.body) for op in islice(self._unsent(held), OPS_PER_PUSH_MAX)]

    def _unsent(self, held: Held) -> Iterator[StoredOp]:
        after = OpNumber(0)
        while ops := held.replica.sealed(after, OPS_PER_PUSH_MAX):
            yield from (op for op in ops if op.n not in self._handed)
            after = ops[-1].n

    async def kept(self, ids: Iterable[int], then: Callable[[object, Committed], None]) -> None:
        """The server keeps these in quarantine."""
        told = set(ids)
        ops = [OpNumber(id_) for id_ in sorted(told) if id_ <= DRAFTS_FROM]
        await self._store.change(lambda held: held.replica.kept_sealed(ops), then)
        drafts = [id_ - DRAFTS_FROM for id_ in told if id_ > DRAFTS_FROM]
        if drafts and self._drafts is not None:
            # They went up in order, and are kept in order.
            await asyncio.to_thread(self._drafts.drop, max(drafts))

    async def reads(self, session: DeviceSession) -> bool:
        """Send entries of the read log, as many as the session takes; True when no more wait.

        Raises:
            ReplicaError: they cannot be read.
        """
        while not self._reads_wait and (
            waiting := await self._store.read(lambda held: held.replica.reads.waiting(self._read, OPS_PER_PUSH_MAX))
        ):
            taken = session.reads(waiting[0][0], [body for _, body in waiting])
            if not taken:
                return False
            self._read = waiting[taken - 1][0]
        return True
