"""When something begins or ends: an index from moments to whom they concern, so that no clock tick scans everything."""

import bisect
from typing import Generic, TypeVar

from schemas.ids import Millis

T = TypeVar("T")


class Moments(Generic[T]):
    """Moments (ms since 1970), each with those it concerns, counted: two grants may end at the same moment.

    Acts come mostly in the order of time, and thousands of them before anybody asks: new moments are sorted in when
    the next question comes. A moment that concerns nobody any more stays in the list until half of it is such.
    """

    __slots__ = ("_empty", "_fresh", "_times", "_whom")

    def __init__(self) -> None:
        """Begin with no moments."""
        self._whom: dict[Millis, dict[T, int]] = {}
        self._times: list[Millis] = []
        self._fresh: list[Millis] = []
        self._empty = 0

    def add(self, at: Millis | None, whom: T) -> None:
        """Something begins or ends for `whom`; None for what has no end."""
        if at is None:
            return
        known = self._whom.get(at)
        if known is None:
            self._whom[at] = {whom: 1}
            self._fresh.append(at)
            return
        if not known:
            self._empty -= 1
        known[whom] = known.get(whom, 0) + 1

    def drop(self, at: Millis | None, whom: T) -> None:
        """Take back one `add`."""
        if at is None:
            return
        known = self._whom[at]
        known[whom] -= 1
        if not known[whom]:
            del known[whom]
            if not known:
                self._empty += 1

    def after(self, at: Millis) -> Millis | None:
        """The first moment behind `at` that concerns anybody; None when there is none."""
        times = self._sorted()
        for n in range(bisect.bisect_right(times, at), len(times)):
            if self._whom[times[n]]:
                return times[n]
        return None

    def between(self, after: Millis, upto: Millis) -> set[T]:
        """Whom the moments in (after, upto] concern."""
        times = self._sorted()
        stretch = times[bisect.bisect_right(times, after) : bisect.bisect_right(times, upto)]
        return {whom for at in stretch for whom in self._whom[at]}

    def _sorted(self) -> list[Millis]:
        if 2 * self._empty > len(self._whom):
            self._whom = {at: whom for at, whom in self._whom.items() if whom}
            self._times, self._fresh, self._empty = sorted(self._whom), [], 0
        elif len(self._fresh) == 1:
            bisect.insort(self._times, self._fresh.pop())
        elif self._fresh:
            self._times += self._fresh
            self._fresh = []
            self._times.sort()
        return self._times
