"""What a one-time secret leaves behind at the server: a hash, who gave it out, until when, and whether it was used.

The secrets are long enough (84 random bits and more) that a plain SHA-256 keeps them: nobody finds one by trying. Links
(`links`) and enrolment codes (`codes`) differ in their form alone.
"""

import hashlib
import hmac
from typing import Annotated, Final, TypeVar

import msgspec

from schemas.errors import UsageError
from schemas.ids import Millis, MillisInt
from server.federation.refusals import RefusedError

LIFETIME_MS_MAX: Final = 30 * 24 * 60 * 60_000
"""Nothing that lets somebody in once lies about for longer than a month."""

DigestText = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class OneTime(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that lets somebody in once, as the server keeps it.

    Attributes:
        digest: what the secret is known again by; the secret itself is nowhere.
        by: who gave it out: a collar number, a device, or `server`.
        issued_at, expires_at: it is taken before `expires_at`, not at it.
        used_at: when it was used; None while it has not been.
    """

    digest: DigestText
    by: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    issued_at: MillisInt
    expires_at: MillisInt
    used_at: MillisInt | None = None


_Record = TypeVar("_Record", bound=OneTime)


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


def spend(record: _Record | None, shown: str, now: Millis) -> _Record:
    """The record as it is once the secret with the digest `shown` has been used.

    Whoever calls keeps the answer in the same transaction as what it let in, or two could use one secret.

    Args:
        record: what is kept under that digest, or the one there is; None when there is none.
        shown: digest of the secret that was shown.
        now: the moment.

    Raises:
        RefusedError: `code_unknown`, `code_used`, `code_expired`.
    """
    # Compared even where nothing is kept, and in constant time, so that an answer's time says nothing.
    if not hmac.compare_digest("" if record is None else record.digest, shown) or record is None:
        raise RefusedError("code_unknown")
    if record.used_at is not None:
        raise RefusedError("code_used", f"given out by {record.by} at {record.issued_at}, used at {record.used_at}")
    if not record.issued_at <= now < record.expires_at:
        raise RefusedError("code_expired", f"given out by {record.by} at {record.issued_at} until {record.expires_at}")
    return msgspec.structs.replace(record, used_at=now)
