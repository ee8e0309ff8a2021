"""Claims on what is scarce: cells, vehicles, call signs, wanted suspects; and what this device can be sure of.

A claim made with no signal is provisional: the first that reaches the server holds. Only a reservation that the server
has confirmed makes it certain, and only while it runs. Nobody is ever moved by the software: what is displaced asks a
person, who is shown what else is free.
"""

import enum
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.codec import decode_row, reread_op
from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, OpId, RecordId, op_id
from schemas.kinds import KINDS, Hold, InboxItem, KindSpec, Resource, spec_of
from schemas.kinds.resource import Service
from schemas.ops import Stamp
from schemas.policies import claim
from sync import inbox, merge, replay
from sync.device.describing import holder_called
from sync.device.lookups import field_of, spec_of_record
from sync.device.store import Held
from sync.device.views import typed
from sync.merge import RecordState
from sync.outbox import OpState
from sync.policies import Cell, Said
from sync.policies.claim import is_free

_RESOURCE: Final = spec_of(Resource)
_HOLD: Final = FieldName("hold")


class Standing(enum.Enum):
    """How a claim stands, as far as this handheld can know."""

    FREE = "free"
    """Nobody holds it."""
    HELD = "held"
    """Somebody holds it, and the server has confirmed it; `ClaimState.mine` says whether it is this handheld."""
    PROVISIONAL = "provisional"
    """This handheld has claimed it and the server has not confirmed that yet: another claim may be there first."""
    CERTAIN = "certain"
    """As provisional, and still sure: it was reserved for this handheld, and the reservation runs."""
    DISPLACED = "displaced"
    """This handheld has claimed it and another claim was there first: a person decides."""


class ClaimState(msgspec.Struct, frozen=True, kw_only=True):
    """How a claim stands.

    Attributes:
        record, field: of what.
        standing: see `Standing`.
        holder: for whom or what it is held, as the claim says it; None when it is free.
        called: the holder in words: what a record that holds it is called.
        stamp: who claimed it, on which device, when; of the claim that stands. None when nobody does.
        since: when it was claimed, as the author says (ms since 1970); None when it is free.
        until: when it ends by itself, of a reservation (ms since 1970).
        mine: whether this handheld made the claim that stands.
        own: this handheld's claim that does not stand: it was displaced, or refused.
        item: the inbox item that asks a person about it, where this handheld holds it.
        note: what an officer should know beside, in words; or "".
    """

    record: RecordId
    field: FieldName
    standing: Standing
    holder: str | None = None
    called: str = ""
    stamp: Stamp | None = None
    since: Millis | None = None
    until: Millis | None = None
    mine: bool = False
    own: Hold | None = None
    item: RecordId | None = None
    note: str = ""


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """Something of the same sort that is free.

    Attributes:
        record, resource: it.
        same_home: whether it belongs where the other one does.
        reserved_until: when this handheld's own reservation of it ends (ms since 1970); None when it has none.
    """

    record: RecordId
    resource: Resource
    same_home: bool
    reserved_until: Millis | None = None


# --- how it stands ---------------------------------------------------------------------------------------------------


def claim_field(spec: KindSpec, field: str | None = None) -> FieldName:
    """The field of a kind that is claimed.

    Args:
        spec: the kind.
        field: its name; None for the only one there is.

    Raises:
        UsageError: the kind has no such field, or more than one and none is named.
    """
    fields = [name for name, each in spec.fields.items() if each.policy is claim]
    if field is not None:
        if field_of(spec, FieldName(field)).policy is not claim:
            raise UsageError(f"{field} of a {spec.struct.__name__} is not claimed" + _claimable(fields))
        return FieldName(field)
    if len(fields) != 1:
        raise UsageError(f"a {spec.struct.__name__} is not claimed as a whole" + _claimable(fields))
    return fields[0]


def _claimable(fields: Sequence[FieldName]) -> str:
    if fields:
        return f": name one of {', '.join(fields)}"
    kinds = [spec.struct.__name__ for spec in KINDS.values() if any(f.policy is claim for f in spec.fields.values())]
    return f"; what can be claimed is a {' or a '.join(sorted(kinds))}"


def claim_state(held: Held, record: RecordId, name: FieldName, now: Millis) -> ClaimState | None:
    """How a claim stands; None when this handheld does not show the record.

    Args:
        held: the replica.
        record, name: of what.
        now: the corrected time (ms since 1970).
    """
    own_ops = held.replica.pending(record)
    raw = held.tables.row(record)
    row = None if raw is None else decode_row(raw)
    # A refused claim holds nothing, though what its author wrote stays in their sight.
    state = replay.view(row, [reread_op(op.body) for op in own_ops if op.state is not OpState.HELD])
    shown = held.replica.view(record)
    if shown is None:
        return None
    state = shown if state is None else state
    confirmed = None if row is None else merge.from_row(row).cells.get(name)
    cell = state.cells.get(name, Cell())
    found = _Found(
        held=held,
        record=record,
        name=name,
        said=cell.said,
        cell=cell,
        now=now,
        pending=frozenset(op_id(held.replica.device, op.n) for op in own_ops if op.state is not OpState.HELD),
        refused=frozenset(op_id(held.replica.device, op.n) for op in own_ops if op.state is OpState.HELD),
    )
    return _stands(found, shown.cells.get(name, Cell()), None if confirmed is None else confirmed.said)


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one claim."""

    held: Held
    record: RecordId
    name: FieldName
    said: Said | None
    cell: Cell
    now: Millis
    pending: frozenset[OpId]
    refused: frozenset[OpId]

    @property
    def device(self) -> str:
        return self.held.replica.device

    def tell(
        self, standing: Standing, *, own: Said | None = None, item: RecordId | None = None, note: str = ""
    ) -> ClaimState:
        said = None if is_free(self.said, self.now) else self.said
        hold = None if said is None else msgspec.convert(said.value, Hold)
        return ClaimState(
            record=self.record,
            field=self.name,
            standing=standing,
            holder=None if hold is None else hold.holder,
            called="" if hold is None else holder_called(self.held, hold.holder),
            stamp=None if said is None else said.stamp,
            since=None if said is None else Millis(said.stamp.occurred_at),
            until=None if hold is None else hold.until,
            mine=said is not None and said.stamp.device == self.device,
            own=None if own is None else msgspec.convert(own.value, Hold),
            item=item,
            note=note,
        )


def _stands(found: _Found, shown: Cell, confirmed: Said | None) -> ClaimState:
    said, device = found.said, found.device
    lost = [one for one in found.cell.beside if one.stamp.device == device and one.value is not None]
    if lost:
        item = inbox.item_id(found.record, found.name, found.cell.decided)
        here = found.held.replica.view(item) is not None
        note = "" if here else "as soon as this claim reaches the server, a person is asked"
        return found.tell(Standing.DISPLACED, own=lost[-1], item=item if here else None, note=note)
    refused = [one for one in shown.standing() if one.stamp.op in found.refused and one.value is not None]
    own = refused[-1] if refused else None
    note = "your claim was refused; held() tells why" if own is not None else ""
    if said is None or is_free(said, found.now):
        if said is not None and said.value is not None and said.stamp.device == device:
            note = note or "your reservation has run out"
        return found.tell(Standing.FREE, own=own, note=note)
    if said.stamp.device != device or said.stamp.op not in found.pending:
        return found.tell(Standing.HELD, own=own, note=note)
    reserved = _reservation(confirmed, device)
    if reserved is None or _given_up(found):
        return found.tell(Standing.PROVISIONAL, note="another claim may reach the server first")
    if reserved <= found.now:
        ran_out = "the reservation ran out before this claim reached the server: another may be there first"
        return found.tell(Standing.PROVISIONAL, note=ran_out)
    return found.tell(Standing.CERTAIN, note="it was reserved for this handheld, and the reservation runs")


def _reservation(confirmed: Said | None, device: str) -> int | None:
    """Until when the server holds it reserved for this device; None when it does not."""
    if confirmed is None or confirmed.value is None or confirmed.stamp.device != device:
        return None
    until: int | None = confirmed.value.get("until")
    return until


def _given_up(found: _Found) -> bool:
    """Whether an own op that the server does not know yet gives the reservation up first."""
    ops = (reread_op(op.body) for op in found.held.replica.pending(found.record))
    return any(op.id in found.pending and op.changes.get(found.name, op) is None for op in ops)


# --- what else is free -----------------------------------------------------------------------------------------------


def alternatives(held: Held, about: RecordId, now: Millis) -> list[Alternative]:
    """What is free of the same sort as a resource, or as the one that an inbox item is about.

    First what belongs to the same home, then what belongs to others; there first what is reserved for this handheld.

    Raises:
        UsageError: there is no such record here, or nothing of its sort could stand in for it.
    """
    record = _subject(held, about)
    state = held.replica.view(record)
    if state is None or state.spec is not _RESOURCE:
        claim_field(spec_of_record(held, record))
        # A wanted person: there is no other one.
        return []
    wanted = typed(state, Resource)
    found = [
        each
        for other in held.replica.views(_RESOURCE)
        if other.id != record and (each := _alternative(other, wanted, held.replica.device, now)) is not None
    ]
    return sorted(found, key=_order)


def _subject(held: Held, about: RecordId) -> RecordId:
    state = held.replica.view(about)
    if state is None or state.spec.struct is not InboxItem:
        return about
    return RecordId(typed(state, InboxItem).subject)


def _alternative(state: RecordState, wanted: Resource, device: str, now: Millis) -> Alternative | None:
    resource = typed(state, Resource)
    cell = state.cells.get(_HOLD, Cell())
    usable = resource.category == wanted.category and resource.service is Service.IN_SERVICE
    if not usable or cell.beside:
        return None
    until = None
    if not is_free(cell.said, now):
        until = _reservation(cell.said, device)
        if until is None:
            return None
    return Alternative(
        record=state.id,
        resource=resource,
        same_home=resource.home == wanted.home,
        reserved_until=None if until is None else Millis(until),
    )


def _order(one: Alternative) -> tuple[bool, str, bool, list[tuple[str, int]], RecordId]:
    # M2 before M10.
    name = [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", one.resource.name)]
    return (not one.same_home, one.resource.home, one.reserved_until is None, name, one.record)
