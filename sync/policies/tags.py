"""`tags`: a tag is removed only by someone who saw it (an observed-remove set: Shapiro et al., 2011, section 3.3.5).

Each adding of a tag stands for itself, named by its op. A removal takes away exactly the addings that its author saw;
one that another officer made meanwhile stays, and with it the warning.
"""

from collections.abc import Sequence
from typing import Any

from schemas.ids import OpId
from schemas.kinds import FieldSpec
from schemas.ops import Stamp
from sync.policies.base import Cell, Change, Entry, Place, Said, distinct, pack_entries, unpack_entries
from sync.refusal import Refusal


class Tags:
    """See the module's text."""

    name = "tags"
    refuses = False

    def merge(self, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:  # noqa: ARG002  the interface's
        """Take away what is removed and was seen; add what is added."""
        before = Cell() if cell is None else cell
        removing = change.value.get("remove", ())
        kept = [entry for entry in before.entries if not (entry.value in removing and change.has_seen(entry.stamp))]
        known = {entry.name for entry in kept}
        fresh = [Entry(tag, change.stamp, k) for k, tag in enumerate(change.value.get("add", ()))]
        added = [entry for entry in fresh if entry.name not in known]
        return Cell(entries=tuple(sorted((*kept, *added), key=lambda entry: entry.order)))

    def value(self, field: FieldSpec, cell: Cell) -> Any:  # noqa: ARG002  the interface's
        """The tags, each once, in the order in which they were added."""
        return distinct([entry.value for entry in cell.entries])

    def stands(self, field: FieldSpec, cell: Cell, change: Change) -> Stamp | None:  # noqa: ARG002  the interface's
        """The stamp of a tag that this change removed, but that its author had not seen."""
        for entry in cell.entries:
            if entry.value in change.value.get("remove", ()) and entry.stamp.op != change.stamp.op:
                return entry.stamp
        return None

    def unsettled(self, field: FieldSpec, cell: Cell) -> tuple[Said, ...]:  # noqa: ARG002  the interface's
        """Never anything."""
        return ()

    def refusal(self, field: FieldSpec, cell: Cell | None, change: Change) -> Refusal | None:  # noqa: ARG002  as above
        """Never anything."""
        return None

    def sight(self, field: FieldSpec, cell: Cell) -> tuple[OpId, ...] | None:  # noqa: ARG002  the interface's
        """Every op whose tags stand."""
        return tuple(sorted({entry.stamp.op for entry in cell.entries}))

    def pack(self, cell: Cell, place: Place) -> list[Any]:
        """[[tag, stamp, k] ...]."""
        return pack_entries(cell.entries, place)

    def unpack(self, raw: list[Any], stamps: Sequence[Stamp]) -> Cell:
        """See `pack`."""
        return Cell(entries=unpack_entries(raw, stamps))
