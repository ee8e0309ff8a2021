"""A replica that the program of version 1 left behind, opened by this one."""

import pytest

from schemas.errors import ReplicaError
from schemas.kinds import CustodyBooking, Incident
from schemas.kinds.incident import Grade
from sync.device import Handheld, HeldKey
from tests.evolution.conftest import Other, Ours
from tests.evolution.support import BOOKING, INCIDENT, Family, UpgradableStage, done, reach

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


async def test_it_opens_with_all_that_was_in_it_and_its_outbox_goes_up(
    stage: UpgradableStage, ours: Ours, other: Other
) -> None:
    """Rows and queued ops of version 1, a retired field among them, are read, shown, pushed and edited further."""
    old = await other("behind", "hh-01")
    record = await old.create("incident", **INCIDENT, grade="p2", log=[{"text": "First call."}])
    booking = await old.create("custody-booking", **BOOKING, cell="M3")
    await old.done(record)
    await old.done(booking)
    assert (await old.row(record) or {}).keys() == {"id", "kind", "v", "stamps", "cells"}
    await old.call("offline")
    await old.edit(record, grade="scheduled", status="assigned")
    await old.edit(booking, cell="M4")
    await old.call("append", record=record, field="log", entry={"text": "On the way."})
    late = await old.create("custody-booking", **{**BOOKING, "detainee": "Ann Ode"}, cell="F1")
    await old.close()

    mine = await ours("hh-01")
    scene, held = await mine.get(Incident, record), await mine.get(CustodyBooking, booking)
    assert scene is not None
    assert held is not None
    assert (scene.grade, scene.status.value, held.cell) == (Grade.SCHEDULED, "assigned", "M4")
    assert [entry.text for entry in scene.log] == ["First call.", "On the way."]
    version = await done(mine, record)
    assert await mine.held() == []
    await mine.edit(record, grade=Grade.P1, location="High Street")
    assert await done(mine, record) > version

    fresh = await ours("hh-02")
    seen = await reach(fresh, record, await done(mine, record))
    assert [seen["values"][name] for name in ("grade", "status", "location")] == ["p1", "assigned", "High Street"]
    assert (await reach(fresh, booking, 1))["values"]["cell"] == "M4"
    assert (await reach(fresh, late, 1))["values"]["cell"] == "F1"


async def test_it_opens_with_no_signal(family: Family, stage: UpgradableStage, other: Other) -> None:
    """Nothing of it needs the server: what the older program left is shown and edited on this disk alone."""
    old = await other("behind", "hh-01")
    record = await old.create("incident", **INCIDENT)
    await old.done(record)
    await old.close()
    await stage.stop()
    opening = Handheld.open(
        family.folder("hh-01"), identity=family.identity("hh-01"), keys=HeldKey(bytes(range(32))), author="WM21877"
    )
    async with opening as mine:
        await mine.edit(record, grade=Grade.P1)
        scene = await mine.get(Incident, record)
        assert scene is not None
        assert (scene.grade, scene.summary) == (Grade.P1, INCIDENT["summary"])
    with pytest.raises(ReplicaError):
        async with Handheld.open(
            family.folder("hh-01"), identity=family.identity("hh-01"), keys=HeldKey(bytes(32)), author="WM21877"
        ):
            pytest.fail("opened with another key")
