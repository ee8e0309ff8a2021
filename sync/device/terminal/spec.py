"""What a command is, and the reading of forms that many of them have."""

import re
from collections.abc import Callable
from typing import Any

import msgspec


class Typed(msgspec.Struct, frozen=True):
    """What was typed, understood."""


class CommandSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One command.

    Attributes:
        usage: its form; the first word is its name. Capitals stand for what is typed there.
        meaning: what it does.
        read: makes the command of what stands behind its name; raises ValueError when that has not its form.
    """

    usage: str
    meaning: str
    read: Callable[[str], Typed]

    @property
    def name(self) -> str:
        """The word that it is typed by."""
        return self.usage.partition(" ")[0]


def spec(usage: str, meaning: str, read: Callable[[str], Typed]) -> CommandSpec:
    """One row of the table of commands."""
    return CommandSpec(usage=usage, meaning=meaning, read=read)


def alone(command: Typed) -> Callable[[str], Typed]:
    """Of a command behind whose name nothing stands."""

    def read(rest: str) -> Typed:
        if rest:
            raise ValueError
        return command

    return read


def one(rest: str) -> str:
    """The one word that stands there."""
    (which,) = rest.split()
    return which


def matched(form: str, rest: str) -> dict[str, Any]:
    """The named parts of a form, a regular expression; a part that was left out is None.

    Raises:
        ValueError: what was typed has not that form.
    """
    found = re.fullmatch(form, rest.strip(), re.DOTALL)
    if found is None:
        raise ValueError
    return found.groupdict()
