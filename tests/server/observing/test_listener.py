"""The port for those who watch answers three paths, and nobody who calls it can do anything to it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from server.observing import listener as module
from server.observing.listener import CALLERS_MAX, HEAD_BYTES_MAX, Answer, Listener

HOST = "127.0.0.1"


async def told(accept: str) -> Answer:
    """Say what was accepted."""
    return Answer(HTTPStatus.OK, accept.encode())


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[int]:
    """A listener with one path; gives its port."""
    bound = socket.create_server((HOST, 0))
    port = bound.getsockname()[1]
    listener = Listener({"/metrics": told})
    await listener.open(bound)
    yield port
    await listener.close()


async def said(port: int, request: bytes) -> str:
    """Everything that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    try:
        return (await reader.read()).decode()
    except ConnectionError:
        return ""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("GET /metrics HTTP/1.1", 200),
        ("GET /metrics?x=1 HTTP/1.1", 200),
        ("HEAD /metrics HTTP/1.1", 200),
        ("POST /metrics HTTP/1.1", 405),
        ("GET / HTTP/1.1", 404),
        ("GET /v1/records HTTP/1.1", 404),
        ("GET /metrics HTTP/2", 400),
        ("nonsense", 400),
    ],
)
async def test_it_answers_what_it_knows_and_refuses_the_rest(first: str, status: int) -> None:
    """Each answer is whole, and ends its connection."""
    async with listening() as port:
        head, _, body = (await said(port, f"{first}\r\nAccept: text/x\r\n\r\n".encode())).partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "Connection: close" in head
    if status == 200:
        assert "Content-Length: 6" in head
        assert body == ("" if first.startswith("HEAD") else "text/x")


async def test_a_head_without_end_is_cut() -> None:
    """No more of it is kept than a request may have."""
    async with listening() as port:
        assert await said(port, b"GET /metrics HTTP/1.1\r\nX: " + bytes(HEAD_BYTES_MAX * 4)) == ""
        assert (await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 200")


async def test_one_who_says_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller has little time, and its place is free again afterwards."""
    monkeypatch.setattr(module, "HEAD_S_MAX", 0.0)
    async with listening() as port:
        assert await said(port, b"GET") == ""


async def test_so_many_may_call_at_once() -> None:
    """One more is closed at once; those who go make place."""
    async with listening() as port:
        held = [await asyncio.open_connection(HOST, port) for _ in range(CALLERS_MAX)]
        # Each has its place once the loop has accepted it, which it does in order.
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read() == b""
        writer.close()
        for _, each in held:
            each.close()
        for gone, _ in held:
            assert await gone.read() == b""
        assert (await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 200")
