"""A loop in virtual time, a server on it, and the small force of `grants`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.authority import ServerKeys
from server.store import Store
from server.store.memory import MemoryStore
from server.store.sqlite import SqliteStore
from tests.server.authority.grants import World, server_keys
from tests.server.authority.house import House
from tests.server.authority.virtual import VirtualLoop


@pytest.fixture
def keys() -> ServerKeys:
    """The server's own keys."""
    return server_keys()


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    """A loop at rest."""
    loop = VirtualLoop()
    yield loop
    loop.end()


@pytest.fixture
def house(loop: VirtualLoop, keys: ServerKeys) -> House:
    """A server that has just started, on a store that holds nothing."""
    return House(loop, MemoryStore(), keys)


@pytest.fixture(params=["memory", "sqlite"])
def restarting(
    request: pytest.FixtureRequest, loop: VirtualLoop, keys: ServerKeys, tmp_path: Path
) -> Iterator[Callable[[], House]]:
    """Start a server, or kill the one that runs and start it again on what it left; on each kind of store."""
    houses: list[House] = []
    stores: list[Store] = []

    def opened() -> Store:
        if request.param == "memory":
            return stores[-1] if stores else MemoryStore()
        if stores:
            loop.really(stores[-1].close())
        return loop.really(SqliteStore.open(tmp_path / "data", inline=True))

    def start() -> House:
        if houses:
            houses[-1].kill()
        stores.append(opened())
        houses.append(House(loop, stores[-1], keys))
        return houses[-1]

    yield start
    if houses:
        houses[-1].kill()
    if stores:
        loop.really(stores[-1].close())


@pytest.fixture
def world(keys: ServerKeys) -> Iterator[World]:
    """A small force whose officers are signed in; nobody is connected."""
    world = World(keys, VirtualLoop(), MemoryStore())
    yield world
    world.end()
