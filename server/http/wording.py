"""What is wrong with a body, for people: a command shows the server's answer as it is, and nobody reads expressions.

The decoder says what it expected in the words of types. Those that whoever types a command can meet are put into words
of ours, with the form that a name must have and one that has it. What is not known here is told as the decoder says it.
"""

import re
from typing import Final

from schemas import ids

_FORMS: Final = {
    ids.SLUG_PATTERN: "up to 40 of a-z, 0-9 and -, as in birmingham",
    ids.DEVICE_PATTERN: "2 to 40 of a-z, 0-9 and -, as in hh-01",
    ids.OFFICER_PATTERN: "up to 40 of A-Z, a-z, 0-9, . and -, as in WM21877",
    ids.SCOPE_PATTERN: "a scope, as in area:birmingham",
    ids.RECORD_PATTERN: "a record's id, as in 01890000-0000-7000-8000-000000000001",
    ids.FIELD_PATTERN: "the name of a field: up to 40 of a-z, 0-9 and _",
}
"""Pattern -> what fits it."""
_SAID: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?", re.DOTALL)
_EXPECTED: Final = re.compile(r"Expected `(?:str|array)` of length (>=|<=) (\d+)")
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`")
_PATTERN: Final = re.compile(r"Expected `str` matching regex (.*)", re.DOTALL)


def in_words(error: Exception) -> str:
    """What is wrong with a body, and where in it.

    Args:
        error: of a decoder.
    """
    text = str(error)
    said = _SAID.fullmatch(text)
    what, where = ("", "") if said is None else (said["what"], said["where"] or "")
    missing, unknown = _MISSING.fullmatch(what), _UNKNOWN.fullmatch(what)
    if missing is not None:
        return f"`{_joined(where, missing[1])}` is missing: say it"
    if unknown is not None:
        return f"there is no `{_joined(where, unknown[1])}`: leave it out, or spell it as the reference does"
    return _about_value(what, where) or text


def _about_value(what: str, where: str) -> str | None:
    """What is wrong with one value; None for what has no words here."""
    pattern, length = _PATTERN.fullmatch(what), _EXPECTED.fullmatch(what)
    if pattern is not None:
        form = next((words for known, words in _FORMS.items() if repr(known) == pattern[1]), None)
        return None if form is None else f"`{where}` has not its form: give {form}"
    if length is None:
        return None
    way, number = length.groups()
    if (way, number) == (">=", "1"):
        return f"`{where}` is empty: say something"
    wrong, bound = ("short", "at least") if way == ">=" else ("long", "at most")
    return f"`{where}` is too {wrong}: give {bound} {number}"


def _joined(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
