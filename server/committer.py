"""The one task that writes. It gathers what arrived while the last commit was on its way, and commits it as one group.

The next group is on its way before anybody is told of the last one, so that the writing process works while this one
does. Handlers hand in a submission with two callbacks and go on; results are told before the commit is published, so
that a device hears what became of its op before the batch that holds it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final

import msgspec

from schemas.errors import StoreError
from schemas.ids import Millis
from schemas.limits import OPS_PER_COMMIT_MAX
from schemas.wire import Result
from server.commits import Settled, Submission
from server.observing import correlation
from server.observing.measures import Measures
from server.observing.tracing import Pushed, Spans
from server.store import Store

_log = logging.getLogger(__name__)

WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
"""Ops and journal entries waiting for a commit, in bytes; beyond it sockets are not read. A second's work of the writer
at its fastest."""

_TURNS_TO_ASK: Final = 2
"""Turns of the loop until a group that is asked for has gone to the writing process."""

Done = Callable[[tuple[Result, ...]], None]
Failed = Callable[[StoreError], None]


class _Waiting(msgspec.Struct, frozen=True):
    submission: Submission
    done: Done
    failed: Failed
    size: int
    """Bytes of its ops and journal entries."""
    parts: int
    """How many of them there are."""
    since: float
    """When it came, by `perf_counter`."""
    by: str
    """For which connection or request (`server.observing.correlation`)."""
    arrived: float | None
    """When its frame came, by `perf_counter`."""


class _Asked(msgspec.Struct, frozen=True):
    """A group that the store commits."""

    group: Sequence[_Waiting]
    commits: "asyncio.Future[list[Settled]]"
    asked: float
    """When, by `perf_counter`."""


def _as_it_is(submission: Submission) -> Submission:
    return submission


class Committer:
    """Gathers submissions, commits them in groups, tells the results, publishes the commits."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], Millis],
        publish: Callable[[Settled], None],
        file: Callable[[Submission], Submission] = _as_it_is,
        measures: Measures | None = None,
    ) -> None:
        """Bind it.

        Args:
            store: where to commit.
            now: the server's clock (ms since 1970).
            publish: called with every commit that changed something, after its results were told.
            file: puts what is submitted under the records that it is about (`server.filing`).
            measures: where it counts what it does.
        """
        self._store = store
        self._now = now
        self._publish = publish
        self._file = file
        self._measures = measures or Measures()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing = False
        self.failing: StoreError | None = None
        """What the store said when it last failed; None while it works."""

    def submit(
        self,
        submission: Submission,
        done: Done,
        failed: Failed,
        since: float | None = None,
        arrived: float | None = None,
    ) -> None:
        """Have ops committed.

        Args:
            submission: whose ops, which.
            done: called once with one result per op, when they are durable.
            failed: called once instead, when the store could not say whether they are; they may be asked again.
            since: when it came, by `perf_counter`; None for now.
            arrived: when the frame came that it was read from and checked; None for what came in none.
        """
        size = sum(map(len, submission.ops)) + sum(len(entry.body) for entry in submission.entries)
        parts = len(submission.ops) + len(submission.entries)
        came = perf_counter() if since is None else since
        by = correlation.current()
        self._waiting.append(_Waiting(self._file(submission), done, failed, size, parts, came, by, arrived))
        self._waiting_bytes += size
        if self._waiting_bytes > WAITING_BYTES_MAX:
            self._room.clear()
        self._arrived.set()

    async def commit(self, submission: Submission) -> tuple[Result, ...]:
        """Have ops committed and wait for the results.

        Raises:
            StoreError: as `submit`'s `failed`.
        """
        future: asyncio.Future[tuple[Result, ...]] = asyncio.get_running_loop().create_future()

        def settle(results: tuple[Result, ...]) -> None:
            if not future.done():
                future.set_result(results)

        def fail(error: StoreError) -> None:
            if not future.done():
                future.set_exception(error)

        self.submit(submission, settle, fail)
        return await future

    @property
    def waiting(self) -> tuple[int, int]:
        """(submissions that wait for a group, bytes of their ops and entries)."""
        return len(self._waiting), self._waiting_bytes

    @property
    def has_room(self) -> bool:
        """Whether there is room for more ops."""
        return self._room.is_set()

    async def room(self) -> None:
        """Wait until there is room for more ops."""
        await self._room.wait()

    async def run(self) -> None:
        """Commit until `close`; then commit what is left and return."""
        asked: _Asked | None = None
        try:
            while True:
                if asked is None and not self._waiting:
                    if self._closing:
                        return
                    self._arrived.clear()
                    await self._arrived.wait()
                    continue
                asked = asked or self._ask()
                await asyncio.wait((asked.commits,))
                answered, asked = asked, self._ask() if self._waiting else None
                await self._told(answered, waits=asked is not None)
        finally:
            if asked is not None:
                asked.commits.cancel()

    def close(self) -> None:
        """Let `run` end once nothing waits."""
        self._closing = True
        self._arrived.set()

    def _gather(self) -> list[_Waiting]:
        """What one call of the store takes; a submission is never split over two calls."""
        group = [self._waiting.popleft()]
        parts = group[0].parts
        # Behind an erasure nothing more: what several take along with them might not fit in one batch.
        while (
            self._waiting
            and group[-1].submission.erasure is None
            and parts + self._waiting[0].parts <= OPS_PER_COMMIT_MAX
        ):
            group.append(self._waiting.popleft())
            parts += group[-1].parts
        self._waiting_bytes -= sum(waiting.size for waiting in group)
        if self._waiting_bytes <= WAITING_BYTES_MAX:
            self._room.set()
        return group

    def _ask(self) -> "_Asked":
        """Have the store commit the next group."""
        group = self._gather()
        self._measures.stages["wait"].observe((asked := perf_counter()) - group[0].since)
        self._measures.group_ops.observe(sum(waiting.parts for waiting in group))
        submissions = [waiting.submission for waiting in group]
        return _Asked(group, asyncio.ensure_future(self._store.commit(submissions, self._now())), asked)

    async def _told(self, answered: "_Asked", *, waits: bool) -> None:
        """Tell what became of a group; `waits`: the next one is about to go to the writing process, and goes first."""
        try:
            for _ in range(_TURNS_TO_ASK if waits else 0):
                await asyncio.sleep(0)
        finally:
            self._tell(answered)

    def _tell(self, answered: "_Asked") -> None:
        try:
            commits = answered.commits.result()
        except Exception as defect:  # noqa: BLE001  one group's defect must not end the only task that writes
            error = defect if isinstance(defect, StoreError) else StoreError(f"defect in a commit: {defect!r}")
            asked_by = sorted({waiting.by for waiting in answered.group if waiting.by})
            _log.error(
                "commit failed: %s",
                error,
                exc_info=None if error is defect else defect,
                extra={"asked_by": asked_by},
            )
            self.failing = error
            self._measures.failed_groups += 1
            for waiting in answered.group:
                waiting.failed(error)
            return
        self.failing = None
        answered_at = perf_counter()
        self._measures.stages["commit"].observe(answered_at - answered.asked)
        results = [result for settled in commits for result in settled.results]
        at = 0
        for waiting in answered.group:
            end = at + len(waiting.submission.ops)
            waiting.done(tuple(results[at:end]))
            at = end
        self._measures.told(results, [waiting.since for waiting in answered.group])
        if self._measures.spans is not None:
            _trace(self._measures.spans, answered, answered_at)
        for settled in commits:
            if settled.scopes:
                self._publish(settled)


def _trace(spans: Spans, answered: "_Asked", answered_at: float) -> None:
    """Make spans of some of the submissions of a group that was told."""
    told = perf_counter()
    for one in answered.group:
        if spans.chosen():
            ops = len(one.submission.ops)
            spans.pushed(Pushed(one.by, one.arrived, one.since, answered.asked, answered_at, told, ops))
