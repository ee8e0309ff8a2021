"""What a policy is, what it is given, and what a field's cell holds."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from schemas.ids import OpId, Seq
from schemas.kinds import FieldSpec
from schemas.ops import Stamp
from sync.refusal import Refusal

Place = Callable[[Stamp], int]
"""Gives a stamp its index in a row's `stamps`."""


class Said(msgspec.Struct, frozen=True):
    """A value and who said it."""

    value: Any
    stamp: Stamp


class Entry(msgspec.Struct, frozen=True):
    """One entry of a `grow` or `tags` field. (stamp.device, stamp.n, k) names it for ever."""

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


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One field of one record with its attribution.

    Attributes:
        said: the value that stands, for a policy with one value.
        beside: what else was said and is not superseded: what waits for a person (`once`, `claim`), or was written
            without sight of each other (`highest`, `state`, `judged`).
        decided: the decision or correction that last settled the field, or "".
        against: (ending, entry) pairs: an ending that stands, and an entry that it had not seen (`state`).
        entries: the entries, in order (`grow`, `tags`).
    """

    said: Said | None = None
    beside: tuple[Said, ...] = ()
    decided: OpId | str = ""
    against: tuple[tuple[OpId, OpId], ...] = ()
    entries: tuple[Entry, ...] = ()

    def standing(self) -> list[Said]:
        """Every value with one author that is not superseded."""
        return [] if self.said is None else [self.said, *self.beside]

    def stamps(self) -> list[Stamp]:
        """Every stamp in the cell."""
        if self.said is None:
            return [entry.stamp for entry in self.entries]
        if not (self.beside or self.entries):
            # Nearly every cell, and an edit asks each of them several times.
            return [self.said.stamp]
        return [self.said.stamp, *[one.stamp for one in self.beside], *[entry.stamp for entry in self.entries]]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change to one field.

    Attributes:
        value: the new value; for `grow` the list of entries to append; for `tags` {"add": [tag], "remove": [tag]}.
        stamp: who, when.
        saw: the ops whose values stood in the field before the author's eyes; None when the op does not say.
        base: version of the record that the author was looking at.
        decides: whether it settles what stands open: a person's decision, or an entitled correction.
        create: whether the op makes the record.
    """

    value: Any
    stamp: Stamp
    saw: frozenset[OpId] | None = None
    base: Seq = Seq(0)
    decides: bool = False
    create: bool = False

    def has_seen(self, other: Stamp) -> bool:
        """Whether its author had that value before their eyes.

        What the op names is exact. One that names nothing, of an older program, saw what its base held and its own.
        """
        if self.saw is not None:
            return other.op in self.saw
        return 0 < other.seq <= self.base or (other.device == self.stamp.device and other.n < self.stamp.n)

    @property
    def at(self) -> int:
        """When it takes effect (ms since 1970): when it was recorded; on the device, its own corrected time."""
        return self.stamp.recorded_at or self.stamp.ms


class MergePolicy(Protocol):
    """How one field's changes combine. Implementations are pure and keep nothing.

    Merging a change into a cell that holds it leaves the cell as it was.
    """

    name: str
    refuses: bool
    """Whether it can refuse a change at all (`refusal`)."""

    def merge(self, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        """The cell after a change; `cell` is None when the field has no value yet."""

    def value(self, field: FieldSpec, cell: Cell) -> Any:
        """What an application sees."""

    def stands(self, field: FieldSpec, cell: Cell, change: Change) -> Stamp | None:
        """After `change` was merged: the stamp of what stands instead of it, or None when it took effect."""

    def unsettled(self, field: FieldSpec, cell: Cell) -> tuple[Said, ...]:
        """What a person must decide between, in the order of time; () when nothing is open."""

    def refusal(self, field: FieldSpec, cell: Cell | None, change: Change) -> Refusal | None:
        """Why the change cannot be made, its detail in words for the officer; None when it can."""

    def sight(self, field: FieldSpec, cell: Cell) -> tuple[OpId, ...] | None:
        """The ops that a change by someone who sees this cell names as seen; None when the policy does not ask."""

    def pack(self, cell: Cell, place: Place) -> list[Any]:
        """The cell's form in a row."""

    def unpack(self, raw: list[Any], stamps: Sequence[Stamp]) -> Cell:
        """The cell behind its form in a row.

        Raises:
            IndexError, TypeError, ValueError: it has not that form.
        """


class OneValue:
    """What the policies with one value have in common."""

    refuses = False

    def value(self, field: FieldSpec, cell: Cell) -> Any:  # noqa: ARG002  the interface's arguments
        """The value that stands."""
        return None if cell.said is None else cell.said.value

    def unsettled(self, field: FieldSpec, cell: Cell) -> tuple[Said, ...]:  # noqa: ARG002  as above
        """Nothing, unless the policy says otherwise."""
        return ()

    def refusal(self, field: FieldSpec, cell: Cell | None, change: Change) -> Refusal | None:  # noqa: ARG002  as above
        """Nothing, unless the policy says otherwise."""
        return None

    def sight(self, field: FieldSpec, cell: Cell) -> tuple[OpId, ...] | None:  # noqa: ARG002  as above
        """Everything that stands."""
        return tuple(sorted(one.stamp.op for one in cell.standing()))

    def pack(self, cell: Cell, place: Place) -> list[Any]:
        """[value, stamp, beside, decided, against], without trailing empty ones."""
        if cell.said is None:
            raise ValueError("a cell with one value holds none")
        if not (cell.beside or cell.decided or cell.against):
            # Nearly every cell, of every row that is written.
            return [cell.said.value, place(cell.said.stamp)]
        raw: list[Any] = [
            cell.said.value,
            place(cell.said.stamp),
            [[other.value, place(other.stamp)] for other in cell.beside],
            cell.decided,
            [list(pair) for pair in cell.against],
        ]
        while not raw[-1] and len(raw) > _PAIR:
            raw.pop()
        return raw

    def unpack(self, raw: list[Any], stamps: Sequence[Stamp]) -> Cell:
        """See `pack`."""
        value, at, *rest = raw
        beside, decided, against, *_newer = (*rest, *_EMPTY[len(rest) :])
        return Cell(
            said=Said(value, stamps[at]),
            beside=tuple(Said(other, stamps[index]) for other, index in beside),
            decided=decided,
            against=tuple((ending, entry) for ending, entry in against),
        )


_PAIR = 2
_EMPTY: tuple[Any, ...] = ((), "", ())


def pack_entries(entries: Sequence[Entry], place: Place) -> list[Any]:
    """[[entry, stamp, k] ...]."""
    return [[entry.value, place(entry.stamp), entry.k] for entry in entries]


def unpack_entries(raw: list[Any], stamps: Sequence[Stamp]) -> tuple[Entry, ...]:
    """See `pack_entries`."""
    return tuple(Entry(value, stamps[at], k) for value, at, k in raw)


def distinct(values: Sequence[Any]) -> list[Any]:
    """The values without repetition, in order. They need not be hashable."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
