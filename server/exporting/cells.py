"""What stands in one cell of a published table: a word, a moment, yes or no, or nothing where nothing is said."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.errors import UsageError
from schemas.tokens import Token

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def checked_month(text: str) -> str:
    """A month, as in 2026-11.

    Raises:
        UsageError: it is none.
    """
    if _MONTH.fullmatch(text) is None:
        raise UsageError(f"month={text!r}: give a month, as in 2026-11")
    return text


def moment(at: int) -> str:
    """A moment in UTC, to the second; "" for one that no calendar has, which a wrong clock may have written."""
    try:
        return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="seconds")
    except OverflowError:
        return ""


def word(words: Mapping[Token, str], token: Token | None) -> str:
    """A token as it is published; one that only a newer program knows as it is."""
    return "" if token is None else words.get(token, str(token.value))


def said(value: bool | None) -> str:  # noqa: FBT001  it is the value that is told
    """What was answered, as data.police.uk has it."""
    return "" if value is None else str(value)


def yes(value: bool | None) -> str:  # noqa: FBT001  as above
    """What was answered, as the tables of use of force have it."""
    return "" if value is None else ("Yes" if value else "No")


def line(text: str) -> str:
    """Text as one line of characters that can be seen."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
