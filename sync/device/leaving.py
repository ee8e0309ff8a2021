"""What must be true before the server is told that a scope has left: its records' keys exist nowhere any more.

A grant that ends takes records along. Their rows and keys go in one transaction, which also writes down that a receipt
is owed. Then the ring key is replaced (`sync.device.ring`), so that what is left on the disk is under keys that exist
nowhere. Only then the receipt is signed and sent. Should the power go in between, the next connection carries on.

A receipt may be lost on its way, and nothing answers it: each is sent again, byte for byte, in the next session. The
server keeps it once. With it goes how many sealed edits are still to be handed over: a device that is trusted no more
is not sent away before they have come.
"""

import asyncio
import logging
from typing import Final

import msgspec

from schemas.ids import Millis, ScopeName
from sync.device.clocks import Clock, DeviceTime
from sync.device.store import Committed, Held, ReplicaStore
from sync.replica import Outcome
from sync.session import DeviceSession

_log = logging.getLogger(__name__)

_OWED_KEY: Final = "receipts"
SENDINGS: Final = 2
"""In how many sessions a receipt is sent."""
SHRED_INTERVAL_MS: Final = 200
"""Shortest time between two changes of the ring key for records that moved away, one by one. The first goes at once."""
SHRED_SHARE: Final = 20
"""A change of the ring key that took a time is followed by no other for so many times as long: a desk that holds much,
and from which much moves away, spends at most a twentieth of its time on it."""


class Owed(msgspec.Struct, frozen=True, array_like=True):
    """A receipt that is owed.

    Attributes:
        scope, gen: of the grant that ended.
        removed: how many records left with it.
        at: when they were gone, keys and all (ms since 1970); 0 while they are not.
        sent: in how many sessions it was sent.
    """

    scope: str
    gen: int
    removed: int
    at: int = 0
    sent: int = 0


class Leaving:
    """Sees records off."""

    def __init__(self, store: ReplicaStore, time: DeviceTime) -> None:
        """Bind it; nothing is looked at yet."""
        self._store = store
        self._time = time
        self._sent: set[tuple[str, int]] = set()
        self._to_shred = asyncio.Event()
        self._due = False
        self.busy = False
        """Whether a grant has ended and its receipt is not out: until then nothing else may be sent."""

    def begin(self) -> None:
        """A new connection: what was sent in the last one is sent once more."""
        self._sent.clear()
        self.busy = False

    def note(self, held: Held, outcome: Outcome) -> None:
        """Inside the transaction that removes records: write down what is owed for it."""
        if outcome.removed:
            owed = _owed(held) + [Owed(scope, gen, removed) for scope, gen, removed in outcome.removed]
            _keep(held, owed)
            self.busy = True
        # On the database's thread, where no event may be set.
        self._due = held.tables.ring_due()

    def noted(self) -> None:
        """The transaction is on disk: what has left is made unreadable soon, unless that is about to be confirmed."""
        if self._due and not self.busy:
            self._to_shred.set()

    async def settle(self, session: DeviceSession, sealed: int) -> None:
        """Make what has left unreadable, wherever its bytes lie, and say so to the server.

        Args:
            session: the connection.
            sealed: how many sealed edits and drafts were not handed over in it yet.

        Raises:
            ReplicaError: it could not be done; nothing was said. The next connection carries on.
        """
        await self._renew_ring()

        def work(held: Held) -> list[Owed]:
            owed = _owed(held)
            due = [one for one in owed if (one.scope, one.gen) not in self._sent]
            now = self._time.now()
            told = [_told(one, now) for one in due]
            if told:
                rest = [one for one in owed if one not in due]
                _keep(held, rest + [one for one in told if one.sent < SENDINGS])
            return told

        for one in await self._store.change(work, _nothing):
            session.retracted(ScopeName(one.scope), one.gen, one.removed, Millis(one.at), sealed)  # type: ignore[arg-type]  # as it was kept
            self._sent.add((one.scope, one.gen))
        self.busy = False

    async def shred(self, clock: Clock) -> None:
        """Renew the ring key after records have moved away, for as long as the connection lasts."""
        while True:
            await self._to_shred.wait()
            began = clock.mono_ms()
            await self._renew_ring()
            took = clock.mono_ms() - began
            await clock.sleep(max(SHRED_INTERVAL_MS, SHRED_SHARE * took))

    async def _renew_ring(self) -> None:
        self._to_shred.clear()
        self._due = False
        if await self._store.read(lambda held: held.tables.ring_due()):
            left = await self._store.renew_ring()
            _log.info("%s: a new ring key, %d records are left", self._store.device, left)


def _told(one: Owed, now: Millis) -> Owed:
    return msgspec.structs.replace(one, at=one.at or now, sent=one.sent + 1)


def _owed(held: Held) -> list[Owed]:
    raw = held.tables.meta(_OWED_KEY)
    return [] if raw is None else msgspec.msgpack.decode(raw, type=list[Owed])


def _keep(held: Held, owed: list[Owed]) -> None:
    held.tables.set_meta(_OWED_KEY, msgspec.msgpack.encode(owed))


def _nothing(_result: object, _committed: Committed) -> None:
    """Nothing of it is news to the officer."""
