"""The door: counted by source, bounded, and whoever only sits there makes place for whoever speaks."""

import asyncio
import errno
import logging
import socket
from pathlib import Path

import msgspec
import pytest

from server.edge import door as door_module
from server.edge.addresses import Proxies
from server.edge.buckets import Rate
from server.edge.door import Door, DoorLimits, Entry
from server.edge.tls import Tls
from tests.server.edge.served import GET, HOST, UPGRADE, Authority, served
from tests.server.rawsocket import frame

OPCODE_TEXT = 1


def limits(**changes: int) -> DoorLimits:
    """Small limits."""
    return msgspec.convert({"connections_max": 100, "connections_per_address_max": 50, **changes}, DoorLimits)


async def test_who_sits_there_longest_makes_place() -> None:
    """Of one address, so many may be silent; one more cuts the first of them, and each newcomer is answered."""
    async with served(limits(pending_per_address_max=3)) as server:
        silent = []
        for count in range(1, 4):
            silent.append(await server.call())
            await server.until(pending=count)
        other = await server.call("127.0.0.2")
        await server.until(pending=4)
        newcomer = await server.call()
        assert await silent[0].ended() == b""
        assert (await newcomer.ask()).status == 200
        assert (await silent[1].ask()).status == 200
        assert (await other.ask()).status == 200
        assert server.door.cut_pending == 1
        assert dict(server.door.refusals) == {"silent": 1}


async def test_silence_from_many_addresses_is_bounded_too() -> None:
    """However many sources take part, so many are silent; the one that came first goes first."""
    async with served(limits(pending_max=4, pending_per_address_max=4)) as server:
        silent = []
        for count in range(1, 5):
            silent.append(await server.call(f"127.0.1.{count}"))
            await server.until(pending=count)
        newcomer = await server.call("127.0.2.1")
        assert await silent[0].ended() == b""
        assert (await newcomer.ask()).status == 200


async def test_an_address_has_so_many_connections_and_is_told() -> None:
    """The next ones are answered with 429 and a time to come back, those beyond are cut; other addresses come in."""
    async with served(limits(connections_per_address_max=2, overflow_max=1)) as server:
        held = [await server.call(), await server.call()]
        for caller in held:
            assert (await caller.ask()).status == 200
        crowded = await server.call()
        await server.until(inside=3)
        beyond = await server.call()
        assert await beyond.ended() == b""
        assert server.door.turned_away == 1
        assert dict(server.door.refusals) == {"crowded": 1, "too_many": 1}
        answer = await crowded.ask()
        assert answer.status == 429
        assert "connections" in answer.problem["title"]
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["connection"] == "close"
        assert (await (await server.call("127.0.0.2")).ask()).status == 200
        held[0].writer.close()
        await crowded.ended()
        await server.until(inside=2)
        assert (await (await server.call()).ask()).status == 200


async def test_a_websocket_counts_as_a_connection_until_it_ends() -> None:
    """It is pending no more once its handshake is in, but its place is taken; a crowded one is refused the upgrade."""
    async with served(limits(connections_per_address_max=1)) as server:
        caller = await server.call()
        assert (await caller.ask(UPGRADE)).status == 101
        await server.until(inside=1, pending=0)
        crowded = await server.call()
        assert (await crowded.ask(UPGRADE)).status == 429
        caller.writer.transport.abort()
        await crowded.ended()
        await server.until(inside=0)
        assert (await (await server.call()).ask(UPGRADE)).status == 101
    assert [scope["type"] for scope in server.app.scopes] == ["websocket", "websocket"]


async def test_all_together_are_bounded() -> None:
    """At the limit a silent one makes place; when all have spoken, a newcomer is turned away and they go on."""
    async with served(limits(connections_max=2)) as server:
        speaking, silent = await server.call("127.0.0.2"), await server.call("127.0.0.3")
        assert (await speaking.ask()).status == 200
        await server.until(inside=2, pending=1)
        second = await server.call("127.0.0.4")
        assert await silent.ended() == b""
        assert (await second.ask()).status == 200
        third = await server.call("127.0.0.5")
        assert await third.ended() == b""
        assert server.door.refusals["no_room"] == 1
        assert (await speaking.ask()).status == 200


async def test_a_listed_proxy_speaks_for_many() -> None:
    """Its connections have no bound of their own; those of others have."""
    async with served(limits(connections_per_address_max=1, overflow_max=0), proxies=["127.0.0.9"]) as server:
        for _ in range(5):
            assert (await (await server.call("127.0.0.9")).ask()).status == 200
        assert (await (await server.call()).ask()).status == 200
        assert await (await server.call()).ended() == b""


async def test_an_address_opens_connections_at_a_pace() -> None:
    """The burst comes in, the next is closed before it costs a handshake; another address and a proxy are not held."""
    paced = msgspec.structs.replace(limits(), connects=Rate(0.001, 3))
    async with served(paced, proxies=["127.0.0.9"]) as server:
        for _ in range(3):
            assert (await (await server.call()).ask()).status == 200
        assert await (await server.call()).ended() == b""
        assert server.door.turned_away == 1
        assert server.door.refusals["too_fast"] == 1
        assert (await (await server.call("127.0.0.2")).ask()).status == 200
        for _ in range(5):
            assert (await (await server.call("127.0.0.9")).ask()).status == 200


async def test_a_half_open_tls_handshake_is_cut(tmp_path: Path) -> None:
    """Nothing at all, or a part of a handshake: the place is free after the deadline, and others come in meanwhile."""
    authority = Authority(tmp_path)
    authority.issue("localhost")
    async with served(limits(tls_handshake_ms=50), tls=Tls(authority.certificate_file, authority.key_file)) as server:
        nothing, part = await server.call(), await server.call()
        await part.send(b"\x16\x03\x01\x02\x00\x01\x00")
        await server.until(inside=2)
        good = await server.call(tls=authority.client())
        assert (await good.ask()).status == 200
        assert await nothing.ended() == b""
        assert await part.ended() == b""
        await server.until(inside=1)


async def test_a_handshake_that_is_pending_makes_place_too(tmp_path: Path) -> None:
    """Connections are counted before TLS: silent ones cannot fill the server however long their deadline is."""
    authority = Authority(tmp_path)
    authority.issue("localhost")
    tls = Tls(authority.certificate_file, authority.key_file)
    async with served(limits(pending_per_address_max=2), tls=tls) as server:
        silent = []
        for count in (1, 2):
            silent.append(await server.call())
            await server.until(pending=count)
        assert (await (await server.call(tls=authority.client())).ask()).status == 200
        assert await silent[0].ended() == b""


async def test_closing_the_door_lets_go_of_who_is_on_the_threshold(tmp_path: Path) -> None:
    """At the end nobody is accepted, and nothing waits for a handshake that does not come; who is inside stays."""
    authority = Authority(tmp_path)
    authority.issue("localhost")
    async with served(tls=Tls(authority.certificate_file, authority.key_file)) as server:
        inside = await server.call(tls=authority.client())
        assert (await inside.ask()).status == 200
        threshold = await server.call()
        await server.until(inside=2)
        server.door.close()
        await server.door.closed()
        assert await threshold.ended() == b""
        with pytest.raises(ConnectionError):
            await server.call()
        assert (await inside.ask()).status == 200


class Knocking:
    """A listening socket whose `accept` fails once, as it does when the process has no descriptor left."""

    def __init__(self, real: socket.socket) -> None:
        """Wrap one that listens."""
        self._real = real
        self.failed = asyncio.Event()

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        """Fail, then go on as the real one."""
        if not self.failed.is_set():
            self.failed.set()
            raise OSError(errno.EMFILE, "Too many open files")
        return self._real.accept()

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


async def test_without_a_descriptor_left_it_waits_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No busy loop and no end of the server: one line in the log, and it accepts again when there is room."""
    monkeypatch.setattr(door_module, "_PAUSE_S", 0.01)
    accepted = asyncio.Event()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set()
            transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            entries[0].left()

    entries: list[Entry] = []

    def make(entry: Entry) -> Protocol:
        entries.append(entry)
        return Protocol()

    door = Door(limits(), Proxies([]), make, lambda: None)
    with socket.create_server((HOST, 0)) as real, caplog.at_level(logging.ERROR):
        knocking = Knocking(real)
        door.open([knocking])  # type: ignore[list-item]  # stands in for the socket
        _, writer = await asyncio.open_connection(HOST, real.getsockname()[1])
        async with asyncio.timeout(10):
            await knocking.failed.wait()
            await accepted.wait()
        writer.close()
        door.close()
        await door.closed()
    assert [record.getMessage() for record in caplog.records] == [
        "cannot accept a connection (Too many open files): raise the limit of open files"
    ]


async def test_a_flood_of_connections_leaves_nothing_behind() -> None:
    """Opened, half-spoken and reset in their hundreds: every count is zero again."""
    async with served(limits(connections_max=1_000, connections_per_address_max=1_000)) as server:
        callers = [await server.call(f"127.0.3.{number % 20 + 1}") for number in range(300)]
        for number, caller in enumerate(callers):
            await caller.send((GET, GET[:9], UPGRADE, b"")[number % 4])
        for caller in callers:
            caller.writer.transport.abort()
        await server.until(inside=0, pending=0)
        assert not server.door._inside
        assert not server.door._pending_of
        assert (await (await server.call()).ask()).status == 200


async def test_a_frame_that_no_session_sees_is_counted_by_its_error() -> None:
    """The parser ends the connection; the door of the connection knows why."""
    async with served() as server:
        caller = await server.call()
        assert (await caller.ask(UPGRADE)).status == 101
        await caller.send(frame(OPCODE_TEXT, b"hello"))
        await caller.ended()
        assert dict(server.door.refused_frames) == {"text_frame": 1}
