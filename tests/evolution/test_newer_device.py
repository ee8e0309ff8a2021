"""A handheld one version ahead of this server: what it alone knows is kept, and comes out right where it is known."""

from typing import Any

import pytest

from schemas import wire
from schemas.ids import RecordId
from tests.evolution.conftest import Other, Ours
from tests.evolution.support import BOOKING, INCIDENT, OtherHandheld, UpgradableStage, done, reach, rest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


async def test_the_programs_are_altered(other: Other) -> None:
    """Each says the schema, the kinds and the fields of its own version: what the tests here rest on."""
    behind, ahead = await other("behind", "hh-old"), await other("ahead", "hh-new")
    old, new = await behind.call("self"), await ahead.call("self")
    assert (old["schema"], sorted(old["kinds"])) == (1, ["briefing", "custody-booking", "incident"])
    assert "arrests" not in old["kinds"]["incident"]
    assert new["schema"] == wire.SCHEMA + 1
    assert {"drone", "inbox-item"} <= new["kinds"].keys()
    assert "threat" in new["kinds"]["incident"]


async def test_a_field_that_only_the_newer_know_survives_everything(
    stage: UpgradableStage, ours: Ours, other: Other
) -> None:
    """Edits by this version and an older one, a restart and a snapshot leave it; another newer device shows it."""
    first, mine, old = await other("ahead", "hh-new-1"), await ours("hh-01"), await other("behind", "hh-old")
    record = await first.create("incident", **INCIDENT, threat="severe")
    booking = await first.create("custody-booking", **BOOKING, language="Welsh")
    seen = await reach(mine, record, await first.done(record))
    assert seen["unread"] == {"threat": ["severe"]}
    await mine.edit(record, location="High Street")
    await old.reach(record, await done(mine, record))
    await old.reach(booking, 1)
    await old.edit(record, summary="Glass everywhere")
    await old.edit(booking, detainee="Arthur J. Quill")
    version = await old.done(record)
    await stage.restart()

    second, fresh = await other("ahead", "hh-new-2"), await ours("hh-02")
    await second.rest()
    view, held = await second.reach(record, version), await second.reach(booking, 1)
    assert (view["values"]["threat"], view["unread"]) == ("severe", {})
    assert (view["values"]["location"], view["values"]["summary"]) == ("High Street", "Glass everywhere")
    assert (held["values"]["language"], held["values"]["detainee"]) == ("Welsh", "Arthur J. Quill")
    await rest(fresh)
    assert (await reach(fresh, record, version))["unread"] == {"threat": ["severe"]}


async def test_the_newer_among_themselves_merge_what_they_alone_know(ours: Ours, other: Other) -> None:
    """Of two threats set without sight of each other the higher stands; who has seen both may lower it."""
    one, two = await other("ahead", "hh-new-1"), await other("ahead", "hh-new-2")
    record = await one.create("incident", **INCIDENT, threat="moderate")
    booking = await one.create("custody-booking", **BOOKING)
    await two.reach(record, await one.done(record))
    await two.reach(booking, 1)
    await one.call("offline")
    await two.call("offline")
    await one.edit(record, threat="low")
    await one.edit(booking, language="Welsh")
    await two.edit(record, threat="severe")
    await two.edit(booking, language="Urdu")
    for device in (one, two):
        await device.call("online")
        await device.rest()
    assert [view["values"]["threat"] for view in await latest(one, two, record)] == ["severe", "severe"]
    assert [view["values"]["language"] for view in await latest(one, two, booking)] == ["Urdu", "Urdu"]

    await one.edit(record, threat="low")
    await one.call("append", record=record, field="witnesses", entry={"text": "A man with a dog."})
    await one.rest()
    views = await latest(one, two, record)
    assert [view["values"]["threat"] for view in views] == ["low", "low"]
    assert [len(view["values"]["witnesses"]) for view in views] == [1, 1]
    mine = await ours("hh-01")
    await rest(mine)
    kept = (await reach(mine, record, views[0]["version"]))["unread"]
    assert sorted(kept["threat"]) == ["low", "low", "moderate", "severe"]
    assert kept["witnesses"] == [[{"text": "A man with a dog."}]]


async def test_a_value_that_this_version_does_not_know_waits_in_trust(ours: Ours, other: Other) -> None:
    """Category, grade and status keep what this version can read; what was written stands beside it, by name."""
    one, mine = await other("ahead", "hh-new-1"), await ours("hh-01")
    record = await one.create("incident", **INCIDENT, grade="p2")
    await one.done(record)
    await one.edit(record, category="cyber", grade="p0", status="on-hold")
    version = await one.done(record)
    seen = await reach(mine, record, version)
    assert seen["unread"] == {"category": ["cyber"], "grade": ["p0"], "status": ["on-hold"]}
    assert [seen["values"][name] for name in ("category", "grade", "status")] == ["public-safety", "p2", "open"]
    two = await other("ahead", "hh-new-2")
    view = await two.reach(record, version)
    assert [view["values"][name] for name in ("category", "grade", "status")] == ["cyber", "p0", "on-hold"]
    assert view["unread"] == {}


async def test_a_change_without_sight_of_what_is_kept_in_trust_stands_beside_it(ours: Ours, other: Other) -> None:
    """This version's lowering never undoes a raise that it could not read; a newer officer who saw both settles it."""
    one, two, mine = await other("ahead", "hh-new-1"), await other("ahead", "hh-new-2"), await ours("hh-01")
    record = await one.create("incident", **INCIDENT, grade="p2")
    await one.done(record)
    await one.edit(record, grade="p0")
    await reach(mine, record, await one.done(record))
    await mine.edit(record, grade="scheduled", why="A child had rung in jest.")
    version = await done(mine, record)
    assert (await two.reach(record, version))["values"]["grade"] == "p0"
    assert (await reach(mine, record, version))["values"]["grade"] == "scheduled"

    await two.edit(record, grade="p1")
    settled = await reach(mine, record, await two.done(record))
    assert (settled["values"]["grade"], settled["unread"]) == ("p1", {})
    assert [view["values"]["grade"] for view in await latest(one, two, record)] == ["p1", "p1"]


async def test_a_lowering_from_what_this_version_cannot_read_counts_for_it_too(ours: Ours, other: Other) -> None:
    """What the raise had superseded does not come back when somebody who saw the raise lowers it."""
    one, mine = await other("ahead", "hh-new-1"), await ours("hh-01")
    record = await one.create("incident", **INCIDENT, grade="p1")
    await one.done(record)
    await one.edit(record, grade="p0")
    await one.done(record)
    await one.edit(record, grade="no-deployment")
    seen = await reach(mine, record, await one.done(record))
    assert (seen["values"]["grade"], seen["unread"]) == ("no-deployment", {})


async def test_what_must_not_be_without_a_newer_value_waits_on_its_device(
    stage: UpgradableStage, ours: Ours, other: Other
) -> None:
    """It and a record of an unknown kind stay in the outbox with the reason; others go on; an update takes them all."""
    one, mine = await other("ahead", "hh-new-1"), await ours("hh-01")
    crime = await one.create("incident", **{**INCIDENT, "category": "cyber"})
    drone = await one.create("drone", name="Kestrel 2", area="birmingham")
    await one.call("append", record=drone, field="log", entry={"text": "Up over the canal."})
    theft = await one.create("incident", **INCIDENT)
    await one.reach(theft, 1)
    await reach(mine, theft, 1)
    waiting = await one.call("outbox")
    assert [op["code"] for op in waiting] == ["op_value_newer", "op_kind_unknown", ""]
    assert waiting[-1]["detail"].startswith("behind op ")
    assert await one.call("held") == []

    await stage.update()
    await one.rest()
    assert await one.call("outbox") == []
    two = await other("ahead", "hh-new-2")
    await two.rest()
    assert (await two.reach(crime, 1))["values"]["category"] == "cyber"
    assert (await two.reach(drone, 1))["values"]["log"] == [{"text": "Up over the canal."}]
    assert (await reach(mine, crime, 1))["tokens"]["category"] == "unknown: cyber"


async def latest(one: OtherHandheld, two: OtherHandheld, record: RecordId) -> list[dict[str, Any]]:
    """What two handhelds show of a record, once both hold its latest version."""
    version = max(await one.done(record), await two.done(record))
    return [await device.reach(record, version) for device in (one, two)]
