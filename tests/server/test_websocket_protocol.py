"""The bounded WebSocket protocol over a transport that only remembers: what sockets cannot be made to do on time."""

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from schemas.codec import decode_down
from schemas.errors import ERRORS
from schemas.wire import Error
from server import websocket_protocol
from server.framing import PONG, WIRE, closing, framed
from server.websocket_protocol import BoundedWebSocketProtocol
from tests.server.rawsocket import BINARY, CLOSE, PING, TEXT, RawSocket, frame


class Transport:
    """A transport that keeps what is written, and is closed only by `abort`: the other side never reads."""

    def __init__(self) -> None:
        """Open."""
        self.written = b""
        self.lost: Callable[[Exception | None], None] = lambda _: None
        self.closing = False
        self.aborted = asyncio.Event()
        self.wrote = asyncio.Event()
        self.ending = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written += data
        self.wrote.set()

    def close(self) -> None:
        """Wait for the other side, which never reads."""
        self.closing = True
        self.ending.set()

    def abort(self) -> None:
        """Cut."""
        self.closing = True
        self.aborted.set()
        self.lost(None)

    def is_closing(self) -> bool:
        """Whether either was called."""
        return self.closing

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Nothing is known."""
        return default

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """Nothing comes by itself."""


def connected(app: Callable[[Scope, Receive, Send], Any]) -> tuple[BoundedWebSocketProtocol, Transport]:
    """The protocol on a transport, before the first byte."""
    config = uvicorn.Config(app, log_config=None)
    config.load()
    protocol = BoundedWebSocketProtocol(config, ServerState(), {})
    transport = Transport()
    transport.lost = protocol.connection_lost
    protocol.connection_made(cast("asyncio.Transport", transport))
    return protocol, transport


@pytest.mark.parametrize(
    "early",
    [frame(BINARY, b"\xc0"), frame(TEXT, b"abc"), frame(PING), frame(CLOSE), b"\xff" * 64, frame(BINARY, bytes(10**6))],
    ids=["message", "text", "ping", "close", "garbage", "long"],
)
async def test_a_client_that_does_not_wait_for_the_handshake_is_cut(early: bytes) -> None:
    """Frames before the 101 end the connection; nothing raises, and the application never hears of them."""
    heard: list[str] = []
    over = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])
        try:
            await send({"type": "websocket.accept"})
        finally:
            over.set()

    protocol, transport = connected(app)
    protocol.data_received(RawSocket.request())
    protocol.data_received(early)
    assert transport.aborted.is_set()
    await over.wait()
    assert heard == ["websocket.connect"]
    assert transport.written == b""


async def test_a_socket_that_never_takes_its_last_bytes_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the application is done, `close` alone would wait for the other side without end."""
    monkeypatch.setattr(websocket_protocol, "CUT_AFTER_S", 0.01)

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": b"\xc0"})

    protocol, transport = connected(app)
    protocol.data_received(RawSocket.request())
    await transport.aborted.wait()
    assert protocol.disconnected


async def test_a_socket_that_has_gone_is_not_cut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer of a connection ends with it."""
    over = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        over.set()

    protocol, transport = connected(app)
    protocol.data_received(RawSocket.request())
    await asyncio.sleep(0)
    protocol.connection_lost(None)
    await over.wait()
    await asyncio.sleep(0)
    assert protocol._cut is None
    assert not transport.aborted.is_set()


REQUEST = RawSocket.request()


# --- handshakes that are none ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        REQUEST.replace(b"Version: 13", b"Version: 8"),
        REQUEST.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""),
        REQUEST.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"planted-Zq81"),
        REQUEST.replace(b"GET", b"POST"),
        REQUEST[:-2] + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
        REQUEST[:-2] + b"planted Zq81 no header\r\n\r\n",
    ],
    ids=["version", "no key", "bad key", "method", "long", "no header"],
)
async def test_a_handshake_that_is_none_is_told_in_a_problem(head: bytes) -> None:
    """With the security headers, without anything of what was sent, and the connection ends; nothing waits."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("it reached the application")

    protocol, transport = connected(app)
    protocol.data_received(head)
    answer, _, body = transport.written.partition(b"\r\n\r\n")
    assert json.loads(body)["title"] == "no WebSocket"
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    for header in (b"x-content-type-options: nosniff", b"content-security-policy: ", b"application/problem+json"):
        assert header in answer.lower()
    assert b"planted" not in transport.written
    assert transport.closing
    protocol.connection_lost(None)


async def test_a_defect_in_the_application_is_told_in_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    """500 and nothing of the inside; the log has the traceback."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("planted defect")

    protocol, transport = connected(app)
    protocol.data_received(REQUEST)
    await transport.ending.wait()
    assert transport.written.startswith(b"HTTP/1.1 500")
    assert json.loads(transport.written.partition(b"\r\n\r\n")[2])["status"] == 500
    assert b"planted" not in transport.written
    assert "planted defect" in caplog.text
    transport.abort()


async def test_nothing_that_was_sent_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """At debug, of every logger: no address, no header, no frame."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "uvicorn.error")
    caplog.set_level(logging.DEBUG, "websockets")

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    protocol, transport = connected(app)
    protocol.data_received(RawSocket.request(path="/v1/sync?x=planted-1")[:-2] + b"Cookie: planted-2\r\n\r\n")
    await transport.wrote.wait()
    protocol.data_received(frame(BINARY, b"planted-3"))
    await transport.ending.wait()
    transport.abort()
    assert "planted" not in caplog.text


# --- the wire --------------------------------------------------------------------------------------------------------


class Listening:
    """Whoever takes what comes."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.messages: list[bytes] = []
        self.ends = 0
        self.end = asyncio.Event()

    def came(self, message: bytes) -> None:
        """Remember it."""
        self.messages.append(message)

    def gone(self) -> None:
        """Count."""
        self.ends += 1
        self.end.set()


class Taking:
    """An application that accepts, takes the wire, and stays until it is let go."""

    def __init__(self) -> None:
        """Nobody has come yet."""
        self.sink = Listening()
        self.accepted = asyncio.Event()
        self.leave = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        await receive()
        await send({"type": "websocket.accept"})
        scope["extensions"][WIRE].deliver_to(self.sink)
        self.accepted.set()
        await self.leave.wait()

    async def opened(self) -> tuple[BoundedWebSocketProtocol, Transport]:
        """A connection of which the wire is taken; what the handshake wrote is forgotten."""
        protocol, transport = connected(self)
        protocol.data_received(REQUEST)
        await self.accepted.wait()
        assert transport.written.startswith(b"HTTP/1.1 101 ")
        transport.written = b""
        return protocol, transport


async def test_messages_come_in_the_turn_in_which_their_bytes_come() -> None:
    """Whole ones, in order, without a task; pings are answered in one write."""
    app = Taking()
    protocol, transport = await app.opened()
    part = frame(BINARY, b"three")
    protocol.data_received(frame(BINARY, b"one") + frame(PING, b"a") + frame(BINARY, b"two") + frame(PING) + part[:5])
    assert app.sink.messages == [b"one", b"two"]
    assert transport.written == framed(b"a", PONG) + framed(b"", PONG)
    protocol.data_received(part[5:])
    assert app.sink.messages[2:] == [b"three"]
    transport.abort()
    assert app.sink.ends == 1
    app.leave.set()


async def test_a_fault_is_told_once_and_nothing_follows_it() -> None:
    """ERROR, then a close frame with its code; what is put after it goes nowhere."""
    app = Taking()
    protocol, transport = await app.opened()
    protocol.data_received(frame(BINARY, b"one") + frame(TEXT, b"x") + frame(BINARY, b"two"))
    assert app.sink.messages == [b"one"]
    error = decode_down(transport.written[2 : 2 + transport.written[1]])
    assert isinstance(error, Error)
    assert error.code == "text_frame"
    close = transport.written[2 + transport.written[1] :]
    assert (close[0], int.from_bytes(close[2:4], "big")) == (0x80 | CLOSE, ERRORS["text_frame"].close)
    assert (app.sink.ends, protocol.takes, transport.closing) == (1, False, True)
    said = transport.written
    protocol.put([b"more"])
    protocol.data_received(frame(TEXT, b"x"))
    assert transport.written == said
    transport.abort()
    assert app.sink.ends == 1
    app.leave.set()


async def test_a_close_frame_is_answered() -> None:
    """With the code that came; whoever listens hears that the client has gone."""
    app = Taking()
    protocol, transport = await app.opened()
    protocol.data_received(frame(CLOSE, (1001).to_bytes(2, "big")))
    assert transport.written == closing(1001)
    assert (app.sink.ends, transport.closing) == (1, True)
    transport.abort()
    app.leave.set()


async def test_whoever_takes_the_wire_late_hears_that_the_client_has_gone() -> None:
    """Between the answer to the handshake and the listening it may have left."""
    app = Taking()
    protocol, transport = await app.opened()
    transport.abort()
    late = Listening()
    protocol.deliver_to(late)
    assert late.ends == 1
    app.leave.set()


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is written past the transport there")
@pytest.mark.parametrize("taken", [0, 1, 5_000], ids=["full", "a byte", "a part"])
async def test_what_the_kernel_does_not_take_follows_in_order(monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    """A socket that is full, or takes a part: the rest is the transport's, and everything behind it too."""
    loop, app = asyncio.get_running_loop(), Taking()
    here, there = socket.socketpair()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    config = uvicorn.Config(app, log_config=None)
    config.load()
    _, protocol = await loop.create_connection(
        lambda: BoundedWebSocketProtocol(config, ServerState(), {}), sock=here
    )  # fmt: skip
    there.setblocking(False)
    await loop.sock_sendall(there, REQUEST)
    await app.accepted.wait()
    written: list[int] = []

    def write(fd: int, data: bytes) -> int:
        written.append(len(data))
        if taken == 0:
            raise BlockingIOError
        return original(fd, data[:taken])

    original = os.write
    monkeypatch.setattr(os, "write", write)
    messages = [framed(bytes([n]) * 9_000) for n in range(40)]
    protocol.put(messages[:20])
    for message in messages[20:]:
        protocol.put([message])
    assert written == [20 * 9_004], "what waits in the transport is not overtaken"
    seen = b""
    while len(seen.partition(b"\r\n\r\n")[2]) < 40 * 9_004:
        seen += await loop.sock_recv(there, 65_536)
    assert seen.partition(b"\r\n\r\n")[2] == b"".join(messages)
    there.close()
    await app.sink.end.wait()
    app.leave.set()
    await asyncio.sleep(0)
