"""A walk over untrusted MessagePack that builds nothing: is this one value, and inside every bound?

The typed decoder behind it would build what a hostile length promises before it looks, follow nesting down to the
interpreter's limit, and accept values that other languages read differently. This walk costs some microseconds per op
and decides first. It knows the whole format (msgpack/spec, 2017) and only that.
"""

import math
import struct
from typing import Final

from schemas import limits
from schemas.errors import FrameError

# What a type byte announces. "fixed" types carry their length in the byte itself.
_SCALAR_BYTES: Final = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xD0: 1, 0xD1: 2, 0xD2: 4}
_BIN_LENGTH_BYTES: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_STR_LENGTH_BYTES: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAY_LENGTH_BYTES: Final = {0xDC: 2, 0xDD: 4}
_MAP_LENGTH_BYTES: Final = {0xDE: 2, 0xDF: 4}
_FLOATS: Final = {0xCA: (4, struct.Struct(">f")), 0xCB: (8, struct.Struct(">d"))}
_UINT64: Final = 0xCF
_INT64: Final = 0xD3


def check(data: bytes, bytes_max: int = limits.MESSAGE_BYTES_MAX) -> None:
    """Accept `data` as exactly one MessagePack value inside the bounds of `schemas.limits`.

    Args:
        data: the message as it came.
        bytes_max: its own bound.

    Raises:
        FrameError: with code `too_long`, `not_msgpack`, `too_deep`, `too_many` or `bad_value`; the detail says the
            byte at which it was seen.
    """
    if len(data) > bytes_max:
        raise FrameError("too_long", f"{len(data)} bytes, at most {bytes_max}")
    end = len(data)
    at = 0
    elements = 0
    # One entry per open array or map: values still to come, and whether the next of a map is its key.
    left: list[int] = [1]
    in_map: list[bool] = [False]
    while left:
        if left[-1] == 0:
            left.pop()
            in_map.pop()
            continue
        is_key = in_map[-1] and left[-1] % 2 == 0
        left[-1] -= 1
        if at >= end:
            raise FrameError("not_msgpack", f"it ends at byte {at} in the middle of a value")
        elements += 1
        if elements > limits.ELEMENTS_MAX:
            raise FrameError("too_many", f"more than {limits.ELEMENTS_MAX} values at byte {at}")
        kind = data[at]
        if is_key and not (0xA0 <= kind <= 0xBF or kind in _STR_LENGTH_BYTES):
            raise FrameError("bad_value", f"a map key that is not text at byte {at}")
        length, is_map, at = _step(data, at, kind)
        if length is None:
            continue
        if len(left) > limits.DEPTH_MAX:
            raise FrameError("too_deep", f"more than {limits.DEPTH_MAX} levels at byte {at}")
        length_max = limits.MAP_LEN_MAX if is_map else limits.ARRAY_LEN_MAX
        if length > length_max:
            raise FrameError("too_many", f"{length} elements at byte {at}, at most {length_max}")
        left.append(2 * length if is_map else length)
        in_map.append(is_map)
    if at != end:
        raise FrameError("not_msgpack", f"{end - at} bytes after the value at byte {at}")


def _step(data: bytes, at: int, kind: int) -> tuple[int | None, bool, int]:
    """Pass one value's head (and body, when it is no container): (container length or None, is it a map, next byte)."""
    after = at + 1
    if kind <= 0x7F or kind >= 0xE0:
        return None, False, after
    if kind <= 0x8F:
        return kind & 0x0F, True, after
    if kind <= 0x9F:
        return kind & 0x0F, False, after
    if kind <= 0xBF:
        return None, False, _text(data, at, after, kind & 0x1F)
    if kind in _SCALAR_BYTES:
        return None, False, _within(data, at, after + _SCALAR_BYTES[kind])
    if kind in _STR_LENGTH_BYTES:
        length, after = _length(data, at, after, _STR_LENGTH_BYTES[kind])
        return None, False, _text(data, at, after, length)
    if kind in _BIN_LENGTH_BYTES:
        length, after = _length(data, at, after, _BIN_LENGTH_BYTES[kind])
        return None, False, _within(data, at, after + length)
    if kind in _ARRAY_LENGTH_BYTES:
        length, after = _length(data, at, after, _ARRAY_LENGTH_BYTES[kind])
        return length, False, after
    if kind in _MAP_LENGTH_BYTES:
        length, after = _length(data, at, after, _MAP_LENGTH_BYTES[kind])
        return length, True, after
    return None, False, _number(data, at, after, kind)


def _number(data: bytes, at: int, after: int, kind: int) -> int:
    if kind in _FLOATS:
        width, form = _FLOATS[kind]
        end = _within(data, at, after + width)
        if not math.isfinite(form.unpack_from(data, after)[0]):
            raise FrameError("bad_value", f"a number that is NaN or infinite at byte {at}")
        return end
    if kind in (_UINT64, _INT64):
        end = _within(data, at, after + 8)
        if abs(int.from_bytes(data[after:end], "big", signed=kind == _INT64)) > limits.INT_MAX:
            raise FrameError("bad_value", f"an integer beyond 2^53 at byte {at}")
        return end
    # What is left: 0xC1, which the format never uses, and the extension types.
    raise FrameError("bad_value", f"an extension or reserved type 0x{kind:02x} at byte {at}")


def _length(data: bytes, at: int, after: int, width: int) -> tuple[int, int]:
    end = _within(data, at, after + width)
    return int.from_bytes(data[after:end], "big"), end


def _text(data: bytes, at: int, after: int, length: int) -> int:
    if length > limits.TEXT_BYTES_MAX:
        raise FrameError("too_long", f"a text of {length} bytes at byte {at}, at most {limits.TEXT_BYTES_MAX}")
    end = _within(data, at, after + length)
    try:
        data[after:end].decode()
    except UnicodeDecodeError:
        raise FrameError("bad_value", f"a text that is not UTF-8 at byte {at}") from None
    return end


def _within(data: bytes, at: int, end: int) -> int:
    if end > len(data):
        raise FrameError("not_msgpack", f"the value at byte {at} goes on past the end")
    return end
