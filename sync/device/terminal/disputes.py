"""How disagreements, claims and what is free look at the terminal. All of it is put in as text, never as markup."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.ids import FieldName, OpId
from schemas.kinds import FieldSpec, Kind, kind_named
from sync.device.claims import Alternative, ClaimState, Standing
from sync.device.describing import short
from sync.device.explaining import claim_in_words
from sync.device.items import CandidateView, InboxEntry
from sync.device.terminal.reader import BAD, LABEL, WARN, WHO, Reader, grid, label
from sync.device.terminal.values import safe, shown
from sync.device.views import Attributed, RecordView
from sync.explain.values import listed

_GOOD: Final = "green"
_STYLES: Final = {
    Standing.FREE: _GOOD,
    Standing.HELD: "",
    Standing.PROVISIONAL: WARN,
    Standing.CERTAIN: _GOOD,
    Standing.DISPLACED: BAD,
}


# --- the inbox -------------------------------------------------------------------------------------------------------


def inbox(entries: Sequence[InboxEntry], reader: Reader) -> RenderableType:
    """What waits for a person, a line each, numbered from 1."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for style in (WHO, "", "", "", ""):
        table.add_column(style=style, no_wrap=True)
    table.add_column()
    for number, entry in enumerate(entries, 1):
        field = _field(entry)
        due = Text(reader.time.brief(entry.due_at, reader.now), BAD if entry.overdue else "")
        due.append(" overdue" if entry.overdue else "")
        values = " or ".join(
            shown(one.value, None if field is None else field.type, reader.time) for one in entry.candidates
        )
        table.add_row(
            str(number),
            short(entry.item),
            due,
            Text("yours to decide" if entry.may_decide else "others decide", WARN if entry.may_decide else WHO),
            Text(safe(entry.about)),
            Text(f"{label(entry.field)}: {values}"),
        )
    return table


def question(entry: InboxEntry, reader: Reader) -> RenderableType:
    """One inbox item with all that a person needs to decide it."""
    field = _field(entry)
    declared = None if field is None else field.type
    late = " (overdue)" if entry.overdue else ""
    facts = grid()
    rows: list[tuple[str, Text]] = [
        ("about", Text(f"{safe(entry.about)}: {label(entry.field)}")),
        ("shown meanwhile", Text(f"{shown(entry.shown, declared, reader.time)}. {safe(entry.safe_because)}")),
        ("decide by", Text(f"{reader.time.text(entry.due_at)}{late}", BAD if entry.overdue else "")),
        ("who", Text(people(entry) + ("; you may, here" if entry.may_decide else "; not on this device"))),
    ]
    for name, text in rows:
        facts.add_row(Text(name, LABEL), text)
    said = grid()
    for number, one in enumerate(entry.candidates, 1):
        said.add_row(Text(f"  {number}"), Text(shown(one.value, declared, reader.time, lines=True)), _by(one, reader))
    parts: list[RenderableType] = [Text.assemble(("To decide", LABEL), "  ", (entry.item, WHO)), facts]
    return Group(*parts, Text("said, without sight of each other", LABEL), said)


def people(entry: InboxEntry) -> str:
    """Who decides, in words."""
    return listed(sorted({role.value.replace("-", " ") for role in (*entry.roles, *entry.asked_too)}))


def _field(entry: InboxEntry) -> FieldSpec | None:
    spec = kind_named(entry.subject_kind)
    return None if spec is None else spec.fields.get(entry.field)


def _by(one: CandidateView, reader: Reader) -> Text:
    text = Text(f"{safe(one.author)} on {safe(one.device)}, {reader.time.text(one.occurred_at)}")
    text.append(f", recorded {reader.time.text(one.recorded_at)}" if one.recorded_at else "")
    text.append(f", device clock {reader.time.text(one.wall)}" if one.wall != one.occurred_at and one.wall else "")
    text.append(f", saw version {one.base}" if one.base else ", saw no version of the server's")
    text.append(f", because: {safe(one.why)}" if one.why else "")
    for doubt in Attributed(one.value, one.stamp).doubts:
        text.append(f" [doubtful time: {doubt}]", WARN)
    return text


# --- beside a record -------------------------------------------------------------------------------------------------


def beside(view: RecordView[Kind], claims: Mapping[FieldName, ClaimState], reader: Reader) -> Iterator[RenderableType]:
    """What the page of a record says beneath its fields: claims, what waits for a person, doubtful times."""
    for state in claims.values():
        words = safe(claim_in_words(state, reader.time.text))
        yield Text.assemble((label(state.field), LABEL), ": ", (words, _STYLES[state.standing]))
    for name, item in view.items.items():
        yield Text.assemble(("To decide", BAD), f": {label(name)}; show {short(item)} has what was said")
    for name, kept in view.unread.items():
        for one in kept:
            words = (
                f"{label(name)}: a newer program wrote what this one cannot read; it is kept: {safe(str(one.value))}"
            )
            yield Text(words, WARN)
    for doubt, fields in _doubted(view).items():
        yield Text(f"Doubtful time of {', '.join(map(label, fields))}: {doubt}", WARN)


def _doubted(view: RecordView[Kind]) -> dict[str, list[FieldName]]:
    """Doubt in words -> the fields that it is about."""
    items: list[tuple[FieldName, Attributed]] = [*view.fields.items()]
    for more in (view.entries, view.beside):
        items += [(name, one) for name, each in more.items() for one in each]
    found: dict[str, list[FieldName]] = {}
    for name, item in items:
        for doubt in item.doubts:
            fields = found.setdefault(doubt, [])
            if name not in fields:
                fields.append(name)
    return found


# --- what is free ----------------------------------------------------------------------------------------------------


def free(found: Sequence[Alternative], reader: Reader) -> RenderableType:
    """What is free, a line each, numbered from 1."""
    table = grid()
    for number, one in enumerate(found, 1):
        resource = one.resource
        words = safe(", ".join(part for part in (f"{resource.name} of {resource.home}", resource.note) if part))
        end = one.reserved_until
        kept = "" if end is None else f"reserved for this device until {reader.time.text(end)}"
        table.add_row(Text(str(number), WHO), Text(f"{short(one.record)}  {words}"), Text(kept, _GOOD))
    return table


def op_number(op: OpId) -> str:
    """The number of an own op, which names it at the terminal."""
    return op.rpartition("/")[2]
