"""What a one-time secret leaves behind at the server: a hash, and until when it is taken.

The secrets are long enough (84 random bits and more) that a plain SHA-256 keeps them: nobody finds one by trying. Links
(`links`) and enrolment codes (`codes`) differ in their form alone. That each is good once, the registry sees to: what
uses one up is the act that it lets in (`server.registry.codes`).
"""

import hashlib
from typing import Annotated, Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import Millis, MillisInt

LIFETIME_MS_MAX: Final = 30 * 24 * 60 * 60_000
"""Nothing that lets somebody in once lies about for longer than a month."""

DigestText = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class OneTime(msgspec.Struct, frozen=True, kw_only=True):
    """What the server keeps of a secret that lets somebody in once; the act that gives it out says the rest.

    Attributes:
        digest: what the secret is known again by; the secret itself is nowhere.
        expires_at: it is taken before that moment, not at it (ms since 1970).
    """

    digest: DigestText
    expires_at: MillisInt


def digest(purpose: str, secret: bytes) -> str:
    """SHA-256 in hexadecimal, apart for each purpose: a link is no code, whatever its bytes."""
    return hashlib.sha256(b"beatbook.v1 " + purpose.encode() + b"\0" + secret).hexdigest()


def end(now: Millis, lifetime_ms: int) -> Millis:
    """When what is given out now expires.

    Raises:
        UsageError: the lifetime is none, or longer than a month.
    """
    if not 0 < lifetime_ms <= LIFETIME_MS_MAX:
        raise UsageError(f"a one-time secret lives up to {LIFETIME_MS_MAX // 86_400_000} days, not {lifetime_ms} ms")
    return Millis(now + lifetime_ms)
