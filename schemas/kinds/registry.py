"""The record kinds that there are, by their names on the wire.

`Kind.__init_subclass__` cannot see a Struct's fields yet, so the decorator `record_kind` reads the finished class.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from schemas.ids import FieldName, RecordId
from schemas.kinds.base import Kind, KindSpec
from schemas.kinds.declare import read_fields, require_rights
from schemas.retention import RetentionGroup
from schemas.rights import Rights

KINDS: Final[dict[str, KindSpec]] = {}
_BY_STRUCT: Final[dict[type[Kind], KindSpec]] = {}
_K = TypeVar("_K", bound=Kind)


def record_kind(
    name: str,
    *,
    retention: RetentionGroup,
    rights: Rights | None = None,
    by_rule: bool = False,
    named: Callable[[Mapping[FieldName, Any]], RecordId] | None = None,
) -> Callable[[type[_K]], type[_K]]:
    """Register the decorated Struct as the record kind `name`.

    Args:
        name: its name on the wire.
        retention: why such records are kept.
        rights: who may make and change them; None only for those that the rules make.
        by_rule: whether only the rules make such records.
        named: the id of a record with these values, where it follows from them (`KindSpec.named`).

    Raises:
        TypeError: at import, when a field's declaration cannot be carried out; the text names kind, field and remedy.
    """

    def register(struct: type[_K]) -> type[_K]:
        if name in KINDS:
            raise TypeError(
                f"record kind {name!r} is declared twice: {KINDS[name].struct.__name__} and {struct.__name__}"
            )
        require_rights(name, rights, by_rule=by_rule)
        fields = read_fields(name, struct)
        spec = KindSpec(
            name=name,
            struct=struct,
            fields=MappingProxyType(fields),
            by_rule=by_rule,
            rights=Rights() if rights is None else rights,
            retention=retention,
            named=named,
        )
        KINDS[name] = spec
        _BY_STRUCT[struct] = spec
        return struct

    return register


def kind_named(name: str) -> KindSpec | None:
    """The kind of that name, or None when there is none."""
    return KINDS.get(name)


def spec_of(struct: type[Kind]) -> KindSpec:
    """The declaration behind a kind's Struct.

    Raises:
        TypeError: `struct` is not a registered record kind.
    """
    try:
        return _BY_STRUCT[struct]
    except KeyError:
        known = ", ".join(sorted(spec.struct.__name__ for spec in KINDS.values()))
        raise TypeError(f"{struct.__name__} is not a record kind; there are {known}") from None


def retention_group(record: Kind) -> RetentionGroup:
    """Why a record is kept: what its own fields say, or its kind's group.

    A group that only a newer program knows is kept as it is; whoever looks up its period finds none and asks a person.
    """
    own = record.own_retention()
    return spec_of(type(record)).retention if own is None else own
