"""Is this op one that the record can take? The device asks before it writes; the server asks again, with this code.

A refusal names a code of the error registry and says what in the op it is about.
"""

from typing import Any

import msgspec

from schemas import scopes
from schemas.codec import encode
from schemas.ids import FieldName
from schemas.kinds import FieldSpec, KindSpec, kind_named
from schemas.limits import (
    ARRAY_LEN_MAX,
    ENTRIES_PER_FIELD_MAX,
    ENTRIES_PER_OP_MAX,
    RECORD_BYTES_MAX,
    SCOPES_PER_RECORD_MAX,
)
from schemas.ops import Op, Row
from schemas.policies import grow
from sync.merge import RecordState


class Refusal(msgspec.Struct, frozen=True):
    """Why an op is not taken: an entry of the error registry, and what in the op it is about."""

    code: str
    detail: str


def op_alone(op: Op) -> KindSpec | Refusal:
    """Check what needs no record: the kind, the fields, each value. Returns the op's kind."""
    spec = kind_named(op.kind)
    if spec is None:
        return Refusal("op_kind_unknown", op.kind)
    for name, value in op.changes.items():
        field = spec.fields.get(name)
        if field is None:
            return Refusal("op_field_unknown", name)
        wrong = _value_problem(field, value)
        if wrong is not None:
            return Refusal("op_value_wrong", f"{name}: {wrong}")
    if op.create:
        missing = [name for name, field in spec.fields.items() if field.required and name not in op.changes]
        if missing:
            return Refusal("op_field_missing", ", ".join(missing))
    return spec


def op_on(state: RecordState | None, op: Op, spec: KindSpec) -> Refusal | None:
    """Check the op against the record it is about; None when it can be merged."""
    if state is None:
        return None if op.create else Refusal("op_record_unknown", op.record)
    if op.create:
        return Refusal("op_record_exists", op.record)
    if state.spec.name != spec.name:
        return Refusal("op_kind_differs", f"the record is of kind {state.spec.name}")
    return None


def outcome(state: RecordState, row: Row) -> Refusal | None:
    """Check the record that an op led to: its size, its entries, its scopes."""
    if len(encode(row)) > RECORD_BYTES_MAX:
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
        wrong = scopes.problem(scope.removesuffix(f":{scopes.BRIEFING}"))
        if wrong is not None:
            return Refusal("op_value_wrong", wrong)
    return None


def _value_problem(field: FieldSpec, value: Any) -> str | None:
    if field.policy is not grow:
        return _type_problem(field, value)
    if not isinstance(value, list) or not value:
        return "expected a list of entries to append"
    if len(value) > ENTRIES_PER_OP_MAX:
        return f"{len(value)} entries, at most {ENTRIES_PER_OP_MAX} at once"
    return next((wrong for entry in value if (wrong := _type_problem(field, entry)) is not None), None)


def _type_problem(field: FieldSpec, value: Any) -> str | None:
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError as wrong:
        return str(wrong)
    return None


def changed_fields(values: dict[FieldName, Any]) -> dict[FieldName, Any]:
    """Plain values as they travel: Structs, enums and tuples become maps, text and lists.

    Raises:
        TypeError, ValueError, OverflowError: a value cannot travel.
    """
    # There and back: `to_builtins` would keep tuples, which are no lists to the checks and equal none that came back.
    return {name: msgspec.msgpack.decode(msgspec.msgpack.encode(value)) for name, value in values.items()}
