"""`latest`: the change with the highest corrected time stands; ties break on op id.

An op's clock reading is later than everything of the record its author could see (`sync.clock`), so a causally later
change always wins, and among concurrent ones the order of arrival does not matter.
"""

from schemas.ids import OpId
from schemas.kinds import FieldSpec
from schemas.ops import Stamp
from sync.policies.base import Cell, Change, OneValue, Said


class Latest(OneValue):
    """See the module's text."""

    name = "latest"

    def merge(self, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:  # noqa: ARG002  the interface's
        """Take the change if it is later than what stands."""
        if cell is not None and cell.said is not None and cell.said.stamp.order >= change.stamp.order:
            return cell
        return Cell(said=Said(change.value, change.stamp))

    def stands(self, field: FieldSpec, cell: Cell, change: Change) -> Stamp | None:  # noqa: ARG002  the interface's
        """Whose value is in the cell, when it is not this change's."""
        return None if cell.said is None or cell.said.stamp.op == change.stamp.op else cell.said.stamp

    def sight(self, field: FieldSpec, cell: Cell) -> tuple[OpId, ...] | None:  # noqa: ARG002  the interface's
        """Not asked: time decides."""
        return None
