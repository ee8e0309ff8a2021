"""How many devices are let in a second, so that those who are in go on working while the others come back.

To let a device in costs this side some two milliseconds: signatures, rights, what it has missed. When a mast or a site
comes back, thousands ask in one moment, and taken as they come they would keep the control room's edits waiting until
the last of them is in. So each gets a turn. A few at a time go straight through; whoever has a short while to wait is
held, which costs nothing; whoever would have to wait longer is told when to come back, each at another moment.

Desks have a lane of their own: neither does a control room wait behind handhelds, nor can those who only say that they
are a desk take more than that lane. What is asked here is asked before a device has proved who it is.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from schemas.ids import Millis
from schemas.limits import HELLO_TIMEOUT_MS

ADMISSIONS_PER_S: Final = 250.0
"""Devices let in a second, of each lane: half of what one core can do when it does nothing else."""
ADMISSIONS_AT_ONCE: Final = 50
"""Devices that go straight through after a quiet while: a tenth of a second of work."""
HOLD_MS_MAX: Final = 4_000
"""Longest time that a device is held; it must be well within what it waits for an answer to its HELLO."""
SPREAD_MS: Final = 1_000
"""What is drawn on top of each time to come back, so that those who were refused together do not return in step."""

if HOLD_MS_MAX * 2 > HELLO_TIMEOUT_MS:
    raise ValueError("a device that is held takes the server for dead")


class _Lane:
    """The turns of some: when the next one may go in, and when the next of those who were refused is to return."""

    __slots__ = ("back_s", "next_s")

    def __init__(self) -> None:
        self.next_s = float("-inf")
        self.back_s = float("-inf")


class Admissions:
    """Gives out turns."""

    def __init__(
        self,
        per_s: float = ADMISSIONS_PER_S,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Begin with nobody waiting.

        Args:
            per_s: devices that are let in a second, of each lane.
            clock: seconds, never going back.
            sleep: waits so many seconds.
            draw: a random number in [0, 1).
        """
        self._each_s = 1 / per_s
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._desks = _Lane()
        self._handhelds = _Lane()
        self.refused = 0
        """Devices that were told to come back later."""

    async def turn(self, *, desk: bool) -> Millis | None:
        """Wait for a turn.

        Args:
            desk: whether it says that it is one of the control room or of custody.

        Returns:
            None when it is to be let in now; else after how many ms it may come back.
        """
        lane = self._desks if desk else self._handhelds
        now = self._clock()
        at = max(lane.next_s, now - ADMISSIONS_AT_ONCE * self._each_s)
        if at - now > HOLD_MS_MAX / 1_000:
            self.refused += 1
            # By then those who are held are in, and they return at the pace at which they can be let in.
            lane.back_s = max(lane.back_s, now + HOLD_MS_MAX / 1_000) + self._each_s
            return Millis(int((lane.back_s - now) * 1_000 + self._draw() * SPREAD_MS))
        lane.next_s = at + self._each_s
        if at > now:
            await self._sleep(at - now)
        return None
