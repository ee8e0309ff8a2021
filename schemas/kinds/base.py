"""What a record kind is: a Struct whose fields declare their policy, read once into a `KindSpec`.

`Kind.__init_subclass__` cannot see a Struct's fields yet, so the decorator `record_kind` reads the finished class. It
fails at import, with the field's name, for a field without a policy, with two, or without what its policy needs: a
declaration that cannot be carried out would be a lie.
"""

import enum
import re
import typing
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from schemas.ids import SLUG_PATTERN, FieldName, ScopeName
from schemas.kinds.claims import Hold
from schemas.limits import ENTRIES_PER_OP_MAX
from schemas.policies import (
    MANY,
    Asks,
    ByRule,
    Flow,
    Policy,
    Ranks,
    Retired,
    Safe,
    Sees,
    claim,
    grow,
    highest,
    judged,
    once,
    state,
    tags,
)


class Token(enum.Enum):
    """Base of the enumerations in records. A value that only a newer program knows is kept and shown as it is."""

    @classmethod
    def _missing_(cls, value: object) -> "Token | None":
        """A value of its own for a token that this program does not know; None for what is no token at all."""
        if not isinstance(value, str) or re.match(SLUG_PATTERN, value) is None:
            return None
        unknown = object.__new__(cls)
        unknown._name_ = f"unknown: {value}"
        unknown._value_ = value
        return unknown

    @property
    def known(self) -> bool:
        """Whether this program knows the value."""
        return self._value_ in type(self)._value2member_map_

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and type(other) is type(self) and bool(other._value_ == self._value_)

    def __hash__(self) -> int:
        return hash(self._value_)


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the record kinds: the values of one record as an application sees them."""

    def scopes(self) -> frozenset[ScopeName]:
        """The scopes this record is in: a pure function of its fields (DESIGN section 8)."""
        raise TypeError(f"{type(self).__name__} does not say its scopes")

    def writing_scopes(self) -> frozenset[ScopeName]:
        """The scopes of which a writer must hold one: by default any that the record is in."""
        return self.scopes()


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a kind.

    Attributes:
        name: the field.
        policy: how concurrent changes to it combine.
        type: what a change holds: the field's value, or for `grow` and `tags` one entry.
        required: whether a new record must have it.
        ranks: of `highest`: the values from the lowest to the highest.
        flow: of `state`: what may follow what.
        safe: of `judged`: what is shown while people differ.
        asks: who decides what the policy does not, if it can leave anything open.
        sees: fields of which a change to this one says what its author saw.
        retired: since when, and what to do instead, if it is no longer written.
        by_rule: whether only the rules write it.
        default: the plain value of a record that does not say it; None for none.
    """

    name: FieldName
    policy: Policy
    type: Any
    required: bool
    ranks: Ranks | None = None
    flow: Flow | None = None
    safe: Safe | None = None
    asks: Asks | None = None
    sees: tuple[FieldName, ...] = ()
    retired: Retired | None = None
    by_rule: bool = False
    default: Any = None

    def problem(self, value: Any) -> str | None:
        """What is wrong with a change to this field, or None. A token that is not known is nothing wrong."""
        if self.policy is grow:
            return _entries_problem(self.type, value, "expected a list of entries to append")
        if self.policy is not tags:
            return _type_problem(self.type, value)
        if not isinstance(value, dict) or not value or not value.keys() <= {"add", "remove"}:
            return 'expected a map with the lists "add" and "remove"'
        parts = (_entries_problem(self.type, part, f"{way}: expected a list of tags") for way, part in value.items())
        return next((wrong for wrong in parts if wrong is not None), None)

    def reads(self, value: Any) -> bool:
        """Whether this program can read a change to this field: its form, and every token in it."""
        if self.problem(value) is not None:
            return False
        parts = (
            value
            if self.policy is grow
            else [v for part in value.values() for v in part]
            if self.policy is tags
            else [value]
        )
        return all(_all_known(msgspec.convert(part, self.type)) for part in parts)


def _entries_problem(of: Any, value: Any, otherwise: str) -> str | None:
    if not isinstance(value, list) or not value:
        return otherwise
    if len(value) > ENTRIES_PER_OP_MAX:
        return f"{len(value)} entries, at most {ENTRIES_PER_OP_MAX} at once"
    return next((wrong for entry in value if (wrong := _type_problem(of, entry)) is not None), None)


def _type_problem(of: Any, value: Any) -> str | None:
    try:
        msgspec.convert(value, of)
    except msgspec.ValidationError as wrong:
        return str(wrong)
    return None


def _all_known(value: object) -> bool:
    """Whether every token in a typed value is one that this program knows."""
    match value:
        case Token():
            return value.known
        case msgspec.Struct():
            return all(_all_known(getattr(value, name)) for name in value.__struct_fields__)
        case tuple():
            return all(map(_all_known, value))
        case _:
            return True


class KindSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One record kind, as read from its Struct.

    Attributes:
        name: its name on the wire.
        struct: the Struct that an application gets.
        fields: its fields by name, in the Struct's order.
        by_rule: whether only the rules make such records.
    """

    name: str
    struct: type[Kind]
    fields: Mapping[FieldName, FieldSpec]
    by_rule: bool = False

    def build(self, values: Mapping[FieldName, Any]) -> Kind:
        """The typed record from plain values as a codec gives them.

        Raises:
            msgspec.ValidationError: a value does not fit; ops are checked before they are merged, so this is a defect.
        """
        return msgspec.convert(dict(values), self.struct)


KINDS: Final[dict[str, KindSpec]] = {}
_BY_STRUCT: Final[dict[type[Kind], KindSpec]] = {}
_K = TypeVar("_K", bound=Kind)


def record_kind(name: str, *, by_rule: bool = False) -> Callable[[type[_K]], type[_K]]:
    """Register the decorated Struct as the record kind `name`.

    Args:
        name: its name on the wire.
        by_rule: whether only the rules make such records.

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
            FieldName(field.name): _field_spec(name, FieldName(field.name), hints[field.name], field)
            for field in msgspec.structs.fields(struct)
        }
        for field in fields.values():
            for beside in (*field.sees, *(() if field.flow is None else _watched(field.flow))):
                if beside not in fields:
                    raise TypeError(f"field {field.name!r} of record kind {name!r} names {beside!r}, which it has not")
        spec = KindSpec(name=name, struct=struct, fields=MappingProxyType(fields), by_rule=by_rule)
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


def _field_spec(kind: str, name: FieldName, hint: Any, info: msgspec.structs.FieldInfo) -> FieldSpec:
    where = f"field {name!r} of record kind {kind!r}"
    declared = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Policy)]
    if len(declared) != 1:
        found = ", ".join(policy.name for policy in declared) or "none"
        raise TypeError(
            f"{where} must declare exactly one merge policy in its type, as in Annotated[str, latest]; found {found}"
        )
    policy = declared[0]
    given: dict[type, Any] = {type(extra): extra for extra in hint.__metadata__ if isinstance(extra, _DECLARATIONS)}
    _require_fit(where, policy, hint.__origin__, given)
    inner = hint.__origin__
    others = tuple(extra for extra in hint.__metadata__ if not isinstance(extra, (Policy, *_DECLARATIONS)))
    if policy in MANY:
        if typing.get_origin(inner) is not tuple or typing.get_args(inner)[1:] != (Ellipsis,):
            raise TypeError(f"{where} declares `{policy.name}`, so its type must be tuple[Entry, ...]")
        if info.required:
            raise TypeError(f"{where} declares `{policy.name}`, so it needs the default (): a new record has none")
        value_type = typing.get_args(inner)[0]
    else:
        value_type = typing.Annotated[(inner, *others)] if others else inner
    sees = given.get(Sees)
    return FieldSpec(
        name=name,
        policy=policy,
        type=value_type,
        required=info.required,
        ranks=given.get(Ranks),
        flow=given.get(Flow),
        safe=given.get(Safe),
        asks=given.get(Asks),
        sees=() if sees is None else tuple(map(FieldName, sees.fields)),
        retired=given.get(Retired),
        by_rule=ByRule in given,
        default=None if info.required else msgspec.to_builtins(info.default),
    )


_DECLARATIONS: Final = (Ranks, Flow, Safe, Asks, Sees, Retired, ByRule)
_NEEDS: Final = {
    highest.name: (Ranks, "the ranks of its values, as in rising(Risk.STANDARD, Risk.HIGH)"),
    state.name: (Flow, "what may follow what, as in flow({...}, precedence=...)"),
    judged.name: (Safe, "what is safe to show while people differ, as in safest_first(...)"),
}
_OF: Final = {Ranks: highest.name, Flow: state.name, Safe: judged.name}


def _require_fit(where: str, policy: Policy, inner: Any, given: Mapping[type, Any]) -> None:
    """Refuse a declaration whose policy lacks what it needs, or has what is another's."""
    needed = _NEEDS.get(policy.name)
    if needed is not None and needed[0] not in given:
        raise TypeError(f"{where} declares `{policy.name}`, so it must declare {needed[1]}")
    for kind_of, owner in _OF.items():
        if kind_of in given and owner != policy.name:
            raise TypeError(f"{where} declares {kind_of.__name__}, which belongs to `{owner}`, not `{policy.name}`")
    flow = given.get(Flow)
    leaves_open = policy in (once, judged, claim) or (flow is not None and bool(flow.asks or flow.ending))
    if leaves_open != (Asks in given):
        raise TypeError(
            f"{where} declares `{policy.name}`, so it must "
            + ("say with Asks(...) who decides what it leaves open" if leaves_open else "not ask anybody: it settles")
        )
    members = {member.value for choice in (inner, *typing.get_args(inner)) for member in _members(choice)}
    named = (
        set()
        if flow is None
        else {*flow.precedence, *flow.moves, *flow.asks, *(a for m in flow.moves.values() for a in m)}
    )
    ranks, safe = given.get(Ranks), given.get(Safe)
    named |= set() if ranks is None else set(ranks.order)
    named |= set() if safe is None else {one for one in safe.order if one is not None}
    if not named <= members:
        raise TypeError(f"{where} names {sorted(named - members)}, which its type has not")
    for whole, meaning in ((None if ranks is None else ranks.order, "ranks"), (flow and flow.precedence, "precedence")):
        if whole is not None and (set(whole) != members or len(set(whole)) != len(whole)):
            raise TypeError(f"{where}: its {meaning} must name each of {sorted(members)} once")
    tuples = [one for one in (inner, *typing.get_args(inner)) if typing.get_origin(one) is tuple]
    if safe is not None and safe.way == "together" and not tuples:
        raise TypeError(f"{where} shows all that was said together, so its type must be tuple[...]")
    if policy is claim and Hold not in (inner, *typing.get_args(inner)):
        raise TypeError(f"{where} declares `claim`, so its type must be Hold | None")


def _members(choice: Any) -> list[Token]:
    return list(choice) if isinstance(choice, type) and issubclass(choice, Token) else []


def _watched(flow: Flow) -> tuple[str, ...]:
    return () if flow.ending is None else flow.ending.unless
