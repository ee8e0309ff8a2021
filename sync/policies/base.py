"""What a policy is, and what a field's cell holds."""

from typing import Any, Protocol

import msgspec

from schemas.ops import Stamp


class Said(msgspec.Struct, frozen=True):
    """A value and who said it."""

    value: Any
    stamp: Stamp


class Entry(msgspec.Struct, frozen=True):
    """One entry of a `grow` field. (stamp.device, stamp.n, k) names it for ever."""

    value: Any
    stamp: Stamp
    k: int

    @property
    def name(self) -> tuple[str, int, int]:
        """What makes it this entry and no other."""
        return (self.stamp.device, self.stamp.n, self.k)

    @property
    def order(self) -> tuple[int, int, int, str, int, int]:
        """Where it stands among the entries: by when it happened, then by corrected time, then by name."""
        return (self.stamp.occurred_at, *self.stamp.order, self.k)


class Cell(msgspec.Struct, frozen=True):
    """One field of one record with its attribution.

    Attributes:
        said: the value that stands, for a policy with one value.
        differing: what else was said and waits for a person (`once`).
        entries: the entries, in order (`grow`).
    """

    said: Said | None = None
    differing: tuple[Said, ...] = ()
    entries: tuple[Entry, ...] = ()

    def stamps(self) -> list[Stamp]:
        """Every stamp in the cell."""
        one = [self.said.stamp] if self.said is not None else []
        return one + [other.stamp for other in self.differing] + [entry.stamp for entry in self.entries]


class MergePolicy(Protocol):
    """How one field's changes combine. Implementations are pure and keep nothing.

    Merging the same change twice leaves the cell as it was: that is what makes a replayed op, and a pending op on top
    of a row that already holds it, harmless.
    """

    name: str

    def merge(self, cell: Cell | None, value: Any, stamp: Stamp) -> Cell:
        """The cell after a change.

        Args:
            cell: the cell before; None when the field has no value yet.
            value: what the change holds: the new value, or the list of entries to append.
            stamp: who, when.
        """

    def stands(self, cell: Cell, stamp: Stamp) -> Stamp | None:
        """The stamp of what stands instead of the change stamped `stamp`, or None when that change took effect."""

    def value(self, cell: Cell) -> Any:
        """What an application sees."""
