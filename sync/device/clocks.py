"""The clock as a port: what the engine knows of time, so that tests and simulation can bring their own."""

import asyncio
import time
from typing import Final, Protocol

from schemas.ids import Millis
from sync.clock import Offset, corrected

_NS_PER_MS: Final = 1_000_000
# A handheld sleeps in a pocket. Linux's plain monotonic clock stands still meanwhile; this one goes on.
_MONO_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Two readings and a way to wait, all in milliseconds."""

    def wall_ms(self) -> int:
        """What the device takes for the time of day (ms since 1970). It may be wrong and may jump."""

    def mono_ms(self) -> int:
        """A clock that only runs forward (ms since some start)."""

    async def sleep(self, ms: int) -> None:
        """Wait until `mono_ms` has advanced by `ms`; a figure below 1 lets others run once."""


class SystemClock:
    """The machine's own clocks."""

    def wall_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // _NS_PER_MS

    def mono_ms(self) -> int:
        """See `Clock`."""
        return time.clock_gettime_ns(_MONO_CLOCK) // _NS_PER_MS

    async def sleep(self, ms: int) -> None:
        """See `Clock`."""
        await asyncio.sleep(max(0, ms) / 1_000)


class DeviceTime:
    """The best guess at true time, from the clock and from what servers have said (DESIGN section 7)."""

    def __init__(self, clock: Clock, wall_offset_ms: int) -> None:
        """Begin with the offset that an earlier run learned; 0 for none."""
        self.clock = clock
        self._wall_offset_ms = wall_offset_ms
        self._offset: Offset | None = None

    def now(self) -> Millis:
        """The corrected time (ms since 1970)."""
        return corrected(self.clock.wall_ms(), self.clock.mono_ms(), self._offset, self._wall_offset_ms)

    def learn(self, offset: Offset) -> int:
        """Take up what a server said of the time.

        Returns:
            Server minus wall clock, in ms: to be kept for the next run.
        """
        self._offset = offset
        self._wall_offset_ms = self.now() - self.clock.wall_ms()
        return self._wall_offset_ms
