"""What no rule settles becomes an inbox item: made, kept up and ended by the rules, in the commit that brings it about.

There is one item for a disagreement about one field of one record. Its id follows from the record, the field and the
decision that last settled the field, so that it is the same item whichever of the differing values came first; what
differs after a decision is a new question. Candidates bear the stamps of the ops that said them.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from schemas import scopes
from schemas.ids import FieldName, OpId, RecordId, ScopeName, Seq, named_record_id
from schemas.kinds import Candidate, Decision, FieldSpec, InboxItem, KindSpec, spec_of
from schemas.ops import Op, Stamp
from sync.beyond import NOTHING
from sync.merge import RecordState
from sync.policies import Cell, Change, Entry, Said, policy_of

SPEC: Final = spec_of(InboxItem)
DECISION: Final = FieldName("decision")
CANDIDATES: Final = FieldName("candidates")
PLACES: Final = FieldName("places")
_NAMESPACE: Final = "inbox"

Author = Callable[[OpId], Op | None]
"""Finds the op behind a name; None when it is not here."""


def item_id(record: RecordId, field: FieldName, decided: OpId | str) -> RecordId:
    """The inbox item about a field since a decision on it ("" for none)."""
    return named_record_id(_NAMESPACE, record, field, decided)


def fields_to_look_at(before: RecordState | None, after: RecordState) -> list[FieldSpec]:
    """The fields that can ask a person and whose cell, or whose record's whereabouts, a change has touched."""
    asking = [field for field in after.spec.asking() if field.name in after.cells]
    if before is None or before.scopes() != after.scopes():
        return asking
    pairs = ((field, before.cells.get(field.name), after.cells[field.name]) for field in asking)
    return [field for field, was, cell in pairs if was is not cell and was != cell]


def follow(
    field: FieldSpec, subject: RecordState, item: RecordState | None, stamp: Stamp, author: Author
) -> RecordState | None:
    """The inbox item about a field as it must be after a change to its record; None when nothing of it changes.

    Args:
        field: the field of the subject.
        subject: the record after the change.
        item: its item (`item_id`), or None when there is none.
        stamp: of the change.
        author: finds the ops that said the candidates.
    """
    cell = subject.cells[field.name]
    policy = policy_of(field)
    open_now = policy.unsettled(field, cell)
    if item is None and not open_now:
        return None
    cells = dict(_opened(field, subject, stamp) if item is None else item.cells)

    def put(name: str, value: object) -> None:
        kept = cells.get(FieldName(name))
        if kept is None or kept.said is None or kept.said.value != value:
            cells[FieldName(name)] = Cell(said=Said(value, stamp))

    put("ended_by", None if open_now else stamp.op)
    put(PLACES, places_of(subject))
    if open_now:
        put("shown", policy.value(field, cell))
        known = cells.get(CANDIDATES, Cell()).entries
        names = {entry.name for entry in known}
        fresh = [
            entry
            for said in open_now
            for entry in [Entry(_candidate(field, said, author), said.stamp, 0)]
            if entry.name not in names
        ]
        if fresh:
            cells[CANDIDATES] = Cell(entries=tuple(sorted((*known, *fresh), key=lambda entry: entry.order)))
    if item is not None and cells == item.cells:
        return None
    new_id = item_id(subject.id, field.name, cell.decided) if item is None else item.id
    return RecordState(
        id=new_id,
        spec=SPEC,
        version=Seq(stamp.seq),
        cells=cells,
        upto={} if item is None else item.upto,
        trust={} if item is None else item.trust,
        beyond=NOTHING if item is None else item.beyond,
    )


def goes_along(spec: KindSpec) -> bool:
    """Whether a record of that kind is where its subject is, and moves with it: what the rules say of the subject."""
    return spec.by_rule and PLACES in spec.fields


def moved(item: RecordState, subject: RecordState, stamp: Stamp) -> RecordState | None:
    """An item where its subject is now; None when it is there already.

    An item that is settled goes along too: it holds what was said of the record, and would go on telling it to people
    who have no right to the record any more, least of all when that was closed in a compartment.

    Args:
        item: an item or an alarm about the subject, open or settled.
        subject: the record after a change that moved it.
        stamp: of the change.
    """
    places = places_of(subject)
    kept = item.cells.get(PLACES)
    if kept is not None and kept.said is not None and kept.said.value == places:
        return None
    cells = {**item.cells, PLACES: Cell(said=Said(places, stamp))}
    return msgspec.structs.replace(item, cells=cells, version=Seq(stamp.seq))


def places_of(subject: RecordState) -> list[ScopeName]:
    """The audiences of a record."""
    return sorted({scopes.audience(scope) for scope in subject.scopes()})


def _opened(field: FieldSpec, subject: RecordState, stamp: Stamp) -> dict[FieldName, Cell]:
    if field.asks is None:
        raise TypeError(f"field {field.name!r} of {subject.spec.name} asks nobody")
    values = {
        "subject": subject.id,
        "subject_kind": subject.spec.name,
        "field": field.name,
        "policy": field.policy.name,
        "roles": [role.value for role in field.asks.roles],
        "opened_at": stamp.recorded_at,
        "due_at": stamp.recorded_at + field.asks.within_ms,
        "safe_because": field.asks.safe_because,
    }
    return {FieldName(name): Cell(said=Said(value, stamp)) for name, value in values.items()}


def _candidate(field: FieldSpec, said: Said, author: Author) -> dict[str, Any]:
    op = author(said.stamp.op)
    if op is None:
        return dict(msgspec.to_builtins(Candidate(value=said.value)))
    whole = Candidate(value=said.value, base=op.base, saw=op.saw.get(field.name, ()), why=op.why, wall=op.wall)
    return dict(msgspec.to_builtins(whole))


def is_open(item: RecordState) -> bool:
    """Whether an item waits for a person."""
    built = item.build()
    return isinstance(built, InboxItem) and built.open


def ended(item: RecordState, stamp: Stamp) -> RecordState:
    """The item after a change that left nothing to decide."""
    cells = {**item.cells, FieldName("ended_by"): Cell(said=Said(stamp.op, stamp))}
    return msgspec.structs.replace(item, cells=cells, version=Seq(stamp.seq))


class Consequence(msgspec.Struct, frozen=True):
    """What a decision does to the record that it is about.

    Attributes:
        subject: that record.
        field: its field.
        change: the change that settles it.
    """

    subject: RecordId
    field: FieldName
    change: Change


def consequence(before: RecordState | None, after: RecordState, op: Op, stamp: Stamp) -> Consequence | None:
    """What follows from an op on an inbox item, once it is merged; None when nothing was decided by it."""
    said = after.cells[DECISION].said if DECISION in after.cells else None
    if after.spec is not SPEC or said is None or said.value is None or said.stamp.op != stamp.op:
        return None
    item = after.build()
    if not isinstance(item, InboxItem):
        raise TypeError(f"{after.id} is no inbox item")
    decision = msgspec.convert(said.value, Decision)
    earlier = () if before is None or DECISION not in before.cells else before.cells[DECISION].standing()
    # Of a decision made on an item about this item's decision, the candidates are the decisions that differ: they have
    # superseded what their authors saw, and what none of them saw this one does not supersede either.
    seen = op.saw.get(CANDIDATES)
    if seen is None:
        seen = tuple(entry.stamp.op for entry in after.cells[CANDIDATES].entries if op.record == after.id)
    names = frozenset(seen) | {one.stamp.op for one in earlier}
    change = Change(value=decision.value, stamp=stamp, saw=names, base=op.base, decides=True)
    return Consequence(item.subject, FieldName(item.field), change)
