"""What the server says beside records: leases, the log's checkpoints, notices, and the order to destroy everything."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from schemas import wire
from schemas.ids import OpNumber
from schemas.limits import OPS_PER_PUSH_MAX
from sync.device.changes import AlarmRaised, ChangeFeed, Wiped
from sync.device.clocks import DeviceTime
from sync.device.findings import Code, Finding, keep
from sync.device.handover import HandOver
from sync.device.signed_in import LEASE_KEY
from sync.device.status import StatusBoard
from sync.device.store import Committed, Held, ReplicaStore
from sync.device.ties import Ties
from sync.outbox import UNSENT, OpState
from sync.session import DeviceSession

_log = logging.getLogger(__name__)

UNLOGGED_LEASE_MS: Final = 5 * 60_000
"""What is left at most of a lease once the server has found that the read log here is not the one that it holds."""


class Orders:
    """Carries them out, one after the other."""

    def __init__(self, store: ReplicaStore, feed: ChangeFeed, board: StatusBoard, time: DeviceTime, ties: Ties) -> None:
        """Bind it."""
        self._store = store
        self._feed = feed
        self._board = board
        self._time = time
        self._ties = ties

    # --- the log, and what else is found -----------------------------------------------------------------------------

    def greeted(self, held: Held, message: wire.Welcome, *, copied: bool) -> list[Finding]:
        """Inside the transaction that takes WELCOME up: look at what it says of the log and of the own chain.

        Returns:
            What was found, to be told once the transaction is on disk.
        """
        found = [self._look(held, message.checkpoint, message.consistency, due=True)]
        if copied:
            found.append(self._keep(held, "copied", _COPIED))
        return [finding for finding in found if finding is not None]

    async def notice(self, message: wire.Notice) -> None:
        """Take in what the person at the device should know."""
        if message.code == "clock_skew":
            self._board.update(clock_skew_ms=message.value)
            return
        officer = self._ties.signed_in

        def work(held: Held) -> Finding | None:
            if officer is not None:
                officer.seat.lease.shorten(UNLOGGED_LEASE_MS)
            return self._keep(held, "reads", _READS_MISSING.format(message.value, held.replica.reads.next - 1))

        await self._find(work)

    def tell(self, found: Iterable[Finding]) -> None:
        """Tell the officer of what was found."""
        for finding in found:
            _log.error("%s: %s", self._store.device, finding.detail)
            self._board.update(alarms=self._board.now.alarms + 1)
            self._feed.tell(AlarmRaised(finding.code, finding.detail))

    def _look(self, held: Held, checkpoint: bytes, proof: tuple[bytes, ...], *, due: bool) -> Finding | None:
        log = self._ties.log
        return None if log is None else log.look(held, checkpoint, proof, self._time.now(), due=due)

    def _keep(self, held: Held, code: Code, detail: str) -> Finding | None:
        return keep(held, Finding(code=code, detail=detail, at=self._time.now()))

    async def _find(self, work: Callable[[Held], Finding | None]) -> None:
        def told(finding: Finding | None, committed: Committed) -> None:
            self._count(None, committed)
            self.tell([] if finding is None else [finding])

        await self._store.change(work, told)

    def _count(self, _result: object, committed: Committed) -> None:
        self._board.count(committed.revision, committed.waiting, committed.held, committed.sealed)

    # --- leases ------------------------------------------------------------------------------------------------------

    async def new_lease(self, message: wire.NewLease) -> None:
        """Take up a lease that came while connected, and the checkpoint with it."""
        await self._find(lambda held: self._look(held, message.checkpoint, message.consistency, due=False))
        await self.lease(message.lease)

    async def lease(self, lease: wire.Lease) -> None:
        """Take up a lease: what it says is on disk when this returns, and the key slots are under its share.

        Raises:
            PeerError: no such lease is believed.
            ReplicaError: it cannot be written; what is on disk opens with the share before.
        """
        officer = self._ties.signed_in
        if officer is None:
            return
        await self._store.change(lambda held: held.tables.set_meta(LEASE_KEY, officer.take(lease)), self._count)
        self._board.update(lease_ended=False, sign_in_needed=False)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def wipe(self, reason: str, session: DeviceSession, handing: HandOver) -> None:
        """Destroy everything, and say so. What the server alone can read then is handed over with it.

        Raises:
            ReplicaError: something cannot be removed. The keys go first, and the next opening carries on.
        """
        last = await self._last_will(handing)
        count = len(last)
        await self._store.close()
        await asyncio.to_thread(self._ties.destroy)
        while last and (taken := session.quarantine(last)):
            last = last[taken:]
        session.wiped(self._time.now())
        self._feed.tell(Wiped(reason))
        handed_over = self._board.now.handed_over + count - len(last)
        self._board.update(
            wiped=reason, handed_over=handed_over, connected=False, caught_up=False, waiting=0, held=0, sealed=0
        )

    async def _last_will(self, handing: HandOver) -> list[tuple[int, bytes]]:
        """Every edit that the server has not, sealed to it."""
        seal = self._ties.seal
        if seal is None:
            return []

        def work(held: Held) -> list[tuple[int, bytes]]:
            found: list[tuple[int, bytes]] = []
            after = OpNumber(0)
            while ops := held.tables.ops_in((*UNSENT, OpState.HELD), after, OPS_PER_PUSH_MAX):
                found += [(op.n, seal(op.body)) for op in ops]
                after = ops[-1].n
            return found

        # What was sealed before waits in `handing`, drafts among it.
        return [*await handing.waiting(), *await self._store.read(work)]


_COPIED: Final = (
    "the server holds this seat's changes otherwise than this handheld: one of them was set back, or somebody has a "
    "copy of it. What was not sent goes on under new numbers. Have the handheld looked at"
)
_READS_MISSING: Final = (
    "the server holds {} entries of what was read here, this handheld {}, or others: it was set back or copied, and is "
    "given no lease. What is written here goes up all the same. Have it looked at: an administrator lets the log go on"
)
