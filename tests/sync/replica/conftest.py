"""What most tests of the replica begin with: one over its tables alone, or a server and a device that has met it."""

import pytest

from tests.sync.replica.handhelds import Handheld
from tests.sync.replica.outposts import Post, Server


@pytest.fixture
def handheld() -> Handheld:
    """A new handheld, and whatever a test says to it."""
    return Handheld()


@pytest.fixture
def server() -> Server:
    """An empty server, which keeps chains."""
    return Server()


@pytest.fixture
def post(server: Server) -> Post:
    """A device that has met the server, which holds its chain from its first op on."""
    made = Post(server, chained=True)
    made.sync()
    return made
