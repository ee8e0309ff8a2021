"""`grow`: every entry is kept. The order is by when it happened, so late news takes its true place.

A correction is a new entry that points at the old one; nothing is taken out, and the same entry arriving again is the
same entry.
"""

from collections.abc import Sequence
from typing import Any

from schemas.ids import OpId
from schemas.kinds import FieldSpec
from schemas.ops import Stamp
from sync.policies.base import Cell, Change, Entry, Place, Said, pack_entries, unpack_entries
from sync.refusal import Refusal


class Grow:
    """See the module's text."""

    name = "grow"
    refuses = False

    def merge(self, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:  # noqa: ARG002  the interface's
        """Add the entries that are not there yet."""
        entries = () if cell is None else cell.entries
        known = {entry.name for entry in entries}
        fresh = [Entry(one, change.stamp, k) for k, one in enumerate(change.value)]
        added = [entry for entry in fresh if entry.name not in known]
        if not added:
            return Cell(entries=entries)
        return Cell(entries=tuple(sorted((*entries, *added), key=lambda entry: entry.order)))

    def value(self, field: FieldSpec, cell: Cell) -> Any:  # noqa: ARG002  the interface's
        """The entries in order."""
        return [entry.value for entry in cell.entries]

    def stands(self, field: FieldSpec, cell: Cell, change: Change) -> Stamp | None:  # noqa: ARG002  the interface's
        """Never anything: an entry is never displaced."""
        return None

    def unsettled(self, field: FieldSpec, cell: Cell) -> tuple[Said, ...]:  # noqa: ARG002  the interface's
        """Never anything."""
        return ()

    def refusal(self, field: FieldSpec, cell: Cell | None, change: Change) -> Refusal | None:  # noqa: ARG002  as above
        """Never anything."""
        return None

    def sight(self, field: FieldSpec, cell: Cell) -> tuple[OpId, ...] | None:  # noqa: ARG002  the interface's
        """Not asked: nothing is displaced."""
        return None

    def pack(self, cell: Cell, place: Place) -> list[Any]:
        """[[entry, stamp, k] ...]."""
        return pack_entries(cell.entries, place)

    def unpack(self, raw: list[Any], stamps: Sequence[Stamp]) -> Cell:
        """See `pack`."""
        return Cell(entries=unpack_entries(raw, stamps))
