"""The rules of the replica. Every public method that changes something is the body of one transaction.

Invariants (the reference model in tests/ checks them after every step):
- position(scope).seq only grows within one (epoch, generation), and a batch is applied whole or not at all;
- digest(scope) is the digest of members(scope);
- a row is kept exactly as long as some scope holds the record;
- an op is in exactly one state of `sync.outbox`, and none is ever removed; of one whose record has left its officer's
  grants, or moved out of them, only its hash stays, and its content sealed to the server; of one whose record was
  erased only its hash;
- a durable op waits for its row only as long as a scope that may bring it has not come past the op's commit.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.codec import decode_row, row_head
from schemas.errors import PeerError, UsageError
from schemas.ids import DeviceId, Epoch, FieldName, Generation, Millis, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import KindSpec
from schemas.limits import REPAIR_RANGES_MAX
from schemas.ops import Op
from schemas.wire import Batch, Plan, Position, Range, Results, Retract, ScopeAdd, Snapshot, Welcome
from sync import digest
from sync.clock import Made
from sync.evidence.chain import ChainHead
from sync.merge import RecordState
from sync.outbox import OpState
from sync.replica import rebuilding
from sync.replica.facts import Dependants, Outcome, WriteFacts
from sync.replica.members import MemberChange
from sync.replica.mending import Mending
from sync.replica.moved import MovedAway
from sync.replica.ownops import OwnOps
from sync.replica.reads import ReadLog
from sync.replica.results import ResultTaker
from sync.replica.tables import PlacedRow, StoredOp, StoredPosition, Tables

_EPOCH: Final = "epoch"
_DEVICE: Final = "device"
_REPAIR_RANGE_MIN: Final = 16
"""Records in a range of a REPAIR, at least: below it the range costs more than its records."""


class Replica:
    """What one device holds, over whatever keeps it."""

    def __init__(self, tables: Tables, device: DeviceId) -> None:
        """Bind the rules to tables.

        Args:
            tables: what keeps it.
            device: whose replica it is: the id under which its ops are numbered.

        Raises:
            UsageError: the tables belong to another device.
        """
        self._tables = tables
        self._own = OwnOps(tables, device)
        self._mending = Mending(tables, self._own)
        self._results = ResultTaker(tables, self._own, self._mending)
        self._moved = MovedAway(tables, self._own)
        self.reads = ReadLog(tables)
        """What its officer consulted."""
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
        return self._own.next_op

    @property
    def chain(self) -> ChainHead:
        """Where its chain of ops stands."""
        return self._own.chain.head

    def digests(self, after: OpNumber, upto: OpNumber) -> dict[OpNumber, bytes]:
        """SHA-256 of each own op with after < n <= upto, rising: what a push tells of those that are not in it."""
        return self._own.chain.digests(after, upto)

    def seal_with(self, seal: Callable[[bytes], bytes] | None) -> None:
        """Say how to seal to the server what its officer may no longer read (RFC 9180); None: not at all."""
        self._own.seal = seal

    def sealed(self, after: OpNumber, limit: int) -> list[StoredOp]:
        """Ops that are sealed and to be handed to quarantine, with numbers above `after`, in order."""
        return self._tables.ops_in([OpState.SEALED], after, limit)

    def kept_sealed(self, numbers: Iterable[OpNumber]) -> None:
        """The server keeps these in quarantine."""
        self._own.kept_sealed(numbers)

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
        return self._own.shown(record, self._tables.pending_ops(record))

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
        seen = self._tables.pending_ops(record)
        return self._own.write(record, spec, changes, facts, seen, create=create, correct=correct)

    def made(self, n: OpNumber) -> Made | None:
        """What the device's clocks said when an op was made whose time may be told better; None for every other op."""
        return self._own.made(n)

    def dependants(self, n: OpNumber) -> Dependants:
        """What waits behind a refused op, and what would become of it if that one were withdrawn.

        Raises:
            UsageError: there is no such op, or it is not held.
        """
        return self._mending.dependants(n)

    def mend(
        self,
        n: OpNumber,
        changes: Mapping[FieldName, Any],
        facts: WriteFacts,
        *,
        without: Collection[FieldName] = (),
        occurred_at: Millis | None = None,
    ) -> Op:
        """Put a refused op right: a new op takes its place, and what waited behind it is issued again behind that.

        Args:
            n: the held op.
            changes: field -> plain value, of what is put right; every other value stays as it was.
            facts: who mends, and when; an empty `why` keeps the reason given before. `facts.occurred_at` is not used.
            without: fields that are no longer changed.
            occurred_at: when it happened (ms since 1970); None keeps what the refused op says.

        Returns:
            The new op. `became` tells the new numbers of what waited.

        Raises:
            UsageError: there is no such op, it is not held, or the server would refuse the new one; the text says why.
                Nothing was written.
        """
        outcome = Outcome()
        return self._mending.mend(n, changes, facts, without=without, occurred_at=occurred_at, outcome=outcome)

    def withdraw(self, n: OpNumber, why: str) -> Outcome:
        """Give a refused op up: it leaves the view, and is kept with the reason.

        What waited behind it is issued again; or withdrawn with it, when it is the op that makes the record
        (`dependants` tells before).

        Raises:
            UsageError: there is no such op, it is not held, or no reason is given. Nothing was written.
        """
        outcome = Outcome()
        self._mending.withdraw(n, why, outcome)
        # Its record may have moved away, and it was the last that its officer had to do there.
        self._moved.seal_up(outcome)
        return outcome

    def became(self, n: OpNumber) -> StoredOp | None:
        """The op that stands in the place of op `n` now: itself, the last that it was mended or issued again as."""
        kept = self._tables.op(n)
        while kept is not None and kept.became:
            kept = self._tables.op(kept.became)
        return kept

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
        self._own.number_above(message.last_op)
        if set_back:
            self._own.offer_all_again(message.last_op if other_history else None)
        self._own.begin_session()
        if other_history:
            self._distrust_versions()
        if message.chain is not None:
            self._follow(ChainHead(message.chain.n, message.chain.link), outcome)
        self._tables.set_meta(_EPOCH, message.epoch.encode())
        self._mending.free_held(outcome)
        self._dropped_all(outcome)
        self._moved.welcomed(message.scopes, set_back=set_back)
        self._moved.seal_up(outcome)
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
        self._dropped_all(outcome)
        self._moved.seal_up(outcome)
        return outcome

    def batch(self, message: Batch) -> Outcome:
        """Apply all changes of one scope between two positions.

        Raises:
            PeerError: `gap` when it does not start where the replica stands; `base_differs` when a row came as a
                difference from another than the one that is held.
        """
        outcome = Outcome()
        held = self._tables.position(message.scope)
        if held is None or held.gen != message.gen:
            # A late batch of a generation that has ended since: dropped, by DESIGN section 6.
            return outcome
        if held.after is not None or held.seq != message.frm or message.to < message.frm:
            raise PeerError("gap", f"{message.scope}: at {held.seq}, batch from {message.frm} to {message.to}")
        change = MemberChange(self._tables, message.scope, held)
        rows = _by_record(message.rows)
        changed = rebuilding.by_record(message)
        told = [*rows, *changed]
        kept = self._tables.row_versions(told)
        newer = {record: one for record, one in rows.items() if kept.get(record, -1) < one.version}
        newer |= rebuilding.newer_rows(message, changed, kept, self._tables)
        versions = {record: one.version for record, one in rows.items()} | dict.fromkeys(changed, message.to)
        self._take_rows(versions, newer, self._tables.members_among(message.scope, told), change, outcome)
        self._erased(message.erased, outcome)
        for record in message.gone:
            change.drop(record)
            self._left(record, outcome)
            self._moved.note(record, message.scope, message.to)
        self._tables.put_position(message.scope, change.position(seq=message.to, after=None))
        self._settle(outcome)
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
        self._erased(message.erased, outcome)
        rows = _by_record(message.rows)
        before = dict(self._tables.members(message.scope, message.after, message.upto))
        for record in before:
            if record not in rows:
                change.drop(record)
                self._left(record, outcome)
                self._moved.note(record, message.scope, held.seq)
        # A page is read after everything sent before it, so it is never older than what is kept, except in number when
        # the server was set back: it always replaces.
        versions = {record: one.version for record, one in rows.items()}
        self._take_rows(versions, rows, before, change, outcome)
        ended = message.repair or message.last
        self._tables.put_position(message.scope, change.position(seq=held.seq, after=None if ended else message.upto))
        self._settle(outcome)
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
            self._results.take(kept, result, outcome)
            if self._is_settled(kept.n):
                self._moved.note(kept.record)
        self._moved.seal_up(outcome)
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

    def _follow(self, server: ChainHead, outcome: Outcome) -> None:
        """See that the next op follows the chain as the server holds it."""
        self._own.number_above(server.n)
        if self._own.chain.link_behind(server.n) != server.link:
            outcome.copied = True
            self._mending.go_on_from(server, outcome)

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
        # A live batch tells only the end of its digest.
        if held is None or (held.digest[-len(theirs) :], held.count) == (theirs, count):
            return
        members = self._tables.members(scope, "", "")
        true = msgspec.structs.replace(held, digest=digest.of(members), count=len(members))
        self._tables.put_position(scope, true)
        if (true.digest[-len(theirs) :], true.count) != (theirs, count):
            outcome.differ.append(scope)

    def _distrust_versions(self) -> None:
        """Let the first row that comes replace each kept one: their versions count another history's commits."""
        for scope in self._tables.positions():
            for record, _ in self._tables.members(scope, "", ""):
                raw = self._tables.row(record)
                if raw is not None:
                    self._tables.put_row(record, decode_row(raw).kind, Seq(0), raw)

    def _dropped_all(self, outcome: Outcome) -> None:
        """A scope was dropped. With the last one goes what was only ever written here: nobody asks for it any more.

        Else it would stay readable on a device that was revoked, and is never let push again.
        """
        if outcome.removed and not self._tables.positions():
            self._own.seal_rest(outcome)

    def _take_rows(
        self,
        versions: Mapping[RecordId, Seq],
        newer: Mapping[RecordId, PlacedRow],
        before: Mapping[RecordId, Seq],
        change: MemberChange,
        outcome: Outcome,
    ) -> None:
        """Take in the rows of a message: all of them are in its scope, and `newer` replace what is kept."""
        if not versions:
            return
        change.put_all(versions, before)
        self._tables.put_rows(list(newer.values()))
        outcome.touched |= versions.keys()

    def _erased(self, records: Collection[RecordId], outcome: Outcome) -> None:
        """Destroy what own ops say of erased records, before any of it is sealed. Their rows go with their scopes."""
        for record in records:
            self._own.erase(record, outcome)

    def _left(self, record: RecordId, outcome: Outcome) -> None:
        """A scope no longer holds the record; with the last scope the row goes."""
        outcome.touched.add(record)
        if not self._tables.is_member_of_any(record):
            self._tables.drop_row(record)
            self._own.seal_without_right(record, outcome)

    def _settle(self, outcome: Outcome) -> None:
        """A scope's rows have come: what that means for the ops that waited for them, and for what left with it."""
        self._settle_own()
        self._own.changed(outcome.touched, outcome)
        self._moved.seal_up(outcome)

    def _settle_own(self) -> None:
        for record in self._own.settle():
            self._moved.note(record)

    def _is_settled(self, n: OpNumber) -> bool:
        op = self._tables.op(n)
        return op is not None and op.state is OpState.SETTLED

    def _drop_scope(self, scope: ScopeName, gen: Generation, outcome: Outcome) -> None:
        members = self._tables.members(scope, "", "")
        # Records that the server has in the scope and whose rows have not come: their authors wrote them here.
        coming = self._own.awaited_in(scope) - {record for record, _ in members}
        for record, _ in members:
            self._tables.drop_member(scope, record)
        self._tables.drop_position(scope)
        gone = 0
        for record, _ in members:
            self._left(record, outcome)
            if self._tables.row_version(record) is None:
                gone += 1
                self._own.seal_up(record, outcome)
                # With nobody to seal to yet, it is sealed when there is somebody.
                self._moved.note(record)
        self._settle_own()
        for record in sorted(coming):
            if self._tables.row_version(record) is None and not self._own.awaits(record):
                outcome.touched.add(record)
                self._own.seal_up(record, outcome)
        outcome.removed.append((scope, gen, gone))


def _by_record(rows: Iterable[msgspec.Raw]) -> dict[RecordId, PlacedRow]:
    """The rows of a message, kept as they came: what only a newer program knows stays in them."""
    heads = ((row_head(raw), raw) for raw in rows)
    return {head.id: PlacedRow(head.id, head.kind, head.v, bytes(raw)) for head, raw in heads}
