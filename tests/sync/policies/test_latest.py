"""`latest`: what saw a value is later than it, whatever the clocks say; concurrent changes go by corrected time."""

from hypothesis import given

from schemas.ids import named_record_id
from tests.sync.policies.drawing import Drawn, one_field
from tests.sync.policies.oracles import check_every_order, look
from tests.sync.policies.people import apart, set_back
from tests.sync.policies.world import DAY_MS, MADE, T0, begin, in_touch


@given(one_field("latest", older=True))
def test_the_order_of_arrival_does_not_decide(what: Drawn) -> None:
    """Every order in which the last changes can arrive gives the same record, and loses none of them."""
    check_every_order(apart(what))


@given(one_field("latest"))
def test_a_server_set_back_comes_to_the_same(what: Drawn) -> None:
    """Every order in which all changes are offered again to a server that had lost them gives the same record."""
    check_every_order(set_back(what))


def test_the_later_of_two_stands_in_either_order() -> None:
    """Two who did not see each other: the later corrected time stands, and the other's result says what does."""
    for late_first in (True, False):
        server, (one, other) = begin("incident")
        early, late = one.say(location="Gas Street", now=T0 + 1), other.say(location="Broad Street", now=T0 + 2)
        [first] = (other if late_first else one).push(server)
        [second] = (one if late_first else other).push(server)
        assert server.shows("location") == "Broad Street"
        assert (second if late_first else first).n == early.n
        assert (second.stands if late_first else {}) == ({"location": late.id} if late_first else {})
        look(server)


def test_one_time_goes_by_the_name_of_the_op() -> None:
    """Two changes of one corrected time: the device's name decides, alike in both orders."""
    for desk_first in (True, False):
        server, (handheld, desk) = begin("incident")
        by_handheld = handheld.say(location="Gas Street")
        by_desk = desk.say(location="Broad Street")
        assert by_handheld.hlc == by_desk.hlc
        for each in (desk, handheld) if desk_first else (handheld, desk):
            each.push(server)
        assert server.whose("location") == [by_handheld.id]


def test_a_clock_days_behind_does_not_lose_what_it_saw() -> None:
    """Who saw a value and changes it comes after it, though the other clock ran days ahead and this one days behind."""
    server, (ahead, behind) = begin("incident")
    ahead.say(location="Gas Street", now=T0 + 3 * DAY_MS)
    in_touch(server, ahead, behind)
    behind.say(location="Broad Street", now=T0 - 3 * DAY_MS)
    behind.push(server)
    assert server.shows("location") == "Broad Street"


def test_a_clock_days_ahead_drags_no_other_record_along() -> None:
    """The next change of another record has its own device's time, whatever that device has seen meanwhile."""
    server, (ahead, behind) = begin("incident")
    ahead.say(location="Gas Street", now=T0 + 3 * DAY_MS)
    in_touch(server, ahead, behind)
    op = behind.write(named_record_id("another"), behind.spec, MADE["incident"], now=T0 + 5, create=True)
    assert op.hlc == (T0 + 5, 0)
