"""The bounded WebSocket protocol over a transport that only remembers: what sockets cannot be made to do on time."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from schemas.codec import decode_down
from schemas.errors import ERRORS
from schemas.limits import FRAGMENTS_MAX, FRAMES_BURST_MAX, MESSAGE_BYTES_MAX
from schemas.wire import Error
from server import websocket_protocol
from server.edge.bounds import SOCKET_BYTES_BURST_MAX, SOCKET_FRAMES_BURST_MAX, SOCKET_FRAMES_PER_S_MAX
from server.websocket_protocol import BoundedServerProtocol, BoundedWebSocketProtocol
from tests.server.rawsocket import BINARY, CLOSE, CONT, PING, TEXT, RawSocket, frame


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


# --- the budgets -----------------------------------------------------------------------------------------------------

REQUEST = RawSocket.request()


def opened() -> BoundedServerProtocol:
    """The parser behind its handshake."""
    parser = BoundedServerProtocol()
    parser.receive_data(REQUEST)
    (request,) = parser.events_received()
    parser.send_response(parser.accept(request))  # type: ignore[arg-type]  # the first event of a server is the request
    parser.data_to_send()
    return parser


def refusal(parser: BoundedServerProtocol) -> Error | None:
    """The ERROR that the parser sends, after which it takes nothing more; None while it goes on."""
    if parser.parser_exc is None:
        return None
    sent = b"".join(parser.data_to_send())
    length, start = (sent[1], 2) if sent[1] < 126 else (int.from_bytes(sent[2:4], "big"), 4)
    error = decode_down(sent[start : start + length])
    assert isinstance(error, Error)
    close = sent[start + length :]
    assert close[0] == 0x80 | CLOSE
    assert int.from_bytes(close[2:4], "big") == ERRORS[error.code].close
    return error


def test_a_flood_of_tiny_messages_is_cut_at_the_burst() -> None:
    """So many frames at once and no more, whatever they are; the answer says when to come back."""
    parser = opened()
    tiny = frame(BINARY, b"\xc0")
    parser.receive_data(tiny * SOCKET_FRAMES_BURST_MAX)
    assert refusal(parser) is None
    assert len(parser.events_received()) == SOCKET_FRAMES_BURST_MAX
    parser.receive_data(tiny)
    error = refusal(parser)
    assert error is not None
    assert (error.code, error.recovery) == ("too_fast", "retry")
    assert error.retry_after_ms is not None
    assert error.retry_after_ms >= 1


def test_frames_at_the_pace_pass_for_ever() -> None:
    """A device that is busy all day is not cut; one that is twice as fast is."""
    for per_s, cut in ((SOCKET_FRAMES_PER_S_MAX, False), (2 * SOCKET_FRAMES_PER_S_MAX, True)):
        parser = opened()
        for second in range(60):
            parser.now_s = float(second)
            parser.receive_data(frame(BINARY, b"\xc0") * int(per_s))
            parser.events_received()
        assert (parser.parser_exc is not None) == cut


def test_pings_between_messages_are_frames_like_others() -> None:
    """A message now and then does not buy a flood of pings."""
    parser = opened()
    round_trip = frame(BINARY, b"\xc0") + frame(PING) * 60
    for _ in range(SOCKET_FRAMES_BURST_MAX // 61):
        parser.receive_data(round_trip)
        assert refusal(parser) is None
        parser.events_received()
        parser.data_to_send()
    parser.receive_data(round_trip)
    error = refusal_after_pongs(parser)
    assert error.code == "too_fast"


def refusal_after_pongs(parser: BoundedServerProtocol) -> Error:
    """The ERROR behind the answers to the pings before it."""
    sent = b"".join(parser.data_to_send())
    at = 0
    while sent[at] == 0x80 | 0xA:
        at += 2
    error = decode_down(sent[at + 2 : at + 2 + sent[at + 1]])
    assert isinstance(error, Error)
    return error


def test_empty_fragments_are_cut_before_the_budget() -> None:
    """A message of too many frames ends the connection at its bound, not at the burst's."""
    parser = opened()
    parser.receive_data(frame(BINARY, b"", fin=False) + frame(CONT, b"", fin=False) * 500_000)
    error = refusal(parser)
    assert error is not None
    assert error.code == "too_many_fragments"
    assert len(parser.events_received()) == FRAGMENTS_MAX


def test_more_bytes_than_the_burst_are_cut() -> None:
    """Large messages are counted by their length; those within the budget pass."""
    parser = opened()
    large = frame(BINARY, bytes(MESSAGE_BYTES_MAX))
    fitting = SOCKET_BYTES_BURST_MAX // (MESSAGE_BYTES_MAX + 6)
    assert fitting < FRAMES_BURST_MAX
    for _ in range(fitting):
        parser.receive_data(large)
        assert refusal(parser) is None
        parser.events_received()
    parser.receive_data(large)
    error = refusal(parser)
    assert error is not None
    assert (error.code, error.retry_after_ms is not None) == ("too_fast", True)


def test_deflate_is_never_agreed_to() -> None:
    """Also for a client that asks for it: 58 kB a connection, and a bomb in every message."""
    parser = BoundedServerProtocol()
    asking = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    parser.receive_data(REQUEST[:-2] + asking)
    (request,) = parser.events_received()
    response = parser.accept(request)  # type: ignore[arg-type]  # as above
    assert response.status_code == 101
    assert "Sec-WebSocket-Extensions" not in response.headers


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
