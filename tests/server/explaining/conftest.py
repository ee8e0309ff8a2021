"""A booking and a cell that two desks see, for every test here."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.server.explaining.telling import Case


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    """A booking and a cell that both desks see."""
    case = Case()
    running = asyncio.create_task(case.committer.run())
    await case.office.start()
    await case.begin()
    yield case
    case.committer.close()
    await running
