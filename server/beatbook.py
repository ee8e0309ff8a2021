"""A running server, apart from its sockets: what stands behind the ASGI application, and its life."""

import asyncio
import contextlib
import gc
import random
import time
from collections.abc import Callable, Iterable
from typing import Final

from starlette.websockets import WebSocket

from schemas.ids import DeviceId, Millis, OfficerId
from schemas.settings import Settings
from schemas.wire import SUBPROTOCOL
from server.authority import Authority, ServerKeys
from server.cohorts import Cohorts
from server.commits import Settled
from server.committer import Committer
from server.edge.admission import Admissions
from server.edge.middleware import DevicePace
from server.escalation import Escalations
from server.events.subscription import Subscription
from server.events.webhooks import Webhooks
from server.evidence.consulted import Consultations
from server.evidence.disclosure import Disclosures
from server.evidence.section62 import Section62
from server.federation.passphrases import Parameters
from server.federation.settings import SignInSettings
from server.filing import Filing
from server.force_settings import bring_settings
from server.gate import Gate
from server.hub import Hub
from server.loans import Loans
from server.observing.measures import Measures
from server.office import Office
from server.organisation.organising import Organising
from server.pump import Connection, Services
from server.quarantine import Quarantine
from server.restored import Restores
from server.retention import Schedule
from server.returning import ReturnPace
from server.reviewing import Reviewing
from server.store import Store
from server.store.sqlite import SqliteStore
from server.timers import Timers
from server.turn import Turn
from server.witness.client import WitnessAddress

TICK_S: Final = 1.0
"""How often the sessions' deadlines are looked at; they are tens of seconds away."""


def wall_clock() -> Millis:
    """The server's clock: ms since 1970."""
    return Millis(time.time_ns() // 1_000_000)


class Beatbook:
    """Store, committer, hub, authority, office, escalations and timers of one running server.

    `start` and `stop` bracket its life; the ASGI application calls them. Tests and tools use it without a socket.
    """

    def __init__(  # noqa: PLR0913  the parts of the whole
        self,
        store: Store,
        keys: ServerKeys,
        now: Callable[[], Millis] = wall_clock,
        *,
        gate: Gate | None = None,
        hashing: Parameters | None = None,
        ways: SignInSettings | None = None,
        pace: DevicePace | None = None,
        schedule: Schedule | None = None,
        witnesses: Iterable[WitnessAddress] = (),
        settings: Settings | None = None,
        subscriptions: Iterable[Subscription] = (),
        returning: ReturnPace | None = None,
        admissions: Admissions | None = None,
    ) -> None:
        """Bind the parts.

        Args:
            store: an open store; it is closed by `stop`.
            keys: the server's own.
            now: the server's clock.
            gate: whom sync sockets ask; the authority's by default.
            hashing: what a passphrase's hash costs; by default what it must cost where people rely on it.
            ways: how officers may sign in beside collar number and passphrase; by default in none.
            pace: how often one device may come.
            schedule: how long records are kept before somebody looks at them again.
            witnesses: who is asked to cosign the log.
            settings: the force's, that everybody goes by from the start on; None leaves in force what is.
            subscriptions: who is sent events.
            returning: how fast devices are asked to come back when it goes down.
            admissions: gives each device a turn to be let in; by default everybody is let in at once.
        """
        self.store = store
        self.now = now
        self.measures = Measures()
        """What it counts of its own work."""
        if isinstance(store, SqliteStore):
            store.writer.took = self.measures.took
        self.hub = Hub(Turn(self.measures))
        self.committer = Committer(store, now, self._publish, Filing(keys), self.measures)
        self.authority = Authority(
            store, self.committer, self.hub, keys, now, hashing=hashing, ways=ways, witnesses=witnesses
        )
        self.gate: Gate = gate or self.authority.gatekeeper
        """Whom sync sockets ask."""
        self.office = Office(store, self.committer, now)
        self.restores = Restores(store, self.office, now)
        self.organising = Organising(store, self.authority.ledger, self.office, now)
        self.quarantine = Quarantine(store, self.office, self.authority)
        self.reviewing = Reviewing(store, self.authority.ledger, now, schedule or Schedule.of())
        self.escalations = Escalations(store, self.office, now)
        self.timers = Timers(store, self.office, now)
        self.cohorts = Cohorts(store, self.office, now)
        self.loans = Loans(store, self.office, now)
        self.consultations = Consultations(self.committer)
        self.disclosures = Disclosures(store, self.authority.ledger, self.authority.checkpoints)
        self.section62 = Section62(store, self.committer, self._officer_of)
        self.webhooks = Webhooks(store, self.committer, now, subscriptions)
        self.pace = pace or DevicePace()
        """How often one device may come, by socket and by HTTP."""
        self._returning = returning or ReturnPace()
        self._admissions = admissions
        self._settings = settings
        self._commits: asyncio.Task[None] | None = None
        self._beside: list[asyncio.Task[None]] = []
        self.ready = False

    async def start(self) -> None:
        """Begin to commit and to serve."""
        self.hub.stand_at(await self.store.heads())
        await self.office.start()
        self._commits = asyncio.create_task(self.committer.run())
        if self._settings is not None:
            # Before the timers look at anything: they go by them.
            await bring_settings(self.office, self._settings)
        await self.authority.start()
        await self.webhooks.start()
        running = (
            self._tick(),
            self.escalations.run(),
            self.timers.run(),
            self.cohorts.run(),
            self.loans.run(),
            self.authority.run(),
            self.authority.witnessing.run(),
            *self.webhooks.tasks(),
        )
        self._beside = [asyncio.create_task(one) for one in running]
        # A full collection over thousands of connections takes most of a second: what lives for ever is set aside.
        gc.collect()
        gc.freeze()
        self.ready = True

    async def say_goodbye(self, wait_s: float) -> None:
        """Tell every device to come back, and wait until their sockets are closed."""
        self.ready = False
        self.hub.stop(self._returning, random.random)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.hub.empty()

    async def stop(self) -> None:
        """Commit what has arrived, then close the store."""
        self.ready = False
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await self.authority.close()
        self.committer.close()
        if self._commits is not None:
            await asyncio.gather(self._commits, return_exceptions=True)
        await self.store.close()

    def _publish(self, settled: Settled) -> None:
        self.hub.publish(settled)
        self.escalations.published(settled)
        self.timers.published(settled)
        self.cohorts.published(settled)
        self.loans.published(settled)
        self.webhooks.published(settled)

    def _officer_of(self, device: DeviceId) -> OfficerId | None:
        seat = self.authority.ledger.registry.seats.get(device)
        return None if seat is None else seat.officer.officer

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.hub.tick(self.now())

    async def socket(self, socket: WebSocket) -> None:
        """Serve one device."""
        if SUBPROTOCOL not in socket.scope["subprotocols"]:
            await socket.close()
            return
        services = Services(
            self.store,
            self.committer,
            self.hub,
            self.gate,
            self.now,
            pace=self.pace,
            admissions=self._admissions,
            restores=self.restores,
        )
        await Connection(socket, services).run()
