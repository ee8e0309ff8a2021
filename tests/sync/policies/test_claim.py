"""`claim`: the first commit holds, the displaced one goes to a person, and a reservation is sure for its device."""

import pytest
from hypothesis import given

from schemas.errors import UsageError
from tests.sync.policies.drawing import Drawn, one_dispute, one_field
from tests.sync.policies.oracles import check_every_order, look
from tests.sync.policies.people import apart, set_back
from tests.sync.policies.world import DAY_MS, HOUR_MS, SECOND_MS, T0, begin, in_touch


@given(one_field("claim", older=True))
def test_the_first_commit_holds_and_all_others_are_asked_about(what: Drawn) -> None:
    """In every order of arrival the first that finds it free holds it, and every displaced claim is in the inbox."""
    check_every_order(apart(what))


@given(one_field("claim"))
def test_a_server_set_back_loses_no_claim(what: Drawn) -> None:
    """Offered again in every order, the first to come holds and every other claim is in the inbox."""
    check_every_order(set_back(what))


@given(one_dispute("claim"))
def test_decisions_take_and_lose_nothing(what: Drawn) -> None:
    """People who claim one thing, decide, release and claim again: in every order nothing that was said is lost."""
    check_every_order(apart(what))


def test_the_first_commit_holds_though_the_other_claimed_earlier() -> None:
    """Nobody is moved by the software: the clock does not decide who has the cell."""
    server, (one, other) = begin("resource")
    first = one.say(hold={"holder": "booking-a"}, now=T0 + DAY_MS)
    second = other.say(hold={"holder": "booking-b"}, now=T0 - DAY_MS)
    one.push(server)
    [result] = other.push(server)
    assert server.whose("hold") == [first.id, second.id]
    assert result.stands == {"hold": first.id}
    [(item, _)] = server.questions()
    assert {candidate.value["holder"] for candidate in item.candidates} == {"booking-a", "booking-b"}
    look(server)


def test_what_is_held_in_sight_is_not_claimed() -> None:
    """Who sees the hold is told at once by whom it is held."""
    server, (one, other) = begin("resource")
    one.say(hold={"holder": "booking-a"})
    in_touch(server, one, other)
    with pytest.raises(UsageError, match="held for booking-a by HH-0007"):
        other.say(hold={"holder": "booking-b"})


def test_a_release_counts_with_sight_of_the_hold_only() -> None:
    """Who gives up an earlier hold does not give up the one that has come since."""
    server, (one, other, third) = begin("resource", 3)
    one.say(hold={"holder": "booking-a"})
    in_touch(server, one, other, third)
    other.say(hold=None)
    third.say(hold=None)
    in_touch(server, one, other)
    now_there = one.say(hold={"holder": "booking-b"})
    one.push(server)
    third.push(server)
    assert server.whose("hold") == [now_there.id]
    look(server)


def test_a_reservation_is_sure_for_its_device() -> None:
    """A desk turns its own reservation into a hold without the server; another's claim meanwhile is displaced."""
    server, (desk, other) = begin("resource")
    desk.say(hold={"holder": "desk-pool", "until": T0 + HOUR_MS})
    desk.push(server)
    displaced = other.say(hold={"holder": "booking-b"})
    other.push(server)
    desk.pull(server)
    booked = desk.say(hold={"holder": "booking-a"})
    desk.push(server)
    assert server.whose("hold") == [booked.id, displaced.id]
    look(server)


def test_a_reservation_that_has_ended_holds_nothing() -> None:
    """When its time has passed, another's claim is taken and asks nobody."""
    server, (desk, other) = begin("resource")
    desk.say(hold={"holder": "desk-pool", "until": T0 + 3 * SECOND_MS})
    in_touch(server, desk, other)
    claimed = other.say(hold={"holder": "booking-b"}, now=T0 + 4 * SECOND_MS)
    server.push(desk.name)
    server.push(desk.name)
    other.push(server)
    assert server.whose("hold") == [claimed.id]
    assert server.questions() == []


def test_a_reservation_does_not_swallow_a_hold_for_the_same() -> None:
    """Another device's lasting claim for the same holder is more than the reservation: it waits for a person."""
    server, (desk, other) = begin("resource")
    reserved = desk.say(hold={"holder": "booking-a", "until": T0 + HOUR_MS})
    lasting = other.say(hold={"holder": "booking-a"})
    in_touch(server, desk, other)
    assert server.whose("hold") == [reserved.id, lasting.id]
    assert len(server.questions()) == 1


def test_a_claim_for_the_same_holder_asks_nobody() -> None:
    """Two who claim the same thing for the same holder agree."""
    server, (one, other) = begin("suspect")
    one.say(claimed={"holder": "WM1"})
    other.say(claimed={"holder": "WM1"})
    in_touch(server, one, other)
    assert server.questions() == []
    look(server)


def test_a_reservation_has_a_bound() -> None:
    """Nobody reserves for longer than a shift."""
    _, (desk, _) = begin("resource")
    with pytest.raises(UsageError, match="op_reservation_long"):
        desk.say(hold={"holder": "desk-pool", "until": T0 + DAY_MS})
