"""A clock of custody: a list of spans that count and spans that do not, each with its reason and its source.

Never one timestamp: a clock that is stopped and started again is only right, and only explains itself, as the spans it
is made of (DOMAIN, Custody). A clock knows nothing of the present moment; a span without an end goes on.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.ids import Millis
from schemas.tokens import Token

FOR_EVER: Final = Millis(2**53)
"""Later than every time that a record can hold."""


class Why(Token):
    """Why a span counts, or does not."""

    DETAINED = "detained"
    QUESTIONED_IN_HOSPITAL = "questioned-in-hospital"
    HOSPITAL = "hospital"
    ON_BAIL = "on-bail"
    BAIL_ARREST_JOURNEY = "bail-arrest-journey"
    BAIL_ARREST_PAUSE = "bail-arrest-pause"


SOURCES: Final = {
    Why.DETAINED: "PACE 1984 s.41(1)",
    Why.QUESTIONED_IN_HOSPITAL: "PACE 1984 s.41(6)",
    Why.HOSPITAL: "PACE 1984 s.41(6)",
    Why.ON_BAIL: "PACE 1984 s.47(6)",
    Why.BAIL_ARREST_JOURNEY: "PACE 1984 ss.46A and 41(2)",
    Why.BAIL_ARREST_PAUSE: "pause after an arrest on bail (force setting)",
}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time.

    Attributes:
        start: its beginning (ms since 1970).
        end: its end, which is not part of it; None while it goes on.
        counts: whether it counts.
        why: why.
        source: where that is laid down.
    """

    start: Millis
    end: Millis | None
    counts: bool
    why: Why
    source: str

    @property
    def until(self) -> Millis:
        """Its end, or a time after all others."""
        return FOR_EVER if self.end is None else self.end


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """One clock.

    Attributes:
        spans: what it is made of: without gaps, in order.
        carried_ms: what had counted before its first span (ms).
    """

    spans: tuple[Span, ...] = ()
    carried_ms: int = 0

    def counted_ms(self, at: Millis) -> int:
        """How much has counted by a moment (ms)."""
        return self.carried_ms + sum(max(0, min(one.until, at) - one.start) for one in self.spans if one.counts)

    def running(self, at: Millis) -> bool:
        """Whether it counts at a moment."""
        return any(one.counts and one.start <= at < one.until for one in self.spans)

    def reaches(self, amount_ms: int) -> Millis | None:
        """When it has counted that much (ms since 1970); None when it stops before, as far as is known."""
        left = amount_ms - self.carried_ms
        if left <= 0:
            return self.spans[0].start if self.spans else None
        for one in self.spans:
            if not one.counts:
                continue
            if left <= one.until - one.start:
                return Millis(one.start + left)
            left -= one.until - one.start
        return None

    def told_at(self, now: Millis) -> tuple[Span, ...]:
        """The spans that have begun by a moment."""
        return tuple(one for one in self.spans if one.start <= now)


def span(start: Millis, end: Millis | None, why: Why, *, counts: bool) -> Span:
    """A span with the source of its reason."""
    return Span(start=start, end=end, counts=counts, why=why, source=SOURCES[why])


def clock(start: Millis, end: Millis | None, away: Iterable[Span], *, carried_ms: int = 0) -> Clock:
    """A clock that counts from `start` to `end` but for some spans.

    Args:
        start: when it begins (ms since 1970).
        end: when it ends for good; None while it goes on.
        away: spans that say otherwise; where they overlap, one that counts stands over one that does not.
        carried_ms: what had counted before.
    """
    close = FOR_EVER if end is None else end
    if close <= start:
        return Clock(carried_ms=carried_ms)
    inside = [one for one in away if one.until > start and one.start < close]
    edges = sorted({start, close, *(at for one in inside for at in (one.start, one.until) if start < at < close)})
    parts = [_part(Millis(one), Millis(other), inside) for one, other in itertools.pairwise(edges)]
    return Clock(spans=tuple(_joined(parts)), carried_ms=carried_ms)


def _part(start: Millis, end: Millis, away: Sequence[Span]) -> Span:
    over = [one for one in away if one.start <= start and end <= one.until]
    # One that counts stands over one that does not: of two accounts, the one that keeps the clock short of the limit.
    over.sort(key=lambda one: (not one.counts, one.start, one.why.value))
    last = None if end == FOR_EVER else end
    if not over:
        return span(start, last, Why.DETAINED, counts=True)
    return span(start, last, over[0].why, counts=over[0].counts)


def _joined(parts: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for part in parts:
        if found and (found[-1].why, found[-1].counts) == (part.why, part.counts):
            found[-1] = msgspec.structs.replace(found[-1], end=part.end)
        else:
            found.append(part)
    return found
