"""Outside the window of versions that a server takes: no session, and nothing lost."""

import pytest

from schemas import wire
from tests.evolution.conftest import Other, Ours
from tests.evolution.support import INCIDENT, UpgradableStage, reach, rest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


async def test_a_handheld_that_is_too_new_keeps_its_outbox(stage: UpgradableStage, ours: Ours, other: Other) -> None:
    """Two versions ahead it is told `upgrade_required`; what it wrote waits, and goes up once the server is updated."""
    new = await other(f"ahead:{wire.SCHEMA + 2}", "hh-new")
    record = await new.create("incident", **INCIDENT, threat="severe")
    status = await new.call("wait", until="told", text="upgrade_required")
    assert f"schema {wire.SCHEMA + 2}; this server takes 1 to {wire.SCHEMA_MAX}" in status["last_error"]
    assert not status["connected"]
    assert len(await new.call("outbox")) == 1
    await new.edit(record, summary="Quiet now")
    assert (await new.call("inspect", record=record))["values"]["summary"] == "Quiet now"

    await stage.update()
    await new.meet()
    await new.rest()
    mine = await ours("hh-01")
    await rest(mine)
    assert (await reach(mine, record, 1))["values"]["summary"] == "Quiet now"


async def test_a_handheld_that_is_too_old_keeps_its_outbox(stage: UpgradableStage, other: Other) -> None:
    """It reads and writes on its own disk; with a newer program on the same replica its work goes up."""
    old = await other("behind", "hh-old")
    record = await old.create("incident", **INCIDENT)
    await old.done(record)
    await stage.update(oldest=2)
    await old.meet()
    status = await old.call("wait", until="told", text="upgrade_required")
    assert f"schema 1; this server takes 2 to {wire.SCHEMA_MAX + 1}" in status["last_error"]
    await old.edit(record, summary="Quiet now")
    assert len(await old.call("outbox")) == 1
    assert await old.call("held") == []
    await old.close()

    new = await other("ahead", "hh-old")
    await new.rest()
    assert (await new.reach(record, 2))["values"]["summary"] == "Quiet now"
