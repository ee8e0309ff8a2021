"""What a client sends, taken apart into messages (RFC 6455), within bounds that are looked at frame by frame.

The usual parsers take any number of frames to a message (500,000 empty ones stall the loop for seconds) and any number
of pings. Here each frame is judged by its head, before its payload has come, and what lies behind the first fault is
never looked at. Frames and bytes have a budget of their own, whatever messages they make.

No clock and no socket: it is fed bytes and the time, and says what came. A connection of which nothing is half there
costs it a few numbers and no buffer.
"""

import math
from typing import Final

from schemas.limits import CONTROL_FRAMES_MAX, FRAGMENTS_MAX, MESSAGE_BYTES_MAX
from server.edge.bounds import (
    SOCKET_BYTES_BURST_MAX,
    SOCKET_BYTES_PER_S_MAX,
    SOCKET_FRAMES_BURST_MAX,
    SOCKET_FRAMES_PER_S_MAX,
)
from server.framing import CLOSE, PING, PONG

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled one for this platform
    from websockets.utils import apply_mask

CONT: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
_KNOWN: Final = frozenset({CONT, TEXT, BINARY, CLOSE, PING, PONG})
_FIN: Final = 0x80
_RESERVED: Final = 0x70
_OPCODE: Final = 0x0F
_MASKED: Final = 0x80
_WHOLE_BINARY: Final = _FIN | BINARY
_HEAD_BYTES: Final = 2
_MASK_BYTES: Final = 4
_LEAST_BYTES: Final = _HEAD_BYTES + _MASK_BYTES
_CONTROL_BYTES_MAX: Final = 125
_WIDTHS: Final = {126: 2, 127: 8}
_NO_CODE: Final = 1005
_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015)})
"""Those that a close frame may bear (RFC 6455 section 7.4.1, and the IANA registry as of 2026)..."""
_OWN_CODES: Final = range(3000, 5000)
"""... and those of libraries and applications (section 7.4.2)."""


class FrameReader:
    """One client's frames.

    Attributes:
        fault: the code of the registry that tells what was wrong; from then on nothing is read.
        retry_after_ms: with `too_fast`: after how long the budget would have been enough.
        closed: the code of the client's close frame, once it has come; from then on nothing is read.
    """

    __slots__ = (
        "_at_s", "_buffer", "_bytes_left", "_controls", "_fragments", "_frames_left", "_need", "_parts", "_size",
        "closed", "fault", "retry_after_ms",
    )  # fmt: skip

    def __init__(self, now_s: float) -> None:
        """Begin behind the handshake; `now_s` is a clock that never goes back."""
        self.fault: str | None = None
        self.retry_after_ms: int | None = None
        self.closed: int | None = None
        self._at_s = now_s
        self._frames_left: float = SOCKET_FRAMES_BURST_MAX
        self._bytes_left: float = SOCKET_BYTES_BURST_MAX
        self._buffer: bytearray | None = None
        self._need = 0
        self._parts: list[bytes] | None = None
        self._size = 0
        self._fragments = 0
        self._controls = 0

    def feed(self, data: bytes, now_s: float) -> list[tuple[int, bytes]]:
        """Take what came.

        Args:
            data: the next bytes.
            now_s: the clock.

        Returns:
            Whole messages (BINARY) and pings (PING) with what they bear, in order, up to the first fault.
        """
        found: list[tuple[int, bytes]] = []
        if self._buffer is not None:
            self._buffer += data
            if len(self._buffer) < self._need:
                return found
            data, self._buffer = bytes(self._buffer), None
        self._refill(now_s)
        at = 0
        while at < len(data) and self.fault is None and self.closed is None:
            then = self._frame(data, at, found)
            if then is None:
                break
            at = then
        if at < len(data) and self.fault is None and self.closed is None:
            self._buffer = bytearray(data[at:])
        return found

    def _frame(self, data: bytes, at: int, found: list[tuple[int, bytes]]) -> int | None:
        """Read the frame at a place: where it ends; None when it is not whole, or faulty."""
        have = len(data) - at
        if have < _HEAD_BYTES:
            self._need = _HEAD_BYTES
            return None
        first, size = data[at], data[at + 1] & ~_MASKED
        start = at + _LEAST_BYTES
        if size > _CONTROL_BYTES_MAX:
            width = _WIDTHS[size]
            if have < _HEAD_BYTES + width:
                self._need = _HEAD_BYTES + width
                return None
            size = int.from_bytes(data[at + _HEAD_BYTES : at + _HEAD_BYTES + width], "big")
            start += width
        self.fault = self._head_fault(first, data[at + 1], size)
        if self.fault is not None:
            return None
        end = start + size
        if end > len(data):
            self._need = end - at
            return None
        payload = apply_mask(data[start:end], data[start - _MASK_BYTES : start]) if size else b""
        if self._is_too_fast(size):
            return None
        if first == _WHOLE_BINARY and self._parts is None:
            self._controls = 0
            found.append((BINARY, payload))
        else:
            self._take(first, payload, found)
        return end

    def _head_fault(self, first: int, second: int, size: int) -> str | None:
        """What is wrong with a frame that begins so."""
        opcode = first & _OPCODE
        if opcode not in _KNOWN or first & _RESERVED or not second & _MASKED:
            return "broken_frame"
        if opcode & CLOSE:
            if size > _CONTROL_BYTES_MAX or not first & _FIN:
                return "broken_frame"
            return "too_many_fragments" if self._controls >= CONTROL_FRAMES_MAX and opcode != CLOSE else None
        if self._size + size > MESSAGE_BYTES_MAX:
            return "too_long"
        if opcode == TEXT:
            return "text_frame"
        if (opcode == CONT) != (self._parts is not None):
            return "broken_frame"
        return "too_many_fragments" if opcode == CONT and self._fragments >= FRAGMENTS_MAX else None

    def _take(self, first: int, payload: bytes, found: list[tuple[int, bytes]]) -> None:
        opcode = first & _OPCODE
        if opcode == CLOSE:
            self._close(payload)
        elif opcode & CLOSE:
            self._controls += 1
            if opcode == PING:
                found.append((PING, payload))
        else:
            self._part(payload, found, last=bool(first & _FIN))

    def _part(self, payload: bytes, found: list[tuple[int, bytes]], *, last: bool) -> None:
        parts = self._parts = [] if self._parts is None else self._parts
        parts.append(payload)
        self._fragments += 1
        self._size += len(payload)
        if last:
            found.append((BINARY, b"".join(parts)))
            self._parts = None
            self._fragments = self._controls = self._size = 0

    def _close(self, payload: bytes) -> None:
        """A close frame: never inside a message, with a code that may be sent, and a reason in UTF-8."""
        code = int.from_bytes(payload[:2], "big") if payload else _NO_CODE
        sound = not payload or (len(payload) > 1 and (code in _CODES or code in _OWN_CODES))
        try:
            payload[2:].decode()
        except UnicodeDecodeError:
            sound = False
        if not sound or self._parts is not None:
            self.fault = "broken_frame"
        else:
            self.closed = code

    # --- the budget --------------------------------------------------------------------------------------------------

    def _refill(self, now_s: float) -> None:
        passed = now_s - self._at_s
        if passed > 0:
            self._at_s = now_s
            self._frames_left = min(SOCKET_FRAMES_BURST_MAX, self._frames_left + passed * SOCKET_FRAMES_PER_S_MAX)
            self._bytes_left = min(SOCKET_BYTES_BURST_MAX, self._bytes_left + passed * SOCKET_BYTES_PER_S_MAX)

    def _is_too_fast(self, size: int) -> bool:
        """Count a frame (token buckets, Turner 1986)."""
        self._frames_left -= 1
        self._bytes_left -= size + _LEAST_BYTES
        if self._frames_left >= 0 and self._bytes_left >= 0:
            return False
        wait_s = max(-self._frames_left / SOCKET_FRAMES_PER_S_MAX, -self._bytes_left / SOCKET_BYTES_PER_S_MAX)
        self.retry_after_ms = math.ceil(wait_s * 1_000)
        self.fault = "too_fast"
        return True
