"""What the officer has before them: which record a word means, and what others changed in it since."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, OpId, RecordId, is_record_id
from schemas.kinds import KINDS, Kind
from sync.device.describing import short
from sync.device.handheld import Handheld
from sync.device.terminal.values import listed
from sync.device.views import Attributed, RecordView

ROW_DIGITS_MAX: Final = 5
"""A number of so many digits is a row of the last list; what is longer is a piece of an id."""
LAST: Final = "."
"""Stands for the record that was made, changed or shown last; a script cannot know a new one's id."""
_PIECE: Final = re.compile(r"[0-9a-f-]{6,36}")
_NAMED_MAX: Final = 5
"""Records that an ambiguous piece of an id is told to fit."""


class News(msgspec.Struct, frozen=True):
    """Something that was said of a record and had not been seen.

    Attributes:
        field: of what.
        item: what, by whom, when.
        contested: whether it stands beside the value that is shown, and not in its place.
    """

    field: FieldName
    item: Attributed
    contested: bool = False


def said(view: RecordView[Kind]) -> Iterator[News]:
    """All that is said of a record."""
    for field, item in view.fields.items():
        # What nobody said is no news of anybody: what each of them said follows.
        if item.said:
            yield News(field, item)
    for field, entries in view.entries.items():
        for item in entries:
            yield News(field, item)
    for field in view.differing:
        for item in others_said(view, field):
            yield News(field, item, contested=differs(view, field, item))


def others_said(view: RecordView[Kind], field: FieldName) -> list[Attributed]:
    """What was said of a field about which people differ, beside the one whose value is shown."""
    shown = view.fields.get(field)
    whose = None if shown is None or not shown.said else shown.stamp.op
    return [one for one in view.differing.get(field, ()) if one.stamp.op != whose]


def differs(view: RecordView[Kind], field: FieldName, item: Attributed) -> bool:
    """Whether what was said is not what is shown."""
    shown = view.fields.get(field)
    return shown is None or not shown.said or item.value != shown.value


class Sight:
    """The last list, and what was known of the records that are watched."""

    def __init__(self, handheld: Handheld, device: DeviceId) -> None:
        """Start with nothing in sight."""
        self._handheld = handheld
        self._device = device
        self._rows: tuple[RecordId, ...] = ()
        self._last: RecordId | None = None
        self._shown: set[RecordId] = set()
        self._always: set[RecordId] = set()
        self._seen: dict[RecordId, frozenset[OpId]] = {}

    def lay_out(self, views: Sequence[RecordView[Kind]]) -> None:
        """A list was shown: its rows are numbered from 1 and watched, in place of what was in sight before."""
        self._rows = tuple(view.record for view in views)
        self._seen = {record: ops for record, ops in self._seen.items() if record in self._always}
        for view in views:
            self.watch(view)

    def watch(self, view: RecordView[Kind], *, always: bool = False) -> None:
        """From now on tell what others change in this record: until the next list, or `always`."""
        self._shown.add(view.record)
        if always:
            self._always.add(view.record)
        self._seen[view.record] = frozenset(one.item.stamp.op for one in said(view))

    def turn_to(self, view: RecordView[Kind]) -> None:
        """The officer made, changed or looked at this record: it is watched, and LAST means it."""
        self._last = view.record
        self.watch(view)

    def forget(self, record: RecordId) -> None:
        """The record has gone from this handheld."""
        self._seen.pop(record, None)
        self._shown.discard(record)
        self._always.discard(record)

    def watches(self, record: RecordId) -> bool:
        """Whether a change of this record is to be told."""
        return record in self._seen

    def watched(self) -> frozenset[RecordId]:
        """Every record whose changes are told."""
        return frozenset(self._seen)

    def news(self, view: RecordView[Kind]) -> list[News]:
        """What others have said of a watched record since it was last looked at; now it is seen."""
        before = self._seen.get(view.record, frozenset())
        self.watch(view)
        return [one for one in said(view) if one.item.stamp.device != self._device and one.item.stamp.op not in before]

    async def resolve(self, which: str) -> RecordId:
        """The record that was meant: by LAST, its row in the last list, its id, or the beginning or end of its id.

        Raises:
            UsageError: none is meant, or more than one.
            ReplicaError: the database failed.
        """
        typed = which.casefold()
        if typed == LAST:
            if self._last is None:
                raise UsageError("no record was made, changed or shown yet")
            return self._last
        if typed.isascii() and typed.isdigit() and len(typed) <= ROW_DIGITS_MAX:
            if not 1 <= int(typed) <= len(self._rows):
                there = f"the last list had {len(self._rows)}" if self._rows else "nothing was listed yet"
                raise UsageError(f"there is no row {typed}: {there}")
            return self._rows[int(typed) - 1]
        if is_record_id(typed):
            return RecordId(typed)
        if _PIECE.fullmatch(typed) is None:
            raise UsageError(f"{which!r} names no record: give its row in the last list, or 6 or more signs of its id")
        found = _fitting(typed, self._shown) or _fitting(typed, await self._all())
        if not found:
            raise UsageError(f"there is no record {which!r} on this handheld")
        if len(found) > 1:
            names = listed([short(record) for record in found[:_NAMED_MAX]])
            more = ", …" if len(found) > _NAMED_MAX else ""
            raise UsageError(f"{which!r} fits {len(found)} records ({names}{more}): give more of the id")
        return found[0]

    async def _all(self) -> list[RecordId]:
        return [record for spec in KINDS.values() for record, _ in await self._handheld.find(spec.struct)]


def _fitting(piece: str, records: Iterable[RecordId]) -> list[RecordId]:
    return sorted(record for record in records if record.startswith(piece) or record.endswith(piece))
