"""How the tasks that do what falls due wait; what they do has tests of its own (timers, escalations)."""

import asyncio

import pytest

from server.falling_due import wait_in_real_time


@pytest.mark.parametrize("ticks", range(8))
async def test_whoever_is_cancelled_as_they_are_woken_ends(ticks: int) -> None:
    """A server that stops while records are committed must not wait a minute for a task that forgot it was told to."""
    woken = asyncio.Event()
    waiting = asyncio.create_task(wait_in_real_time(woken, 60_000))
    for _ in range(3):
        await asyncio.sleep(0)
    woken.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    if waiting.cancel():
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert waiting.done()


async def test_a_wait_ends_with_its_time() -> None:
    """Nobody has to wake it."""
    await wait_in_real_time(asyncio.Event(), 1)
