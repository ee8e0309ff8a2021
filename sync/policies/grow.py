"""`grow`: every entry is kept. The order is by when it happened, so late news takes its true place.

A correction is a new entry that points at the old one; nothing is taken out, and the same entry arriving again is the
same entry.
"""

from typing import Any

from schemas.ops import Stamp
from sync.policies.base import Cell, Entry


class Grow:
    """See the module's text."""

    name = "grow"

    def merge(self, cell: Cell | None, value: Any, stamp: Stamp) -> Cell:
        """Add the entries that are not there yet."""
        entries = () if cell is None else cell.entries
        known = {entry.name for entry in entries}
        fresh = [Entry(one, stamp, k) for k, one in enumerate(value)]
        added = [entry for entry in fresh if entry.name not in known]
        if not added:
            return Cell(entries=entries)
        return Cell(entries=tuple(sorted((*entries, *added), key=lambda entry: entry.order)))

    def stands(self, cell: Cell, stamp: Stamp) -> Stamp | None:  # noqa: ARG002  the interface's arguments
        """Never anything: an entry is never displaced."""
        return None

    def value(self, cell: Cell) -> Any:
        """The entries in order."""
        return [entry.value for entry in cell.entries]
