"""This device's own ops: how they get their numbers, when they are pushed again, when the row holds them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.codec import decode_row, reread_op
from schemas.ids import DeviceId, FieldName, Millis, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import Kind, KindSpec
from schemas.limits import PAGE_ROWS_MAX
from schemas.ops import AFTER_DIGEST_BYTES, Doubt, Hlc, Op
from sync import clock
from sync.clock import Made
from sync.merge import RecordState
from sync.outbox import PENDING, SHUT, UNSENT, OpEvent, OpState, Untaken, next_state, takes
from sync.replica.chain import OwnChain
from sync.replica.facts import Outcome, WriteFacts
from sync.replica.overlay import Overlays
from sync.replica.tables import StoredOp, Tables
from sync.replica.writing import require_writable, sendable, sight

NO_RIGHT: Final = "op_not_permitted"
"""The refusal of an op on a record that has left its author's grants."""
RECORD_ERASED: Final = "op_record_erased"
"""The refusal of an op on a record that was erased."""
_NEXT_OP: Final = "next_op"
_MADE: Final = "made/{n}"


class OwnOps:
    """The outbox over its tables."""

    def __init__(self, tables: Tables, device: DeviceId) -> None:
        """Bind them."""
        self._tables = tables
        self.device = device
        self.chain = OwnChain(tables, device)
        self._overlays = Overlays(device)
        self.seal: Callable[[bytes], bytes] | None = None
        """Seals bytes to the server's quarantine (RFC 9180); None while its key is not known."""

    # --- numbers -----------------------------------------------------------------------------------------------------

    @property
    def next_op(self) -> OpNumber:
        """The number that the next op gets."""
        raw = self._tables.meta(_NEXT_OP)
        return OpNumber(1 if raw is None else int(raw))

    def number_above(self, used: OpNumber) -> None:
        """See that no number up to `used` is given to an op from here on."""
        if used >= self.next_op:
            self._tables.set_meta(_NEXT_OP, str(used + 1).encode())

    def made(self, n: OpNumber) -> Made | None:
        """What the device's clocks said when an op was made whose time may be told better; None for every other op."""
        raw = self._tables.meta(_MADE.format(n=n))
        return None if raw is None else msgspec.msgpack.decode(raw, type=Made)

    def keep(self, op: StoredOp, made: Made | None) -> None:
        """Put a new op on disk under the number that comes next."""
        self.chain.append(op.n, op.body)
        self._tables.put_op(op)
        self.number_above(op.n)
        if made is not None:
            self._tables.set_meta(_MADE.format(n=op.n), msgspec.msgpack.encode(made))

    def digest(self, n: OpNumber) -> bytes:
        """What a later op bears of op `n` (`Op.after_digest`); nothing when there is none of that number."""
        return self.chain.digest(n)[:AFTER_DIGEST_BYTES]

    # --- writing -----------------------------------------------------------------------------------------------------

    def shown(self, record: RecordId, laid_over: Sequence[StoredOp]) -> RecordState | None:
        """The record as it is with these ops laid over the server's row."""
        return self._overlays.shown(record, self._tables.row(record), self._tables.row_version(record), laid_over)

    def write(
        self,
        record: RecordId,
        spec: KindSpec,
        changes: Mapping[FieldName, Any],
        facts: WriteFacts,
        seen: Sequence[StoredOp],
        *,
        create: bool = False,
        correct: bool = False,
        replaces: OpNumber = OpNumber(0),
    ) -> Op:
        """Check a change with the server's own checks, and queue the op that makes it.

        Args:
            record, spec: the record to change or make, and its kind.
            changes: field -> plain value.
            facts: who and when.
            seen: the pending ops on that record that come before this one, in order.
            create, correct, replaces: as in the op.

        Raises:
            UsageError: the change cannot be made; the text says why. Nothing was written.
        """
        state = self.shown(record, seen)
        # The row's own version: the one beside it is 0 while the rows of a server that was set back are not trusted.
        raw = self._tables.row(record)
        after = max((op.n for op in seen if op.state is not OpState.DURABLE), default=OpNumber(0))
        op = Op(
            device=self.device,
            n=self.next_op,
            record=record,
            kind=spec.name,
            author=facts.author,
            create=create,
            base=Seq(0) if raw is None else decode_row(raw).v,
            after=after,
            after_digest=self.digest(after) if after else b"",
            hlc=clock.next_hlc(facts.now, Hlc(0, 0) if state is None else state.seen()),
            occurred_at=facts.occurred_at,
            wall=facts.wall,
            changes=dict(changes),
            why=facts.why,
            saw=sight(spec, state, changes),
            correct=correct,
            doubt=facts.doubt | self._set_back(facts.wall),
            replaces=replaces,
            link=self.chain.head.link,
            salt=facts.salt,
        )
        require_writable(
            op,
            spec,
            state,
            facts.roles,
            facts.settings,
            holds=facts.holds,
            beside=lambda: self._beside(record, spec),
            find=self._find,
        )
        body = sendable(op)
        told_better = op.doubt or op.hlc[0] > facts.now
        kept = StoredOp(n=op.n, record=record, kind=spec.name, state=OpState.QUEUED, body=body)
        self.keep(kept, facts.made if told_better else None)
        return op

    def _find(self, record: RecordId) -> Kind | None:
        """Another record as this device shows it."""
        state = self.shown(record, self._tables.pending_ops(record))
        return None if state is None else state.build()

    def _beside(self, record: RecordId, spec: KindSpec) -> Iterator[RecordState]:
        """The other records of the kind that this device shows: rules about several people look at them."""
        for other in self._tables.records_of_kind(spec.name):
            state = None if other == record else self.shown(other, self._tables.pending_ops(other))
            if state is not None:
                yield state

    def _set_back(self, wall: Millis) -> Doubt:
        """Whether the wall clock stands before what it said at the op before."""
        last = self._tables.op(OpNumber(self.next_op - 1))
        if last is None or last.state in SHUT or not last.body:
            return Doubt(0)
        return Doubt.SET_BACK if wall < reread_op(last.body).wall - clock.SET_BACK_MS else Doubt(0)

    # --- offering them -----------------------------------------------------------------------------------------------

    def offer_all_again(self, holds_upto: OpNumber | None) -> None:
        """The server was set back: it knows the ops that it still has and answers with their stored results.

        Args:
            holds_upto: the highest number of this device's that it knows, in another history; None in the same one.
        """
        if holds_upto is not None:
            self._note_lost(holds_upto)
        states = (OpState.WAITING, OpState.DURABLE, OpState.SETTLED, OpState.HELD, OpState.QUARANTINED)
        self._queue_again(OpEvent.SERVER_SET_BACK, states)

    def _note_lost(self, holds_upto: OpNumber) -> None:
        """Note which ops another history has not taken in, while the versions of rows still say whose they are."""
        after = OpNumber(0)
        while ops := self._tables.ops_in((*PENDING, OpState.SETTLED), after, PAGE_ROWS_MAX):
            for op in ops:
                if op.untaken is not Untaken.NO:
                    # A backup of a history holds nothing that the history did not.
                    self._tables.put_op(msgspec.structs.replace(op, untaken=self.untaken(op)))
                elif op.n > holds_upto:
                    self._tables.put_op(msgspec.structs.replace(op, untaken=Untaken.HERE))
            after = ops[-1].n

    def untaken(self, op: StoredOp) -> Untaken:
        """What to note of an op that the server has not taken in so far."""
        of_earlier_history = self._tables.row_version(op.record) == 0
        return Untaken.HERE if of_earlier_history and op.untaken is not Untaken.EVER else Untaken.EVER

    def begin_session(self) -> None:
        """What was sent to wait is offered anew."""
        self._queue_again(OpEvent.MAY_GO_ON, (OpState.WAITING,))

    def _queue_again(self, event: OpEvent, states: Collection[OpState]) -> None:
        after = OpNumber(0)
        while ops := self._tables.ops_in(states, after, PAGE_ROWS_MAX):
            for op in ops:
                state = next_state(op.state, event)
                self._tables.put_op(msgspec.structs.replace(op, state=state, seq=Seq(0), scopes=(), code="", detail=""))
            after = ops[-1].n

    def changed(self, records: Collection[RecordId], outcome: Outcome) -> None:
        """Something of these records has come: what waits on them may go on."""
        after = OpNumber(0)
        found: dict[RecordId, None] = {}
        while records and (ops := self._tables.ops_in((OpState.WAITING,), after, PAGE_ROWS_MAX)):
            found |= dict.fromkeys(op.record for op in ops if op.record in records)
            after = ops[-1].n
        for record in found:
            self.let_go_on(self._tables.pending_ops(record), outcome)

    def let_go_on(self, pending: Iterable[StoredOp], outcome: Outcome) -> None:
        """Offer again what waits among one record's pending ops, but for what waits behind a refused one."""
        for op in pending:
            if op.state is OpState.HELD:
                # Whatever comes, only its author's mending or withdrawing it lets the rest go on.
                return
            if takes(op.state, OpEvent.MAY_GO_ON):
                state = next_state(op.state, OpEvent.MAY_GO_ON)
                self._tables.put_op(msgspec.structs.replace(op, state=state, code="", detail=""))
                outcome.again.append(op.n)

    # --- what its officer may no longer read -------------------------------------------------------------------------

    def seal_up(self, record: RecordId, outcome: Outcome) -> None:
        """The officer's right to a record has ended: seal what they wrote on it to the server, and destroy it here.

        What was never sent is to be handed to quarantine. What the server has stays, sealed, for a server that is set
        back. With nobody to seal to, everything stays as it is: nothing is lost.
        """
        if self.seal is None:
            return
        for op in self._tables.ops_of(record):
            if op.state in SHUT or not op.body:
                continue
            self.chain.shred(op.n, op.body)
            state = next_state(op.state, OpEvent.RIGHT_ENDED)
            body = self.seal(op.body) if state in SHUT else b""
            self._tables.put_op(
                msgspec.structs.replace(op, state=state, body=body, scopes=(), code="", detail="", why="")
            )
            if state is OpState.SEALED:
                outcome.sealed.append(op.n)

    def seal_rest(self, outcome: Outcome) -> None:
        """The officer's right to everything has ended: seal up what the server was never sent, whatever it is about."""
        after = OpNumber(0)
        found: set[RecordId] = set()
        while ops := self._tables.ops_in([*UNSENT, OpState.HELD], after, PAGE_ROWS_MAX):
            found |= {op.record for op in ops}
            after = ops[-1].n
        for record in sorted(found):
            outcome.touched.add(record)
            self.seal_up(record, outcome)

    def seal_without_right(self, record: RecordId, outcome: Outcome) -> bool:
        """Seal up what was refused because its author has no right to the record, once the record is not here either.

        While it is here its officer sees the refused change beside it, and may put it right or give it up.

        Returns:
            Whether there was any.
        """
        if self.seal is None or self._tables.row_version(record) is not None:
            return False
        if not any(op.state is OpState.HELD and op.code == NO_RIGHT for op in self._tables.ops_of(record)):
            return False
        self.seal_up(record, outcome)
        return True

    def erase(self, record: RecordId, outcome: Outcome) -> None:
        """A record was erased: destroy what this device's ops say of it, sealed or not, whatever became of them.

        What the chain needs of them stays. Nothing goes to quarantine: nobody may know it any more, whoever has a key.
        """
        for op in self._tables.ops_of(record):
            if op.body and op.state not in SHUT:
                self.chain.shred(op.n, op.body)
            if op.state in {*UNSENT, OpState.HELD, OpState.SEALED}:
                outcome.erased.append(op.n)
            state = next_state(op.state, OpEvent.RECORD_ERASED)
            code = RECORD_ERASED if state is OpState.ERASED else op.code
            self._tables.put_op(
                msgspec.structs.replace(
                    op, state=state, body=b"", scopes=(), code=code, detail="", why="", untaken=Untaken.NO
                )
            )
            outcome.touched.add(record)

    def kept_sealed(self, numbers: Iterable[OpNumber]) -> None:
        """The server keeps these sealed ops in quarantine."""
        for n in numbers:
            op = self._tables.op(n)
            if op is not None and takes(op.state, OpEvent.KEPT_SEALED):
                state = next_state(op.state, OpEvent.KEPT_SEALED)
                self._tables.put_op(msgspec.structs.replace(op, state=state))

    # --- and the row that holds them ---------------------------------------------------------------------------------

    def settle(self) -> set[RecordId]:
        """Settle the durable ops whose row has come, or can no longer come: the record left this device before it.

        Of one record they settle in order: none before an earlier one, over which it is laid.

        Returns:
            The records of those whose row can no longer come.
        """
        waiting: set[RecordId] = set()
        without: set[RecordId] = set()
        after = OpNumber(0)
        while ops := self._tables.ops_in([OpState.DURABLE], after, PAGE_ROWS_MAX):
            for op in ops:
                if op.record in waiting or self.awaits_row(op.record, op.seq, op.scopes):
                    waiting.add(op.record)
                    continue
                state = next_state(op.state, OpEvent.ROW_CAME)
                self._tables.put_op(msgspec.structs.replace(op, state=state, scopes=(), untaken=Untaken.NO))
                if self._tables.row_version(op.record) is None:
                    without.add(op.record)
            after = ops[-1].n
        return without

    def awaited_in(self, scope: ScopeName) -> set[RecordId]:
        """The records whose rows, with own durable ops in them, are still to come in a scope."""
        after = OpNumber(0)
        found: set[RecordId] = set()
        while ops := self._tables.ops_in([OpState.DURABLE], after, PAGE_ROWS_MAX):
            found |= {op.record for op in ops if scope in op.scopes}
            after = ops[-1].n
        return found

    def awaits(self, record: RecordId) -> bool:
        """Whether a row of the record, with an own durable op in it, is still to come."""
        return any(op.state is OpState.DURABLE for op in self._tables.pending_ops(record))

    def awaits_row(self, record: RecordId, seq: Seq, scopes: Iterable[ScopeName]) -> bool:
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
