"""What the API asks before it reads and writes: which field, kind, record. With clear words for what is not there."""

from typing import Any, TypeVar

from schemas.errors import UsageError
from schemas.ids import FieldName, RecordId, is_record_id
from schemas.kinds import FieldSpec, Kind, KindSpec, kind_named
from sync.check import changed_fields
from sync.device.store import Held
from sync.device.views import typed

K = TypeVar("K", bound=Kind)


def plain_values(values: dict[FieldName, Any]) -> dict[FieldName, Any]:
    """The values as they travel.

    Raises:
        UsageError: one of them cannot.
    """
    try:
        return changed_fields(values)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        names = ", ".join(values)
        raise UsageError(f"a value among {names} cannot be written: {error}") from None


def field_of(spec: KindSpec, name: FieldName) -> FieldSpec:
    """A kind's field of that name.

    Raises:
        UsageError: there is none; the text names those there are.
    """
    field = spec.fields.get(name)
    if field is None:
        raise UsageError(f"a {spec.struct.__name__} has no field {name!r}; it has {', '.join(spec.fields)}")
    return field


def spec_of_record(held: Held, record: RecordId) -> KindSpec:
    """The kind of a record of this handheld.

    Raises:
        UsageError: there is no such record.
    """
    # Not by its view, which replays every pending op: the write itself does that, and looks again whether it is there.
    name = held.tables.kind_of(record)
    spec = None if name is None else kind_named(name)
    if spec is None:
        hint = "" if is_record_id(record) else " (and a record id looks like 01890a5d-ac96-774b-bcce-b302099a8057)"
        raise UsageError(f"there is no record {record!r} on this handheld{hint}")
    return spec


def get_one(kind: type[K], record: RecordId, held: Held) -> K | None:
    """The record as a value of its kind, or None when this handheld shows none of that id.

    Raises:
        UsageError: it is of another kind.
    """
    state = held.replica.view(record)
    return None if state is None else typed(state, kind)


def get_some(kind: type[K], records: list[RecordId], held: Held) -> list[tuple[RecordId, K]]:
    """Those of the records that are still there."""
    return [(record, value) for record in records if (value := get_one(kind, record, held)) is not None]
