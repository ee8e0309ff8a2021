"""WebSocket frames that are made once for all who get them, and the way on which they leave.

What a commit changes goes to everybody who stands at the same place, as the same bytes. Through ASGI each of these
sends is a task woken, three calls of wrappers and a frame made anew. So a connection offers its `Wire` to whoever
serves it: whole frames in, one write for all of one turn of the loop.
"""

import struct
from collections.abc import Sequence
from typing import Final, Protocol

WIRE: Final = "beatbook.wire"
"""Under this name the connection's `Wire` stands among the extensions of its ASGI scope."""
_BINARY: Final = 0x82
"""FIN and the opcode of a binary frame (RFC 6455 section 5.2)."""
_SHORT_MAX: Final = 125
_MEDIUM_MAX: Final = 0xFFFF


class Wire(Protocol):
    """The way to a client past ASGI."""

    @property
    def takes(self) -> bool:
        """Whether it takes frames now: it is open, nothing else is being said, and the client reads."""

    def put(self, frames: Sequence[bytes]) -> None:
        """Write whole frames, in order. Begin only while it `takes`; one that has ended since forgets them."""


def framed(payload: bytes) -> bytes:
    """A message as one unmasked binary frame (RFC 6455 section 5.2): the same bytes for every client."""
    size = len(payload)
    if size <= _SHORT_MAX:
        head = struct.pack("!BB", _BINARY, size)
    elif size <= _MEDIUM_MAX:
        head = struct.pack("!BBH", _BINARY, 126, size)
    else:
        head = struct.pack("!BBQ", _BINARY, 127, size)
    return head + payload
