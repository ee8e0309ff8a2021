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
_CONTAINER_LENGTH_BYTES: Final = {**_ARRAY_LENGTH_BYTES, **_MAP_LENGTH_BYTES}
_BIN8: Final = 0xC4
_UINT64: Final = 0xCF
_INT64: Final = 0xD3
_FIXSTR_HEAD: Final = _FIXSTR_MIN - 1
"""A short text's type byte, minus this, is how long it is with that byte."""


def _width(kind: int) -> int:
    """Bytes of a value with that type byte, the byte itself included; 0 where the type byte alone does not tell."""
    if kind <= _FIXINT_MAX or kind >= _NEGATIVE_FIXINT_MIN:
        return 1
    if _FIXSTR_MIN <= kind <= _FIXSTR_MAX:
        return kind - _FIXSTR_HEAD
    return 1 + _SCALAR_BYTES[kind] if kind in _SCALAR_BYTES else 0


_WIDTHS: Final = tuple(map(_width, range(256)))
_SHORT_TEXTS: Final = tuple(_width(kind) if _FIXSTR_MIN <= kind <= _FIXSTR_MAX else 0 for kind in range(256))
"""The same of a short text alone; 0 of everything else."""
_BEYOND_53_BITS: Final = 0x20
"""The second of the eight bytes of an integer that is too large is this or more, or the first is not 0."""


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
    at = 0
    try:
        at = _walk(data, elements_max, depth_max)
    except IndexError:
        raise FrameError("not_msgpack", f"it ends at byte {len(data)} in the middle of a value") from None
    if at > len(data):
        raise FrameError("not_msgpack", f"the last value goes on past byte {len(data)}")
    if at != len(data):
        raise FrameError("not_msgpack", f"{len(data) - at} bytes after the value at byte {at}")


def _walk(data: bytes, elements_max: int, depth_max: int) -> int:  # noqa: C901, PLR0912  one loop, see below
    """Pass one value with all that is in it; returns the next byte.

    Every value of every message comes by here, one after the other: what is frequent stands in the loop itself, and
    what is in an open array or map is in local variables. Calls and lists for each value took four times as long. How
    many values there are is counted where an array or map announces them, before any of them is looked at. What
    goes on past the end is noticed by whatever comes next, or by `check`.

    Raises:
        FrameError: it breaks a bound.
        IndexError: the data ends before it does.
    """
    widths, short_texts = _WIDTHS, _SHORT_TEXTS
    at, elements = 0, 1
    # Of the innermost open array or map: how many values, or pairs, are to come, and the keys of a map so far.
    left = 1
    seen: set[bytes] | None = None
    outside: list[tuple[int, set[bytes] | None]] = []
    while True:
        if left == 0:
            if not outside:
                return at
            left, seen = outside.pop()
            continue
        left -= 1
        kind = data[at]
        if seen is not None:
            width = short_texts[kind]
            if width:
                start, at = at + 1, at + width
                key = data[start:at]
                # First of all whether anything follows: half a key may look like another one.
                kind = data[at]
                if not key.isascii():
                    _require_utf8(data, start, at)
                if key in seen:
                    raise FrameError("bad_value", f"a map key for the second time at byte {start - 1}")
                seen.add(key)
            else:
                at = _key(data, at, kind, seen)
                kind = data[at]
        width = widths[kind]
        if width:
            start, at = at + 1, at + width
            if short_texts[kind] and not data[start:at].isascii():
                _require_utf8(data, start, at)
        elif kind == _BIN8:
            at += 2 + data[at + 1]
        elif kind == _UINT64 and data[at + 1] == 0 and data[at + 2] < _BEYOND_53_BITS:
            at += 9
        elif kind <= _FIXARRAY_MAX or kind in _CONTAINER_LENGTH_BYTES:
            outside.append((left, seen))
            left, is_map, at = _open(data, at, kind)
            if len(outside) > depth_max:
                raise FrameError("too_deep", f"more than {depth_max} levels at byte {at}")
            most = limits.MAP_LEN_MAX if is_map else limits.ARRAY_LEN_MAX
            if left > most:
                raise FrameError("too_many", f"{left} elements at byte {at}, at most {most}")
            elements += 2 * left if is_map else left
            if elements > elements_max:
                raise FrameError("too_many", f"more than {elements_max} values at byte {at}")
            seen = set() if is_map else None
        else:
            at = _scalar(data, at, kind)


def _open(data: bytes, at: int, kind: int) -> tuple[int, bool, int]:
    """Pass the head of an array or map: (values or pairs in it, is it a map, next byte)."""
    if kind <= _FIXARRAY_MAX:
        return kind & 0x0F, kind <= _FIXMAP_MAX, at + 1
    length, after = _length(data, at, _CONTAINER_LENGTH_BYTES[kind])
    return length, kind in _MAP_LENGTH_BYTES, after


def _key(data: bytes, at: int, kind: int, seen: set[bytes]) -> int:
    """Pass a map's key that is no short text. One that comes twice is read as the first here and as the last there."""
    if kind not in _STR_LENGTH_BYTES:
        raise FrameError("bad_value", f"a map key that is not text at byte {at}")
    start, end = _text(data, at, kind)
    key = data[start:end]
    if key in seen:
        raise FrameError("bad_value", f"a map key for the second time at byte {at}")
    seen.add(key)
    return end


def _scalar(data: bytes, at: int, kind: int) -> int:
    """Pass a value that holds no other and whose type byte does not tell all; returns the next byte."""
    if kind in _STR_LENGTH_BYTES:
        return _text(data, at, kind)[1]
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


def _text(data: bytes, at: int, kind: int) -> tuple[int, int]:
    """Where the text at `at`, whose length stands behind its type byte, starts and ends."""
    length, start = _length(data, at, _STR_LENGTH_BYTES[kind])
    if length > limits.TEXT_BYTES_MAX:
        raise FrameError("too_long", f"a text of {length} bytes at byte {at}, at most {limits.TEXT_BYTES_MAX}")
    end = _within(data, at, start + length)
    _require_utf8(data, start, end)
    return start, end


def _require_utf8(data: bytes, start: int, end: int) -> None:
    _within(data, start - 1, end)
    try:
        data[start:end].decode()
    except UnicodeDecodeError:
        raise FrameError("bad_value", f"a text that is not UTF-8 at byte {start - 1}") from None


def _length(data: bytes, at: int, width: int) -> tuple[int, int]:
    """The length written behind the type byte, and where what it counts begins."""
    start = _within(data, at, at + 1 + width)
    return int.from_bytes(data[at + 1 : start], "big"), start


def _within(data: bytes, at: int, end: int) -> int:
    if end > len(data):
        raise FrameError("not_msgpack", f"the value at byte {at} goes on past the end")
    return end
