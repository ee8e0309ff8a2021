"""A terminal of a handheld without a server, for what officers do at it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sync.device import DeviceIdentity, Handheld
from tests.sync.device.support import VirtualClock, opened


@pytest.fixture
def clock() -> VirtualClock:
    """The handheld's clock; the terminal's stands at noon."""
    return VirtualClock()


@pytest.fixture
async def alone(tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock) -> AsyncIterator[Handheld]:
    """A handheld without a server, at noon."""
    async with await opened(tmp_path / "alone", identity, clock=clock) as handheld:
        yield handheld
