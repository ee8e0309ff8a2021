"""An ending that had not seen the work it ends is contested by it, in whichever order the two arrive."""

import itertools

import pytest

from schemas.codec import decode_row, encode
from schemas.ids import FieldName, Seq
from schemas.ops import Op
from sync import merge
from sync.merge import RecordState
from sync.policies import Said, policy_of
from tests.sync.merge.incident import KIND, T0, committed, made, op, value

STATUS, ARRESTS = FieldName("status"), FieldName("arrests")
BASE = made(status="attended")
FIRST = "desk-1/1"
CLOSED = op("hh-1", 1, {"status": "closed"}, {"status": [FIRST], "arrests": []})
ARREST = op("hh-2", 1, {"arrests": [{"person": "Robin Example", "arrested_at": T0}]}, {"status": [FIRST]})


def asked(state: RecordState) -> tuple[Said, ...]:
    """What a person must decide between in the status."""
    field = KIND.fields[STATUS]
    return policy_of(field).unsettled(field, state.cells[STATUS])


def both_orders(*ops: Op) -> list[RecordState]:
    """The record after the ops in each order of arrival."""
    return [committed(BASE, *order) for order in itertools.permutations(ops)]


def test_a_closing_and_an_arrest_apart_from_each_other_leave_the_incident_in_sight() -> None:
    """Whichever came first: attended is shown, the closing is asked about, and the arrest is in the record."""
    one, other = both_orders(CLOSED, ARREST)
    for state in (one, other):
        assert value(state, "status") == "attended"
        assert [said.value for said in asked(state)] == ["closed"]
        assert state.cells[STATUS].against == ((CLOSED.id, ARREST.id),)
        assert [entry["person"] for entry in value(state, "arrests")] == ["Robin Example"]
    assert one.values() == other.values()


def test_a_closing_that_saw_the_arrest_stands() -> None:
    """The officer knew; nobody is asked."""
    knowing = op("hh-1", 1, {"status": "closed"}, {"status": [FIRST], "arrests": [ARREST.id]})
    state = committed(BASE, ARREST, knowing)
    assert (value(state, "status"), asked(state)) == ("closed", ())


def test_an_arrest_by_someone_who_saw_the_closing_does_not_contest_it() -> None:
    """They added to a closed incident and knew it; what follows is their own next step."""
    after = op("hh-2", 1, {"arrests": [{"person": "Robin Example", "arrested_at": T0}]}, {"status": [CLOSED.id]})
    state = committed(BASE, CLOSED, after)
    assert (value(state, "status"), asked(state)) == ("closed", ())


def test_one_arrest_seen_and_one_not_contest_all_the_same() -> None:
    """What counts is what the closing officer did not know."""
    knowing = op("hh-1", 1, {"status": "closed"}, {"status": [FIRST], "arrests": [ARREST.id]})
    second = op("hh-3", 1, {"arrests": [{"person": "Sam Sample", "arrested_at": T0}]}, {"status": [FIRST]})
    for order in ((ARREST, knowing, second), (ARREST, second, knowing), (second, ARREST, knowing)):
        state = committed(BASE, *order)
        assert value(state, "status") == "attended"
        assert state.cells[STATUS].against == ((knowing.id, second.id),)


def test_a_closing_with_an_arrest_of_its_own_does_not_contest_itself() -> None:
    """One op may record the arrest and close; another's arrest that it had not seen contests it."""
    arrest = [{"person": "Robin Example", "arrested_at": T0}]
    own = op("hh-1", 1, {"status": "closed", "arrests": arrest}, {"status": [FIRST], "arrests": []})
    state = committed(BASE, own)
    assert (value(state, "status"), asked(state)) == ("closed", ())
    one, other = both_orders(own, ARREST)
    assert one.cells[STATUS].against == other.cells[STATUS].against
    assert value(one, "status") == value(other, "status") == "attended"


def test_two_closings_of_which_one_knew_are_both_weighed() -> None:
    """The closing by someone who saw the arrest stands over one by someone who did not, in every order."""
    knowing = op("hh-3", 1, {"status": "closed"}, {"status": [FIRST], "arrests": [ARREST.id]})
    orders = [
        order
        for order in itertools.permutations((CLOSED, ARREST, knowing))
        if order.index(ARREST) < order.index(knowing)
    ]
    states = [committed(BASE, *order) for order in orders]
    assert {cell.said.stamp.op for state in states for cell in [state.cells[STATUS]] if cell.said} == {knowing.id}
    assert {value(state, "status") for state in states} == {"closed"}
    assert {state.cells[STATUS].against for state in states} == {((CLOSED.id, ARREST.id),)}


@pytest.mark.parametrize("step", ["closed", "open"])
def test_the_next_step_by_someone_who_saw_both_settles_it(step: str) -> None:
    """A new closing or reopening supersedes the contested one; nothing of the dispute is left."""
    for state in both_orders(CLOSED, ARREST):
        after = op("hh-9", 2, {"status": step}, {"status": [CLOSED.id], "arrests": [ARREST.id]})
        settled = committed(state, after)
        assert (value(settled, "status"), asked(settled), settled.cells[STATUS].against) == (step, (), ())


def test_an_older_program_that_knows_no_arrests_has_seen_none() -> None:
    """It names none, because it cannot show any: whatever version it closed on, its officer did not know."""
    state = committed(BASE, ARREST)
    for base in (state.version, Seq(state.version - 1)):
        closing = op("hh-1", 1, {"status": "closed"}, base=base)
        assert value(committed(state, closing), "status") == "attended"


def test_of_an_op_that_adds_an_arrest_and_names_none_its_base_tells_what_it_saw() -> None:
    """Closing on a version with the other's arrest it knew of that one, on a version before it did not."""
    state = committed(BASE, ARREST)
    for base, shown in ((state.version, "closed"), (Seq(state.version - 1), "attended")):
        arrest = [{"person": "Sam Sample", "arrested_at": T0}]
        closing = op("hh-1", 1, {"status": "closed", "arrests": arrest}, base=base)
        assert value(committed(state, closing), "status") == shown


def test_the_dispute_survives_the_row() -> None:
    """Written, sent and read, the contested ending is still contested, and goes on as before."""
    for state in both_orders(CLOSED, ARREST):
        again = merge.from_row(decode_row(encode(merge.to_row(state))))
        assert again == state
        second = op("hh-3", 1, {"arrests": [{"person": "Sam Sample", "arrested_at": T0}]}, {"status": [FIRST]})
        assert committed(again, second) == committed(state, second)
