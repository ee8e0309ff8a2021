"""A server for a whole module of tests, and a handheld that stays connected through all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.server.api import client
from tests.server.disputes import Disputes
from tests.server.handheld import Handheld
from tests.server.people import Caller, program
from tests.server.running import Running, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """The server, with a hostile device, its neighbour, and one that behaves."""
    async with running(tmp_path_factory.mktemp("data")) as server:
        server.enrol("good", "area:birmingham", "force")
        server.enrol("bad", "area:birmingham")
        server.enrol("other", "area:birmingham")
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def good(shared: Running) -> AsyncIterator[Handheld]:
    """A well-behaved handheld that stays connected through every test of the module."""
    good = Handheld(shared, "good")
    await good.connect()
    yield good
    good.disconnect()


@pytest_asyncio.fixture(loop_scope="module")
async def others_lose_nothing(shared: Running, good: Handheld) -> AsyncIterator[None]:
    """After the test the well-behaved handheld is answered, gets a briefing, and has never been cut."""
    yield
    await good.ping()
    record = await shared.brief()
    await good.until(lambda: good.holds(record))
    shared.clock.advance(1_000)
    shared.close_sockets(keep=good.raw)


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    """A server for one test."""
    async with running(tmp_path) as server:
        yield server


@pytest.fixture
async def caller(server: Running) -> Caller:
    """A program of somebody who works with every record there is."""
    caller = await program(server, "WM1")
    server.store.groups.clear()
    server.store.asked.clear()
    return caller


@pytest.fixture
async def http(server: Running, caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who works with every record."""
    async with client(server, caller) as http:
        yield http


@pytest.fixture
async def disputes(server: Running) -> Disputes:
    """Two desks that know a booking and a cell."""
    disputes = Disputes(server.store, server.beatbook.committer, server.clock)
    await disputes.begin()
    return disputes
