"""`highest`: of what nobody has overwritten with sight of it, the highest is shown."""

import itertools

from hypothesis import given

from schemas.kinds import KINDS
from tests.sync.policies.drawing import Drawn, fields_of, one_field
from tests.sync.policies.oracles import check_every_order, look
from tests.sync.policies.people import apart, set_back
from tests.sync.policies.world import DAY_MS, T0, begin, in_touch


@given(one_field("highest", older=True))
def test_the_order_of_arrival_does_not_decide(what: Drawn) -> None:
    """Every order in which the last changes can arrive gives the same record, and loses none of them."""
    check_every_order(apart(what))


@given(one_field("highest"))
def test_a_server_set_back_comes_to_the_same(what: Drawn) -> None:
    """Every order in which all changes are offered again to a server that had lost them gives the same record."""
    check_every_order(set_back(what))


def test_raised_here_and_lowered_there_is_raised() -> None:
    """A lowering does not lower what its author had not seen, in either order and whatever the clocks say."""
    for lowered_first in (True, False):
        server, (upstairs, cellar) = begin("custody-booking", risk="medium")
        raised = upstairs.say(risk="high", now=T0 - DAY_MS)
        lowered = cellar.say(risk="standard", now=T0 + DAY_MS)
        for desk in (cellar, upstairs) if lowered_first else (upstairs, cellar):
            desk.push(server)
        assert server.shows("risk") == "high"
        assert server.whose("risk") == [raised.id, lowered.id]
        look(server)


def test_a_lowering_with_sight_counts() -> None:
    """Who saw the value lowers it, also with a clock days behind."""
    server, (one, other) = begin("custody-booking", risk="high")
    other.say(risk="standard", now=T0 - DAY_MS)
    other.push(server)
    assert server.shows("risk") == "standard"
    assert len(server.whose("risk")) == 1
    assert one.shows("risk") == "high"


def test_who_lowers_the_raise_brings_no_other_value_back() -> None:
    """A lowering by someone who saw everything that stands supersedes all of it."""
    server, (upstairs, cellar) = begin("custody-booking", risk="medium")
    upstairs.say(risk="high")
    cellar.say(risk="standard")
    in_touch(server, upstairs, cellar)
    last = cellar.say(risk="medium")
    cellar.push(server)
    assert server.whose("risk") == [last.id]
    assert server.shows("risk") == "medium"
    look(server)


def test_every_pair_of_ranks() -> None:
    """Of any two values of any such field, said without sight of each other, the one declared higher is shown."""
    for kind, name in fields_of("highest"):
        ranks = KINDS[kind].fields[name].ranks
        assert ranks is not None
        for low, high in itertools.combinations(ranks.order, 2):
            server, (one, other) = begin(kind)
            one.say({name: high})
            other.say({name: low})
            in_touch(server, one, other)
            assert server.shows(name) == high, (kind, name, low, high)
