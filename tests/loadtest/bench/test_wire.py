"""The load generator's own WebSocket: frames in any pieces, and what a real server takes."""

import asyncio

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from loadtest.bench.wire import Wire, connect
from schemas.wire import SUBPROTOCOL

HOST = "127.0.0.1"
SIZES = (0, 1, 125, 126, 65_535, 65_536, 200_000)


async def test_messages_of_every_size_come_back_whole() -> None:
    """Each of the three forms of a length (RFC 6455 section 5.2), each way, against an independent server."""

    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    came: asyncio.Queue[bytes] = asyncio.Queue()
    async with serve(echo, HOST, 0, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        wire = Wire(f"{HOST}:{port}", "/", came.put_nowait)
        await connect(wire, HOST, port)
        for size in SIZES:
            wire.send(b"x" * size)
        assert [len(await came.get()) for _ in SIZES] == list(SIZES)
        wire.close()
        await wire.closed


async def test_bytes_in_any_pieces_are_the_same_messages() -> None:
    """One at a time, or all at once: two frames, and the beginning of a third that is not there yet."""
    stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x03abc\x82\x7e\x00\x80" + b"y" * 128 + b"\x82\x05pa"
    for step in (1, 7, len(stream)):
        came: list[bytes] = []
        wire = Wire(HOST, "/", came.append)
        for at in range(0, len(stream), step):
            wire.data_received(stream[at : at + step])
        assert came == [b"abc", b"y" * 128]
        assert wire.bytes_in == len(stream)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"HTTP/1.1 429 Too Many Requests\r\n\r\n"])
async def test_a_refused_handshake_says_how(answer: bytes) -> None:
    """The server's words end the connection."""
    wire = Wire(HOST, "/", lambda _: None)
    wire.data_received(answer)
    assert await wire.closed == answer.split(b"\r\n")[0].decode()
