"""What Hypothesis draws: values for any declared field, and cases, from the declarations alone.

A new kind, field or policy parameter is covered as soon as it is declared. The pools of values are small, so that
people agree and differ often.
"""

# ruff: noqa: ANN401
# Values are of the types that the fields declare, which only the kinds know.

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from hypothesis import strategies as st

from schemas.ids import (
    DEVICE_PATTERN,
    OFFICER_PATTERN,
    OP_PATTERN,
    RECORD_PATTERN,
    SCOPE_PATTERN,
    SLUG_PATTERN,
    FieldName,
)
from schemas.kinds import KINDS, FieldSpec, KindSpec
from schemas.kinds.common import DATE_PATTERN
from schemas.kinds.incident import UPRN_PATTERN
from schemas.kinds.receipts import EDITION_PATTERN
from schemas.policies import POLICIES
from tests.sync.policies.world import (
    AREAS,
    AUDIENCES,
    DAY_MS,
    DESKS,
    HOUR_MS,
    RECORD,
    SECOND_MS,
    T0,
)

Where = tuple[str, FieldName]
"""A kind and one of its fields."""


def fields_of(policy: str) -> list[Where]:
    """Every field of that policy that a person writes, of every kind that a person makes under an id of its own.

    A record that is named after what it says is made by a change like any other; tests/server/settle/test_handovers.py.
    """
    return [
        (kind, name)
        for kind, spec in KINDS.items()
        if not spec.by_rule and spec.named is None
        for name, field in spec.fields.items()
        if field.policy.name == policy and not field.by_rule
    ]


ALL_FIELDS: Final = [where for policy in POLICIES for where in fields_of(policy.name)]
IN_A_CHAIN: Final = [
    where for policy in ("latest", "highest", "tags", "state", "judged") for where in fields_of(policy)
]
"""The fields in which a change with sight of everything always takes effect."""
PEOPLES_KINDS: Final = [kind for kind, spec in KINDS.items() if not spec.by_rule and spec.named is None]
_TEXTS: Final = {
    SLUG_PATTERN: AREAS,
    SCOPE_PATTERN: AUDIENCES,
    OP_PATTERN: ("hh-0042/1", "desk-1/2"),
    RECORD_PATTERN: (RECORD,),
    OFFICER_PATTERN: ("WM21877", "WM30002"),
    DEVICE_PATTERN: ("hh-0042", "desk-1"),
    UPRN_PATTERN: ("10090000001", "10090000002"),
    EDITION_PATTERN: ("0123456789abcdef", "fedcba9876543210"),
    DATE_PATTERN: ("1984-05-17", "2010-12-01"),
}
_WORDS: Final = ("ash", "birch", "cedar")
_NUMBERS: Final = (T0 - HOUR_MS, T0, T0 + HOUR_MS)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Plain values of a declared type."""
    return _values(msgspec.inspect.type_info(kind))


def _values(info: msgspec.inspect.Type) -> st.SearchStrategy[Any]:  # noqa: PLR0911  one case for each form
    match info:
        case msgspec.inspect.UnionType(types):
            return st.one_of([_values(one) for one in types])
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType(ge=least, le=most):
            return st.sampled_from([n for n in (*_NUMBERS, 0, 1) if (least or 0) <= n <= (most or n)])
        case msgspec.inspect.FloatType():
            return st.sampled_from((0.0, 52.5))
        case msgspec.inspect.StrType(pattern=pattern):
            return st.sampled_from(_WORDS if pattern is None else _TEXTS[pattern])
        case msgspec.inspect.EnumType(cls=cls):
            return st.sampled_from([one.value for one in cls])
        case msgspec.inspect.VarTupleType(item_type=item, min_length=least):
            return st.lists(_values(item), min_size=least or 0, max_size=2)
        case msgspec.inspect.TupleType(item_types=items):
            return st.tuples(*map(_values, items)).map(list)
        case msgspec.inspect.StructType(fields=fields):
            required = {one.encode_name: _values(one.type) for one in fields if one.required}
            optional = {one.encode_name: _values(one.type) for one in fields if not one.required}
            return st.fixed_dictionaries(required, optional=optional)
        case _:
            raise TypeError(f"no values are drawn for {info}: say in {__name__} how")


class Step(NamedTuple):
    """One step of a state: which of those that may follow, as a number."""

    choice: int


def changes(field: FieldSpec) -> st.SearchStrategy[Any]:
    """Changes to a field."""
    one = values(field.type)
    match field.policy.name:
        case "grow":
            return st.lists(one, min_size=1, max_size=2)
        case "tags":
            some = st.lists(one, min_size=1, max_size=2)
            return st.fixed_dictionaries({}, optional={"add": some, "remove": some}).filter(bool)
        case "state":
            return st.builds(Step, st.integers(0, 3))
        case "claim":
            ends = st.sampled_from([None, None, T0 + 4 * SECOND_MS, T0 + HOUR_MS])
            hold = st.builds(
                lambda holder, until: {"holder": holder} | ({} if until is None else {"until": until}),
                st.sampled_from(_WORDS),
                ends,
            )
            return st.one_of(hold, hold, st.none())
        case _:
            return one


class Write(NamedTuple):
    """One thing that somebody does.

    Attributes:
        desk: who, as a number.
        changes: field -> value or `Step`.
        now: their device's clock (ms since 1970).
        occurred_at: when they say that it happened (ms since 1970).
        correct: whether they correct what `once` protects.
        older: whether their program does not say what its user saw.
        touch: what comes after: `none`; `push`; `pull`; `most` push and pull, all but the last two; `all` do.
    """

    desk: int
    changes: dict[FieldName, Any]
    now: int
    occurred_at: int
    correct: bool
    older: bool
    touch: str


class Decide(NamedTuple):
    """Somebody decides one of the questions that they see open.

    Attributes:
        desk, now, touch: as of `Write`.
        question: which of those that they see, as a number.
        choice: which of the candidates' values, as a number.
    """

    desk: int
    now: int
    touch: str
    question: int
    choice: int


Deed = Write | Decide


class Drawn(NamedTuple):
    """What people do to one record.

    Attributes:
        spec: its kind.
        made: field -> value with which it is made.
        before: what is done while devices come and go.
        after: what each does on their own afterwards, without a word to the others.
    """

    spec: KindSpec
    made: dict[FieldName, Any]
    before: Sequence[Deed]
    after: Sequence[Deed]


CLOCKS: Final = (T0, T0, T0 + 1, T0 - 3 * DAY_MS, T0 + 3 * DAY_MS, T0 - HOUR_MS, T0 + HOUR_MS)
"""Right, days behind, days ahead: what the devices' clocks may say, and they may say something else the next time."""
TOUCHES: Final = ("none", "push", "pull", "most", "all")
_CLOSE: Final = (T0, T0, T0 + SECOND_MS)
"""Reservations end in minutes, so clocks that are days off would only ever be refused on the device."""


def _writes(
    spec: KindSpec, names: Sequence[FieldName], *, older: bool = False, always: Sequence[FieldName] = ()
) -> st.SearchStrategy[Write]:
    claims = any(spec.fields[name].policy.name == "claim" for name in names)
    each = {name: changes(spec.fields[name]) for name in names}
    must = {name: each.pop(name) for name in always}
    changed = st.fixed_dictionaries(must, optional=each).filter(bool)
    return st.builds(
        Write,
        desk=st.integers(0, len(DESKS) - 1),
        changes=changed,
        now=st.sampled_from(_CLOSE if claims else CLOCKS),
        occurred_at=st.sampled_from(_NUMBERS),
        correct=st.booleans(),
        older=st.booleans() if older else st.just(False),
        touch=st.sampled_from(TOUCHES),
    )


def _decides() -> st.SearchStrategy[Decide]:
    some = st.integers(0, 3)
    return st.builds(
        Decide, st.integers(0, len(DESKS) - 1), st.sampled_from(CLOCKS), st.sampled_from(TOUCHES), some, some
    )


@st.composite
def drawn(
    draw: st.DrawFn, kind: str, names: Sequence[FieldName], *, older: bool = False, before: int = 3, after: int = 4
) -> Drawn:
    """What people do to some fields of a record.

    Args:
        draw: Hypothesis's.
        kind: the record's kind.
        names: the fields that they change.
        older: whether some have a program that does not say what its user saw.
        before, after: at most so many things are done.
    """
    spec = KINDS[kind]
    write = _writes(spec, names, older=older)
    first, then = draw(st.lists(write, max_size=before)), draw(st.lists(write, min_size=2, max_size=after))
    return Drawn(spec, draw(_made(spec, names)), first, then)


@st.composite
def disputed(draw: st.DrawFn, kind: str, names: Sequence[FieldName]) -> Drawn:
    """People who differ about some fields of a record, meet, and decide and go on writing, together and apart."""
    spec = KINDS[kind]
    deed = st.one_of(_decides(), _decides(), _writes(spec, names))
    if len(names) == 1:
        write = _writes(spec, names, always=names)
        differ = draw(st.lists(write, min_size=2, max_size=3, unique_by=lambda one: repr(one.changes[names[0]])))
    else:
        # Where something must have been seen, one says the one, another the other.
        each = draw(st.permutations([_writes(spec, [name], always=[name]) for name in names]))
        differ = [draw(write) for write in each]
    # What a record is made with stands already: only those who may correct it can differ.
    correct = spec.fields[names[0]].required
    differ = [one._replace(desk=desk, touch="none", correct=correct) for desk, one in enumerate(differ)]
    differ[-1] = differ[-1]._replace(touch=draw(st.sampled_from(("all", "most"))))
    then, apart_then = draw(st.lists(deed, max_size=2)), draw(st.lists(deed, min_size=2, max_size=4))
    made = draw(_made(spec, [name for name in names if name not in names[:1]]))
    return Drawn(spec, made, [*differ, *then], apart_then)


@st.composite
def chain(draw: st.DrawFn, kind: str, name: FieldName) -> Drawn:
    """People who change one field one after the other, each with sight of the change before."""
    spec = KINDS[kind]
    write = st.builds(
        Write,
        desk=st.integers(0, len(DESKS) - 1),
        changes=st.fixed_dictionaries({name: changes(spec.fields[name])}),
        now=st.sampled_from(CLOCKS),
        occurred_at=st.sampled_from(_NUMBERS),
        correct=st.just(False),
        older=st.just(False),
        touch=st.just("all"),
    )
    return Drawn(spec, draw(_made(spec, [])), draw(st.lists(write, min_size=1, max_size=4)), [])


def one_field(policy: str, *, older: bool = False, after: int = 4) -> st.SearchStrategy[Drawn]:
    """People who change one field of that policy, any of those that the kinds declare."""
    return st.sampled_from(fields_of(policy)).flatmap(
        lambda where: drawn(where[0], [where[1]], older=older, after=after)
    )


@st.composite
def some_fields(draw: st.DrawFn, kind: str, *, older: bool = False) -> Drawn:
    """People who change some fields of a record of that kind, several at once, and those that these must have seen."""
    spec = KINDS[kind]
    names = [name for name, field in spec.fields.items() if not field.by_rule]
    some = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    beside = [name for one in some for name in spec.fields[one].sees if name not in some]
    return draw(drawn(kind, [*some, *dict.fromkeys(beside)], older=older))


def one_dispute(policy: str) -> st.SearchStrategy[Drawn]:
    """People who differ about one field of that policy, and decide."""
    asking = [where for where in fields_of(policy) if KINDS[where[0]].fields[where[1]].asks is not None]
    return st.sampled_from(asking).flatmap(
        lambda where: disputed(where[0], [where[1], *KINDS[where[0]].fields[where[1]].sees])
    )


def _made(spec: KindSpec, names: Sequence[FieldName]) -> st.SearchStrategy[dict[FieldName, Any]]:
    """With what a record is made: what it must have, and some of the fields that people change."""
    also = [name for name in names if spec.fields[name].policy.name not in ("state", "claim")]
    return st.fixed_dictionaries(
        {name: values(field.type) for name, field in spec.fields.items() if field.required},
        optional={name: changes(spec.fields[name]) for name in also if not spec.fields[name].required},
    )
