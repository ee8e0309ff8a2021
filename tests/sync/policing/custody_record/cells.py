"""Cells with who holds them, for the tests of suites."""

from typing import Any

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, Seq
from schemas.kinds import Resource, spec_of
from schemas.ops import Op
from sync import merge
from sync.merge import RecordState
from tests.sync.device.support import NOON, record_id

SPEC = spec_of(Resource)


def resource(number: int, *, contested: bool = False, **values: Any) -> RecordState:  # noqa: ANN401  plain values
    """A resource; a cell, unless told otherwise.

    Args:
        number: which record.
        contested: whether two have claimed it without sight of each other.
        values: its fields.
    """
    state = _apply(None, number, "maker", {"category": "cell", **values})
    for device in ("desk-1", "desk-2") if contested else ():
        state = _apply(state, number, device, {"hold": {"holder": device}})
    return state


def _apply(state: RecordState | None, number: int, device: str, changes: dict[str, Any]) -> RecordState:
    op = Op(
        device=DeviceId(device),
        n=OpNumber(1),
        record=record_id(number),
        kind=SPEC.name,
        author=OfficerId("WM1"),
        create=state is None,
        hlc=(NOON, 0),
        occurred_at=Millis(NOON),
        wall=Millis(NOON),
        changes={FieldName(name): value for name, value in changes.items()},
        saw={FieldName("hold"): ()} if "hold" in changes else {},
    )
    return merge.apply(merge.new_state(op, SPEC) if state is None else state, op, Millis(NOON), Seq(number))
