"""Real processes, real sockets, real files: a server on a folder of its own, and handhelds beside it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from schemas.ids import Millis
from schemas.kinds import Incident
from schemas.kinds.incident import Category
from server.demo.masts import Mast
from server.demo.people import Person
from server.demo.stage import Stage
from sync.device import Handheld, SyncStatus
from tests.server.people import WORKING

OpenHandheld = Callable[..., Awaitable[Handheld]]
OpenMast = Callable[[], Awaitable[Mast]]


def at_rest(status: SyncStatus) -> bool:
    """The handheld holds everything, and nothing of its own waits."""
    return status.connected and status.caught_up and status.waiting == 0


def officer_of(device: str) -> str:
    """The collar number of whoever has a device that is nobody's in particular."""
    return f"WM.{device}"


def report(area: str = "birmingham", summary: str = "Shouting and glass breaking") -> Incident:
    """An invented incident."""
    return Incident(opened_at=Millis(1_790_000_000_000), area=area, category=Category.PUBLIC_SAFETY, summary=summary)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server's data folder and process; the test starts and kills it."""
    stage = Stage(tmp_path)
    yield stage
    await stage.stop()


@pytest.fixture
async def open_handheld(stage: Stage, tmp_path: Path) -> AsyncIterator[OpenHandheld]:
    """Enrol a device, sign an officer in on it, and open their handheld, over a mast where one is given.

    All are closed at the end.
    """
    async with AsyncExitStack() as stack:

        async def open_one(
            device: str, *audiences: str, mast: Mast | None = None, officer: str | None = None
        ) -> Handheld:
            named = audiences or ("area:birmingham", "force")
            person = Person(device, officer or officer_of(device), named, WORKING, named=named)
            kit = await stage.issue(person, tmp_path / device, None if mast is None else mast.port)
            stack.push_async_callback(kit.close)
            return await stack.enter_async_context(kit.open(justify=False))

        yield open_one


@pytest.fixture
async def open_mast(stage: Stage) -> AsyncIterator[OpenMast]:
    """Radio links to the server, each of which can be cut by itself."""
    async with AsyncExitStack() as stack:

        async def open_one() -> Mast:
            mast = Mast("127.0.0.1", stage.port)
            await mast.open()
            stack.push_async_callback(mast.close)
            return mast

        yield open_one


@pytest.fixture
async def mast(stage: Stage) -> AsyncIterator[Mast]:
    """A radio link to the server that can be cut."""
    mast = Mast("127.0.0.1", stage.port)
    await mast.open()
    yield mast
    await mast.close()
