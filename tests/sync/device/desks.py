"""Two custody desks of one suite at one server, each with its inbox, and what they quarrel over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas import scopes
from schemas.ids import Millis, RecordId
from schemas.kinds import CustodyBooking, Medical, Resource
from schemas.kinds.resource import Category
from sync.device import DeviceIdentity, Handheld
from tests.sync.device.support import AT_ONCE, NOON, VirtualClock, caught_up, opened, record_id
from tests.toy_server import ToyServer, toy_server

SUITE: Final = scopes.suite("perry-barr")
ELSEWHERE: Final = scopes.suite("oldbury")
CELL: Final = record_id(1)
"""The cell M1 of Perry Barr."""
MINUTE_MS: Final = 60_000


class Desks(msgspec.Struct, frozen=True):
    """Two desks that have caught up, on one clock, which only moves when a test says so."""

    one: Handheld
    two: Handheld
    toy: ToyServer
    clock: VirtualClock

    async def cut_off(self) -> None:
        """Neither has signal."""
        await self.one.go_offline()
        await self.two.go_offline()

    async def meet(self, *handhelds: Handheld) -> None:
        """Signal returns, to one after the other; then all of them have everything."""
        # Twice: what a later one brings, an earlier one has only then. And by a new connection each time, which sends
        # at once what waits: the pauses between two pushes are in virtual time.
        for handheld in (*handhelds, *handhelds):
            await handheld.go_offline()
            await handheld.go_online()
            await handheld.wait_until(caught_up)


@asynccontextmanager
async def two_desks(folder: Path) -> AsyncIterator[Desks]:
    """Sit down at them."""
    clock = VirtualClock()
    identities = [DeviceIdentity.generate("desk-1"), DeviceIdentity.generate("desk-2")]
    medical = scopes.medical("perry-barr")
    grants = [SUITE, scopes.CUSTODY, scopes.inbox(SUITE), medical, scopes.inbox(medical)]
    async with toy_server([(each, grants) for each in identities], now=lambda: Millis(clock.wall_ms())) as toy:
        await toy.make(CELL, cell("M1"))
        more = {"server": toy.url, "backoff": AT_ONCE, "clock": clock}
        async with (
            await opened(folder / "one", identities[0], author="WM10001", **more) as one,
            await opened(folder / "two", identities[1], author="WM20002", **more) as two,
        ):
            for each in (one, two):
                await each.wait_until(caught_up)
            yield Desks(one, two, toy, clock)


def cell(name: str, **more: Any) -> Resource:  # noqa: ANN401  any field
    """A cell, of Perry Barr unless told otherwise."""
    return Resource(**{"category": Category.CELL, "name": name, "home": SUITE, **more})


def booking(detainee: str = "A. Garside", **more: Any) -> CustodyBooking:  # noqa: ANN401  any field
    """A booking of somebody who does not exist."""
    return CustodyBooking(suite="perry-barr", detainee=detainee, arrested_at=Millis(NOON), **more)


async def shared_booking(desks: Desks, **more: Any) -> RecordId:  # noqa: ANN401  any field
    """A booking that both desks have."""
    made = await desks.one.create(booking(**more))
    await desks.meet(desks.one, desks.two)
    return made.record


async def shared_medical(desks: Desks) -> RecordId:
    """A booking's medical record that both desks have."""
    held = await shared_booking(desks)
    made = await desks.one.create(Medical(booking=held, suite="perry-barr"))
    await desks.meet(desks.one, desks.two)
    return made.record
