"""What a group of ops does to the records: pure. The store loads what it needs, calls this, and writes the plan.

One call makes one commit: one seq, one transaction, one batch per scope. It takes ops in order until the changed rows
reach COMMIT_BYTES_SOFT_MAX, so that a scope's batch always fits in a message; the caller commits the rest next.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from schemas import scopes as scope_names
from schemas.codec import encode, reread_op
from schemas.ids import FieldName, Millis, OpId, RecordId, ScopeName, Seq, op_id, split_op_id
from schemas.limits import CLOCK_SKEW_NOTICE_MS, COMMIT_BYTES_SOFT_MAX, OPS_PER_COMMIT_MAX, RECORD_BYTES_MAX
from schemas.ops import AFTER_DIGEST_BYTES, Doubt, Op, Stamp, stamp_of
from schemas.wire import SCHEMA, Result
from server import erasure, logbook
from server.commits import NO_ACTS, KnownOp, Loaded, NewOp, NewRow, Settled, Submission
from server.consequences import Plan
from server.forks import Forks
from server.logbook import ERASED_DIGEST, NOTHING, OFFICE, Erased, Extras, OpKey, Written
from server.roles import Roles
from server.scope_changes import scope_changes
from server.sides import on_another_side
from sync import check, entitled, inbox, merge
from sync.evidence.leaf import OpLeaf, RowsLeaf
from sync.evidence.leaf import encode as encode_leaf
from sync.history import Act
from sync.merge import RecordState

_CURABLE: Final = frozenset({"op_record_unknown", "op_not_permitted"})
"""Refusals that a server set back must not give for good to an op made on a version that it has lost: the ops that led
to that version are offered again too, by other devices, and in any order."""
_ENCODER: Final = msgspec.msgpack.Encoder()
_ERASED: Final = "op_record_erased"
_NO_DOUBT: Final = Doubt(0)
_NO_SUBJECT: Final = "op_record_unknown"
_OF_NEWER: Final = frozenset({"op_kind_unknown", "op_value_newer"})
"""Refusals that an older server must not give for good to a newer device: once it is updated, it takes the op."""


def settle(  # noqa: PLR0917  what a commit is made of
    ops: Sequence[tuple[Submission, bytes]],
    loaded: Loaded,
    head: Seq,
    now: Millis,
    beside: Extras = NOTHING,
    after: dict[RecordId, RecordState] | None = None,
) -> Settled:
    """Decide one commit.

    Args:
        ops: the group's ops in order (`flatten`).
        loaded: what `needs` asked for.
        head: seq of the last commit.
        now: the server's clock (ms since 1970).
        beside: what comes with them (`extras`); it is written when this commit takes the last of the ops.
        after: takes the changed records as they stand after it, for a store that keeps them in memory.
    """
    commit = _Commit(loaded, Seq(head + 1), now, beside)
    read = loaded.read or tuple(reread_op(raw) for _, raw in ops[:OPS_PER_COMMIT_MAX])
    for (submission, raw), op in zip(ops, read, strict=False):
        if commit.size >= COMMIT_BYTES_SOFT_MAX:
            break
        commit.take(submission, raw, op)
    if after is not None:
        after.update(commit.changed())
    return commit.finish(head, len(ops))


class _Commit:
    """One commit while it is being decided."""

    def __init__(self, loaded: Loaded, seq: Seq, now: Millis, beside: Extras) -> None:
        self._loaded = loaded
        self._brought = beside
        self._beside = logbook.following(beside, loaded.chains)
        self._vouched = self._beside.vouched()
        self._seq = seq
        self._now = now
        self._known: dict[OpKey, KnownOp] = dict(loaded.ops)
        self._before: dict[RecordId, RecordState | None] = dict(loaded.states)
        self._states: dict[RecordId, RecordState] = dict(loaded.states)
        self._bodies: dict[RecordId, bytes] = {}
        self._been: dict[RecordId, frozenset[ScopeName]] = {}
        """The scopes that records came to be in by the ops so far."""
        self._forks = Forks(loaded)
        self._results: list[tuple[RecordId, Result]] = []
        self._new_ops: dict[OpKey, NewOp] = {}
        self._told_at: dict[OpKey, int] = {}
        """New op -> the place of its result among the results."""
        self.size = 0
        """Bytes of the rows changed so far."""

    def take(self, submission: Submission, raw: bytes, op: Op) -> None:
        """Decide one op, which came as `raw`."""
        key = (submission.device, op.n)
        digest_of_op = hashlib.sha256(raw).digest()
        known = self._known.get(key)
        if known is not None and known.digest == digest_of_op:
            self._results.append((op.record, known.result))
            return
        if known is not None or self._is_another(key, digest_of_op, signed=submission.head is not None):
            self._forks.refused(key)
            self._results.append((op.record, _refused(op, check.Refusal("op_reused", op.id))))
            return
        result, acts = self._behind(op, submission) or self._decide(op, submission)
        self._results.append((op.record, result))
        if result.status == "waiting":
            return
        self._known[key] = KnownOp(digest_of_op, result)
        # What came about a record that was erased is not content to keep, and its hash says that it came.
        body = b"" if result.code == _ERASED else raw
        self._new_ops[key] = NewOp(submission.device, op.n, op.record, body, digest_of_op, result, acts)
        self._told_at[key] = len(self._results) - 1

    def _is_another(self, key: OpKey, digest_of_op: bytes, *, signed: bool) -> bool:
        """Whether the device has signed for another op of this number; `signed`: a head came with this one."""
        chain = self._loaded.chains.get(key[0])
        if chain is not None and key[1] <= chain.n:
            return self._loaded.covered.get(key) != digest_of_op
        vouched = self._vouched.get(key)
        # What comes under a head that does not go on from the chain is a copy's, whatever number it has.
        return signed if vouched is None else vouched != digest_of_op

    def _behind(self, op: Op, submission: Submission) -> "_Decided | None":
        """That the op waits behind the one named in its `after`, if it does."""
        if not op.after:
            return None
        before = self._known.get((submission.device, op.after))
        if before is not None and before.result.status == "durable":
            if op.after_digest in (b"", before.digest[:AFTER_DIGEST_BYTES]):
                return None
            # A copy of the device used the number for another op; this one's is still to come under a new number.
            return _waits(op, "op_reused", f"behind another op {op.after}")
        return _waits(op, "" if before is None else before.result.code, f"behind op {op.after}")

    def _decide(self, op: Op, submission: Submission) -> "_Decided":
        before = self._state(op.record)
        # Before anything else: whatever is wrong with it as well, it is about what nobody may know any more.
        gone = self._loaded.archive.erasure_of(op.record) if before is None else None
        if gone is not None:
            return _refused(op, check.Refusal(_ERASED, erasure.refusal_detail(gone))), ()
        newer = submission.schema > SCHEMA
        spec = check.op_alone(op, newer=newer, by_rule=submission.scopes is None)
        if isinstance(spec, check.Refusal):
            if newer and spec.code in _OF_NEWER:
                return _waits(op, spec.code, f"{spec.detail}: this server is older than the device")
            return _refused(op, spec), ()
        version = Seq(0) if before is None else before.version
        stamp = self._stamp(op, before, submission)
        unread = check.unread(op, spec) if newer else merge.NO_FIELDS
        refusal = self._without_right(submission, op, before)
        missing = None if refusal is not None else self._not_here(op, before)
        if missing is not None:
            # Judged by the record as it is without that op, this one might be refused for good.
            return _waits(op, "op_saw_unknown", f"its author saw {missing}, which has not come")
        roles = submission.roles
        refusal = refusal or entitled.refusal(op, spec, before, None if roles is None else roles.every)
        refusal = refusal or check.op_on(before, op, spec, stamp, unread, newer=newer)
        if refusal is not None and refusal.code in _CURABLE and op.base > version:
            return _waits(op, refusal.code, f"made on version {op.base}")
        acts: tuple[Act, ...] = ()
        if refusal is None:
            start = merge.new_state(op, spec) if before is None else before
            after = merge.apply(start, op, self._now, self._seq, stamp=stamp, unread=unread)
            refusal = on_another_side(op, after, submission, unread) or self._elsewhere(op, before, after, roles)
            if refusal is not None and op.base > version:
                return _waits(op, refusal.code, f"made on version {op.base}")
            refusal = refusal or self._without_subject(submission, before, after)
            if refusal is None:
                refusal, acts = self._adopt(op, before, after, stamp, unread)
        if refusal is not None:
            # What makes a record lacks none but the one that it is about, and that may come.
            waits = op.create and refusal.code == _NO_SUBJECT
            return _waits(op, refusal.code, refusal.detail) if waits else (_refused(op, refusal), ())
        # In a new record nothing can stand in the place of what it says.
        displaced = {} if before is None else merge.displaced(self._states[op.record], op)
        stands = {str(name): op_id for name, op_id in displaced.items()}
        return Result(n=op.n, status="durable", seq=self._seq, stands=stands), acts

    def _without_right(self, submission: Submission, op: Op, before: RecordState | None) -> check.Refusal | None:
        if op.via is not None and submission.device != OFFICE:
            # Evidence says where its author was: what a device writes, it was written on.
            return check.Refusal("op_value_wrong", "via: only the server says for whom it wrote")
        if before is None or submission.scopes is None or before.spec.name != op.kind:
            return None
        if submission.scopes.isdisjoint(before.writing_scopes()):
            return check.Refusal("op_not_permitted", "")
        if op.correct:
            inboxes = {scope_names.inbox(scope_names.audience(scope)) for scope in before.scopes()}
            if submission.scopes.isdisjoint(inboxes):
                return check.Refusal("op_not_entitled", "a correction is made by those who decide")
        return None

    def _elsewhere(
        self, op: Op, before: RecordState | None, after: RecordState, roles: Roles | None
    ) -> check.Refusal | None:
        """That what the author is counts for the records of another unit, if it does."""
        if roles is None or not roles.bound:
            return None
        found: check.Refusal | None = None
        # Where it was is asked last: it takes looking up.
        for places in self._places(op.record, after if before is None else before):
            found = entitled.refusal(op, after.spec, before, roles.among(places))
            if found is None:
                return None
        return found and check.Refusal(found.code, f"{found.detail} What the author is counts for another unit.")

    def _places(self, record: RecordId, state: RecordState) -> Iterator[frozenset[ScopeName]]:
        """Where a record is; then, where it is or ever was."""
        yield state.scopes()
        yield state.scopes() | self._been.get(record, frozenset()) | self._loaded.archive.scopes_ever(record)

    def _without_subject(
        self, submission: Submission, before: RecordState | None, after: RecordState
    ) -> check.Refusal | None:
        """That a person, ahead of the rules, makes a record about one that is not here or not theirs to write to."""
        about = after.build().about() if before is None and after.spec.named is not None else None
        if about is None or submission.scopes is None:
            return None
        subject = self._state(about)
        if subject is None:
            return self._part_of_erased(after) or check.Refusal(_NO_SUBJECT, "the record that it is about has not come")
        places = {scope_names.audience(scope) for scope in submission.scopes}
        return check.Refusal("op_not_permitted", "") if places.isdisjoint(inbox.places_of(subject)) else None

    def _not_here(self, op: Op, before: RecordState | None) -> OpId | None:
        """An op that the author saw and that this server does not hold: it was set back, or the op is invented."""
        if not op.saw:
            return None
        stamps = set() if before is None else {s.op for cell in before.cells.values() for s in cell.stamps()}
        # A higher number of the same device says nothing: the op may be a decision, made on the item about this record.
        names = sorted({name for names in op.saw.values() for name in names} - stamps)
        # What the server itself wrote and lost in a restore is offered again by nobody.
        names = [name for name in names if split_op_id(name)[0] != OFFICE]
        return next((name for name in names if self._body(name) is None), None)

    def _stamp(self, op: Op, before: RecordState | None, submission: Submission) -> Stamp:
        """What the op's values bear: its own reading, or the better one that its device told since."""
        told = submission.times.get(op.n)
        hlc = merge.reading(before, op, told)
        doubt = _NO_DOUBT if told is None else Doubt.CORRECTED
        if hlc.ms > self._now + CLOCK_SKEW_NOTICE_MS:
            doubt |= Doubt.AHEAD
        return stamp_of(op, self._now, self._seq, hlc, doubt)

    # --- what follows from a change ----------------------------------------------------------------------------------

    def _adopt(
        self, op: Op, before: RecordState | None, after: RecordState, stamp: Stamp, unread: frozenset[FieldName]
    ) -> tuple[check.Refusal | None, tuple[Act, ...]]:
        """Take in a changed record and what follows from it by rule; or nothing of it, with the reason."""
        plan = Plan(self._state, self._parts, lambda name: op if name == op.id else self._op(name))
        changes = {
            name: merge.change_of(op, name, stamp, after.spec.fields[name]) for name in op.changes if name not in unread
        }
        plan.change(before, after, changes, op, stamp)
        bodies: dict[RecordId, bytes] = {}
        for state in plan.states.values():
            row = merge.to_row(state)
            body = encode(row)
            refusal = check.outcome(state, row, len(body)) or self._part_of_erased(state)
            if refusal is not None:
                return refusal, ()
            bodies[state.id] = body
        if sum(map(len, bodies.values())) > RECORD_BYTES_MAX:
            # All rows of one op must fit in one page, beside those of a commit that was about to end.
            return check.Refusal("op_record_full", f"with what people differ about, over {RECORD_BYTES_MAX} bytes"), ()
        for record, body in bodies.items():
            self.size += len(body) - len(self._bodies.get(record, b""))
            self._bodies[record] = body
            self._states[record] = plan.states[record]
            self._been[record] = self._been.get(record, frozenset()) | plan.states[record].scopes()
        return None, tuple(plan.acts)

    def _part_of_erased(self, state: RecordState) -> check.Refusal | None:
        """That the record is a part of one that was erased, if it is: it would say what nobody may know any more."""
        about = state.build().about()
        gone = None if about is None or self._state(about) is not None else self._loaded.archive.erasure_of(about)
        return None if gone is None else check.Refusal(_ERASED, erasure.refusal_detail(gone))

    def _state(self, record: RecordId) -> RecordState | None:
        if record in self._states:
            return self._states[record]
        if record not in self._before:
            self._before[record] = self._loaded.archive.state(record)
        return self._before[record]

    def _parts(self, record: RecordId) -> list[RecordId]:
        """The records that are directly a part of one, those included that this commit makes."""
        made = {one for one in self._bodies if self._states[one].build().about() == record}
        return sorted(made.union(self._loaded.archive.parts(record)))

    def _body(self, op: OpId) -> bytes | None:
        device, n = split_op_id(op)
        new = self._new_ops.get((device, n))
        if new is not None:
            return new.body if new.result.status == "durable" else None
        return self._loaded.archive.body(device, n)

    def _op(self, op: OpId) -> Op | None:
        body = self._body(op)
        return None if body is None else reread_op(body)

    def changed(self) -> dict[RecordId, RecordState]:
        """The records that the ops so far have changed, as they stand now."""
        return {record: self._states[record] for record in self._bodies}

    def finish(self, head: Seq, ops: int) -> Settled:
        """The plan to write, of a group of so many ops."""
        # A record's scopes are told as they are after the whole commit: one that it was in only between two ops of the
        # group has nothing of it in its log, and a device would wait for ever for the row to come there.
        told = {record for record, result in self._results if result.status == "durable"}
        # One that was erased since is in none: nobody waits for its row.
        states = {record: self._states.get(record) for record in told | self._bodies.keys()}
        scopes = {record: frozenset() if state is None else state.scopes() for record, state in states.items()}
        rows = []
        for record, body in self._bodies.items():
            before = self._before.get(record)
            version = Seq(0) if before is None else before.version
            state = self._states[record]
            rows.append(NewRow(record, state.spec.name, body, scopes[record], version, state.build().about()))
        beside = self._beside if len(self._results) == ops else NOTHING
        self._forks.signed(self._brought, self._beside, self._known)
        gone = self._erase(beside)
        seq = self._seq if rows or gone.gone or gone.ahead else head
        names = {record: tuple(sorted(found)) for record, found in scopes.items()}
        results = tuple(_told(result, names.get(record)) for record, result in self._results)
        kept = tuple(self._kept(op, results[self._told_at[key]]) for key, op in self._new_ops.items())
        without = [NewRow(state.id, state.spec.name, b"", frozenset(), state.version) for state, _ in gone.gone]
        return Settled(
            seq=seq,
            recorded_at=self._now,
            taken=len(self._results),
            results=results,
            ops=kept,
            rows=tuple(rows),
            scopes=scope_changes([*rows, *without], self._before, self._loaded, self._seq),
            written=self._written(seq, kept, rows, beside, gone),
            erased=(
                *(Erased(state.id, by.record, self._now, seq, by.note) for state, by in gone.gone),
                *(Erased(by.record, by.record, self._now, seq, by.note, ahead=True) for by in gone.ahead),
            ),
        )

    def _kept(self, op: NewOp, result: Result) -> NewOp:
        """A new op with its result as it is told."""
        did = _ENCODER.encode(op.acts) if op.acts else NO_ACTS
        return msgspec.structs.replace(op, result=result, told=_ENCODER.encode(result), did=did)

    def _erase(self, beside: Extras) -> erasure.Plan:
        """The erasures of the group that may be carried out behind its ops."""
        if not beside.erasures:
            return erasure.Plan()
        touched = {*self._bodies, *(self._states[record].build().about() for record in self._bodies)} - {None}
        done = erasure.plan(beside.erasures, self._loaded.archive, frozenset(one for one in touched if one is not None))
        self._before.update((state.id, state) for state, _ in done.gone)
        return done

    def _written(
        self, seq: Seq, ops: Sequence[NewOp], rows: Sequence[NewRow], beside: Extras, gone: erasure.Plan
    ) -> Written:
        """What to write beside ops and rows, the log's leaves among it."""
        archive = self._loaded.archive
        own = (*gone.entries, *self._forks.entries(self._now))
        entries = logbook.new_entries(
            beside, own, self._loaded.entries, lambda record: archive.erasure_of(record) is not None
        )
        leaves = [self._op_leaf(op, seq, self._loaded.places + i) for i, op in enumerate(ops, 1)]
        leaves += logbook.entry_leaves(entries, self._now)
        digests = logbook.rows_digests((row.record, row.body) for row in rows)
        digests += tuple((state.id, ERASED_DIGEST) for state, _ in gone.gone)
        digests += tuple((one.record, ERASED_DIGEST) for one in gone.ahead)
        if digests:
            leaves.append(encode_leaf(RowsLeaf(seq=seq, at=self._now, rows=digests)))
        tree, nodes = logbook.grown(self._loaded.tree, leaves)
        return Written(
            entries=entries,
            secrets=beside.secrets,
            chains=logbook.chains_after(beside),
            covered=tuple((*key, digest) for key, digest in beside.vouched().items() if key not in self._known),
            leaves=tuple(leaves),
            first_leaf=self._loaded.tree.size,
            nodes=nodes,
            tree=tree,
        )

    def _op_leaf(self, op: NewOp, seq: Seq, place: int) -> bytes:
        outcome = logbook.outcome_digest(op.told, op.did)
        leaf = OpLeaf(id=op_id(op.device, op.n), digest=op.digest, outcome=outcome, seq=seq, at=self._now, place=place)
        return encode_leaf(leaf)


_Decided = tuple[Result, tuple[Act, ...]]


def _waits(op: Op, code: str, detail: str) -> _Decided:
    return Result(n=op.n, status="waiting", code=code, detail=detail[:500]), ()


def _told(result: Result, scopes: tuple[ScopeName, ...] | None) -> Result:
    """The result with the scopes that its record is in now; only a durable one tells them."""
    if scopes is None or result.status != "durable":
        return result
    return msgspec.structs.replace(result, scopes=scopes)


def _refused(op: Op, refusal: check.Refusal) -> Result:
    return Result(n=op.n, status="refused", code=refusal.code, detail=refusal.detail[:500])
