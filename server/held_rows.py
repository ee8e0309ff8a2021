"""Rows as devices hold them that are told of every commit, so that the next commit is told by what changed in them.

A commit brings the version that each row had before it; only where the row of just that version is at hand is there a
difference to tell, and in every other case the row goes whole, as it does to whoever reads the log. So nothing here has
to be complete: rows of the latest commits are kept, as many as there is room for, and none after a start.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from schemas.differences import check, difference
from schemas.ids import RecordId, Seq, record_bytes
from schemas.wire import Difference
from server.commits import ScopeChange, Settled

HELD_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of rows of recent commits: some 60,000 records, which is more than a force works on in a day."""
_ENTRY_BYTES: Final = 200
"""What a row costs in memory beside its bytes: its id, its place."""

Standing = Mapping[RecordId, tuple[Seq, bytes]]
"""Record -> (version, row)."""


class Changed:
    """One commit's changes of rows that were at hand; each difference is made once, when somebody is to be told."""

    __slots__ = ("_before", "_made", "size")

    def __init__(self, before: Standing) -> None:
        """Take the rows as they stood before the commit."""
        self._before = before
        self._made: dict[RecordId, Difference | None] = {}
        self.size = sum(len(row) for _, row in before.values())
        """Bytes that are kept for it."""

    def among(self, change: ScopeChange) -> bool:
        """Whether some of a scope's rows may be told as differences."""
        return any(self._base(*one) is not None for one in zip(change.members, change.stood, strict=False))

    def split(self, change: ScopeChange) -> tuple[list[bytes], tuple[Difference, ...]]:
        """A scope's rows: those that go whole, and the differences of the rest."""
        if not change.stood:
            return list(change.rows), ()
        whole, changed = [], []
        for record, stood, row in zip(change.members, change.stood, change.rows, strict=True):
            found = self._difference(record, stood, row)
            if found is None:
                whole.append(row)
            else:
                changed.append(found)
        return whole, tuple(changed)

    def _base(self, record: RecordId, stood: Seq) -> bytes | None:
        """The row that those hold who are told of a change; None for one that came in, or is not at hand."""
        version, row = self._before.get(record, (None, None))
        return row if stood and version == stood else None

    def _difference(self, record: RecordId, stood: Seq, row: bytes) -> Difference | None:
        base = self._base(record, stood)
        if base is None:
            return None
        if record not in self._made:
            edits = difference(base, row)
            made = None if edits is None else Difference(record_bytes(record), stood, check(row), edits)
            self._made[record] = made
        return self._made[record]


class HeldRows:
    """The rows of the latest commits."""

    def __init__(self) -> None:
        """None yet."""
        self._rows: OrderedDict[RecordId, tuple[Seq, bytes]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    def took(self, settled: Settled) -> Changed:
        """Go on to the rows of a commit that has just been published, and tell how those stood that it changed."""
        before: dict[RecordId, tuple[Seq, bytes]] = {}
        after: dict[RecordId, bytes] = {}
        for change in settled.scopes:
            after.update(zip(change.members, change.rows, strict=True))
        for record in (*after, *(one.record for one in settled.erased)):
            stood = self._rows.pop(record, None)
            if stood is not None:
                before[record] = stood
                self._bytes -= len(stood[1]) + _ENTRY_BYTES
        for record, row in after.items():
            self._rows[record] = (settled.seq, row)
            self._bytes += len(row) + _ENTRY_BYTES
        while self._bytes > HELD_BYTES_MAX:
            _, (_, dropped) = self._rows.popitem(last=False)
            self._bytes -= len(dropped) + _ENTRY_BYTES
        return Changed(before)
