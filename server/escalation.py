"""Decisions that are overdue: more people are asked, once for each level, also after a restart.

What has been asked already stands in the inbox item itself (`escalations`), so nothing here has to be remembered: the
due times are read from the store at the start and kept up from what is committed.
"""

import asyncio
import contextlib
import heapq
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from schemas import scopes
from schemas.codec import decode_row
from schemas.errors import FrameError, StoreError, UsageError
from schemas.ids import FieldName, Millis, OfficerId, RecordId, ScopeName
from schemas.kinds import Escalation, InboxItem, kind_named
from schemas.limits import SNAPSHOT_ROWS_MAX
from server.commits import Settled
from server.office import Office
from server.store import Store
from sync import inbox, merge

_log = logging.getLogger(__name__)

AUTHOR: Final = OfficerId("beatbook")
"""Who asks: the rules."""
RETRY_MS: Final = 5_000
"""How long to leave a store alone that failed."""
LOOK_MS_MAX: Final = 60_000
"""The longest wait: the machine's clock may be set forward meanwhile."""

Wait = Callable[[asyncio.Event, int], Awaitable[None]]
"""Waits until the event is set, or so many ms have passed."""


async def wait_in_real_time(event: asyncio.Event, ms: int) -> None:
    """`Wait`, by the event loop's clock."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), ms / 1_000)


def levels(item: InboxItem) -> list[tuple[Millis, Escalation]]:
    """When whom to ask as well: (ms since 1970, what is then noted), in order; what was asked before is not left out.

    The roles are those that the field declares (`Asks.then`). The first is asked when the time to decide has passed,
    each other one after as long again.
    """
    kind = kind_named(item.subject_kind)
    field = None if kind is None else kind.fields.get(FieldName(item.field))
    if field is None or field.asks is None:
        return []
    within = max(item.due_at - item.opened_at, 1)
    return [
        (Millis(item.due_at + level * within), Escalation(to=role, overdue_ms=level * within))
        for level, role in enumerate(field.asks.then)
    ]


def next_due(item: InboxItem) -> Millis | None:
    """When the next level is due (ms since 1970); None when nobody is left to be asked, or nothing to decide."""
    left = levels(item)[len(item.escalations) :] if item.open else []
    return left[0][0] if left else None


def missed(item: InboxItem, now: Millis) -> list[Escalation]:
    """The levels that are due and were not asked, in order; each says by how much it is late."""
    left = levels(item)[len(item.escalations) :] if item.open else []
    return [Escalation(to=asked.to, overdue_ms=now - item.due_at) for due, asked in left if due <= now]


class Escalations:
    """The task that asks."""

    def __init__(self, store: Store, office: Office, now: Callable[[], Millis], wait: Wait = wait_in_real_time) -> None:
        """Bind it.

        Args:
            store: where the items are.
            office: writes what is asked.
            now: the server's clock (ms since 1970).
            wait: how time passes.
        """
        self._store = store
        self._office = office
        self._now = now
        self._wait = wait
        self._due: dict[RecordId, Millis] = {}
        self._queue: list[tuple[Millis, RecordId]] = []
        """By time; an entry that `_due` does not confirm is an old one."""
        self._fresh: deque[bytes] = deque()
        self._unread: set[ScopeName] = set()
        self._changed = asyncio.Event()

    def published(self, settled: Settled) -> None:
        """A commit is durable: keep the due times up. The committer calls this, so the rows are read later."""
        self._fresh.extend(row.body for row in settled.rows if row.kind == inbox.SPEC.name)
        for change in settled.scopes:
            # The scope moved in a commit whose answer was lost: nobody told what it held.
            if change.frm == change.head.seq and _is_inbox(change.scope):
                self._unread.add(change.scope)
        if self._fresh or self._unread:
            self._changed.set()

    async def run(self) -> None:
        """Ask whenever a time has passed, until it is cancelled."""
        started = False
        while True:
            self._changed.clear()
            pause = LOOK_MS_MAX
            try:
                if not started:
                    self._unread |= {scope for scope in await self._store.heads() if _is_inbox(scope)}
                    started = True
                await self._read()
                await self._ask()
                if self._queue:
                    pause = min(pause, max(self._queue[0][0] - self._now(), 1))
            except StoreError as error:
                _log.warning("escalations wait for the store: %s", error)
                pause = RETRY_MS
            await self._wait(self._changed, pause)

    async def _read(self) -> None:
        """Learn of the items that were committed since, and of those of the scopes that nobody told about."""
        while self._unread:
            scope = self._unread.pop()
            after = ""
            try:
                while rows := await self._store.records(inbox.SPEC.name, scope, after, SNAPSHOT_ROWS_MAX):
                    self._fresh.extend(rows)
                    after = decode_row(rows[-1]).id
            except StoreError:
                self._unread.add(scope)
                raise
        while self._fresh:
            self._note(self._fresh.popleft())

    async def _ask(self) -> None:
        """Ask everybody whose time has come."""
        while self._queue and self._queue[0][0] <= self._now():
            due, item = heapq.heappop(self._queue)
            if self._due.get(item) != due:
                continue
            try:
                await self._ask_about(item)
            except StoreError:
                heapq.heappush(self._queue, (due, item))
                raise
            await self._read()
            if self._due.get(item) == due:
                del self._due[item]

    async def _ask_about(self, item: RecordId) -> None:
        try:
            # The item is read anew: it may have been decided meanwhile, or asked about by a commit nobody heard of.
            asked = await self._office.escalate(item, lambda about: missed(about, self._now()), AUTHOR)
        except UsageError:
            # Asking again would be refused again, for ever.
            _log.exception("inbox item %s is overdue and cannot be escalated", item)
            return
        for one in asked:
            _log.warning("inbox item %s is overdue by %d s; asked: %s", item, one.overdue_ms // 1_000, one.to.value)
        row = None if asked else await self._store.record(item)
        if row is not None:
            self._fresh.append(row)

    def _note(self, row: bytes) -> None:
        """Keep when an item is due."""
        try:
            state = merge.from_row(decode_row(row))
        except (FrameError, ValueError):
            # One damaged row must not keep all others from being escalated.
            _log.exception("an inbox item cannot be read")
            return
        item = state.build()
        due = next_due(item) if isinstance(item, InboxItem) else None
        if due is None:
            self._due.pop(state.id, None)
        elif self._due.get(state.id) != due:
            self._due[state.id] = due
            heapq.heappush(self._queue, (due, state.id))


def _is_inbox(scope: ScopeName) -> bool:
    return scopes.inbox(scopes.audience(scope)) == scope
