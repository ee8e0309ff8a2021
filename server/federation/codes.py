"""The code that enrols a device: read out or typed once, in five groups of four.

84 random bits and a checksum of 16, in Crockford's base32, which has no letter that looks like a digit. The checksum
(CRC-16/CCITT) finds every wrong character and every two that changed places, so a slip of the finger is told as
one and is not counted as a guess. Guesses are hopeless: 2^84 codes, and tries are limited besides.
"""

import binascii
import secrets
from collections.abc import Callable
from typing import Final

from schemas.ids import Millis
from server.federation import onetime
from server.federation.refusals import RefusedError

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUPS: Final = 5
GROUP_CHARS: Final = 4
RANDOM_BITS: Final = 84
LIFETIME_MS: Final = 24 * 60 * 60_000
TEXT_CHARS_MAX: Final = 64
"""A code as it was typed, with whatever stands between its groups."""
_PURPOSE: Final = "enrolment code"
_CHARS: Final = GROUPS * GROUP_CHARS
_BITS_PER_CHAR: Final = 5
_CHECK_BITS: Final = 16
_RANDOM_BYTES: Final = (RANDOM_BITS + 7) // 8
_VALUES: Final = {char: value for value, char in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_BETWEEN: Final = dict.fromkeys(map(ord, "-–—_. \t"))
"""What people put between groups, and what keyboards make of a hyphen."""

if RANDOM_BITS + _CHECK_BITS != _CHARS * _BITS_PER_CHAR:
    raise ValueError("an enrolment code's bits do not fill its characters")


def make(
    now: Millis,
    *,
    lifetime_ms: int = LIFETIME_MS,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[str, onetime.OneTime]:
    """A new code, as `7G3K-9QXM-2VTD-HB5A-Z0QR`, and what to keep of it.

    Args:
        now: the moment.
        lifetime_ms: how long it is taken.
        random: gives so many random bytes.

    Raises:
        UsageError: the lifetime is none, or longer than a month.
    """
    drawn = int.from_bytes(random(_RANDOM_BYTES), "big") >> (_RANDOM_BYTES * 8 - RANDOM_BITS)
    whole = drawn << _CHECK_BITS | _check(drawn)
    chars = "".join(
        ALPHABET[whole >> shift & 31] for shift in range((_CHARS - 1) * _BITS_PER_CHAR, -1, -_BITS_PER_CHAR)
    )
    text = "-".join(chars[at : at + GROUP_CHARS] for at in range(0, _CHARS, GROUP_CHARS))
    return text, onetime.OneTime(digest=digest(text), expires_at=onetime.end(now, lifetime_ms))


def digest(text: str) -> str:
    """What a code is known again by, however it was typed: 64 hexadecimal digits.

    Case, spaces and hyphens do not count; O is read as 0, I and L as 1.

    Raises:
        RefusedError: `code_mistyped`: the checksum does not fit. It is no try: do not count it.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise RefusedError("code_mistyped", f"{len(text)} characters; a code has {_CHARS}")
    chars = text.translate(_BETWEEN).upper()
    if len(chars) != _CHARS:
        raise RefusedError("code_mistyped", f"{len(chars)} characters; a code has {_CHARS}, in groups of {GROUP_CHARS}")
    whole = 0
    for at, char in enumerate(chars):
        value = _VALUES.get(char)
        if value is None:
            raise RefusedError("code_mistyped", f"character {at + 1} is in no code")
        whole = whole << _BITS_PER_CHAR | value
    drawn, check = divmod(whole, 1 << _CHECK_BITS)
    if check != _check(drawn):
        raise RefusedError("code_mistyped")
    return onetime.digest(_PURPOSE, drawn.to_bytes(_RANDOM_BYTES, "big"))


def _check(drawn: int) -> int:
    return binascii.crc_hqx(drawn.to_bytes(_RANDOM_BYTES, "big"), 0xFFFF)
