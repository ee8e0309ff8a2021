"""Finds what must not be in a URL: tokens, passphrases, anything that opens a door.

A URL is written to the logs of every proxy, to a browser's history and to the Referer of the next page (RFC 6750
section 5.3, RFC 9700 section 4.3.2). So such a request is refused even when the token is good, and whoever reads the
refusal learns to replace it.
"""

import hmac
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_plus

from server.edge.refusals import Refusal

PARAMETERS: Final = frozenset(
    {
        "access_token", "api_key", "apikey", "assertion", "auth", "authorization", "bearer", "client_secret",
        "dpop", "id_token", "jwt", "passphrase", "passwd", "password", "pin", "proof", "refresh_token", "secret",
        "session", "session_token", "sessionid", "share", "sid", "sig", "signature", "token",
    }
)  # fmt: skip
"""Names of query parameters that are refused, whatever they hold. `code` is not among them: OpenID Connect's redirect
brings its single-use code so, and it opens nothing without the verifier (RFC 7636)."""
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
"""The beginning of a JSON Web Token (RFC 7519): `eyJ` is `{"` in base64."""
_UNQUOTES_MAX: Final = 3
"""How many layers of percent-encoding are taken off: a proxy may have put one on."""

IN_URL: Final = Refusal(
    status=400,
    title="secret in the address",
    detail="send tokens in the Authorization header, other secrets in a body; take this one out of use, for addresses "
    "are written to logs",
)


def refusal(raw_path: bytes, query: bytes, known: Iterable[str]) -> Refusal | None:
    """Why an address is refused, or None.

    Args:
        raw_path: the path as it came.
        query: what came behind the question mark.
        known: secrets that this server itself would accept.
    """
    names = {_plain(part.partition(b"=")[0]).strip().lower() for part in re.split(rb"[&;]", query)}
    if not names.isdisjoint(PARAMETERS):
        return IN_URL
    whole = f"{_plain(raw_path)}?{_plain(query)}"
    if _JWT.search(whole) is not None or any(_holds(whole, secret) for secret in known):
        return IN_URL
    return None


def _plain(raw: bytes) -> str:
    text = raw.decode("latin-1")
    for _ in range(_UNQUOTES_MAX):
        less = unquote_plus(text)
        if less == text:
            break
        text = less
    return text


def _holds(text: str, secret: str) -> bool:
    """Whether a secret stands in a text as a word of its own, looked at in a time that does not tell how much fits."""
    data, wanted = text.encode(), secret.encode()
    words = re.split(rb"[^A-Za-z0-9_.~+-]+", data)
    return any(hmac.compare_digest(word, wanted) for word in words)
