"""Suites and cells that are added while everything runs; the last free cell, which two desks take with no signal."""

from pathlib import Path
from typing import Any

import pytest

from schemas import scopes
from schemas.ids import Millis, ScopeName
from schemas.kinds import CustodyBooking, Resource, spec_of
from schemas.kinds.resource import Category, Service
from sync.device import ClaimDisplaced, DeviceIdentity, Standing
from sync.merge import RecordState
from sync.policing.custody.cells import Suite, suites
from tests.sync.device.desks import Desks
from tests.sync.device.support import AT_ONCE, NOON, VirtualClock, caught_up, change_of, opened, record_id
from tests.sync.policing.custody_record.cells import resource
from tests.toy_server import toy_server

NEW = scopes.suite("willenhall")
NEAR = scopes.suite("bloxwich")
LAST, OTHER, BROKEN = record_id(11), record_id(12), record_id(13)


def cell(name: str, home: ScopeName = NEW, **more: Any) -> Resource:  # noqa: ANN401  any field
    """A cell."""
    return Resource(category=Category.CELL, name=name, home=home, **more)


async def test_suites_added_at_run_time_last_cell_contested(tmp_path: Path) -> None:
    """Row: suites added at run time, last cell contested. The first claim to arrive holds, the other sees what is free.

    No program knew the suite: its cells are records that somebody made while the desks were at work.
    """
    clock = VirtualClock()
    desks = [DeviceIdentity.generate("desk-1"), DeviceIdentity.generate("desk-2")]
    grants = [NEW, scopes.CUSTODY, scopes.inbox(NEW)]
    async with toy_server([(each, grants) for each in desks], now=lambda: Millis(clock.wall_ms())) as toy:
        more = {"server": toy.url, "backoff": AT_ONCE, "clock": clock}
        async with (
            await opened(tmp_path / "one", desks[0], author="WM10001", **more) as one,
            await opened(tmp_path / "two", desks[1], author="WM20002", **more) as two,
        ):
            for each in (one, two):
                await each.wait_until(caught_up)
            await toy.make(LAST, cell("W1"))
            await toy.make(OTHER, cell("B4", NEAR))
            await toy.make(BROKEN, cell("W2", service=Service.OUT_OF_SERVICE))
            both = Desks(one, two, toy, clock)
            await both.meet(one, two)
            await both.cut_off()
            bookings = [
                await each.create(CustodyBooking(suite="willenhall", detainee=name, arrested_at=Millis(NOON)))
                for each, name in ((one, "Robin Example"), (two, "Sam Example"))
            ]
            await one.claim(LAST, bookings[0].record)
            await two.claim(LAST, bookings[1].record)
            for each in (one, two):
                state = await each.claim_state(LAST)
                assert state is not None
                assert state.standing is Standing.PROVISIONAL
            stream = two.changes()
            await both.meet(one, two)
            displaced = await change_of(stream, ClaimDisplaced)
            assert displaced.record == LAST
            held, lost = await one.claim_state(LAST), await two.claim_state(LAST)
            assert held is not None
            assert lost is not None
            assert (held.standing, held.holder) == (Standing.HELD, bookings[0].record)
            assert (lost.standing, lost.own is not None) == (Standing.DISPLACED, True)
            assert [each.record for each in await two.alternatives(LAST)] == [OTHER]
            assert lost.item is not None
            assert [each.record for each in await two.alternatives(lost.item)] == [OTHER]


def test_a_suite_is_there_as_soon_as_a_cell_says_so() -> None:
    """Free, held, contested and out of service, each by name; what is no cell of a suite belongs to none."""
    records: list[RecordState] = [
        resource(1, name="W2", home=NEW),
        resource(2, name="W1", home=NEW),
        resource(3, name="W3", home=NEW, hold={"holder": "a booking"}),
        resource(4, name="W4", home=NEW, service="out-of-service"),
        resource(5, name="W5", home=NEW, contested=True),
        resource(6, name="B1", home=NEAR, hold={"holder": "desk-1", "until": NOON + 5}),
        resource(7, name="BX-21", home=NEW, category="vehicle"),
        resource(8, name="Drying room", home=ScopeName("area:walsall")),
    ]
    bloxwich, willenhall = suites(records, Millis(NOON))
    assert bloxwich == Suite(slug="bloxwich", free=(), held=(records[5].id,), contested=(), out_of_service=())
    assert willenhall.free == (records[1].id, records[0].id)
    assert (willenhall.held, willenhall.contested) == ((records[2].id,), (records[4].id,))
    assert (willenhall.out_of_service, willenhall.cells) == ((records[3].id,), 5)
    later = suites(records, Millis(NOON + 5))
    assert later[0].free == (records[5].id,)


@pytest.mark.parametrize("home", ["suite:willenhall", "suite:of-tomorrow"])
def test_no_program_knows_the_suites(home: str) -> None:
    """Any name is one."""
    assert [one.slug for one in suites([resource(1, name="A", home=home)], Millis(NOON))] == [home.partition(":")[2]]
    assert spec_of(Resource).name == "resource"
