"""What an officer may write, asked before it is written, with the server's own checks: little is then refused later."""

from collections.abc import Iterable

from schemas.codec import decode_op, encode
from schemas.errors import ERRORS, FrameError, UsageError
from schemas.ids import FieldName, OpId, ScopeName
from schemas.kinds import KindSpec
from schemas.limits import SEEN_OPS_MAX
from schemas.ops import Op
from schemas.roles import Role
from schemas.settings import DEFAULTS, Settings
from sync import check, entitled, merge
from sync.merge import RecordState
from sync.policies import Cell, policy_of
from sync.policing import rulebook
from sync.policing.guards import Beside, Find, nobody, nothing


def require_writable(
    op: Op,
    spec: KindSpec,
    state: RecordState | None,
    roles: frozenset[Role] | None = None,
    settings: Settings = DEFAULTS,
    *,
    holds: frozenset[ScopeName] | None = None,
    beside: Beside = nothing,
    find: Find = nobody,
) -> None:
    """Refuse what the server would refuse, what would contest a value that its author can see, and what breaks a rule.

    Args:
        op, spec: the change and its record's kind.
        state: the record as its author sees it; None when there is none.
        roles: what the author is; None asks for no role.
        settings: the force's, for the rules of police work.
        holds: the audiences that its author belongs to; None asks for none.
        beside: the other records of the kind that the author sees.
        find: finds a record of another kind that the author sees.

    Raises:
        RuleError: a rule of police work is against it.
        UsageError: the text says why.
    """
    for name in op.changes:
        field = spec.fields.get(name)
        if field is not None and field.retired is not None:
            raise UsageError(f"{name} of a {spec.name} is no longer written: {field.retired.instead}")
    found = check.op_alone(op)
    refusal = found if isinstance(found, check.Refusal) else entitled.refusal(op, spec, state, roles)
    refusal = refusal or check.op_on(state, op, spec)
    if refusal is None:
        after = merge.apply(merge.new_state(op, spec) if state is None else state, op)
        row = merge.to_row(after)
        refusal = check.outcome(after, row, len(encode(row)))
        if refusal is None and holds is not None and not op.changes.keys().isdisjoint(spec.struct.SIDED):
            refusal = entitled.on_another_side(op, spec, after.build(), holds)
        for name in op.changes if state is not None and not op.correct else ():
            if spec.fields[name].policy.name == "once" and _comes_too_late(after, op, name):
                raise UsageError(
                    f"{name} of this {spec.name} is already recorded and stands; add a log entry that says what differs"
                )
        if refusal is None:
            rulebook.require(op, state, after, roles, settings, beside=beside, find=find)
    if refusal is not None:
        raise UsageError(
            f"this change to {spec.name} {op.record} cannot be made: {ERRORS[refusal.code].meaning} "
            f"{refusal.detail}: {ERRORS[refusal.code].action} [{refusal.code}]"
        )


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


def sight(spec: KindSpec, state: RecordState | None, changes: Iterable[FieldName]) -> dict[FieldName, tuple[OpId, ...]]:
    """What the author of a change sees of the fields of which the op must say so.

    Raises:
        UsageError: more values stand in a field than an op may name.
    """
    known = [one for one in changes if one in spec.fields]
    asked = dict.fromkeys(name for one in known for name in (one, *spec.fields[one].sees))
    found: dict[FieldName, tuple[OpId, ...]] = {}
    if state is None:
        return found
    for name in asked:
        field, cell = spec.fields[name], state.cells.get(name, Cell())
        seen = tuple(sorted({stamp.op for stamp in cell.stamps()}))
        beside = any(name in spec.fields[one].sees for one in known)
        if not beside and policy_of(field).sight(field, cell) is None:
            continue
        if len(seen) > SEEN_OPS_MAX:
            raise UsageError(
                f"{name} holds the work of {len(seen)} changes, at most {SEEN_OPS_MAX}: open a linked record"
            )
        found[name] = seen
    return found
