"""Figures over rounds: the median, and how far apart the rounds were."""

import statistics
from collections.abc import Iterable

import msgspec


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over all rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        """As a table shows it."""
        return f"{self.median:10.2f}  {self.least:10.2f}  {self.most:10.2f}"


def spread(values: Iterable[float]) -> Spread:
    """The median of some figures, with the least and the most.

    Raises:
        ValueError: there are none.
    """
    found = sorted(values)
    if not found:
        raise ValueError("no round was measured")
    return Spread(median=statistics.median(found), least=found[0], most=found[-1])
