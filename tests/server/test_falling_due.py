"""How the tasks that do what falls due wait and look; what they do has tests of its own (timers, escalations)."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from schemas.codec import encode
from schemas.ids import Millis, RecordId, ScopeName, Seq, named_record_id
from schemas.ops import Row
from server.commits import NewRow, Settled
from server.falling_due import AGAIN_MS, FallingDue, Part, wait_in_real_time
from server.store.memory import MemoryStore
from sync.merge import RecordState
from tests.server.hands import Hands
from tests.server.running import NOW, Clock

RECORD = named_record_id("falling due", "record")
OTHER = named_record_id("falling due", "other")


class Looking(FallingDue):
    """Notes what it looks at, and what it does. What falls due hangs on its version.

    Attributes:
        looked: (record, version) of each look, in order.
        done: (record, when) of all that was done.
        due: version -> when it falls due (ms since 1970).
    """

    def __init__(self, clock: Clock, hands: Hands) -> None:
        """Nothing has changed yet."""
        super().__init__(MemoryStore(), clock, hands)
        self.clock = clock
        self.hands = hands
        self.looked: list[tuple[RecordId, int]] = []
        self.done: list[tuple[RecordId, Millis]] = []
        self.due: dict[int, Millis] = {}

    def _concerns(self, kind: str) -> bool:
        return kind == "incident"

    def _at_start(self, scopes: Iterable[ScopeName]) -> Iterable[Part]:
        return []

    def _moved(self, scope: ScopeName) -> Iterable[Part]:
        return []

    def _next(self, state: RecordState) -> Millis | None:
        self.looked.append((state.id, state.version))
        return self.due.get(state.version)

    async def _do(self, record: RecordId) -> None:
        self.done.append((record, self._now()))

    def change(self, record: RecordId, version: int) -> None:
        """A commit changed a record."""
        rows = (_row(record, version),)
        self.published(Settled(seq=Seq(version), recorded_at=NOW, taken=0, results=(), ops=(), rows=rows, scopes=()))

    async def told(self, record: RecordId, version: int) -> None:
        """A commit changed a record, and all is done that follows at once."""
        self.change(record, version)
        await self.hands.tick()

    def again(self, record: RecordId, version: int) -> None:
        """It was read anew by what was done about it."""
        self._look_again(record, _row(record, version).body)

    async def at(self, ms: int) -> None:
        """Let so much time have passed since the beginning (ms)."""
        self.clock.now = Millis(NOW + ms)
        await self.hands.tick()


def _row(record: RecordId, version: int) -> NewRow:
    body = encode(Row(id=record, kind="incident", v=Seq(version), stamps=[], cells={}))
    return NewRow(record=record, kind="incident", body=body, scopes=frozenset(), before=Seq(version - 1))


@pytest.fixture
async def looking() -> AsyncIterator[Looking]:
    """A task that has begun, over a store in which nothing is."""
    found = Looking(Clock(), Hands())
    running = asyncio.create_task(found.run())
    await found.hands.rests.wait()
    yield found
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_record_that_goes_on_changing_is_looked_at_again_after_a_while(looking: Looking) -> None:
    """At once at first; then once for all that came meanwhile, as it stands by then. What rests holds up no other."""
    await looking.told(RECORD, 1)
    for version in (2, 3, 4):
        await looking.told(RECORD, version)
    await looking.told(OTHER, 5)
    assert looking.looked == [(RECORD, 1), (OTHER, 5)]
    # The stretches begin where the clock's reading is a multiple of their length, for all records alike.
    assert NOW % AGAIN_MS == 0
    assert looking.hands.pause == AGAIN_MS
    await looking.at(AGAIN_MS - 1)
    assert looking.looked == [(RECORD, 1), (OTHER, 5)]
    assert looking.hands.pause == 1
    await looking.at(AGAIN_MS)
    assert looking.looked == [(RECORD, 1), (OTHER, 5), (RECORD, 4)]
    await looking.told(RECORD, 6)
    await looking.at(2 * AGAIN_MS)
    assert looking.looked[3:] == [(RECORD, 6)]


async def test_one_that_has_rested_is_looked_at_at_once(looking: Looking) -> None:
    """However long ago nothing woke the task since."""
    await looking.told(RECORD, 1)
    looking.clock.now = Millis(NOW + AGAIN_MS)
    looking.change(RECORD, 2)
    await looking.hands.tick()
    assert looking.looked == [(RECORD, 1), (RECORD, 2)]
    looking.clock.now = Millis(NOW + 2 * AGAIN_MS)
    await looking.told(OTHER, 3)
    await looking.told(RECORD, 4)
    assert looking.looked[2:] == [(OTHER, 3), (RECORD, 4)]


async def test_whoever_waits_is_woken_for_one_that_rests(looking: Looking) -> None:
    """The wait was begun when nothing was to come for a minute."""
    await looking.told(RECORD, 1)
    looking.hands.rests.clear()
    looking.change(RECORD, 2)
    await looking.hands.rests.wait()
    assert looking.hands.pause == AGAIN_MS


async def test_what_is_known_to_be_due_is_done_at_its_time(looking: Looking) -> None:
    """Also while its record rests, and while another does."""
    looking.due = {1: Millis(NOW + 5)}
    await looking.told(OTHER, 2)
    await looking.told(OTHER, 3)
    await looking.told(RECORD, 1)
    await looking.told(RECORD, 4)
    assert looking.hands.pause == 5
    await looking.at(5)
    assert looking.done == [(RECORD, NOW + 5)]


async def test_a_second_change_brings_forward_what_is_due_as_soon_as_it_is_looked_at(looking: Looking) -> None:
    """It may be late by the rest, and no more."""
    looking.due = {1: Millis(NOW + 60_000), 2: Millis(NOW + 5)}
    await looking.told(RECORD, 1)
    await looking.told(RECORD, 2)
    await looking.at(AGAIN_MS)
    assert looking.done == [(RECORD, NOW + AGAIN_MS)]


async def test_a_clock_that_is_set_back_lets_nothing_rest_for_longer(looking: Looking) -> None:
    """An hour back, and what changed is looked at when the task is woken next."""
    await looking.told(RECORD, 1)
    await looking.told(RECORD, 2)
    await looking.at(-3_600_000)
    assert looking.looked == [(RECORD, 1), (RECORD, 2)]


async def test_what_was_read_anew_takes_nothing_from_what_was_told_since(looking: Looking) -> None:
    """A row was read before the commit that came while it was being read."""
    await looking.told(RECORD, 1)
    looking.change(RECORD, 3)
    looking.again(RECORD, 2)
    await looking.at(AGAIN_MS)
    looking.change(OTHER, 5)
    looking.again(OTHER, 4)
    await looking.hands.tick()
    assert looking.looked == [(RECORD, 1), (RECORD, 3), (OTHER, 5)]


@pytest.mark.parametrize("ticks", range(8))
async def test_whoever_is_cancelled_as_they_are_woken_ends(ticks: int) -> None:
    """A server that stops while records are committed must not wait a minute for a task that forgot it was told to."""
    woken = asyncio.Event()
    waiting = asyncio.create_task(wait_in_real_time(woken, 60_000))
    for _ in range(3):
        await asyncio.sleep(0)
    woken.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    if waiting.cancel():
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert waiting.done()


async def test_a_wait_ends_with_its_time() -> None:
    """Nobody has to wake it."""
    await wait_in_real_time(asyncio.Event(), 1)
