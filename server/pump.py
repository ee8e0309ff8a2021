"""One WebSocket: bytes in to its session, frames out of it. It decides nothing.

What comes is `server.incoming`'s, what goes `server.outgoing`'s; here is what the session demands of a server. What is
to be sent is asked of the session only when the last frame has gone into the socket, so a slow device costs its
position, not memory. A device that has nothing to say costs one task, which waits for its end.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from time import perf_counter
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.websockets import WebSocket

from schemas.errors import PeerError, StoreError, UsageError
from schemas.ids import DeviceId, Millis
from schemas.wire import NONCE_BYTES, SUBPROTOCOL, Lease, Result, Wiped
from server import intake
from server.alarms import CHAIN_DIFFERS, Alarm
from server.commits import Submission
from server.committer import Committer
from server.edge.admission import Admissions
from server.edge.middleware import DevicePace
from server.gate import Gate, Seated
from server.hub import Hub
from server.incoming import Incoming
from server.outgoing import Outgoing
from server.registry.state import ReadsState
from server.restored import Restores, is_ahead
from server.returning import CUSTODY_DESK, rank
from server.store import Store
from sync.evidence.chain import ChainHead, genesis
from sync.session import Admission, ServerSession
from sync.session.steps import (
    CheckHello,
    Commit,
    Demand,
    KeepReads,
    KeepSealed,
    Receipt,
)

_log = logging.getLogger(__name__)
LAST_WORDS_S: Final = 5.0
"""How long a socket that is being closed may take to accept its ERROR frame."""
PARTING_MS: Final = 5_000
"""How long a device that must part may take to remove what it holds, to say so, and to hand over what it sealed."""


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature (RFC 8032) fits."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_logged(next_read: int, kept: int, before: ReadsState) -> bool:
    """Whether a lease may be given, as far as HELLO tells of the read log; of a pardoned one its next entries tell."""
    match before:
        case ReadsState.WHOLE:
            return next_read > kept
        case ReadsState.PARDONED:
            return next_read == kept + 1
        case ReadsState.SET_BACK:
            return False


class Services:
    """What every connection works with."""

    def __init__(
        self,
        store: Store,
        committer: Committer,
        hub: Hub,
        gate: Gate,
        now: Callable[[], Millis],
        *,
        pace: DevicePace | None = None,
        admissions: Admissions | None = None,
        restores: Restores | None = None,
    ) -> None:
        """Bind them.

        Args:
            store, committer, hub, gate, now: the server's.
            pace: counts how often each device comes.
            admissions: gives each a turn to be let in; by default everybody is let in at once.
            restores: hears of a device that was further.
        """
        self.store = store
        self.committer = committer
        self.hub = hub
        self.gate = gate
        self.now = now
        self.pace = pace or DevicePace()
        self.admissions = admissions
        self.restores = restores
        self.turn = hub.turn
        self.measures = self.turn.measures


class Connection:
    """One device's socket, for as long as it is open."""

    def __init__(self, socket: WebSocket, services: Services) -> None:
        """Begin a session; nothing is sent yet."""
        self._socket = socket
        self._services = services
        self._over: asyncio.Future[None] | None = None
        self._reads: ChainHead | None = None
        self._until: Millis | None = None
        self._renew_at: Millis | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._told = 0
        self._arrived = 0.0
        """When the message came that is being looked at, by `perf_counter`."""
        self._parting: tuple[str, Millis] | None = None
        self._closing = False
        self._closed = False
        self._reads_off = False
        self._pardoned = False
        self.session = ServerSession(secrets.token_bytes(NONCE_BYTES), verify, services.now())
        self.outgoing = Outgoing(socket, self.session, services.hub, services.store, services.turn, self.gone)
        self._incoming = Incoming(self.session, self.outgoing, self)

    def wake(self) -> None:
        """Look again for something to send."""
        if self.session.ending is not None:
            self.gone()
        self.outgoing.wake()

    @property
    def follows(self) -> bool:
        """Whether it may be put to together with others."""
        return self.outgoing.follows

    # --- what the authority has to say -------------------------------------------------------------------------------

    def tick(self, now: Millis) -> None:
        """Let time pass: end a session whose device is silent, whose sign-in is over, or which must part."""
        session = self.session
        session.tick(now)
        if session.device is not None and session.ending is None:
            if self._parting is not None and now >= self._parting[1]:
                session.fail(PeerError(self._parting[0]))
            elif self._parting is not None and not (session.leaving or session.handing_over):
                self._parted(self._parting[0])
            elif self._until is not None and now >= self._until:
                session.fail(PeerError("bad_token", "its sign-in has ended"))
            elif self._renew_at is not None and now >= self._renew_at and self._renewing is None:
                self._renewing = asyncio.create_task(self.renew())
        if session.ending is not None:
            self.wake()

    def part(self, code: str) -> None:
        """End the session with that error, once the device has removed what it must and handed over what it sealed.

        Told for several reasons, it ends for the first: what follows from that is no reason of its own.
        """
        if self._parting is None:
            self._parting = (code, Millis(self._services.now() + PARTING_MS))

    def _parted(self, code: str) -> None:
        """The device has removed all it must, and all that it sealed is durable."""
        if not self._closing:
            self.session.fail(PeerError(code))
        elif not self._closed:
            # What is left on the device is destroyed before it goes: it is told so, and says so.
            self._closed = True
            self._begin(self._close_seat())

    async def _close_seat(self) -> None:
        device = self.session.device
        try:
            if device is not None:
                await self._services.gate.handed_over(device)
        except (StoreError, UsageError) as error:
            _log.error("that %s has handed over cannot be noted: %s", device, error)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside reading and writing, to its end."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def renew(self, *, fresh_share: bool = False) -> None:
        """Give the device a new lease, with the log's newest checkpoint."""
        gate, device = self._services.gate, self.session.device
        try:
            lease = None if device is None else await gate.lease(device, fresh_share=fresh_share)
            if lease is None:
                # Whoever was let in with a lease and gets no other is entitled to none any more.
                self.part("bad_token")
            else:
                size, checkpoint, consistency = await gate.checkpoint(self._told)
                self._told = size
                self._leased(lease)
                self.session.renew(lease, checkpoint, consistency)
                self.wake()
        except StoreError as error:
            _log.error("no lease for %s: %s", device, error)
        finally:
            self._renewing = None

    def _leased(self, lease: Lease | None) -> None:
        """A lease was given: half-way to its end, or to the token's, comes the next."""
        if lease is not None:
            self._renew_at = Millis(self._services.now() + min(lease.lasts_ms, lease.token_lasts_ms) // 2)

    async def run(self) -> None:
        """Serve the socket to its end."""
        hub = self._services.hub
        await self._socket.accept(SUBPROTOCOL)
        self._over = asyncio.get_running_loop().create_future()
        hub.open(self)
        if hub.stopping:
            self.session.fail(PeerError("server_stopping", retry_after_ms=0))
        try:
            self._incoming.begin(self._socket, self.outgoing.begin())
            self.wake()
            await self._over
            if self.session.ending is not None:
                if self.session.ending.spec.code == "chain_broken":
                    self._raise_alarm(CHAIN_DIFFERS, f"what it pushed was refused: {self.session.ending.detail}")
                # Let its last words be said; a device that does not read them is not waited for.
                await self.outgoing.finish(LAST_WORDS_S)
        finally:
            tasks = self._incoming.stop() + self.outgoing.stop()
            hub.leave(self)
            measures, ending = self._services.measures, self.session.ending
            measures.session_ends["gone" if ending is None else ending.spec.code] += 1
            measures.repairs += self.session.repairs
            if self._renewing is not None:
                tasks.append(self._renewing)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def gone(self) -> None:
        """Nothing more comes from the device, or goes to it."""
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    # --- in ----------------------------------------------------------------------------------------------------------

    def receive(self, message: bytes) -> Demand | None:
        """Give the session a message; what it demands."""
        session, measures = self.session, self._services.measures
        over, came = session.ending is not None, perf_counter()
        self._arrived = came
        demand = session.receive(message, self._services.now())
        if isinstance(demand, Commit):
            measures.stages["check"].observe(perf_counter() - came)
        elif session.ending is not None and not over:
            measures.refused_frames[session.ending.spec.code] += 1
        return demand

    def obey_at_once(self, demand: Demand) -> bool:
        """Do what the session demands, if that needs no waiting; returns whether it did."""
        if isinstance(demand, CheckHello) or not self._services.committer.has_room:
            return False
        self._hand_in(demand, perf_counter())
        return True

    async def obey(self, demand: Demand) -> None:
        """Do what the session demands."""
        if isinstance(demand, CheckHello):
            await self._admit(demand)
            return
        came = perf_counter()
        await self._services.committer.room()
        self._hand_in(demand, came)

    def _hand_in(self, demand: Commit | KeepReads | KeepSealed | Receipt, came: float) -> None:
        if isinstance(demand, Commit):
            self._submit(demand, came)
        else:
            self._keep(demand)

    async def _admit(self, demand: CheckHello) -> None:
        services = self._services
        if services.admissions is not None:
            desk = rank(services.gate.grants(demand.device)) <= CUSTODY_DESK
            come_back = await services.admissions.turn(desk=desk)
            if come_back is not None:
                self.session.fail(PeerError("server_busy", retry_after_ms=come_back))
            if self.session.ending is not None:
                return
        try:
            seated = await services.gate.look(demand.device, demand.body)
            admission = await self._admission(demand, seated)
        except StoreError as error:
            _log.error("cannot admit %s: %s", demand.device, error)
            self.session.fail(PeerError("server_busy", retry_after_ms=1_000))
            return
        except PeerError as error:
            self.session.fail(error)
            return
        # From here to `enter` nothing awaits: no commit can fall between the heads and the subscription, and no change
        # of grants between what the gate says and the session.
        grants = services.hub.grants(services.gate.grants(demand.device) if seated.welcome else {})
        self.session.admit(msgspec.structs.replace(admission, grants=grants), services.now())
        if self.session.device is not None:
            # Only now: before the proof anyone could use up another device's pace.
            wait = services.pace.connect(demand.device)
            if wait is not None:
                self.session.fail(PeerError("too_fast", retry_after_ms=wait))
                return
            self._until = seated.until
            self._leased(admission.lease)
            services.hub.enter(demand.device, self)
            if not seated.welcome:
                self._closing = seated.closing
                self.part("device_revoked")
            if self.session.set_back:
                self._raise_alarm(CHAIN_DIFFERS, "its op chain ends before, or differs from, what the server holds")
            self._look_at_reads(demand.body.next_read, seated.reads)
            known = demand.body.epoch == admission.epoch
            if known and services.restores is not None and is_ahead(demand.body.scopes, grants):
                await self._set_back(services.restores)

    async def _set_back(self, restores: Restores) -> None:
        """This device has seen what the server has lost: nothing that it brings is numbered before that is noted."""
        try:
            await restores.tell("a device has seen commits that are not there")
        except StoreError as error:
            _log.error("cannot note that the server was set back: %s", error)
            self.session.fail(PeerError("server_busy", retry_after_ms=1_000))

    async def _admission(self, demand: CheckHello, seated: Seated) -> Admission:
        """All that WELCOME tells but the grants."""
        services, device = self._services, demand.device
        chain = await services.store.chain(device)
        self._reads = await services.store.chain(intake.reads_chain(device))
        reads_kept = 0 if self._reads is None else self._reads.n
        entitled = (
            seated.welcome and seated.wipe is None and _is_logged(demand.body.next_read, reads_kept, seated.reads)
        )
        self._told, checkpoint, consistency = await services.gate.checkpoint(demand.body.pinned)
        return Admission(
            public_key=seated.public_key,
            grants={},
            epoch=services.store.epoch,
            last_op=await services.store.last_op(device),
            officer=seated.officer,
            chain=genesis(device) if chain is None else chain,
            lease=await services.gate.lease(device) if entitled else None,
            checkpoint=checkpoint,
            consistency=consistency,
            reads_kept=reads_kept,
            reads_missing=seated.reads is ReadsState.SET_BACK,
            wipe=seated.wipe,
        )

    def _submit(self, demand: Commit, came: float) -> None:
        device = self.session.device
        if device is None:
            return

        def done(results: tuple[Result, ...]) -> None:
            self.session.committed(results, demand.size)
            self.wake()

        since = self._services.now() if demand.since is None else demand.since
        submission = Submission(
            device,
            self.session.scope_names,
            demand.ops,
            schema=self.session.schema,
            times=demand.times,
            roles=self._services.gate.roles(device, since),
            head=demand.head,
        )
        self._services.committer.submit(submission, done, self._failed, came, self._arrived)

    def _keep(self, demand: KeepReads | KeepSealed | Receipt) -> None:
        """Have what is no op committed, and tell the device once it is."""
        device, session = self.session.device, self.session
        if device is None:
            return
        submission: Submission | None
        told: Callable[[], None]
        match demand:
            case KeepReads():
                try:
                    taken = self._take_reads(device, demand)
                except PeerError as error:
                    session.fail(error)
                    return
                if taken is None:
                    return
                submission, told = taken
            case KeepSealed():
                submission = intake.sealed_entries(device, session.officer, demand.edits)
                told = partial(session.quarantined, tuple(id_ for id_, _ in demand.edits), demand.size)
            case Receipt():
                submission, told = intake.receipt_entry(device, demand.message), partial(self._received, demand)

        def done(_results: tuple[Result, ...]) -> None:
            told()
            self.wake()

        if submission is None:
            done(())
        else:
            self._services.committer.submit(submission, done, self._failed)

    # --- the read log ------------------------------------------------------------------------------------------------

    def _look_at_reads(self, next_read: int, before: ReadsState) -> None:
        """What HELLO says of the read log. One that was set back costs the lease, and nothing of what was written."""
        kept = 0 if self._reads is None else self._reads.n
        self._pardoned = before is ReadsState.PARDONED
        self._reads_off = next_read <= kept or before is ReadsState.SET_BACK
        if next_read <= kept and before is ReadsState.WHOLE:
            self._begin(self._reads_differ(f"it says that it has fewer than {kept} entries"))
        elif self._pardoned and next_read == kept + 1:
            self._begin(self._reads_resumed())

    def _take_reads(self, device: DeviceId, demand: KeepReads) -> tuple[Submission | None, Callable[[], None]] | None:
        """What to commit of entries, and what to tell once it is; None where nothing of them is taken.

        Raises:
            PeerError: they are none.
        """
        session, held = self.session, self._reads
        kept = 0 if held is None else held.n
        if self._reads_off:
            session.reads_missing(kept, demand.size)
            return None
        try:
            submission, self._reads = intake.take_reads(device, session.officer, held, demand.first, demand.entries)
        except intake.ReadsDifferError as error:
            self._reads_off = True
            self._renew_at = None
            session.reads_missing(kept, demand.size)
            self._begin(self._reads_differ(error.detail))
            return None
        if submission is None and demand.first + len(demand.entries) <= kept:
            # Whether these are the ones that are held shows with the last that is: until then they stay on the device.
            return None, partial(session.reads_kept, 0, demand.size)
        if self._pardoned:
            self._pardoned = False
            self._begin(self._reads_resumed())
        return submission, partial(session.reads_kept, self._reads.n, demand.size)

    async def _reads_differ(self, detail: str) -> None:
        device, kept = self.session.device, 0 if self._reads is None else self._reads.n
        try:
            if device is not None and await self._services.gate.reads_differ(device, kept):
                self._raise_alarm("reads_missing", detail)
        except (StoreError, UsageError) as error:
            _log.error("that the read log of %s was set back cannot be noted: %s", device, error)

    async def _reads_resumed(self) -> None:
        device = self.session.device
        try:
            if device is not None:
                await self._services.gate.reads_resumed(device)
                await self.renew()
        except (StoreError, UsageError) as error:
            _log.error("that the read log of %s goes on cannot be noted: %s", device, error)

    def _received(self, receipt: Receipt) -> None:
        """Something has left the replica: once all of it has, a new share makes what is left on the disk useless."""
        if isinstance(receipt.message, Wiped):
            self._begin(self._wiped(receipt.message))
        elif self._renew_at is not None and not self.session.leaving and self._renewing is None:
            self._renewing = asyncio.create_task(self.renew(fresh_share=True))

    async def _wiped(self, message: Wiped) -> None:
        device = self.session.device
        try:
            if device is not None:
                await self._services.gate.wiped(device, message.receipt)
        except (StoreError, UsageError) as error:
            _log.error("that %s is wiped cannot be noted: %s", device, error)

    def _raise_alarm(self, code: str, detail: str) -> None:
        device = self.session.device
        if device is not None:
            self._services.measures.alarms[code] += 1
            _log.warning("%s: %s", device, detail)
            alarm = Alarm(code, device, detail, self._services.now())
            self._services.committer.submit(intake.alarm_entry(alarm), lambda _: None, lambda _: None)

    def _failed(self, _error: StoreError) -> None:
        self.session.fail(PeerError("internal", retry_after_ms=1_000))
        self.wake()
