"""`highest`: the higher risk stands. A lowering counts only if its author saw the value that it lowers.

Of the values that nobody has overwritten with sight of them, the highest is shown. An officer who lowers a risk in a
cellar while another raises it upstairs lowers what was there before; the raise stands until somebody who saw it lowers
it. A value that only a newer program knows ranks above all: it may be worse than anything known here.
"""

from collections.abc import Sequence
from typing import Any

from schemas.kinds import FieldSpec
from schemas.ops import Stamp
from sync.policies.base import Cell, Change, OneValue, Said
from sync.policies.frontier import join


class Highest(OneValue):
    """See the module's text."""

    name = "highest"

    def merge(self, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        """Supersede what the author saw; show the highest of what is left."""

        def pick(standing: Sequence[Said]) -> Said:
            return max(standing, key=lambda one: (rank(field, one.value), one.stamp.order))

        return join(cell, change, pick)

    def stands(self, field: FieldSpec, cell: Cell, change: Change) -> Stamp | None:  # noqa: ARG002  the interface's
        """Whose value is shown, when it is not this change's."""
        return None if cell.said is None or cell.said.stamp.op == change.stamp.op else cell.said.stamp


def rank(field: FieldSpec, value: Any) -> int:
    """How high a value is: -1 for none, above all others for one that this program does not know."""
    order = () if field.ranks is None else field.ranks.order
    if value is None:
        return -1
    return order.index(value) if value in order else len(order)
