"""Terminals of a handheld without a server, and of one that is connected."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas import scopes
from sync.device import DeviceIdentity, Handheld
from tests.sync.device.support import BIRMINGHAM, VirtualClock, opened
from tests.sync.device.terminal.desk import Desk, desk_of
from tests.toy_server import ToyServer, toy_server


@pytest.fixture
async def alone(tmp_path: Path, identity: DeviceIdentity) -> AsyncIterator[Handheld]:
    """A handheld without a server, at noon."""
    async with await opened(tmp_path / "alone", identity, clock=VirtualClock()) as handheld:
        yield handheld


@pytest.fixture
async def desk(alone: Handheld) -> AsyncIterator[Desk]:
    """A terminal of it."""
    async with desk_of(alone) as desk:
        yield desk


@pytest.fixture
async def toy(identity: DeviceIdentity) -> AsyncIterator[ToyServer]:
    """A server that has enrolled the device for Birmingham and its briefings, and for what is its officer's own."""
    grants = [BIRMINGHAM, scopes.briefing(BIRMINGHAM), scopes.safety(BIRMINGHAM), scopes.officer("WM21877")]
    async with toy_server([(identity, grants)]) as toy:
        yield toy


@pytest.fixture
async def online(handheld: Handheld, toy: ToyServer) -> AsyncIterator[Desk]:
    """A terminal of a handheld that is connected to a server."""
    async with desk_of(handheld, toy.url) as desk:
        yield desk
