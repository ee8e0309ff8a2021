"""Commands about any record: to find it, see it and write in it."""

import re
from typing import Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import SLUG_PATTERN
from schemas.kinds import Kind
from schemas.kinds.incident import Category
from sync.device.kind_words import KIND_WORDS
from sync.device.terminal.spec import Typed, matched, one, spec
from sync.device.terminal.values import listed

LISTS: Final = "list"
"""Stands for the lists in `why`."""
DEFAULT_CATEGORY: Final = Category.PUBLIC_SAFETY


class Listing(Typed, frozen=True):
    """`list`: records of one kind, or of all, that hold every one of some words."""

    kind: type[Kind] | None
    words: tuple[str, ...]


class Show(Typed, frozen=True):
    """`show`: one record with all that is known of it."""

    which: str


class New(Typed, frozen=True):
    """`new`: report an incident."""

    summary: str
    area: str
    category: Category


class Log(Typed, frozen=True):
    """`log`: write in a record's log."""

    which: str
    text: str


class SetField(Typed, frozen=True):
    """`set`: give a field a new value."""

    which: str
    field: str
    value: str


class Read(Typed, frozen=True):
    """`read`: confirm that a briefing was read."""

    which: str


class Tag(Typed, frozen=True):
    """`tag` and `untag`: add a tag to a field, or take it away."""

    which: str
    field: str
    tag: str
    away: bool = False


class Correct(Typed, frozen=True):
    """`correct`: put right what was recorded once."""

    which: str
    field: str
    value: str
    reason: str


class Explain(Typed, frozen=True):
    """`explain`: why a record, or a field of it, shows what it shows."""

    which: str
    field: str | None


class Why(Typed, frozen=True):
    """`why`: the reason for looking at a record, which is then shown; or for the lists from now on.

    Attributes:
        which: the record; LISTS for the lists.
        reason: in words.
    """

    which: str
    reason: str


def _listing(rest: str) -> Listing:
    words = rest.split()
    kind = KIND_WORDS.get(words[0].casefold()) if words else None
    return Listing(kind, tuple(words if kind is None else words[1:]))


def _new(rest: str) -> New:
    # The last " in " with one or two words behind it: a summary may well have one of its own.
    found = re.fullmatch(r"(?P<summary>.+)\s+in\s+(?P<area>\S+)(?:\s+(?P<category>\S+))?", rest, re.DOTALL)
    if found is None:
        raise ValueError
    area = found["area"].casefold()
    if re.match(SLUG_PATTERN, area) is None:
        raise UsageError(f"{found['area']!r} is no area: its name has a-z, 0-9 and -, as in birmingham")
    category = DEFAULT_CATEGORY if found["category"] is None else _category(found["category"])
    return New(found["summary"].strip(), area, category)


def _category(text: str) -> Category:
    # By looking through them: a token takes any text for a value that a newer program may know.
    for category in Category:
        if category.value == text.casefold():
            return category
    raise UsageError(f"{text!r} is no category; there are {listed([str(category.value) for category in Category])}")


def _log(rest: str) -> Log:
    which, text = rest.split(maxsplit=1)
    return Log(which, text.rstrip())


def _set(rest: str) -> SetField:
    which, field, value = rest.split(maxsplit=2)
    return SetField(which, field.casefold(), value.rstrip())


def _tag(rest: str) -> Tag:
    which, field, tag = rest.split(maxsplit=2)
    return Tag(which, field.casefold(), tag.rstrip())


def _untag(rest: str) -> Tag:
    return msgspec.structs.replace(_tag(rest), away=True)


def _correct(rest: str) -> Correct:
    parts = matched(r"(?P<which>\S+)\s+(?P<field>\S+)\s+(?P<value>.+?)\s+because\s+(?P<reason>.+)", rest)
    return Correct(**{**parts, "field": parts["field"].casefold()})


def _explain(rest: str) -> Explain:
    which, *field = rest.split(maxsplit=1)
    if field and len(field[0].split()) > 1:
        raise ValueError
    return Explain(which, field[0].casefold() if field else None)


def _why(rest: str) -> Why:
    which, reason = rest.split(maxsplit=1)
    return Why(which, reason.rstrip())


SPECS: Final = (
    spec(
        # Not in the form itself: the longest form is the width of the column in help.
        "list [KIND] [WORDS…]",
        f"the newest records that hold all of the words; KIND is one of {listed(list(KIND_WORDS))}",
        _listing,
    ),
    spec("show ID", "one record: every field, its log, who said what and when", lambda rest: Show(one(rest))),
    spec("new SUMMARY… in AREA [CATEGORY]", "report an incident", _new),
    spec("log ID TEXT…", "write in the log of an incident or a booking", _log),
    spec("set ID FIELD VALUE…", "give a field another value; - empties it", _set),
    spec("read ID", "confirm that you have read a briefing", lambda rest: Read(one(rest))),
    spec("tag ID FIELD TAG…", "add a tag, as in tag . markers dog at the address", _tag),
    spec("untag ID FIELD TAG…", "take away a tag that is shown", _untag),
    spec("correct ID FIELD VALUE… because REASON…", "put right what was recorded once, if you may decide", _correct),
    spec("explain ID [FIELD]", "why it shows what it shows", _explain),
    spec("why ID REASON…", "say why you look at a record, once, and see it; why list REASON… is for lists", _why),
)
