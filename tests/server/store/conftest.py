"""A store of every kind: whatever a test here is told of a store must hold for each of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store import Store
from server.store.memory import MemoryStore
from server.store.sqlite import SqliteStore
from tests.server.store.support import Keep


@pytest.fixture(params=["memory", "inline", "process"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each adapter in turn."""
    opened: Store = (
        MemoryStore()
        if request.param == "memory"
        else await SqliteStore.open(tmp_path / "data", inline=request.param == "inline")
    )
    yield opened
    await opened.close()


@pytest.fixture
async def kept() -> AsyncIterator[Keep]:
    """Takes note of a store and gives it back; at the end of the test, whatever came of it, the store is closed."""
    noted: list[SqliteStore] = []

    def keep(store: SqliteStore) -> SqliteStore:
        noted.append(store)
        return store

    yield keep
    for store in noted:
        await store.close()
