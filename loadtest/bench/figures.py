"""Figures over rounds: the median, and how far apart the rounds were."""

import statistics
from collections.abc import Iterable

import msgspec


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over all rounds."""

    median: float
    least: float
    most: float

    def inverted(self, over: float) -> "Spread":
        """`over` divided by it: of times, how many in a time."""
        return Spread(median=over / self.median, least=over / self.most, most=over / self.least)

    def __str__(self) -> str:
        """As a table shows it."""
        return f"{self.median:12.2f}  {self.least:12.2f}  {self.most:12.2f}"


def spread(values: Iterable[float]) -> Spread:
    """The median of some figures, with the least and the most.

    Raises:
        ValueError: there are none.
    """
    found = sorted(values)
    if not found:
        raise ValueError("no round was measured")
    return Spread(median=statistics.median(found), least=found[0], most=found[-1])


def percentile(values: Iterable[float], percent: int) -> float:
    """The nearest-rank percentile.

    Raises:
        ValueError: there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[max(1, -(-len(ordered) * percent // 100)) - 1]
