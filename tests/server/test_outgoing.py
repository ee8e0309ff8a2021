"""The sending half of a connection: what is at hand in one write, everything else by the writer, all of it in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.errors import PeerError
from schemas.ids import Generation, ScopeName, Seq
from server import outgoing as module
from server.framing import WIRE, framed
from server.hub import Hub
from server.outgoing import Outgoing
from server.store import Store
from server.turn import Turn
from sync.session import ServerSession
from sync.session.steps import Send, Step, WantChanges, WantPage

AREA = ScopeName("area:dudley")
CHANGES = WantChanges(AREA, Generation(1), Seq(4), log=False)
PAGE = WantPage(AREA, "", "", Generation(1))


class FakeWire:
    """A wire that remembers each write."""

    def __init__(self) -> None:
        self.takes = True
        self.claimed = False
        self.writes: list[list[bytes]] = []

    def put(self, frames: Sequence[bytes]) -> None:
        """Remember it."""
        self.writes.append(list(frames))


class World:
    """A session that wants what a test tells it to, its socket, and what was sent in which way."""

    def __init__(self, *, wire: bool = True) -> None:
        self.steps: deque[Step] = deque()
        self.ending: PeerError | None = None
        self.device = "hh-1"
        self.furthest = Seq(0)
        self.unpacks = self.diffs = False
        self.wire = FakeWire()
        self.sent: list[bytes] = []
        self.closed: list[int] = []
        self.wanted = True
        self.due: list[bytes] = []
        self.scope = {"extensions": {WIRE: self.wire} if wire else {}}
        self.broken: Exception | None = None
        store = cast("Store", SimpleNamespace(page=self._page, changes=self._changes))
        self.hub = Hub()
        self.outgoing = Outgoing(cast("Any", self), cast("ServerSession", self), self.hub, store, Turn())

    # --- the socket ---

    async def send_bytes(self, frame: bytes) -> None:
        """Through ASGI."""
        self.sent.append(frame)

    async def close(self, code: int, _reason: str) -> None:
        """The end."""
        self.closed.append(code)

    # --- the session ---

    def take_due(self) -> list[bytes]:
        """Commits that it follows with others."""
        due, self.due = self.due, []
        return due

    def go_alone(self) -> None:
        """Nothing is due any more."""
        self.due = []

    def next_step(self) -> Step | None:
        """What the test told."""
        if self.broken is not None:
            raise self.broken
        return self.steps.popleft() if self.steps else None

    def changes_read(self, _want: Step, to: Seq, frame: bytes, *, ended: bool = True) -> bytes | None:
        """As the session: nothing where the subscription has changed."""
        assert (to, ended) == (5, True)
        return frame if self.wanted else None

    def page_read(self, *_: object) -> bytes:
        """A page."""
        return b"page"

    def fail(self, error: PeerError) -> None:
        """End."""
        self.broken = None
        self.ending = error

    # --- the store ---

    async def _page(self, *_: object) -> Any:  # noqa: ANN401  stands for a page
        return SimpleNamespace(rows=(), upto="", erased=(), packed=b"")

    async def _changes(self, *_: object) -> Any:  # noqa: ANN401  stands for changes
        return SimpleNamespace(to=Seq(5), rows=(), gone=(), head=SimpleNamespace(digest=b"", count=0), erased=())

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """From the handshake to the end."""
        self.outgoing.begin()
        yield
        tasks = self.outgoing.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def wants(self, *steps: Step) -> None:
        """The session wants these, each told of by itself, in one turn of the loop; all is done when this returns."""
        for step in steps:
            self.steps.append(step)
            self.outgoing.wake()
        await turns()


async def turns() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def world() -> World:
    """One with a wire."""
    return World()


@pytest.fixture
def recent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub has the commit behind every position at hand."""
    monkeypatch.setattr(Hub, "frame", lambda *_, **__: (Seq(5), b"batch", framed(b"batch")))


@pytest.mark.usefixtures("recent")
async def test_what_one_turn_brings_goes_out_in_one_write(world: World) -> None:
    """Answers and the commit that has just happened, in order; no task is woken, nothing passes through ASGI."""
    async with world.writing():
        await world.wants(Send(b"one"), CHANGES, Send(b"two"))
        await world.wants(Send(b"three"))
    assert world.wire.writes == [[framed(b"one"), framed(b"batch"), framed(b"two")], [framed(b"three")]]
    assert world.sent == []


@pytest.mark.usefixtures("recent")
async def test_nothing_is_sent_of_what_was_ended_meanwhile(world: World) -> None:
    """The subscription has changed since the step was told: its commit does not go out, what follows does."""
    world.wanted = False
    async with world.writing():
        await world.wants(CHANGES, Send(b"one"))
    assert world.wire.writes == [[framed(b"one")]]


async def test_what_must_be_read_keeps_its_place(world: World) -> None:
    """What stands before it goes out at once, it itself and what is behind it by the writer, in order."""
    async with world.writing():
        await world.wants(Send(b"one"), PAGE, Send(b"two"), CHANGES)
        assert world.wire.writes == [[framed(b"one")]]
        assert world.sent[:2] == [b"page", b"two"]
        assert len(world.sent) == 3
        await world.wants(Send(b"three"))
    assert world.wire.writes[1:] == [[framed(b"three")]]


async def test_a_client_that_does_not_read_is_the_writers(world: World) -> None:
    """Nothing is put on a wire that takes nothing: the writer waits in the socket for it, with one message at most."""
    world.wire.takes = False
    async with world.writing():
        await world.wants(Send(b"one"), Send(b"two"))
    assert world.wire.writes == []
    assert world.sent == [b"one", b"two"]


async def test_a_server_without_a_wire_sends_by_asgi() -> None:
    """Under another server, as in tests, everything goes through Starlette."""
    world = World(wire=False)
    async with world.writing():
        await world.wants(Send(b"one"), Send(b"two"))
    assert world.sent == [b"one", b"two"]


async def test_one_device_takes_no_more_than_its_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the bound waits for the other connections, and follows in order."""
    monkeypatch.setattr(module, "TURN_BYTES_MAX", 10)
    async with world.writing():
        await world.wants(*(Send(b"message %d" % n) for n in range(4)))
    assert world.wire.writes == [[framed(b"message 0")]]
    assert world.sent == [b"message 1", b"message 2", b"message 3"]


async def test_whoever_waits_for_room_hears_of_a_write(world: World) -> None:
    """The reader stops at a bound of waiting answers, and goes on when some have gone."""
    async with world.writing():
        waiting = asyncio.create_task(world.outgoing.progress())
        await turns()
        assert not waiting.done()
        await world.wants(Send(b"one"))
        assert waiting.done()


async def test_last_words_are_the_writers(world: World) -> None:
    """A session that has ended says so, and the socket is closed with its code."""
    async with world.writing():
        world.ending = PeerError("device_revoked")
        await world.wants(Send(b"error"))
    assert world.wire.writes == []
    assert (world.sent, world.closed) == ([b"error"], [world.ending.spec.close])


async def test_a_defect_ends_its_connection(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for what a turn of the loop calls: the device is told, the socket closed, the log says how."""
    async with world.writing():
        world.broken = RuntimeError("planted")
        world.outgoing.wake()
        await turns()
    assert world.ending is not None
    assert (world.ending.spec.code, len(world.closed)) == ("internal", 1)
    assert "planted" in caplog.text


async def test_nothing_is_put_on_a_wire_after_the_end(world: World) -> None:
    """A turn that was asked for before the connection went finds it gone."""
    async with world.writing():
        world.steps.append(Send(b"one"))
        world.outgoing.wake()
        world.outgoing.stop()
        await turns()
    assert world.wire.writes == []


# --- commits that are followed with others ---------------------------------------------------------------------------


async def test_what_is_due_goes_out_behind_the_answers(world: World) -> None:
    """In the same write: an op's result is not told behind its rows."""
    async with world.writing():
        world.due = [b"commit"]
        await world.wants(Send(b"answer"))
    assert world.wire.writes == [[framed(b"answer"), b"commit"]]


async def test_while_the_writer_is_at_work_nothing_is_followed_with_others(world: World) -> None:
    """What was due is left to the writer, which says everything in order."""
    async with world.writing():
        seen = [world.outgoing.follows]
        world.due = [b"commit"]
        world.steps.append(PAGE)
        world.outgoing.wake()
        await asyncio.sleep(0)
        assert world.due == []
        seen.append(world.outgoing.follows)
        await turns()
        seen.append(world.outgoing.follows)
    assert seen == [True, False, True]
    assert world.wire.writes == []


async def test_whoever_cannot_be_put_to_does_not_follow_with_others(world: World) -> None:
    """Before it begins, a client that does not read, after the end; a server without a wire."""
    seen = [world.outgoing.follows]
    async with world.writing():
        seen.append(world.outgoing.follows)
        world.wire.takes = False
        seen.append(world.outgoing.follows)
        world.wire.takes = True
        world.due = [b"commit"]
    seen.append(world.outgoing.follows)
    assert seen == [False, True, False, False]
    assert world.due == []
    bare = World(wire=False)
    bare.outgoing.begin()
    assert not bare.outgoing.follows


async def test_of_a_session_that_ended_nothing_is_put_but_its_last_words(world: World) -> None:
    """Whoever is sent away hears why, and nothing of what happened just before."""
    async with world.writing():
        world.due = [b"commit"]
        world.ending = PeerError("device_revoked")
        world.outgoing.wake()
        await turns()
    assert world.wire.writes == []
