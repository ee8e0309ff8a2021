"""A walk over untrusted MessagePack that builds nothing and answers: this is one value, inside every bound.

The typed decoder behind it would build what a hostile length promises before it looks, follow nesting down to the
interpreter's limit, and accept values that other languages read differently. This walk costs some microseconds per op
and decides first. It knows the whole format (msgpack/spec, 2017) and only that.
"""

import math
import struct
from typing import Final

from schemas import limits
from schemas.errors import FrameError

# What a type byte announces. "fix" types carry their value or length in the byte itself.
_FIXINT_MAX: Final = 0x7F
_FIXMAP_MAX: Final = 0x8F
_FIXARRAY_MAX: Final = 0x9F
_FIXSTR_MIN: Final = 0xA0
_FIXSTR_MAX: Final = 0xBF
_NEGATIVE_FIXINT_MIN: Final = 0xE0
_SCALAR_BYTES: Final = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xD0: 1, 0xD1: 2, 0xD2: 4}
_BIN_LENGTH_BYTES: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_STR_LENGTH_BYTES: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAY_LENGTH_BYTES: Final = {0xDC: 2, 0xDD: 4}
_MAP_LENGTH_BYTES: Final = {0xDE: 2, 0xDF: 4}
_FLOATS: Final = {0xCA: (4, struct.Struct(">f")), 0xCB: (8, struct.Struct(">d"))}
_UINT64: Final = 0xCF
_INT64: Final = 0xD3


def check(
    data: bytes,
    bytes_max: int = limits.MESSAGE_BYTES_MAX,
    elements_max: int = limits.MESSAGE_BYTES_MAX,
    depth_max: int = limits.DEPTH_MAX,
) -> None:
    """Accept `data` as exactly one MessagePack value inside the bounds of `schemas.limits`.

    Args:
        data: the message as it came.
        bytes_max: how long it may be.
        elements_max: how many values it may hold, all together; by default the length alone bounds them.
        depth_max: how many arrays and maps may be open inside each other.

    Raises:
        FrameError: with code `too_long`, `not_msgpack`, `too_deep`, `too_many` or `bad_value`; the detail says the
            byte at which it was seen.
    """
    if len(data) > bytes_max:
        raise FrameError("too_long", f"{len(data)} bytes, at most {bytes_max}")
    end = len(data)
    at = 0
    elements = 0
    # One entry per open array or map: values still to come, and the keys seen so far when it is a map.
    left: list[int] = [1]
    keys: list[set[bytes] | None] = [None]
    while left:
        if left[-1] == 0:
            left.pop()
            keys.pop()
            continue
        seen = keys[-1]
        is_key = seen is not None and left[-1] % 2 == 0
        left[-1] -= 1
        if at >= end:
            raise FrameError("not_msgpack", f"it ends at byte {at} in the middle of a value")
        elements += 1
        if elements > elements_max:
            raise FrameError("too_many", f"more than {elements_max} values at byte {at}")
        if is_key and seen is not None:
            at = _key(data, at, seen)
            continue
        length, is_map, at = _step(data, at)
        if length is None:
            continue
        if len(left) > depth_max:
            raise FrameError("too_deep", f"more than {depth_max} levels at byte {at}")
        length_max = limits.MAP_LEN_MAX if is_map else limits.ARRAY_LEN_MAX
        if length > length_max:
            raise FrameError("too_many", f"{length} elements at byte {at}, at most {length_max}")
        left.append(2 * length if is_map else length)
        keys.append(set() if is_map else None)
    if at != end:
        raise FrameError("not_msgpack", f"{end - at} bytes after the value at byte {at}")


def _key(data: bytes, at: int, seen: set[bytes]) -> int:
    """Pass a map's key. One that comes twice is read as the first value here and as the last one there."""
    kind = data[at]
    if not _is_text(kind):
        raise FrameError("bad_value", f"a map key that is not text at byte {at}")
    start, end = _text(data, at, kind)
    key = data[start:end]
    if key in seen:
        raise FrameError("bad_value", f"a map key for the second time at byte {at}")
    seen.add(key)
    return end


def _step(data: bytes, at: int) -> tuple[int | None, bool, int]:
    """Pass one value's head (and body, when it is no container): (container length or None, is it a map, next byte)."""
    kind = data[at]
    after = at + 1
    if kind <= _FIXINT_MAX or kind >= _NEGATIVE_FIXINT_MIN:
        return None, False, after
    if kind <= _FIXARRAY_MAX:
        return kind & 0x0F, kind <= _FIXMAP_MAX, after
    if kind in _ARRAY_LENGTH_BYTES:
        length, after = _length(data, at, _ARRAY_LENGTH_BYTES[kind])
        return length, False, after
    if kind in _MAP_LENGTH_BYTES:
        length, after = _length(data, at, _MAP_LENGTH_BYTES[kind])
        return length, True, after
    return None, False, _scalar(data, at, kind)


def _scalar(data: bytes, at: int, kind: int) -> int:
    """Pass a value that holds no other; returns the next byte."""
    if _is_text(kind):
        return _text(data, at, kind)[1]
    if kind in _SCALAR_BYTES:
        return _within(data, at, at + 1 + _SCALAR_BYTES[kind])
    if kind in _BIN_LENGTH_BYTES:
        length, start = _length(data, at, _BIN_LENGTH_BYTES[kind])
        return _within(data, at, start + length)
    if kind in _FLOATS:
        width, form = _FLOATS[kind]
        end = _within(data, at, at + 1 + width)
        if not math.isfinite(form.unpack_from(data, at + 1)[0]):
            raise FrameError("bad_value", f"a number that is NaN or infinite at byte {at}")
        return end
    if kind in (_UINT64, _INT64):
        end = _within(data, at, at + 9)
        if abs(int.from_bytes(data[at + 1 : end], "big", signed=kind == _INT64)) > limits.INT_MAX:
            raise FrameError("bad_value", f"an integer beyond 2^53 at byte {at}")
        return end
    # What is left: 0xC1, which the format never uses, and the extension types.
    raise FrameError("bad_value", f"an extension or reserved type 0x{kind:02x} at byte {at}")


def _is_text(kind: int) -> bool:
    return _FIXSTR_MIN <= kind <= _FIXSTR_MAX or kind in _STR_LENGTH_BYTES


def _text(data: bytes, at: int, kind: int) -> tuple[int, int]:
    """Where the text at `at` starts and ends."""
    length, start = (kind & 0x1F, at + 1) if kind <= _FIXSTR_MAX else _length(data, at, _STR_LENGTH_BYTES[kind])
    if length > limits.TEXT_BYTES_MAX:
        raise FrameError("too_long", f"a text of {length} bytes at byte {at}, at most {limits.TEXT_BYTES_MAX}")
    end = _within(data, at, start + length)
    try:
        data[start:end].decode()
    except UnicodeDecodeError:
        raise FrameError("bad_value", f"a text that is not UTF-8 at byte {at}") from None
    return start, end


def _length(data: bytes, at: int, width: int) -> tuple[int, int]:
    """The length written behind the type byte, and where what it counts begins."""
    start = _within(data, at, at + 1 + width)
    return int.from_bytes(data[at + 1 : start], "big"), start


def _within(data: bytes, at: int, end: int) -> int:
    if end > len(data):
        raise FrameError("not_msgpack", f"the value at byte {at} goes on past the end")
    return end
