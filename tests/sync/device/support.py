"""What the tests of the engine share: a clock that stands still, invented officers and incidents, a way to open."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.ids import RecordId, ScopeName, new_record_id
from schemas.kinds import Incident, Kind
from schemas.kinds.incident import Category
from sync.device import Change, ChangeStream, DeviceIdentity, Handheld, HeldKey, SyncStatus
from sync.device.backoff import BackoffLimits
from tests.toy_server import ToyServer

BIRMINGHAM: Final = ScopeName("area:birmingham")
WALSALL: Final = ScopeName("area:walsall")
KEY: Final = bytes(range(32))
OTHER_KEY: Final = bytes(range(1, 33))
AT_ONCE: Final = BackoffLimits(first_ms=0, max_ms=0)
"""For tests that are not about waiting."""
NOON: Final = 1_790_000_000_000
"""A moment of 2026 (ms since 1970)."""


class VirtualClock:
    """A clock that only moves when a test says so."""

    def __init__(self, wall_ms: int = NOON) -> None:
        """Start at a moment; the monotonic clock starts at 1,000."""
        self._naps = 0
        self._wall_ms = wall_ms
        self._mono_ms = 1_000
        self._boots = 1
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._watches: list[tuple[int, int, asyncio.Future[None]]] = []

    def wall_ms(self) -> int:
        """See `Clock`."""
        return self._wall_ms

    def mono_ms(self) -> int:
        """See `Clock`."""
        return self._mono_ms

    def boot(self) -> str:
        """See `Clock`."""
        return f"boot-{self._boots}"

    def reboot(self) -> None:
        """Start the machine anew: its monotonic clock begins again."""
        self._boots += 1
        self._mono_ms = 10

    async def sleep(self, ms: int) -> None:
        """See `Clock`."""
        self._naps += 1
        for least, most, watch in self._watches:
            if least <= ms <= most and not watch.done():
                watch.set_result(None)
        if ms <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._mono_ms + ms, self._naps, future))
        await future

    def next_nap(self, least_ms: int, most_ms: int = 2**53) -> "asyncio.Future[None]":
        """Done when someone next asks to wait so long."""
        watch: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watches.append((least_ms, most_ms, watch))
        return watch

    def advance(self, ms: int) -> None:
        """Let time pass, and wake whose time has come."""
        self._mono_ms += ms
        self._wall_ms += ms
        while self._sleepers and self._sleepers[0][0] <= self._mono_ms:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def set_wall(self, wall_ms: int) -> None:
        """Someone sets the device's clock."""
        self._wall_ms = wall_ms


def record_id(number: int) -> RecordId:
    """The number-th record id, in order."""
    return new_record_id(NOON, number.to_bytes(10, "big"))  # type: ignore[arg-type]  # a moment


def incident(summary: str = "Bicycle taken from a shed", area: str = "birmingham", **more: Any) -> Incident:  # noqa: ANN401  any field
    """An incident that nobody reported."""
    return Incident(opened_at=NOON, area=area, category=Category.CRIME, summary=summary, **more)  # type: ignore[arg-type]


def unnumbered(value: Kind | None) -> Kind | None:
    """A record without the number that the server gave it: in which order things came is not what is compared."""
    return msgspec.structs.replace(value, urn=None) if isinstance(value, Incident) else value


async def opened(folder: Path, identity: DeviceIdentity, **more: Any) -> Handheld:  # noqa: ANN401  as open takes
    """An officer's handheld on the usual key."""
    more = {"keys": HeldKey(KEY), "author": "WM21877", **more}
    return await Handheld.open(folder, identity=identity, **more)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@asynccontextmanager
async def connected(folder: Path, identity: DeviceIdentity, toy: ToyServer, **more: Any) -> AsyncIterator[Handheld]:  # noqa: ANN401  as open takes
    """A device that has caught up with a server."""
    async with await opened(folder, identity, server=toy.url, **{"backoff": AT_ONCE, **more}) as handheld:
        await handheld.wait_until(caught_up)
        yield handheld


def caught_up(status: SyncStatus) -> bool:
    """Nothing is missing here, nothing is waiting there."""
    return status.caught_up and status.waiting == 0


def said(text: str) -> Callable[[SyncStatus], bool]:
    """The last connection ended with this."""
    return lambda status: not status.connected and text in status.last_error


async def change_of(stream: ChangeStream, kind: type[Change]) -> Any:  # noqa: ANN401  of that type
    """The next change of a type."""
    return await anext(change async for change in stream if isinstance(change, kind))


async def server_has(toy: ToyServer, record: RecordId) -> bool:
    """Whether the server holds the record."""
    return await toy.store.record(record) is not None
