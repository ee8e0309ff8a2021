"""Is this op one that the record can take? The device asks before it writes; the server asks again, with this code.

A refusal names a code of the error registry and says what in the op it is about.
"""

from typing import Any

import msgspec

from schemas import scopes
from schemas.ids import FieldName
from schemas.kinds import FieldSpec, InboxItem, KindSpec, kind_named
from schemas.limits import ARRAY_LEN_MAX, ENTRIES_PER_FIELD_MAX, RECORD_BYTES_MAX, SCOPES_PER_RECORD_MAX
from schemas.ops import Op, Row, Stamp, stamp_of
from sync.merge import NO_FIELDS, RecordState, change_of
from sync.needs import in_words, lacking
from sync.policies import Cell, policy_of
from sync.refusal import Refusal

__all__ = ["Refusal", "changed_fields", "op_alone", "op_on", "outcome", "unread"]


def op_alone(op: Op, *, newer: bool = False, by_rule: bool = False) -> KindSpec | Refusal:
    """Check what needs no record: the kind, the fields, each value. Returns the op's kind.

    Args:
        op: the op.
        newer: whether its device knows a newer schema than this program: what cannot be read is kept, not refused.
        by_rule: whether the rules wrote it, and not a person.
    """
    spec = kind_named(op.kind)
    if spec is None:
        return Refusal("op_kind_unknown", op.kind)
    by_hand = op.create and spec.by_rule and not by_rule
    # A record that is named after what it says is the same one, whoever says it: here somebody is ahead of the rules.
    if by_hand and (spec.named is None or all(_is_by_rule(spec, name) for name in op.changes)):
        return Refusal("op_by_rule_only", f"{op.kind}: only the rules make such records")
    for name, value in op.changes.items():
        field = spec.fields.get(name)
        if field is None:
            if newer:
                continue
            return Refusal("op_field_unknown", name)
        if field.by_rule and not by_rule and not (by_hand and field.required):
            return Refusal("op_by_rule_only", f"{name}: only the rules write it")
        wrong, known = (None, True) if newer else field.look(value)
        if wrong is not None:
            return Refusal("op_value_wrong", f"{name}: {wrong}")
        if not known:
            return Refusal("op_value_wrong", f"{name}: it holds a value that is not in the list")
    return (_making_problem(op, spec, newer=newer) if op.create else None) or spec


def _making_problem(op: Op, spec: KindSpec, *, newer: bool) -> Refusal | None:
    """What a new record lacks."""
    required = [name for name, field in spec.fields.items() if field.required]
    missing = [name for name in required if name not in op.changes]
    if missing:
        return Refusal("op_field_missing", ", ".join(missing))
    absent = unread(op, spec) if newer else NO_FIELDS
    beyond = [name for name in required if name in absent]
    if beyond:
        return Refusal("op_value_newer", ", ".join(beyond))
    if spec.named is not None and spec.named(op.changes) != op.record:
        return Refusal("op_value_wrong", f"the id of this {op.kind} does not follow from what it says")
    return None


def _is_by_rule(spec: KindSpec, name: FieldName) -> bool:
    field = spec.fields.get(name)
    return field is None or field.by_rule


def unread(op: Op, spec: KindSpec) -> frozenset[FieldName]:
    """The fields of an op from a newer program that this one cannot read: unknown, or with an unknown token."""
    return frozenset(
        name for name, value in op.changes.items() if name not in spec.fields or not spec.fields[name].reads(value)
    )


def op_on(
    state: RecordState | None,
    op: Op,
    spec: KindSpec,
    stamp: Stamp | None = None,
    skip: frozenset[FieldName] = NO_FIELDS,
    *,
    newer: bool = False,
) -> Refusal | None:
    """Check the op against the record it is about; None when it can be merged.

    Args:
        state: the record before it, or None when there is none.
        op, spec: the op and its kind.
        stamp: what its values will bear; the op's own when it is not recorded yet.
        skip: fields that are not merged here (`unread`).
        newer: whether its device knows a newer schema than this program (`op_alone`).
    """
    if state is None:
        if not op.create:
            return Refusal("op_record_unknown", op.record)
    elif op.create and (spec.named is None or state.spec.name != spec.name):
        return Refusal("op_record_exists", op.record)
    elif state.spec.name != spec.name:
        return Refusal("op_kind_differs", f"the record is of kind {state.spec.name}")
    stamp = stamp_of(op) if stamp is None else stamp
    for name in op.changes:
        if name in skip:
            continue
        field = spec.fields[name]
        policy = policy_of(field)
        if not policy.refuses:
            continue
        cell = None if state is None else state.cells.get(name)
        refusal = policy.refusal(field, cell, change_of(op, name, stamp, field)) or _ending_problem(state, op, field)
        if refusal is not None:
            return refusal
    if state is not None and spec.struct is InboxItem and "decision" in op.changes and "decision" not in skip:
        return _decision_problem(state, op, newer=newer)
    return None


def _ending_problem(state: RecordState | None, op: Op, field: FieldSpec) -> Refusal | None:
    """Whether the op ends work although, by what its author saw, something is missing that the ending needs.

    It is judged by the entries that the op itself says its author saw, and by those that it brings: entries are never
    taken out of a record, so the answer is the same whatever else has arrived before it. Of what its author had not
    seen the merge contests the ending instead. An op of a program that knows no such entries says nothing of them.
    """
    ending = None if field.flow is None else field.flow.ending
    if ending is None or op.changes[field.name] not in ending.states:
        return None
    for needs in ending.needs:
        entries = _entries_seen(state, op, needs.each)
        missing = lacking(entries, _entries_seen(state, op, needs.has), needs)
        if missing:
            who = in_words(entries, missing, needs)
            return Refusal("op_transition", f"{needs.has} is missing for {who}. {needs.because}")
    return None


def _entries_seen(state: RecordState | None, op: Op, name: str) -> list[dict[str, Any]]:
    """The entries of a `grow` field that an op's author saw, in order, and behind them those that it brings."""
    seen = op.saw.get(FieldName(name), ())
    cell = Cell() if state is None else state.cells.get(FieldName(name), Cell())
    there = [entry.value for entry in cell.entries if entry.stamp.op in seen and entry.stamp.op != op.id]
    return [*there, *op.changes.get(FieldName(name), ())]


def _decision_problem(item: RecordState, op: Op, *, newer: bool) -> Refusal | None:
    """Whether what was decided cannot be a value of the field that the inbox item is about."""
    about = item.build()
    decision = op.changes[FieldName("decision")]
    if not isinstance(about, InboxItem) or decision is None:
        return Refusal("op_value_wrong", "decision: say what is decided")
    subject = kind_named(about.subject_kind)
    field = None if subject is None else subject.fields.get(FieldName(about.field))
    wrong, known = ("its field is not known here", True) if field is None else field.look(decision["value"])
    if wrong is None and not known and not newer:
        wrong = "it is not in the list"
    return None if wrong is None else Refusal("op_value_wrong", f"decision for {about.field}: {wrong}")


def outcome(state: RecordState, row: Row, size: int) -> Refusal | None:
    """Check the record that an op led to, its entries, its scopes, and its size: that of the encoded row in bytes."""
    if size > RECORD_BYTES_MAX:
        return Refusal("op_record_full", f"at most {RECORD_BYTES_MAX} bytes")
    if len(row.stamps) > ARRAY_LEN_MAX:
        return Refusal("op_record_full", f"at most {ARRAY_LEN_MAX} ops whose values still stand")
    for name, cell in state.cells.items():
        if len(cell.entries) > ENTRIES_PER_FIELD_MAX:
            return Refusal("op_record_full", f"{name}: at most {ENTRIES_PER_FIELD_MAX} entries")
    found = state.scopes()
    if len(found) > SCOPES_PER_RECORD_MAX:
        return Refusal("op_scopes_too_many", f"{len(found)}, at most {SCOPES_PER_RECORD_MAX}")
    for scope in sorted(found):
        wrong = scopes.problem(scopes.audience(scope))
        if wrong is not None:
            return Refusal("op_value_wrong", wrong)
    return None


def changed_fields(values: dict[FieldName, Any]) -> dict[FieldName, Any]:
    """Plain values as they travel: Structs, enums and tuples become maps, text and lists.

    Raises:
        TypeError, ValueError, OverflowError: a value cannot travel.
    """
    # There and back: `to_builtins` would keep tuples, which are no lists to the checks and equal none that came back.
    return {name: msgspec.msgpack.decode(msgspec.msgpack.encode(value)) for name, value in values.items()}
