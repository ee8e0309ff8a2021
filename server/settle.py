"""What a group of ops does to the records: pure. The store loads what it needs, calls this, and writes the plan.

One call makes one commit: one seq, one transaction, one batch per scope. It takes ops in order until the changed rows
reach COMMIT_BYTES_SOFT_MAX, so that a scope's batch always fits in a message; the caller commits the rest next.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from schemas.codec import encode, reread_op
from schemas.ids import DeviceId, Millis, OpNumber, RecordId, ScopeName, Seq
from schemas.limits import COMMIT_BYTES_SOFT_MAX, OPS_PER_COMMIT_MAX
from schemas.ops import Op
from schemas.wire import Result
from sync import check, digest, merge
from sync.merge import RecordState
from sync.session import Head

OpKey = tuple[DeviceId, OpNumber]

_CURABLE: Final = frozenset({"op_record_unknown", "op_not_permitted"})
"""Refusals that a server set back must not give for good to an op made on a version that it has lost: the ops that led
to that version are offered again too, by other devices, and in any order."""


class Submission(msgspec.Struct, frozen=True):
    """Ops that one device pushed at once.

    Attributes:
        device: who pushed them.
        scopes: what it holds grants for; None for the server's own acts, which may change every record.
        ops: their bytes, in order. They have been decoded and checked to be this device's.
    """

    device: DeviceId
    scopes: frozenset[ScopeName] | None
    ops: tuple[bytes, ...]


class KnownOp(msgspec.Struct, frozen=True):
    """An op that the store holds: the hash of its bytes and its result."""

    digest: bytes
    result: Result


class Loaded(msgspec.Struct, frozen=True):
    """What the store holds of what a group is about.

    Attributes:
        ops: known results by op, for the group's own ops and the ones named in their `after`.
        states: records by id.
        heads: where every scope stands.
    """

    ops: Mapping[OpKey, KnownOp]
    states: Mapping[RecordId, RecordState]
    heads: Mapping[ScopeName, Head]


class NewOp(msgspec.Struct, frozen=True):
    """An op to keep, with its result. `body` is as it came; a refused one is kept too."""

    device: DeviceId
    n: OpNumber
    record: RecordId
    body: bytes
    digest: bytes
    result: Result


class NewRow(msgspec.Struct, frozen=True):
    """A record to keep: its row and the scopes that hold it now. `before` is its version until this commit, or 0."""

    record: RecordId
    kind: str
    body: bytes
    scopes: frozenset[ScopeName]
    before: Seq


class ScopeChange(msgspec.Struct, frozen=True):
    """What a commit did to one scope: everything its batch needs.

    Attributes:
        scope: which.
        frm: its head before.
        rows: encoded rows of the changed records that it holds.
        members: their ids, in the same order.
        gone: records that left it.
        head: where it stands now.
    """

    scope: ScopeName
    frm: Seq
    rows: tuple[bytes, ...]
    members: tuple[RecordId, ...]
    gone: tuple[RecordId, ...]
    head: Head


class Settled(msgspec.Struct, frozen=True):
    """One commit, decided.

    Attributes:
        seq: its place in the order, or the one before when it changes nothing.
        recorded_at: the server's clock (ms since 1970).
        taken: how many ops of the group it took; the rest come next.
        results: one per op taken, in order.
        ops, rows, scopes: what to write.
    """

    seq: Seq
    recorded_at: Millis
    taken: int
    results: tuple[Result, ...]
    ops: tuple[NewOp, ...]
    rows: tuple[NewRow, ...]
    scopes: tuple[ScopeChange, ...]


class Needs(msgspec.Struct, frozen=True):
    """What must be loaded before a group can be settled."""

    ops: frozenset[OpKey]
    records: frozenset[RecordId]


def flatten(group: Sequence[Submission]) -> list[tuple[Submission, bytes]]:
    """The group's ops in order, each with its submission."""
    return [(submission, raw) for submission in group for raw in submission.ops]


def needs(ops: Sequence[tuple[Submission, bytes]]) -> Needs:
    """What `settle` will ask for."""
    keys: set[OpKey] = set()
    records: set[RecordId] = set()
    for submission, raw in ops[:OPS_PER_COMMIT_MAX]:
        op = reread_op(raw)
        keys.add((submission.device, op.n))
        if op.after:
            keys.add((submission.device, op.after))
        records.add(op.record)
    return Needs(ops=frozenset(keys), records=frozenset(records))


def settle(ops: Sequence[tuple[Submission, bytes]], loaded: Loaded, head: Seq, now: Millis) -> Settled:
    """Decide one commit.

    Args:
        ops: the group's ops in order (`flatten`).
        loaded: what `needs` asked for.
        head: seq of the last commit.
        now: the server's clock (ms since 1970).
    """
    commit = _Commit(loaded, Seq(head + 1), now)
    for submission, raw in ops[:OPS_PER_COMMIT_MAX]:
        if commit.size >= COMMIT_BYTES_SOFT_MAX:
            break
        commit.take(submission, raw)
    return commit.finish(head)


class _Commit:
    """One commit while it is being decided."""

    def __init__(self, loaded: Loaded, seq: Seq, now: Millis) -> None:
        self._loaded = loaded
        self._seq = seq
        self._now = now
        self._known: dict[OpKey, KnownOp] = dict(loaded.ops)
        self._states: dict[RecordId, RecordState] = dict(loaded.states)
        self._bodies: dict[RecordId, bytes] = {}
        self._results: list[tuple[RecordId, Result]] = []
        self._new_ops: list[NewOp] = []
        self.size = 0
        """Bytes of the rows changed so far."""

    def take(self, submission: Submission, raw: bytes) -> None:
        """Decide one op."""
        op = reread_op(raw)
        key = (submission.device, op.n)
        digest_of_op = hashlib.sha256(raw).digest()
        known = self._known.get(key)
        if known is not None:
            same = known.digest == digest_of_op
            result = known.result if same else _refused(op, check.Refusal("op_reused", op.id))
            self._results.append((op.record, result))
            return
        if op.after:
            before = self._known.get((submission.device, op.after))
            if before is None or before.result.status != "durable":
                code = "" if before is None else before.result.code
                waiting = Result(n=op.n, status="waiting", code=code, detail=f"behind op {op.after}")
                self._results.append((op.record, waiting))
                return
        result = self._decide(op, submission)
        self._results.append((op.record, result))
        if result.status == "waiting":
            return
        self._known[key] = KnownOp(digest_of_op, result)
        self._new_ops.append(NewOp(submission.device, op.n, op.record, raw, digest_of_op, result))

    def _decide(self, op: Op, submission: Submission) -> Result:
        spec = check.op_alone(op)
        if isinstance(spec, check.Refusal):
            return _refused(op, spec)
        before = self._states.get(op.record)
        refusal = check.op_on(before, op, spec)
        if refusal is None and before is not None and not _may_write(submission, before):
            refusal = check.Refusal("op_not_permitted", "")
        if refusal is not None and refusal.code in _CURABLE and op.base > (0 if before is None else before.version):
            return Result(n=op.n, status="waiting", code=refusal.code, detail=f"made on version {op.base}")
        if refusal is not None:
            return _refused(op, refusal)
        after = merge.apply(merge.new_state(op, spec) if before is None else before, op, self._now, self._seq)
        row = merge.to_row(after)
        refusal = check.outcome(after, row)
        if refusal is not None:
            return _refused(op, refusal)
        body = encode(row)
        self.size += len(body) - len(self._bodies.get(op.record, b""))
        self._states[op.record] = after
        self._bodies[op.record] = body
        return Result(
            n=op.n,
            status="durable",
            seq=self._seq,
            stands={str(name): stands for name, stands in merge.displaced(after, op).items()},
        )

    def finish(self, head: Seq) -> Settled:
        """The plan to write."""
        # A record's scopes are told as they are after the whole commit: one that it was in only between two ops of the
        # group has nothing of it in its log, and a device would wait for ever for the row to come there.
        told = {record for record, result in self._results if result.status == "durable"}
        scopes = {record: self._states[record].scopes() for record in told | self._bodies.keys()}
        rows = []
        for record, body in self._bodies.items():
            before = self._loaded.states.get(record)
            version = Seq(0) if before is None else before.version
            rows.append(NewRow(record, self._states[record].spec.name, body, scopes[record], version))
        return Settled(
            seq=self._seq if rows else head,
            recorded_at=self._now,
            taken=len(self._results),
            results=tuple(_told(result, scopes.get(record)) for record, result in self._results),
            ops=tuple(
                msgspec.structs.replace(op, result=_told(op.result, scopes.get(op.record))) for op in self._new_ops
            ),
            rows=tuple(rows),
            scopes=self._scope_changes(rows),
        )

    def _scope_changes(self, rows: Sequence[NewRow]) -> tuple[ScopeChange, ...]:
        held: dict[ScopeName, list[NewRow]] = {}
        gone: dict[ScopeName, list[NewRow]] = {}
        for row in rows:
            loaded = self._loaded.states.get(row.record)
            for scope in row.scopes:
                held.setdefault(scope, []).append(row)
            for scope in (loaded.scopes() if loaded is not None else frozenset()) - row.scopes:
                gone.setdefault(scope, []).append(row)
        return tuple(
            self._scope_change(scope, held.get(scope, []), gone.get(scope, []))
            for scope in sorted(held.keys() | gone.keys())
        )

    def _scope_change(self, scope: ScopeName, held: Sequence[NewRow], gone: Sequence[NewRow]) -> ScopeChange:
        before = self._loaded.heads.get(scope, Head(Seq(0), digest.EMPTY, 0))
        were = [row for row in (*held, *gone) if self._was_in(scope, row.record)]
        changed = digest.change(
            before.digest,
            added=[(row.record, self._seq) for row in held],
            removed=[(row.record, row.before) for row in were],
        )
        return ScopeChange(
            scope=scope,
            frm=before.seq,
            rows=tuple(row.body for row in held),
            members=tuple(row.record for row in held),
            gone=tuple(row.record for row in gone),
            head=Head(self._seq, changed, before.count + len(held) - len(were)),
        )

    def _was_in(self, scope: ScopeName, record: RecordId) -> bool:
        state = self._loaded.states.get(record)
        return state is not None and scope in state.scopes()


def _may_write(submission: Submission, state: RecordState) -> bool:
    return submission.scopes is None or not submission.scopes.isdisjoint(state.scopes())


def _told(result: Result, scopes: frozenset[ScopeName] | None) -> Result:
    """The result with the scopes that its record is in now; only a durable one tells them."""
    if scopes is None or result.status != "durable":
        return result
    return msgspec.structs.replace(result, scopes=tuple(sorted(scopes)))


def _refused(op: Op, refusal: check.Refusal) -> Result:
    return Result(n=op.n, status="refused", code=refusal.code, detail=refusal.detail[:500])
