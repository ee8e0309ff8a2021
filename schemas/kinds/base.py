"""What a record kind and a field of it are, and what either takes as a value.

`schemas.kinds.declare` reads a field's declaration into a `FieldSpec`, `schemas.kinds.registry` keeps the kinds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from schemas.ids import FieldName, RecordId, ScopeName
from schemas.limits import ENTRIES_PER_OP_MAX
from schemas.policies import Asks, Ending, Flow, Policy, Ranks, Retired, Safe, grow, tags
from schemas.retention import RetentionGroup
from schemas.rights import Rights, Writes
from schemas.tokens import all_known


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the record kinds: the values of one record as an application sees them.

    Attributes:
        SIDED: the fields of which `sides` asks something.
    """

    SIDED: ClassVar[frozenset[FieldName]] = frozenset()

    def scopes(self) -> frozenset[ScopeName]:
        """The scopes this record is in: a pure function of its fields (DESIGN section 8)."""
        raise TypeError(f"{type(self).__name__} does not say its scopes")

    def writing_scopes(self) -> frozenset[ScopeName]:
        """The scopes of which a writer must hold one: by default any that the record is in."""
        return self.scopes()

    def sides(self, field: FieldName, value: Any) -> frozenset[ScopeName]:  # noqa: ARG002  of any type
        """The scopes of which a writer must hold each one to set a field to a value: whose word it is.

        It hangs on the value, or on fields that are recorded once, so that no order of arrival decides.

        Args:
            field: one of `SIDED`.
            value: the plain value, as in an op; its form has been checked.
        """
        return frozenset()

    def own_retention(self) -> RetentionGroup | None:
        """The retention group that this record's own fields give it; None for its kind's."""
        return None

    def about(self) -> RecordId | None:
        """The record that this one is a part of, and is kept and erased with; None when it stands alone."""
        return None


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
        tokens: whether its values can hold a token.
        means: the parts of its value by which two people say the same; () for the whole of it.
        by_rule: whether only the rules write it.
        default: the plain value of a record that does not say it; None for none.
        writes: who may write it, when that is not who may change the kind.
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
    tokens: bool = True
    means: tuple[str, ...] = ()
    by_rule: bool = False
    default: Any = None
    writes: Writes | None = None

    def look(self, value: Any) -> tuple[str | None, bool]:
        """(what is wrong with a change to this field, or None; whether this program knows every token in it).

        A token that is not known is nothing wrong: a newer program may know it.
        """
        wrong = self._form_problem(value)
        if wrong is not None:
            return wrong, False
        known = True
        for part in self._parts(value):
            try:
                typed = msgspec.convert(part, self.type)
            except msgspec.ValidationError as problem:
                return str(problem), False
            known = known and (not self.tokens or all_known(typed))
        return None, known

    def problem(self, value: Any) -> str | None:
        """What is wrong with a change to this field, or None (see `look`)."""
        return self.look(value)[0]

    def _form_problem(self, value: Any) -> str | None:
        """What is wrong with the lists in which a change brings its values."""
        if self.policy is grow:
            return _list_problem(value, "expected a list of entries to append")
        if self.policy is not tags:
            return None
        if not isinstance(value, dict) or not value or not value.keys() <= {"add", "remove"}:
            return 'expected a map with the lists "add" and "remove"'
        parts = (_list_problem(part, f"{way}: expected a list of tags") for way, part in value.items())
        return next((wrong for wrong in parts if wrong is not None), None)

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values of this field say the same."""
        if not self.means or one is None or other is None:
            return bool(one == other)
        return all(one.get(part) == other.get(part) for part in self.means)

    def reads(self, value: Any) -> bool:
        """Whether this program can read a change to this field: its form, and every token in it."""
        return self.look(value)[1]

    def _parts(self, value: Any) -> Sequence[Any]:
        """The values and entries in a change."""
        if self.policy is grow:
            entries: Sequence[Any] = value
            return entries
        return [each for part in value.values() for each in part] if self.policy is tags else [value]


class KindSpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One record kind, as read from its Struct.

    Attributes:
        name: its name on the wire.
        struct: the Struct that an application gets.
        fields: its fields by name, in the Struct's order.
        by_rule: whether only the rules make such records.
        rights: who may make and change such records; nobody, unless it is declared.
        retention: why such records are kept, unless one of them says otherwise.
        named: the id of a record with these values, where it follows from them. Whoever makes such a record makes the
            same one: made twice, it is edited once. A person may make one that the rules have not made yet, with
            something of their own to say in it.
    """

    name: str
    struct: type[Kind]
    fields: Mapping[FieldName, FieldSpec]
    by_rule: bool = False
    rights: Rights = Rights()
    retention: RetentionGroup = RetentionGroup.MISCELLANEOUS
    named: Callable[[Mapping[FieldName, Any]], RecordId] | None = None

    # What follows is asked for by every edit, and of some forty fields one or two are meant: kept beside the fields.

    def asking(self) -> tuple[FieldSpec, ...]:
        """The fields that can ask a person."""
        found: tuple[FieldSpec, ...] | None = self.__dict__.get("_asking")
        if found is None:
            found = self.__dict__["_asking"] = tuple(one for one in self.fields.values() if one.asks is not None)
        return found

    def ending(self) -> tuple[tuple[FieldSpec, Ending], ...]:
        """The fields by which work ends, each with what it must have seen."""
        found: tuple[tuple[FieldSpec, Ending], ...] | None = self.__dict__.get("_ending")
        if found is None:
            ends = ((one, one.flow.ending) for one in self.fields.values() if one.flow is not None)
            found = self.__dict__["_ending"] = tuple((one, ending) for one, ending in ends if ending is not None)
        return found

    def build(self, values: Mapping[FieldName, Any]) -> Kind:
        """The typed record from plain values as a codec gives them.

        Raises:
            msgspec.ValidationError: a value does not fit; ops are checked before they are merged, so this is a defect.
        """
        return msgspec.convert(values if type(values) is dict else dict(values), self.struct)


def _list_problem(value: Any, otherwise: str) -> str | None:
    if not isinstance(value, list) or not value:
        return otherwise
    if len(value) > ENTRIES_PER_OP_MAX:
        return f"{len(value)} entries, at most {ENTRIES_PER_OP_MAX} at once"
    return None
