"""The bounded WebSocket protocol over a transport that only remembers: what sockets cannot be made to do on time."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from server import websocket_protocol
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

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written += data

    def close(self) -> None:
        """Wait for the other side, which never reads."""
        self.closing = True

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
