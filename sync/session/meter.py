"""What a session counts: the credit each side has left, and how fast messages come."""

from schemas.errors import PeerError
from schemas.limits import CREDIT_BYTES_TOTAL_MAX, FRAMES_BURST_MAX, FRAMES_PER_S_MAX


class Credit:
    """Bytes that one side may send. The same count is kept at both ends."""

    __slots__ = ("bytes",)

    def __init__(self, granted: int) -> None:
        """Start with what was granted."""
        self.bytes = granted

    def spend(self, size: int) -> None:
        """Count a payload that was sent.

        Raises:
            PeerError: `credit_exceeded` when it is more than was granted.
        """
        if size > self.bytes:
            raise PeerError("credit_exceeded", f"{size} bytes with {self.bytes} granted")
        self.bytes -= size

    def add(self, size: int, aside: int = 0) -> None:
        """Count what was given back.

        Args:
            size: how much.
            aside: what is held beside this count.

        Raises:
            PeerError: `credit_overflow` when it is more than anyone may hold.
        """
        if self.bytes + aside + size > CREDIT_BYTES_TOTAL_MAX:
            raise PeerError("credit_overflow", f"{self.bytes + aside} + {size}, at most {CREDIT_BYTES_TOTAL_MAX}")
        self.bytes += size


class Pace:
    """A token bucket over messages (Turner, 1986): FRAMES_PER_S_MAX a second, FRAMES_BURST_MAX at once."""

    __slots__ = ("_at_ms", "_tokens")

    def __init__(self, now_ms: int) -> None:
        """Start full."""
        self._tokens = float(FRAMES_BURST_MAX)
        self._at_ms = now_ms

    def count(self, now_ms: int) -> None:
        """Count one message.

        Raises:
            PeerError: `too_fast` when the bucket is empty.
        """
        gained = (now_ms - self._at_ms) * FRAMES_PER_S_MAX / 1_000
        self._tokens = min(float(FRAMES_BURST_MAX), self._tokens + max(0.0, gained))
        self._at_ms = now_ms
        if self._tokens < 1:
            raise PeerError("too_fast", f"at most {FRAMES_PER_S_MAX} messages a second", retry_after_ms=1_000)
        self._tokens -= 1
