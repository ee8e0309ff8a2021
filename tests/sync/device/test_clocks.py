"""Time as the engine knows it: corrected by what the server said, whatever happens to the device's clock."""

from schemas.ops import Doubt
from sync.clock import Learned, Made, Offset
from sync.device.clocks import DeviceTime, SystemClock
from tests.sync.device.support import NOON, VirtualClock

HOUR = 3_600_000
DAY = 24 * HOUR


def test_before_any_server_the_wall_clock_is_all_there_is() -> None:
    """A new device shows its wall clock's time and says that nobody has set it."""
    _, now, doubt = DeviceTime(VirtualClock(), None).reading()
    assert (now, doubt) == (NOON, Doubt.NEVER_SET)


def test_what_an_earlier_run_learned_is_exact_until_the_machine_restarts() -> None:
    """The program may end and start; only when the monotonic clock starts anew must the wall clock be believed."""
    clock = VirtualClock()
    learned = DeviceTime(clock, None).learn(Offset(NOON + HOUR, clock.mono_ms()))
    clock.advance(500)
    clock.set_wall(0)
    assert DeviceTime(clock, learned).reading()[1:] == (NOON + HOUR + 500, Doubt(0))
    clock.reboot()
    clock.set_wall(NOON + DAY)
    assert DeviceTime(clock, learned).reading()[1:] == (NOON + DAY + HOUR, Doubt.EARLIER_OFFSET)


def test_once_a_server_was_met_the_device_clock_no_longer_counts() -> None:
    """Someone who sets the wall clock afterwards changes nothing; time goes on by the monotonic clock."""
    clock = VirtualClock()
    time = DeviceTime(clock, None)
    assert time.learn(Offset(NOON + HOUR, clock.mono_ms())).wall_offset_ms == HOUR
    clock.advance(500)
    clock.set_wall(0)
    assert time.now() == NOON + HOUR + 500


def test_the_meeting_counts_from_when_the_server_spoke() -> None:
    """A greeting that lay in the queue for a while is not taken for the present."""
    clock = VirtualClock()
    time = DeviceTime(clock, None)
    spoken = clock.mono_ms()
    clock.advance(3_000)
    assert time.learn(Offset(NOON, spoken)) == Learned(NOON, Made(NOON, spoken, clock.boot()))
    assert time.now() == NOON + 3_000


def test_a_clock_days_ahead_is_told_better_once_the_server_is_met() -> None:
    """What was made before the meeting gets its true time, also when the wall clock was set right in between."""
    clock = VirtualClock(NOON + 3 * DAY)
    time = DeviceTime(clock, None)
    made, believed, doubt = time.reading()
    assert (believed, doubt) == (NOON + 3 * DAY, Doubt.NEVER_SET)
    clock.advance(HOUR)
    clock.set_wall(NOON + HOUR)
    time.learn(Offset(NOON + HOUR, clock.mono_ms()))
    assert time.better(made) == NOON


def test_nothing_was_made_after_now() -> None:
    """A moment that cannot be compared, from before a restart and on a clock set back since, is at most now."""
    clock = VirtualClock(NOON + 3 * DAY)
    time = DeviceTime(clock, None)
    made, _, _ = time.reading()
    clock.reboot()
    clock.set_wall(NOON)
    time.learn(Offset(NOON, clock.mono_ms()))
    assert time.better(made) == NOON


def test_a_time_that_was_known_is_not_told_otherwise_after_a_restart() -> None:
    """Though the wall clock was set and the machine started before the op was pushed: it would be a worse guess."""
    clock = VirtualClock()
    time = DeviceTime(clock, None)
    time.learn(Offset(NOON + HOUR, clock.mono_ms()))
    made, known, doubt = time.reading()
    assert (known, doubt) == (NOON + HOUR, Doubt(0))
    clock.reboot()
    clock.set_wall(NOON + 2 * HOUR)
    time.learn(Offset(NOON + 3 * DAY, clock.mono_ms()))
    assert time.better(made) == NOON + HOUR


async def test_the_system_clock_runs_forward() -> None:
    """Its readings are milliseconds, its run has a name, and a wait of nothing only lets others run."""
    clock = SystemClock()
    before = clock.mono_ms()
    await clock.sleep(-5)
    assert clock.mono_ms() >= before
    assert clock.wall_ms() > NOON - 400 * 24 * HOUR
    assert clock.boot()
    assert clock.boot() == clock.boot()
