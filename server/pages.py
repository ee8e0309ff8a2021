"""Pages of snapshots that several devices take: read, opened and packed once for all of them.

After an outage, at a shift's change and when handhelds are new, hundreds ask for the same areas from their first record
on. A page is read from the store, and every record in it opened, some hundred microseconds for each hundred; then it is
the same for whoever stands at the same place, as long as nothing in the scope has changed. A commit that touches a
scope drops its pages at once: so a page that is kept says what a fresh read would say.
"""

import asyncio
from collections import OrderedDict
from functools import cached_property, partial
from typing import Final

from schemas.ids import RecordId, ScopeName
from schemas.limits import KIB
from schemas.packing import pack
from server.store import Store
from server.store.port import Page

PAGES_BYTES_MAX: Final = 32 * KIB * KIB
"""Of rows that are kept: some hundred thousand incidents, which is what a force's areas hold."""
SHARED_BYTES_MIN: Final = 4 * KIB
"""Rows of a page that is kept or packed: below it a read costs little, and packing saves less than one packet."""
PACKED_SHARE_MAX: Final = 0.9
"""A page that packing hardly makes shorter travels as it is, and nobody has to unpack it."""

_Place = tuple[ScopeName, str, str]
"""(scope, after, upto), as the page was asked for."""


class SharedPage:
    """One page, for whoever stands where it begins.

    Attributes:
        rows, upto, erased: as in `server.store.port.Page`.
        size: bytes of the rows.
    """

    def __init__(self, page: Page) -> None:
        """Take what was read."""
        self.rows = page.rows
        self.upto: str = page.upto
        self.erased: tuple[RecordId, ...] = page.erased
        self.size = sum(map(len, page.rows))

    @cached_property
    def packed(self) -> bytes:
        """The rows as they travel to those who take them packed; b"" where it would not pay."""
        if self.size < SHARED_BYTES_MIN:
            return b""
        packed = pack(self.rows)
        return packed if len(packed) <= PACKED_SHARE_MAX * self.size else b""


class Pages:
    """The pages at hand, of scopes in which nothing has changed since they were read."""

    def __init__(self, bytes_max: int = PAGES_BYTES_MAX) -> None:
        """Start with none.

        Args:
            bytes_max: of rows, to keep.
        """
        self._bytes_max = bytes_max
        self._kept: OrderedDict[_Place, SharedPage] = OrderedDict()
        self._of: dict[ScopeName, set[_Place]] = {}
        self._reading: dict[_Place, asyncio.Future[Page]] = {}
        self.bytes = 0
        """Of the rows that are kept."""

    async def page(self, store: Store, scope: ScopeName, after: str, upto: str) -> SharedPage:
        """A page of a scope, as `Store.page` would read it now; shared with those who ask at the same time.

        Raises:
            StoreError: it cannot be read.
        """
        place = (scope, after, upto)
        kept = self._kept.get(place)
        if kept is not None:
            self._kept.move_to_end(place)
            return kept
        reading = self._reading.get(place)
        if reading is None:
            reading = self._reading[place] = asyncio.ensure_future(store.page(scope, after, upto))
            reading.add_done_callback(partial(self._done, place))
        # One who goes meanwhile does not take the page from the others.
        page = await asyncio.shield(reading)
        return self._kept.get(place) or SharedPage(page)

    def forget(self, scope: ScopeName) -> None:
        """The scope has changed: whoever asks from here on is told so."""
        for place in self._of.pop(scope, ()):
            self.bytes -= self._kept.pop(place).size
        for place in [one for one in self._reading if one[0] == scope]:
            # What is being read may be from before; those who wait for it asked before, too.
            del self._reading[place]

    def _done(self, place: _Place, reading: "asyncio.Future[Page]") -> None:
        # Asked in any case: those who waited may all have gone, and nobody else would.
        failed = reading.cancelled() or reading.exception() is not None
        if self._reading.get(place) is not reading:
            return
        del self._reading[place]
        if failed:
            return
        page = SharedPage(reading.result())
        if not SHARED_BYTES_MIN <= page.size <= self._bytes_max:
            return
        self._kept[place] = page
        self._of.setdefault(place[0], set()).add(place)
        self.bytes += page.size
        while self.bytes > self._bytes_max:
            oldest, dropped = self._kept.popitem(last=False)
            self.bytes -= dropped.size
            self._of[oldest[0]].discard(oldest)
