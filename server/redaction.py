"""The last line of defence of a log: what looks like a secret, or is a known one, is not written.

Nothing of ours logs secrets, and the libraries' loggers that would are silenced where they are used. A traceback can
still carry one in an exception's text; so every line passes here, whole, right before it is written.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from server.edge.url_secrets import PARAMETERS

HIDDEN: Final = "[hidden]"
VARIABLE_PREFIX: Final = "BEATBOOK_"
SECRET_CHARS_MIN: Final = 6
"""Shorter known secrets are not looked for: they would be found in every other word."""
_NAMES: Final = "|".join(sorted(map(re.escape, PARAMETERS)))
_HEADERS: Final = "authorization|proxy-authorization|cookie|set-cookie|dpop|x-api-key"
_SHAPES: Final = (
    # Authorization schemes (RFC 9110 section 11.4).
    (re.compile(r"(?i)\b(bearer|dpop|basic)([ :=\"']+)[A-Za-z0-9._~+/=-]{6,}"), rf"\1\2{HIDDEN}"),
    # JSON Web Tokens, proofs and everything else that begins with {" in base64.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}"), HIDDEN),
    # Parameters of an address or a form.
    (re.compile(rf"(?i)([?&;](?:{_NAMES})=)[^\s\"'&;]+"), rf"\1{HIDDEN}"),
    # Headers, as they come or as a mapping shows them; to the end of the value.
    (re.compile(rf"(?i)(\b(?:{_HEADERS})\b[\"']?(?:: ?|, ?)(?:b?[\"'])?)(?!\[)[^\r\n\"']+"), rf"\1{HIDDEN}"),
)


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """The values that a process's variables give us as secrets: those of our prefix that name no file."""
    return [
        value
        for name, value in environment.items()
        if name.startswith(VARIABLE_PREFIX) and not name.endswith("_FILE") and not Path(value).is_absolute()
    ]


class RedactingFormatter(logging.Formatter):
    """Formats as its base does, then hides secrets in the whole of it, traceback included."""

    def __init__(self, fmt: str) -> None:
        """Begin with the shapes of secrets alone; `know` adds some."""
        super().__init__(fmt)
        self._known: list[str] = []

    def know(self, secrets: Iterable[str]) -> None:
        """Hide these too, wherever they stand."""
        known = {each for each in (*self._known, *secrets) if len(each) >= SECRET_CHARS_MIN}
        # One that contains another goes first, or a part of it would be left.
        self._known = sorted(known, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        text = super().format(record)
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        for shape, hidden in _SHAPES:
            text = shape.sub(hidden, text)
        return text
