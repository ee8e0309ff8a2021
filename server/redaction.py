"""The last line of defence of a log: what looks like a secret, is a known one, or tells of somebody, is not written.

Nothing of ours logs secrets, and the libraries' loggers that would are silenced where they are used. A traceback can
still carry one in an exception's text; so every line passes here, whole, right before it is written. There too every
word that is a collar number or a device's name becomes a short keyed hash: the same of one device in every line, so
that its trouble can be followed, and of use to nobody who has the log alone.

What else tells of somebody (a name, a note, what was typed where a collar number was asked for) came from outside, and
a message shows what came from outside in quotes, as `repr` writes it, or hands it over as `Particulars`. Neither is
written. So a rule for whoever writes a message: our words stand in it as they are, what others wrote in quotes.
"""

import hashlib
import hmac
import logging
import re
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

from server.edge.url_secrets import PARAMETERS

HIDDEN: Final = "[hidden]"
VARIABLE_PREFIX: Final = "BEATBOOK_"
SECRET_CHARS_MIN: Final = 6
"""Shorter known secrets are not looked for: they would be found in every other word."""
NAME_DIGITS: Final = 8
"""Of a name's hash: of 10,000 names, two are hardly ever the same."""
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
_QUOTED: Final = re.compile(r"""(?<!\w)(b?)(["'])((?:[^\\\n]|\\.)*?)\2(?!\w)""")
"""What `repr` makes of text and bytes. Where an apostrophe is taken for one, too much is hidden and not too little."""
_HASHED: Final = re.compile(r"~[0-9a-f]{8}")
_WORD: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
"""What can be a device's name or a collar number (`schemas.ids`), without the end of a sentence behind it."""
IsName = Callable[[str], bool]
"""Whether a word is a collar number, in any case, or a device's name. It is asked for every word of every line."""


_CAUSED: Final = "The above exception was the direct cause of the following exception:"
_MEANWHILE: Final = "During handling of the above exception, another exception occurred:"


class Particulars:
    """An argument of a log record that may tell of somebody, whole: written only where names are written too."""

    def __init__(self, said: object) -> None:
        """Keep what was said."""
        self._said = said

    def __str__(self) -> str:
        """Nothing of it: whatever else formats a record must not show it either."""
        return HIDDEN

    def reveal(self) -> str:
        """What was said."""
        return str(self._said)


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """The values that a process's variables give us as secrets: those of our prefix that name no file."""
    return [
        value
        for name, value in environment.items()
        if name.startswith(VARIABLE_PREFIX) and not name.endswith("_FILE") and not Path(value).is_absolute()
    ]


class RedactingFormatter(logging.Formatter):
    """Formats as its base does, then hides secrets and names in the whole of it, traceback included."""

    def __init__(self, fmt: str | None = None, *, personal: bool = False) -> None:
        """Begin with the shapes of secrets alone; `know` and `name` add some.

        Args:
            fmt: as the base's.
            personal: leave names, and what a foreign exception says, as they are.
        """
        super().__init__(fmt)
        self._personal = personal
        self._known: list[str] = []
        self._is_name: IsName | None = None
        self._key = b""

    def know(self, secrets: Iterable[str]) -> None:
        """Hide these too, wherever they stand."""
        known = {each for each in (*self._known, *secrets) if len(each) >= SECRET_CHARS_MIN}
        # One that contains another goes first, or a part of it would be left.
        self._known = sorted(known, key=len, reverse=True)

    def name(self, is_name: IsName, key: bytes) -> None:
        """From now on every word that is a name is written as its hash under this key."""
        self._is_name, self._key = is_name, key

    def hidden(self, text: str) -> str:
        """The text as it may be written, but for what is quoted in it."""
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        for shape, hidden in _SHAPES:
            text = shape.sub(hidden, text)
        return text if self._personal or self._is_name is None else _WORD.sub(self._named, text)

    def said(self, record: logging.LogRecord) -> str:
        """A record's message as it may be written, without a traceback."""
        if not self._personal:
            # Names first: of somebody who is known here the hash stays, quoted or not.
            return _QUOTED.sub(_without_what_is_quoted, self.hidden(record.getMessage()))
        args = record.args if isinstance(record.args, tuple) else ()
        if any(isinstance(one, Particulars) for one in args):
            shown = tuple(one.reveal() if isinstance(one, Particulars) else one for one in args)
            return self.hidden(str(record.msg) % shown)
        return self.hidden(record.getMessage())

    def _named(self, word: re.Match[str]) -> str:
        """A word, or its hash when it is a name; of words that a full stop joins, each by itself."""
        found = word.group()
        return ".".join(map(self._shown, found.split("."))) if not self._means(found) else self._shown(found)

    def _means(self, word: str) -> bool:
        return self._is_name is not None and self._is_name(word)

    def _shown(self, word: str) -> str:
        if not self._means(word):
            return word
        # In lower case: a scope has a collar number so, and it is the same officer's.
        told = hmac.new(self._key, word.lower().encode(), hashlib.sha256).hexdigest()
        return f"~{told[:NAME_DIGITS]}"

    def formatException(  # noqa: N802  the base's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """The traceback; what the exceptions say is left out, for it may hold anything."""
        return super().formatException(ei) if self._personal or ei[1] is None else without_words(ei[1])

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        # Another handler's formatter may have kept the whole traceback in it.
        record.exc_text = None
        return self.hidden(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the base's name
        """One record as text, but for what happened on the way."""
        record.message = self.said(record)
        return super().formatMessage(record)


def _without_what_is_quoted(found: re.Match[str]) -> str:
    """A hash stays: it is of somebody who is known here."""
    prefix, mark, said = found.groups()
    kept = said if not said or _HASHED.fullmatch(said) else HIDDEN
    return f"{prefix}{mark}{kept}{mark}"


def without_words(error: BaseException) -> str:
    """A traceback as Python writes it, of the whole chain and of a group's members, without what exceptions say."""
    return "\n".join(_traced(error, set()))


def _traced(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _traced(before, seen)
        yield f"\n{_CAUSED if before is error.__cause__ else _MEANWHILE}\n"
    yield "Traceback (most recent call last):"
    yield "".join(traceback.format_tb(error.__traceback__)).rstrip("\n")
    kind = type(error)
    yield f"{kind.__module__}.{kind.__qualname__}: {HIDDEN}".removeprefix("builtins.")
    for one in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield "  with:"
        yield textwrap.indent("\n".join(_traced(one, seen)), "  | ")
