"""The rules of the replica. Every public method that changes something is the body of one transaction.

Invariants (the reference model in tests/ checks them after every step):
- position(scope).seq only grows within one (epoch, generation), and a batch is applied whole or not at all;
- digest(scope) is the digest of members(scope);
- a row is kept exactly as long as some scope holds the record;
- an op is in exactly one state of `sync.outbox`, and none is ever removed;
- a durable op waits for its row only as long as a scope that may bring it has not come past the op's commit.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.codec import decode_row, reread_op
from schemas.errors import PeerError, UsageError
from schemas.ids import DeviceId, Epoch, FieldName, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import KindSpec
from schemas.limits import PAGE_ROWS_MAX, REPAIR_RANGES_MAX
from schemas.ops import Doubt, Hlc, Op, Row
from schemas.wire import Batch, Plan, Position, Range, Result, Results, Retract, ScopeAdd, Snapshot, Welcome
from sync import clock, digest, replay
from sync.clock import Made
from sync.merge import RecordState
from sync.outbox import OpEvent, OpState, next_state, takes
from sync.replica.members import MemberChange
from sync.replica.tables import StoredOp, StoredPosition, Tables
from sync.replica.writing import require_writable, sendable, sight

_EPOCH: Final = "epoch"
_NEXT_OP: Final = "next_op"
_DEVICE: Final = "device"
_MADE: Final = "made/{n}"
_REPAIR_RANGE_MIN: Final = 16
"""Records in a range of a REPAIR, at least: below it the range costs more than its records."""
_EVENT_OF_STATUS: Final = {
    "durable": OpEvent.RESULT_DURABLE,
    "refused": OpEvent.RESULT_REFUSED,
    "waiting": OpEvent.RESULT_WAITING,
}


class WriteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the core cannot know of a write: who, and the time.

    Attributes:
        author: the officer.
        now: the corrected clock (ms since 1970).
        wall: the device's uncorrected clock (ms since 1970).
        occurred_at: when it happened, as the author says (ms since 1970).
        why: the author's reason, or "".
        made: what the device's own clocks said; None where nothing better can be told later.
        doubt: what is doubtful about `now`.
    """

    author: OfficerId
    now: Millis
    wall: Millis
    occurred_at: Millis
    why: str = ""
    made: Made | None = None
    doubt: Doubt = Doubt(0)


class Outcome(msgspec.Struct):
    """What a transaction did, for whoever tells the application and the server.

    Attributes:
        touched: records whose view may have changed.
        positions: scope -> seq that is now held.
        removed: (scope, generation, records that left with it) for each scope that was dropped.
        differ: scopes whose digest is not the server's.
        durable, held: numbers of this device's ops that became so.
    """

    touched: set[RecordId] = msgspec.field(default_factory=set)
    positions: dict[ScopeName, Seq] = msgspec.field(default_factory=dict)
    removed: list[tuple[ScopeName, Generation, int]] = msgspec.field(default_factory=list)
    differ: list[ScopeName] = msgspec.field(default_factory=list)
    durable: list[OpNumber] = msgspec.field(default_factory=list)
    held: list[OpNumber] = msgspec.field(default_factory=list)


class Replica:
    """What one device holds, over whatever keeps it."""

    def __init__(self, tables: Tables, device: DeviceId) -> None:
        """Bind the rules to tables.

        Raises:
            UsageError: the tables belong to another device.
        """
        self._tables = tables
        self.device = device
        known = tables.meta(_DEVICE)
        if known is None:
            tables.set_meta(_DEVICE, device.encode())
        elif known.decode() != device:
            raise UsageError(
                f"this replica belongs to device {known.decode()!r}, not {device!r}: open it with its own identity"
            )

    # --- what it holds -----------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> Epoch | None:
        """The server history it last saw."""
        raw = self._tables.meta(_EPOCH)
        return None if raw is None else Epoch(raw.decode())

    @property
    def next_op(self) -> OpNumber:
        """The number that the next op gets."""
        raw = self._tables.meta(_NEXT_OP)
        return OpNumber(1 if raw is None else int(raw))

    def positions(self) -> tuple[Position, ...]:
        """Where it stands in each scope, as HELLO says it."""
        return tuple(
            Position(
                scope=scope,
                gen=held.gen,
                seq=held.seq,
                after=held.after,
                digest=held.digest if held.after is None else None,
            )
            for scope, held in sorted(self._tables.positions().items())
        )

    def view(self, record: RecordId) -> RecordState | None:
        """The record as this device shows it: the server's row with pending ops laid over it."""
        raw = self._tables.row(record)
        row = None if raw is None else decode_row(raw)
        return replay.view(row, [reread_op(op.body) for op in self._tables.pending_ops(record)])

    def views(self, spec: KindSpec) -> Iterable[RecordState]:
        """Every record of a kind that this device shows, in order of id."""
        for record in self._tables.records_of_kind(spec.name):
            state = self.view(record)
            if state is not None:
                yield state

    def pending(self, record: RecordId) -> list[StoredOp]:
        """The record's ops that its row may not hold yet, in order."""
        return self._tables.pending_ops(record)

    def held(self, limit: int) -> list[StoredOp]:
        """Ops that were refused, in order."""
        return self._tables.ops_in([OpState.HELD], OpNumber(0), limit)

    def count(self, state: OpState) -> int:
        """How many ops are in a state."""
        return self._tables.count_ops(state)

    def queued(self, after: OpNumber, limit: int) -> list[StoredOp]:
        """Ops to push with numbers above `after`, in order."""
        return self._tables.ops_in([OpState.QUEUED], after, limit)

    # --- what the officer does ---------------------------------------------------------------------------------------

    def write(
        self,
        record: RecordId,
        spec: KindSpec,
        changes: Mapping[FieldName, Any],
        facts: WriteFacts,
        *,
        create: bool = False,
        correct: bool = False,
    ) -> Op:
        """Record a change: the op and what is shown change together.

        Args:
            record: the record to change or make.
            spec: its kind.
            changes: field -> plain value (`sync.check.changed_fields`).
            facts: who and when.
            create: whether it makes the record.
            correct: whether it corrects what `once` protects (`Op.correct`).

        Raises:
            UsageError: the change cannot be made; the text says why. Nothing was written.
        """
        pending = self._tables.pending_ops(record)
        state = self.view(record)
        # The row's own version: the one beside it is 0 while the rows of a server that was set back are not trusted.
        raw = self._tables.row(record)
        op = Op(
            device=self.device,
            n=self.next_op,
            record=record,
            kind=spec.name,
            author=facts.author,
            create=create,
            base=Seq(0) if raw is None else decode_row(raw).v,
            after=max((op.n for op in pending if op.state is not OpState.DURABLE), default=OpNumber(0)),
            hlc=clock.next_hlc(facts.now, Hlc(0, 0) if state is None else state.seen()),
            occurred_at=facts.occurred_at,
            wall=facts.wall,
            changes=dict(changes),
            why=facts.why,
            saw=sight(spec, state, changes),
            correct=correct,
            doubt=facts.doubt | self._set_back(facts),
        )
        require_writable(op, spec, state)
        body = sendable(op)
        self._tables.put_op(StoredOp(n=op.n, record=record, kind=spec.name, state=OpState.QUEUED, body=body))
        self._tables.set_meta(_NEXT_OP, str(op.n + 1).encode())
        if facts.made is not None and (op.doubt or op.hlc[0] > facts.now):
            self._tables.set_meta(_MADE.format(n=op.n), msgspec.msgpack.encode(facts.made))
        return op

    def made(self, n: OpNumber) -> Made | None:
        """What the device's clocks said when an op was made whose time may be told better; None for every other op."""
        raw = self._tables.meta(_MADE.format(n=n))
        return None if raw is None else msgspec.msgpack.decode(raw, type=Made)

    def _set_back(self, facts: WriteFacts) -> Doubt:
        """Whether the wall clock stands before what it said at the op before."""
        last = self._tables.op(OpNumber(self.next_op - 1))
        earlier = last is not None and facts.wall < reread_op(last.body).wall - clock.SET_BACK_MS
        return Doubt.SET_BACK if earlier else Doubt(0)

    # --- what the server sends ---------------------------------------------------------------------------------------

    def welcome(self, message: Welcome) -> Outcome:
        """Take up the server's plans; drops first."""
        outcome = Outcome()
        for plan in message.scopes:
            if plan.action == "drop":
                self._drop_scope(plan.scope, plan.gen, outcome)
        other_history = self.epoch not in (None, message.epoch)
        set_back = other_history
        for plan in message.scopes:
            if plan.action != "drop":
                set_back = self._take_plan(plan, outcome, same_epoch=self.epoch == message.epoch) or set_back
        if set_back:
            self._offer_again()
        if other_history:
            self._distrust_versions()
        self._tables.set_meta(_EPOCH, message.epoch.encode())
        if message.last_op >= self.next_op:
            # The replica was copied or set back: never give a number to two ops.
            self._tables.set_meta(_NEXT_OP, str(message.last_op + 1).encode())
        return outcome

    def scope_add(self, message: ScopeAdd) -> Outcome:
        """Take up a scope that was granted while the session runs."""
        outcome = Outcome()
        self._take_plan(message.plan, outcome, same_epoch=True)
        return outcome

    def retract(self, message: Retract) -> Outcome:
        """Remove a scope whose grant has ended."""
        outcome = Outcome()
        self._drop_scope(message.scope, message.gen, outcome)
        return outcome

    def batch(self, message: Batch) -> Outcome:
        """Apply all changes of one scope between two positions.

        Raises:
            PeerError: `gap` when it does not start where the replica stands.
        """
        outcome = Outcome()
        held = self._tables.position(message.scope)
        if held is None or held.gen != message.gen:
            # A late batch of a generation that has ended since: dropped, by DESIGN section 6.
            return outcome
        if held.after is not None or held.seq != message.frm or message.to < message.frm:
            raise PeerError("gap", f"{message.scope}: at {held.seq}, batch from {message.frm} to {message.to}")
        change = MemberChange(self._tables, message.scope, held)
        for raw in message.rows:
            row = decode_row(raw)
            kept = self._tables.row_version(row.id)
            self._take_row(row, raw, change, outcome, newer=kept is None or kept < row.v)
        for record in message.gone:
            change.drop(record)
            self._left(record, outcome)
        self._tables.put_position(message.scope, change.position(seq=message.to, after=None))
        self._settle()
        outcome.positions[message.scope] = message.to
        if message.digest is not None and message.count is not None:
            self._compare(message.scope, message.digest, message.count, outcome)
        return outcome

    def page(self, message: Snapshot) -> Outcome:
        """Apply one page of a snapshot, or of a repair: the stretch holds exactly its rows afterwards.

        Raises:
            PeerError: `gap` when it does not follow the page before.
        """
        outcome = Outcome()
        held = self._tables.position(message.scope)
        if held is None or held.gen != message.gen:
            return outcome
        if message.repair:
            if held.after is not None:
                raise PeerError("gap", f"{message.scope}: a repair inside a snapshot")
        elif held.after is None or held.after != message.after or held.seq != message.at:
            raise PeerError(
                "gap",
                f"{message.scope}: the snapshot at {held.seq} stands after {held.after!r}, "
                f"the page at {message.at} after {message.after!r}",
            )
        change = MemberChange(self._tables, message.scope, held)
        rows = {row.id: (row, raw) for row, raw in zip(map(decode_row, message.rows), message.rows, strict=True)}
        for record, _ in self._tables.members(message.scope, message.after, message.upto):
            if record not in rows:
                change.drop(record)
                self._left(record, outcome)
        for row, raw in rows.values():
            # A page is read after everything sent before it, so it is never older than what is kept, except in number
            # when the server was set back: it always replaces.
            self._take_row(row, raw, change, outcome, newer=True)
        ended = message.repair or message.last
        self._tables.put_position(message.scope, change.position(seq=held.seq, after=None if ended else message.upto))
        self._settle()
        if message.last and not message.repair:
            outcome.positions[message.scope] = held.seq
        return outcome

    def results(self, message: Results) -> Outcome:
        """Take in what became of pushed ops."""
        outcome = Outcome()
        for result in message.results:
            kept = self._tables.op(result.n)
            if kept is None:
                raise PeerError("not_welcome", f"a result for op {result.n}, which this device never made")
            self._take_result(kept, result, outcome)
        return outcome

    def repair_ranges(self, scope: ScopeName) -> tuple[Range, ...]:
        """What the replica holds of a scope, in ranges that the server compares with what it holds."""
        members = self._tables.members(scope, "", "")
        size = max(_REPAIR_RANGE_MIN, -(-len(members) // REPAIR_RANGES_MAX))
        starts = range(0, max(1, len(members)), size)
        cuts: list[Any] = ["", *(members[start - 1][0] for start in starts if start > 0), ""]
        return tuple(
            Range(after=cuts[i], upto=cuts[i + 1], digest=digest.of(part), count=len(part))
            for i, start in enumerate(starts)
            for part in [members[start : start + size]]
        )

    def resnapshot(self, scope: ScopeName) -> None:
        """Have a scope sent anew from its beginning. Its records stay until the pages replace them, stretch by stretch.

        The digest is counted afresh, in case it was the digest and not the records that had gone wrong.
        """
        held = self._tables.position(scope)
        if held is None:
            return
        members = self._tables.members(scope, "", "")
        self._tables.put_position(
            scope,
            StoredPosition(gen=held.gen, seq=Seq(0), after="", digest=digest.of(members), count=len(members)),
        )

    # --- shared steps ------------------------------------------------------------------------------------------------

    def _take_plan(self, plan: Plan, outcome: Outcome, *, same_epoch: bool) -> bool:
        """Set a scope's position by the plan; True when it shows that the server was set back."""
        held = self._tables.position(plan.scope)
        if plan.action == "resume":
            if held is None or held.gen != plan.gen or held.after is not None:
                raise PeerError("not_welcome", f"{plan.scope}: nothing to resume from")
            if held.seq == plan.seq and plan.digest is not None:
                self._compare(plan.scope, plan.digest, plan.count, outcome)
            return False
        continues = held is not None and held.gen == plan.gen and held.after is not None and held.seq == plan.seq
        # In another epoch the server begins anew, whatever the numbers happen to be.
        if not (continues and same_epoch):
            kept_digest, kept_count = (digest.EMPTY, 0) if held is None else (held.digest, held.count)
            self._tables.put_position(
                plan.scope, StoredPosition(gen=plan.gen, seq=plan.seq, after="", digest=kept_digest, count=kept_count)
            )
        return held is not None and held.after is None and held.seq > plan.seq

    def _compare(self, scope: ScopeName, theirs: bytes, count: int, outcome: Outcome) -> None:
        """Note whether the scope is not what the server says it is.

        The digest is kept by adding and subtracting; where that went wrong, it is counted afresh. Otherwise a repair
        would find no range that differs, and be asked for again and again.
        """
        held = self._tables.position(scope)
        if held is None or (held.digest, held.count) == (theirs, count):
            return
        members = self._tables.members(scope, "", "")
        true = msgspec.structs.replace(held, digest=digest.of(members), count=len(members))
        self._tables.put_position(scope, true)
        if (true.digest, true.count) != (theirs, count):
            outcome.differ.append(scope)

    def _offer_again(self) -> None:
        """Queue every op anew: the server knows those it still has and answers with their stored results."""
        settled = (OpState.DURABLE, OpState.SETTLED, OpState.HELD)
        after = OpNumber(0)
        while ops := self._tables.ops_in(settled, after, PAGE_ROWS_MAX):
            for op in ops:
                state = next_state(op.state, OpEvent.SERVER_SET_BACK)
                self._tables.put_op(msgspec.structs.replace(op, state=state, seq=Seq(0), scopes=(), code="", detail=""))
            after = ops[-1].n

    def _distrust_versions(self) -> None:
        """Let the first row that comes replace each kept one: their versions count another history's commits."""
        for scope in self._tables.positions():
            for record, _ in self._tables.members(scope, "", ""):
                raw = self._tables.row(record)
                if raw is not None:
                    self._tables.put_row(record, decode_row(raw).kind, Seq(0), raw)

    def _take_row(self, row: Row, raw: msgspec.Raw, change: MemberChange, outcome: Outcome, *, newer: bool) -> None:
        change.put(row.id, row.v)
        if newer:
            # As it came: what only a newer program knows stays in it.
            self._tables.put_row(row.id, row.kind, row.v, bytes(raw))
        outcome.touched.add(row.id)

    def _left(self, record: RecordId, outcome: Outcome) -> None:
        """A scope no longer holds the record; with the last scope the row goes."""
        outcome.touched.add(record)
        if not self._tables.is_member_of_any(record):
            self._tables.drop_row(record)

    def _settle(self) -> None:
        """Settle the durable ops whose row has come, or can no longer come: the record left this device before it.

        Of one record they settle in order: none before an earlier one, over which it is laid.
        """
        waiting: set[RecordId] = set()
        after = OpNumber(0)
        while ops := self._tables.ops_in([OpState.DURABLE], after, PAGE_ROWS_MAX):
            for op in ops:
                if op.record in waiting or self._waits(op.record, op.seq, op.scopes):
                    waiting.add(op.record)
                    continue
                state = next_state(op.state, OpEvent.ROW_CAME)
                self._tables.put_op(msgspec.structs.replace(op, state=state, scopes=()))
            after = ops[-1].n

    def _waits(self, record: RecordId, seq: Seq, scopes: Iterable[ScopeName]) -> bool:
        """Whether an op made durable by that commit must still be laid over what is held of its record.

        Args:
            record, seq: the record and the commit.
            scopes: those in which the record was after it, as the server said.
        """
        version = self._tables.row_version(record)
        if version is not None:
            # An older row is replaced, or it leaves with the last scope that holds it.
            return version < seq
        held = [self._tables.position(scope) for scope in scopes]
        return any(one is not None and (one.after is not None or one.seq < seq) for one in held)

    def _drop_scope(self, scope: ScopeName, gen: Generation, outcome: Outcome) -> None:
        members = self._tables.members(scope, "", "")
        for record, _ in members:
            self._tables.drop_member(scope, record)
        self._tables.drop_position(scope)
        gone = 0
        for record, _ in members:
            self._left(record, outcome)
            gone += self._tables.row_version(record) is None
        self._settle()
        outcome.removed.append((scope, gen, gone))

    def _take_result(self, kept: StoredOp, result: Result, outcome: Outcome) -> None:
        event = _EVENT_OF_STATUS[result.status]
        if not takes(kept.state, event):
            raise PeerError("not_welcome", f"op {result.n} is {kept.state.value}, yet the server says {result.status}")
        outcome.touched.add(kept.record)
        state = next_state(kept.state, event)
        if event is OpEvent.RESULT_DURABLE:
            pending = self._tables.pending_ops(kept.record)
            behind = any(op.state is OpState.DURABLE and op.n < kept.n for op in pending)
            if not behind and not self._waits(kept.record, result.seq, result.scopes):
                state = next_state(state, OpEvent.ROW_CAME)
            scopes = result.scopes if state is OpState.DURABLE else ()
            durable = msgspec.structs.replace(kept, state=state, seq=result.seq, scopes=scopes, code="", detail="")
            self._tables.put_op(durable)
            if kept.state is OpState.QUEUED:
                outcome.durable.append(kept.n)
            return
        self._tables.put_op(msgspec.structs.replace(kept, state=state, code=result.code, detail=result.detail))
        if event is OpEvent.RESULT_REFUSED:
            outcome.held.append(kept.n)
