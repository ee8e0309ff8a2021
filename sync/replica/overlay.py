"""What an officer sees of the records they work on, remembered: the next edit lays one op over it, and not all again.

Somebody who is out of touch for a shift has hundreds of ops on one record, and each further one is written in sight of
all before it. Laid over the row anew each time, the hundredth edit cost ten times the first.

Nothing here is ever told that something has changed. What is remembered is used only where the row and the ops that it
was made from are still the same, byte for byte, at the front of what is asked for; else it is made anew. So it holds
across whatever is undone, sealed, erased or sent again.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from schemas.codec import decode_row, reread_op
from schemas.ids import DeviceId, OpNumber, RecordId, Seq
from sync import replay
from sync.merge import RecordState
from sync.outbox import OpState, Untaken
from sync.replica.tables import StoredOp

OVERLAYS_MAX: Final = 32
"""Records that are remembered: those that one officer works on at a time, and a list beside them."""


class _Shown(msgspec.Struct, frozen=True):
    """One record as it was shown.

    Attributes:
        raw: the server's row; None when there was none.
        version: the version beside it.
        counts: the row's count of this device's ops (`Row.upto`).
        ops: what was laid over it, in order.
        state: the outcome.
    """

    raw: bytes | None
    version: Seq | None
    counts: OpNumber
    ops: list[StoredOp]
    state: RecordState | None


class Overlays:
    """The server's rows with own ops laid over them."""

    def __init__(self, device: DeviceId) -> None:
        """Start with none remembered; `device` is whose ops they are."""
        self._device = device
        self._kept: OrderedDict[RecordId, _Shown] = OrderedDict()

    def shown(
        self, record: RecordId, raw: bytes | None, version: Seq | None, laid_over: Sequence[StoredOp]
    ) -> RecordState | None:
        """The record as it is with these ops laid over the server's row.

        Args:
            record: which.
            raw: its row, as MessagePack; None when there is none.
            version: the version beside it (`Tables.row_version`).
            laid_over: ops on it, in order of number.
        """
        ops = list(laid_over)
        before = self._kept.pop(record, None)
        if before is None or (before.raw, before.version) != (raw, version) or ops[: len(before.ops)] != before.ops:
            now = self._anew(raw, version, ops)
        else:
            now = self._further(before, ops)
        self._kept[record] = now
        if len(self._kept) > OVERLAYS_MAX:
            self._kept.popitem(last=False)
        return now.state

    def _further(self, before: _Shown, ops: list[StoredOp]) -> _Shown:
        """What was shown, with the ops behind it laid over."""
        state = before.state
        for one in ops[len(before.ops) :]:
            if one.n <= before.counts:
                # Whether the row holds it depends on all of them (`replay.view`).
                return self._anew(before.raw, before.version, ops)
            state = replay.lay_over(state, reread_op(one.body))
        return msgspec.structs.replace(before, ops=ops, state=state)

    def _anew(self, raw: bytes | None, version: Seq | None, ops: list[StoredOp]) -> _Shown:
        row = None if raw is None else decode_row(raw)
        not_in: Mapping[OpNumber, OpState] = {op.n: op.state for op in ops if _is_not_in(version, op)}
        unheard: Collection[OpNumber] = {n for n, state in not_in.items() if state is OpState.QUEUED}
        state = replay.view(row, [reread_op(op.body) for op in ops], not_in.keys() - unheard, unheard)
        return _Shown(raw, version, replay.counted(row, self._device), ops, state)


def _is_not_in(version: Seq | None, op: StoredOp) -> bool:
    """Whether an op is laid over a row of that version, though the row counts it or a later one of this device."""
    if op.state is OpState.DURABLE and version is not None and version >= op.seq:
        return False
    return op.untaken is Untaken.EVER or (op.untaken is Untaken.HERE and version != 0)
