"""The change streams: bounded, in order, and honest about what a slow reader has missed."""

import asyncio
import gc

import pytest

from schemas.errors import UsageError
from schemas.ids import OpId
from sync.device.changes import Change, ChangeFeed, ChangeStream, Missed, OpDurable


def durable(n: int) -> OpDurable:
    """The n-th change."""
    return OpDurable(OpId(f"hh-0001/{n}"))


async def rest(stream: ChangeStream) -> list[Change]:
    """What a closed stream still holds."""
    stream.close()
    return [change async for change in stream]


async def test_a_reader_gets_what_happens_from_its_subscription_on_in_order() -> None:
    """Nothing from before, everything after."""
    feed = ChangeFeed()
    feed.tell(durable(1))
    stream = feed.subscribe(10)
    feed.tell(durable(2))
    feed.tell(durable(3))
    assert await rest(stream) == [durable(2), durable(3)]


async def test_a_waiting_reader_is_woken() -> None:
    """A reader that came first is told when something happens."""
    feed = ChangeFeed()
    stream = feed.subscribe(10)
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert not reading.done()
    feed.tell(durable(1))
    assert await reading == durable(1)


async def test_a_slow_reader_is_told_how_much_it_missed() -> None:
    """It holds no more than its bound, and the marker stands where the gap is; what follows comes in order."""
    feed = ChangeFeed()
    slow, fast = feed.subscribe(3), feed.subscribe(100)
    for n in range(1, 9):
        feed.tell(durable(n))
    assert len(slow._waiting) <= 3
    assert await rest(slow) == [Missed(7), durable(8)]
    assert await rest(fast) == [durable(n) for n in range(1, 9)]


async def test_every_change_is_either_told_or_counted_as_missed() -> None:
    """For any bound and any number of changes, nothing disappears without being counted."""
    for length_max in (2, 3, 7):
        for total in range(20):
            stream = ChangeStream(length_max)
            for n in range(total):
                stream.put(durable(n))
                assert len(stream._waiting) <= length_max
            got = await rest(stream)
            assert sum(change.count if isinstance(change, Missed) else 1 for change in got) == total
            assert [change for change in got if not isinstance(change, Missed)] == [
                durable(n) for n in range(total - sum(not isinstance(change, Missed) for change in got), total)
            ]


async def test_a_stream_needs_room_for_a_marker_and_a_change() -> None:
    """A bound of less is a mistake and said to be one."""
    with pytest.raises(UsageError, match="at least 2"):
        ChangeFeed().subscribe(1)


async def test_closing_ends_every_stream_after_what_waits() -> None:
    """Readers finish what happened and then end; a later one ends at once."""
    feed = ChangeFeed()
    stream = feed.subscribe(10)
    reading = asyncio.ensure_future(anext(feed.subscribe(10), None))
    await asyncio.sleep(0)
    feed.tell(durable(1))
    feed.close()
    feed.tell(durable(2))
    assert [change async for change in stream] == [durable(1)]
    assert await reading == durable(1)
    assert [change async for change in feed.subscribe(10)] == []


async def test_a_stream_that_nobody_holds_is_forgotten() -> None:
    """A reader that just stops reading costs nothing."""
    feed = ChangeFeed()
    stream: ChangeStream | None = feed.subscribe(10)
    assert len(feed._streams) == 1
    stream = None
    gc.collect()
    assert stream is None
    assert len(feed._streams) == 0
