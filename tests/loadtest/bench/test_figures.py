"""Figures over rounds."""

import pytest

from loadtest.bench.figures import Spread, spread


def test_a_spread_is_the_median_with_both_ends() -> None:
    """Of an even number of rounds the median lies between the two in the middle."""
    assert spread([3.0, 1.0, 2.0]) == Spread(median=2.0, least=1.0, most=3.0)
    assert spread([4.0, 1.0, 2.0, 3.0]).median == 2.5


def test_nothing_measured_is_no_figure() -> None:
    """A job without a round has no result, and says so."""
    with pytest.raises(ValueError, match="no round"):
        spread([])
