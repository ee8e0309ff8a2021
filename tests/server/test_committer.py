"""The committer: groups, order, back-pressure, failure."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from schemas.codec import encode
from schemas.errors import StoreError
from schemas.ids import DeviceId
from schemas.limits import OPS_PER_COMMIT_MAX, OPS_PER_PUSH_MAX
from schemas.wire import Result
from server import committer as module
from server.commits import Settled, Submission
from server.committer import Committer
from server.logbook import Entry
from server.store import Store
from server.store.sqlite import SqliteStore, process
from server.store.sqlite.frames import Ask
from tests.server.hostile import op_of
from tests.server.running import Clock, GatedStore

DEVICE: Final = DeviceId("hh-1")


class Desk:
    """A committer at work, and what it said, in order."""

    def __init__(self, store: Store | None = None) -> None:
        """Over an empty store that can be held back, or over another."""
        self.store = GatedStore()
        self.said: list[tuple[str, object]] = []
        self.heard = asyncio.Event()
        self.committer = Committer(store or self.store, Clock(), self._publish)
        self._n = 0

    def _publish(self, settled: Settled) -> None:
        self._say("published", settled.seq)

    def _say(self, what: str, about: object) -> None:
        self.said.append((what, about))
        self.heard.set()

    def submission(self, count: int = 1, device: DeviceId = DEVICE) -> Submission:
        """Ops that nobody pushed before; the first makes a record, the others are refused."""
        numbers = range(self._n + 1, self._n + count + 1)
        self._n += count
        return Submission(device, None, tuple(encode(op_of(device, n)) for n in numbers))

    def submit(self, name: str, submission: Submission) -> None:
        """Hand in; what becomes of it is said under this name."""

        def done(results: tuple[Result, ...]) -> None:
            self._say(name, [result.n for result in results])

        def failed(error: StoreError) -> None:
            self._say(name, str(error))

        self.committer.submit(submission, done, failed)

    async def until(self, count: int) -> None:
        """Wait until so much was said."""
        while len(self.said) < count:
            self.heard.clear()
            await self.heard.wait()

    def sizes(self) -> list[list[int]]:
        """Ops of each submission in each group that the store was given."""
        return [[len(submission.ops) for submission in group] for group in self.store.groups]


def note(number: int, size: int = 1) -> Submission:
    """A journal entry of so many bytes, and no op."""
    return Submission(DEVICE, frozenset(), (), entries=(Entry("reads", str(number), bytes(size)),))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A committer that runs."""
    desk = Desk()
    running = asyncio.create_task(desk.committer.run())
    yield desk
    desk.store.commits.set()
    desk.committer.close()
    await running


async def test_what_arrives_during_a_commit_goes_into_the_next_one_together(desk: Desk) -> None:
    """One group per call of the store, in order of arrival, each told its own results."""
    desk.store.commits.clear()
    desk.submit("a", desk.submission())
    await desk.store.asked.wait()
    desk.submit("b", desk.submission(2))
    desk.submit("c", desk.submission(1, DeviceId("hh-2")))
    assert desk.said == []
    desk.store.commits.set()
    await desk.until(4)
    assert desk.sizes() == [[1], [2, 1]]
    assert [each for each in desk.said if each[0] != "published"] == [("a", [1]), ("b", [2, 3]), ("c", [4])]


async def test_a_group_is_bounded_and_a_submission_never_split(desk: Desk) -> None:
    """What does not fit in one commit waits for the next, whole."""
    desk.store.commits.clear()
    desk.submit("first", desk.submission())
    await desk.store.asked.wait()
    sizes = [OPS_PER_PUSH_MAX] * 3 + [OPS_PER_PUSH_MAX - 1, 2, 1]
    for at, size in enumerate(sizes):
        desk.submit(str(at), desk.submission(size))
    desk.store.commits.set()
    await desk.until(1 + 1 + len(sizes))
    assert desk.sizes() == [[1], sizes[:4], sizes[4:]]
    assert sum(sizes[:4]) <= OPS_PER_COMMIT_MAX < sum(sizes[:5])


async def test_results_are_told_before_the_commit_is_published(desk: Desk) -> None:
    """A device hears what became of its op before the batch that holds it."""
    desk.submit("a", desk.submission())
    await desk.until(2)
    assert desk.said == [("a", [1]), ("published", 1)]


async def test_the_next_group_is_at_the_writing_process_before_anybody_is_told_of_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process has what to do while this one tells devices."""
    said: list[str] = []
    asked = asyncio.Event()
    send = process._Link.send

    async def sending(link: process._Link, ask: Ask) -> None:
        said.append(f"asked for {len(ask.group)}")
        asked.set()
        await send(link, ask)

    monkeypatch.setattr(process._Link, "send", sending)
    desk = Desk(store := await SqliteStore.open(tmp_path / "data"))
    running = asyncio.create_task(desk.committer.run())
    try:
        desk.committer.submit(desk.submission(), lambda _: said.append("first told"), lambda _: None)
        await asked.wait()
        second = asyncio.create_task(desk.committer.commit(desk.submission()))
        await second
    finally:
        desk.committer.close()
        await running
        await store.close()
    assert said == ["asked for 1", "asked for 1", "first told"]


async def test_a_commit_that_changes_nothing_is_not_published(desk: Desk) -> None:
    """The same op again gives its result, and no batch."""
    submission = desk.submission()
    for name in ("a", "again"):
        desk.submit(name, submission)
    await desk.until(3)
    desk.submit("once more", submission)
    await desk.until(4)
    assert [what for what, _ in desk.said].count("published") == 1


@pytest.mark.parametrize("failure", [StoreError("disk is full"), RuntimeError("a defect")])
async def test_a_failing_store_tells_everyone_in_the_group_and_recovers(desk: Desk, failure: Exception) -> None:
    """Each submission hears of the failure once; the next group is tried anew, and success ends `failing`."""
    desk.store.commits.clear()
    desk.submit("first", desk.submission())
    await desk.store.asked.wait()
    desk.store.failing = failure
    submissions = [desk.submission(), desk.submission()]
    for name, submission in zip("ab", submissions, strict=True):
        desk.submit(name, submission)
    desk.store.commits.set()
    await desk.until(3)
    assert [what for what, _ in desk.said] == ["first", "a", "b"]
    assert all(str(failure) in str(text) for _, text in desk.said)
    assert isinstance(desk.committer.failing, StoreError)
    desk.store.failing = None
    for name, submission in zip("ab", submissions, strict=True):
        desk.submit(name, submission)
    await desk.until(6)
    assert [each for each in desk.said[3:] if each[0] != "published"] == [("a", [2]), ("b", [3])]
    assert desk.committer.failing is None


async def test_an_awaited_commit_raises_what_the_store_said(desk: Desk) -> None:
    """Callers inside the server see the failure; one that has gone away meanwhile disturbs nobody."""
    desk.store.failing = StoreError("disk is full")
    with pytest.raises(StoreError, match="disk is full"):
        await desk.committer.commit(desk.submission())
    desk.store.failing = None
    desk.store.commits.clear()
    desk.store.asked.clear()
    gone = asyncio.create_task(desk.committer.commit(desk.submission()))
    await desk.store.asked.wait()
    gone.cancel()
    desk.submit("next", desk.submission())
    desk.store.commits.set()
    await desk.until(2)
    assert desk.said[-1] == ("next", [3])
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_there_is_room_until_too_much_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound `room` waits; it opens again when the waiting has been gathered."""
    submission = desk.submission()
    monkeypatch.setattr(module, "WAITING_BYTES_MAX", len(submission.ops[0]) + 10)
    desk.store.commits.clear()
    desk.submit("first", submission)
    await desk.store.asked.wait()
    desk.submit("a", desk.submission())
    await desk.committer.room()
    desk.submit("b", desk.submission())
    waiting = asyncio.create_task(desk.committer.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    desk.store.commits.set()
    await waiting


async def test_what_is_no_op_takes_room_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read logs and sealed edits come from every device at once after an outage: they wait within the same bound."""
    monkeypatch.setattr(module, "WAITING_BYTES_MAX", 1_000)
    desk.store.commits.clear()
    desk.submit("first", desk.submission())
    await desk.store.asked.wait()
    desk.submit("reads", note(1, 1_001))
    waiting = asyncio.create_task(desk.committer.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    desk.store.commits.set()
    await waiting


async def test_entries_count_in_a_group_like_ops(desk: Desk) -> None:
    """One transaction holds no more of both together than it may hold ops."""
    desk.store.commits.clear()
    desk.submit("first", desk.submission())
    await desk.store.asked.wait()
    for number in range(OPS_PER_COMMIT_MAX):
        desk.submit("entry", note(number))
    desk.submit("op", desk.submission())
    desk.store.commits.set()
    await desk.until(OPS_PER_COMMIT_MAX + 3)
    assert [sum(len(one.ops) + len(one.entries) for one in group) for group in desk.store.groups] == [
        *(1, OPS_PER_COMMIT_MAX, 1),
    ]


async def test_what_was_handed_in_before_the_end_is_committed() -> None:
    """`close` lets `run` return when nothing waits, not before."""
    desk = Desk()
    for name in ("a", "b"):
        desk.submit(name, desk.submission())
    desk.committer.close()
    await desk.committer.run()
    told: Sequence[str] = [what for what, _ in desk.said]
    assert told == ["a", "b", "published"]
