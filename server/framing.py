"""WebSocket frames of the server's: made once for all who get them; and the way on which messages come and go.

What a commit changes goes to everybody who stands at the same place, as the same bytes. Through ASGI each of these
sends is a task woken, three calls of wrappers and a frame made anew, and each message that comes is as much. So a
connection offers its `Wire` to whoever serves it: whole frames out, one write for all of one turn of the loop, and
messages in by callback, in the turn in which they came.
"""

import struct
from collections.abc import Sequence
from typing import Final, Protocol

WIRE: Final = "beatbook.wire"
"""Under this name the connection's `Wire` stands among the extensions of its ASGI scope."""
_FIN: Final = 0x80
_BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_SHORT_MAX: Final = 125
_MEDIUM_MAX: Final = 0xFFFF
_CODE_BYTES: Final = 2


class Sink(Protocol):
    """Whoever takes what comes on a `Wire`."""

    def came(self, message: bytes) -> None:
        """One whole message."""

    def gone(self) -> None:
        """Nothing more comes, and nothing more goes: the client has left, or was cut."""


class Wire(Protocol):
    """The way to a client past ASGI."""

    @property
    def takes(self) -> bool:
        """Whether it takes frames now: it is open, nothing else is being said, and the client reads."""

    claimed: bool
    """Set by whoever has something else to say on it first: what goes to everybody waits for that."""

    def put(self, frames: Sequence[bytes]) -> None:
        """Write whole frames, in order. Begin only while it `takes`; one that has ended since forgets them."""

    def send(self, data: bytes) -> None:
        """Write whole frames that stand one behind the other, while it `takes`."""

    def deliver_to(self, sink: Sink) -> None:
        """Call `sink` with all that comes from now on, instead of ASGI's `receive`."""

    def hold(self) -> None:
        """Read nothing more; what was read already still comes."""

    def go_on(self) -> None:
        """Read again."""


def framed(payload: bytes, opcode: int = _BINARY) -> bytes:
    """A message, or what a control frame bears, as one unmasked frame (RFC 6455 section 5.2)."""
    size = len(payload)
    first = _FIN | opcode
    if size <= _SHORT_MAX:
        head = struct.pack("!BB", first, size)
    elif size <= _MEDIUM_MAX:
        head = struct.pack("!BBH", first, 126, size)
    else:
        head = struct.pack("!BBQ", first, 127, size)
    return head + payload


def closing(code: int, reason: str = "") -> bytes:
    """A close frame (RFC 6455 section 5.5.1); its reason is cut to what a control frame holds."""
    said = reason.encode()[: _SHORT_MAX - _CODE_BYTES].decode(errors="ignore")
    return framed(struct.pack("!H", code) + said.encode(), CLOSE)
