"""`judged`: all values are kept, the declared safe one is shown, and a person decides by a deadline.

Appropriate adult, medication, allergies, disposal: a wrong guess by software harms somebody. A change supersedes what
its author saw; where two differ without sight of each other, both stand and the inbox asks.
"""

from collections.abc import Sequence
from typing import Any

from schemas.kinds import FieldSpec
from schemas.ops import Stamp
from sync.policies.base import Cell, Change, OneValue, Said, distinct
from sync.policies.frontier import join
from sync.refusal import Refusal

_DISAGREEMENT = 2


class Judged(OneValue):
    """See the module's text."""

    name = "judged"
    refuses = True

    def merge(self, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:  # noqa: ARG002  the interface's
        """Supersede what the author saw; keep everything else."""

        def pick(standing: Sequence[Said]) -> Said:
            return max(standing, key=lambda one: one.stamp.order)

        return join(cell, change, pick)

    def value(self, field: FieldSpec, cell: Cell) -> Any:
        """The one value; where people differ, what is declared to be safe."""
        standing = sorted(cell.standing(), key=lambda one: one.stamp.order)
        values = distinct([one.value for one in standing])
        if len(values) <= 1:
            return values[0] if values else None
        if field.safe is None or field.safe.way == "nothing":
            return None
        if field.safe.way == "together":
            return distinct([part for value in values for part in value or ()])
        order = field.safe.order
        # A value that only a newer program knows may be the safest of all, so it comes first.
        return min(values, key=lambda value: order.index(value) if value in order else -1)

    def stands(self, field: FieldSpec, cell: Cell, change: Change) -> Stamp | None:
        """Whose value is shown, when it is not this change's and nothing is open."""
        if cell.said is None or self.unsettled(field, cell) or cell.said.value == change.value:
            return None
        return None if cell.said.stamp.op == change.stamp.op else cell.said.stamp

    def unsettled(self, field: FieldSpec, cell: Cell) -> tuple[Said, ...]:  # noqa: ARG002  the interface's
        """All that was said, when people differ."""
        standing = sorted(cell.standing(), key=lambda one: one.stamp.order)
        return tuple(standing) if len(distinct([one.value for one in standing])) > 1 else ()

    def refusal(self, field: FieldSpec, cell: Cell | None, change: Change) -> Refusal | None:
        """Whether it would settle, outside the inbox, a question that its author saw open."""
        if cell is None or change.decides:
            return None
        seen = distinct([one.value for one in self.unsettled(field, cell) if change.has_seen(one.stamp)])
        if len(seen) < _DISAGREEMENT:
            return None
        return Refusal("op_decision_awaited", f"{field.name}: {len(seen)} different values stand")
