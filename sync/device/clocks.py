"""The clock as a port: what the engine knows of time, so that tests and simulation can bring their own."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import Final, Protocol

import msgspec

from schemas.ids import Millis
from schemas.ops import Doubt
from sync.clock import Learned, Made, Offset, true_time

_NS_PER_MS: Final = 1_000_000
# A handheld sleeps in a pocket. Linux's plain monotonic clock stands still meanwhile; this one goes on.
_MONO_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """Three readings and a way to wait, in milliseconds."""

    def wall_ms(self) -> int:
        """What the device takes for the time of day (ms since 1970). It may be wrong and may jump."""

    def mono_ms(self) -> int:
        """A clock that only runs forward (ms since some start)."""

    def boot(self) -> str:
        """Which run of `mono_ms` this is: another text after the machine was started anew."""

    async def sleep(self, ms: int) -> None:
        """Wait until `mono_ms` has advanced by `ms`; a figure below 1 lets others run once."""


class SystemClock:
    """The machine's own clocks."""

    def __init__(self) -> None:
        """Find out which run of the monotonic clock this is; where the system does not say, the program's own."""
        try:
            self._boot = _BOOT_ID.read_text().strip()
        except OSError:
            self._boot = uuid.uuid4().hex

    def wall_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // _NS_PER_MS

    def mono_ms(self) -> int:
        """See `Clock`."""
        return time.clock_gettime_ns(_MONO_CLOCK) // _NS_PER_MS

    def boot(self) -> str:
        """See `Clock`."""
        return self._boot

    async def sleep(self, ms: int) -> None:
        """See `Clock`."""
        await asyncio.sleep(max(0, ms) / 1_000)


class DeviceTime:
    """The best guess at true time, from the clock and from what servers have said (DESIGN section 7)."""

    def __init__(self, clock: Clock, learned: Learned | None) -> None:
        """Begin with what a server said in an earlier run; None when none was ever met."""
        self.clock = clock
        self._learned = learned

    def now(self) -> Millis:
        """The corrected time (ms since 1970)."""
        return self.reading()[1]

    def reading(self) -> tuple[Made, Millis, Doubt]:
        """This moment: what the device's clocks say, the corrected time, and what is doubtful about it."""
        made = Made(self.clock.wall_ms(), self.clock.mono_ms(), self.clock.boot())
        now, doubt = true_time(made, self._learned)
        return made if doubt else msgspec.structs.replace(made, known_ms=now), now, doubt

    def learn(self, offset: Offset) -> Learned:
        """Take up what a server said of the time.

        Returns:
            What is to be kept for the next run.
        """
        since = self.clock.mono_ms() - offset.mono_ms
        at = Made(self.clock.wall_ms() - since, offset.mono_ms, self.clock.boot())
        self._learned = Learned(offset.server_ms, at)
        return self._learned

    def better(self, made: Made) -> Millis:
        """When an earlier moment truly was, as far as it is known now; never later than now."""
        return min(true_time(made, self._learned)[0], self.now())
