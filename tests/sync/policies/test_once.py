"""`once`: the first commit stands; what was said differently waits for a person; only a correction replaces it."""

import pytest
from hypothesis import given

from schemas.errors import UsageError
from tests.sync.policies.drawing import Drawn, one_dispute, one_field
from tests.sync.policies.oracles import check_every_order, look
from tests.sync.policies.people import apart, set_back
from tests.sync.policies.world import MINUTE_MS, T0, begin, in_touch


@given(one_field("once", older=True))
def test_the_first_commit_stands_and_all_others_are_asked_about(what: Drawn) -> None:
    """In every order of arrival the first commit's value stands, and every different one is in the inbox."""
    check_every_order(apart(what))


@given(one_field("once"))
def test_a_server_set_back_loses_nothing(what: Drawn) -> None:
    """Offered again in every order, the first to come stands and every different value is in the inbox."""
    check_every_order(set_back(what))


@given(one_dispute("once"))
def test_decisions_take_and_lose_nothing(what: Drawn) -> None:
    """People who differ, decide and correct, together and apart: in every order nothing that was said is lost."""
    check_every_order(apart(what))


def test_the_first_commit_stands_though_the_other_is_earlier() -> None:
    """Not the clock decides but the commit; the other value waits for a person, and the first one is shown."""
    server, (one, other) = begin("custody-booking")
    first, second = one.say(relevant_time=T0 + 5, now=T0 + 9), other.say(relevant_time=T0, now=T0 - 9)
    one.push(server)
    [result] = other.push(server)
    assert server.shows("relevant_time") == T0 + 5
    assert server.whose("relevant_time") == [first.id, second.id]
    assert result.stands == {"relevant_time": first.id}
    [(item, _)] = server.questions()
    assert [candidate.value for candidate in item.candidates] == [T0, T0 + 5]
    look(server)


def test_the_same_said_again_asks_nobody() -> None:
    """A second officer who says the same confirms it."""
    server, (one, other) = begin("custody-booking")
    one.say(relevant_time=T0)
    other.say(relevant_time=T0)
    in_touch(server, one, other)
    assert server.questions() == []


def test_nothing_contests_nothing() -> None:
    """Silence neither stands in the way of a value nor asks about one."""
    server, (one, other) = begin("custody-booking", relevant_time=None)
    one.say(relevant_time=T0)
    other.say(relevant_time=None)
    in_touch(server, one, other)
    assert server.shows("relevant_time") == T0
    assert server.questions() == []


def test_a_value_in_sight_is_not_set_again() -> None:
    """Who sees a value cannot set another: the device says so at once."""
    server, (one, other) = begin("custody-booking")
    one.say(relevant_time=T0)
    in_touch(server, one, other)
    with pytest.raises(UsageError, match="already recorded"):
        other.say(relevant_time=T0 + MINUTE_MS)


def test_a_correction_replaces_what_it_saw() -> None:
    """An entitled correction stands, links to what it replaced, and asks nobody."""
    server, (one, other) = begin("custody-booking")
    wrong = one.say(relevant_time=T0)
    in_touch(server, one, other)
    right = other.say(relevant_time=T0 + MINUTE_MS, correct=True)
    other.push(server)
    assert server.whose("relevant_time") == [right.id]
    assert [act.over for kept in server.kept() for act in kept.acts if act.over] == [(wrong.id,)]
    assert server.questions() == []
    look(server)


def test_two_corrections_that_differ_ask() -> None:
    """Of two corrections that did not see each other the first stands and the second asks."""
    server, (one, other) = begin("custody-booking")
    one.say(relevant_time=T0)
    in_touch(server, one, other)
    first = one.say(relevant_time=T0 + MINUTE_MS, correct=True)
    second = other.say(relevant_time=T0 + 2 * MINUTE_MS, correct=True)
    in_touch(server, one, other)
    assert server.whose("relevant_time") == [first.id, second.id]
    assert len(server.questions()) == 1
    look(server)


def test_nothing_that_was_decided_is_a_decision() -> None:
    """Who corrected a value away is not overruled by a late value: that one asks."""
    server, (one, other, late) = begin("custody-booking", 3)
    one.say(relevant_time=T0)
    in_touch(server, one, other)
    none = other.say(relevant_time=None, correct=True)
    other.push(server)
    value = late.say(relevant_time=T0 + MINUTE_MS)
    late.push(server)
    assert server.whose("relevant_time") == [none.id, value.id]
    assert len(server.questions()) == 1
    look(server)
