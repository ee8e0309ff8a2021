"""`state`: only declared transitions; of concurrent ones the declared precedence; what must be asked is asked."""

import itertools

import msgspec
import pytest
from hypothesis import given

from schemas.codec import encode
from schemas.errors import UsageError
from schemas.ids import FieldName
from schemas.kinds import KINDS
from tests.sync.policies.drawing import Drawn, fields_of, one_dispute, one_field
from tests.sync.policies.oracles import check_every_order, check_transitions, look
from tests.sync.policies.people import apart, set_back
from tests.sync.policies.world import DAY_MS, T0, begin, in_touch

ARREST = {"person": "Sam Example", "arrested_at": T0}


@given(one_field("state", older=True))
def test_the_order_of_arrival_does_not_decide(what: Drawn) -> None:
    """Every order in which the last changes can arrive gives the same record, and loses none of them."""
    check_every_order(apart(what))


@given(one_field("state"))
def test_a_server_set_back_comes_to_the_same(what: Drawn) -> None:
    """Every order in which all changes are offered again to a server that had lost them gives the same record."""
    check_every_order(set_back(what))


@given(one_dispute("state"))
def test_decisions_take_and_lose_nothing(what: Drawn) -> None:
    """People who differ, decide and move on, together and apart: in every order nothing that was said is lost."""
    check_every_order(apart(what))


def test_only_declared_transitions_are_taken() -> None:
    """Of every state field, every step that is not declared is refused by the device and by the server."""
    check_transitions()


def test_a_refusal_says_what_may_follow() -> None:
    """The officer reads from where, to where, and what is allowed."""
    _, (desk, _) = begin("custody-booking", status="released")
    with pytest.raises(UsageError, match="from released to detained; what may follow released: nothing: it is final"):
        desk.say(status="detained")


def test_every_pair_of_concurrent_states() -> None:
    """Of any two states that may follow the first, the one with precedence is shown, and asked about if declared so."""
    for kind, name in fields_of("state"):
        field = KINDS[kind].fields[name]
        assert field.flow is not None
        start = field.default
        for one, other in itertools.combinations(field.flow.moves[start], 2):
            server, (here, there) = begin(kind)
            here.say({name: one}, now=T0 + DAY_MS)
            there.say({name: other}, now=T0 - DAY_MS)
            in_touch(server, here, there)
            assert server.shows(name) == max((one, other), key=field.flow.precedence.index)
            assert bool(server.questions()) == bool({one, other} & set(field.flow.asks)), (one, other)


@pytest.mark.parametrize("closed_first", [True, False])
def test_a_closing_that_had_not_seen_an_arrest_asks(*, closed_first: bool) -> None:
    """In either order the incident stays in sight, and the supervisor is asked."""
    server, (one, other) = begin("incident")
    one.say(status="closed")
    other.say(arrests=[ARREST])
    for desk in (one, other) if closed_first else (other, one):
        desk.push(server)
    assert server.shows("status") == "attended"
    [(item, _)] = server.questions()
    assert item.shown == "attended"
    look(server)


@pytest.mark.parametrize("closed_first", [True, False])
def test_a_closing_that_saw_the_arrest_stands(*, closed_first: bool) -> None:
    """Where one of the two saw the other nobody is asked."""
    server, (one, other) = begin("incident")
    first, second = (
        ({"status": "closed"}, {"arrests": [ARREST]}) if closed_first else ({"arrests": [ARREST]}, {"status": "closed"})
    )
    one.say(first)
    in_touch(server, one, other)
    other.say(second)
    other.push(server)
    assert server.shows("status") == "closed"
    assert server.questions() == []


def test_an_arrest_told_with_another_state_contests_a_closing_too() -> None:
    """One op that says both the arrest and a state meets a closing that saw neither: alike in both orders."""
    cells = []
    for closed_first in (True, False):
        server, (one, other) = begin("incident")
        one.say(status="closed")
        other.say(status="closed", arrests=[ARREST])
        for desk in (one, other) if closed_first else (other, one):
            desk.push(server)
        look(server)
        cells.append(server.shows("status"))
    assert cells == ["closed", "closed"]


def test_a_step_is_judged_by_the_whole_of_what_its_author_saw() -> None:
    """What was superseded meanwhile does not make an allowed step an illegal one."""
    server, (one, other, third) = begin("custody-booking", 3, status="detained")
    one.say(status="released")
    other.say(status="hospital")
    in_touch(server, one, other)
    two_stand = one.say(status="detained")
    third.say(status="court")
    in_touch(server, third)
    assert [result.status for result in one.push(server)] == ["durable"]
    assert two_stand.id in server.whose("status")
    look(server)


def test_a_forged_step_is_refused() -> None:
    """An op that no device of ours would write is refused with the reason."""
    server, (one, _) = begin("custody-booking", status="detained")
    op = one.say(status="hospital")
    forged = encode(msgspec.structs.replace(op, changes={**op.changes, "status": "arrived"}))
    [result] = server.push(one.name, forged)
    assert (result.status, result.code) == ("refused", "op_transition")


@pytest.mark.parametrize("first", [0, 1])
def test_what_was_decided_on_an_item_comes_before_what_the_same_hands_wrote_next(first: int) -> None:
    """Two decide and note an arrest in one and the same moment: whose decision is taken, their arrest is the later."""
    server, desks = begin("incident")
    one, other = desks
    one.say(arrests=[ARREST])
    other.say(status="closed")
    in_touch(server, one, other)
    [(_, item)] = server.questions()
    arrests = []
    for desk in desks:
        desk.decide(item, "closed")
        arrests.append(desk.say(arrests=[ARREST]))
    desks[first].push(server)
    desks[1 - first].push(server)
    look(server)
    [row] = [row for row in server.rows() if row.kind == "incident"]
    _, last, _ = row.cells[FieldName("arrests")][-1]
    assert row.stamps[last].op == arrests[first].id
