"""Time as the engine knows it: corrected by what the server said, whatever happens to the device's clock."""

from sync.clock import Offset
from sync.device.clocks import DeviceTime, SystemClock
from tests.sync.device.support import NOON, VirtualClock

HOUR = 3_600_000


def test_before_any_server_the_offset_of_an_earlier_run_counts() -> None:
    """A clock known to be an hour behind is still an hour behind after a restart with no signal."""
    clock = VirtualClock()
    assert DeviceTime(clock, 0).now() == NOON
    assert DeviceTime(clock, HOUR).now() == NOON + HOUR


def test_once_a_server_was_met_the_device_clock_no_longer_counts() -> None:
    """Someone who sets the wall clock afterwards changes nothing; time goes on by the monotonic clock."""
    clock = VirtualClock()
    time = DeviceTime(clock, 0)
    assert time.learn(Offset(NOON + HOUR, clock.mono_ms())) == HOUR
    clock.advance(500)
    clock.set_wall(0)
    assert time.now() == NOON + HOUR + 500


async def test_the_system_clock_runs_forward() -> None:
    """Its readings are milliseconds, and a wait of nothing only lets others run."""
    clock = SystemClock()
    before = clock.mono_ms()
    await clock.sleep(-5)
    assert clock.mono_ms() >= before
    assert clock.wall_ms() > NOON - 400 * 24 * HOUR
