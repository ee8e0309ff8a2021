"""Limited and delayed tries: in virtual time, across restarts, and with many at once."""

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StoreError
from schemas.ids import DeviceId, Millis
from server.federation import tries as module
from server.federation.refusals import RefusedError
from server.federation.tries import Count, Rule, Rules, Tries, subjects

NOW = Millis(1_767_225_600_000)
DEVICE = DeviceId("hh-1")
NAMES = subjects("WM21877", DEVICE, "192.0.2.7")
OFFICER = NAMES[0]
RULES = Rules()
DAY_MS = 24 * 60 * 60_000


class Kept:
    """A keeper in memory that can be made to fail, or to wait."""

    def __init__(self) -> None:
        self.counts: dict[str, Count] = {}
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def keep(self, counts: Mapping[str, Count | None]) -> None:
        """See `Keeper`."""
        await self.gate.wait()
        if self.broken:
            raise StoreError("the disk is full")
        for name, count in counts.items():
            if count is None:
                self.counts.pop(name, None)
            else:
                self.counts[name] = count


@pytest.fixture
def kept() -> Kept:
    """A keeper with nothing in it."""
    return Kept()


async def wait_of(tries: Tries, names: tuple[str, ...], now: int) -> int | None:
    """How long the next try must wait, ms; 0 when it was counted, None when it is locked."""
    try:
        await tries.begin(names, Millis(now))
    except RefusedError as refused:
        return {"tries_wait": refused.retry_after_ms, "tries_locked": None}[refused.spec.code]
    return 0


async def test_delays_double_and_then_it_is_locked(kept: Kept) -> None:
    """The whole course of one who guesses: free tries, waits that double up to the longest, then nothing any more."""
    tries = Tries(kept, {})
    now: int = NOW
    waits: list[int] = []
    while (wait := await wait_of(tries, (OFFICER,), now)) is not None:
        if wait:
            waits.append(wait)
            assert await wait_of(tries, (OFFICER,), now + wait - 1) == 1
            now += wait
    assert waits == [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000, 1_800_000, 1_800_000]
    assert kept.counts[OFFICER].wrong == RULES.officer.lock_at
    assert tries.locked() == [OFFICER]
    assert await wait_of(tries, (OFFICER,), now + 30 * DAY_MS) is None
    assert await tries.unlock(OFFICER)
    assert not await tries.unlock(OFFICER)
    assert await wait_of(tries, (OFFICER,), now) == 0


async def test_a_restart_forgets_nothing(kept: Kept) -> None:
    """Who pulls the plug between two tries waits all the same."""
    tries = Tries(kept, {})
    for _ in range(RULES.officer.free + 1):
        assert await wait_of(tries, NAMES, NOW) == 0
    assert await wait_of(Tries(kept, kept.counts), NAMES, NOW) == RULES.officer.first_ms


async def test_many_at_once_gain_nothing(kept: Kept) -> None:
    """A hundred tries side by side, while the disk is slow: as many are let through as one after the other."""
    tries = Tries(kept, {})
    kept.gate.clear()
    running = [asyncio.create_task(wait_of(tries, NAMES, NOW)) for _ in range(100)]
    await asyncio.sleep(0)
    kept.gate.set()
    waits = await asyncio.gather(*running)
    assert waits.count(0) == RULES.officer.free + 1
    assert kept.counts[OFFICER].wrong == RULES.officer.free + 1


async def test_a_try_that_could_not_be_kept_is_not_checked(kept: Kept) -> None:
    """The error comes out; what was counted stays counted."""
    tries = Tries(kept, {})
    kept.broken = True
    with pytest.raises(StoreError, match="disk is full"):
        await tries.begin(NAMES, NOW)
    kept.broken = False
    assert await wait_of(tries, NAMES, NOW) == 0
    assert kept.counts[OFFICER].wrong == 2


async def test_a_right_try_begins_the_officer_anew_but_gives_back_only_itself(kept: Kept) -> None:
    """Who signs in with a passphrase of their own between guesses at others gains no guess."""
    rules = Rules(device=Rule(free=2, first_ms=1_000, longest_ms=8_000, lock_at=6, forget_ms=DAY_MS))
    tries = Tries(kept, {}, rules)
    own = subjects("WM1", DEVICE, None)
    now: int = NOW
    guesses = 0
    while (wait := await wait_of(tries, subjects(f"WM9{guesses}", DEVICE, None), now)) is not None:
        if wait:
            now += wait
            continue
        guesses += 1
        if await wait_of(tries, own, now) == 0:
            await tries.succeed(own, Millis(now))
    assert guesses <= 6
    assert own[0] not in kept.counts


async def test_one_wrong_try_then_a_right_one_leaves_nothing_of_the_officer(kept: Kept) -> None:
    """An honest slip costs nothing later."""
    tries = Tries(kept, {})
    await tries.begin(NAMES, NOW)
    await tries.begin(NAMES, NOW)
    await tries.succeed(NAMES, NOW)
    assert {name: count.wrong for name, count in kept.counts.items()} == {NAMES[1]: 1, NAMES[2]: 1}


async def test_tries_are_forgotten_after_their_time_but_a_lock_is_not(kept: Kept) -> None:
    """A day later an officer begins anew; one who is locked does not."""
    tries = Tries(kept, {})
    for _ in range(RULES.officer.free + 1):
        await tries.begin((OFFICER,), NOW)
    assert await wait_of(tries, (OFFICER,), NOW + RULES.officer.forget_ms) == 0
    assert kept.counts[OFFICER].wrong == 1
    locked = {OFFICER: Count(wrong=RULES.officer.lock_at, last_at=NOW, not_before=NOW)}
    assert await wait_of(Tries(kept, locked), (OFFICER,), NOW + 10 * RULES.officer.forget_ms) is None


async def test_a_clock_that_is_set_back_makes_nobody_wait_for_days(kept: Kept) -> None:
    """The wait is never longer than the longest."""
    tries = Tries(kept, {OFFICER: Count(wrong=4, last_at=NOW, not_before=Millis(NOW + 5_000))})
    assert await wait_of(tries, (OFFICER,), NOW - 3 * DAY_MS) == RULES.officer.longest_ms


async def test_an_officer_who_does_not_exist_is_counted_like_any_other(kept: Kept) -> None:
    """The same tries, the same waits: nobody learns from them who exists, nor by another spelling."""
    tries = Tries(kept, {})
    known = [await wait_of(tries, subjects("WM21877", None, None), NOW) for _ in range(6)]
    unknown = [await wait_of(tries, subjects(name, None, None), NOW) for name in ("nobody", "NoBody ", "NOBODY") * 2]
    assert known == unknown


async def test_a_whole_station_behind_one_address_is_slowed_and_never_locked(kept: Kept) -> None:
    """The address has tries to spare, and after them its waits end at five minutes."""
    tries = Tries(kept, {})
    name = subjects("x", None, "192.0.2.7")[1]
    now: int = NOW
    longest = 0
    for _ in range(RULES.address.free + 50):
        wait = await wait_of(tries, (name,), now)
        assert wait is not None
        longest = max(longest, wait)
        now += wait
    assert longest == RULES.address.longest_ms
    assert tries.locked() == []


async def test_a_shift_that_signs_in_at_once_behind_one_address_waits_for_nobody(kept: Kept) -> None:
    """Tries under way count, and five hundred officers who all know their passphrase are under way at the same time."""
    tries = Tries(kept, {})
    everybody = [subjects(f"WM{n:05}", DeviceId(f"hh-{n}"), "192.0.2.7") for n in range(500)]
    assert [await wait_of(tries, names, NOW) for names in everybody] == [0] * len(everybody)


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
    ],
)
def test_an_address_stands_for_its_site(address: str, site: str) -> None:
    """One site of IPv6 has 2^64 addresses, and they count as one."""
    assert subjects("x", None, address)[-1] == f"address:{site}"


async def test_memory_is_bounded_and_the_most_tried_are_remembered(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who invents officers without end crowds out neither a locked one nor the device that is guessed from."""
    monkeypatch.setattr(module, "KEPT_MAX", 20)
    monkeypatch.setattr(module, "_ROOM", 2)
    locked = Count(wrong=15, last_at=NOW, not_before=NOW)
    kept.counts = {OFFICER: locked}
    rules = Rules(device=Rule(free=1_000, first_ms=1, longest_ms=1, lock_at=0, forget_ms=DAY_MS))
    tries = Tries(kept, kept.counts, rules)
    for number in range(200):
        await tries.begin(subjects(f"X{number}", DEVICE, None), Millis(NOW + number))
        assert len(kept.counts) <= 20
    assert kept.counts[OFFICER] == locked
    assert kept.counts[f"device:{DEVICE}"].wrong == 200


@given(steps=st.lists(st.tuples(st.integers(0, 4_000_000), st.booleans()), max_size=60))
def test_what_is_kept_is_always_what_is_counted(steps: list[tuple[int, bool]]) -> None:
    """After any course of tries, right and wrong ones, a new process refuses exactly what this one does."""

    async def course() -> None:
        kept = Kept()
        tries = Tries(kept, {})
        now: int = NOW
        for ahead, right in steps:
            now += ahead
            if await wait_of(tries, NAMES, now) == 0 and right:
                await tries.succeed(NAMES, Millis(now))
            assert kept.counts == tries._counts

    asyncio.run(course())
