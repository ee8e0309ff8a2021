"""Until when the server waits for edits that a device has sealed: `ServerSession.handing_over`."""

import pytest

from schemas import wire
from schemas.codec import encode
from sync.session import ServerSession
from sync.session.steps import KeepSealed
from tests.examples import AREA, SUITE, T0
from tests.sync.session.server_end import GEN, admission, at, live


def say(one: ServerSession, message: wire.Up) -> KeepSealed | None:
    """The device sends it; what came back, if it is about sealed edits."""
    demand = one.receive(encode(message), T0)
    assert one.ending is None
    return demand if isinstance(demand, KeepSealed) else None


def edits(*ids: int) -> wire.Quarantine:
    """Sealed edits with these ids."""
    return wire.Quarantine(edits=tuple((n, b"sealed") for n in ids))


def test_what_hello_tells_is_waited_for_until_it_is_on_disk() -> None:
    """Not only until it has come: the device must hear that it is kept, or it would hold on to it."""
    one = live(admission(area=at(5)), sealed=2)
    assert one.handing_over
    first = say(one, edits(7))
    assert first is not None
    one.quarantined((7,), first.size)
    assert one.handing_over
    last = say(one, edits(9))
    assert last is not None
    assert one.handing_over, "it came, and is not on disk"
    one.quarantined((9,), last.size)
    assert not one.handing_over


def test_a_device_that_tells_of_none_is_not_waited_for() -> None:
    """Nothing in HELLO, nothing in RETRACTED."""
    one = live(admission(area=at(5)))
    assert not one.handing_over
    one.regrant(AREA, None)
    say(one, wire.Retracted(scope=AREA, gen=GEN, removed=5))
    assert not one.handing_over
    assert not one.leaving


def test_the_last_receipt_says_how_many_are_left() -> None:
    """Each counts anew what was not sent yet; what was sent and is not on disk is counted here."""
    one = live(admission(area=at(5), suite=at(3)))
    one.regrant(AREA, None)
    one.regrant(SUITE, None)
    say(one, wire.Retracted(scope=AREA, gen=GEN, removed=5, sealed=2))
    first = say(one, edits(7))
    say(one, wire.Retracted(scope=SUITE, gen=GEN, removed=3, sealed=1))
    assert one.handing_over
    second = say(one, edits(9))
    assert first is not None
    assert second is not None
    one.quarantined((9,), second.size)
    assert one.handing_over, "the first is not on disk"
    one.quarantined((7,), first.size)
    assert not one.handing_over


@pytest.mark.parametrize("more", [(8,), (8, 9, 10)], ids=["as told", "more than told"])
def test_more_than_was_told_does_no_harm(more: tuple[int, ...]) -> None:
    """What counts in the end is what came and is on disk."""
    one = live(admission(area=at(5)), sealed=1)
    demand = say(one, edits(*more))
    assert demand is not None
    one.quarantined(more, demand.size)
    assert not one.handing_over
