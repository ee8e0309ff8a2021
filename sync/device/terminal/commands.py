"""What can be typed: every command with its form and meaning in one table, and how a line becomes one of them."""

import difflib
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import SLUG_PATTERN
from schemas.kinds import (
    Alarm,
    Briefing,
    BriefingReceipt,
    CallBackSample,
    Cohort,
    CustodyBooking,
    ForceSettings,
    InboxItem,
    Incident,
    Kind,
    Medical,
    NumberSeries,
    ProtectionPlan,
    Resource,
    StopSearch,
    Suspect,
)
from schemas.kinds.incident import Category
from sync.device.terminal.values import listed

KIND_WORDS: Final[dict[str, type[Kind]]] = {
    "incidents": Incident,
    "briefings": Briefing,
    "bookings": CustodyBooking,
    "resources": Resource,
    "suspects": Suspect,
    "medical": Medical,
    "decisions": InboxItem,
    "settings": ForceSettings,
    "plans": ProtectionPlan,
    "call-backs": CallBackSample,
    "series": NumberSeries,
    "receipts": BriefingReceipt,
    "cohorts": Cohort,
    "searches": StopSearch,
    "warnings": Alarm,
}
"""What the kinds are called here."""
SHIFT_HOURS: Final = 10
"""A shift, unless another length is typed."""
SHIFT_HOURS_MAX: Final = 24
WAIT_S: Final = 30.0
"""How long `wait` waits when it is not told."""
WAIT_S_MAX: Final = 86_400.0
LISTS: Final = "list"
"""Stands for the lists in `why`."""
DEFAULT_CATEGORY: Final = Category.PUBLIC_SAFETY


class Listing(msgspec.Struct, frozen=True):
    """`list`: records of one kind, or of all, that hold every one of some words."""

    kind: type[Kind] | None
    words: tuple[str, ...]


class Show(msgspec.Struct, frozen=True):
    """`show`: one record with all that is known of it."""

    which: str


class New(msgspec.Struct, frozen=True):
    """`new`: report an incident."""

    summary: str
    area: str
    category: Category


class Log(msgspec.Struct, frozen=True):
    """`log`: write in a record's log."""

    which: str
    text: str


class SetField(msgspec.Struct, frozen=True):
    """`set`: give a field a new value."""

    which: str
    field: str
    value: str


class Read(msgspec.Struct, frozen=True):
    """`read`: confirm that a briefing was read."""

    which: str


class Offline(msgspec.Struct, frozen=True):
    """`offline`: cut the connection."""


class Online(msgspec.Struct, frozen=True):
    """`online`: connect again."""


class Status(msgspec.Struct, frozen=True):
    """`status`: how it stands with the server."""


class ListHeld(msgspec.Struct, frozen=True):
    """`held`: own changes that the server refused."""


class Wait(msgspec.Struct, frozen=True):
    """`wait`: until everything is in and nothing waits."""

    seconds: float


class ShowInbox(msgspec.Struct, frozen=True):
    """`inbox`: what waits for a person."""


class Decide(msgspec.Struct, frozen=True):
    """`decide`: settle what people differ about.

    Attributes:
        which: the inbox item.
        choice: a candidate's number, or `=` and a value, without the quotes it may have been typed in.
        instead: of a claim: what is claimed for whoever is displaced.
        reason: why.
    """

    which: str
    choice: str
    instead: str | None
    reason: str


class ShowDue(msgspec.Struct, frozen=True):
    """`due`: what falls due and waits for somebody to take it up."""


class Acknowledge(msgspec.Struct, frozen=True):
    """`ack`: take an alarm up.

    Attributes:
        which: its number in the last `due`, or the end of its id.
        note: what is done about it; "" for nothing said.
    """

    which: str
    note: str


class ShowPack(msgspec.Struct, frozen=True):
    """`pack`: the briefing pack of a shift that begins now.

    Attributes:
        hours: how long the shift is.
    """

    hours: int


class ShowHandover(msgspec.Struct, frozen=True):
    """`handover`: what is handed over to a shift that begins now.

    Attributes:
        hours: how long the shift is.
    """

    hours: int


class Claim(msgspec.Struct, frozen=True):
    """`claim`: take something scarce; for the officer, when no holder is named."""

    which: str
    holder: str | None


class Release(msgspec.Struct, frozen=True):
    """`release`: give it up."""

    which: str


class Reserve(msgspec.Struct, frozen=True):
    """`reserve`: keep a pool for this device and a time."""

    which: tuple[str, ...]
    until: str
    holder: str | None


class Free(msgspec.Struct, frozen=True):
    """`free`: what else there is."""

    which: str


class Tag(msgspec.Struct, frozen=True):
    """`tag` and `untag`: add a tag to a field, or take it away."""

    which: str
    field: str
    tag: str
    away: bool = False


class Correct(msgspec.Struct, frozen=True):
    """`correct`: put right what was recorded once."""

    which: str
    field: str
    value: str
    reason: str


class Mend(msgspec.Struct, frozen=True):
    """`mend`: put a refused change right."""

    op: str
    field: str
    value: str


class Withdraw(msgspec.Struct, frozen=True):
    """`withdraw`: give a refused change up."""

    op: str
    reason: str


class Explain(msgspec.Struct, frozen=True):
    """`explain`: why a record, or a field of it, shows what it shows."""

    which: str
    field: str | None


class Why(msgspec.Struct, frozen=True):
    """`why`: the reason for looking at a record, which is then shown; or for the lists from now on.

    Attributes:
        which: the record; LISTS for the lists.
        reason: in words.
    """

    which: str
    reason: str


class DraftNote(msgspec.Struct, frozen=True):
    """`draft`: what happened while nothing can be shown."""

    text: str


class Alarms(msgspec.Struct, frozen=True):
    """`alarms`: what was found that somebody must look at."""


class Lock(msgspec.Struct, frozen=True):
    """`lock`: shut the seat and forget everything."""


class Help(msgspec.Struct, frozen=True):
    """`help`: the commands."""


class Quit(msgspec.Struct, frozen=True):
    """`quit`: end."""


Change = (
    New | Log | SetField | Read | Tag | Correct | Claim | Release | Reserve | Decide | Acknowledge | Mend | Withdraw
)
"""The commands that write."""
Look = Listing | Show | ShowInbox | ShowDue | ShowPack | ShowHandover | Free | Explain | Why
"""The commands that read records."""
AtSeat = DraftNote | Alarms | Lock
"""The commands about the seat."""
Command = Change | Look | AtSeat | ListHeld | Offline | Online | Status | Wait | Help | Quit


class CommandSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One command.

    Attributes:
        usage: its form; the first word is its name. Capitals stand for what is typed there.
        meaning: what it does.
        read: makes the command of what stands behind its name; raises ValueError when that has not its form.
    """

    usage: str
    meaning: str
    read: Callable[[str], Command]


def _listing(rest: str) -> Listing:
    words = rest.split()
    kind = KIND_WORDS.get(words[0].casefold()) if words else None
    return Listing(kind, tuple(words if kind is None else words[1:]))


def _pack(rest: str) -> ShowPack:
    return ShowPack(_hours(rest))


def _hours(rest: str) -> int:
    (hours,) = rest.split() or [str(SHIFT_HOURS)]
    if not hours.isascii() or not hours.isdigit() or not 1 <= int(hours) <= SHIFT_HOURS_MAX:
        raise UsageError(f"{hours!r} is no length of a shift: 1 to {SHIFT_HOURS_MAX} hours")
    return int(hours)


def _one(rest: str) -> str:
    (which,) = rest.split()
    return which


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


def _decide(rest: str) -> Decide:
    instead = r"(?:\s+instead\s+(?P<instead>\S+))?"
    choice = r"(?:=\"(?P<quoted>[^\"]*)\"|(?P<choice>=\S*|\S+))"
    parts = _parts(rf"(?P<which>\S+)\s+{choice}{instead}\s+(?P<reason>.+)", rest)
    quoted = parts.pop("quoted")
    if quoted is None:
        _require_whole(parts["choice"], parts["reason"])
    else:
        parts["choice"] = f"={quoted}"
    return Decide(**parts)


def _require_whole(choice: str, reason: str) -> None:
    """Refuse a bare value that looks like the first word of a longer one: what is decided cannot be taken back."""
    value = choice.removeprefix("=")
    cut = not value or '"' in value or value.endswith(",") or reason.startswith(",")
    dated = re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None and reason[:1].isdigit()
    if choice.startswith("=") and (cut or dated):
        raise UsageError(
            f"{choice!r} may not be the whole value, so nothing was decided: put a value of several words in quotes, "
            'as in ="nuts, milk", and the reason after it'
        )


def _claim(rest: str) -> Claim:
    return Claim(**_parts(r"(?P<which>\S+)(?:\s+(?P<holder>.+))?", rest))


def _reserve(rest: str) -> Reserve:
    parts = _parts(r"(?P<which>.+?)\s+until\s+(?P<until>.+?)(?:\s+for\s+(?P<holder>.+))?", rest)
    return Reserve(tuple(parts["which"].split()), parts["until"], parts["holder"])


def _tag(rest: str) -> Tag:
    which, field, tag = rest.split(maxsplit=2)
    return Tag(which, field.casefold(), tag.rstrip())


def _untag(rest: str) -> Tag:
    return msgspec.structs.replace(_tag(rest), away=True)


def _correct(rest: str) -> Correct:
    parts = _parts(r"(?P<which>\S+)\s+(?P<field>\S+)\s+(?P<value>.+?)\s+because\s+(?P<reason>.+)", rest)
    return Correct(**{**parts, "field": parts["field"].casefold()})


def _ack(rest: str) -> Acknowledge:
    return Acknowledge(**_parts(r"(?P<which>\S+)\s*(?P<note>.*)", rest))


def _mend(rest: str) -> Mend:
    op, field, value = rest.split(maxsplit=2)
    return Mend(op, field.casefold(), value.rstrip())


def _withdraw(rest: str) -> Withdraw:
    op, reason = rest.split(maxsplit=1)
    return Withdraw(op, reason.rstrip())


def _why(rest: str) -> Why:
    which, reason = rest.split(maxsplit=1)
    return Why(which, reason.rstrip())


def _draft(rest: str) -> DraftNote:
    if not rest.strip():
        raise ValueError
    return DraftNote(rest.strip())


def _explain(rest: str) -> Explain:
    which, *field = rest.split(maxsplit=1)
    if field and len(field[0].split()) > 1:
        raise ValueError
    return Explain(which, field[0].casefold() if field else None)


def _parts(form: str, rest: str) -> dict[str, Any]:
    found = re.fullmatch(form, rest.strip(), re.DOTALL)
    if found is None:
        raise ValueError
    return found.groupdict()


def _wait(rest: str) -> Wait:
    seconds = float(rest) if rest else WAIT_S
    if not 0 <= seconds <= WAIT_S_MAX:
        raise ValueError
    return Wait(seconds)


def _alone(command: Command) -> Callable[[str], Command]:
    def read(rest: str) -> Command:
        if rest:
            raise ValueError
        return command

    return read


def _spec(usage: str, meaning: str, read: Callable[[str], Command]) -> CommandSpec:
    return CommandSpec(usage=usage, meaning=meaning, read=read)


_SPECS: Final = (
    _spec(
        f"list [{'|'.join(KIND_WORDS)}] [WORDS…]",
        "the newest records that hold all of the words",
        _listing,
    ),
    _spec("show ID", "one record: every field, its log, who said what and when", lambda rest: Show(_one(rest))),
    _spec("new SUMMARY… in AREA [CATEGORY]", "report an incident", _new),
    _spec("log ID TEXT…", "write in the log of an incident or a booking", _log),
    _spec("set ID FIELD VALUE…", "give a field another value; - empties it", _set),
    _spec("read ID", "confirm that you have read a briefing", lambda rest: Read(_one(rest))),
    _spec("tag ID FIELD TAG…", "add a tag, as in tag . markers dog at the address", _tag),
    _spec("untag ID FIELD TAG…", "take away a tag that is shown", _untag),
    _spec("correct ID FIELD VALUE… because REASON…", "put right what was recorded once, if you may decide", _correct),
    _spec("claim ID [HOLDER…]", "take a cell, a vehicle, a suspect: for a booking, a unit, or yourself", _claim),
    _spec("release ID", "give up a claim that stands", lambda rest: Release(_one(rest))),
    _spec("reserve ID… until TIME [for HOLDER…]", "keep a pool for this device, to be sure without signal", _reserve),
    _spec("free ID", "what is free in its place, the nearest first", lambda rest: Free(_one(rest))),
    _spec("inbox", "what waits for a person's decision, the most urgent first", _alone(ShowInbox())),
    _spec("decide ID CHOICE [instead ID] REASON…", 'settle it: CHOICE is a number of show, =WORD, ="VALUE…"', _decide),
    _spec("due", "what falls due and waits for somebody to take it up, the most urgent first", _alone(ShowDue())),
    _spec("pack [HOURS]", "what a shift that begins now is told: briefings, warnings that end, who is wanted", _pack),
    _spec(
        "handover [HOURS]",
        "all that waits, for a shift that takes over now",
        lambda rest: ShowHandover(_hours(rest)),
    ),
    _spec("ack N [NOTE…]", "take an alarm up; N is its number in due, or the end of its id", _ack),
    _spec("explain ID [FIELD]", "why it shows what it shows", _explain),
    _spec("why ID REASON…", "say why you look at a record, once, and see it; why list REASON… is for lists", _why),
    _spec("draft TEXT…", "keep what happened for a supervisor, also when the lease has ended", _draft),
    _spec("alarms", "what was found that somebody must look at", _alone(Alarms())),
    _spec("lock", "shut the seat and forget everything; the PIN opens it again", _alone(Lock())),
    _spec("offline", "cut the connection; everything else goes on working", _alone(Offline())),
    _spec("online", "connect again", _alone(Online())),
    _spec("status", "how it stands with the server", _alone(Status())),
    _spec("held", "your changes that the server refused, and why", _alone(ListHeld())),
    _spec("mend OP FIELD VALUE…", "put a refused change right; held tells its OP", _mend),
    _spec("withdraw OP REASON…", "give a refused change up", _withdraw),
    _spec("wait [SECONDS]", "until everything is in and nothing waits (at most 30 s, or as told)", _wait),
    _spec("help", "this list", _alone(Help())),
    _spec("quit", "end; what waits is kept and sent another time", _alone(Quit())),
)

COMMANDS: Final[dict[str, CommandSpec]] = {spec.usage.partition(" ")[0]: spec for spec in _SPECS}
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
        return spec.read(rest[0] if rest else "")
    except ValueError:
        raise UsageError(f"expected: {spec.usage}") from None
