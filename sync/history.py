"""What became of every op: kept with it, so that each value that no longer stands links to what stands instead.

An `Act` is what one op did to one field of one record. Mostly that is a field it changed; a decision made on an inbox
item also acts on the record that the item is about. Of a change that met nothing, no act is kept.
"""

from collections.abc import Mapping, Sequence

import msgspec

from schemas.ids import FieldName, OpId, RecordId
from schemas.kinds import kind_named
from schemas.ops import Op
from schemas.policies import tags
from sync.merge import RecordState
from sync.policies import Change, policy_of


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


def act(before: RecordState | None, after: RecordState, field: FieldName, change: Change, item: RecordId | None) -> Act:
    """What a change did to a field.

    Args:
        before, after: the record without the change, and with it.
        field: the field.
        change: the change.
        item: the inbox item that asks about the field now, if one does.
    """
    cell = after.cells[field]
    was = None if before is None else before.cells.get(field)
    mine = change.stamp.op
    spec = after.spec.fields[field]
    if cell.said is None:
        # Of many values each stands; only a removal can meet one that stays, because its author had not seen it.
        stays = policy_of(spec).stands(spec, cell, change)
        stands = "" if stays is None else stays.op
        met = [] if stays is None else [stays.op]
    else:
        stands = "" if cell.said.stamp.op == mine else cell.said.stamp.op
        met = [
            one.stamp.op
            for one in ([] if was is None else was.standing())
            if one.stamp.op != mine and not spec.same(one.value, change.value) and not change.has_seen(one.stamp)
        ]
    return Act(
        record=after.id,
        field=field,
        over=tuple(sorted(_kept_in(before, field) - _kept_in(after, field) - {mine})),
        stands=stands,
        met=tuple(met),
        item="" if item is None else item,
    )


def _kept_in(state: RecordState | None, field: FieldName) -> set[OpId]:
    """The ops whose values a record still holds in a field, those included that only a newer program can read."""
    cell = None if state is None else state.cells.get(field)
    kept = set() if cell is None else {stamp.op for stamp in cell.stamps()}
    if state is not None and field in state.trust:
        kept |= {one.stamp.op for one in state.trust[field]}
    return kept


def acts_on(record: RecordId, op: Op, acts: Sequence[Act]) -> list[Act]:
    """What an op did to a record, field by field; plain changes, of which nothing is kept, included.

    Left out is a removal that found nothing to remove: there is nothing of it that could be lost.

    Args:
        record: the record.
        op: the op.
        acts: what is kept of it.
    """
    kept = [one for one in acts if one.record == record]
    told = {one.field for one in kept}
    plain = [name for name in op.changes.keys() - told if not _only_removes(op, name)] if op.record == record else ()
    return [*kept, *(Act(record=record, field=name) for name in sorted(plain))]


def _only_removes(op: Op, name: FieldName) -> bool:
    spec = kind_named(op.kind)
    field = None if spec is None else spec.fields.get(name)
    if field is None or field.policy is not tags or field.problem(op.changes[name]) is not None:
        return False
    return not op.changes[name].get("add")


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
            current = op in _kept_in(state, one.field)
            # A removal of tags leaves nothing of its own behind; every other change that superseded something does.
            field = state.spec.fields.get(one.field)
            removed = field is not None and field.policy is tags and bool(one.over)
            if not (current or (op, one.field) in superseded or one.stands or removed):
                lost.append((op, one.field))
    return lost
