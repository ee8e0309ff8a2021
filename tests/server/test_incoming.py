"""The receiving half of a connection: at once where it can be, in order where it must wait, never without end."""

import asyncio
from typing import Any, cast

import pytest

from schemas.errors import PeerError
from server import incoming as module
from server.incoming import Incoming
from server.outgoing import Outgoing
from sync.session import ServerSession
from sync.session.steps import Demand


class World:
    """A session that demands what a message says, the wire, and whoever obeys."""

    def __init__(self) -> None:
        """Nothing came yet; nothing has to wait."""
        self.ending: PeerError | None = None
        self.device = "hh-1"
        self.waiting = 0
        self.received: list[bytes] = []
        self.obeyed: list[str] = []
        self.held = False
        self.wakes = 0
        self.ends = 0
        self.room = asyncio.Event()
        self.room.set()
        self.left = asyncio.Event()
        outgoing = cast("Outgoing", self)
        self.incoming = Incoming(cast("ServerSession", self), outgoing, self)
        self.incoming.begin(cast("Any", None), cast("Any", self))

    # --- the wire, and what has gone out ---

    def deliver_to(self, sink: object) -> None:
        """Whoever takes what comes."""
        assert sink is self.incoming

    def hold(self) -> None:
        """Nothing is read."""
        self.held = True

    def go_on(self) -> None:
        """Something is read again."""
        self.held = False

    async def progress(self) -> None:
        """An answer has left."""
        await self.left.wait()
        self.waiting -= 1

    # --- the session, and whoever obeys ---

    def fail(self, error: PeerError) -> None:
        """End."""
        self.ending = error

    def receive(self, message: bytes) -> Demand | None:
        """It is demanded what the message says; of a small letter, nothing."""
        if message == b"defect":
            raise RuntimeError("planted")
        self.received.append(message)
        return cast("Demand", message.decode()) if message.isupper() else None

    def obey_at_once(self, demand: Demand) -> bool:
        """While there is room."""
        if not self.room.is_set():
            return False
        self.obeyed.append(cast("str", demand))
        return True

    async def obey(self, demand: Demand) -> None:
        """Once there is."""
        await self.room.wait()
        if cast("str", demand) == "DEFECT":
            raise RuntimeError("planted")
        self.obeyed.append(cast("str", demand))

    def wake(self) -> None:
        """Count."""
        self.wakes += 1

    def gone(self) -> None:
        """Count."""
        self.ends += 1


async def turns() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_message_is_dealt_with_when_it_comes() -> None:
    """With what it demands, without a task."""
    world = World()
    world.incoming.came(b"a")
    world.incoming.came(b"B")
    assert (world.received, world.obeyed, world.wakes) == ([b"a", b"B"], ["B"], 2)
    assert world.incoming.stop() == []
    world.incoming.gone()
    assert world.ends == 1


async def test_what_has_to_wait_keeps_its_place() -> None:
    """Behind it nothing is dealt with, and nothing is read; then all of it is, in order, and the next again at once."""
    world = World()
    world.room.clear()
    for message in (b"a", b"B", b"c", b"D"):
        world.incoming.came(message)
    await turns()
    assert (world.received, world.obeyed, world.held) == ([b"a", b"B"], [], True)
    world.room.set()
    await turns()
    assert (world.received, world.obeyed, world.held) == ([b"a", b"B", b"c", b"D"], ["B", "D"], False)
    world.incoming.came(b"E")
    assert world.obeyed[2:] == ["E"]
    assert world.incoming.stop() == []


async def test_a_device_that_does_not_read_its_answers_is_not_listened_to() -> None:
    """Beyond the bound of those that wait; it is again when they have left."""
    world = World()
    world.waiting = module.ANSWERS_WAITING_MAX + 1
    world.incoming.came(b"a")
    await turns()
    assert (world.received, world.held) == ([], True)
    world.left.set()
    await turns()
    assert (world.received, world.held) == ([b"a"], False)


async def test_nothing_is_heard_after_the_end() -> None:
    """Neither what comes, nor what waits."""
    world = World()
    world.room.clear()
    world.incoming.came(b"A")
    world.incoming.came(b"b")
    world.ending = PeerError("silent")
    world.incoming.came(b"c")
    world.room.set()
    await turns()
    assert (world.received, world.obeyed) == ([b"A"], ["A"])


@pytest.mark.parametrize("message", [b"defect", b"DEFECT"], ids=["at once", "later"])
async def test_a_defect_ends_its_connection(message: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The device is told, the log says how, and nothing is raised into the transport."""
    world = World()
    if message.isupper():
        world.room.clear()
    world.incoming.came(message)
    world.room.set()
    await turns()
    assert world.ending is not None
    assert (world.ending.spec.code, world.wakes > 0) == ("internal", True)
    assert "planted" in caplog.text
