"""A socket on which a test speaks HTTP and WebSocket by hand, so that it can send what no library would."""

import asyncio
import os
import socket
import struct
from typing import Final, TypeVar

from schemas import wire
from schemas.codec import decode_down, encode
from server.app import SYNC_PATH

HOST: Final = "127.0.0.1"
PATIENCE_S: Final = 10.0
"""How long a step may take before the test gives up; nothing is asserted about how long it takes."""

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN: Final = 0x80
_Down = TypeVar("_Down")


class RawSocket:
    """A TCP socket on which a test speaks HTTP and WebSocket by hand."""

    def __init__(self, tcp: socket.socket) -> None:
        """Wrap a connected socket."""
        self._tcp = tcp
        self._seen = bytearray()

    @classmethod
    async def open(cls, port: int, receive_buffer: int | None = None) -> "RawSocket":
        """Connect to the loopback; a small receive buffer makes a device that cannot take much."""
        tcp = socket.socket()
        tcp.setblocking(False)
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(tcp, (HOST, port))
        return cls(tcp)

    @property
    def address(self) -> tuple[str, int]:
        """Its own end, as (host, port)."""
        host, port = self._tcp.getsockname()
        return host, port

    def close(self) -> None:
        """Close the TCP connection, with no word."""
        self._tcp.close()

    def reset(self) -> None:
        """Cut the TCP connection with a RST, as a network does that has lost its state."""
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._tcp.close()

    # --- bytes -------------------------------------------------------------------------------------------------------

    async def send(self, data: bytes, piece: int | None = None) -> bool:
        """Write, in pieces of so many bytes when it is given. Returns whether the other side took it all."""
        loop = asyncio.get_running_loop()
        step = len(data) if piece is None else piece
        try:
            async with asyncio.timeout(PATIENCE_S):
                for at in range(0, len(data), step or 1):
                    await loop.sock_sendall(self._tcp, data[at : at + step])
        except (ConnectionError, BrokenPipeError):
            return False
        return True

    async def _more(self) -> bool:
        async with asyncio.timeout(PATIENCE_S):
            try:
                data = await asyncio.get_running_loop().sock_recv(self._tcp, 65_536)
            except ConnectionError:
                return False
        self._seen += data
        return bool(data)

    async def _exactly(self, count: int) -> bytes | None:
        while len(self._seen) < count:
            if not await self._more():
                return None
        data = bytes(self._seen[:count])
        del self._seen[:count]
        return data

    async def to_the_end(self) -> bytes:
        """Everything until the other side closes the TCP connection."""
        while await self._more():
            pass
        return bytes(self._seen)

    # --- HTTP --------------------------------------------------------------------------------------------------------

    @staticmethod
    def request(subprotocol: str | None = wire.SUBPROTOCOL, path: str = SYNC_PATH) -> bytes:
        """The opening handshake (RFC 6455 section 4.1)."""
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {HOST}",
            "Upgrade: websocket",
            "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        if subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def handshake(self, subprotocol: str | None = wire.SUBPROTOCOL, piece: int | None = None) -> tuple[int, str]:
        """Ask for the upgrade: (HTTP status, response head)."""
        await self.send(self.request(subprotocol), piece)
        return await self.handshake_answer()

    async def handshake_answer(self) -> tuple[int, str]:
        """What the server answers to an upgrade: (HTTP status, response head)."""
        while (end := self._seen.find(b"\r\n\r\n")) < 0:
            assert await self._more(), "closed in the handshake"
        head = bytes(self._seen[:end]).decode()
        del self._seen[: end + 4]
        return int(head.split(" ", 2)[1]), head

    # --- frames ------------------------------------------------------------------------------------------------------

    async def send_message(self, message: wire.Up, piece: int | None = None) -> bool:
        """Send a message in one frame."""
        return await self.send(frame(BINARY, encode(message)), piece)

    async def frame(self) -> tuple[int, bytes] | None:
        """The next frame as (opcode, payload); None when the socket has ended."""
        head = await self._exactly(2)
        if head is None:
            return None
        assert head[0] & 0x70 == 0
        assert head[1] & 0x80 == 0
        length = head[1]
        for code, width in ((126, 2), (127, 8)):
            if head[1] == code:
                length = int.from_bytes(await self._exactly(width) or b"", "big")
        payload = await self._exactly(length)
        return None if payload is None else (head[0] & 0x0F, payload)

    async def message(self) -> wire.Down:
        """The next message; control frames before it are passed over."""
        while (found := await self.frame()) is not None:
            if found[0] == BINARY:
                return decode_down(found[1])
            assert found[0] != CLOSE, f"closed: {found[1]!r}"
        raise AssertionError("the socket has ended")

    async def until(self, kind: type[_Down]) -> _Down:
        """The next message of a kind; others before it are passed over."""
        while not isinstance(found := await self.message(), kind):
            pass
        return found

    async def ending(self) -> tuple[wire.Error | None, int | None]:
        """Read to the end: the ERROR that came, if one did, and the close code, if there was one."""
        error: wire.Error | None = None
        while (found := await self.frame()) is not None:
            if found[0] == CLOSE:
                return error, int.from_bytes(found[1][:2], "big")
            if found[0] == BINARY:
                message = decode_down(found[1])
                assert error is None, f"{message} after {error}"
                error = message if isinstance(message, wire.Error) else None
        return error, None


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bool = True, reserved: int = 0) -> bytes:
    """A frame as a client sends it (RFC 6455 section 5.2); the other arguments make one that must not be.

    Args:
        opcode: its low four bits.
        payload: what it holds.
        fin: whether it ends its message.
        mask: whether it is masked, as a client's must be.
        reserved: the three reserved bits, 0 to 7.
    """
    head = bytes([(FIN if fin else 0) | reserved << 4 | opcode])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65_536:
        head += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + _masked(payload, key)


def _masked(payload: bytes, key: bytes) -> bytes:
    length = len(payload)
    pattern = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(length, "big")
