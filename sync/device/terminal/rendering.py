"""How records, status and help look. Everything that comes from a record is put in as text, never as markup."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.ids import FieldName, RecordId
from schemas.kinds import (
    Briefing,
    Kind,
    KindSpec,
    spec_of,
)
from schemas.kinds.briefing import Priority
from schemas.kinds.common import LogEntry
from schemas.policies import MANY, grow
from sync.device import describing
from sync.device.alarming import DueAlarm
from sync.device.changes import AlarmFired, AlarmRaised, EditsErased, EditsSealed, LeaseEnded, Wiped
from sync.device.claims import ClaimState
from sync.device.describing import GIST, short
from sync.device.kind_words import TOLD
from sync.device.status import SyncStatus
from sync.device.terminal.disputes import beside, op_number
from sync.device.terminal.reader import BAD, LABEL, WARN, WHO, Reader, grid, label
from sync.device.terminal.sight import News, differs, others_said
from sync.device.terminal.spec import CommandSpec
from sync.device.terminal.values import NOTHING, LocalTime, safe, shown
from sync.device.views import Attributed, HeldOp, RecordView

_GOOD: Final = "green"
_LATE_MS: Final = 60_000
"""A record made so much later than what it tells of is told as such."""
_GIST_CHARS: Final = 40


RANKS: Final = {Priority.OFFICER_SAFETY: "officer safety", Priority.URGENT: "urgent"}
"""What a briefing is called that goes ahead of the others."""


def ordered(kind: type[Kind], found: Iterable[tuple[RecordId, Kind]]) -> list[RecordId]:
    """The ids of found records: the newest first, or by their place and what they are called."""
    by, gist = TOLD[kind].columns[0], GIST[kind][0]
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


def listing(kind: type[Kind], views: Sequence[RecordView[Kind]], first: int, reader: Reader) -> RenderableType:
    """Records of one kind, a line each.

    Args:
        kind: the kind.
        views: the records, in order.
        first: the first one's number.
        reader: for whom.
    """
    fields = spec_of(kind).fields
    names = [FieldName(name) for name in TOLD[kind].columns]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", style=WHO, no_wrap=True)
    table.add_column(no_wrap=True)
    for name in names:
        table.add_column(no_wrap=True, overflow="ellipsis", style=WHO if name.endswith("_at") else "")
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
    return safe(describing.gist_of(value))


def _marks(view: RecordView[Kind], reader: Reader) -> Text:
    marks = Text()
    if view.held:
        marks.append("[refused] ", BAD)
    if view.pending:
        marks.append("[waiting] ", WARN)
    if view.differing:
        marks.append("[contested] ", BAD)
    if isinstance(view.value, Briefing):
        state = briefing_state(view, reader)
        marks.append(f"[{state}] " if state else "", BAD if state in RANKS.values() else WHO)
    return marks


def briefing_state(view: RecordView[Kind], reader: Reader) -> str:
    """What an officer must know of a briefing first: `withdrawn`, `expired`, `read`, how far ahead it goes."""
    value = view.value
    if not isinstance(value, Briefing):
        return ""
    if value.withdrawn:
        return "withdrawn"
    if value.expires_at is not None and value.expires_at <= reader.now:
        return "expired"
    if read_at(view, reader.author) is not None:
        return "read"
    return RANKS.get(value.ranked, "")


def read_at(view: RecordView[Kind], author: str) -> int | None:
    """When an officer confirmed that they had read a briefing (ms since 1970); None when they have not."""
    if view.confirmed.acknowledged_at is not None:
        return view.confirmed.acknowledged_at
    # As older programs say it.
    receipts = view.entries.get(FieldName("receipts"), ())
    return next((item.stamp.occurred_at for item in receipts if item.stamp.author == author), None)


# --- one record ------------------------------------------------------------------------------------------------------


def record(
    view: RecordView[Kind], reader: Reader, claims: Mapping[FieldName, ClaimState] | None = None
) -> RenderableType:
    """A record with everything that is known of it, and how the claims on it stand."""
    spec = spec_of(type(view.value))
    parts: list[RenderableType] = [
        Text.assemble((heading(view), LABEL), "  ", (view.record, WHO), "  ", _marks(view, reader))
    ]
    table = grid()
    for name, field in spec.fields.items():
        if field.policy in MANY and name in view.entries:
            continue
        # A field never set has its default, and nobody who said so.
        item = view.fields.get(name)
        value = shown(getattr(view.value, name), field.type, reader.time, lines=True)
        who = Text() if item is None else _attribution(view, item, reader.time)
        table.add_row(Text(label(name), LABEL), Text(value), who)
        for other in others_said(view, name):
            how = "said differently" if differs(view, name, other) else "said too"
            told = Text(f"{how}: {shown(other.value, field.type, reader.time)}", BAD)
            table.add_row("", told, _attribution(view, other, reader.time))
    parts.append(table)
    parts += [part for name in view.entries for part in _entries(view, spec, name, reader)]
    parts += beside(view, claims or {}, reader)
    parts += [refused(one, _label_kind(spec)) for one in view.held]
    return Group(*parts)


def _entries(view: RecordView[Kind], spec: KindSpec, name: FieldName, reader: Reader) -> list[RenderableType]:
    table = grid()
    for number, item in enumerate(view.entries[name], 1):
        text = shown(item.value, spec.fields[name].type, reader.time, lines=True)
        # What can be amended is numbered; a log is not.
        said = "  " if isinstance(item.value, LogEntry) or spec.fields[name].policy is not grow else f"  {number}  "
        table.add_row(Text(said + reader.time.text(item.stamp.occurred_at)), Text(text), _by(view, item, reader.time))
    return [Text(label(name), LABEL), table]


def _attribution(view: RecordView[Kind], item: Attributed, time: LocalTime) -> Text:
    if not item.said:
        return Text("the safe choice while people differ; nobody said it so")
    return Text.assemble(time.text(item.stamp.occurred_at), " ", _by(view, item, time))


def _by(view: RecordView[Kind], item: Attributed, time: LocalTime) -> Text:
    stamp = item.stamp
    text = Text(f"{safe(stamp.author)} on {safe(stamp.device)}")
    if stamp.recorded_at - stamp.occurred_at >= _LATE_MS:
        text.append(f", recorded {time.text(stamp.recorded_at)}")
    if any(one.op == stamp.op for one in view.held):
        text.append(" [refused]", BAD)
    elif stamp.op in view.pending:
        text.append(" [waiting]", WARN)
    return text


def heading(view: RecordView[Kind]) -> str:
    """What a record is called."""
    return f"{_label_kind(spec_of(type(view.value)))} {short(view.record)}"


def _label_kind(spec: KindSpec) -> str:
    return spec.name.replace("-", " ").capitalize()


# --- what happened ---------------------------------------------------------------------------------------------------


def briefing_came(view: RecordView[Kind], reader: Reader) -> Text:
    """A briefing arrived."""
    state = briefing_state(view, reader)
    ahead = f"{state.capitalize()} briefing" if state in RANKS.values() else ""
    text = Text.assemble((ahead or "Briefing", BAD if ahead else LABEL))
    return text.append(f" {short(view.record)}: {gist_of(view.value)}")


def changed(view: RecordView[Kind], news: Sequence[News], reader: Reader) -> Text:
    """What others said of a record in sight."""
    fields = spec_of(type(view.value)).fields
    by_author: dict[str, list[str]] = {}
    for one in news:
        value = shown(one.item.value, fields[one.field].type, reader.time)
        verb = "says differently: " if one.contested else ""
        told = value if isinstance(one.item.value, LogEntry) and not verb else f"{verb}{label(one.field)} {value}"
        stamp = one.item.stamp
        by_author.setdefault(f"{safe(stamp.author)} on {safe(stamp.device)}", []).append(told)
    told_all = "; ".join(f"{who}: {', '.join(parts)}" for who, parts in by_author.items())
    gist = gist_of(view.value)
    about = gist if len(gist) <= _GIST_CHARS else f"{gist[:_GIST_CHARS]}…"
    return Text.assemble((heading(view), LABEL), f" ({about})  {told_all}")


def refused(op: HeldOp, what: str) -> Text:
    """A change that the server refused: its number, why, and what to do."""
    fields = ", ".join(label(name) for name in op.changes)
    text = Text.assemble((f"Refused, op {op_number(op.op)}", BAD), f": {what.lower()} {short(op.record)}, {fields}: ")
    number = op_number(op.op)
    text.append(f"{safe(op.reason)}. {op.action}")
    text.append(f" mend {number} FIELD VALUE… puts it right, withdraw {number} REASON… gives it up.")
    if op.behind:
        after = "behind it, to be withdrawn with it" if op.go_with_it else "behind it"
        text.append(f" {_counted(len(op.behind), 'change')} {after}.")
    return text


def alarm(change: AlarmFired, reader: Reader) -> Text:
    """Something that falls due, once it is told."""
    what = describing.kind_in_words(change.what)
    about = f"{change.about}, {change.key}" if change.key else change.about
    how = "" if change.subject is None else f" ack {short(change.alarm)} takes it up"
    text = f": {safe(about)}, {reader.time.text(change.due_at)}. {safe(change.words)}{how}"
    return Text.assemble((f"Due: {what}", BAD), text)


def waiting_alarm(number: int, one: DueAlarm, reader: Reader) -> str:
    """An alarm that waits for somebody to take it up, in a line."""
    late = "overdue since" if one.overdue else "due"
    about = f"{one.about}, {one.key}" if one.key else one.about
    here = "" if one.on_server else " [this handheld's]"
    what = describing.kind_in_words(one.what)
    return f"{number}  {what} {late} {reader.time.text(one.due_at)}: {about}. {one.words} ({one.source}){here}"


def ending(change: EditsSealed | EditsErased | AlarmRaised | LeaseEnded | Wiped) -> Text:
    """Something of which there is nothing to look up: it is told as it is."""
    match change:
        case EditsSealed():
            what = _counted(len(change.ops), "change")
            return Text.assemble(
                ("Sealed", WARN),
                f": {what} of yours, on records that you may no longer see. A supervisor gets what you wrote",
            )
        case EditsErased():
            what = _counted(len(change.ops), "change")
            return Text.assemble(("Erased", WARN), f": {what} of yours, with the records that they were made on")
        case AlarmRaised():
            return Text.assemble(("Alarm", BAD), f": {safe(change.detail)}. alarms has all of them")
        case LeaseEnded():
            return Text.assemble(
                ("The lease has ended", BAD),
                ": records cannot be shown until the server gives a new one. draft keeps what you write",
            )
        case Wiped():
            return Text.assemble(("Destroyed", BAD), f": everything here, on the server's order: {safe(change.reason)}")


# --- status and help -------------------------------------------------------------------------------------------------


def state(status: SyncStatus, *, wanted: bool) -> tuple[str, str, str]:
    """Sign, words and style of how it stands with the server.

    Args:
        status: as the handheld says.
        wanted: whether a connection is wanted; not after `offline`.
    """
    if status.wiped is not None:
        return "✕", "destroyed", BAD
    if status.connected:
        return ("●", "online", _GOOD) if status.caught_up else ("◐", "catching up", WARN)
    if not wanted:
        return "○", "offline", WARN
    if status.sign_in_needed:
        return "○", "signed out: lock, and sign in", BAD
    return ("○", "no signal", BAD) if status.last_error else ("○", "connecting", WARN)


def prompt(device: str, status: SyncStatus, *, wanted: bool) -> Text:
    """What stands before the place where one types."""
    sign, words, style = state(status, wanted=wanted)
    held = f", {status.held} refused" if status.held else ""
    ended = ", lease ended" if status.lease_ended else ""
    alarms = f", {_counted(status.alarms, 'alarm')}" if status.alarms else ""
    return Text.assemble(f"{device} ", (sign, style), f" {words}, {status.waiting} waiting{held}{ended}{alarms}> ")


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
    rows: list[tuple[str, Text]] = [(name, Text(safe(value))) for name, value in facts]
    rows += [
        ("connection", Text(words, style)),
        ("waiting", Text(_counted(status.waiting, "change") + " not yet on the server's disk")),
        ("refused", Text(_counted(status.held, "change") + ("; held tells why" if status.held else ""))),
        ("sealed", Text(_counted(status.sealed, "change") + " on the way to a supervisor")),
        ("alarms", Text(_counted(status.alarms, "alarm") + ("; alarms tells them" if status.alarms else ""))),
        ("up to date", Text(synced)),
        ("last error", Text(safe(status.last_error) or NOTHING)),
        ("repairs", Text(str(status.repairs))),
    ]
    if status.clock_skew_ms is not None:
        side = "ahead" if status.clock_skew_ms > 0 else "behind"
        rows.append(("clock", Text(f"{abs(status.clock_skew_ms) // 1_000} s {side}", WARN)))
    table = grid()
    for name, value in rows:
        table.add_row(Text(name, LABEL), value)
    return table


def lease_left(left_ms: int) -> str:
    """How long records can still be shown without the server."""
    if left_ms <= 0:
        return "ended; draft keeps what you write"
    hours, minutes = divmod(left_ms // 60_000, 60)
    return f"{hours} h {minutes} min left"


def help_page(commands: Iterable[CommandSpec]) -> Table:
    """The commands."""
    table = grid()
    for spec in commands:
        table.add_row(Text(spec.usage, LABEL), Text(spec.meaning))
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
