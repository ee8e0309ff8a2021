"""What has come over a connection and waits to be applied: in order, but for results, and rows together.

Rows are applied in one local transaction for as many messages as have come meanwhile: each transaction costs the disk,
and a page of an index that many messages change is then written once. What became of own ops does not wait behind rows:
RESULTS is sent before the rows of its commit, so it may be taken in before those of any other.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from schemas import wire

ROWS_TOGETHER_MAX: Final = 2_048
"""Rows of the messages that are applied together. They fit in the database's cache; more would be written twice."""

Rows = wire.Batch | wire.Snapshot
"""What brings rows."""
Alone = (
    wire.Welcome
    | wire.Results
    | wire.Retract
    | wire.ScopeAdd
    | wire.Notice
    | wire.NewLease
    | wire.Wipe
    | wire.ReadsKept
    | wire.Quarantined
    | wire.Error
)
"""Everything else that a server says: each is applied by itself."""


class Inbox:
    """Messages, each with its size in bytes."""

    def __init__(self, length_max: int) -> None:
        """Begin empty; whoever puts one more than `length_max` in waits."""
        self._length_max = length_max
        self._waiting: deque[tuple[Rows | Alone, int]] = deque()
        self._some = asyncio.Event()
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next(self) -> Rows | Alone | None:
        """The message that comes next, if there is one."""
        return self._waiting[0][0] if self._waiting else None

    async def put(self, event: Rows | Alone, size: int) -> None:
        """Add a message behind the others; RESULTS before the rows at the end."""
        while len(self._waiting) >= self._length_max:
            self._room.clear()
            await self._room.wait()
        overtaken = []
        while isinstance(event, wire.Results) and self._waiting and isinstance(self._waiting[-1][0], Rows):
            overtaken.append(self._waiting.pop())
        self._waiting.append((event, size))
        self._waiting.extend(reversed(overtaken))
        self._some.set()

    async def take(self) -> list[tuple[Rows | Alone, int]]:
        """The next message; with it those behind it that are to be applied together with it."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        taken = [self._waiting.popleft()]
        rows = _rows_of(taken[0][0])
        while rows is not None and self._waiting:
            more = _rows_of(self._waiting[0][0])
            if more is None or rows + more > ROWS_TOGETHER_MAX:
                break
            rows += more
            taken.append(self._waiting.popleft())
        self._room.set()
        return taken

    def put_back(self, rest: Iterable[tuple[Rows | Alone, int]]) -> None:
        """What was taken and not dealt with comes first again."""
        self._waiting.extendleft(reversed(list(rest)))


def _rows_of(event: Rows | Alone) -> int | None:
    """How many rows a message changes; None for one that is applied by itself."""
    match event:
        case wire.Batch():
            return len(event.rows) + len(event.changed) + len(event.gone)
        case wire.Snapshot():
            return len(event.rows)
        case _:
            return None
