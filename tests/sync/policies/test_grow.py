"""`grow`: every entry is kept once, in the order in which things happened."""

from hypothesis import given

from tests.sync.policies.drawing import Drawn, one_field
from tests.sync.policies.oracles import check_every_order
from tests.sync.policies.people import apart, set_back
from tests.sync.policies.world import T0, begin, in_touch


@given(one_field("grow", older=True))
def test_the_order_of_arrival_does_not_decide(what: Drawn) -> None:
    """Every order in which the last changes can arrive gives the same record, and loses none of them."""
    check_every_order(apart(what))


@given(one_field("grow"))
def test_a_server_set_back_comes_to_the_same(what: Drawn) -> None:
    """Every order in which all changes are offered again to a server that had lost them gives the same record."""
    check_every_order(set_back(what))


def test_late_news_takes_its_true_place() -> None:
    """An entry about an earlier moment comes before what was recorded first; entries of one op keep their order."""
    server, (one, other) = begin("incident")
    one.say(log=[{"text": "b"}, {"text": "a"}], occurred_at=T0 + 100)
    one.push(server)
    other.say(log=[{"text": "z"}], occurred_at=T0 + 50, now=T0 + 200)
    other.push(server)
    assert [entry["text"] for entry in server.shows("log")] == ["z", "b", "a"]


def test_two_who_write_the_same_have_written_two_entries() -> None:
    """An entry is known by its op and not by its words."""
    server, (one, other) = begin("incident")
    one.say(log=[{"text": "Spoke."}])
    other.say(log=[{"text": "Spoke."}])
    in_touch(server, one, other)
    assert [entry["text"] for entry in server.shows("log")] == ["Spoke.", "Spoke."]


def test_a_correction_is_a_new_entry() -> None:
    """The corrected entry stays, and the new one points at it."""
    server, (one, other) = begin("incident")
    wrong = one.say(log=[{"text": "A red car."}])
    in_touch(server, one, other)
    other.say(log=[{"text": "A blue car.", "corrects": [wrong.id, 0]}])
    other.push(server)
    assert [entry["text"] for entry in server.shows("log")] == ["A red car.", "A blue car."]
    assert server.shows("log")[1]["corrects"] == [wrong.id, 0]
