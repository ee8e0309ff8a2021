"""A server in a process of its own, handhelds of this version, and handhelds of others in processes of theirs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sync.device import Handheld, HeldKey
from tests.evolution.support import Family, OtherHandheld, UpgradableStage

Ours = Callable[[str], Awaitable[Handheld]]
Other = Callable[..., Awaitable[OtherHandheld]]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[UpgradableStage]:
    """The server of this version, running."""
    stage = UpgradableStage(tmp_path)
    await stage.start()
    yield stage
    await stage.stop()


@pytest.fixture
def family(stage: UpgradableStage, tmp_path: Path) -> Family:
    """Who takes part."""
    return Family(stage, tmp_path)


@pytest.fixture
async def ours(family: Family) -> AsyncIterator[Ours]:
    """Open a handheld of this version. All are closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_one(device: str) -> Handheld:
            opening = Handheld.open(
                family.folder(device),
                identity=family.identity(device),
                keys=HeldKey(bytes(range(32))),
                author="WM21877",
                server=family.url(),
            )
            return await stack.enter_async_context(opening)

        yield open_one


@pytest.fixture
async def other(family: Family) -> AsyncIterator[Other]:
    """Start a handheld of another version. All are ended at the end."""
    async with AsyncExitStack() as stack:

        async def start(version: str, device: str, *, online: bool = True) -> OtherHandheld:
            handheld = family.other(version, device, online=online)
            stack.push_async_callback(handheld.close)
            await handheld.start()
            return handheld

        yield start
