"""A WebSocket client that costs next to nothing: RFC 6455 by hand, bytes to a callback, the moment of each arrival.

A load generator must not be the limit. It masks with zeros (RFC 6455 section 5.3 asks clients to mask; against a server
that is not a shared proxy the key may be any) and never copies what it need not.
"""

import asyncio
import base64
import os
import struct
import time
from collections.abc import Callable
from typing import Final, cast

from schemas.wire import SUBPROTOCOL

_HANDSHAKE: Final = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
)
_ACCEPTED: Final = b"HTTP/1.1 101 "
_FINAL_BINARY, _CLOSE, _PING, _PONG = 0x82, 0x88, 0x89, 0x8A
_SHORT_MAX, _MEDIUM_MAX = 125, 0xFFFF
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)


class Wire(asyncio.Protocol):
    """One connection.

    Attributes:
        heard_at: when bytes last came (`time.perf_counter`).
        bytes_in, bytes_out: how many came and went in all.
        messages_in: how many messages came.
        closed: done once the connection is over.
    """

    def __init__(self, host: str, path: str, took: Callable[[bytes], object]) -> None:
        """Bind it; `took` is called with each message."""
        self._hello = _HANDSHAKE.format(
            path=path, host=host, key=base64.b64encode(os.urandom(16)).decode(), protocol=SUBPROTOCOL
        )
        self._took = took
        self._buffer = b""
        self._open = False
        self.heard_at = 0.0
        self.bytes_in = self.bytes_out = 0
        self.messages_in = 0
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._hello.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if not self.closed.done():
            self.closed.set_result("lost" if exc is None else str(exc))

    def data_received(self, data: bytes) -> None:
        """Take frames out of what came."""
        self.heard_at = time.perf_counter()
        self.bytes_in += len(data)
        buffer = self._buffer + data if self._buffer else data
        if not self._open:
            head, end, buffer = buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            if not head.startswith(_ACCEPTED):
                self.close()
                self.closed.set_result(head.split(b"\r\n")[0].decode("latin-1"))
                return
            self._open = True
        at = 0
        while (found := _frame(buffer, at)) is not None:
            opcode, start, at = found
            self._take(opcode, buffer[start:at])
        self._buffer = buffer[at:]

    def _take(self, opcode: int, payload: bytes) -> None:
        match opcode:
            case 0x82:
                self.messages_in += 1
                self._took(payload)
            case 0x89:
                self._put(_PONG, payload)
            case 0x88:
                self.close()
            case _:
                pass

    def send(self, payload: bytes) -> None:
        """Put one message on its way."""
        self._put(_FINAL_BINARY, payload)

    def _put(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size <= _SHORT_MAX:
            head = struct.pack("!BB", opcode, _MASKED | size)
        elif size <= _MEDIUM_MAX:
            head = struct.pack("!BBH", opcode, _MASKED | 126, size)
        else:
            head = struct.pack("!BBQ", opcode, _MASKED | 127, size)
        if self._transport is not None and not self._transport.is_closing():
            self.bytes_out += len(head) + len(_NO_MASK) + size
            self._transport.write(b"".join((head, _NO_MASK, payload)))

    def pause(self) -> None:
        """Read nothing more: what comes stays in the kernel, and then with the other side."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()


def frame_bytes(size: int, *, masked: bool) -> int:
    """How many bytes a message of a size is on the wire, in one frame (RFC 6455 section 5.2)."""
    head = 2 if size <= _SHORT_MAX else 4 if size <= _MEDIUM_MAX else 10
    return head + (len(_NO_MASK) if masked else 0) + size


def _frame(buffer: bytes, at: int) -> tuple[int, int, int] | None:
    """(first byte, where its payload begins, where it ends) of the frame at a place; None when it is not whole."""
    if len(buffer) < at + 2:
        return None
    opcode, size, start = buffer[at], buffer[at + 1], at + 2
    extra = {126: 2, 127: 8}.get(size, 0)
    if len(buffer) < start + extra:
        return None
    if extra:
        size = int.from_bytes(buffer[start : start + extra], "big")
    start += extra
    return None if len(buffer) < start + size else (opcode, start, start + size)


async def connect(wire: Wire, host: str, port: int) -> None:
    """Open a connection. Its first message may come before this returns."""
    await asyncio.get_running_loop().create_connection(lambda: wire, host, port)
