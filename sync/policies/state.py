"""`state`: declared transitions; of concurrent ones the declared precedence says which stands.

Two officers who move the same incident on without sight of each other both act on what they saw. What stands is the
state that comes later in the declared precedence (work before closing, detained before released). States that the
declaration names, such as a release, ask a person when they are concurrent with another one.

An ending (closing an incident) must also have seen the work that it ends. One that had not seen an arrest is contested
by it, in whichever order the two arrive: the declared state is shown, and a person decides.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.ids import OpId
from schemas.kinds import FieldSpec
from schemas.ops import Stamp
from schemas.policies import Flow
from sync.policies.base import Cell, Change, OneValue, Said, distinct
from sync.policies.frontier import join
from sync.refusal import Refusal


class State(OneValue):
    """See the module's text."""

    name = "state"
    refuses = True

    def merge(self, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        """Supersede what the author saw; show what takes precedence among what is left."""
        against = () if cell is None else cell.against
        return join(cell, change, lambda standing: _pick(_flow(field), standing, against))

    def value(self, field: FieldSpec, cell: Cell) -> Any:
        """The state that stands; the declared one when it is an ending that is contested."""
        flow = _flow(field)
        if cell.said is None or flow.ending is None or not _contested(cell, cell.said.stamp.op):
            return None if cell.said is None else cell.said.value
        return flow.ending.shown

    def stands(self, field: FieldSpec, cell: Cell, change: Change) -> Stamp | None:  # noqa: ARG002  the interface's
        """Whose state is shown, when it is not this change's."""
        return None if cell.said is None or cell.said.stamp.op == change.stamp.op else cell.said.stamp

    def unsettled(self, field: FieldSpec, cell: Cell) -> tuple[Said, ...]:
        """The states that stand, when one of them is declared to ask, or the one that is shown is contested."""
        standing = sorted(cell.standing(), key=lambda one: one.stamp.order)
        values = distinct([one.value for one in standing])
        asked = len(values) > 1 and any(value in _flow(field).asks for value in values)
        contested = cell.said is not None and _contested(cell, cell.said.stamp.op)
        return tuple(standing) if asked or contested else ()

    def refusal(self, field: FieldSpec, cell: Cell | None, change: Change) -> Refusal | None:
        """Whether the transition from what the author saw is not declared."""
        flow = _flow(field)
        if change.create or change.decides or change.value not in flow.moves:
            return None
        standing = [] if cell is None else cell.standing()
        seen = [one for one in standing if change.has_seen(one.stamp)]
        # An op that does not say what its author saw may have seen what an unseen value has superseded since.
        whole = len(standing) if change.saw is None else len(change.saw)
        if cell is not None and (not seen or len(seen) < whole):
            # Some of what its author saw has been superseded meanwhile. What is left says less than they knew, so that
            # the order of arrival would decide; their device has looked whether the step was allowed.
            return None
        start = field.default if not seen else _pick(flow, seen, () if cell is None else cell.against).value
        shown = {start} if cell is None else {start, self.value(field, cell)}
        if start not in flow.moves and start is not None:
            # A state that only a newer program knows: so does it know what may follow.
            return None
        if change.value in shown or any(change.value in flow.moves.get(one, ()) for one in shown if one is not None):
            return None
        allowed = ", ".join(flow.moves.get(start, ())) or "nothing: it is final"
        return Refusal("op_transition", f"from {start} to {change.value}; what may follow {start}: {allowed}")


def contest(field: FieldSpec, cell: Cell, pairs: Sequence[tuple[OpId, OpId]]) -> Cell:
    """The cell when these (ending, entry) pairs have been found: the ending had not seen the entry."""
    ops = {one.stamp.op for one in cell.standing()}
    against = tuple(sorted({*cell.against, *(pair for pair in pairs if pair[0] in ops)}))
    if against == cell.against:
        return cell
    standing = cell.standing()
    first = _pick(_flow(field), standing, against)
    beside = tuple(sorted((one for one in standing if one is not first), key=lambda one: one.stamp.order))
    return msgspec.structs.replace(cell, said=first, beside=beside, against=against)


def endings(field: FieldSpec, cell: Cell | None) -> list[Said]:
    """The standing values that are endings."""
    flow = _flow(field)
    states = () if flow.ending is None else flow.ending.states
    return [] if cell is None else [one for one in cell.standing() if one.value in states]


def _pick(flow: Flow, standing: Sequence[Said], against: Sequence[tuple[OpId, OpId]]) -> Said:
    contested = {ending for ending, _ in against}

    def key(one: Said) -> tuple[int, bool, tuple[int, int, str, int]]:
        known = one.value in flow.precedence
        place = flow.precedence.index(one.value) if known else len(flow.precedence)
        return (place, one.stamp.op not in contested, one.stamp.order)

    return max(standing, key=key)


def _contested(cell: Cell, op: OpId) -> bool:
    return any(ending == op for ending, _ in cell.against)


def _flow(field: FieldSpec) -> Flow:
    if field.flow is None:
        raise TypeError(f"field {field.name!r} has no transitions")
    return field.flow
