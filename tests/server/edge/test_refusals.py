"""Security headers: all of them on every response, and a page's policy only for pages."""

import json

import pytest

from server.edge.refusals import DATA_POLICY, PAGE_POLICY, Headers, Refusal, security_headers

ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-embedder-policy": b"require-corp",
    b"cross-origin-resource-policy": b"same-origin",
}


@pytest.mark.parametrize(
    ("content_type", "policy"),
    [
        (b"application/json", DATA_POLICY),
        (b"application/problem+json", DATA_POLICY),
        (b"text/csv; charset=utf-8", DATA_POLICY),
        (b"", DATA_POLICY),
        (b"text/html; charset=utf-8", PAGE_POLICY),
        (b"TEXT/HTML", PAGE_POLICY),
        (b"text/javascript", PAGE_POLICY),
        (b"image/svg+xml", PAGE_POLICY),
    ],
)
def test_the_policy_fits_what_is_sent(content_type: bytes, policy: bytes) -> None:
    """Data may load nothing; a page, its scripts and its workers only what is our own."""
    headers = dict(security_headers([(b"content-type", content_type)], secure=False))
    assert headers[b"content-security-policy"] == policy
    assert headers.items() >= ALWAYS.items()
    assert headers[b"cache-control"] == b"no-store"
    assert b"strict-transport-security" not in headers


@pytest.mark.parametrize("policy", [DATA_POLICY, PAGE_POLICY])
def test_no_policy_lets_anything_inline_or_foreign_in(policy: bytes) -> None:
    """Nothing inline, nothing evaluated, no frame around it, no base that moves its links."""
    directives = dict(each.strip().partition(b" ")[::2] for each in policy.split(b";"))
    assert directives[b"default-src"] == directives[b"frame-ancestors"] == directives[b"base-uri"] == b"'none'"
    assert all(value in {b"'none'", b"'self'", b"'script'", b""} for value in directives.values())


def test_tls_is_asked_for_only_over_tls() -> None:
    """A browser must ignore the header in clear (RFC 6797 section 7.2), so it is not sent there."""
    assert dict(security_headers([], secure=True))[b"strict-transport-security"].startswith(b"max-age=63072000")


def test_what_a_response_chose_itself_stands() -> None:
    """A screen's files may say how long they are kept."""
    present: Headers = [(b"cache-control", b"max-age=60"), (b"content-security-policy", b"default-src 'none'")]
    names = [name for name, _ in security_headers(present, secure=False)]
    assert b"cache-control" not in names
    assert b"content-security-policy" not in names


def test_a_refusal_is_a_problem_detail() -> None:
    """RFC 9457, with the length right, the time to wait in whole seconds rounded up, and every security header."""
    refusal = Refusal(status=429, title="too many", detail="wait", retry_after_ms=1_001)
    head, _, body = refusal.response("Too Many Requests", secure=True).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 429 Too Many Requests"
    headers = dict(line.split(b": ", 1) for line in lines[1:])
    assert json.loads(body) == {"title": "too many", "status": 429, "detail": "wait"}
    assert int(headers[b"content-length"]) == len(body)
    assert headers[b"retry-after"] == b"2"
    assert headers[b"connection"] == b"close"
    assert headers.items() >= ALWAYS.items()
    assert b"strict-transport-security" in headers
