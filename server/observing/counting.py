"""What the hot path counts with: a histogram of plain numbers, which costs a bisection and two additions.

A client library's histogram takes a lock and looks labels up each time. Here an event loop is the only writer, and the
figures are read between two of its turns; so no lock is needed, and a scrape reads what is there.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

LATENCIES_S: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Seconds: from what a check of one op takes to what nobody should ever wait for. 0.1 is the target of an ack."""
SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
"""Ops of a group: up to what one commit takes."""


class Histogram:
    """How often a value fell into each range; `bounds` rise, and a value that equals one belongs to it."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Iterable[float] = LATENCIES_S) -> None:
        """Nothing yet.

        Args:
            bounds: upper ends of the ranges, rising; what is beyond the last has a range of its own.
        """
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, `times` times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def buckets(self) -> list[tuple[str, float]]:
        """(upper end as text, how many are at or below it), as Prometheus has them; the last is `+Inf`."""
        found, so_far = [], 0
        for bound, count in zip((*map(repr, self.bounds), "+Inf"), self.counts, strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found
