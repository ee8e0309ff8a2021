"""What a record kind is: a Struct whose fields declare their policy, read once into a `KindSpec`.

`Kind.__init_subclass__` cannot see a Struct's fields yet, so the decorator `record_kind` reads the finished class. It
fails at import, with the field's name, for a field without a policy, with two, or with one that nothing implements:
a declaration that the engine does not carry out would be a lie.
"""

import typing
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from schemas.ids import FieldName, ScopeName
from schemas.policies import IMPLEMENTED, Policy, grow


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the record kinds: the values of one record as an application sees them."""

    def scopes(self) -> frozenset[ScopeName]:
        """The scopes this record is in: a pure function of its fields (DESIGN section 8)."""
        raise TypeError(f"{type(self).__name__} does not say its scopes")


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a kind.

    Attributes:
        name: the field.
        policy: how concurrent changes to it combine.
        type: what a change holds: the field's value, or for `grow` one entry.
        required: whether a new record must have it.
    """

    name: FieldName
    policy: Policy
    type: Any
    required: bool


class KindSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One record kind, as read from its Struct.

    Attributes:
        name: its name on the wire.
        struct: the Struct that an application gets.
        fields: its fields by name, in the Struct's order.
    """

    name: str
    struct: type[Kind]
    fields: Mapping[FieldName, FieldSpec]

    def build(self, values: Mapping[FieldName, Any]) -> Kind:
        """The typed record from plain values as a codec gives them.

        Raises:
            msgspec.ValidationError: a value does not fit; ops are checked before they are merged, so this is a defect.
        """
        return msgspec.convert(dict(values), self.struct)


KINDS: Final[dict[str, KindSpec]] = {}
_BY_STRUCT: Final[dict[type[Kind], KindSpec]] = {}
_K = TypeVar("_K", bound=Kind)


def record_kind(name: str) -> Callable[[type[_K]], type[_K]]:
    """Register the decorated Struct as the record kind `name`.

    Raises:
        TypeError: at import, when a field's declaration cannot be carried out; the text names kind, field and remedy.
    """

    def register(struct: type[_K]) -> type[_K]:
        if name in KINDS:
            raise TypeError(
                f"record kind {name!r} is declared twice: {KINDS[name].struct.__name__} and {struct.__name__}"
            )
        hints = typing.get_type_hints(struct, include_extras=True)
        fields = {
            FieldName(field.name): _field_spec(name, FieldName(field.name), hints[field.name], required=field.required)
            for field in msgspec.structs.fields(struct)
        }
        spec = KindSpec(name=name, struct=struct, fields=MappingProxyType(fields))
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


def _field_spec(kind: str, name: FieldName, hint: Any, *, required: bool) -> FieldSpec:
    where = f"field {name!r} of record kind {kind!r}"
    declared = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Policy)]
    if len(declared) != 1:
        found = ", ".join(policy.name for policy in declared) or "none"
        raise TypeError(
            f"{where} must declare exactly one merge policy in its type, as in Annotated[str, latest]; found {found}"
        )
    policy = declared[0]
    if policy.name not in IMPLEMENTED:
        raise TypeError(
            f"{where} declares the policy {policy.name!r}, which the merge engine does not carry out yet; "
            f"it carries out {', '.join(sorted(IMPLEMENTED))}"
        )
    inner = hint.__origin__
    others = tuple(extra for extra in hint.__metadata__ if not isinstance(extra, Policy))
    if policy is grow:
        if typing.get_origin(inner) is not tuple or typing.get_args(inner)[1:] != (Ellipsis,):
            raise TypeError(f"{where} declares `grow`, so its type must be tuple[Entry, ...]")
        if required:
            raise TypeError(f"{where} declares `grow`, so it needs the default (): a new record has no entries")
        return FieldSpec(name=name, policy=policy, type=typing.get_args(inner)[0], required=False)
    value_type = typing.Annotated[(inner, *others)] if others else inner
    return FieldSpec(name=name, policy=policy, type=value_type, required=required)
