"""The server's own acts: records that the control room makes over HTTP, and imports.

They are ops like any other, of the device `control-room`, so that they have an author, a place in the order, and a
replay that changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.codec import decode_op, decode_row, encode
from schemas.errors import FrameError, UsageError
from schemas.ids import FieldName, Millis, OfficerId, OpNumber, RecordId
from schemas.kinds import KindSpec, kind_named
from schemas.limits import OPS_PER_PUSH_MAX
from schemas.ops import Op
from schemas.policies import MANY
from schemas.wire import Result
from server.committer import Committer
from server.identity import OFFICE
from server.settle import Submission
from server.store import Store
from sync import check, clock, merge
from sync.replica.writing import sight


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A record to make, or to bring to these values.

    Attributes:
        record: its id.
        kind: its kind.
        values: field -> plain value; of a `grow` field the entries.
    """

    record: RecordId
    kind: str
    values: Mapping[FieldName, Any]


class Made(msgspec.Struct, frozen=True):
    """What became of a draft.

    Attributes:
        record: its id.
        outcome: `created`, `changed`, or `same` when the record already had these values.
        seq: the commit; 0 when nothing changed.
    """

    record: RecordId
    outcome: str
    seq: int


class Office:
    """Makes records on the server's behalf."""

    def __init__(self, store: Store, committer: Committer, now: Callable[[], Millis]) -> None:
        """Bind it."""
        self._store = store
        self._committer = committer
        self._now = now
        self._next = OpNumber(1)

    async def start(self) -> None:
        """Go on behind the last op of an earlier run."""
        self._next = OpNumber(await self._store.last_op(OFFICE) + 1)

    async def bring(self, drafts: Sequence[Draft], author: OfficerId) -> list[Made]:
        """Make records, or change those that are there and differ; what is the same is left alone.

        On a record that is there, only fields with one value are compared, and a value that someone other than `author`
        has written since stands: a file imported again never undoes an officer's work. Entries are given at its making.

        Args:
            drafts: at most ARRAY_LEN_MAX, no record twice.
            author: on whose behalf.

        Raises:
            UsageError: a draft cannot be; the text says which and why. Drafts before it may have been committed.
            StoreError: the store failed; the same call again is safe.
        """
        known = await self._store.existing([draft.record for draft in drafts])
        made: dict[RecordId, Made] = {}
        ops: list[Op] = []
        for draft in drafts:
            op = self._op_for(draft, known.get(draft.record), author)
            if op is None:
                made[draft.record] = Made(draft.record, "same", 0)
            else:
                ops.append(op)
        for start in range(0, len(ops), OPS_PER_PUSH_MAX):
            part = ops[start : start + OPS_PER_PUSH_MAX]
            for op, result in zip(part, await self._commit(part), strict=True):
                if result.status != "durable":
                    raise UsageError(f"{op.kind} {op.record}: {result.code}: {result.detail}")
                made[op.record] = Made(op.record, "created" if op.create else "changed", result.seq)
        return [made[draft.record] for draft in drafts]

    async def _commit(self, ops: Sequence[Op]) -> tuple[Result, ...]:
        bodies = tuple(encode(op) for op in ops)
        return await self._committer.commit(Submission(OFFICE, None, bodies))

    def _op_for(self, draft: Draft, row: bytes | None, author: OfficerId) -> Op | None:
        spec = kind_named(draft.kind)
        if spec is None:
            raise UsageError(f"there is no record kind {draft.kind!r}")
        now = self._now()
        if row is None:
            state, changes, seen, base = None, dict(draft.values), clock.ZERO, 0
        else:
            state = merge.from_row(decode_row(row))
            changes, seen, base = _differing(state, spec, draft.values, author), state.seen(), state.version
            if not changes:
                return None
        op = Op(
            device=OFFICE,
            n=self._next,
            record=draft.record,
            kind=draft.kind,
            author=author,
            create=row is None,
            base=base,  # type: ignore[arg-type]  # a version or 0
            hlc=clock.next_hlc(now, seen),
            occurred_at=now,
            wall=now,
            changes=changes,
            saw=sight(spec, state, changes),
        )
        refusal = check.op_alone(op)
        if isinstance(refusal, check.Refusal):
            raise UsageError(f"{draft.kind} {draft.record}: {refusal.code}: {refusal.detail}")
        try:
            # With the eyes of a device: what it cannot read would end every session that has to carry it.
            decode_op(encode(op))
        except (FrameError, OverflowError) as error:
            raise UsageError(f"{draft.kind} {draft.record}: cannot be sent to devices: {error}") from None
        self._next = OpNumber(self._next + 1)
        return op


def _differing(
    state: merge.RecordState, spec: KindSpec, values: Mapping[FieldName, Any], author: OfficerId
) -> dict[FieldName, Any]:
    """The fields with one value to change: whose value differs, and that nobody else has written since."""
    have = state.values()
    changed = {}
    for name, value in values.items():
        field, cell = spec.fields.get(name), state.cells.get(name)
        if field is None or field.policy in MANY or have.get(name) == _as_read(value):
            continue
        if cell is None or cell.said is None or cell.said.stamp.author == author:
            changed[name] = value
    return changed


def _as_read(value: Any) -> Any:  # noqa: ANN401  a value is of the type that its field declares
    """The value as a row holds it: a tuple is a list there."""
    return msgspec.json.decode(msgspec.json.encode(value))
