"""What the API asks before it reads and writes: which field, kind, record. With clear words for what is not there."""

import typing
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from schemas.errors import UsageError
from schemas.ids import FieldName, RecordId, ScopeName, is_record_id
from schemas.kinds import FieldSpec, Kind, KindSpec, Token, kind_named
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


def require_known(field: FieldSpec, plain: object) -> None:
    """See that every token in a change is one that this program knows: what it writes, it must understand.

    Args:
        field: the field.
        plain: the change, as it travels.

    Raises:
        UsageError: one is not; the text says which there are.
    """
    if field.problem(plain) is None and not field.reads(plain):
        choices = [one for each in (field.type, *typing.get_args(field.type)) for one in _choices(each)]
        among = f": it is one of {', '.join(choices)}" if choices else ": it holds a value that is not in the list"
        raise UsageError(f"{field.name} cannot be {plain!r}{among}")


def _choices(declared: object) -> list[str]:
    is_list = isinstance(declared, type) and issubclass(declared, Token)
    return [str(one.value) for one in declared] if is_list else []  # type: ignore[attr-defined]  # a list of tokens


def spec_of_record(held: Held, record: RecordId) -> KindSpec:
    """The kind of a record of this handheld.

    Raises:
        UsageError: there is no such record.
    """
    # Not by its view, which replays every pending op: the write itself does that, and looks again whether it is there.
    name = held.tables.kind_of(record)
    spec = None if name is None else kind_named(name)
    if spec is None and name is not None:
        raise UsageError(f"record {record} is of the kind {name!r}, which this program does not know: update it")
    if spec is None:
        hint = "" if is_record_id(record) else " (and a record id looks like 01890a5d-ac96-774b-bcce-b302099a8057)"
        raise UsageError(f"there is no record {record!r} on this handheld{hint}")
    return spec


def may_decide(held: Held, inboxes: AbstractSet[ScopeName]) -> bool:
    """Whether this handheld holds one of these inboxes, as far as the server has told it."""
    return not inboxes.isdisjoint(held.tables.positions())


def require_inbox(held: Held, inboxes: AbstractSet[ScopeName], to: str) -> None:
    """See that this handheld holds one of these inboxes.

    Args:
        held: the replica.
        inboxes: those whose holders may do it.
        to: what is to be done, as in `to correct an Incident`.

    Raises:
        UsageError: it holds none.
    """
    if not may_decide(held, inboxes):
        raise UsageError(
            f"{to}, a device must hold {' or '.join(sorted(inboxes))}, and this one does not: "
            "say in the log what differs; it is for those who decide"
        )


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
