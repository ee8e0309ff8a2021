"""The task that serves one subscription: reads the logs, sends what is ready, keeps how far it has come.

It holds nobody up: it reads with the store's readers behind the commits, and its own few writes go through the one
committer, in groups with everybody else's. What an event says is read from the store at each try, so an event that
waits holds nothing of a record. Killed at any moment, it goes on from what was kept: what was under way is sent again.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from schemas.errors import StoreError
from schemas.ids import Millis, RecordId
from server.commits import Submission
from server.events import kept, telling
from server.events.cloudevent import CloudEvent, formed
from server.events.kept import Cursor, Rows, Told
from server.events.outbox import Changes, Item, Log, Outbox
from server.events.reading import Reader, erased_in
from server.events.sending import Outcome, Post, Verdict
from server.events.subscription import Subscription
from server.falling_due import LOOK_MS_MAX, RETRY_MS, Wait, wait_in_real_time
from server.logbook import ACT, OFFICE, Entry
from server.store import Store
from sync.merge import RecordState

_log = logging.getLogger(__name__)
KEEP_MS: Final = 2_000
"""How often at most it is kept how far a subscription has come, while all goes well."""
BEHIND_MAX: Final = 500
"""Places after which it is kept even so: what at most is read again after a kill."""

KNOWN_MAX: Final = 10_000
"""Records that are remembered as told; for any other one the store is asked."""


class Commits(Protocol):
    """Where rows are made durable: the committer."""

    async def commit(self, submission: Submission) -> object:
        """Have it committed."""


class Courier:
    """See the module's text."""

    def __init__(
        self,
        store: Store,
        commits: Commits,
        subscription: Subscription,
        post: Post,
        now: Callable[[], Millis],
        *,
        wait: Wait = wait_in_real_time,
        share: Callable[[], float] = random.random,
    ) -> None:
        """Bind it; `start` reads where the subscription stands.

        Args:
            store, commits: where events are read, and where is kept how far it has come.
            subscription: whom it serves.
            post: posts to the subscriber.
            now: the server's clock (ms since 1970).
            wait: how time passes.
            share: random numbers in [0, 1).
        """
        self.subscription = subscription
        self._store = store
        self._commits = commits
        self._post = post
        self._now = now
        self._wait = wait
        self._share = share
        self._reader = Reader(store, subscription)
        self._changed = asyncio.Event()
        self._unread = {Log.OPS, Log.ACTS}
        """The logs in which there may be something that was not read."""
        self._calls: set[asyncio.Task[None]] = set()
        self._keeping = asyncio.Lock()
        self._rows: Rows = {}
        self._entries: list[Entry] = []
        """Both to be written with what is kept next."""
        self._known: set[RecordId] = set()
        """Records of which it is kept that the subscriber is told: those that were told last."""
        self._kept_at = Millis(0)
        self._off_unkept = False
        self._pause_until = Millis(0)
        self._unreachable = 0
        self.outbox = Outbox(subscription.backoff, (0, 0), {})
        """What waits."""
        self.off = ""
        """Why it is sent nothing any more; "" while it is."""
        self.off_at: Millis | None = None
        """Since when (ms since 1970)."""
        self.trouble = ""
        """How the last call failed; "" when it did not."""

    async def start(self) -> None:
        """Read where the subscription stands; a new one begins, and that it has is durable when this returns.

        Raises:
            StoreError: the store failed.
        """
        name = self.subscription.name
        cursor = await kept.read_cursor(self._store, name)
        if cursor is None:
            cursor = Cursor(places=await self._reader.begin())
            await self._write(kept.cursor_rows(name, cursor, Changes(cursor.places, {})))
        self.off, self.off_at = cursor.off, None if cursor.off_at is None else Millis(cursor.off_at)
        self.outbox = Outbox(self.subscription.backoff, cursor.places, await kept.read_held(self._store, name))

    def committed(self, *, erased: bool = True) -> None:
        """Something was committed: look for it; among the acts too where something was erased."""
        self._unread |= set(Log) if erased else {Log.OPS}
        self._changed.set()

    # --- what administrators do --------------------------------------------------------------------------------------

    async def retry(self, records: Sequence[RecordId], entry: Entry) -> None:
        """Try the dead letters of these records again; the entry is durable before.

        Raises:
            StoreError: it could not be made durable.
        """
        await self._write({}, (entry,))
        self.outbox.retry(records, self._now())
        await self._settle()

    async def drop(self, record: RecordId, entry: Entry, *, every: bool) -> None:
        """Give a dead letter up, alone or with every event behind it; the entry is durable before.

        Raises:
            StoreError: it could not be made durable.
        """
        await self._write({}, (entry,))
        self.outbox.drop(record, every=every)
        await self._settle()

    async def turn_on(self, entry: Entry) -> None:
        """Send again to a subscriber who wanted no more; the entry is durable before.

        Raises:
            StoreError: it could not be made durable.
        """
        await self._write({}, (entry,))
        self.off, self.off_at, self.trouble = "", None, ""
        await self._settle()

    async def _settle(self) -> None:
        await self._keep()
        self.committed()

    # --- the task ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the subscription until cancelled; then keep how far it has come."""
        try:
            while True:
                self._changed.clear()
                try:
                    pause = await self._round()
                except StoreError as error:
                    _log.warning("webhook %s waits for the store: %s", self.subscription.name, error)
                    pause = RETRY_MS
                await self._wait(self._changed, pause)
                # Nobody told for so long: perhaps a commit's answer was lost.
                self._unread |= set() if self._changed.is_set() else set(Log)
        finally:
            for call in self._calls:
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)
            with contextlib.suppress(StoreError):
                await self._keep()
            await self._post.close()

    async def _round(self) -> int:
        """Do all that can be done now. Returns how long nothing else will be due (ms)."""
        due = LOOK_MS_MAX
        if not self.off:
            await self._read()
            due = self._send()
        return max(1, min(due, await self._keep_in_time()))

    async def _read(self) -> None:
        while self._unread and self.outbox.has_room:
            log = min(self._unread)
            # Before it is read: what is committed meanwhile is read the next time.
            self._unread.remove(log)
            try:
                more = await (self._reader.ops if log is Log.OPS else self._reader.acts)(self.outbox)
            except BaseException:
                self._unread.add(log)
                raise
            self._unread |= {log} if more else set()

    def _send(self) -> int:
        """Send what is ready; returns in how many ms more will be."""
        now = self._now()
        if now < self._pause_until:
            return self._pause_until - now
        room = self.subscription.in_flight_max - len(self._calls)
        for record, item in self.outbox.ready(now, room):
            task = asyncio.create_task(self._try(record, item))
            self._calls.add(task)
            task.add_done_callback(self._called)
        next_due = self.outbox.next_due()
        if next_due is None or len(self._calls) >= self.subscription.in_flight_max:
            return LOOK_MS_MAX
        return next_due - now

    def _called(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._changed.set()
        if not task.cancelled() and (defect := task.exception()) is not None:
            _log.error("webhook %s: a defect", self.subscription.name, exc_info=defect)

    async def _try(self, record: RecordId, item: Item) -> None:
        """Send one event, and take in how that went."""
        taken = False
        try:
            event, rows = await self._event(record, item)
            if event is None:
                self.outbox.sent(record)
                taken = True
                return
            headers, body = formed(event, self.subscription.mode)
            signed = self.subscription.signer.signed(self.subscription.url, headers, body, self._now())
            outcome = await self._post(signed, body)
            taken = self._heard(record, event, outcome)
            if outcome.verdict is Verdict.TAKEN and rows:
                self._rows |= rows
                self._known.discard(record)
        except StoreError as error:
            _log.warning("webhook %s waits for the store: %s", self.subscription.name, error)
            self._pause(RETRY_MS)
        except Exception as defect:  # noqa: BLE001  the defect of one event must not stop those of other records
            _log.error("webhook %s: a defect", self.subscription.name, exc_info=defect)
            self._failed(record, "a defect of this server; its log says which")
            taken = True
        finally:
            if not taken:
                self.outbox.put_back(record)

    async def _event(self, record: RecordId, item: Item) -> tuple[CloudEvent | None, Rows]:
        """What to send, as everything stands now, and what to write once it has arrived; (None, …) for nothing."""
        name, epoch = self.subscription.name, self._store.epoch
        if item.log is Log.ACTS:
            told = await kept.read_told(self._store, name, record)
            entries = await self._store.journal(ACT, item.place - 1, 1)
            if told is None or not entries or erased_in(entries[0]) is None:
                return None, {}
            event = telling.erased_event(self.subscription, epoch, entries[0].at, record, told.kind)
            return event, kept.forgotten_rows(name, record, told)
        ops = await self._store.ops(None, item.place - 1, 1)
        found = telling.changes_of(ops[0]) if ops else None
        row = await self._store.record(record)
        if found is None or row is None:
            return None, {}
        state = telling.read_state(row, self.subscription)
        if state is not None:
            if record not in self._known:
                # Durable before anything is sent: whoever was told of a record is told of its erasure too.
                await self._tell(state)
            fields = found[1].get(record, frozenset())
            return telling.change_event(self.subscription, epoch, ops[0], state, fields), {}
        told = await kept.read_told(self._store, name, record)
        if told is None or self._rows.get(kept.told_name(name, record), b"") is None:
            return None, {}
        event = telling.withdrawn_event(self.subscription, epoch, ops[0], record, told.kind)
        return event, kept.forgotten_rows(name, record, told)

    def _heard(self, record: RecordId, event: CloudEvent, outcome: Outcome) -> bool:
        """Take in how a call went; whether the event was tried."""
        name, backoff = self.subscription.name, self.subscription.backoff
        if outcome.verdict is not Verdict.UNREACHABLE:
            self._unreachable = 0
        match outcome.verdict:
            case Verdict.TAKEN:
                self.trouble = ""
                self.outbox.sent(record)
            case Verdict.FAILED:
                self.trouble = outcome.detail
                if self._failed(record, outcome.detail):
                    _log.error("webhook %s: event %s is a dead letter: %s", name, event.id, outcome.detail)
            case Verdict.UNREACHABLE:
                self._unreachable += 1
                self._all_wait(outcome.detail, backoff.wait_ms(self._unreachable, self._share()))
            case Verdict.LATER:
                self._all_wait(outcome.detail, outcome.pause_ms)
            case Verdict.GONE:
                if not self.off:
                    _log.error("webhook %s: the subscriber %s, and is sent nothing any more", name, outcome.detail)
                self.off, self.off_at, self._off_unkept = outcome.detail, self._now(), True
        return outcome.verdict in {Verdict.TAKEN, Verdict.FAILED}

    def _failed(self, record: RecordId, why: str) -> bool:
        return self.outbox.failed(record, why, self._now(), self._share())

    def _all_wait(self, why: str, pause_ms: int) -> None:
        if not self.trouble:
            _log.warning("webhook %s: the subscriber %s; all its events wait", self.subscription.name, why)
        self.trouble = why
        self._pause(pause_ms)

    def _pause(self, ms: int) -> None:
        self._pause_until = max(self._pause_until, Millis(self._now() + ms))

    # --- what is kept ------------------------------------------------------------------------------------------------

    async def _keep_in_time(self) -> int:
        """Keep how far it has come, if that is due; returns in how many ms it will be."""
        changes = self.outbox.unkept()
        behind = self.outbox.behind(changes)
        if not (changes.held or self._rows or self._off_unkept or behind >= BEHIND_MAX):
            left = self._kept_at + KEEP_MS - self._now()
            if not behind:
                return LOOK_MS_MAX
            if 0 < left <= KEEP_MS:
                return left
        await self._keep()
        return LOOK_MS_MAX

    async def _tell(self, state: RecordState) -> None:
        """Keep that the subscriber is told of a record, if that is not kept."""
        subscription, kind = self.subscription, state.spec.name
        name = kept.told_name(subscription.name, state.id)
        # Under the lock: what is just being written may be that it is forgotten.
        async with self._keeping:
            if name in self._rows or await kept.read_told(self._store, subscription.name, state.id) is None:
                about = state.build().about() or ""
                self._rows |= kept.told_rows(subscription.name, state.id, Told(kind, about))
                shared = kept.Shared(
                    record=state.id,
                    kind=kind,
                    webhook=subscription.name,
                    host=subscription.host,
                    fields=tuple(sorted(subscription.fields[kind])),
                    at=self._now(),
                )
                self._entries.append(kept.shared_entry(shared))
                await self._keep_all()
        self._know(state.id)

    def _know(self, record: RecordId) -> None:
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known.add(record)

    async def _keep(self) -> None:
        async with self._keeping:
            await self._keep_all()

    async def _keep_all(self) -> None:
        changes, rows, entries, off_at = self.outbox.unkept(), self._rows, self._entries, self.off_at
        cursor = Cursor(places=changes.places, off=self.off, off_at=off_at)
        self._rows, self._entries = {}, []
        try:
            await self._write(rows | kept.cursor_rows(self.subscription.name, cursor, changes), tuple(entries))
        except BaseException:
            self._rows, self._entries = rows | self._rows, entries + self._entries
            raise
        self.outbox.keep(changes)
        self._kept_at = self._now()
        self._off_unkept = self.off_at != off_at

    async def _write(self, rows: Rows, entries: tuple[Entry, ...] = ()) -> None:
        await self._commits.commit(Submission(OFFICE, frozenset(), (), entries=entries, secrets=rows))
