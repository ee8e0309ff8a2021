"""Token buckets by key (Turner, 1986), in bounded memory."""

import math
from collections import OrderedDict
from collections.abc import Callable

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """A pace.

    Attributes:
        per_s: how many a second, in the long run.
        burst: how many at once.
    """

    per_s: float
    burst: float


class Bucket:
    """One token bucket. Full at the start."""

    __slots__ = ("_at_s", "_rate", "_tokens")

    def __init__(self, rate: Rate, now_s: float) -> None:
        """Start full."""
        self._rate = rate
        self._tokens = rate.burst
        self._at_s = now_s

    def take(self, count: float, now_s: float) -> int | None:
        """Take tokens, when there are that many.

        Args:
            count: how many.
            now_s: a clock that never goes back.

        Returns:
            None when they were there; else after how many ms they will be. Nothing is taken then.
        """
        self._fill(now_s)
        if count <= self._tokens:
            self._tokens -= count
            return None
        return math.ceil((count - self._tokens) / self._rate.per_s * 1_000)

    def is_full(self, now_s: float) -> bool:
        """Whether it is as good as new."""
        self._fill(now_s)
        return self._tokens >= self._rate.burst

    def _fill(self, now_s: float) -> None:
        gained = max(0.0, now_s - self._at_s) * self._rate.per_s
        self._tokens = min(self._rate.burst, self._tokens + gained)
        self._at_s = now_s


class Buckets:
    """A bucket for every key that was seen of late."""

    def __init__(self, rate: Rate, keys_max: int, clock: Callable[[], float]) -> None:
        """Start with none.

        Args:
            rate: the pace of each key.
            keys_max: how many keys are remembered; the one that was quiet longest is forgotten first, which fills its
                bucket: memory stays bounded, and only whoever commands more addresses than this gains by it.
            clock: seconds, never going back.
        """
        self._rate = rate
        self._keys_max = keys_max
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> int | None:
        """Take one token of a key: None when it was there, else after how many ms it will be."""
        now_s = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._forget(now_s)
            bucket = self._buckets[key] = Bucket(self._rate, now_s)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(1, now_s)

    def _forget(self, now_s: float) -> None:
        """Let go of a few that are full again, and of the quietest one when there is no room."""
        for _ in range(2):
            if not self._buckets:
                return
            key, bucket = next(iter(self._buckets.items()))
            if not bucket.is_full(now_s) and len(self._buckets) < self._keys_max:
                return
            del self._buckets[key]
