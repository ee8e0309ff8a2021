"""A device that says too much or nothing, and one that says that something is wrong."""

from schemas import wire
from schemas.codec import encode
from schemas.ids import Millis
from schemas.limits import FRAMES_BURST_MAX, FRAMES_PER_S_MAX, IDLE_TIMEOUT_MS
from sync.session.table import ServerState
from tests.examples import T0
from tests.sync.session.server_end import ended_with, live, own


def test_a_device_that_sends_too_fast_is_told_to_come_back() -> None:
    """A burst is taken, then the average counts; a device at the average is never cut."""
    one = live()
    ping = encode(wire.Ping(id=1))
    now = int(T0)
    for _ in range(FRAMES_BURST_MAX - 1):
        one.receive(ping, Millis(now))
    assert ended_with(one) is None
    for _ in range(FRAMES_PER_S_MAX):
        now += 1_000 // FRAMES_PER_S_MAX
        one.receive(ping, Millis(now))
    assert ended_with(one) is None
    one.receive(ping, Millis(now))
    assert ended_with(one) == "too_fast"
    assert one.ending is not None
    assert one.ending.retry_after_ms == 1_000


def test_a_silent_device_is_given_up_and_any_word_puts_it_off() -> None:
    """Three heartbeats and one late answer."""
    one = live()
    one.receive(encode(wire.Ping(id=1)), Millis(T0 + 1_000))
    assert one.deadline() == T0 + 1_000 + IDLE_TIMEOUT_MS
    one.tick(Millis(T0 + IDLE_TIMEOUT_MS))
    assert ended_with(one) is None
    one.tick(Millis(T0 + 1_000 + IDLE_TIMEOUT_MS))
    assert ended_with(one) == "silent"


def test_an_error_of_the_device_is_the_end_and_is_not_answered() -> None:
    """Whatever it says, a known code or not."""
    for code in ("gap", "something new"):
        one = live()
        one.receive(encode(wire.Error(code=code, recovery="retry")), T0)
        assert one.state is ServerState.CLOSED
        assert own(one) == []
