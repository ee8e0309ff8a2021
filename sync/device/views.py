"""What an application can look at: a record with who said what and when, and the ops that were refused."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from schemas.codec import reread_op
from schemas.errors import ERRORS, UsageError
from schemas.ids import FieldName, Millis, OfficerId, OpId, RecordId, Seq, op_id
from schemas.kinds import Briefing, FieldSpec, Kind
from schemas.ops import Stamp
from schemas.tokens import all_known
from sync import inbox
from sync.device.arrivals import UNCONFIRMED, Confirmed, confirmed_of
from sync.device.reasons import reason
from sync.device.store import Held
from sync.explain import values as wording
from sync.merge import RecordState
from sync.outbox import OpState
from sync.policies import policy_of
from sync.policies.base import Said
from sync.replica import StoredOp

K = TypeVar("K", bound=Kind)


class Attributed(msgspec.Struct, frozen=True):
    """A value and who said it.

    Attributes:
        value: typed, as in the record.
        stamp: author, device and op, when it happened and when it was recorded (ms since 1970; 0: not yet).
        said: False where nobody said exactly this value: it is the safe choice while people differ, and the stamp is
            only that of one of those who differ.
    """

    value: Any
    stamp: Stamp
    said: bool = True

    @property
    def known(self) -> bool:
        """Whether this program knows the value: one that only a newer program does is shown as it came."""
        return all_known(self.value)

    @property
    def doubts(self) -> list[str]:
        """What is doubtful about the times, in words; nothing where they are sound."""
        return wording.doubts(self.stamp.doubt)


class HeldOp(msgspec.Struct, frozen=True):
    """An own op that the server refused. It is kept, and what its author wrote stays in view.

    Attributes:
        op, record, kind: which, on what.
        code, detail: why: an entry of the error registry, and what in the op it is about.
        reason: the same in words for the officer.
        action: what to do about it, in words for the officer.
        changes: field -> plain value that the op holds.
        occurred_at: when it happened, as the author says (ms since 1970).
        behind: own ops on the same record that wait for it to be mended or withdrawn, in order.
        go_with_it: whether withdrawing it withdraws those too, because it is the op that makes their record.
    """

    op: OpId
    record: RecordId
    kind: str
    code: str
    detail: str
    reason: str
    action: str
    changes: Mapping[FieldName, Any]
    occurred_at: Millis
    behind: tuple[OpId, ...]
    go_with_it: bool


class RecordView(msgspec.Struct, Generic[K], frozen=True, kw_only=True):
    """One record with everything this handheld knows of it.

    Attributes:
        record: its id.
        value: as `Handheld.get` gives it.
        version: the server's commit that changed it last; 0 while only this handheld has it.
        fields: field -> its value and who said it; of fields with one value that were ever set.
        entries: field -> its entries in order, each with who made it; of `grow` fields.
        beside: field -> what stands beside the value that is shown, said without sight of it.
        differing: field -> all that was said, of fields about which people differ and a person decides.
        items: field -> the open inbox item about it, where this handheld holds it.
        unread: field -> what a newer program wrote there and this one cannot read, as plain data.
        pending: own ops on it that the server's row does not hold yet.
        held: own ops on it that were refused.
        confirmed: of a briefing: what this handheld's officer has said of it.
    """

    record: RecordId
    value: K
    version: Seq
    fields: Mapping[FieldName, Attributed]
    entries: Mapping[FieldName, tuple[Attributed, ...]]
    beside: Mapping[FieldName, tuple[Attributed, ...]]
    differing: Mapping[FieldName, tuple[Attributed, ...]]
    items: Mapping[FieldName, RecordId]
    unread: Mapping[FieldName, tuple[Attributed, ...]]
    pending: tuple[OpId, ...]
    held: tuple[HeldOp, ...]
    confirmed: Confirmed = UNCONFIRMED


def typed(state: RecordState, struct: type[K]) -> K:
    """The record as a value of its kind.

    Raises:
        UsageError: it is of another kind.
    """
    if state.spec.struct is not struct:
        raise UsageError(f"record {state.id} is a {state.spec.struct.__name__}, not a {struct.__name__}")
    record = state.build()
    if not isinstance(record, struct):
        raise TypeError(f"{state.spec.name} builds {type(record).__name__}")
    return record


def record_view(held: Held, record: RecordId, reader: OfficerId | None = None) -> RecordView[Kind] | None:
    """All that is known of a record, or None when this handheld shows none of that id.

    Args:
        held: the replica.
        record: which.
        reader: the officer whose word on a briefing is told with it.
    """
    state = held.replica.view(record)
    if state is None:
        return None
    fields = {}
    entries = {}
    beside = {}
    differing = {}
    items = {}
    for name, cell in state.cells.items():
        field = state.spec.fields[name]
        policy = policy_of(field)
        if cell.said is None:
            entries[name] = tuple(_attributed(field, entry.value, entry.stamp) for entry in cell.entries)
        else:
            fields[name] = _shown(field, policy.value(field, cell), cell.said, cell.beside)
        if cell.beside:
            beside[name] = tuple(_attributed(field, one.value, one.stamp) for one in cell.beside)
        open_values = policy.unsettled(field, cell)
        if open_values:
            differing[name] = tuple(_attributed(field, one.value, one.stamp) for one in open_values)
        item = inbox.item_id(record, name, cell.decided)
        about = None if field.asks is None else held.replica.view(item)
        if about is not None and inbox.is_open(about):
            items[name] = item
    ops = held.replica.pending(record)
    value = state.build()
    confirmed = UNCONFIRMED
    if reader is not None and isinstance(value, Briefing):
        confirmed = confirmed_of(held, record, value, reader)
    return RecordView(
        record=record,
        value=value,
        version=state.version,
        fields=fields,
        entries=entries,
        beside=beside,
        differing=differing,
        items=items,
        unread={name: tuple(Attributed(one.value, one.stamp) for one in kept) for name, kept in state.trust.items()},
        pending=tuple(op_id(held.replica.device, op.n) for op in ops if op.state is not OpState.HELD),
        held=tuple(held_op(held, op) for op in ops if op.state is OpState.HELD),
        confirmed=confirmed,
    )


def held_op(held: Held, op: StoredOp) -> HeldOp:
    """A refused op as an application sees it."""
    spec = ERRORS.get(op.code)
    # Not decode_op: it may be longer than an op may be (`sync.replica.mending`).
    body = reread_op(op.body)
    behind = held.replica.dependants(op.n)
    return HeldOp(
        op=op_id(held.replica.device, op.n),
        record=op.record,
        kind=op.kind,
        code=op.code,
        detail=op.detail,
        reason=reason(op.code, op.detail),
        action="Update this program: it does not know this reason." if spec is None else spec.action,
        changes=body.changes,
        occurred_at=Millis(body.occurred_at),
        behind=tuple(op_id(held.replica.device, one.n) for one in behind.ops),
        go_with_it=behind.go_with_it,
    )


def _shown(field: FieldSpec, value: object, first: Said, beside: Sequence[Said]) -> Attributed:
    """The value that is shown, as said by somebody who said it."""
    by = next((one for one in (first, *beside) if one.value == value), None)
    if by is None:
        return msgspec.structs.replace(_attributed(field, value, first.stamp), said=False)
    return _attributed(field, value, by.stamp)


def _attributed(field: FieldSpec, value: object, stamp: Stamp) -> Attributed:
    return Attributed(msgspec.convert(value, field.type), stamp)
