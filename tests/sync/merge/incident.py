"""An incident and the ops that meet in it, as the tests of the merge write them down."""

from typing import Any

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, OpNumber, Seq, named_record_id
from schemas.kinds import KINDS
from schemas.ops import Op
from sync import check, merge
from sync.merge import RecordState

T0 = 1_760_000_000_000
RECORD = named_record_id("merge", "incident")
KIND = KINDS["incident"]
WHOLE: dict[str, Any] = {"opened_at": T0, "area": "birmingham", "category": "crime", "summary": "x"}


def op(device: str, n: int, changes: dict[str, Any], saw: dict[str, list[str]] | None = None, **more: Any) -> Op:  # noqa: ANN401
    """An op on the incident, a minute after the one numbered before it.

    Args:
        device: whose.
        n: its number.
        changes: field -> plain value.
        saw: field -> what stood there before its author's eyes; None for an older program, which does not say.
        more: other fields of the op.
    """
    at = T0 + n * 60_000
    facts: dict[str, Any] = {"hlc": (at, 0), "occurred_at": at, "wall": at} | more
    return Op(
        device=DeviceId(device),
        n=OpNumber(n),
        record=RECORD,
        kind="incident",
        author=OfficerId("WM21877"),
        changes={FieldName(name): value for name, value in changes.items()},
        saw={FieldName(name): tuple(map(OpId, ops)) for name, ops in (saw or {}).items()},
        **facts,
    )


def made(**beside: object) -> RecordState:
    """The incident as op 1 of the control room made it, committed."""
    create = op("desk-1", 1, WHOLE | beside, create=True)
    return merge.apply(merge.new_state(create, KIND), create, Millis(T0), Seq(1))


def committed(state: RecordState, *ops: Op, newer: bool = False) -> RecordState:
    """The record after the server took these ops in, a commit each.

    Args:
        state: the record before.
        ops: in the order of their arrival.
        newer: whether they are of a program that knows more than this one.
    """
    for each in ops:
        unread = check.unread(each, KIND) if newer else merge.NO_FIELDS
        state = merge.apply(state, each, Millis(T0 + state.version), Seq(state.version + 1), unread=unread)
    return state


def value(state: RecordState, field: str) -> Any:  # noqa: ANN401  a field's value
    """What the record shows in a field."""
    return state.values()[FieldName(field)]
