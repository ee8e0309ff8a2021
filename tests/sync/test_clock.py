"""Time that lies: readings only rise along what was seen, and the corrected clock trusts the server while it can."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis
from schemas.limits import INT_MAX
from schemas.ops import Hlc
from sync.clock import ZERO, Offset, corrected, latest_seen, next_hlc
from tests.examples import HANDHELD, OTHER, stamp

times = st.integers(min_value=0, max_value=2**45)
readings = st.builds(Hlc, times, st.integers(min_value=0, max_value=1_000))


@given(times.map(Millis), readings)
def test_a_reading_is_later_than_what_was_seen_and_not_before_now(now: Millis, seen: Hlc) -> None:
    """Whatever the clock says, a reading follows all that its author could see."""
    made = next_hlc(now, seen)
    assert made > seen
    assert made.ms >= now
    assert made.ms == max(now, seen.ms)


@given(st.lists(times.map(Millis), min_size=1, max_size=30))
def test_readings_rise_even_when_the_clock_does_not(clock: list[Millis]) -> None:
    """A clock that stands still, jumps back or jumps ahead makes no two readings alike, and each is later."""
    seen = ZERO
    for now in clock:
        made = next_hlc(now, seen)
        assert made > seen
        seen = made
    assert seen.ms == max(clock)


def test_the_tick_counts_within_a_millisecond() -> None:
    """Readings of one millisecond differ by their tick; a later millisecond starts at zero again."""
    assert next_hlc(Millis(5), Hlc(5, 0)) == (5, 1)
    assert next_hlc(Millis(4), Hlc(5, 7)) == (5, 8)
    assert next_hlc(Millis(6), Hlc(5, 7)) == (6, 0)
    assert next_hlc(Millis(0), ZERO) == (0, 1)


def test_the_latest_seen_is_the_latest_of_all() -> None:
    """It goes by time and then by tick, and is zero where nothing was seen."""
    assert latest_seen([]) == ZERO
    assert latest_seen([stamp(HANDHELD, 3), stamp(OTHER, 9), stamp(HANDHELD, 1)]) == Hlc(stamp(OTHER, 9).ms, 0)


@given(wall=times, mono=times, server=times, later=times)
def test_the_server_is_believed_over_the_wall_clock(wall: int, mono: int, server: int, later: int) -> None:
    """Once a server was met, only its clock and the monotonic one count: a wall clock that is set does not matter."""
    assert corrected(wall, mono + later, Offset(server, mono), wall_offset_ms=12_345) == server + later


@given(wall=times, offset=st.integers(min_value=-(2**45), max_value=2**45))
def test_without_a_server_the_last_known_offset_is_used(wall: int, offset: int) -> None:
    """Offline after a restart, the wall clock corrected as in the earlier run is the best guess; never below zero."""
    assert corrected(wall, 7, None, offset) == max(0, wall + offset)


def test_a_monotonic_clock_that_started_anew_is_noticed() -> None:
    """An offset from before the machine restarted says nothing about now."""
    assert corrected(1_000, 5, Offset(9_000, 50), wall_offset_ms=10) == 1_010
    assert corrected(1_000, 50, Offset(9_000, 50), wall_offset_ms=10) == 9_000


def test_the_largest_moment_still_has_a_successor() -> None:
    """A device whose clock stands at the end of time is still followed by what saw it."""
    assert next_hlc(Millis(0), Hlc(INT_MAX, 0)) == (INT_MAX, 1)
