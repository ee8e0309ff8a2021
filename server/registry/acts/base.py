"""What every act has, and the types that acts share."""

from typing import Annotated, Final

import msgspec

from schemas.ids import OFFICER_PATTERN, SLUG_PATTERN, Millis, MillisInt
from schemas.limits import REASON_CHARS_MAX

SERVER: Final = "server"
"""The author of what the server does by itself: no officer may have this as a collar number."""
HASH_BYTES: Final = 32
KEY_BYTES: Final = 32
CERTIFICATE_BYTES_MAX: Final = 4_096

AuthorText = Annotated[str, msgspec.Meta(pattern=OFFICER_PATTERN)]
"""Who did it: a collar number, a seat, or `server`."""
SpanText = Annotated[str, msgspec.Meta(pattern=SLUG_PATTERN)]
"""Names one span for ever, so that it can be ended: a UUID, or a word that was never used before."""
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Why = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_CHARS_MAX)]
"""In words, for whoever reads it later."""
Hash = Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
"""SHA-256."""
PublicKey = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
"""Ed25519 (RFC 8032 section 5.1.5)."""
Certificate = Annotated[bytes, msgspec.Meta(min_length=1, max_length=CERTIFICATE_BYTES_MAX)]
"""What the server has signed about a device's key; opaque here."""


class BaseAct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="t"):
    """Base of the acts. MessagePack maps; the tag `t` ends in the version of the act's meaning.

    A tag is for ever: it is never given another meaning, and a field is never added to one, since an older program that
    passed over an unknown field (an end, say) would give more than was meant. What changes gets the next version.

    Attributes:
        by: who did it.
        at: when it was recorded (ms since 1970).
    """

    by: AuthorText
    at: MillisInt


class SpanAct(BaseAct, frozen=True, kw_only=True):
    """Base of what holds for a time and can be ended before it (`SpanEnded`).

    Attributes:
        span: its own name.
        start: from when it holds (ms since 1970).
        until: the first moment at which it no longer holds; None for until further notice.
    """

    span: SpanText
    start: MillisInt
    until: MillisInt | None = None


def tag_of(act: BaseAct) -> str:
    """The act's tag: `unit-added-1`."""
    return str(type(act).__struct_config__.tag)


def within(at: Millis, start: Millis, until: Millis | None) -> bool:
    """Whether a moment lies in [start, until)."""
    return start <= at and (until is None or at < until)
