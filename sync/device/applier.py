"""What came, into the store: each message one transaction, in order, then what follows from it, told and answered.

It keeps, per connection, in which scopes something is still to come, and sees that a digest which is not the server's
is mended: by a repair, and when that does not help by a new snapshot. What must be so before a removal is confirmed is
`leaving`'s, what goes up beside the ops `handing`'s, and what the server orders `orders`'.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, assert_never

import msgspec

from schemas import wire
from schemas.errors import PeerError
from schemas.ids import Generation, Millis, OpNumber, ScopeName, Seq, op_id
from schemas.kinds import kind_named
from sync.clock import Made
from sync.device.arrivals import Arrivals
from sync.device.changes import ChangeFeed, EditsErased, EditsSealed, OpDurable, OpHeld, OpReissued, RecordChanged
from sync.device.clocks import DeviceTime
from sync.device.database import uninterrupted
from sync.device.findings import Finding, pinned
from sync.device.handover import HandOver
from sync.device.inbox import Alone, Rows
from sync.device.leaving import Leaving
from sync.device.orders import Orders
from sync.device.signed_in import SignedIn
from sync.device.status import StatusBoard
from sync.device.store import LEARNED_KEY, SYNCED_KEY, Committed, Held, ReplicaStore
from sync.device.ties import Ties
from sync.replica import Outcome, StoredOp
from sync.session import DeviceSession, HelloFacts

_log = logging.getLogger(__name__)

Beside = wire.Notice | wire.ReadsKept | wire.Quarantined | wire.NewLease | wire.Wipe | wire.Error
REPAIRS_IN_A_ROW_MAX: Final = 2
"""Repairs of one scope that did not help, after which it is asked for anew."""
_OPEN_REPAIR_BATCHES_MAX: Final = 64
"""Batches that may still differ while a repair is open: they left before the server had heard of it."""


class _Repair:
    """A scope's repairs: how many in a row, and whether one is open."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self.open = False
        self.pages_done = False
        self.batches = 0

    def begin(self) -> None:
        self.in_a_row += 1
        self.open = True
        self.pages_done = False
        self.batches = 0

    def is_verdict(self, batch: wire.Batch) -> bool:
        """Whether a batch that differs shows that the open repair did not help."""
        self.batches += 1
        confirms = batch.frm == batch.to and not batch.rows and not batch.gone
        return self.pages_done or confirms or self.batches > _OPEN_REPAIR_BATCHES_MAX


class Applier:
    """Between the sessions, one after the other, and the one store.

    Attributes:
        leaving: sees off what leaves.
        handing: hands over what waits beside the ops.
    """

    def __init__(  # noqa: PLR0917  the parts of the whole
        self,
        store: ReplicaStore,
        feed: ChangeFeed,
        board: StatusBoard,
        time: DeviceTime,
        ties: Ties,
        arrivals: Arrivals | None = None,
    ) -> None:
        """Bind them; `arrivals` says for an officer which briefings have come."""
        self._store = store
        self._feed = feed
        self._board = board
        self._time = time
        self._ties = ties
        self.leaving = Leaving(store, time)
        self.handing = HandOver(store, ties.drafts)
        self._orders = Orders(store, feed, board, time, ties)
        self._arrivals = arrivals
        self.says_within_ms: int | None = None
        """Within how long what the last message had this device say itself is to be pushed (ms); None for nothing."""
        self._welcomed = False
        self._behind: set[ScopeName] = set()
        self._repairs: dict[ScopeName, _Repair] = {}

    async def begin(self) -> HelloFacts:
        """Start over for a new connection: what the replica says of itself.

        Raises:
            ReplicaError: the database failed.
        """
        self._welcomed = False
        self._behind.clear()
        for repair in self._repairs.values():
            repair.open = False
        self.leaving.begin()
        self.handing.begin()
        if self._ties.log is not None:
            self._ties.log.begin()
        officer = self.officer
        sealed = await self.handing.left()
        return await self._store.read(
            lambda held: HelloFacts(
                device=held.replica.device,
                epoch=held.replica.epoch,
                positions=held.replica.positions(),
                next_op=held.replica.next_op,
                chain=held.replica.chain,
                token="" if officer is None else officer.token,
                pinned=pinned(held).size,
                next_read=held.replica.reads.next,
                share_no=0 if officer is None else officer.share_no,
                sealed=sealed,
            )
        )

    @property
    def welcomed(self) -> bool:
        """Whether the server's plans are in the store, and what they drop is gone: before that nothing is pushed."""
        return self._welcomed

    def may_push(self) -> bool:
        """Whether something may be pushed: nothing is while a grant has ended and its receipt is not out."""
        return self._welcomed and not self.leaving.busy

    @property
    def wiped(self) -> bool:
        """Whether everything here was destroyed."""
        return self._board.now.wiped is not None

    @property
    def officer(self) -> SignedIn | None:
        """Who is signed in; None at a program's seat."""
        return self._ties.signed_in

    async def queued(self, after: OpNumber, limit: int) -> list[StoredOp]:
        """Ops to push with numbers above `after`, in order."""
        return await self._store.read(lambda held: held.replica.queued(after, limit))

    async def digests(self, after: OpNumber | None, ops: Sequence[StoredOp]) -> dict[OpNumber, bytes]:
        """The hashes of own ops beyond the head that the server holds, up to the last of these.

        Args:
            after: number of that head's op; None for a server that keeps no chains.
            ops: what is to be pushed, in order.
        """
        if after is None or not ops:
            return {}
        upto = ops[-1].n
        return await self._store.read(lambda held: held.replica.digests(after, upto))

    async def times(self, ops: Sequence[StoredOp]) -> dict[OpNumber, Millis]:
        """When some of the ops were made, where the meeting with the server tells it better than they do."""

        def look(held: Held) -> dict[OpNumber, Made]:
            found = ((op.n, held.replica.made(op.n)) for op in ops)
            return {n: made for n, made in found if made is not None}

        return {n: self._time.better(made) for n, made in (await self._store.read(look)).items()}

    async def resnapshot(self, scope: ScopeName) -> None:
        """Have a scope sent anew at the next connection. What it holds stays until the pages replace it."""
        await self._store.change(lambda held: held.replica.resnapshot(scope), self._tell_nothing)

    async def end(self) -> None:
        """The connection is over. Writes down how fresh the replica is."""
        synced_at = self._board.now.last_synced_at
        self._welcomed = False
        self._board.update(connected=False, caught_up=False)
        if synced_at is not None and not self.wiped:
            await self._store.change(lambda held: held.set_number(SYNCED_KEY, synced_at), self._tell_nothing)

    def heard(self) -> None:
        """Something came from the server, so what it has told is still all there is."""
        if self._board.now.caught_up:
            self._board.update(last_synced_at=self._time.now())

    # --- events ------------------------------------------------------------------------------------------------------

    async def apply(self, event: Alone, session: DeviceSession) -> dict[ScopeName, Seq]:
        """Carry out what one message says. Where records have left with it, `settle` is to follow.

        Returns:
            Scope -> seq that the replica now holds, to be acknowledged.

        Raises:
            PeerError: the message does not fit the replica; nothing of it was kept.
            ReplicaError: the database failed; nothing of it was kept.
        """
        self.says_within_ms = None
        outcome = await self._carry_out(event, session)
        for scope, _, _ in outcome.removed:
            self._behind.discard(scope)
            self._repairs.pop(scope, None)
        for scope in outcome.differ:
            await self._mend(scope, session)
        session.offer_again(outcome.again)
        self.leaving.noted()
        self._show_progress()
        return outcome.positions

    async def apply_rows(self, messages: Sequence[Rows], session: DeviceSession) -> tuple[int, dict[ScopeName, Seq]]:
        """Apply messages that bring rows, one behind the other in one transaction: each of them whole.

        It ends before the last where somebody else waits for the database: an officer who writes waits for one message.

        Returns:
            How many were applied, at least one; and scope -> seq that the replica now holds, to be acknowledged.

        Raises:
            PeerError: the first does not fit the replica; nothing of it was kept.
            ReplicaError: the database failed; nothing was kept.
        """
        self.says_within_ms = None
        try:
            outcomes = await self._take_in(messages)
        except PeerError:
            if len(messages) == 1:
                raise
            # What comes before the faulty one is to stay: else the device would come back to meet them together again.
            outcomes = await self._take_in(messages[:1])
        positions: dict[ScopeName, Seq] = {}
        for message, outcome in zip(messages, outcomes, strict=False):
            self._took(message, outcome)
            for scope in outcome.differ:
                await self._mend(scope, session)
            session.offer_again(outcome.again)
            positions |= outcome.positions
        self.leaving.noted()
        self._show_progress()
        return len(outcomes), positions

    async def _take_in(self, messages: Sequence[Rows]) -> list[Outcome]:
        """The transaction of `apply_rows`; what each did that was applied."""

        def work(held: Held) -> tuple[list[Outcome], list[int]]:
            outcomes: list[Outcome] = []
            says: list[int] = []
            for message in messages:
                outcome = _apply_one(held, message)
                self.leaving.note(held, outcome)
                within = (
                    None if self._arrivals is None else self._arrivals.note(held, outcome.touched, _filled(message))
                )
                says += [] if within is None else [within]
                outcomes.append(outcome)
                if self._store.is_waited_for():
                    break
            return outcomes, says

        def told(done: tuple[list[Outcome], list[int]], committed: Committed) -> None:
            outcomes, says = done
            self.says_within_ms = min(says, default=None)
            self._tell(committed)
            for outcome in outcomes:
                self._tell_of(outcome)

        # A page in the middle is asked for again by a device that has lost it.
        may_wait = all(isinstance(one, wire.Snapshot) and not one.last and not one.repair for one in messages)
        return (await self._store.change(work, told, may_wait=may_wait, patient=True))[0]

    def _took(self, message: Rows, outcome: Outcome) -> None:
        if isinstance(message, wire.Batch):
            self._took_batch(message, outcome)
        elif message.repair and message.last and message.scope in self._repairs:
            self._repairs[message.scope].pages_done = True

    async def _carry_out(self, event: Alone, session: DeviceSession) -> Outcome:
        match event:
            case wire.Welcome():
                return await self._welcome(event, session)
            case wire.Results():
                return await self._results(event)
            case wire.Retract():
                return await self._change(lambda held: held.replica.retract(event))
            case wire.ScopeAdd():
                outcome = await self._change(lambda held: held.replica.scope_add(event))
                self._behind.add(event.plan.scope)
                return outcome
            case _:
                await self._beside(event, session)
                return Outcome()

    async def _beside(self, event: Beside, session: DeviceSession) -> None:
        """Carry out what brings and takes no record."""
        match event:
            case wire.NewLease():
                await self._orders.new_lease(event)
            case wire.Wipe():
                self._welcomed = False
                await uninterrupted(self._orders.wipe(event.reason, session, self.handing))
            case wire.Notice():
                if event.code == "reads_missing":
                    self.handing.keep_reads()
                await self._orders.notice(event)
            case wire.ReadsKept():
                await self._store.change(lambda held: held.replica.reads.kept(event.upto), self._tell_nothing)
            case wire.Quarantined():
                await self.handing.kept(event.ids, self._tell_nothing)
                self._board.update(handed_over=self._board.now.handed_over + len(event.ids))
            case wire.Error():
                pass
            case _:
                assert_never(event)

    async def settle(self, session: DeviceSession) -> None:
        """Make what has left unreadable for ever, and confirm it to the server.

        Raises:
            ReplicaError: the database failed; nothing was confirmed.
        """
        await self.leaving.settle(session, await self.handing.left())

    # --- WELCOME and RESULTS -----------------------------------------------------------------------------------------

    async def _welcome(self, message: wire.Welcome, session: DeviceSession) -> Outcome:
        learned = None if session.offset is None else self._time.learn(session.offset)

        def work(held: Held) -> tuple[Outcome, dict[ScopeName, Seq], list[Finding]]:
            stood = {position.scope: position.seq for position in held.replica.positions()}
            outcome = held.replica.welcome(message)
            self.leaving.note(held, outcome)
            if learned is not None:
                held.tables.set_meta(LEARNED_KEY, msgspec.msgpack.encode(learned))
            found = self._orders.greeted(held, message, copied=outcome.copied)
            return outcome, stood, found

        def told(done: tuple[Outcome, dict[ScopeName, Seq], list[Finding]], committed: Committed) -> None:
            self._tell(committed)
            self._tell_of(done[0])
            self._orders.tell(done[2])

        outcome, stood, _ = await self._store.change(work, told)
        # First of all: what has left is made unreadable and confirmed, before anything else is sent.
        await self.settle(session)
        if message.lease is not None:
            await self._orders.lease(message.lease)
        self._behind = {
            plan.scope
            for plan in message.scopes
            if plan.action == "snapshot" or (plan.action == "resume" and stood.get(plan.scope) != plan.seq)
        }
        self._welcomed = True
        self._board.update(connected=True, last_error="")
        return outcome

    async def _results(self, message: wire.Results) -> Outcome:
        def work(held: Held) -> tuple[Outcome, list[StoredOp]]:
            outcome = held.replica.results(message)
            self.leaving.note(held, outcome)
            return outcome, [op for n in outcome.held if (op := held.tables.op(n)) is not None]

        def told(done: tuple[Outcome, list[StoredOp]], committed: Committed) -> None:
            outcome, refused = done
            self._tell(committed)
            self._tell_of(outcome)
            for n in outcome.durable:
                self._feed.tell(OpDurable(op_id(self._store.device, n)))
            for op in refused:
                self._feed.tell(OpHeld(op_id(self._store.device, op.n), op.code, op.detail))

        outcome, _ = await self._store.change(work, told)
        return outcome

    def _took_batch(self, batch: wire.Batch, outcome: Outcome) -> None:
        if batch.scope not in outcome.positions:
            # Of a generation that has ended; the replica dropped it.
            return
        if batch.digest is None:
            self._behind.add(batch.scope)
        elif not outcome.differ:
            self._behind.discard(batch.scope)
            self._repairs.pop(batch.scope, None)
        else:
            repair = self._repairs.get(batch.scope)
            if repair is not None and repair.open and not repair.is_verdict(batch):
                outcome.differ.clear()

    async def _mend(self, scope: ScopeName, session: DeviceSession) -> None:
        """Have a scope whose digest is not the server's compared by range, or sent anew when that has not helped."""
        self._behind.add(scope)
        repair = self._repairs.setdefault(scope, _Repair())
        if repair.in_a_row >= REPAIRS_IN_A_ROW_MAX:
            del self._repairs[scope]
            await self.resnapshot(scope)
            raise PeerError("gap", f"{scope} still differs after {REPAIRS_IN_A_ROW_MAX} repairs: it is fetched anew")
        repair.begin()
        self._board.update(repairs=self._board.now.repairs + 1)
        _log.warning("%s: the digest is not the server's, repair %d", scope, repair.in_a_row)

        def look(held: Held) -> tuple[Generation | None, tuple[wire.Range, ...]]:
            position = held.tables.position(scope)
            return (None if position is None else position.gen), held.replica.repair_ranges(scope)

        gen, ranges = await self._store.read(look)
        if gen is not None:
            session.repair(scope, gen, ranges)

    # --- what is told ------------------------------------------------------------------------------------------------

    async def _change(self, work: Callable[[Held], Outcome]) -> Outcome:
        def noted(held: Held) -> Outcome:
            outcome = work(held)
            self.leaving.note(held, outcome)
            return outcome

        def told(outcome: Outcome, committed: Committed) -> None:
            self._tell(committed)
            self._tell_of(outcome)

        return await self._store.change(noted, told)

    def _tell(self, committed: Committed) -> None:
        self._tell_nothing(None, committed)
        for record, name in committed.kinds.items():
            spec = kind_named(name)
            # A kind that only a newer program knows is kept for it, and is nothing to show here.
            if spec is not None:
                self._feed.tell(RecordChanged(record, spec.struct, "server"))
        for notice in committed.notices:
            self._feed.tell(notice)

    def _tell_nothing(self, _result: object, committed: Committed) -> None:
        self._board.count(committed.revision, committed.waiting, committed.held, committed.sealed)

    def _tell_of(self, outcome: Outcome) -> None:
        """What became of own ops, whatever message it was by."""
        for old, new in outcome.reissued.items():
            self._feed.tell(OpReissued(op_id(self._store.device, old), op_id(self._store.device, new)))
        if outcome.sealed:
            self._feed.tell(EditsSealed(tuple(op_id(self._store.device, n) for n in outcome.sealed)))
        if outcome.erased:
            self._feed.tell(EditsErased(tuple(op_id(self._store.device, n) for n in outcome.erased)))

    def _show_progress(self) -> None:
        if self._welcomed:
            caught_up = not self._behind
            now: dict[str, Millis] = {"last_synced_at": self._time.now()} if caught_up else {}
            self._board.update(caught_up=caught_up, **now)


def _apply_one(held: Held, message: Rows) -> Outcome:
    return held.replica.batch(message) if isinstance(message, wire.Batch) else held.replica.page(message)


def _filled(message: Rows) -> ScopeName | None:
    """The scope whose snapshot ends with a message."""
    return message.scope if isinstance(message, wire.Snapshot) and message.last and not message.repair else None
