"""The officer's side of a replica: open while their lease lasts, shut when it has ended, and gone once it was wiped.

The connection goes on working with the replica itself: it is how a new lease comes.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from schemas.errors import ReplicaError
from schemas.ids import DeviceId
from sync.device.changes import ChangeFeed, LeaseEnded
from sync.device.clocks import Clock
from sync.device.signed_in import SignedIn
from sync.device.status import StatusBoard
from sync.device.store import Committed, Held, ReplicaStore

_T = TypeVar("_T")
LOOK_MS: Final = 30_000
"""Longest time between two looks at what is left of a lease (ms)."""


class OfficersStore:
    """See `Transactions`. Everything is refused while nothing may be read here."""

    def __init__(
        self, store: ReplicaStore, board: StatusBoard, signed_in: SignedIn | None, *, patient: bool = False
    ) -> None:
        """Bind it; without somebody who is signed in (a program's seat) no lease is asked for.

        Args:
            store, board, signed_in: the replica, its status, and whose it is.
            patient: whether what is done through it may be kept waiting while much comes in: no officer waits for it.
        """
        self._patient = patient
        self._store = store
        self._board = board
        self._signed_in = signed_in
        self.device: DeviceId = store.device

    async def change(self, work: Callable[[Held], _T], then: Callable[[_T, Committed], None]) -> _T:
        """See `Transactions`."""
        return await self._store.change(self._checked(work), then, patient=self._patient)

    async def read(self, work: Callable[[Held], _T]) -> _T:
        """See `Transactions`."""
        return await self._store.read(self._checked(work), patient=self._patient)

    async def close(self) -> None:
        """See `Transactions`."""
        await self._store.close()

    def _checked(self, work: Callable[[Held], _T]) -> Callable[[Held], _T]:
        wiped = self._board.now.wiped
        if wiped is not None:
            raise ReplicaError(f"everything on this handheld was destroyed, on the server's order: {wiped}")
        officer = self._signed_in
        if officer is None:
            return work

        def checked(held: Held) -> _T:
            # On the database's thread, where leases are taken up too.
            officer.require_lease()
            return work(held)

        return checked


async def watch_lease(
    store: ReplicaStore, signed_in: SignedIn, board: StatusBoard, feed: ChangeFeed, clock: Clock
) -> None:
    """Tell when the lease ends, until cancelled; and have what is used of it written down as time passes."""
    while board.now.wiped is None:
        try:
            left = await store.read(lambda _held: signed_in.seat.lease.remaining_ms())
        except ReplicaError:
            # Closed, or destroyed: whoever did that tells of it.
            return
        if left == 0 and not board.now.lease_ended:
            board.update(lease_ended=True)
            feed.tell(LeaseEnded())
        await clock.sleep(min(left, LOOK_MS) if left else LOOK_MS)
