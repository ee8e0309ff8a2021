"""Why the edge turns a request away, as a problem detail (RFC 9457), and the security headers of every response.

Content-Security-Policy (W3C CSP 3) lets a page load what is its own and nothing inline; what is no page may load
nothing at all. Nothing may be framed, sniffed, or kept by a cache that is not told otherwise.
"""

import math
from typing import Final

import msgspec

Headers = list[tuple[bytes, bytes]]

PAGE_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    b"worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'"
)
"""Of a page, its scripts and its workers: all from here, nothing inline, nothing evaluated."""
DATA_POLICY: Final = b"default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
"""Of what is no page, should a browser show it as one."""
HSTS: Final = b"max-age=63072000"
"""Two years (RFC 6797); of this name alone, for the names below it are not ours to speak for."""

_ALWAYS: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), display-capture=(), microphone=(), payment=(), usb=()"),
]
_DATA_TYPES: Final = (b"application/json", b"application/problem+json", b"text/plain", b"text/csv")


def security_headers(present: Headers, *, secure: bool) -> Headers:
    """The headers that a response lacks.

    Args:
        present: what it has: name in lower case -> value. A policy or a lifetime that it chose itself stands.
        secure: whether the caller came over TLS.
    """
    have = dict(present)
    media_type = have.get(b"content-type", b"").partition(b";")[0].strip().lower()
    policy = DATA_POLICY if not media_type or media_type in _DATA_TYPES else PAGE_POLICY
    wanted = [*_ALWAYS, (b"content-security-policy", policy), (b"cache-control", b"no-store")]
    if secure:
        wanted.append((b"strict-transport-security", HSTS))
    return [(name, value) for name, value in wanted if name not in have]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request goes no further.

    Attributes:
        status: the HTTP status.
        title: what kind of problem it is.
        detail: what, where, and what to do; never anything that the caller sent and that may be a secret.
        retry_after_ms: when to come back; None where coming back changes nothing.
        close: whether the connection ends with the answer.
    """

    status: int
    title: str
    detail: str
    retry_after_ms: int | None = None
    close: bool = True

    def body(self) -> bytes:
        """The problem detail."""
        return msgspec.json.encode({"title": self.title, "status": self.status, "detail": self.detail})

    def headers(self, *, secure: bool) -> Headers:
        """All headers of the answer."""
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(self.body())).encode()),
        ]
        if self.retry_after_ms is not None:
            headers.append((b"retry-after", str(math.ceil(self.retry_after_ms / 1_000)).encode()))
        if self.close:
            headers.append((b"connection", b"close"))
        return headers + security_headers(headers, secure=secure)

    def response(self, phrase: str, *, secure: bool) -> bytes:
        """The whole answer as HTTP/1.1, for where there is no application yet."""
        head = [f"HTTP/1.1 {self.status} {phrase}".encode()]
        head += [name + b": " + value for name, value in self.headers(secure=secure)]
        return b"\r\n".join([*head, b"", self.body()])
