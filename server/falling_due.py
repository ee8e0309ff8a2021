"""The task that does what falls due, at its time: kept up from commits, found again after a restart.

What was done stands in the records themselves, so nothing has to be remembered: the due times are read from the store
at the start and kept up from what is committed. A wait is never longer than a minute, so a clock that is set forward is
noticed, and one that is set back makes nothing be done twice. `server.escalation` and `server.timers` are two of it.

A record is looked at as soon as it changes; one that goes on changing is looked at once more in each stretch of time
(`AGAIN_MS`), and not for each of its commits: working out what is due costs as much as taking an edit in. All that wait
for the next stretch are looked at as it begins, so that the task is woken once for them.
"""

import abc
import asyncio
import contextlib
import heapq
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from schemas.codec import decode_row
from schemas.errors import FrameError, StoreError, UsageError
from schemas.ids import Millis, OfficerId, RecordId, ScopeName
from schemas.limits import SNAPSHOT_ROWS_MAX
from server.commits import Settled
from server.store import Store
from sync import merge
from sync.merge import RecordState
from sync.session.steps import Head

_log = logging.getLogger(__name__)

AUTHOR: Final = OfficerId("beatbook")
"""Who writes: the rules."""
RETRY_MS: Final = 5_000
"""How long to leave a store alone that failed."""
LOOK_MS_MAX: Final = 60_000
"""The longest wait: the machine's clock may be set forward meanwhile."""
AGAIN_MS: Final = 250
"""How long a stretch of time is in which a record is looked at once, however often it changes. What is known to be due
is done at its time; only what a second change brings forward may be late by so much, and no warning is that urgent."""
Wait = Callable[[asyncio.Event, int], Awaitable[None]]
"""Waits until the event is set, or so many ms have passed."""
Part = tuple[str, ScopeName | None]
"""Records to read: of a kind, in one scope or in all."""


async def wait_in_real_time(event: asyncio.Event, ms: int) -> None:
    """`Wait`, by the event loop's clock."""
    # Not `wait_for`: up to Python 3.11 it swallows a cancellation that comes in the moment of the event.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ms / 1_000):
            await event.wait()


class FallingDue(abc.ABC):
    """See the module's text. What falls due, and what is then done, is a subclass's."""

    def __init__(self, store: Store, now: Callable[[], Millis], wait: Wait = wait_in_real_time) -> None:
        """Bind it.

        Args:
            store: where the records are.
            now: the server's clock (ms since 1970).
            wait: how time passes.
        """
        self._store = store
        self._now = now
        self._wait = wait
        self._due: dict[RecordId, Millis] = {}
        self._queue: list[tuple[Millis, RecordId]] = []
        """By time; an entry that `_due` does not confirm is an old one."""
        self._fresh: dict[RecordId, bytes] = {}
        """The newest row of each changed record: one that changes often is read once."""
        self._stretch = 0
        """Which stretch of time it is: how many `AGAIN_MS` since 1970."""
        self._looked: set[RecordId] = set()
        """The records that were looked at in it for a change."""
        self._resting: dict[RecordId, bytes] = {}
        """The newest row of each of these that has changed since."""
        self._unread: dict[Part, None] = {}
        self._changed = asyncio.Event()

    # --- what a subclass says ----------------------------------------------------------------------------------------

    @abc.abstractmethod
    def _concerns(self, kind: str) -> bool:
        """Whether something can fall due in records of a kind."""

    @abc.abstractmethod
    def _at_start(self, scopes: Iterable[ScopeName]) -> Iterable[Part]:
        """What to read at the start, when the store has these scopes; in order."""

    @abc.abstractmethod
    def _moved(self, scope: ScopeName) -> Iterable[Part]:
        """What to read when nobody told what a commit did to a scope."""

    @abc.abstractmethod
    def _next(self, state: RecordState) -> Millis | None:
        """When something falls due in a record next (ms since 1970; what has passed is due now); None for nothing."""

    @abc.abstractmethod
    async def _do(self, record: RecordId) -> None:
        """Do what is due in a record; what was committed by it is told with `published`.

        Raises:
            StoreError: the store failed; it is done again.
            UsageError: it cannot be done; it is logged, and done no more until the record changes.
        """

    # --- what happens ------------------------------------------------------------------------------------------------

    def published(self, settled: Settled) -> None:
        """A commit is durable: keep the due times up. The committer calls this, so the rows are read later."""
        for row in settled.rows:
            if self._concerns(row.kind):
                self._put(row.record, row.body)
        for change in settled.scopes:
            # The scope moved in a commit whose answer was lost: nobody told what it held.
            if change.frm == change.head.seq:
                self._unread.update(dict.fromkeys(self._moved(change.scope)))
        if self._fresh or self._unread:
            self._changed.set()

    def _put(self, record: RecordId, row: bytes) -> None:
        """Have a record looked at that has changed: now, or in the next stretch if it was looked at in this one."""
        if record in self._looked and record not in self._fresh:
            if not self._resting:
                # Whoever waits does not know yet that there is something to wait for.
                self._changed.set()
            self._resting[record] = row
        else:
            self._fresh[record] = row

    def _look_again(self, record: RecordId, row: bytes) -> None:
        """Have a record looked at once more, as it was just read; what was told of it meanwhile is newer."""
        if record not in self._resting:
            self._fresh.setdefault(record, row)

    @property
    def waiting(self) -> int:
        """How many records something falls due in, now or later."""
        return len(self._due)

    def late_ms(self) -> int:
        """For how long the oldest thing that is due has been; 0 when nothing is."""
        return max(0, self._now() - min(self._due.values(), default=self._now()))

    async def run(self) -> None:
        """Do what falls due, whenever it does, until it is cancelled."""
        started = False
        while True:
            self._changed.clear()
            pause = LOOK_MS_MAX
            try:
                if not started:
                    await self._begin(await self._store.heads())
                    started = True
                await self._read()
                await self._do_all()
                await self._rest()
                pause = min(pause, self._pause())
            except StoreError as error:
                _log.warning("%s waits for the store: %s", type(self).__name__, error)
                pause = RETRY_MS
            await self._wait(self._changed, pause)

    def _pause(self) -> int:
        """How long there is nothing to do (ms), if nobody tells of a change."""
        until = [self._queue[0][0]] if self._queue else []
        if self._resting:
            until.append(Millis((self._stretch + 1) * AGAIN_MS))
        return max(min(until, default=Millis(self._now() + LOOK_MS_MAX)) - self._now(), 1)

    def _awaken(self) -> None:
        """In another stretch, later or earlier, have all looked at that rest."""
        stretch = self._now() // AGAIN_MS
        if stretch != self._stretch:
            self._stretch = stretch
            self._looked.clear()
            self._fresh.update(self._resting)
            self._resting.clear()

    async def _begin(self, heads: Mapping[ScopeName, Head]) -> None:
        """Find out what to read at the start; `heads`: where every scope stands."""
        self._unread.update(dict.fromkeys(self._at_start(heads)))

    async def _rest(self) -> None:  # noqa: B027  most have nothing to do then
        """Whatever is to be done once everything is read and nothing is due."""

    async def _read(self) -> None:
        """Learn of the records that were committed since, and of those that nobody told about."""
        self._awaken()
        while self._unread or self._fresh:
            if self._unread:
                part = next(iter(self._unread))
                await self._read_part(part)
                # Only now: a store that fails in between is asked for all of it again.
                self._unread.pop(part)
                continue
            record = next(iter(self._fresh))
            self._looked.add(record)
            self._note(self._fresh.pop(record))
            # The clocks of one detention take milliseconds: other work of the server has its turn after each.
            await asyncio.sleep(0)

    async def _read_part(self, part: Part) -> None:
        kind, scope = part
        after = ""
        while rows := await self._store.records(kind, scope, after, SNAPSHOT_ROWS_MAX):
            for row in rows:
                self._note(row)
                await asyncio.sleep(0)
            after = decode_row(rows[-1]).id

    async def _do_all(self) -> None:
        """Do all whose time has come."""
        while self._queue and self._queue[0][0] <= self._now():
            due, record = heapq.heappop(self._queue)
            if self._due.get(record) != due:
                continue
            try:
                await self._do(record)
            except UsageError:
                # Doing it again would be refused again, for ever.
                _log.exception("what is due in %s cannot be done", record)
            except StoreError:
                heapq.heappush(self._queue, (due, record))
                raise
            await self._read()
            if self._due.get(record) == due:
                del self._due[record]

    def _note(self, row: bytes) -> None:
        """Keep when something is due in a record."""
        try:
            state = merge.from_row(decode_row(row))
            due = self._next(state)
        except (FrameError, ValueError):
            # One damaged row must not keep all others from being looked at.
            _log.exception("a record cannot be read")
            return
        self._at(state.id, due)

    def _at(self, record: RecordId, due: Millis | None) -> None:
        """Keep that a record is to be looked at again then (ms since 1970); None: not before it changes."""
        if due is None:
            self._due.pop(record, None)
        elif self._due.get(record) != due:
            self._due[record] = due
            heapq.heappush(self._queue, (due, record))
