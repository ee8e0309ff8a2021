"""For whom a page is made, and the few styles that every page shares."""

from typing import Final

import msgspec
from rich.table import Table

from schemas.ids import Millis
from sync.device.terminal.values import LocalTime

LABEL: Final = "bold"
WHO: Final = "dim"
WARN: Final = "yellow"
BAD: Final = "bold red"


class Reader(msgspec.Struct, frozen=True):
    """For whom it is shown.

    Attributes:
        author: the officer.
        time: their local time.
        now: the moment (ms since 1970).
    """

    author: str
    time: LocalTime
    now: Millis


def grid() -> Table:
    """Two columns, and who said it in a third."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style=WHO)
    return table


def label(name: str) -> str:
    """A field's name as people read it."""
    return name.replace("_", " ")
