"""How times, values, rules and doubts are said to a person who reads a record's history: an inspector, a court.

Each policy's sentence stands here once, beside each doubt about a time. Whatever is not known is shown as it came.
"""

import re
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from schemas.ids import Millis
from schemas.kinds.claims import Hold
from schemas.ops import Doubt

POLICY_WORDS: Final[Mapping[str, str]] = {
    "latest": (
        "the change that was made last stands, by the time of its making, which is corrected for how far each device's "
        "clock was off; what it replaced stays in this history."
    ),
    "once": (
        "what was recorded first stands; whoever says something else later changes nothing by that, and a person "
        "decides between the two."
    ),
    "highest": (
        "the highest of what was said stands, until somebody who had seen it lowers it; a lowering by somebody who had "
        "not seen it lowers only what they had seen."
    ),
    "grow": "every entry stays, in the order in which things happened; a correction is an entry of its own.",
    "tags": "each stays until somebody who had seen it takes it away; one that was added unseen meanwhile stays.",
    "state": (
        "only the steps that are laid down may be taken; of two that were taken without sight of each other the one "
        "that is laid down as the safer stands."
    ),
    "judged": (
        "nothing that was said is dropped and no rule chooses: while people differ the safe choice is shown, and a "
        "person decides."
    ),
    "claim": (
        "whoever's claim reached the server first has it; nobody is moved by the software, and a person decides what "
        "becomes of a claim that came second."
    ),
}
"""Policy name -> what it means for whoever reads why a value stands."""

DOUBT_WORDS: Final[Mapping[Doubt, str]] = {
    Doubt.EARLIER_OFFSET: "the device had met no server since it was started, and counted on from what it knew before",
    Doubt.NEVER_SET: "the device had never met a server, so this is its own clock's time",
    Doubt.SET_BACK: "the device's clock had been set back since its last change",
    Doubt.CORRECTED: "the device gave a better time once it had met the server, and that one counts",
    Doubt.AHEAD: "the time lay ahead of the server's clock when the change was recorded",
    Doubt.RENUMBERED: "another device, or a copy of this one, had used the number of this change",
}
_KNOWN_DOUBTS: Final = sum(DOUBT_WORDS)


def doubts(flags: int) -> list[str]:
    """What is doubtful about a time, in words; nothing for a time that is sound.

    Args:
        flags: a sum of `Doubt` values; an unknown bit is told too.
    """
    found = [words for flag, words in DOUBT_WORDS.items() if flags & flag]
    unknown = flags & ~_KNOWN_DOUBTS
    return [*found, f"a newer program marked it for a reason not known here ({unknown})"] if unknown else found


def moment(ms: int) -> str:
    """A moment as an inspector writes it: UTC, ISO 8601, to the second; ms since 1970 beyond the calendar's end."""
    try:
        return datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms since 1970"


def _exactly(ms: int) -> str:
    """A moment that somebody recorded: with its milliseconds, if it has any, or two that differ would look alike."""
    words = moment(ms)
    return f"{words.removesuffix('Z')}.{ms % 1_000:03}Z" if ms % 1_000 and words.endswith("Z") else words


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def value(kind: object, given: object) -> str:
    """A value in words.

    Args:
        kind: the type that its field declares: a number is a moment or a number by that.
        given: the value as plain data.
    """
    match given:
        case None:
            return "nothing"
        case bool():
            return "yes" if given else "no"
        case dict():
            return _struct(_struct_type(kind), given)
        case list() | tuple():
            inner = _items_type(kind)
            return listed(value(inner, one) for one in given) if given else "nothing"
        case int() if is_moment(kind):
            return _exactly(given)
        case str() if not re.fullmatch(r"[\w./:-]+", given):
            return f"“{given}”"
    return str(given)


def _struct(kind: type[msgspec.Struct] | None, given: Mapping[str, Any]) -> str:
    if kind is Hold and isinstance(given.get("holder"), str):
        until = given.get("until")
        held = f"for {given['holder']}"
        return f"held {held}" if until is None else f"reserved {held} until {_exactly(until)}"
    types_of: Mapping[str, Any] = {} if kind is None else typing.get_type_hints(kind, include_extras=True)
    told = {str(name): value(types_of.get(name), one) for name, one in given.items() if one is not None}
    if len(told) == 1:
        return next(iter(told.values()))
    return ", ".join(f"{name.replace('_', ' ')} {words}" for name, words in told.items()) or "nothing"


def _parts(kind: object) -> list[object]:
    """The types that a declared type is made of: without annotations, and each of a union's."""
    if typing.get_origin(kind) is typing.Annotated:
        return _parts(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return [part for each in typing.get_args(kind) for part in _parts(each)]
    return [kind]


def is_moment(kind: object) -> bool:
    """Whether a declared type is a moment: milliseconds since 1970."""
    return Millis in _parts(kind)


def _struct_type(kind: object) -> type[msgspec.Struct] | None:
    found = (part for part in _parts(kind) if isinstance(part, type) and issubclass(part, msgspec.Struct))
    return next(found, None)


def _items_type(kind: object) -> object:
    found = (typing.get_args(part)[0] for part in _parts(kind) if typing.get_origin(part) in (tuple, list))
    return next(found, None)
