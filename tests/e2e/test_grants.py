"""Promise 7 over real sockets: what leaves a device's grants leaves the device."""

import pytest

from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from server.demo.masts import Mast
from server.demo.stage import Stage
from sync.device import Handheld
from tests.e2e.conftest import OpenHandheld, at_rest, officer_of, report

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


async def areas(handheld: Handheld) -> set[str]:
    """The areas of which the handheld holds incidents."""
    return {incident.area for _, incident in await handheld.find(Incident)}


async def until_areas(handheld: Handheld, expected: set[str]) -> None:
    """Wait until the handheld holds incidents of exactly these areas."""
    changes = handheld.changes()
    while await areas(handheld) != expected:
        await anext(changes)


async def test_a_grant_that_ends_takes_its_records_away_at_once(stage: Stage, open_handheld: OpenHandheld) -> None:
    """Live: Dudley's incidents go, Birmingham's stay; granted anew they come back whole."""
    await stage.start()
    handheld = await open_handheld("hh-01", "area:birmingham", "area:dudley")
    await handheld.create(report("birmingham"))
    made = await handheld.create(report("dudley"))
    await handheld.wait_until(at_rest)
    await stage.name(officer_of("hh-01"), "area:birmingham")
    await until_areas(handheld, {"birmingham"})
    assert await handheld.get(Incident, made.record) is None
    await stage.name(officer_of("hh-01"), "area:birmingham", "area:dudley")
    await until_areas(handheld, {"birmingham", "dudley"})


async def test_a_grant_that_ended_while_there_was_no_signal_is_retracted_on_contact(
    stage: Stage, open_handheld: OpenHandheld, mast: Mast
) -> None:
    """The records go at the first contact; an edit made meanwhile waits for a supervisor, and is not lost."""
    await stage.start()
    handheld = await open_handheld("hh-01", "area:birmingham", "area:dudley", mast=mast)
    made = await handheld.create(report("dudley"))
    await handheld.wait_until(at_rest)
    mast.cut()
    await handheld.wait_until(lambda status: not status.connected)
    await stage.name(officer_of("hh-01"), "area:birmingham")
    await handheld.append(made.record, "log", LogEntry(text="written without a right to it"))
    mast.restore()
    handheld.network_returned()
    await until_areas(handheld, set())
    await handheld.wait_until(lambda status: at_rest(status) and status.sealed == 0)
    assert (await handheld.held(), handheld.status.waiting) == ([], 0)
    (edit,) = (await stage.get("/v1/quarantine"))["edits"]
    assert (edit["seat"], edit["author"], edit["record"]) == ("hh-01", officer_of("hh-01"), made.record)


async def test_an_incident_that_moves_to_another_area_moves_between_handhelds(
    stage: Stage, open_handheld: OpenHandheld
) -> None:
    """It leaves the replica that may not see the new area and appears where it may be seen."""
    await stage.start()
    birmingham = await open_handheld("hh-01", "area:birmingham")
    dudley = await open_handheld("hh-02", "area:dudley")
    control = await open_handheld("desk-01", "area:birmingham", "area:dudley")
    made = await birmingham.create(report("birmingham"))
    await until_areas(control, {"birmingham"})
    await control.edit(made.record, area="dudley")
    await until_areas(dudley, {"dudley"})
    await until_areas(birmingham, set())
    await until_areas(control, {"dudley"})
