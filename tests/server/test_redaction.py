"""What must not stand in a log is hidden right before it is written."""

import logging

import pytest

from server.redaction import HIDDEN, RedactingFormatter, secrets_of

KNOWN = "pZ8-vXoT_kq1mN4rS7uW0yB3d"


def line(text: str, *arguments: object) -> str:
    """A log line as it is written."""
    formatter = RedactingFormatter("%(levelname)s %(message)s")
    formatter.know([KNOWN, KNOWN + "-longer", "ab"])
    return formatter.format(logging.LogRecord("x", logging.INFO, __file__, 1, text, arguments, None))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token is {KNOWN}", KNOWN),
        (f"token is {KNOWN}-longer.", "longer"),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        ("('authorization', b'Bearer abcdef123456')", "abcdef123456"),
        ("'DPoP': 'eyJ0eXAiOiJkcG9wK2p3dCJ9.eyJqdGkiOiJ4In0.c2ln'", "c2ln"),
        ("got eyJ0eXAiOiJkcG9wK2p3dCJ9.eyJqdGkiOiJ4In0.c2ln there", "eyJ0eXAi"),
        ("GET /v1/sync?token=s3cr3t&x=1 HTTP/1.1", "s3cr3t"),
        ("GET /v1/sync?a=1&Access_Token=s3cr3t", "s3cr3t"),
        ("Cookie: sid=s3cr3t; theme=dark", "s3cr3t"),
        ("{'cookie': 'sid=s3cr3t'}", "s3cr3t"),
    ],
)
def test_a_secret_is_hidden(text: str, secret: str) -> None:
    """Known ones, and what has the form of one; what stands around it can still be read."""
    written = line(text)
    assert secret not in written
    assert HIDDEN in written


def test_a_traceback_is_hidden_too() -> None:
    """An exception's text is written last and is looked at like the rest."""
    formatter = RedactingFormatter("%(message)s")
    formatter.know([KNOWN])
    with pytest.raises(ValueError, match=KNOWN) as caught:
        int(f"cannot use {KNOWN}")
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), caught._excinfo)
    written = formatter.format(record)
    assert "Traceback" in written
    assert KNOWN not in written


@pytest.mark.parametrize(
    "text",
    [
        "hh-0042: next attempt in 250 ms",
        "a session ended: silent",
        "cannot read for hh-1: disk full",
        "token: in data/x",
    ],
)
def test_plain_words_are_left_alone(text: str) -> None:
    """A log that hides everything tells nothing; nor is a short known secret looked for in every word."""
    assert line(text) == f"INFO {text}"


def test_the_environment_tells_its_secrets() -> None:
    """Our variables that hold a secret, not those that name a file."""
    environment = {
        "BEATBOOK_OIDC_CLIENT_SECRET": "s1",
        "BEATBOOK_TLS_KEY_FILE": "k",
        "BEATBOOK_MASTER_KEYS": "/run/keys",
        "HOME": "home",
    }
    assert secrets_of(environment) == ["s1"]
