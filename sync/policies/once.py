"""`once`: the first commit's value stands. What was said differently since is kept beside it, never over it.

Arrest time, relevant time, detention authorised: times on which a person's liberty hangs. A later officer who says the
same confirms it; one who says something else is recorded in `differing`, which waits for a person to decide. Nothing
(None) says nothing: the first value may follow it, and it contests none. Were it kept, replaying an op that said it
first would contest the value that followed.
"""

from typing import Any

from schemas.ops import Stamp
from sync.policies.base import Cell, Said


class Once:
    """See the module's text."""

    name = "once"

    def merge(self, cell: Cell | None, value: Any, stamp: Stamp) -> Cell:
        """Set the first value; keep a different one beside it."""
        if cell is None or cell.said is None or (cell.said.value is None and value is not None):
            return Cell(said=Said(value, stamp), differing=() if cell is None else cell.differing)
        if value is None or value == cell.said.value or any(other.stamp.op == stamp.op for other in cell.differing):
            return cell
        kept = sorted((*cell.differing, Said(value, stamp)), key=lambda other: other.stamp.order)
        return Cell(said=cell.said, differing=tuple(kept))

    def stands(self, cell: Cell, stamp: Stamp) -> Stamp | None:
        """The first value's stamp, when this change said something different."""
        contested = any(other.stamp.op == stamp.op for other in cell.differing)
        return cell.said.stamp if contested and cell.said is not None else None

    def value(self, cell: Cell) -> Any:
        """The first value."""
        return None if cell.said is None else cell.said.value
