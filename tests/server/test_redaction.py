"""What must not stand in a log is hidden right before it is written."""

import logging
import re

import pytest

from server.redaction import HIDDEN, Particulars, RedactingFormatter, secrets_of

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


@pytest.mark.parametrize(
    ("text", "arguments", "written"),
    [
        ("its name is %r", ("Ben Adebayo",), f"INFO its name is '{HIDDEN}'"),
        ("its name is %r", ("Ben O'Hara",), f'INFO its name is "{HIDDEN}"'),
        ("its name is %r", ("Ben 'Bo\" O'Hara",), f"INFO its name is '{HIDDEN}'"),
        ("a frame of %r came", (b"\x81Adebayo",), f"INFO a frame of b'{HIDDEN}' came"),
        ("defect: %r", (KeyError("Adebayo"),), f"INFO defect: KeyError('{HIDDEN}')"),
        ("%s", ([("Ben", 3), ("Bo", 4)],), f"INFO [('{HIDDEN}', 3), ('{HIDDEN}', 4)]"),
        ("line 3: %s", (Particulars("Ben Adebayo has an allergy"),), f"INFO line 3: {HIDDEN}"),
        ("the officers' file isn't there: %s", ("rota.csv",), "INFO the officers' file isn't there: rota.csv"),
        ("it says ''", (), "INFO it says ''"),
    ],
)
def test_what_others_wrote_is_hidden(text: str, arguments: tuple[object, ...], written: str) -> None:
    """It stands in quotes, or is handed over as particulars; our own words, apostrophes and all, are left alone."""
    assert line(text, *arguments) == written


def test_a_hash_may_stand_in_quotes() -> None:
    """Somebody who is known here can be followed through the log also where their name was quoted."""
    formatter = RedactingFormatter("%(message)s")
    formatter.name(lambda word: word == "WM21877", bytes(32))
    written = formatter.format(logging.LogRecord("x", logging.INFO, __file__, 1, "tries of %r", ("WM21877",), None))
    assert re.fullmatch(r"tries of '~[0-9a-f]{8}'", written)


def test_particulars_are_written_where_names_are() -> None:
    """`[log] personal = true`: for the hour in which somebody needs them."""
    formatter = RedactingFormatter("%(message)s", personal=True)
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "line %d: %s", (3, Particulars("Ben Adebayo")), None)
    assert formatter.format(record) == "line 3: Ben Adebayo"


def test_a_group_of_exceptions_is_hidden_too() -> None:
    """Whatever a task group gathered, with its causes, its notes and its members: types and places, and no words."""
    formatter = RedactingFormatter("%(message)s")
    cause = ValueError("Adebayo\nthe first")
    cause.add_note("Adebayo again")
    member = TypeError("Adebayo the second")
    member.__cause__ = cause
    error = ExceptionGroup("Adebayo", [member, ExceptionGroup("Adebayo", [OSError("Adebayo")])])
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), (type(error), error, None))
    written = formatter.format(record)
    assert "Adebayo" not in written
    assert [f"{kind}: {HIDDEN}" in written for kind in ("ExceptionGroup", "TypeError", "ValueError", "OSError")] == [
        True
    ] * 4
