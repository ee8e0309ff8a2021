"""Promises 3 and 5 over every declared field and mixes of them: real devices, real settling, every order of arrival.

Nothing here names a field: a kind or a field is covered as soon as it is declared. What must hold after every step is
in `tests.sync.policies.oracles`, which compares with a model that shares no code with the policies.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import reread_op
from schemas.ids import FieldName
from schemas.kinds import KINDS
from schemas.ops import Hlc
from schemas.policies import POLICIES
from tests.sync.policies.drawing import (
    ALL_FIELDS,
    IN_A_CHAIN,
    PEOPLES_KINDS,
    Drawn,
    chain,
    drawn,
    one_field,
    some_fields,
)
from tests.sync.policies.oracles import check_chain, check_every_order
from tests.sync.policies.people import People, apart, set_back
from tests.sync.policies.world import RECORD

SWEEP = 6
"""Each field by itself gets a sixth of the examples: there are many of them."""
ANY_KIND = st.sampled_from(PEOPLES_KINDS)


@given(ANY_KIND.flatmap(some_fields))
def test_mixes_of_fields_come_to_the_same_in_every_order(what: Drawn) -> None:
    """Ops that change several fields of any kind, apart: every order of arrival keeps both promises at every step."""
    check_every_order(apart(what))


@given(ANY_KIND.flatmap(lambda kind: some_fields(kind, older=True)))
def test_mixes_with_older_programs_come_to_the_same(what: Drawn) -> None:
    """The same when some devices' programs do not say what their users saw."""
    check_every_order(apart(what))


@given(ANY_KIND.flatmap(some_fields))
def test_mixes_offered_again_come_to_the_same(what: Drawn) -> None:
    """A server that was set back is offered every op again, in any order that the devices happen to return in."""
    check_every_order(set_back(what))


@given(st.sampled_from([policy.name for policy in POLICIES]).flatmap(lambda policy: one_field(policy, after=5)))
def test_five_at_once_come_to_the_same(what: Drawn) -> None:
    """Five concurrent ops on one field: all of up to 120 orders."""
    check_every_order(apart(what, most=5))


@given(st.data())
def test_what_saw_a_value_comes_after_it(data: st.DataObject) -> None:
    """People who see each other's changes, on clocks days ahead and behind: each one's change takes effect."""
    kind, name = data.draw(st.sampled_from(IN_A_CHAIN))
    check_chain(data.draw(chain(kind, name)), name)


@given(ANY_KIND.flatmap(some_fields))
def test_an_op_is_later_than_all_that_its_author_could_see(what: Drawn) -> None:
    """Whatever the clocks say, its reading is above those of every value of the record on that device."""
    people = People(what)
    for write in [*what.before, *what.after]:
        desk = people.desks[write.desk]
        before, number = desk.replica.view(RECORD), desk.replica.next_op
        people.do(write)
        made = desk.tables.op(number)
        if made is not None and before is not None:
            assert Hlc(*reread_op(made.body).hlc) > before.seen()
        people.touch(write)


@pytest.mark.parametrize(("kind", "name"), ALL_FIELDS, ids=str)
@settings(max_examples=settings().max_examples // SWEEP)
@given(data=st.data())
def test_every_declared_field_comes_to_the_same(kind: str, name: FieldName, data: st.DataObject) -> None:
    """No field of any kind is left to chance: each one, with what it must have seen, in every order of arrival."""
    names = [name, *KINDS[kind].fields[name].sees]
    check_every_order(apart(data.draw(drawn(kind, names, before=1, after=3))))


def test_what_a_person_never_writes_is_all_that_is_left_out() -> None:
    """Every field of every kind is among those above, or only the rules write it; decisions have tests of their own."""
    left = {(kind, name) for kind, spec in KINDS.items() for name in spec.fields} - set(ALL_FIELDS)
    people = {(kind, name) for kind, name in left if not KINDS[kind].fields[name].by_rule}
    shift = {("handover", name) for name in KINDS["handover"].fields}
    assert people == {("inbox-item", "decision"), ("alarm", "acknowledged")} | shift
