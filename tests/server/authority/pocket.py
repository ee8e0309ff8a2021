"""A handheld's store of one officer: the real session and replica over a pipe, and a memory of all that it was sent."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from schemas import wire
from schemas.codec import decode_down
from schemas.errors import PeerError, UsageError
from schemas.ids import DeviceId, FieldName, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName
from schemas.kinds import KindSpec
from schemas.limits import INT_MAX, OPS_PER_PUSH_MAX
from schemas.ops import Op
from schemas.roles import Role
from server.authority import Enrolled
from server.authority.keys import SEAL_INFO, SUITE
from sync.evidence.checkpoint import Checkpoint, open_signed
from sync.evidence.merkle import verify_consistency
from sync.evidence.note import VerifierKey
from sync.outbox import SHUT
from sync.replica import MemoryTables, Outcome, Replica, StoredOp, WriteFacts
from sync.replica.reads import ReadNote
from sync.session import DeviceSession, HelloFacts
from sync.session.device import DownEvent
from sync.session.table import DeviceState
from tests.server.authority.pipe import Pipe

_FIRST: Final = OpNumber(0)


class Pocket:
    """One seat.

    Attributes:
        token: what it shows when it connects.
        lease: the last that it was given.
        made: number -> bytes of each op that its officer was told is saved.
        sent: every frame that the server put on its link.
        faults: what this side found wrong in what the server sent.
        ended: the code of the last ERROR that it was sent.
        receipts: (scope, generation) of each removal that it has signed for.
        lost: records that left with a grant, and have not come back.
        pinned: the last checkpoint that it was told.
        wiped: whether it was told to destroy everything, and has.
    """

    def __init__(
        self,
        seat: str,
        device: str,
        officer: str,
        key: Ed25519PrivateKey,
        enrolled: Enrolled,
        now: Callable[[], Millis],
    ) -> None:
        """Begin with nothing but what the device was told when it was enrolled."""
        self.seat = DeviceId(seat)
        self.device = DeviceId(device)
        self.officer = OfficerId(officer)
        self.key = key
        self.token = ""
        self.lease: wire.Lease | None = None
        self.share_no = 0
        self.made: dict[OpNumber, bytes] = {}
        self.sent: list[bytes] = []
        self.faults: list[str] = []
        self.ended: str | None = None
        self.receipts: list[tuple[ScopeName, Generation]] = []
        self.removed: dict[ScopeName, Generation] = {}
        self.lost: set[RecordId] = set()
        self.wiped = False
        self.pinned: Checkpoint | None = None
        self._now = now
        self._seal_to = X25519PublicKey.from_public_bytes(enrolled.seal_to)
        self._log = VerifierKey.parse(enrolled.log_key)
        self._begin()

    def _begin(self) -> None:
        self.tables = MemoryTables()
        self.replica = Replica(self.tables, self.seat)
        self.replica.seal_with(lambda body: SUITE.encrypt(body, self._seal_to, info=SEAL_INFO))
        self.pipe: Pipe | None = None
        self._session: DeviceSession | None = None
        self._reader: asyncio.Task[None] | None = None

    # --- the link ----------------------------------------------------------------------------------------------------

    @property
    def session(self) -> DeviceSession:
        """The open session."""
        assert self._session is not None
        return self._session

    @property
    def live(self) -> bool:
        """Whether it is in contact: let in, and not sent away."""
        live = self._session is not None and self._session.state is DeviceState.LIVE
        return live and not self.wiped

    def connect(self, accept: Callable[[Pipe], object], loop: asyncio.AbstractEventLoop) -> None:
        """Open a link; an older one is cut."""
        self.cut()
        self.ended = None
        facts = HelloFacts(
            device=self.seat,
            epoch=self.replica.epoch,
            positions=self.replica.positions(),
            next_op=self.replica.next_op,
            chain=self.replica.chain,
            token=self.token,
            pinned=0 if self.pinned is None else self.pinned.size,
            next_read=self.replica.reads.next,
            share_no=self.share_no,
            sealed=len(self.replica.sealed(_FIRST, INT_MAX)),
        )
        self._session = DeviceSession(facts, self.key.sign, 0)
        self._handed = self._logged = 0
        self.pipe = Pipe(self.sent.append)
        accept(self.pipe)
        self._reader = loop.create_task(self._read(self.pipe))

    def cut(self) -> None:
        """Lose the link."""
        if self.pipe is not None:
            self.pipe.cut()
        if self._reader is not None:
            self._reader.cancel()
        self.pipe = self._session = self._reader = None

    async def _read(self, pipe: Pipe) -> None:
        while (frame := await pipe.next()) is not None:
            event = self.session.receive(frame, 0, self._now())
            try:
                self._take(event, len(frame))
            except (PeerError, UsageError) as error:
                self.faults.append(str(error))
                self.session.fail(error if isinstance(error, PeerError) else PeerError("internal"))
            self.flush()
            if self._session is None:
                return
        self._session = None

    def _take(self, event: DownEvent | None, size: int) -> None:
        if self.wiped:
            # Nothing is left that could take anything in.
            return
        held = self.rows().keys()
        self._act(event, size)
        if isinstance(event, wire.Welcome | wire.Retract):
            self.lost |= held - self.rows().keys()
        self.lost -= self.rows().keys()

    def _act(self, event: DownEvent | None, size: int) -> None:
        match event:
            case wire.Welcome():
                self._plans(event.scopes)
                outcome = self.replica.welcome(event)
                self._leased(event.lease, event.checkpoint, event.consistency)
                self._follow(outcome)
            case wire.ScopeAdd():
                self._plans((event.plan,))
                self._follow(self.replica.scope_add(event))
            case wire.Retract():
                self._follow(self.replica.retract(event))
            case wire.Results():
                self._follow(self.replica.results(event))
            case wire.Batch() | wire.Snapshot():
                outcome = self.replica.batch(event) if isinstance(event, wire.Batch) else self.replica.page(event)
                self.session.applied(outcome.positions, size)
                self._follow(outcome)
            case _:
                self._beside(event)

    def _beside(self, event: DownEvent | None) -> None:
        """Carry out what changes no record, or destroys them all."""
        match event:
            case wire.NewLease():
                self._leased(event.lease, event.checkpoint, event.consistency)
            case wire.ReadsKept():
                self.replica.reads.kept(event.upto)
            case wire.Quarantined():
                self.replica.kept_sealed(map(OpNumber, event.ids))
            case wire.Wipe():
                self._wipe()
            case wire.Error():
                self.ended = event.code
            case _:
                if self.session.ending is not None and self.ended is None:
                    self.faults.append(str(self.session.ending))

    def _plans(self, plans: tuple[wire.Plan, ...]) -> None:
        """A generation that has ended never comes back."""
        for plan in plans:
            if plan.action != "drop" and plan.gen <= self.removed.get(plan.scope, 0):
                self.faults.append(f"{plan.scope} begins again in generation {plan.gen}, which has ended")

    def _leased(self, lease: wire.Lease | None, checkpoint: bytes, consistency: tuple[bytes, ...]) -> None:
        if checkpoint:
            self._pin(checkpoint, consistency)
        if lease is not None:
            self.lease, self.token, self.share_no = lease, lease.token, lease.share_no

    def _pin(self, checkpoint: bytes, consistency: tuple[bytes, ...]) -> None:
        """The log only ever grows: what is told now continues what was told before."""
        told = open_signed(checkpoint, [self._log])
        before, self.pinned = self.pinned, told
        if before is not None and not verify_consistency(before.size, before.root, told.size, told.root, consistency):
            self.faults.append(f"the log of {told.size} entries does not continue the one of {before.size}")

    def _follow(self, outcome: Outcome) -> None:
        for scope, gen, removed in outcome.removed:
            self.removed[scope] = gen
            self.receipts.append((scope, gen))
            left = sum(op.n > self._handed for op in self.replica.sealed(_FIRST, INT_MAX))
            self.session.retracted(scope, gen, removed, self._now(), left)
        if outcome.differ:
            self.faults.append(f"the digest of {outcome.differ} is not the server's")
        self.session.offer_again(outcome.again)

    def _wipe(self) -> None:
        session, pipe, reader = self.session, self.pipe, self._reader
        self.wiped = True
        session.wiped(self._now())
        self._begin()
        self._session, self.pipe, self._reader = session, pipe, reader
        self.made.clear()

    def flush(self) -> None:
        """Hand over what was sealed, the read log and what waits, and put everything on the link."""
        session, pipe = self._session, self.pipe
        if session is None or pipe is None:
            return
        if session.state is DeviceState.LIVE and not self.wiped:
            sealed = [op for op in self.replica.sealed(_FIRST, OPS_PER_PUSH_MAX) if op.n > self._handed]
            taken = session.quarantine([(op.n, op.body) for op in sealed])
            self._handed = sealed[taken - 1].n if taken else self._handed
            entries = self.replica.reads.waiting(self._logged, OPS_PER_PUSH_MAX)
            if entries:
                taken = session.reads(entries[0][0], [body for _, body in entries])
                self._logged = entries[taken - 1][0] if taken else self._logged
            self._push(session)
        for frame in session.outgoing():
            pipe.send(frame)

    def _push(self, session: DeviceSession) -> None:
        while ops := self.replica.queued(session.pushed_upto, OPS_PER_PUSH_MAX):
            after = session.chained_upto
            digests = {} if after is None else self.replica.digests(after, ops[-1].n)
            if not session.push([(op.n, op.body) for op in ops], digests=digests):
                return

    # --- its officer -------------------------------------------------------------------------------------------------

    def write(
        self,
        record: RecordId,
        spec: KindSpec,
        changes: Mapping[str, Any],
        *,
        create: bool = False,
        roles: frozenset[Role] | None = None,
    ) -> Op | None:
        """Make a change; None when the replica says that it cannot be made."""
        if self.wiped:
            return None
        now = self._now()
        n = int(self.replica.next_op)
        facts = WriteFacts(
            author=self.officer, now=now, wall=now, occurred_at=now, salt=n.to_bytes(16, "big"), roles=roles
        )
        named = {FieldName(name): value for name, value in changes.items()}
        try:
            op = self.replica.write(record, spec, named, facts, create=create)
        except UsageError:
            return None
        kept = self.tables.op(op.n)
        assert kept is not None
        self.made[op.n] = kept.body
        self.flush()
        return op

    def look_at(self, *records: RecordId) -> None:
        """Its officer reads records: the log says so."""
        now = self._now()
        self.replica.reads.note(
            ReadNote(what="consultation", author=self.officer, records=records, at=now, wall=now, why="to know")
        )
        self.flush()

    # --- what it holds -----------------------------------------------------------------------------------------------

    def rows(self) -> dict[RecordId, bytes]:
        """Every record that is in the replica."""
        return {record: kept[2] for record, kept in self.tables._rows.items()}

    def readable(self) -> list[StoredOp]:
        """Own ops whose content it can still read."""
        return [op for op in self.tables._ops.values() if op.body and op.state not in SHUT]

    def late(self) -> bool:
        """Every batch and page of generations that have ended arrives once more. Returns whether anything changed."""
        held = {scope: position.gen for scope, position in self.tables.positions().items()}
        before = (self.rows(), self.tables.positions(), repr(self.tables._members))
        for frame in self.sent:
            match _past(frame, held):
                case wire.Batch() as message:
                    self.replica.batch(message)
                case wire.Snapshot() as page:
                    self.replica.page(page)
                case None:
                    pass
        return before != (self.rows(), self.tables.positions(), repr(self.tables._members))


def _past(frame: bytes, held: Mapping[ScopeName, Generation]) -> wire.Batch | wire.Snapshot | None:
    """The batch or page in a frame, if it is of another generation than is held now."""
    message = decode_down(frame)
    if not isinstance(message, wire.Batch | wire.Snapshot):
        return None
    return message if held.get(message.scope) != message.gen else None
