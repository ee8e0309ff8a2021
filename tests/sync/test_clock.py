"""Time that lies: readings only rise along what was seen, and the true time is told from whatever can be trusted."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis
from schemas.limits import INT_MAX
from schemas.ops import Doubt, Hlc
from sync.clock import ZERO, Learned, Made, latest_seen, next_hlc, true_time
from tests.examples import HANDHELD, OTHER, stamp

times = st.integers(min_value=0, max_value=2**45)
skews = st.integers(min_value=-(2**44), max_value=2**44)
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


@given(server=times, mono=times, passed=times, wall=times, later_wall=times)
def test_in_one_run_the_wall_clock_does_not_matter(
    server: int, mono: int, passed: int, wall: int, later_wall: int
) -> None:
    """Once a server was met, only its clock and the monotonic one count, whatever is done to the wall clock."""
    learned = Learned(server, Made(wall, mono, "b"))
    assert true_time(Made(later_wall, mono + passed, "b"), learned) == (server + passed, Doubt(0))


@given(server=times, passed=times, mono=times, skew=skews)
def test_a_meeting_tells_the_time_of_what_was_made_before_it(server: int, passed: int, mono: int, skew: int) -> None:
    """An op made before the first meeting, on a clock that is days off, gets its true time from it."""
    true_at_op = max(0, server - passed)
    made = Made(max(0, true_at_op + skew), mono, "b")
    learned = Learned(server, Made(0, mono + (server - true_at_op), "b"))
    assert true_time(made, learned) == (true_at_op, Doubt(0))


@given(wall=times, true=times, passed=times)
def test_after_a_restart_the_wall_clock_is_believed_with_the_offset_it_had(wall: int, true: int, passed: int) -> None:
    """The monotonic clock has started anew: the wall clock, corrected as last known, is the best guess, and doubted."""
    learned = Learned(true, Made(wall, 5_000, "first"))
    assert true_time(Made(wall + passed, 7, "second"), learned) == (true + passed, Doubt.EARLIER_OFFSET)


def test_a_device_that_never_met_a_server_has_only_its_wall_clock() -> None:
    """Its time is what it shows, and is doubted."""
    assert true_time(Made(1_234, 7, "b"), None) == (1_234, Doubt.NEVER_SET)


def test_no_time_lies_before_1970() -> None:
    """A correction never leads below zero, which the wire cannot carry."""
    assert true_time(Made(5, 1, "b"), Learned(10, Made(0, 1_000, "b")))[0] == 0
    assert true_time(Made(5, 1, "c"), Learned(10, Made(1_000, 1_000, "b")))[0] == 0


def test_the_largest_moment_still_has_a_successor() -> None:
    """A device whose clock stands at the end of time is still followed by what saw it."""
    assert next_hlc(Millis(0), Hlc(INT_MAX, 0)) == (INT_MAX, 1)
