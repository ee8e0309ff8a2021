"""What an event says, and to whom: pure.

An event tells the fields that its subscriber may be told as the record stands when it is sent, which is what a handheld
with these scopes would be shown at that moment. So nothing that was corrected, moved out of sight or erased meanwhile
leaves after all, a number that the server gave is there, and an event that comes twice does no harm. What is not told
is every value that a field had in between: that is the record's history, and has its own way out (disclosure).
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from schemas.codec import decode_row, reread_op
from schemas.errors import FrameError
from schemas.export import record_schema
from schemas.ids import Epoch, FieldName, Millis, RecordId
from schemas.kinds import KindSpec
from schemas.ops import Op
from schemas.wire import SCHEMA
from server.events.cloudevent import CloudEvent, What
from server.events.subscription import Subscription
from server.store.port import KeptOp
from sync import merge
from sync.merge import RecordState

_ID_BYTES: Final = 16
_NOTHING: Final[frozenset[FieldName]] = frozenset()


def changes_of(kept: KeptOp) -> tuple[Op, dict[RecordId, frozenset[FieldName]]] | None:
    """An op, with the records that it changed and the fields of each; None of one that changed nothing, or is erased.

    A decision on an inbox item changes the record that the item is about, and what goes along with a person changes
    with their booking: an op's acts tell of both.
    """
    if kept.result.status != "durable" or not kept.body:
        return None
    op = reread_op(kept.body)
    found = {op.record: frozenset(op.changes)}
    for act in kept.acts:
        found[act.record] = found.get(act.record, _NOTHING) | {act.field}
    return op, found


def read_state(row: bytes | None, subscription: Subscription) -> RecordState | None:
    """A record that the subscription is told of as it stands; None for one that is not there or out of its sight."""
    if row is None:
        return None
    try:
        plain = decode_row(row)
        if plain.kind not in subscription.fields:
            return None
        state = merge.from_row(plain)
        return None if subscription.scopes.isdisjoint(state.scopes()) else state
    except (FrameError, ValueError):
        # What this program cannot read it tells to nobody.
        return None


def tells(subscription: Subscription, kind: str, changed: frozenset[FieldName]) -> bool:
    """Whether a change to these fields is told."""
    return not changed.isdisjoint(subscription.fields[kind])


def change_event(
    subscription: Subscription, epoch: Epoch, kept: KeptOp, state: RecordState, changed: frozenset[FieldName]
) -> CloudEvent:
    """That a record was made or changed.

    Args:
        subscription: for whom.
        epoch: the store's.
        kept: the op.
        state: the record as it stands.
        changed: what the op changed of it.
    """
    op = reread_op(kept.body)
    kind = state.spec.name
    told = subscription.fields[kind]
    values: Mapping[FieldName, Any] = state.values()
    what: What = "created" if op.create and op.record == state.id else "changed"
    return CloudEvent(
        id=_id(what, kept.body, state.id),
        source=subscription.source,
        what=what,
        kind=kind,
        record=state.id,
        at=kept.recorded_at,
        dataschema=schema_id(kind),
        sequence=kept.place,
        epoch=epoch,
        version=state.version,
        occurred_at=op.occurred_at,
        changed=tuple(sorted(changed & told)),
        data={str(name): values[name] for name in sorted(told) if name in values},
    )


def withdrawn_event(subscription: Subscription, epoch: Epoch, kept: KeptOp, record: RecordId, kind: str) -> CloudEvent:
    """That a record of which the subscriber was told is out of their sight: nothing more is told of it, nor why."""
    return CloudEvent(
        id=_id("withdrawn", kept.body, record),
        source=subscription.source,
        what="withdrawn",
        kind=kind,
        record=record,
        at=kept.recorded_at,
        sequence=kept.place,
        epoch=epoch,
    )


def erased_event(subscription: Subscription, epoch: Epoch, at: Millis, record: RecordId, kind: str) -> CloudEvent:
    """That a record of which the subscriber was told was erased, and is to be erased where it was told.

    Source: Data Protection Act 2018 section 48(9): whoever was given the data is told, and erases it too.
    """
    return CloudEvent(
        id=_id("erased", b"", record),
        source=subscription.source,
        what="erased",
        kind=kind,
        record=record,
        at=at,
        epoch=epoch,
    )


def schema_id(kind: str) -> str:
    """What `data` of a kind's events is according to; another form of it has another name."""
    return f"urn:beatbook:v{SCHEMA}:event:{kind}"


def data_schema(spec: KindSpec) -> dict[str, Any]:
    """The JSON Schema (2020-12) of `data`: the record's, of which an event holds the fields that may be told."""
    whole = record_schema(spec)
    kept = {name: part for name, part in whole.items() if name != "required"}
    return {**kept, "$id": schema_id(spec.name), "title": f"{spec.name} as an event tells it"}


def _id(what: What, body: bytes, record: RecordId) -> str:
    """An event's id: of the op's bytes, so the same after a restore; it tells nothing of device and author."""
    said = b"\0".join((b"beatbook.v1 event", what.encode(), record.encode(), body))
    return hashlib.sha256(said).digest()[:_ID_BYTES].hex()
