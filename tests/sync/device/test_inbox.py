"""What waits to be applied: nothing is lost or changes places, but results go before rows; rows are taken together."""

import asyncio

import msgspec
import pytest

from schemas import wire
from schemas.codec import encode
from schemas.ids import Generation, ScopeName, Seq
from schemas.limits import PAGE_ROWS_MAX
from sync.device.inbox import ROWS_TOGETHER_MAX, Alone, Inbox, Rows
from tests.example_rows import ROWS

AREA = ScopeName("area:birmingham")
RESULTS = wire.Results(results=())
RETRACT = wire.Retract(scope=AREA, gen=Generation(1))
ROW = msgspec.Raw(encode(ROWS["row-latest"]))


def batch(n: int, rows: int = 1) -> wire.Batch:
    """The `n`th batch."""
    return wire.Batch(scope=AREA, gen=Generation(1), frm=Seq(n), to=Seq(n + 1), rows=(ROW,) * rows)


def page() -> wire.Snapshot:
    """A page."""
    return wire.Snapshot(scope=AREA, gen=Generation(1), at=Seq(1), after="", upto="", rows=(ROW,))


async def filled(*messages: Rows | Alone, length_max: int = 256) -> Inbox:
    """An inbox with these in it."""
    inbox = Inbox(length_max)
    for n, message in enumerate(messages):
        await inbox.put(message, n)
    return inbox


async def all_of(inbox: Inbox) -> list[list[Rows | Alone]]:
    """What is taken, until it is empty."""
    taken = []
    while inbox:
        taken.append([message for message, _ in await inbox.take()])
    return taken


async def test_rows_that_wait_are_taken_together() -> None:
    """Batches and pages, of whatever scopes, up to what is applied by itself."""
    first, second, third = batch(1), page(), batch(2)
    assert await all_of(await filled(first, second, RETRACT, third)) == [[first, second], [RETRACT], [third]]


async def test_no_more_rows_are_taken_together_than_fit() -> None:
    """What goes beyond comes next; and a message that is too large by itself comes by itself."""
    large = [batch(n, PAGE_ROWS_MAX) for n in range(ROWS_TOGETHER_MAX // PAGE_ROWS_MAX + 1)]
    assert await all_of(await filled(*large)) == [large[:-1], large[-1:]]
    huge = batch(1, ROWS_TOGETHER_MAX + 1)
    assert await all_of(await filled(huge, batch(2))) == [[huge], [batch(2)]]


async def test_results_do_not_wait_for_rows() -> None:
    """They go before the rows that came last, and before nothing else; among themselves they keep their order."""
    later = wire.Results(results=(), credit=1)
    inbox = await filled(batch(1), RETRACT, batch(2), RESULTS, batch(3), later)
    assert await all_of(inbox) == [[batch(1)], [RETRACT], [RESULTS], [later], [batch(2), batch(3)]]


async def test_what_was_not_dealt_with_comes_first_again() -> None:
    """In its order, with its size, and before what has come meanwhile."""
    inbox = await filled(batch(1), batch(2), batch(3))
    taken = await inbox.take()
    await inbox.put(batch(4), 3)
    inbox.put_back(taken[1:])
    assert inbox.next == batch(2)
    assert await inbox.take() == [(batch(2), 1), (batch(3), 2), (batch(4), 3)]
    assert inbox.next is None


@pytest.mark.parametrize("message", [batch(3), RESULTS], ids=["rows", "results"])
async def test_whoever_puts_in_too_much_waits(message: Rows | Alone) -> None:
    """A server that sends faster than the disk takes it does not fill the memory."""
    inbox = await filled(batch(1), RETRACT, length_max=2)
    putting = asyncio.ensure_future(inbox.put(message, 1))
    await asyncio.sleep(0)
    assert (len(inbox), putting.done()) == (2, False)
    await inbox.take()
    await putting
    assert len(inbox) == 2


async def test_whoever_takes_waits_for_something() -> None:
    """An empty inbox gives nothing until something comes."""
    inbox = Inbox(2)
    taking = asyncio.ensure_future(inbox.take())
    await asyncio.sleep(0)
    assert not taking.done()
    await inbox.put(RETRACT, 7)
    assert await taking == [(RETRACT, 7)]
