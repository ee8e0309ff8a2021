"""How records, status and help look. Everything that comes from a record is put in as text, never as markup."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Briefing, CustodyBooking, InboxItem, Incident, Kind, KindSpec, Resource, Suspect, spec_of
from schemas.kinds.common import LogEntry
from schemas.policies import MANY
from sync.device.status import SyncStatus
from sync.device.terminal.commands import COMMANDS
from sync.device.terminal.sight import News
from sync.device.terminal.values import NOTHING, LocalTime, safe, short, shown
from sync.device.views import Attributed, HeldOp, RecordView

_LABEL: Final = "bold"
_WHO: Final = "dim"
_GOOD: Final = "green"
_WARN: Final = "yellow"
BAD: Final = "bold red"
_LATE_MS: Final = 60_000
"""A record made so much later than what it tells of is told as such."""
_GIST_CHARS: Final = 40


class _Line(msgspec.Struct, frozen=True):
    """How a kind stands in a list.

    Attributes:
        columns: fields in columns; the first one orders the list: a moment the newest on top, a text by the alphabet.
        gist: fields that say together what the record is about.
    """

    columns: tuple[str, ...]
    gist: tuple[str, ...]


_LINES: Final[dict[type[Kind], _Line]] = {
    Incident: _Line(("opened_at", "grade", "status", "area"), ("summary", "location")),
    Briefing: _Line(("issued_at", "classification", "audience"), ("title",)),
    CustodyBooking: _Line(("arrested_at", "suite", "status", "risk", "observation"), ("detainee", "offence")),
    Resource: _Line(("home", "category", "service", "hold"), ("name", "note")),
    Suspect: _Line(("area", "claimed"), ("name", "wanted_for")),
    InboxItem: _Line(("opened_at", "due_at", "subject_kind", "field"), ("safe_because",)),
}


def ordered(kind: type[Kind], found: Iterable[tuple[RecordId, Kind]]) -> list[RecordId]:
    """The ids of found records: the newest first, or by their place and what they are called."""
    by, gist = _LINES[kind].columns[0], _LINES[kind].gist[0]
    if by.endswith("_at"):
        return [record for record, _ in sorted(found, key=lambda one: (getattr(one[1], by), one[0]), reverse=True)]
    return [record for record, _ in sorted(found, key=lambda one: (getattr(one[1], by), getattr(one[1], gist), one[0]))]


def holds(value: Kind, words: Sequence[str]) -> bool:
    """Whether every word stands somewhere in the record."""
    if not words:
        return True
    text = " ".join(_texts(msgspec.to_builtins(value))).casefold()
    return all(word.casefold() in text for word in words)


def _texts(plain: object) -> Iterable[str]:
    if isinstance(plain, str):
        yield plain
    elif isinstance(plain, dict):
        for part in plain.values():
            yield from _texts(part)
    elif isinstance(plain, (list, tuple)):
        for part in plain:
            yield from _texts(part)


# --- lists -----------------------------------------------------------------------------------------------------------


def listing(kind: type[Kind], views: Sequence[RecordView[Kind]], first: int, reader: "Reader") -> RenderableType:
    """Records of one kind, a line each.

    Args:
        kind: the kind.
        views: the records, in order.
        first: the first one's number.
        reader: for whom.
    """
    fields = spec_of(kind).fields
    names = [FieldName(name) for name in _LINES[kind].columns]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", style=_WHO, no_wrap=True)
    table.add_column(no_wrap=True)
    for name in names:
        table.add_column(no_wrap=True, overflow="ellipsis", style=_WHO if name.endswith("_at") else "")
    # The last column is the one that gives way in a narrow terminal.
    table.add_column()
    for number, view in enumerate(views, first):
        first_of = getattr(view.value, names[0])
        made = Text(reader.time.brief(first_of, reader.now) if names[0].endswith("_at") else safe(first_of))
        others = [Text(shown(getattr(view.value, name), fields[name].type, reader.time)) for name in names[1:]]
        gist = Text.assemble(_marks(view, reader), gist_of(view.value), no_wrap=True, overflow="ellipsis")
        table.add_row(str(number), short(view.record), made, *others, gist)
    return table


def gist_of(value: Kind) -> str:
    """What a record is about, in a line."""
    return ", ".join(safe(part) for name in _LINES[type(value)].gist if (part := getattr(value, name)))


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


def _marks(view: RecordView[Kind], reader: Reader) -> Text:
    marks = Text()
    if view.held:
        marks.append("[refused] ", BAD)
    if view.pending:
        marks.append("[waiting] ", _WARN)
    if view.differing:
        marks.append("[contested] ", BAD)
    if isinstance(view.value, Briefing):
        state = briefing_state(view, reader)
        marks.append(f"[{state}] " if state else "", BAD if state == "urgent" else _WHO)
    return marks


def briefing_state(view: RecordView[Kind], reader: Reader) -> str:
    """What an officer must know of a briefing first: `withdrawn`, `expired`, `read`, `urgent`, or nothing."""
    value = view.value
    if not isinstance(value, Briefing):
        return ""
    if value.withdrawn:
        return "withdrawn"
    if value.expires_at is not None and value.expires_at <= reader.now:
        return "expired"
    if read_at(view, reader.author) is not None:
        return "read"
    return "urgent" if value.urgent else ""


def read_at(view: RecordView[Kind], author: str) -> int | None:
    """When an officer confirmed that they had read a briefing (ms since 1970); None when they have not."""
    receipts = view.entries.get(FieldName("receipts"), ())
    return next((item.stamp.occurred_at for item in receipts if item.stamp.author == author), None)


# --- one record ------------------------------------------------------------------------------------------------------


def record(view: RecordView[Kind], reader: Reader) -> RenderableType:
    """A record with everything that is known of it."""
    spec = spec_of(type(view.value))
    parts: list[RenderableType] = [
        Text.assemble((heading(view), _LABEL), "  ", (view.record, _WHO), "  ", _marks(view, reader))
    ]
    table = _grid()
    for name, field in spec.fields.items():
        if field.policy in MANY and name in view.entries:
            continue
        # A field never set has its default, and nobody who said so.
        item = view.fields.get(name)
        value = shown(getattr(view.value, name), field.type, reader.time, lines=True)
        who = Text() if item is None else _attribution(view, item, reader.time)
        table.add_row(Text(_label(name), _LABEL), Text(value), who)
        for other in view.differing.get(name, ()):
            differs = Text(f"said differently: {shown(other.value, field.type, reader.time)}", BAD)
            table.add_row("", differs, _attribution(view, other, reader.time))
    parts.append(table)
    parts += [part for name in view.entries for part in _entries(view, spec, name, reader)]
    parts += [refused(one, _label_kind(spec)) for one in view.held]
    return Group(*parts)


def _entries(view: RecordView[Kind], spec: KindSpec, name: FieldName, reader: Reader) -> list[RenderableType]:
    table = _grid()
    for item in view.entries[name]:
        text = shown(item.value, spec.fields[name].type, reader.time, lines=True)
        table.add_row(Text("  " + reader.time.text(item.stamp.occurred_at)), Text(text), _by(view, item, reader.time))
    return [Text(_label(name), _LABEL), table]


def _grid() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style=_WHO)
    return table


def _attribution(view: RecordView[Kind], item: Attributed, time: LocalTime) -> Text:
    return Text.assemble(time.text(item.stamp.occurred_at), " ", _by(view, item, time))


def _by(view: RecordView[Kind], item: Attributed, time: LocalTime) -> Text:
    stamp = item.stamp
    text = Text(f"{safe(stamp.author)} on {safe(stamp.device)}")
    if stamp.recorded_at - stamp.occurred_at >= _LATE_MS:
        text.append(f", recorded {time.text(stamp.recorded_at)}")
    if any(one.op == stamp.op for one in view.held):
        text.append(" [refused]", BAD)
    elif stamp.op in view.pending:
        text.append(" [waiting]", _WARN)
    return text


def heading(view: RecordView[Kind]) -> str:
    """What a record is called."""
    return f"{_label_kind(spec_of(type(view.value)))} {short(view.record)}"


def _label_kind(spec: KindSpec) -> str:
    return spec.name.replace("-", " ").capitalize()


def _label(name: str) -> str:
    return name.replace("_", " ")


# --- what happened ---------------------------------------------------------------------------------------------------


def briefing_came(view: RecordView[Kind], reader: Reader) -> Text:
    """A briefing arrived."""
    urgent = briefing_state(view, reader) == "urgent"
    text = Text.assemble(("Urgent briefing" if urgent else "Briefing", BAD if urgent else _LABEL))
    return text.append(f" {short(view.record)}: {gist_of(view.value)}")


def changed(view: RecordView[Kind], news: Sequence[News], reader: Reader) -> Text:
    """What others said of a record in sight."""
    fields = spec_of(type(view.value)).fields
    by_author: dict[str, list[str]] = {}
    for one in news:
        value = shown(one.item.value, fields[one.field].type, reader.time)
        verb = "says differently: " if one.contested else ""
        told = value if isinstance(one.item.value, LogEntry) and not verb else f"{verb}{_label(one.field)} {value}"
        stamp = one.item.stamp
        by_author.setdefault(f"{safe(stamp.author)} on {safe(stamp.device)}", []).append(told)
    told_all = "; ".join(f"{who}: {', '.join(parts)}" for who, parts in by_author.items())
    gist = gist_of(view.value)
    about = gist if len(gist) <= _GIST_CHARS else f"{gist[:_GIST_CHARS]}…"
    return Text.assemble((heading(view), _LABEL), f" ({about})  {told_all}")


def refused(op: HeldOp, what: str) -> Text:
    """A change that the server refused, why, and what to do."""
    fields = ", ".join(_label(name) for name in op.changes)
    detail = f" ({safe(op.detail)})" if op.detail else ""
    return Text.assemble(
        ("Refused", BAD), f": {what.lower()} {short(op.record)}, {fields}: {op.code}{detail}. {op.action}"
    )


# --- status and help -------------------------------------------------------------------------------------------------


def state(status: SyncStatus, *, wanted: bool) -> tuple[str, str, str]:
    """Sign, words and style of how it stands with the server.

    Args:
        status: as the handheld says.
        wanted: whether a connection is wanted; not after `offline`.
    """
    if status.connected:
        return ("●", "online", _GOOD) if status.caught_up else ("◐", "catching up", _WARN)
    if not wanted:
        return "○", "offline", _WARN
    return ("○", "no signal", BAD) if status.last_error else ("○", "connecting", _WARN)


def prompt(device: str, status: SyncStatus, *, wanted: bool) -> Text:
    """What stands before the place where one types."""
    sign, words, style = state(status, wanted=wanted)
    held = f", {status.held} refused" if status.held else ""
    return Text.assemble(f"{device} ", (sign, style), f" {words}, {status.waiting} waiting{held}> ")


def status_page(status: SyncStatus, facts: Sequence[tuple[str, str]], reader: Reader, *, wanted: bool) -> Table:
    """How it stands with the server, at length.

    Args:
        status: as the handheld says.
        facts: label and value of what does not change, told first.
        reader: for whom.
        wanted: whether a connection is wanted.
    """
    synced = "never" if status.last_synced_at is None else reader.time.text(status.last_synced_at)
    _, words, style = state(status, wanted=wanted)
    rows: list[tuple[str, Text]] = [(label, Text(safe(value))) for label, value in facts]
    rows += [
        ("connection", Text(words, style)),
        ("waiting", Text(_counted(status.waiting, "change") + " not yet on the server's disk")),
        ("refused", Text(_counted(status.held, "change") + ("; held tells why" if status.held else ""))),
        ("up to date", Text(synced)),
        ("last error", Text(safe(status.last_error) or NOTHING)),
        ("repairs", Text(str(status.repairs))),
    ]
    if status.clock_skew_ms is not None:
        side = "ahead" if status.clock_skew_ms > 0 else "behind"
        rows.append(("clock", Text(f"{abs(status.clock_skew_ms) // 1_000} s {side}", _WARN)))
    table = _grid()
    for label, value in rows:
        table.add_row(Text(label, _LABEL), value)
    return table


def help_page() -> Table:
    """The commands."""
    table = _grid()
    for spec in COMMANDS.values():
        table.add_row(Text(spec.usage, _LABEL), Text(spec.meaning))
    table.add_row(
        "",
        Text(
            "ID is a row's number in the last list, a record's id or 6 or more signs of its end, "
            "or . for the record made, changed or shown last."
        ),
    )
    return table


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
