"""Pages that are shared: read once, as fresh as a read of one's own, bounded, and nobody's to take from others."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from schemas.codec import encode
from schemas.errors import StoreError
from schemas.ids import RecordId, ScopeName
from schemas.packing import unpack
from server.pages import SHARED_BYTES_MIN, Pages, SharedPage
from server.store.port import Page
from tests.example_rows import ROWS

NORTH, SOUTH = ScopeName("area:north"), ScopeName("area:south")
ROW = b"\xc4\xff" + b"x" * 255


class CountingStore:
    """Answers each read with a page that says how many there were before; when it is let."""

    def __init__(self, rows: int = 40) -> None:
        """Let everything through at once."""
        self.reads = 0
        self.rows = rows
        self.may = asyncio.Event()
        self.may.set()
        self.failing: StoreError | None = None

    async def page(self, scope: ScopeName, after: str, upto: str) -> Page:
        """See `Store`."""
        self.reads += 1
        number = self.reads
        await self.may.wait()
        if self.failing is not None:
            raise self.failing
        return Page(rows=(ROW,) * self.rows, upto=f"{scope} {after} {upto} {number}", erased=(RecordId("gone"),))


def asked(store: CountingStore, pages: Pages) -> Callable[..., Any]:
    """Asks for a page."""
    return lambda scope=NORTH, after="", upto="": pages.page(store, scope, after, upto)  # type: ignore[arg-type]


async def test_who_asks_for_the_same_place_gets_the_same_page() -> None:
    """At once or later, it is read a single time; another place, end or scope is another page."""
    store, pages = CountingStore(), Pages()
    ask = asked(store, pages)
    store.may.clear()
    together = [asyncio.ensure_future(ask()) for _ in range(3)]
    await asyncio.sleep(0)
    store.may.set()
    first, *others = await asyncio.gather(*together)
    assert others == [first, first]
    assert await ask() is first
    assert store.reads == 1
    assert len({(await ask(*place)).upto for place in [(), (SOUTH,), (NORTH, "a"), (NORTH, "a", "b")]}) == 4
    assert store.reads == 4


async def test_what_has_changed_is_read_again() -> None:
    """A commit drops the pages of its scope and no others."""
    store, pages = CountingStore(), Pages()
    ask = asked(store, pages)
    north, south = await ask(), await ask(SOUTH)
    pages.forget(NORTH)
    pages.forget(ScopeName("area:nobody"))
    assert await ask() is not north
    assert await ask(SOUTH) is south
    assert pages.bytes == 2 * north.size


async def test_a_read_that_began_before_a_commit_is_not_handed_to_those_who_ask_after_it() -> None:
    """Nor is it kept: whoever asks after the commit gets what was read after it."""
    store, pages = CountingStore(), Pages()
    ask = asked(store, pages)
    store.may.clear()
    before = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    pages.forget(NORTH)
    after = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    store.may.set()
    _, new = await asyncio.gather(before, after)
    assert new.upto[-1] == "2"
    assert await ask() is new


async def test_a_device_that_goes_takes_the_page_from_nobody() -> None:
    """One of two who wait is cut off; the other gets its page."""
    store, pages = CountingStore(), Pages()
    ask = asked(store, pages)
    store.may.clear()
    one, other = asyncio.ensure_future(ask()), asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    store.may.set()
    assert (await other).size == 40 * len(ROW)


async def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    """Those who wait are told of it; the next one tries again."""
    store, pages = CountingStore(), Pages()
    ask = asked(store, pages)
    store.failing = StoreError("disk is gone")
    for one in await asyncio.gather(ask(), ask(), return_exceptions=True):
        assert isinstance(one, StoreError)
    store.failing = None
    assert (await ask()).size
    assert store.reads == 2


async def test_no_more_is_kept_than_it_may() -> None:
    """The page that was asked for longest ago goes first; one that would not fit is not kept at all."""
    store = CountingStore()
    size = 40 * len(ROW)
    pages = Pages(bytes_max=2 * size)
    ask = asked(store, pages)
    first, second = await ask(NORTH, "1"), await ask(NORTH, "2")
    assert await ask(NORTH, "1") is first
    await ask(NORTH, "3")
    assert pages.bytes == 2 * size
    assert await ask(NORTH, "1") is first
    assert await ask(NORTH, "2") is not second
    pages.forget(NORTH)
    assert pages.bytes == 0
    store.rows = 100
    assert await ask(SOUTH) is not await ask(SOUTH)


async def test_short_pages_are_neither_kept_nor_packed() -> None:
    """A scope of a few records is read as fast as it is found."""
    store, pages = CountingStore(rows=3), Pages()
    ask = asked(store, pages)
    one = await ask()
    assert await ask() is not one
    assert (pages.bytes, one.packed) == (0, b"")


@pytest.mark.parametrize("alike", [True, False])
def test_a_page_is_packed_where_it_pays(alike: bool) -> None:  # noqa: FBT001  a case
    """Rows that are alike get short and come out again; what looks like noise travels as it is."""
    noise = random.Random(1)
    rows = (encode(ROWS["row-latest"]),) * 40 if alike else tuple(b"\xc4\xff" + noise.randbytes(255) for _ in range(40))
    page = SharedPage(Page(rows=rows, upto="", erased=()))
    assert page.size > SHARED_BYTES_MIN
    assert (page.packed != b"") is alike
    if alike:
        assert tuple(map(bytes, unpack(page.packed))) == rows
        assert page.packed is page.packed
