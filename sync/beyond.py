"""Cells of fields that only a newer program knows: carried through this one as they came.

A server that is set back to an older program finds them in its records. Their policies are not known here, and so
neither is their form; but every number in them that may be the index of a stamp keeps the stamp that it had. The other
places among the row's stamps are free for what is written now, so a record does not grow by being carried.
"""

import itertools
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schemas.ids import DeviceId, FieldName, OpNumber
from schemas.ops import Stamp

_Name = tuple[DeviceId, OpNumber]
"""An op's, in parts: as text it would be made anew for every value of a row."""


class Beyond(msgspec.Struct, frozen=True):
    """What a row holds beyond what this program knows.

    Attributes:
        cells: field -> its cell, as it came.
        stamps: the stamps that they point at, at the places that they name.
    """

    cells: Mapping[FieldName, list[Any]] = {}
    stamps: tuple[Stamp, ...] = ()

    def places(self) -> set[int]:
        """The places among the stamps that a cell may name."""
        return {number for number in _numbers(list(self.cells.values())) if number < len(self.stamps)}


NOTHING: Final = Beyond()


class Stamps:
    """The stamps of a row while it is made."""

    def __init__(self, beyond: Beyond) -> None:
        """Begin with those that must keep their places."""
        places = beyond.places() if beyond.cells else set()
        self._before = beyond.stamps
        self._put: dict[int, Stamp] = {at: beyond.stamps[at] for at in places}
        self._index: dict[_Name, int] = {(stamp.device, stamp.n): at for at, stamp in self._put.items()}
        self._free = (at for at in itertools.count() if at not in places) if places else itertools.count()

    def place(self, stamp: Stamp) -> int:
        """The place of a stamp, which it gets the first time."""
        name = (stamp.device, stamp.n)
        at = self._index.get(name)
        if at is None:
            at = self._index[name] = next(self._free)
            self._put[at] = stamp
        return at

    def listed(self) -> list[Stamp]:
        """All of them, each at its place. Where nothing is put before a place that is kept, the old one stays."""
        if not self._before:
            return list(self._put.values())
        return [self._put[at] if at in self._put else self._before[at] for at in range(max(self._put, default=-1) + 1)]


def _numbers(value: object) -> set[int]:
    """Every whole number in plain data that is not below 0."""
    match value:
        case bool():
            return set()
        case int():
            return {value} if value >= 0 else set()
        case list() | tuple():
            return {number for part in value for number in _numbers(part)}
        case dict():
            return {number for part in value.values() for number in _numbers(part)}
        case _:
            return set()
