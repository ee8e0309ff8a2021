"""What became of every op: kept with it, so that each value that no longer stands links to what stands instead.

An `Act` is what one op did to one field of one record. Mostly that is a field it changed; a decision made on an inbox
item also acts on the record that the item is about. Of a change that met nothing, no act is kept.
"""

from collections.abc import Mapping, Sequence

import msgspec

from schemas.ids import FieldName, OpId, RecordId
from schemas.ops import Op
from sync.merge import RecordState
from sync.policies import Cell, Change


class Act(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an op did to one field.

    Attributes:
        record, field: where.
        over: the ops whose values it superseded.
        stands: the op whose value is shown instead of its own; "" when its own is, or is one of many.
        met: the ops whose values differed and that its author had not seen: with them it was in conflict.
        item: the inbox item that asks a person about it, or "".
    """

    record: RecordId
    field: FieldName
    over: tuple[OpId, ...] = ()
    stands: str = ""
    met: tuple[OpId, ...] = ()
    item: str = ""

    @property
    def plain(self) -> bool:
        """Whether it only set a value, with nothing before it and nobody against it."""
        return not (self.over or self.stands or self.met or self.item)


def act(after: RecordState, field: FieldName, before: Cell | None, change: Change, item: RecordId | None) -> Act:
    """What a change did to a field.

    Args:
        after: the record with the change.
        field: the field.
        before: its cell without the change.
        change: the change.
        item: the inbox item that asks about the field now, if one does.
    """
    cell = after.cells[field]
    left = {stamp.op for stamp in cell.stamps()}
    was = [] if before is None else before.stamps()
    mine = change.stamp.op
    shown = cell.said
    stands = shown.stamp.op if shown is not None and shown.stamp.op != mine else ""
    met = [
        one.stamp.op
        for one in ([] if before is None else before.standing())
        if one.stamp.op != mine and one.value != change.value and not change.has_seen(one.stamp)
    ]
    return Act(
        record=after.id,
        field=field,
        over=tuple(sorted({stamp.op for stamp in was} - left - {mine})),
        stands=stands,
        met=tuple(met),
        item="" if item is None else item,
    )


def acts_on(record: RecordId, op: Op, acts: Sequence[Act]) -> list[Act]:
    """What an op did to a record, field by field; plain changes, of which nothing is kept, included.

    Args:
        record: the record.
        op: the op.
        acts: what is kept of it.
    """
    kept = [one for one in acts if one.record == record]
    told = {one.field for one in kept}
    plain = op.changes.keys() - told if op.record == record else ()
    return [*kept, *(Act(record=record, field=name) for name in sorted(plain))]


def unaccounted(state: RecordState, acts: Mapping[OpId, Sequence[Act]]) -> list[tuple[OpId, FieldName]]:
    """Promise 3, checked: the (op, field) that are neither current, nor superseded with a link, nor asked about.

    Args:
        state: the record as it stands.
        acts: op -> what it did to the record (`acts_on`), of every op that was accepted.
    """
    superseded = {(op, one.field) for done in acts.values() for one in done for op in one.over}
    lost = []
    for op, done in acts.items():
        for one in done:
            cell = state.cells.get(one.field)
            if cell is None:
                current = any(kept.stamp.op == op for kept in state.trust.get(one.field, ()))
            else:
                current = op in {stamp.op for stamp in cell.stamps()}
            if not (current or (op, one.field) in superseded or one.stands or one.over):
                lost.append((op, one.field))
    return lost
