"""What most tests of the engine start from: a device and its server, small ones or a whole force's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sync.device import DeviceIdentity, Handheld
from sync.device.installation import Installation
from sync.device.keystore import MemoryKeyStore
from tests.sync.device.force import OFFICER, Force, HurriedClock, force
from tests.sync.device.seats import cheap
from tests.sync.device.support import BIRMINGHAM, connected
from tests.toy_server import ToyServer, toy_server


@pytest.fixture
def identity() -> DeviceIdentity:
    """The device under test."""
    return DeviceIdentity.generate("hh-0042")


@pytest.fixture
async def toy(identity: DeviceIdentity) -> AsyncIterator[ToyServer]:
    """A server that has enrolled it for Birmingham."""
    async with toy_server([(identity, [BIRMINGHAM])]) as toy:
        yield toy


@pytest.fixture
async def handheld(tmp_path: Path, identity: DeviceIdentity, toy: ToyServer) -> AsyncIterator[Handheld]:
    """The device, connected and caught up."""
    async with connected(tmp_path / "replica", identity, toy) as handheld:
        yield handheld


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Force]:
    """The force, with an officer named for Birmingham."""
    async with force(tmp_path / "server") as house:
        await house.officer()
        await house.grant(OFFICER, BIRMINGHAM)
        yield house


@pytest.fixture
async def installation(tmp_path: Path, house: Force) -> AsyncIterator[Installation]:
    """An enrolled handheld, at the time of that force's server."""
    folder = tmp_path / "handheld"
    await Installation.enrol(folder, house.url, await house.code())
    opening = Installation.open(folder, store=MemoryKeyStore(), clock=HurriedClock(), stretching=cheap)
    async with opening as installation:
        yield installation
