"""`latest`: the change with the highest corrected time stands; ties break on op id.

An op's clock reading is later than everything of the record its author could see (`sync.clock`), so a causally later
change always wins, and among concurrent ones the order of arrival does not matter.
"""

from typing import Any

from schemas.ops import Stamp
from sync.policies.base import Cell, Said


class Latest:
    """See the module's text."""

    name = "latest"

    def merge(self, cell: Cell | None, value: Any, stamp: Stamp) -> Cell:
        """Take the change if it is later than what stands."""
        if cell is not None and cell.said is not None and cell.said.stamp.order >= stamp.order:
            return cell
        return Cell(said=Said(value, stamp))

    def stands(self, cell: Cell, stamp: Stamp) -> Stamp | None:
        """Whose value is in the cell, when it is not this change's."""
        return None if cell.said is None or cell.said.stamp.op == stamp.op else cell.said.stamp

    def value(self, cell: Cell) -> Any:
        """The value that stands."""
        return None if cell.said is None else cell.said.value
