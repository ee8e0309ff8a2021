"""What an officer may write, asked before it is written, with the server's own checks: little is then refused later."""

from schemas.codec import decode_op, encode
from schemas.errors import FrameError, UsageError
from schemas.ids import FieldName
from schemas.kinds import KindSpec
from schemas.ops import Op
from sync import check, merge
from sync.merge import RecordState


def require_writable(op: Op, spec: KindSpec, state: RecordState | None) -> None:
    """Refuse what the server would refuse, and what would contest a value that its author can see.

    Raises:
        UsageError: the text says why.
    """
    found = check.op_alone(op)
    refusal = found if isinstance(found, check.Refusal) else check.op_on(state, op, spec)
    if refusal is None:
        after = merge.apply(merge.new_state(op, spec) if state is None else state, op)
        refusal = check.outcome(after, merge.to_row(after))
        for name in op.changes if state is not None else ():
            if spec.fields[name].policy.name == "once" and _comes_too_late(after, op, name):
                raise UsageError(
                    f"{name} of this {spec.name} is already recorded and stands; add a log entry that says what differs"
                )
    if refusal is not None:
        raise UsageError(f"this change to {spec.name} {op.record} cannot be made: {refusal.code}: {refusal.detail}")


def sendable(op: Op) -> bytes:
    """The op's bytes, after a look with the server's eyes: one that it cannot read would end every session."""
    body = encode(op)
    try:
        decode_op(body)
    except FrameError as error:
        raise UsageError(f"this change to {op.kind} {op.record} cannot be sent: {error}") from None
    return body


def _comes_too_late(after: RecordState, op: Op, name: FieldName) -> bool:
    """Whether another value of a `once` field stands, after the op that would set or clear it."""
    cleared = op.changes[name] is None and after.values()[name] is not None
    return cleared or name in merge.displaced(after, op)
