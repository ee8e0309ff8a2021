"""Reads what a kind's fields declare in their types, and refuses what could not be carried out.

It fails at import, with the field's name and the remedy, for a field without a policy, with two, without what its
policy needs, or with what is another's: a declaration that cannot be carried out would be a lie.
"""

import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.ids import FieldName
from schemas.kinds.base import FieldSpec, Kind
from schemas.kinds.claims import Hold
from schemas.policies import (
    MANY,
    Asks,
    ByRule,
    Flow,
    Means,
    Needs,
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
)
from schemas.rights import Rights, Writes
from schemas.tokens import Token, may_hold_tokens

_DECLARATIONS: Final = (Ranks, Flow, Safe, Asks, Means, Sees, Retired, ByRule, Writes)
_NEEDS: Final = {
    highest.name: (Ranks, "the ranks of its values, as in rising(Risk.STANDARD, Risk.HIGH)"),
    state.name: (Flow, "what may follow what, as in flow({...}, precedence=...)"),
    judged.name: (Safe, "what is safe to show while people differ, as in safest_first(...)"),
}
_OF: Final = {Ranks: highest.name, Flow: state.name, Safe: judged.name}
_Given = Mapping[type, Any]
"""A field's declarations by their type."""


def read_fields(kind: str, struct: type[Kind]) -> dict[FieldName, FieldSpec]:
    """The fields of a kind's Struct, in order.

    Raises:
        TypeError: a declaration cannot be carried out; the text names kind, field and remedy.
    """
    hints = typing.get_type_hints(struct, include_extras=True)
    fields = {
        FieldName(field.name): _field_spec(_where(kind, field.name), hints[field.name], field)
        for field in msgspec.structs.fields(struct)
    }
    for field in fields.values():
        _require_neighbours(_where(kind, field.name), field, fields)
    return fields


def require_rights(kind: str, rights: Rights | None, *, by_rule: bool) -> None:
    """Refuse a kind that does not say who may make and change its records.

    Raises:
        TypeError: it does not, or the rules make them and it does.
    """
    if by_rule:
        if rights is not None:
            raise TypeError(f"record kind {kind!r} is made by the rules alone, so it cannot declare rights")
    elif rights is None or not (rights.makers and rights.writers and rights.because):
        raise TypeError(f"record kind {kind!r} must declare rights=Rights(makers=…, writers=…, because=…)")


def _where(kind: str, field: str) -> str:
    return f"field {field!r} of record kind {kind!r}"


def _field_spec(where: str, hint: Any, info: msgspec.structs.FieldInfo) -> FieldSpec:
    declared = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Policy)]
    if len(declared) != 1:
        found = ", ".join(policy.name for policy in declared) or "none"
        raise TypeError(
            f"{where} must declare exactly one merge policy in its type, as in Annotated[str, latest]; found {found}"
        )
    policy, inner = declared[0], hint.__origin__
    given = _given(where, hint.__metadata__)
    others = tuple(extra for extra in hint.__metadata__ if not isinstance(extra, (Policy, *_DECLARATIONS)))
    if policy in MANY:
        if typing.get_origin(inner) is not tuple or typing.get_args(inner)[1:] != (Ellipsis,):
            raise TypeError(f"{where} declares `{policy.name}`, so its type must be tuple[Entry, ...]")
        if info.required:
            raise TypeError(f"{where} declares `{policy.name}`, so it needs the default (): a new record has none")
        value_type = typing.get_args(inner)[0]
    else:
        value_type = typing.Annotated[(inner, *others)] if others else inner
    _require_fit(where, policy, inner, given)
    sees, means = given.get(Sees), given.get(Means)
    return FieldSpec(
        name=FieldName(info.name),
        policy=policy,
        type=value_type,
        required=info.required,
        ranks=given.get(Ranks),
        flow=given.get(Flow),
        safe=given.get(Safe),
        asks=given.get(Asks),
        sees=() if sees is None else tuple(map(FieldName, sees.fields)),
        tokens=may_hold_tokens(value_type),
        means=() if means is None else means.parts,
        retired=given.get(Retired),
        by_rule=ByRule in given,
        default=None if info.required else msgspec.to_builtins(info.default),
        writes=given.get(Writes),
    )


def _given(where: str, metadata: Sequence[Any]) -> dict[type, Any]:
    found: dict[type, Any] = {}
    for extra in metadata:
        if isinstance(extra, _DECLARATIONS):
            if type(extra) in found:
                raise TypeError(f"{where} declares {type(extra).__name__} twice")
            found[type(extra)] = extra
    return found


def _require_fit(where: str, policy: Policy, inner: Any, given: _Given) -> None:
    """Refuse a declaration whose policy lacks what it needs, or has what is another's."""
    needed = _NEEDS.get(policy.name)
    if needed is not None and needed[0] not in given:
        raise TypeError(f"{where} declares `{policy.name}`, so it must declare {needed[1]}")
    for kind_of, owner in _OF.items():
        if kind_of in given and owner != policy.name:
            raise TypeError(f"{where} declares {kind_of.__name__}, which belongs to `{owner}`, not `{policy.name}`")
    _require_asks(where, policy, given)
    _require_parts(where, policy, inner, given.get(Means))
    choices = (inner, *typing.get_args(inner))
    _require_values(where, {member.value for choice in choices for member in _members(choice)}, inner, given)
    _require_writes(where, {member.value for choice in choices for member in _members(choice)}, given)
    if policy is claim and Hold not in choices:
        raise TypeError(f"{where} declares `claim`, so its type must be Hold | None")


def _require_asks(where: str, policy: Policy, given: _Given) -> None:
    """Somebody decides exactly where the policy leaves something open."""
    flow, asks = given.get(Flow), given.get(Asks)
    leaves_open = policy in (once, judged, claim) or (flow is not None and bool(flow.asks or flow.ending))
    if leaves_open != (asks is not None):
        raise TypeError(
            f"{where} declares `{policy.name}`, so it must "
            + ("say with Asks(...) who decides what it leaves open" if leaves_open else "not ask anybody: it settles")
        )
    if asks is not None and not (asks.roles and asks.then and asks.within_ms > 0):
        raise TypeError(f"{where}: Asks(...) must name who decides, a time of more than 0 ms, and who is asked then")


def _require_parts(where: str, policy: Policy, inner: Any, means: Means | None) -> None:
    """What people mean by a value is told only where it is asked for, and by parts that the value has."""
    if means is None:
        return
    if policy is not once:
        raise TypeError(f"{where} declares Means, which belongs to `{once.name}`, not `{policy.name}`")
    structs = [each for each in (inner, *typing.get_args(inner)) if msgspec.inspect.is_struct_type(each)]
    parts = {field.name for struct in structs for field in msgspec.structs.fields(struct)}
    if not means.parts or not set(means.parts) <= parts:
        raise TypeError(f"{where}: Means(...) must name parts of its value; there are {sorted(parts)}")


def _require_values(where: str, members: set[str], inner: Any, given: _Given) -> None:
    """A declaration names values of the field's type and, where an order or the transitions are told, each of them."""
    ranks, flow, safe = given.get(Ranks), given.get(Flow), given.get(Safe)
    lists: list[tuple[str, Sequence[str | None], bool]] = []
    if ranks is not None:
        lists.append(("ranks", ranks.order, True))
    if flow is not None:
        lists += [
            ("precedence", flow.precedence, True),
            ("transitions", tuple(flow.moves), True),
            ("transitions", tuple(after for afters in flow.moves.values() for after in afters), False),
            ("asks", flow.asks, False),
        ]
        if flow.ending is not None:
            lists.append(("ending", (*flow.ending.states, flow.ending.shown), False))
    if safe is not None and safe.way == "first":
        lists.append(("safe order", safe.order, True))
    none_is_value = safe is not None and type(None) in typing.get_args(inner)
    values: set[str | None] = members | ({None} if none_is_value else set())
    for meaning, named, whole in lists:
        strange = set(named) - values
        if strange:
            raise TypeError(f"{where} names {_sorted(strange)}, which its type has not")
        if whole and (set(named) != values or len(set(named)) != len(named)):
            raise TypeError(f"{where}: its {meaning} must name each of {_sorted(values)} once")
    tuples = [one for one in (inner, *typing.get_args(inner)) if typing.get_origin(one) is tuple]
    if safe is not None and safe.way == "together" and not tuples:
        raise TypeError(f"{where} shows all that was said together, so its type must be tuple[...]")


def _require_writes(where: str, members: set[str], given: _Given) -> None:
    """Who may write a field is told with its reason, and by values that the field can have."""
    told = given.get(Writes)
    if told is None:
        return
    if ByRule in given:
        raise TypeError(f"{where} is written by the rules alone, so it cannot declare Writes")
    if not told.because or bool(told.roles) == bool(told.named_in) or not all(told.to.values()):
        raise TypeError(f"{where}: Writes(...) must name who, for each value that it tells apart, and why")
    strange = set(told.to) - members
    if strange:
        raise TypeError(f"{where}: its rights name {_sorted({*strange})}, which its type has not")


def _require_neighbours(where: str, field: FieldSpec, fields: Mapping[FieldName, FieldSpec]) -> None:
    """The fields that a declaration names are there; an ending and what it ends say what they saw of each other."""
    watched = () if field.flow is None or field.flow.ending is None else field.flow.ending.unless
    named = () if field.writes is None or not field.writes.named_in else (field.writes.named_in,)
    for beside in (*field.sees, *watched, *named):
        if beside not in fields:
            raise TypeError(f"{where} names {beside!r}, which it has not")
    for name in map(FieldName, watched):
        if fields[name].policy is not grow:
            raise TypeError(f"{where}: its ending watches {name!r}, which must declare `grow`")
        if name not in field.sees or field.name not in fields[name].sees:
            raise TypeError(f"{where}: its ending watches {name!r}, so each must declare Sees(...) of the other")
    for needs in () if field.flow is None or field.flow.ending is None else field.flow.ending.needs:
        _require_needs(where, needs, watched, fields)


def _require_needs(where: str, needs: Needs, watched: Sequence[str], fields: Mapping[FieldName, FieldSpec]) -> None:
    """What an ending needs is matched by parts that the entries have, in fields that it must have seen."""
    for name, parts in ((needs.each, (*needs.same, needs.void)), (needs.has, needs.same)):
        if name not in watched:
            raise TypeError(f"{where}: its ending needs {name!r}, which it must watch: name it in `unless`")
        has = {part.name for part in msgspec.structs.fields(fields[FieldName(name)].type)}
        if not needs.same or not set(parts) <= has:
            raise TypeError(f"{where}: its ending needs parts {_sorted({*parts})} of {name!r}; there are {sorted(has)}")


def _members(choice: Any) -> list[Token]:
    return list(choice) if isinstance(choice, type) and issubclass(choice, Token) else []


def _sorted(values: set[str | None]) -> list[str | None]:
    return sorted(values, key=lambda value: (value is None, value or ""))
