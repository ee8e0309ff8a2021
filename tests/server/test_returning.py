"""When devices come back: a slot each, a window that grows with them, and who goes first."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import ScopeName
from schemas.limits import RETURN_WINDOW_MAX_MS, RETURN_WINDOW_MIN_MS
from server.returning import RETURNS_PER_S, ReturnPace, rank
from sync.device.backoff import RETRY_AFTER_MAX_MS


@pytest.mark.parametrize(
    ("devices", "window_ms"),
    [(0, 2_000), (1, 2_000), (400, 2_000), (8_000, 40_000), (48_000, 240_000), (10**6, 240_000)],
)
def test_the_window_grows_with_the_devices(devices: int, window_ms: int) -> None:
    """At the pace that the server can take, between its bounds: a force of 8,000 is back within 40 s."""
    assert ReturnPace().window_ms(devices) == window_ms


@given(devices=st.integers(1, 3_000), per_s=st.floats(0.1, 10_000), seed=st.integers())
def test_each_second_brings_as_many_as_were_asked_for(devices: int, per_s: float, seed: int) -> None:
    """Every wait lies in a slot of its own, so no part of the window is fuller than another."""
    pace = ReturnPace(per_s=per_s)
    window = pace.window_ms(devices)
    waits = pace.waits(devices, random.Random(seed).random)
    slot = window / devices
    assert len(waits) == devices
    assert all(int(place * slot) <= wait <= (place + 1) * slot for place, wait in enumerate(waits))
    assert 0 <= waits[-1] < window


def test_a_device_believes_every_wait_that_is_given() -> None:
    """A longer one would be cut by the device, and all those that were cut would come at once."""
    assert RETURN_WINDOW_MAX_MS < RETRY_AFTER_MAX_MS
    assert (ReturnPace().per_s, ReturnPace().window_min_ms) == (RETURNS_PER_S, RETURN_WINDOW_MIN_MS)


def test_the_control_room_goes_first() -> None:
    """Then the custody desks, then handhelds, then whoever was not let in yet."""
    audiences: tuple[list[str], ...] = (
        ["area:x", "control"],
        ["force", "suite:perry-barr:inbox"],
        ["custody"],
        ["area:x", "force"],
        [],
    )
    assert [rank(map(ScopeName, held)) for held in audiences] == [0, 1, 1, 2, 3]
