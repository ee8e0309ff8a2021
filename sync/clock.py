"""Time that lies: the hybrid logical clock and the corrected wall clock (DESIGN section 7).

Causality is kept per record: an op's reading is later than that of every value of the record that its author could
see. A device whose clock runs days ahead therefore lifts the records it touches and nothing else; other devices'
clocks are not dragged along, as they would be with one clock per device (Kulkarni et al., 2014, algorithm 1).
"""

from collections.abc import Iterable

import msgspec

from schemas.ids import Millis
from schemas.ops import Doubt, Hlc, Stamp

ZERO = Hlc(0, 0)


def next_hlc(now: Millis, seen: Hlc) -> Hlc:
    """A reading later than `seen`, and not earlier than `now`.

    Args:
        now: the corrected wall clock (ms since 1970).
        seen: the latest reading that the author could see.
    """
    return Hlc(now, 0) if now > seen.ms else Hlc(seen.ms, seen.tick + 1)


def latest_seen(stamps: Iterable[Stamp]) -> Hlc:
    """The latest reading among `stamps`; zero when there are none."""
    return Hlc(*max(((stamp.ms, stamp.tick) for stamp in stamps), default=ZERO))


class Made(msgspec.Struct, frozen=True):
    """What a device's own clocks said when an op was made.

    Attributes:
        wall_ms: its wall clock (ms since 1970), uncorrected.
        mono_ms: its monotonic clock (ms since some start).
        boot: which run of the monotonic clock that was; readings of two runs cannot be compared.
        known_ms: the true time (ms since 1970), where it was known at once; else None.
    """

    wall_ms: int
    mono_ms: int
    boot: str
    known_ms: int | None = None


class Learned(msgspec.Struct, frozen=True):
    """What a server's clock said once, and what the device's own clocks said at that moment.

    Attributes:
        server_ms: the server's clock (ms since 1970).
        at: the device's clocks.
    """

    server_ms: int
    at: Made

    @property
    def wall_offset_ms(self) -> int:
        """Server's clock minus the device's wall clock."""
        return self.server_ms - self.at.wall_ms


def true_time(made: Made, learned: Learned | None) -> tuple[Millis, Doubt]:
    """The best guess at the true time of a moment, and what is doubtful about it.

    In the same run of the monotonic clock it is exact, before the meeting with the server or after it, whatever was
    done to the wall clock. Across a restart the wall clock must be believed, with the offset that it had. What was
    known at once is never guessed again.

    Args:
        made: the moment, as the device's clocks told it.
        learned: what a server said, or None when none was ever met.
    """
    if made.known_ms is not None:
        return Millis(made.known_ms), Doubt(0)
    if learned is None:
        return Millis(made.wall_ms), Doubt.NEVER_SET
    if learned.at.boot == made.boot:
        return Millis(max(0, learned.server_ms + made.mono_ms - learned.at.mono_ms)), Doubt(0)
    return Millis(max(0, made.wall_ms + learned.wall_offset_ms)), Doubt.EARLIER_OFFSET


SET_BACK_MS = 2_000
"""A wall clock that stands so far before an earlier op's was set back; clocks that are kept in step move by less."""


class Offset(msgspec.Struct, frozen=True):
    """What the server's clock said in this session, against this device's monotonic clock.

    Attributes:
        server_ms: the server's clock at that moment (ms since 1970).
        mono_ms: the device's monotonic clock at that moment (ms).
    """

    server_ms: int
    mono_ms: int
