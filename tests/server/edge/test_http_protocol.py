"""Requests that are slow, large or no HTTP: each is told in a problem and ends its connection."""

import asyncio
import socket
from typing import cast
from unittest import mock

import pytest
from uvicorn.server import ServerState

from server.edge import http_protocol
from server.edge.bounds import HEAD_BYTES_MAX, HEADERS_MAX
from server.edge.http_protocol import _DEADLINES, _LATE_BODY, _LATE_HEAD, BoundedHttpProtocol, _Phase
from tests.server.edge.served import FEW, GET, HOST, Application, served

HEAD = f"Host: {HOST}\r\n"
POST = f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 10\r\n\r\n".encode()
CHUNKED = f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for."""
    monkeypatch.setitem(_DEADLINES, _Phase.HEAD, (60, _LATE_HEAD))
    monkeypatch.setitem(_DEADLINES, _Phase.BODY, (60, _LATE_BODY))


async def given_up(sent: bytes, part: str) -> Application:
    """The application, once a caller was told that this part of its request did not come, and its connection ended."""
    async with served() as server:
        caller = await server.call()
        await caller.send(sent)
        answer = await caller.answer()
        assert answer.status == 408
        assert part in answer.problem["detail"]
        assert await caller.ended() == b""
        return server.app


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "sent", [b"", b"G", GET[:-2], b"\r\n", b"GET / HTTP/1.1\r\nHost", b"GET / HTTP/1.1\r\nX: y\r\n"]
)
async def test_a_head_that_does_not_end_is_told_and_ended(sent: bytes) -> None:
    """Half-sent requests, blank lines and silence: 408 after the deadline, and the connection ends."""
    assert (await given_up(sent, "head")).scopes == []


@pytest.mark.parametrize(
    ("start", "piece"),
    [(b"GET / HTTP/1.1\r\n", b"X: y\r\n"), (b"", b"\r\n"), (CHUNKED, b"1\r\nx\r\n"), (GET, b"\r\n")],
    ids=["header", "blank", "chunk", "later"],
)
async def test_bytes_that_trickle_do_not_move_the_deadline(start: bytes, piece: bytes) -> None:
    """A header line or a chunk now and then (slowloris) keeps a connection no longer than silence does."""
    async with served() as server:
        protocol = BoundedHttpProtocol(server.config, ServerState(), {})
        transport = cast("asyncio.Transport", mock.create_autospec(asyncio.Transport, instance=True))
        transport.get_extra_info = lambda *_: None  # type: ignore[method-assign]  # nothing is known
        transport.get_write_buffer_size = lambda: 0  # type: ignore[method-assign]  # everything has gone
        protocol.connection_made(transport)
        protocol.data_received(start)
        protocol.data_received(piece)
        deadline = protocol._deadline
        assert deadline is not None
        for _ in range(100):
            protocol.data_received(piece)
            assert protocol._deadline is deadline
        protocol.connection_lost(None)
        assert deadline.cancelled()


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("sent", [POST, POST + b"12345", CHUNKED, CHUNKED + b"5\r\n12345\r\n", CHUNKED + b"5"])
async def test_a_body_that_does_not_end_is_told_and_ended(sent: bytes) -> None:
    """408 after the deadline; the application learns that its caller has gone."""
    assert (await given_up(sent, "body")).bodies == []


@pytest.mark.usefixtures("hurried")
async def test_a_later_request_has_its_own_deadline() -> None:
    """A connection that is kept is answered again and again; its next head must come in time once it has begun."""
    async with served() as server:
        caller = await server.call()
        for _ in range(3):
            assert (await caller.ask()).status == 200
        await caller.send(b"\r\n")
        assert (await caller.answer()).status == 408
        await caller.ended()


async def test_good_requests_pass_in_any_pieces() -> None:
    """Byte by byte, several at once, with a body of either framing, up to the bounds of a head."""
    lines = [f"X-{number}: {'y' * 400}" for number in range(HEADERS_MAX - 2)]
    large = ("GET / HTTP/1.1\r\n" + HEAD + "\r\n".join(lines) + "\r\n\r\n").encode()
    assert HEAD_BYTES_MAX * 3 // 4 < len(large) < HEAD_BYTES_MAX
    async with served() as server:
        caller = await server.call()
        for byte in GET:
            await caller.send(bytes([byte]))
        assert (await caller.answer()).status == 200
        await caller.send(GET * 3)
        assert [(await caller.answer()).status for _ in range(3)] == [200] * 3
        assert (await caller.ask(POST + b"x" * 10)).status == 200
        assert (await caller.ask(CHUNKED + b"5\r\n12345\r\n0\r\n\r\n")).status == 200
        assert (await caller.ask(large)).status == 200
        assert server.app.bodies == [0, 0, 0, 0, 10, 5, 0]


@pytest.mark.parametrize(
    "head",
    [
        "X: " + "y" * HEAD_BYTES_MAX,
        "\r\n".join(f"X-{number}: y" for number in range(HEADERS_MAX)),
        "Y" * HEAD_BYTES_MAX + ": x",
    ],
    ids=["value", "lines", "name"],
)
@pytest.mark.parametrize("piece", [None, 4_000])
@pytest.mark.parametrize("upgrade", ["", "Upgrade: websocket\r\nConnection: Upgrade\r\n"], ids=["http", "socket"])
async def test_a_head_that_is_too_large_is_refused(head: str, piece: int | None, upgrade: str) -> None:
    """431, whether it comes whole or in pieces, and never reaches the application."""
    data = f"GET / HTTP/1.1\r\n{HEAD}{upgrade}{head}\r\n\r\n".encode()
    async with served() as server:
        caller = await server.call()
        for at in range(0, len(data), piece or len(data)):
            await caller.send(data[at : at + (piece or len(data))])
        answer = await caller.answer()
        assert answer.status == 431
        assert str(HEADERS_MAX) in answer.problem["detail"]
        assert server.app.scopes == []
        await caller.ended()


async def test_a_head_without_end_is_refused_while_it_comes() -> None:
    """What is not yet whole is not kept without bound either."""
    async with served() as server:
        caller = await server.call()
        await caller.send(b"GET /" + b"x" * (HEAD_BYTES_MAX + 1))
        assert (await caller.answer()).status == 431


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-x\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET / HTTP/1.1\r\nX: y\x00\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        POST.replace(b"10", b"-1"), POST.replace(b"10", b"1, 2"), b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        POST.replace(b"Content-Length: 10", b"Content-Length: 10\r\nTransfer-Encoding: chunked"),
        b"GET / HTTP/1.1\nHost: x\n\n\x00",
    ],
)  # fmt: skip
async def test_what_is_no_http_is_told(data: bytes) -> None:
    """One problem detail, no traceback, no echo of what came; the connection ends."""
    async with served() as server:
        caller = await server.call()
        answer = await caller.ask(data)
        if answer.status != 200:
            assert answer.status == 400
            assert answer.problem["title"] == "request not understood"
            await caller.ended()


async def test_trailers_are_no_headers() -> None:
    """What comes behind a chunked body was not judged, and does not appear as if it had been."""
    async with served() as server:
        caller = await server.call()
        body = b"1\r\nx\r\n0\r\nAuthorization: Bearer stolen\r\nHost: evil\r\n\r\n"
        assert (await caller.ask(CHUNKED + body)).status == 200
        names = [name for name, _ in server.app.scopes[0]["headers"]]
        assert b"authorization" not in names
        assert names.count(b"host") == 1


async def test_another_upgrade_is_passed_over() -> None:
    """Who asks for another protocol is answered in this one, and the connection ends: what follows is not HTTP."""
    async with served() as server:
        caller = await server.call()
        answer = await caller.ask(f"GET / HTTP/1.1\r\n{HEAD}Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n".encode())
        assert answer.status == 200
        await caller.ended()


async def test_who_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that nobody takes does not hold its connection for ever; one that is taken slowly comes whole."""
    monkeypatch.setattr(http_protocol, "BODY_TIMEOUT_MS", 50)
    async with served(FEW) as server:
        server.app.large = 32 * 1_024 * 1_024
        stuck = socket.create_connection((HOST, server.port))
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        stuck.sendall(GET)
        await server.until(inside=1)
        await server.until(inside=0)
        stuck.close()
        slow = await server.call()
        answer = await slow.ask()
        assert len(answer.body) == server.app.large
