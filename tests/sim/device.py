"""The simulated handheld's shell: the real session and replica over a disk whose every write may be the last.

A transaction is a checkpoint of the tables and, when anything at all stops it, the way back to it. A crash loses
everything that is not in a finished transaction.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from schemas import wire
from schemas.errors import PeerError, UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import KindSpec
from schemas.limits import PAGE_ROWS_MAX, SALT_BYTES
from schemas.ops import Op
from sync.clock import Learned, Made, Offset, true_time
from sync.replica import Outcome, Replica, StoredOp, WriteFacts
from sync.session import DeviceSession, HelloFacts
from sync.session.device import DownEvent
from tests.sim.faults import Fuse, FusedTables
from tests.sim.server import Link, sign

_T = TypeVar("_T")
_KEYSTREAM: Final = hashlib.shake_256(b"the quarantine's key")
_SEALED: Final = b"sealed:"
PUSHED_AT_ONCE: Final = 3
Seen = Callable[["SimDevice", Outcome], None]


def seal(body: bytes) -> bytes:
    """A stand-in for HPKE (RFC 9180): nothing of the body can be read in it."""
    mask = _KEYSTREAM.digest(len(body))
    return _SEALED + bytes(one ^ other for one, other in zip(body, mask, strict=True))


def unseal(sealed: bytes) -> bytes:
    """What was sealed."""
    return seal(sealed.removeprefix(_SEALED)).removeprefix(_SEALED)


class SimDevice:
    """One handheld and its officer."""

    def __init__(self, name: str, fuse: Fuse, now: Callable[[], Millis], watch: "Watch") -> None:
        """Switch it on for the first time."""
        self.id = DeviceId(name)
        self._fuse = fuse
        self._now = now
        self._watch = watch
        self.skew_ms = 0
        self.tables = FusedTables(fuse, name)
        self.made: dict[OpNumber, bytes] = {}
        """What the officer was told is saved: the test's own ledger."""
        self.lazy = False
        """Whether it keeps its acknowledgements to itself, so that the server runs out of credit."""
        self.endings: list[str] = []
        self.repairs = 0
        self.copies = 0
        """How often it found that the server holds its chain otherwise."""
        self._boots = 0
        self._start()

    def _start(self) -> None:
        self._boots += 1
        self.session: DeviceSession | None = None
        self.link: Link | None = None
        self._learned: Learned | None = None
        self._owed: dict[ScopeName, Seq] = {}
        self._owed_bytes = 0
        self._handed: set[OpNumber] = set()
        self.replica = self._transact(lambda: Replica(self.tables, self.id))
        self.replica.seal_with(seal)

    def crash(self) -> None:
        """Lose the power, and come back."""
        self.hang_up()
        fuse_left, self._fuse.left = self._fuse.left, None
        self._start()
        self._fuse.left = fuse_left

    def _transact(self, body: Callable[[], _T]) -> _T:
        """Run one transaction: all of it or nothing."""
        self._fuse.point(self.id, "before transaction")
        saved = self.tables.checkpoint()
        try:
            return body()
        except BaseException:
            self.tables.restore(saved)
            raise

    # --- the officer -------------------------------------------------------------------------------------------------

    def time(self) -> Millis:
        """What it takes for the time of day."""
        return true_time(self._clocks(), self._learned)[0]

    def write(
        self,
        record: RecordId,
        spec: KindSpec,
        changes: Mapping[str, Any],
        *,
        occurred_at: int,
        create: bool = False,
        correct: bool = False,
    ) -> Op | None:
        """Make a change; None when the replica says that it cannot be made."""
        made = self._clocks()
        now, doubt = true_time(made, self._learned)
        made = made if doubt else msgspec.structs.replace(made, known_ms=now)
        facts = WriteFacts(
            author=OfficerId(f"O-{self.id}"),
            now=now,
            wall=Millis(made.wall_ms),
            made=made,
            doubt=doubt,
            occurred_at=Millis(occurred_at),
            salt=hashlib.sha256(b"%d of %s" % (self.replica.next_op, self.id.encode())).digest()[:SALT_BYTES],
        )
        named = {FieldName(name): value for name, value in changes.items()}
        try:
            op = self._transact(lambda: self.replica.write(record, spec, named, facts, create=create, correct=correct))
        except UsageError:
            return None
        body = self.tables.op(op.n)
        self.made[op.n] = b"" if body is None else body.body
        self._watch.wrote(self, op)
        self._fuse.point(self.id, "after transaction")
        self.flush()
        return op

    def _clocks(self) -> Made:
        return Made(self._now() + self.skew_ms, self._now(), f"boot {self._boots}")

    def _learn(self, offset: Offset) -> None:
        """What the server said of the time, until the machine is started anew."""
        at = Made(offset.mono_ms + self.skew_ms, offset.mono_ms, f"boot {self._boots}")
        self._learned = Learned(offset.server_ms, at)

    def _times(self, ops: Sequence[StoredOp]) -> dict[OpNumber, Millis]:
        """When some ops were made, where it is known better by now."""
        made = {op.n: self.replica.made(op.n) for op in ops}
        return {n: min(true_time(then, self._learned)[0], self.time()) for n, then in made.items() if then is not None}

    # --- the link ----------------------------------------------------------------------------------------------------

    def connect(self) -> Link | None:
        """Open a link and a session; None when there is one."""
        if self.link is not None:
            return None
        self.link = Link()
        facts = HelloFacts(
            device=self.id,
            epoch=self.replica.epoch,
            positions=self.replica.positions(),
            next_op=self.replica.next_op,
            chain=self.replica.chain,
            sealed=len(self.replica.sealed(OpNumber(0), PAGE_ROWS_MAX)),
        )
        self.session = DeviceSession(facts, lambda message: sign(self.id.encode(), message), self._now())
        self._owed, self._owed_bytes, self._handed = {}, 0, set()
        return self.link

    def hang_up(self) -> None:
        """Drop the session and this end of the link."""
        if self.link is not None:
            self.link.device_gone = True
            self.link.down.clear()
        if self.session is not None and self.session.ending is not None:
            self.endings.append(self.session.ending.spec.code)
        self.link = self.session = None

    def receive(self) -> bool:
        """Take in one frame; False when there is none."""
        link, session = self.link, self.session
        if link is None or session is None:
            return False
        if not link.down:
            if link.server_gone:
                self.hang_up()
                return True
            return False
        frame = link.down.popleft()
        event = session.receive(frame, self._now(), Millis(self._now() + self.skew_ms))
        if session.offset is not None:
            self._learn(session.offset)
        try:
            self._act(session, event, len(frame))
        except PeerError as error:
            session.fail(error)
        self.flush()
        return True

    def _act(self, session: DeviceSession, event: DownEvent | None, size: int) -> None:
        match event:
            case wire.Welcome():
                self._apply(session, lambda: self.replica.welcome(event))
            case wire.ScopeAdd():
                self._apply(session, lambda: self.replica.scope_add(event))
            case wire.Retract():
                self._apply(session, lambda: self.replica.retract(event))
            case wire.Results():
                self._apply(session, lambda: self.replica.results(event))
            case wire.Batch():
                self._owe(self._apply(session, lambda: self.replica.batch(event)), size)
            case wire.Snapshot():
                self._owe(self._apply(session, lambda: self.replica.page(event)), size)
            case wire.Quarantined():
                self._transact(lambda: self.replica.kept_sealed(map(OpNumber, event.ids)))
            case (
                wire.Notice() | wire.NewLease() | wire.Wipe() | wire.ReadsKept() | wire.Error() | None
            ):  # None of them is sent here but the first and the last.
                pass

    def _apply(self, session: DeviceSession, body: Callable[[], Outcome]) -> Outcome:
        before = self._watch.before(self)
        outcome = self._transact(body)
        self._watch.applied(self, outcome, before)
        self._fuse.point(self.id, "after transaction")
        self.made |= {n: kept.body for n in outcome.reissued.values() if (kept := self.tables.op(n)) is not None}
        session.offer_again(outcome.again)
        self.copies += outcome.copied
        for scope, gen, removed in outcome.removed:
            # The receipt is the last word about the scope: nothing of it may be acknowledged afterwards.
            self._owed.pop(scope, None)
            session.retracted(scope, gen, removed, self.time(), len(self._sealed()))
        for scope in outcome.differ:
            held = self.tables.position(scope)
            if held is not None:
                self.repairs += 1
                session.repair(scope, held.gen, self.replica.repair_ranges(scope))
        return outcome

    def _owe(self, outcome: Outcome, size: int) -> None:
        self._owed.update(outcome.positions)
        self._owed_bytes += size
        if not self.lazy:
            self.acknowledge()

    def acknowledge(self) -> bool:
        """Say what is on disk and give the credit back; False when there is nothing to say."""
        if self.session is None or self._owed_bytes == 0:
            return False
        self.session.applied(self._owed, self._owed_bytes)
        self._owed, self._owed_bytes = {}, 0
        self.flush()
        return True

    def flush(self) -> None:
        """Push what waits, and put everything on the link."""
        if self.session is None or self.link is None:
            return
        self._push(self.session)
        self._hand_over(self.session)
        frames = self.session.outgoing()
        if not self.link.server_gone:
            self.link.up.extend(frames)
        if self.session.ending is not None:
            self.hang_up()

    def _push(self, session: DeviceSession) -> None:
        while ops := self.replica.queued(session.pushed_upto, PUSHED_AT_ONCE):
            after = session.chained_upto
            digests = {} if after is None else self.replica.digests(after, ops[-1].n)
            if not session.push([(op.n, op.body) for op in ops], self._times(ops), digests):
                return

    def _sealed(self) -> list[StoredOp]:
        """Sealed ops that were not handed over on this link."""
        return [op for op in self.replica.sealed(OpNumber(0), PAGE_ROWS_MAX) if op.n not in self._handed]

    def _hand_over(self, session: DeviceSession) -> None:
        """Hand what its officer may no longer read to the server's quarantine."""
        waiting = self._sealed()
        taken = session.quarantine([(op.n, op.body) for op in waiting[:PUSHED_AT_ONCE]]) if waiting else 0
        self._handed.update(op.n for op in waiting[:taken])
        if 0 < taken < len(waiting):
            self._hand_over(session)

    def tick(self) -> None:
        """Let time pass in the session."""
        if self.session is not None:
            self.session.tick(self._now())
            self.flush()


class Watch:
    """What an oracle hears of a device. This one listens to nothing."""

    def wrote(self, device: SimDevice, op: Op) -> None:
        """An op is on the device's disk, and the officer knows."""

    def before(self, device: SimDevice) -> object:
        """Something is about to be applied."""
        return None

    def applied(self, device: SimDevice, outcome: Outcome, before: object) -> None:
        """A transaction of the server's doing has ended."""
