"""The rows of a page, packed: Zstandard (RFC 8878) around one MessagePack array of them.

Records of one kind are much alike: a page of incidents gets to a ninth of its length, in a third of a microsecond for
each record, and once for all devices that take the same page. What comes out is bounded before it is unpacked, and then
walked like any message.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import zstandard

from schemas.codec import decode_rows
from schemas.errors import FrameError
from schemas.limits import MESSAGE_BYTES_MAX

ZSTD: Final = "zstd"
"""What a device says in HELLO that it takes (`schemas.wire.HelloBody.packs`)."""
_LEVEL: Final = 3
"""Levels above it save a few percent at many times the cost."""


def pack(rows: Sequence[bytes]) -> bytes:
    """Encoded rows as `Snapshot.packed` has them."""
    plain = msgspec.msgpack.encode(tuple(map(msgspec.Raw, rows)))
    return zstandard.ZstdCompressor(level=_LEVEL).compress(plain)


def unpack(packed: bytes) -> tuple[msgspec.Raw, ...]:
    """The rows, each still encoded.

    Raises:
        FrameError: it is no such frame, does not say how long it will be, would be longer than a message, or holds
            anything but one array of rows inside the bounds.
    """
    try:
        size = zstandard.get_frame_parameters(packed).content_size
        if size > MESSAGE_BYTES_MAX:
            # Also one that does not say: its size reads as the largest number there is.
            raise FrameError("too_long", f"the rows would be {size} bytes, at most {MESSAGE_BYTES_MAX}")
        plain = zstandard.ZstdDecompressor(max_window_size=2 * MESSAGE_BYTES_MAX).decompress(
            packed, max_output_size=MESSAGE_BYTES_MAX, allow_extra_data=False
        )
    except zstandard.ZstdError:
        raise FrameError("wrong_field", "packed is not one Zstandard frame") from None
    return decode_rows(plain)
