"""`judged`: everything is kept, the declared safe value is shown, and a person decides."""

import pytest
from hypothesis import given

from schemas.errors import UsageError
from tests.sync.policies.drawing import Drawn, one_dispute, one_field
from tests.sync.policies.oracles import check_every_order, look
from tests.sync.policies.people import apart, set_back
from tests.sync.policies.world import DAY_MS, T0, begin, in_touch


@given(one_field("judged", older=True))
def test_the_order_of_arrival_does_not_decide(what: Drawn) -> None:
    """Every order in which the last changes can arrive gives the same record, and loses none of them."""
    check_every_order(apart(what))


@given(one_field("judged"))
def test_a_server_set_back_comes_to_the_same(what: Drawn) -> None:
    """Every order in which all changes are offered again to a server that had lost them gives the same record."""
    check_every_order(set_back(what))


@given(one_dispute("judged"))
def test_decisions_take_and_lose_nothing(what: Drawn) -> None:
    """People who differ, decide and go on writing, together and apart: in every order nothing that was said is lost."""
    check_every_order(apart(what))


@pytest.mark.parametrize(
    ("kind", "field", "one", "other", "safe"),
    [
        ("custody-booking", "appropriate_adult", "not-needed", "needed", "needed"),
        ("custody-booking", "appropriate_adult", "not-needed", None, None),
        ("medical", "medication", ["insulin"], ["warfarin", "insulin"], ["insulin", "warfarin"]),
        ("medical", "allergies", None, ["penicillin"], ["penicillin"]),
        ("custody-booking", "disposal", "charged-bailed", "no-further-action", None),
    ],
)
def test_the_safe_value_is_shown(kind: str, field: str, one: object, other: object, safe: object) -> None:
    """While two differ the safe value is shown, on the server and on both devices, and the inbox asks."""
    server, (here, there) = begin(kind)
    here.say({field: one}, now=T0)
    there.say({field: other}, now=T0 + 1)
    in_touch(server, here, there)
    assert server.shows(field) == here.shows(field) == there.shows(field) == safe
    [(item, _)] = server.questions()
    assert item.shown == safe
    look(server)


def test_who_changes_what_they_saw_settles_it() -> None:
    """A change with sight of the one value that stands supersedes it, and asks nobody."""
    server, (one, other) = begin("custody-booking", disposal="bail")
    last = other.say(disposal="charged-bailed", now=T0 - DAY_MS)
    in_touch(server, one, other)
    assert server.whose("disposal") == [last.id]
    assert server.questions() == []


def test_an_open_question_is_settled_in_the_inbox_only() -> None:
    """Who sees two values cannot write a third: the device says that a decision is awaited."""
    server, (one, other) = begin("custody-booking")
    one.say(disposal="bail")
    other.say(disposal="caution")
    in_touch(server, one, other)
    with pytest.raises(UsageError, match="op_decision_awaited"):
        one.say(disposal="court")


def test_a_question_ends_by_itself_when_people_agree() -> None:
    """One of two gives way without having seen the other's value: nothing is left to decide, and the item says why."""
    server, (one, other) = begin("custody-booking")
    one.say(disposal="bail")
    other.say(disposal="caution")
    in_touch(server, one)
    gives_way = other.say(disposal="bail")
    other.push(server)
    assert server.questions() == []
    assert server.shows("disposal") == "bail"
    look(server)
    assert gives_way.id in server.whose("disposal")
