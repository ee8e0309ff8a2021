"""The device and the server that most tests of the engine start from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sync.device import DeviceIdentity, Handheld
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
