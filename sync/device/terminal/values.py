"""Values between a person and a record: how a field's value is written on the screen, and read from what was typed.

Everything follows from the types that a kind declares, so a new kind or field needs nothing here. What is shown may
come from any device: characters that steer a terminal are made visible and do nothing.
"""

import datetime as dt
import enum
import typing
import unicodedata
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import inspect

from schemas.errors import UsageError
from schemas.ids import Millis
from schemas.kinds import FieldSpec, Hold
from schemas.kinds.common import LogEntry
from schemas.policies import claim, grow, tags
from schemas.tokens import Token

NOTHING: Final = "-"
"""Typed to empty a field that may be empty; also shown for one that is."""
NOW: Final = "now"
"""Typed for this moment."""
_NOT_SET: Final = {
    grow.name: "only grows and holds no one value to set: log writes in a log",
    tags.name: "holds tags: tag and untag change them",
    claim.name: "is claimed: claim, release and reserve change it",
}
"""Policy -> why `set` does not change such a field."""
_YES: Final = frozenset({"yes", "true", "on"})
_NO: Final = frozenset({"no", "false", "off"})
# Controls (escape sequences among them), surrogates, and format characters, which can turn the direction of text.
_STEERING: Final = frozenset({"Cc", "Cf", "Cs"})
_JOINERS: Final = frozenset({"\u200c", "\u200d"})
"""Format characters that spelling needs: the joiners of several scripts and of emoji."""


class LocalTime:
    """Moments in the time of the place, always with the zone's name.

    Attributes:
        zone: the zone; None for the machine's own.
    """

    def __init__(self, zone: dt.tzinfo | None = None) -> None:
        """Take a zone; None for the machine's own."""
        self.zone = zone

    def text(self, moment: int) -> str:
        """A moment (ms since 1970) as `2026-03-09 14:32 GMT`."""
        local = self._at(moment)
        return f"{moment} ms after 1970" if local is None else f"{local:%Y-%m-%d %H:%M %Z}"

    def brief(self, moment: int, now: int) -> str:
        """A moment for a narrow column: `14:32 GMT` of today, `2026-03-09` of another day."""
        local, today = self._at(moment), self._at(now)
        if local is None or today is None:
            return self.text(moment)
        return f"{local:%H:%M %Z}" if local.date() == today.date() else f"{local:%Y-%m-%d}"

    def _at(self, moment: int) -> dt.datetime | None:
        try:
            return dt.datetime.fromtimestamp(moment / 1_000, dt.UTC).astimezone(self.zone)
        except (OverflowError, ValueError, OSError):
            # A record may say a moment that no calendar has.
            return None

    def read(self, text: str, now: Millis) -> Millis:
        """The moment that was typed: `2026-03-09 14:32`, `14:32` of today, or `now`.

        Raises:
            UsageError: it is neither.
        """
        today = dt.datetime.fromtimestamp(now / 1_000, dt.UTC).astimezone(self.zone).date()
        typed = text.strip()
        if typed.casefold() == NOW:
            return now
        try:
            naive = dt.datetime.fromisoformat(typed if "-" in typed else f"{today} {typed}")
            # A naive time's astimezone takes the machine's zone, which is what None means here.
            aware = naive if naive.tzinfo else naive.replace(tzinfo=self.zone)
            return Millis(int(aware.astimezone(dt.UTC).timestamp() * 1_000))
        except (OverflowError, ValueError, OSError):
            raise UsageError(f"{text!r} is no time: type it as in 14:32 (today) or 2026-03-09 14:32") from None


def safe(text: str, *, lines: bool = False) -> str:
    """`text` with what would steer a terminal made visible.

    Args:
        text: from anywhere.
        lines: whether ends of lines stay; otherwise they become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    parts = text.replace("\t", " ").splitlines()
    return ("\n" if lines else " ").join("".join(map(_visible, part)) for part in parts)


def _visible(char: str) -> str:
    steers = unicodedata.category(char) in _STEERING and char not in _JOINERS
    return "\N{REPLACEMENT CHARACTER}" if steers else char


# --- out -------------------------------------------------------------------------------------------------------------


def shown(value: object, declared: object, time: LocalTime, *, lines: bool = False) -> str:
    """A value in words.

    Args:
        value: typed, as in a record.
        declared: its type, as the kind declares it.
        time: for moments.
        lines: whether ends of lines in texts stay.
    """
    if value is None or value == ():
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and _is_moment(declared):
        return time.text(value)
    if isinstance(value, msgspec.Struct):
        return _shown_struct(value, time, lines=lines)
    if isinstance(value, tuple):
        return ", ".join(shown(one, None, time) for one in value)
    if isinstance(value, Token) and not value.known:
        return f"{safe(str(value.value))} (known only to a newer program)"
    return safe(str(value.value if isinstance(value, enum.Enum) else value), lines=lines)


def _shown_struct(value: msgspec.Struct, time: LocalTime, *, lines: bool) -> str:
    if isinstance(value, LogEntry):
        corrects = "" if value.corrects is None else f" (corrects {value.corrects[0]}, entry {value.corrects[1] + 1})"
        return safe(value.text, lines=lines) + corrects
    if isinstance(value, Hold):
        until = "" if value.until is None else f" until {time.text(value.until)}"
        return f"{'reserved' if until else 'held'} for {safe(value.holder)}{until}"
    hints = typing.get_type_hints(type(value), include_extras=True)
    parts = [
        f"{name} {shown(part, hints[name], time)}"
        for name in value.__struct_fields__
        if (part := getattr(value, name)) is not None
    ]
    return ", ".join(parts).replace("_", " ")


# --- in --------------------------------------------------------------------------------------------------------------


def read(field: FieldSpec, text: str, time: LocalTime, now: Millis) -> object:
    """What was typed for a field, as a value of its type. Its length and form are checked where it is written.

    Args:
        field: the field.
        text: what was typed.
        time, now: for moments.

    Raises:
        UsageError: it does not fit; the text says what would.
    """
    if field.policy.name in _NOT_SET:
        raise UsageError(f"{field.name} {_NOT_SET[field.policy.name]}")
    return read_as(field.name, field.type, text, time, now)


def read_as(name: str, declared: object, text: str, time: LocalTime, now: Millis) -> object:
    """What was typed, as a value of a declared type; see `read`.

    Raises:
        UsageError: it does not fit; the text says what would.
    """
    kind, optional = _core(declared)
    typed = text.strip()
    if typed == NOTHING:
        return _nothing(name, kind, optional=optional)
    match kind:
        case inspect.EnumType():
            return _choice(name, kind.cls, typed)
        case inspect.BoolType():
            if typed.casefold() not in _YES | _NO:
                raise UsageError(f"{name} is yes or no, not {typed!r}")
            return typed.casefold() in _YES
        case inspect.IntType() if _is_moment(declared):
            return time.read(typed, now)
        case inspect.IntType():
            if not (typed.isascii() and typed.isdigit()):
                raise UsageError(f"{name} is a whole number, not {typed!r}")
            return int(typed)
        case inspect.StrType():
            return typed
        case inspect.VarTupleType(item_type=inspect.StrType()):
            return tuple(part for one in typed.split(",") if (part := one.strip()))
        case _:
            raise UsageError(f"{name} cannot be typed here; an application of its own sets it")


def hint_of(declared: object) -> str:
    """What can be typed for a type, in a few words; "" for any text."""
    kind, optional = _core(declared)
    match kind:
        case inspect.EnumType():
            told = listed([str(choice.value) for choice in kind.cls])
        case inspect.BoolType():
            told = "yes or no"
        case inspect.IntType() if _is_moment(declared):
            told = "a time as in 14:32, or now"
        case inspect.IntType():
            told = "a number"
        case inspect.VarTupleType():
            told = "with commas between them"
        case _:
            told = ""
    return f"{told}; - for nothing".removeprefix("; ") if optional or isinstance(kind, inspect.VarTupleType) else told


def read_tag(field: FieldSpec, text: str) -> object:
    """What was typed for a tag, as one of the field's type: its words, with nothing beside them.

    Raises:
        UsageError: the field holds no tags.
    """
    if field.policy is not tags:
        raise UsageError(f"{field.name} holds no tags; set changes a value")
    return field.type(**{msgspec.structs.fields(field.type)[0].name: text.strip()})


def tag_words(tag: msgspec.Struct) -> str:
    """The words of a tag, without what stands beside them."""
    return str(getattr(tag, tag.__struct_fields__[0]))


def _nothing(name: str, kind: inspect.Type, *, optional: bool) -> object:
    if optional:
        return None
    if isinstance(kind, inspect.VarTupleType):
        return ()
    raise UsageError(f"{name} cannot be empty")


def _choice(name: str, choices: type[enum.Enum], typed: str) -> enum.Enum:
    for choice in choices:
        if str(choice.value) == typed.casefold():
            return choice
    raise UsageError(f"{name} is one of {listed([str(choice.value) for choice in choices])}; not {typed!r}")


def listed(words: Sequence[str]) -> str:
    """Words with commas between them."""
    return ", ".join(words)


def _core(declared: object) -> tuple[inspect.Type, bool]:
    """The type without None, and whether None was in it."""
    info = inspect.type_info(declared)
    if not isinstance(info, inspect.UnionType):
        return info, False
    others = [one for one in info.types if not isinstance(one, inspect.NoneType)]
    return (others[0] if len(others) == 1 else info), len(others) < len(info.types)


def _is_moment(declared: object) -> bool:
    """Whether a type is `Millis`, annotated or optional or not. At run time it is an int like any other."""
    return declared is Millis or any(map(_is_moment, typing.get_args(declared)))
