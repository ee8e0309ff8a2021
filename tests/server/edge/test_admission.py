"""Turns at the door of the sync path: a few at once, the rest at a pace, desks past handhelds, nobody for ever."""

import asyncio
import heapq
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ids import Millis
from server.edge.admission import ADMISSIONS_AT_ONCE, HOLD_MS_MAX, SPREAD_MS, Admissions


class Time:
    """A clock that stands until everybody waits, and then goes to whoever wakes first."""

    def __init__(self) -> None:
        """Begin at 1,000 s."""
        self.now = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._naps = 0

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock has come so far."""
        self._naps += 1
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, self._naps, woken))
        await woken

    async def run(self, works: "list[asyncio.Task[None]]") -> None:
        """Let time pass until all of it is done."""
        while not all(work.done() for work in works):
            for _ in range(8):
                await asyncio.sleep(0)
            if self._sleepers and not all(work.done() for work in works):
                self.now, _, woken = heapq.heappop(self._sleepers)
                woken.set_result(None)
        await asyncio.gather(*works)


async def arrivals(
    time: Time, admissions: Admissions, devices: int, *, desks: int = 0
) -> tuple[list[float], list[float], list[Millis]]:
    """Everybody comes now, and comes back when told: (when each handheld was in, each desk, what was told)."""
    handhelds_in: list[float] = []
    desks_in: list[float] = []
    told: list[Millis] = []
    began = time.now

    async def come(into: list[float], *, desk: bool) -> None:
        while (wait := await admissions.turn(desk=desk)) is not None:
            told.append(wait)
            await time.sleep(wait / 1_000)
        into.append(time.now - began)

    works = [asyncio.create_task(come(handhelds_in, desk=False)) for _ in range(devices)]
    works += [asyncio.create_task(come(desks_in, desk=True)) for _ in range(desks)]
    await time.run(works)
    return handhelds_in, desks_in, told


def made(time: Time, per_s: float, draw: Callable[[], float] = lambda: 0.5) -> Admissions:
    """What gives out turns by that clock."""
    return Admissions(per_s, clock=lambda: time.now, sleep=time.sleep, draw=draw)


async def test_a_few_come_straight_in() -> None:
    """On an ordinary day nobody waits."""
    time = Time()
    within, _, told = await arrivals(time, made(time, 10), ADMISSIONS_AT_ONCE)
    assert (within, told) == ([0.0] * ADMISSIONS_AT_ONCE, [])


@settings(deadline=None, max_examples=25)
@given(st.integers(min_value=1, max_value=400), st.sampled_from([20.0, 50.0, 200.0]))
def test_never_more_than_the_pace_and_never_nobody(devices: int, per_s: float) -> None:
    """In any stretch of time at most its share comes in, all come in at last, and the pace is used all the while."""
    time = Time()
    within, _, told = asyncio.run(arrivals(time, made(time, per_s), devices))
    assert len(within) == devices
    for at, began in enumerate(within):
        ends = [end for end in within[at:] if end < began + 1]
        assert len(ends) <= per_s + ADMISSIONS_AT_ONCE + 1
    # Whoever was told to come back comes once the held ones are in, a little later for what was drawn.
    assert within[-1] <= devices / per_s + (SPREAD_MS + HOLD_MS_MAX) / 1_000 + 1
    held = per_s * HOLD_MS_MAX / 1_000 + ADMISSIONS_AT_ONCE
    assert (len(told) > 0) == (devices > held + 1) or abs(devices - held) <= 2


async def test_desks_wait_behind_no_handheld() -> None:
    """A thousand handhelds at the door, and a control room with two custody desks comes in at once."""
    time = Time()
    _, desks, _ = await arrivals(time, made(time, 50), 1_000, desks=3)
    assert desks == [0.0, 0.0, 0.0]


async def test_whoever_only_says_that_it_is_a_desk_takes_no_handhelds_place() -> None:
    """A flood in the desks' lane has the desks' pace, and leaves the handhelds theirs."""
    time = Time()
    within, desks, _ = await arrivals(time, made(time, 50), 60, desks=400)
    alone = Time()
    assert within == (await arrivals(alone, made(alone, 50), 60))[0]
    assert len([at for at in desks if at < 1]) <= 50 + ADMISSIONS_AT_ONCE + 1


async def test_those_who_are_refused_come_back_one_by_one() -> None:
    """Each is told another time, never sooner than those who are held are in; the draw spreads them further."""
    time = Time()
    admissions = made(time, 100, draw=lambda: 0.0)
    waits = [asyncio.create_task(admissions.turn(desk=False)) for _ in range(600)]
    for _ in range(8):
        await asyncio.sleep(0)
    told = [wait.result() for wait in waits if wait.done()]
    refused = [ms for ms in told if ms is not None]
    assert admissions.refused == len(refused) == 600 - ADMISSIONS_AT_ONCE - 401
    assert refused == pytest.approx([HOLD_MS_MAX + 10 * n for n in range(1, len(refused) + 1)], abs=1)
    drawn = await made_full(time).turn(desk=False)
    assert drawn == pytest.approx(HOLD_MS_MAX + 10 + 0.9 * SPREAD_MS, abs=1)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


def made_full(time: Time) -> Admissions:
    """One whose turns are given out for longer than anybody is held."""
    admissions = made(time, 100, draw=lambda: 0.9)
    admissions._handhelds.next_s = time.now + HOLD_MS_MAX / 1_000 + 1
    return admissions
