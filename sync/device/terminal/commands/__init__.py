"""What can be typed: every command with its form and meaning, a module for each subject, and how a line becomes one.

A module's `SPECS` are its rows of the table. A new subject is a module here, or one whose commands carry themselves
out, and its row in `_SUBJECTS`.
"""

import difflib
import itertools
from typing import Final, cast

from schemas.errors import UsageError
from sync.device.terminal.commands import claims, records, seat, shift
from sync.device.terminal.commands.claims import Claim, Decide, Free, Release, Reserve, ShowInbox
from sync.device.terminal.commands.records import (
    DEFAULT_CATEGORY,
    LISTS,
    Correct,
    Explain,
    Listing,
    Log,
    New,
    Read,
    SetField,
    Show,
    Tag,
    Why,
)
from sync.device.terminal.commands.seat import (
    WAIT_S,
    Alarms,
    DraftNote,
    Help,
    ListHeld,
    Lock,
    Mend,
    Offline,
    Online,
    Quit,
    Status,
    Wait,
    Withdraw,
)
from sync.device.terminal.commands.shift import Acknowledge, ShowDue, ShowHandover, ShowPack
from sync.device.terminal.errands import board, control, custody, entries, incidents, making, overriding, passing
from sync.device.terminal.errands import shift as handing
from sync.device.terminal.spec import CommandSpec
from sync.device.terminal.work import Errand

__all__ = [
    "COMMANDS",
    "DEFAULT_CATEGORY",
    "LISTS",
    "WAIT_S",
    "Acknowledge",
    "Alarms",
    "AtSeat",
    "Change",
    "Claim",
    "Command",
    "CommandSpec",
    "Correct",
    "Decide",
    "DraftNote",
    "Explain",
    "Free",
    "Help",
    "ListHeld",
    "Listing",
    "Lock",
    "Log",
    "Look",
    "Mend",
    "New",
    "Offline",
    "Online",
    "Quit",
    "Read",
    "Release",
    "Reserve",
    "SetField",
    "Show",
    "ShowDue",
    "ShowHandover",
    "ShowInbox",
    "ShowPack",
    "Status",
    "Tag",
    "Wait",
    "Why",
    "Withdraw",
    "parse",
]

Change = (
    New | Log | SetField | Read | Tag | Correct | Claim | Release | Reserve | Decide | Acknowledge | Mend | Withdraw
)
"""The commands that write."""
Look = Listing | Show | ShowInbox | ShowDue | ShowPack | ShowHandover | Free | Explain | Why
"""The commands that read records."""
AtSeat = DraftNote | Alarms | Lock
"""The commands about the seat."""
Command = Change | Look | AtSeat | ListHeld | Offline | Online | Status | Wait | Help | Quit | Errand

_SUBJECTS: Final = (
    records.SPECS,
    overriding.SPECS,
    board.SPECS,
    custody.SPECS,
    entries.SPECS,
    making.SPECS,
    incidents.SPECS,
    control.SPECS,
    claims.SPECS,
    shift.SPECS,
    handing.SPECS,
    passing.SPECS,
    seat.SPECS,
)
COMMANDS: Final[dict[str, CommandSpec]] = {one.name: one for one in itertools.chain.from_iterable(_SUBJECTS)}
"""Name -> command, in the order of `help`."""


def parse(line: str) -> Command | None:
    """The command that a line holds; None for an empty line and for a comment (`# …`).

    Raises:
        UsageError: there is no such command, or it has another form; the text says what to type.
    """
    typed = line.strip()
    if not typed or typed.startswith("#"):
        return None
    name, *rest = typed.split(maxsplit=1)
    spec = COMMANDS.get(name.casefold())
    if spec is None:
        near = difflib.get_close_matches(name.casefold(), COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else "help tells the commands"
        raise UsageError(f"no command {name!r}: {hint}")
    try:
        return cast("Command", spec.read(rest[0] if rest else ""))
    except ValueError:
        raise UsageError(f"expected: {spec.usage}") from None
