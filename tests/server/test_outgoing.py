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
from server.outgoing import Outgoing, Turn
from server.store import Store
from sync.session import ServerSession
from sync.session.steps import Fresh, Send, Step, WantChanges, WantPage

AREA = ScopeName("area:dudley")
CHANGES = WantChanges(AREA, Generation(1), Seq(4), log=False)
PAGE = WantPage(AREA, "", "", Generation(1))


class FakeWire:
    """A wire that remembers each write."""

    def __init__(self) -> None:
        self.takes = True
        self.writes: list[list[bytes]] = []

    def put(self, frames: Sequence[bytes]) -> None:
        """Remember it."""
        self.writes.append(list(frames))


class World:
    """A session that wants what a test tells it to, its socket, and what was sent in which way."""

    def __init__(self, *, wire: bool = True, turn: Turn | None = None) -> None:
        self.steps: deque[Step] = deque()
        self.ending: PeerError | None = None
        self.device = "hh-1"
        self.furthest = Seq(0)
        self.unpacks = self.diffs = False
        self.wire = FakeWire()
        self.sent: list[bytes] = []
        self.closed: list[int] = []
        self.wanted = True
        self.scope = {"extensions": {WIRE: self.wire} if wire else {}}
        self.broken: Exception | None = None
        store = cast("Store", SimpleNamespace(page=self._page, changes=self._changes))
        self.hub = Hub()
        self.outgoing = Outgoing(cast("Any", self), cast("ServerSession", self), self.hub, store, turn or Turn())

    # --- the socket ---

    async def send_bytes(self, frame: bytes) -> None:
        """Through ASGI."""
        self.sent.append(frame)

    async def close(self, code: int, _reason: str) -> None:
        """The end."""
        self.closed.append(code)

    # --- the session ---

    def follow(self, fresh: bytes) -> bytes | None:
        """A commit is its frame here; nothing is followed past what waits."""
        return None if self.steps else fresh

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


# --- commits as they happen ------------------------------------------------------------------------------------------


def happens(world: World, frame: bytes) -> bool:
    """A commit; whether it goes out by itself."""
    return world.outgoing.follow(cast("Fresh", frame))


async def test_commits_go_out_as_they_happen_in_one_write(world: World) -> None:
    """All of a turn, in order, and before what the session is asked for behind them."""
    async with world.writing():
        assert happens(world, b"first")
        assert happens(world, b"second")
        await world.wants(Send(b"answer"))
        assert happens(world, b"third")
        await turns()
    assert world.wire.writes == [[b"first", b"second", framed(b"answer")], [b"third"]]
    assert world.sent == []


async def test_a_commit_for_very_many_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five that follow two are put to in a turn, and an answer that comes meanwhile goes out before the others."""
    monkeypatch.setattr(module, "TURN_SOCKETS_MAX", 2)
    turn = Turn()
    worlds = [World(turn=turn) for _ in range(5)]
    for world in worlds:
        world.outgoing.begin()
        assert world.outgoing.follow(cast("Fresh", b"commit"))
    seen: list[int] = []
    done = asyncio.Event()

    def look() -> None:
        seen.append(sum(bool(world.wire.writes) for world in worlds))
        if len(seen) == 2:
            worlds[4].steps.append(Send(b"answer"))
            worlds[4].outgoing.wake()
        if seen[-1] < len(worlds):
            asyncio.get_running_loop().call_soon(look)
        else:
            done.set()

    look()
    await done.wait()
    assert seen == [0, 2, 5]
    assert [world.wire.writes for world in worlds[:4]] == [[[b"commit"]]] * 4
    assert worlds[4].wire.writes == [[b"commit", framed(b"answer")]], "its own commit first, in one write"


async def test_a_commit_does_not_overtake_what_waits(world: World) -> None:
    """The session is asked for it in its turn."""
    async with world.writing():
        world.steps.append(Send(b"answer"))
        world.outgoing.wake()
        assert not happens(world, b"commit")
        await turns()
        assert happens(world, b"commit")
        await turns()
    assert world.wire.writes == [[framed(b"answer")], [b"commit"]]


async def test_nothing_is_followed_where_it_cannot_be_put(world: World) -> None:
    """By a client that does not read, without a wire, before it begins, beyond a turn's bound, at the end."""
    assert not happens(World(wire=False), b"x")
    assert not happens(world, b"it has not begun")
    async with world.writing():
        world.wire.takes = False
        assert not happens(world, b"it does not read")
        world.wire.takes = True
        assert [happens(world, b"x") for _ in range(module.TURN_COMMITS_MAX + 1)].count(True) == module.TURN_COMMITS_MAX
        await turns()
        assert happens(world, b"the turn is over")
        await turns()
        world.outgoing.stop()
        assert not happens(world, b"it is over")
    assert [len(frames) for frames in world.wire.writes] == [module.TURN_COMMITS_MAX, 1]


async def test_what_was_followed_is_put_although_the_client_stopped_reading_since(world: World) -> None:
    """The session counts it as sent: it must not be missing before what comes next."""
    async with world.writing():
        assert happens(world, b"commit")
        world.wire.takes = False
        await turns()
    assert world.wire.writes == [[b"commit"]]


@pytest.mark.parametrize("asked", [False, True])
async def test_what_a_session_that_ended_followed_is_not_said(world: World, *, asked: bool) -> None:
    """Whoever is sent away hears why, and nothing of what happened just before."""
    async with world.writing():
        assert happens(world, b"commit")
        world.ending = PeerError("device_revoked")
        if asked:
            world.outgoing.wake()
        await turns()
    assert world.wire.writes == []
