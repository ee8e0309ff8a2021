"""What the officer sees: the server's row with this device's pending ops laid over it, in their order.

The same merge runs here and on the server, and merging an op into a row that already holds it changes nothing. So the
view is the same just before and just after the row with the op arrives: an edit never flickers.
"""

from collections.abc import Collection, Sequence

from schemas.ids import DeviceId, OpNumber, split_op_id
from schemas.kinds import kind_named
from schemas.limits import INT_MAX
from schemas.ops import Op, Row
from sync import check, merge
from sync.merge import RecordState


def view(
    row: Row | None,
    pending: Sequence[Op],
    not_taken: Collection[OpNumber] = (),
    unheard: Collection[OpNumber] = (),
) -> RecordState | None:
    """The record as this device shows it, or None when there is nothing to show.

    Args:
        row: the server's row, or None when this device holds none.
        pending: this device's ops on the record that the row may not hold yet, in order of number.
        not_taken: numbers of those of them that the server has said it has not taken in. The row may hold later ops of
            this device all the same: a copy of it made them, or a server that was set back took them in first.
        unheard: numbers of those that it had not taken in when it last said so, and may have since.
    """
    if row is not None and kind_named(row.kind) is None:
        # A kind that only a newer program knows: the row is kept for it, and is nothing to show here.
        return None
    state = None if row is None else merge.from_row(row)
    left_out = set() if state is None else _held(state, pending, not_taken, unheard)
    for op in pending:
        if op.n in left_out:
            # The row came before the result that tells so. Laid over it, the op would bring back what was superseded.
            continue
        state = lay_over(state, op)
    return state


def lay_over(state: RecordState | None, op: Op) -> RecordState | None:
    """The record with one more op laid over it, which the row does not hold; None when there is nothing to show."""
    spec = check.op_alone(op)
    if isinstance(spec, check.Refusal):
        # Another version of this program wrote it. It is kept, and refused by the server with the reason.
        return state
    if state is None:
        if not op.create:
            # The row was retracted; an edit alone shows nothing of it.
            return None
        state = merge.new_state(op, spec)
    return merge.apply(state, op) if state.spec.name == spec.name else state


def counted(row: Row | None, device: DeviceId) -> OpNumber:
    """The number up to which a row may hold a device's ops, so that laying one over it takes a look at all of them."""
    if row is None:
        return OpNumber(0)
    spec = kind_named(row.kind)
    # Over a record of a kind that only a newer program knows nothing is laid.
    return OpNumber(INT_MAX) if spec is None else merge.counts(row, spec).get(device, OpNumber(0))


def _held(
    state: RecordState, pending: Sequence[Op], not_taken: Collection[OpNumber], unheard: Collection[OpNumber]
) -> set[OpNumber]:
    """The pending ops that a row holds: those that it counts, and of the unheard ones what these build on."""
    counted = [op for op in pending if state.holds(op) and op.n not in not_taken]
    found: set[OpNumber] = set()
    for op in reversed(counted):
        if op.n in found or op.n not in unheard:
            seen = (split_op_id(name) for names in op.saw.values() for name in names)
            found |= {op.n, op.after, *(n for device, n in seen if device == op.device)}
    return found & {op.n for op in counted}
