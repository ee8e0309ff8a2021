"""Time that lies: the hybrid logical clock and the corrected wall clock (DESIGN section 7).

Causality is kept per record: an op's reading is later than that of every value of the record that its author could
see. A device whose clock runs days ahead therefore lifts the records it touches and nothing else; other devices'
clocks are not dragged along, as they would be with one clock per device (Kulkarni et al., 2014, algorithm 1).
"""

from collections.abc import Iterable

import msgspec

from schemas.ids import Millis
from schemas.ops import Hlc, Stamp

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
    return max((Hlc(stamp.ms, stamp.tick) for stamp in stamps), default=ZERO)


class Offset(msgspec.Struct, frozen=True):
    """What the server's clock said, against this device's monotonic clock.

    Attributes:
        server_ms: the server's clock at that moment (ms since 1970).
        mono_ms: the device's monotonic clock at that moment (ms).
    """

    server_ms: int
    mono_ms: int


def corrected(wall_ms: int, mono_ms: int, offset: Offset | None, wall_offset_ms: int) -> Millis:
    """The best guess at true time now.

    Args:
        wall_ms: the device's wall clock (ms since 1970).
        mono_ms: its monotonic clock (ms).
        offset: learned from the server since this program started; then the wall clock no longer counts.
        wall_offset_ms: server minus wall, learned in an earlier run; used until a server was met in this one.
    """
    if offset is not None and mono_ms >= offset.mono_ms:
        return Millis(offset.server_ms + (mono_ms - offset.mono_ms))
    return Millis(max(0, wall_ms + wall_offset_ms))
