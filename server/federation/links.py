"""The administrator's way in at the first start: a link that works once, because no default password exists.

The server prints it on its own console and keeps its hash. The secret stands in the address's fragment, which a browser
sends to nobody: it is in no access log, no proxy's log and no Referer (RFC 9110 section 10.1.3).
"""

import re
import secrets
from collections.abc import Callable
from typing import Final

from schemas.ids import Millis
from server.federation import onetime
from server.federation.refusals import RefusedError
from sync.device.dpop import base64url

SECRET_BYTES: Final = 32
LIFETIME_MS: Final = 24 * 60 * 60_000
_PURPOSE: Final = "administrator link"
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def make(
    now: Millis,
    *,
    lifetime_ms: int = LIFETIME_MS,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[str, onetime.OneTime]:
    """A new secret of 256 bits, as 43 characters of base64url, and what to keep of it.

    Raises:
        UsageError: the lifetime is none, or longer than a month.
    """
    code = base64url(random(SECRET_BYTES))
    return code, onetime.OneTime(digest=digest(code), expires_at=onetime.end(now, lifetime_ms))


def address(page: str, code: str) -> str:
    """The link to print: the page's address, with the secret as its fragment."""
    return f"{page}#{code}"


def digest(code: str) -> str:
    """What a secret is known again by: 64 hexadecimal digits.

    Raises:
        RefusedError: `code_mistyped`: it has not the form of one.
    """
    if _FORM.fullmatch(code) is None:
        raise RefusedError("code_mistyped", "a link's secret has 43 characters")
    return onetime.digest(_PURPOSE, code.encode())
