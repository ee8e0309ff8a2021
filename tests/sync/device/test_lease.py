"""The lease: no trick with a clock makes one last longer, and at its end the share is gone."""

import json
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ReplicaError, UsageError
from sync.clock import Made
from sync.device.keystore import FileKeyStore, MemoryKeyStore
from sync.device.lease import (
    LEASE_MS_MAX,
    RESTART_CHARGE_MS,
    SAVE_EVERY_MS,
    CachedShare,
    Lease,
    LeaseKeeper,
    MemoryShareCache,
    StoredShareCache,
    begin,
    look,
)
from tests.sync.device.seats import NEW_SHARE, SEAT, SHARE
from tests.sync.device.support import NOON, VirtualClock, contents

SHIFT: Final = 10 * 60 * 60_000
LEASE: Final = Lease(granted_ms=NOON + 77, until_ms=NOON + 77 + SHIFT)
MINUTE: Final = 60_000

steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(0, SHIFT // 2)),
        st.tuples(st.just("set"), st.integers(-2 * SHIFT, 2 * SHIFT)),
        st.tuples(st.just("restart"), st.integers(0, SHIFT // 2)),
        st.tuples(st.just("look"), st.just(0)),
    ),
    max_size=12,
)
"""What happens to a device: time passes, its clock is moved, it is off for a while, it looks at its lease."""


@given(steps)
def test_what_is_left_never_grows_and_never_outlasts_the_time_that_the_device_ran(
    happenings: list[tuple[str, int]],
) -> None:
    """Whatever is done to the clocks: the time that the machine was on is used up, and a look gives none back."""
    clock = VirtualClock()
    count = begin(LEASE, Made(clock.wall_ms(), clock.mono_ms(), clock.boot()))
    ran = 0
    left = SHIFT
    for what, by in happenings:
        if what == "pass":
            clock.advance(by)
            ran += by
        elif what == "set":
            clock.set_wall(max(0, clock.wall_ms() + by))
        elif what == "restart":
            count = look(count, Made(clock.wall_ms(), clock.mono_ms(), clock.boot()))
            clock.advance(by)
            clock.reboot()
        count = look(count, Made(clock.wall_ms(), clock.mono_ms(), clock.boot()))
        assert count.remaining_ms() <= left
        left = count.remaining_ms()
        assert left <= max(0, SHIFT - ran)


@given(st.lists(st.integers(0, SHIFT // 4), max_size=20))
def test_a_device_with_honest_clocks_has_its_whole_lease(passing: list[int]) -> None:
    """However often it looks: no rounding eats into a shift, and sleep and airplane mode cost what they last."""
    clock = VirtualClock()
    count = begin(LEASE, Made(clock.wall_ms(), clock.mono_ms(), clock.boot()))
    for by in passing:
        clock.advance(by)
        count = look(count, Made(clock.wall_ms(), clock.mono_ms(), clock.boot()))
    assert count.remaining_ms() == max(0, SHIFT - sum(passing))


def test_the_wall_clock_set_forward_and_back_again_stays_counted() -> None:
    """The highest that it ever stood is what counts."""
    clock = VirtualClock()
    count = begin(LEASE, Made(clock.wall_ms(), clock.mono_ms(), clock.boot()))
    for wall, left in ((NOON + 6 * 60 * MINUTE, 4), (NOON - 10**9, 4), (NOON + 9 * 60 * MINUTE, 1)):
        clock.set_wall(wall)
        count = look(count, Made(clock.wall_ms(), clock.mono_ms(), clock.boot()))
        assert count.remaining_ms() == left * 60 * MINUTE


@pytest.mark.parametrize(
    ("wall_step_ms", "mono_ms", "used_ms"),
    [
        (1, 10, RESTART_CHARGE_MS),
        (60 * MINUTE, 10, 60 * MINUTE),
        (MINUTE, 30 * MINUTE, 30 * MINUTE),
        (0, 10, SHIFT),
        (-1, 10, SHIFT),
        (-(10**10), 10**9, SHIFT),
        (10**10, 10, SHIFT),
    ],
)
def test_a_restart_costs_what_the_clocks_show_and_a_clock_set_back_ends_the_lease(
    wall_step_ms: int, mono_ms: int, used_ms: int
) -> None:
    """The wall clock is believed forward only; one that does not move forward across a restart was tampered with."""
    count = begin(LEASE, Made(NOON, 5_000, "one"))
    after = look(count, Made(NOON + wall_step_ms, mono_ms, "two"))
    assert after.remaining_ms() == max(0, SHIFT - used_ms)
    # And it goes on from there.
    later = look(after, Made(NOON + wall_step_ms + MINUTE, mono_ms + MINUTE, "two"))
    assert later.remaining_ms() == max(0, SHIFT - used_ms - MINUTE)


def test_a_machine_put_back_to_an_earlier_moment_gains_nothing() -> None:
    """A snapshot of a virtual device: the run of the clock is the same, and its reading lower than before."""
    count = look(begin(LEASE, Made(NOON, 5_000, "one")), Made(NOON + MINUTE, 5_000 + MINUTE, "one"))
    assert look(count, Made(NOON, 5_000, "one")).remaining_ms() == 0


@pytest.mark.parametrize("length_ms", [0, -1, LEASE_MS_MAX + 1])
def test_a_lease_that_makes_no_sense_is_refused(length_ms: int) -> None:
    """And the one before stands."""
    keeper = LeaseKeeper(MemoryShareCache(), VirtualClock())
    keeper.grant(LEASE, SHARE)
    with pytest.raises(UsageError, match="a lease lasts between"):
        keeper.grant(Lease(NOON, NOON + length_ms), NEW_SHARE)
    with pytest.raises(UsageError, match="a share has exactly"):
        keeper.grant(LEASE, b"short")
    assert keeper.share() == SHARE


def test_at_its_end_the_share_is_gone_from_memory_and_cache(tmp_path: Path) -> None:
    """To the millisecond; the error says what can still be done; a new grant opens again."""
    clock, store = VirtualClock(), FileKeyStore(tmp_path)
    keeper = LeaseKeeper(StoredShareCache(store, SEAT), clock)
    with pytest.raises(ReplicaError, match="the lease has ended"):
        keeper.share()
    keeper.grant(LEASE, SHARE)
    clock.advance(SHIFT - 1)
    assert (keeper.share(), keeper.remaining_ms()) == (SHARE, 1)
    keeper.require()
    clock.advance(1)
    with pytest.raises(ReplicaError, match="What you write now is kept, sealed"):
        keeper.require()
    assert (keeper._cached, contents(tmp_path)) == (None, {})
    keeper.grant(LEASE, NEW_SHARE)
    assert keeper.share() == NEW_SHARE


def test_in_memory_a_share_ends_with_the_process_and_stored_it_does_not(tmp_path: Path) -> None:
    """The default asks the server after a restart; the other one goes on counting from what it wrote down."""
    clock = VirtualClock()
    LeaseKeeper(MemoryShareCache(), clock).grant(LEASE, SHARE)
    assert LeaseKeeper(MemoryShareCache(), clock).remaining_ms() == 0
    cache = StoredShareCache(FileKeyStore(tmp_path), SEAT)
    LeaseKeeper(cache, clock).grant(LEASE, SHARE)
    clock.advance(60 * MINUTE)
    clock.reboot()
    assert LeaseKeeper(cache, clock).remaining_ms() == SHIFT - 60 * MINUTE
    clock.set_wall(NOON)
    clock.reboot()
    over = LeaseKeeper(cache, clock)
    assert contents(tmp_path) == {}, "opening alone is enough: nobody may ever ask for the share"
    assert over.remaining_ms() == 0


def test_the_count_is_written_down_as_it_goes(tmp_path: Path) -> None:
    """A power cut costs no more of it than a restart is charged."""
    assert SAVE_EVERY_MS <= RESTART_CHARGE_MS
    clock = VirtualClock()
    cache = StoredShareCache(FileKeyStore(tmp_path), SEAT)
    keeper = LeaseKeeper(cache, clock)
    keeper.grant(LEASE, SHARE)
    for _ in range(100):
        clock.advance(SAVE_EVERY_MS // 3)
        left = keeper.remaining_ms()
        kept = cache.read()
        assert kept is not None
        assert 0 <= kept.count.remaining_ms() - left < SAVE_EVERY_MS


def test_dropping_the_share_on_purpose(tmp_path: Path) -> None:
    """Locked by the officer or by the server, before its time."""
    store = MemoryKeyStore()
    keeper = LeaseKeeper(StoredShareCache(store, SEAT), VirtualClock())
    keeper.grant(LEASE, SHARE)
    keeper.end()
    keeper.end()
    assert (keeper.remaining_ms(), store.read(f"{SEAT}.share")) == (0, None)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]", b'{"share": "AAAA"}'])
def test_a_cache_that_cannot_be_read_is_as_good_as_none(content: bytes) -> None:
    """The server is asked; nothing is guessed."""
    store = MemoryKeyStore()
    store.keep(f"{SEAT}.share", content)
    assert LeaseKeeper(StoredShareCache(store, SEAT), VirtualClock()).remaining_ms() == 0


def test_a_cached_share_comes_back_as_it_was() -> None:
    """With its count."""
    cached = CachedShare(SHARE, begin(LEASE, Made(NOON, 5, "one")))
    store = MemoryKeyStore()
    StoredShareCache(store, SEAT).keep(cached)
    assert StoredShareCache(store, SEAT).read() == cached
    assert json.loads(msgspec.json.encode(cached))["count"]["length_ms"] == SHIFT
