"""`tags`: a removal takes away exactly the addings that its author saw."""

from hypothesis import given

from tests.sync.policies.drawing import Drawn, one_field
from tests.sync.policies.oracles import check_every_order, look
from tests.sync.policies.people import apart, set_back
from tests.sync.policies.world import DAY_MS, T0, begin, in_touch

VIOLENT = {"warning": "violent"}
DOG = {"warning": "dog at address"}


@given(one_field("tags", older=True))
def test_the_order_of_arrival_does_not_decide(what: Drawn) -> None:
    """Every order in which the last changes can arrive gives the same record, and loses none of them."""
    check_every_order(apart(what))


@given(one_field("tags"))
def test_a_server_set_back_comes_to_the_same(what: Drawn) -> None:
    """Every order in which all changes are offered again to a server that had lost them gives the same record."""
    check_every_order(set_back(what))


def test_a_warning_that_the_remover_had_not_seen_stays() -> None:
    """One officer removes a warning while another gives it again: it stays, in either order and on any clock."""
    for removed_first in (True, False):
        server, (one, other) = begin("suspect", markers={"add": [VIOLENT]})
        again = one.say(markers={"add": [VIOLENT]}, now=T0 - DAY_MS)
        other.say(markers={"remove": [VIOLENT]}, now=T0 + DAY_MS)
        for desk in (other, one) if removed_first else (one, other):
            desk.push(server)
        assert server.shows("markers") == [VIOLENT]
        look(server)
        in_touch(server, one, other)
        other.say(markers={"remove": [VIOLENT]})
        other.push(server)
        assert server.shows("markers") == []
        assert [act.over for kept in server.kept() for act in kept.acts if again.id in act.over] == [(again.id,)]


def test_a_removed_tag_can_be_given_again() -> None:
    """A removal is about what was there, and not about what comes."""
    server, (one, other) = begin("suspect", markers={"add": [VIOLENT]})
    other.say(markers={"remove": [VIOLENT]})
    in_touch(server, one, other)
    assert server.shows("markers") == []
    one.say(markers={"add": [VIOLENT]})
    one.push(server)
    assert server.shows("markers") == [VIOLENT]


def test_a_removal_takes_only_the_tag_that_it_names() -> None:
    """Of two tags given in one op the other one stays."""
    server, (one, other) = begin("suspect", markers={"add": [VIOLENT, DOG]})
    other.say(markers={"remove": [DOG]})
    in_touch(server, one, other)
    assert server.shows("markers") == [VIOLENT]
    assert one.shows("markers") == [VIOLENT]


def test_two_who_give_the_same_tag_are_shown_one() -> None:
    """The tag is shown once, and stands until both addings have been removed with sight of them."""
    server, (one, other) = begin("suspect")
    one.say(markers={"add": [DOG]})
    other.say(markers={"add": [DOG]})
    in_touch(server, one, other)
    assert server.shows("markers") == [DOG]
