"""What changed in encoded bytes since others that both sides hold: runs to copy from those, and what stands between.

A row that changed is nearly all as it was, so who holds the one before is told the rest. It is a difference of bytes
and not of values: what is rebuilt is exactly what the other side has, whatever is in it, and goes the way that it would
have gone had it come whole. It is told what to expect (`check`), so that a wrong base is noticed and never built upon.

The form, which docs/protocol.md tells to others: parts one after the other. A part begins with a byte whose upper half
says how many new bytes follow and whose lower half how far to go on in the base from where the last copy ended; 15 in
a half says that a number follows it that is to be added. Then the new bytes, then how many to copy from there. The
last part may end behind its new bytes. Going on past the base's end goes on from its beginning. Numbers are as in
LEB128: seven bits a byte, the lowest first, the highest bit set on all but the last.
"""

import zlib
from typing import Final

from schemas.errors import FrameError

DIFFERENCES: Final = "diff"
"""What a device says in HELLO that it takes (`schemas.wire.Hello.packs`)."""
MATCH_MIN: Final = 4
"""Bytes that are worth a copy, at least: a part costs two."""
NEAR_BYTES: Final = 48
"""How far ahead the shortest copy is worth going; about as long as a stamp."""
FAR_MATCH_MIN: Final = 8
"""Bytes that are worth going further for, at least: going there and coming back costs two to four."""
FAR_EACH: Final = 4
"""Of so many new bytes one is looked for further away: a copy that is worth it goes on past the next."""
SEARCH_BYTES: Final = 1_024
"""How far ahead and back in the base what comes next is looked for. What lies further is a large change, told whole."""
NEW_BYTES_MAX: Final = 2_048
"""New bytes in a difference, at most: each is looked for in the base, some 0.2 µs, and beyond it whole is as well."""
_HALF: Final = 15
_MORE: Final = 0x80
_STRIDE: Final = 64
_ALIKE: Final = bytes(MATCH_MIN)
_NUMBER_BYTES_MAX: Final = 4
"""Of a number, at most: beyond it lies more than any message holds."""


def check(body: bytes) -> int:
    """What is told of bytes beside a difference that leads to them: their CRC-32, as zlib and PNG have it.

    It finds a base that is not the one that was meant. That nobody changed what was sent is the connection's to see to.
    """
    return zlib.crc32(body)


def difference(base: bytes, new: bytes) -> bytes | None:
    """The edits that lead from `base` to `new`; None where they would be no shorter than half of it."""
    out = bytearray()
    size, around = len(new), len(base)
    at = begun = now = 0
    room = min(size // 2, NEW_BYTES_MAX)
    while now <= size - MATCH_MIN:
        found = _place(base, new, now, at, now - begun)
        if found < 0 and now - begun == MATCH_MIN:
            # Not put in or taken out, then: replaced, by as many, as times and random bytes are.
            found = _level(base, at, new, begun)
            now = now if found < 0 else begun + found - at
        if found < 0:
            now += 1
            if now - begun > room:
                return None
            continue
        length = _alike(base, found, new, now)
        _put_part(out, new[begun:now], (found - at) % around)
        _put_number(out, length)
        room -= now - begun
        now += length
        at = found + length
        begun = now
    if begun < size:
        _put_part(out, new[begun:], 0)
    return bytes(out) if len(out) < size // 2 else None


def whole(new: bytes) -> bytes:
    """The edits that say all of it, whatever the base."""
    out = bytearray()
    _put_part(out, new, 0)
    return bytes(out)


def _place(base: bytes, new: bytes, now: int, at: int, seldom: int) -> int:
    """Where in the base what comes next stands: nearby, or else further on or further back; -1 for nowhere."""
    near = base.find(new[now : now + MATCH_MIN], at, at + NEAR_BYTES)
    if near >= 0:
        return near
    far = new[now : now + FAR_MATCH_MIN]
    if seldom % FAR_EACH or len(far) < FAR_MATCH_MIN:
        return -1
    found = base.find(far, at, at + SEARCH_BYTES)
    return found if found >= 0 else base.find(far, max(0, at - SEARCH_BYTES), at)


def rebuilt(base: bytes, edits: bytes, bytes_max: int) -> bytes:
    """What the edits lead to from `base`.

    Args:
        base: what both sides hold.
        edits: as `difference` gives them.
        bytes_max: how long the outcome may be.

    Raises:
        FrameError: they are no edits of that base, or lead beyond the bound.
    """
    out = bytearray()
    at = i = 0
    try:
        while i < len(edits):
            halves = edits[i]
            fresh, ahead, i = halves >> 4, halves & _HALF, i + 1
            if fresh == _HALF:
                more, i = _number(edits, i)
                fresh += more
            if ahead == _HALF:
                more, i = _number(edits, i)
                ahead += more
            out += edits[i : i + fresh]
            i += fresh
            if i >= len(edits):
                break
            length, i = _number(edits, i)
            at = (at + ahead) % len(base)
            if length == 0 or at + length > len(base) or len(out) + length > bytes_max:
                raise FrameError("wrong_field", "a difference that leads beyond its base, or its bound")
            out += base[at : at + length]
            at += length
    except (IndexError, ZeroDivisionError):
        raise FrameError("wrong_field", "a difference that ends in the middle of a part, or has no base") from None
    if i != len(edits) or len(out) > bytes_max:
        raise FrameError("wrong_field", "a difference whose last new bytes are cut off, or too many")
    return bytes(out)


def _alike(base: bytes, at: int, new: bytes, now: int) -> int:
    """How many bytes from these two places on are the same."""
    length = 0
    while True:
        ours, theirs = base[at : at + _STRIDE], new[now : now + _STRIDE]
        if ours != theirs:
            break
        if len(ours) < _STRIDE:
            return length + len(ours)
        length, at, now = length + _STRIDE, at + _STRIDE, now + _STRIDE
    both = min(len(ours), len(theirs))
    apart = int.from_bytes(ours[:both], "big") ^ int.from_bytes(theirs[:both], "big")
    return length + both - (apart.bit_length() + 7) // 8


def _level(base: bytes, at: int, new: bytes, now: int) -> int:
    """Where in the base both go on alike, as far behind this place as behind the other; -1 for nowhere nearby."""
    ours, theirs = base[at : at + _STRIDE], new[now : now + _STRIDE]
    both = min(len(ours), len(theirs))
    apart = int.from_bytes(ours[:both], "big") ^ int.from_bytes(theirs[:both], "big")
    found = apart.to_bytes(both, "big").find(_ALIKE)
    return at + found if found >= 0 else -1


def _put_part(out: bytearray, fresh: bytes, ahead: int) -> None:
    size = len(fresh)
    out.append(min(size, _HALF) << 4 | min(ahead, _HALF))
    if size >= _HALF:
        _put_number(out, size - _HALF)
    if ahead >= _HALF:
        _put_number(out, ahead - _HALF)
    out += fresh


def _put_number(out: bytearray, number: int) -> None:
    while number >= _MORE:
        out.append(number % _MORE | _MORE)
        number //= _MORE
    out.append(number)


def _number(edits: bytes, i: int) -> tuple[int, int]:
    """(the number at that place, the place behind it)."""
    number = 0
    for place in range(_NUMBER_BYTES_MAX):
        byte = edits[i + place]
        number |= (byte & ~_MORE) << (7 * place)
        if byte < _MORE:
            return number, i + place + 1
    raise FrameError("wrong_field", "a number in a difference goes on for too long")
