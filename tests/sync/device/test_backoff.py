"""Backoff: full jitter under a ceiling that doubles, and what a server's ERROR asks for."""

import random

import pytest

from schemas.errors import ERRORS, PeerError, Recovery
from schemas.limits import BACKOFF_FIRST_MS, BACKOFF_MAX_MS
from sync.device.backoff import RETRY_AFTER_MAX_MS, Backoff, BackoffLimits


class Highest(random.Random):
    """Always the highest draw."""

    def randint(self, a: int, b: int) -> int:
        """The upper bound."""
        assert a == 0
        return b


def test_the_ceiling_doubles_to_the_longest_and_starts_over() -> None:
    """However often it fails, the wait stays below the longest one; a good connection makes it short again."""
    backoff = Backoff(Highest(), BackoffLimits())
    waits = [backoff.next_ms(None) for _ in range(100)]
    assert waits[:3] == [BACKOFF_FIRST_MS, 2 * BACKOFF_FIRST_MS, 4 * BACKOFF_FIRST_MS]
    assert waits[-1] == max(waits) == BACKOFF_MAX_MS
    backoff.reset()
    assert backoff.next_ms(None) == BACKOFF_FIRST_MS


def test_waits_are_spread_over_everything_below_the_ceiling() -> None:
    """Thousands of handhelds that lost one server come back spread out, from at once to the ceiling."""
    waits = sorted(Backoff(random.Random(n), BackoffLimits()).next_ms(None) for n in range(4_000))
    for quarter in range(1, 4):
        assert waits[quarter * 1_000] == pytest.approx(quarter * BACKOFF_FIRST_MS / 4, rel=0.15)


def test_what_the_server_asks_for_comes_on_top() -> None:
    """It is never undercut, and still jittered; past all reason it is not believed."""
    asked = PeerError("server_stopping", retry_after_ms=4_000)
    waits = [Backoff(random.Random(n), BackoffLimits()).next_ms(asked) for n in range(200)]
    assert min(waits) >= 4_000
    assert max(waits) <= 4_000 + BACKOFF_FIRST_MS
    assert len(set(waits)) > 50
    mad = PeerError("server_busy", retry_after_ms=2**53)
    assert Backoff(random.Random(1), BackoffLimits()).next_ms(mad) <= RETRY_AFTER_MAX_MS + BACKOFF_FIRST_MS


@pytest.mark.parametrize("code", sorted(code for code, spec in ERRORS.items() if spec.close is not None))
def test_every_error_has_a_wait_that_fits_its_recovery(code: str) -> None:
    """What coming back at once would only repeat waits the longest; everything else comes back soon."""
    wait = Backoff(random.Random(1), BackoffLimits()).next_ms(PeerError(code))
    if ERRORS[code].recovery in {Recovery.RETRY, Recovery.RESNAPSHOT}:
        assert wait <= BACKOFF_FIRST_MS
    else:
        assert BACKOFF_MAX_MS <= wait <= 2 * BACKOFF_MAX_MS
