"""When to come back: exponential backoff with full jitter, and what an ERROR of the server says about it."""

import random
from typing import Final

import msgspec

from schemas.errors import PeerError, Recovery
from schemas.limits import BACKOFF_FIRST_MS, BACKOFF_MAX_MS

RETRY_AFTER_MAX_MS: Final = 5 * 60_000
"""Longest wait that a server may ask for: past it a device tries anyway, whatever it was told."""
_AT_ONCE_USELESS: Final = frozenset({Recovery.REAUTH, Recovery.UPGRADE, Recovery.STOP, Recovery.QUARANTINE})


class BackoffLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The waits between attempts, in ms: the ceiling of the first and of the longest."""

    first_ms: int = BACKOFF_FIRST_MS
    max_ms: int = BACKOFF_MAX_MS


class Backoff:
    """How long to wait before the next attempt. Every wait is drawn below a ceiling that doubles (Brooker, 2015).

    The draw goes down to nothing, so that thousands of handhelds that lost one server do not come back in step.
    """

    def __init__(self, rng: random.Random, limits: BackoffLimits) -> None:
        """Start at the first ceiling."""
        self._rng = rng
        self._limits = limits
        self._failures = 0

    def reset(self) -> None:
        """The link is good again: the next wait is short."""
        self._failures = 0

    def next_ms(self, error: PeerError | None) -> int:
        """Milliseconds to wait.

        Args:
            error: with what the last attempt ended, if it was said.
        """
        limits = self._limits
        if error is not None and error.spec.recovery in _AT_ONCE_USELESS:
            return limits.max_ms + self._rng.randint(0, limits.max_ms)
        ceiling = min(limits.max_ms, limits.first_ms << min(self._failures, 32))
        self._failures += 1
        asked = 0 if error is None else min(error.retry_after_ms or 0, RETRY_AFTER_MAX_MS)
        # On top of what was asked: the server may have told the same to everyone.
        return asked + self._rng.randint(0, ceiling)
