"""The server is updated in place, and set back again: what was kept is read, what it cannot read it carries along."""

from typing import Any

import pytest

from schemas.ids import Millis, RecordId
from schemas.kinds import Incident
from schemas.kinds.incident import Category, Grade
from tests.evolution.conftest import Other, Ours
from tests.evolution.support import INCIDENT, OtherHandheld, UpgradableStage, done, meet, reach, rest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


async def values(stage: UpgradableStage, record: RecordId) -> dict[str, Any]:
    """What the server itself shows of a record."""
    told: dict[str, Any] = await stage.get(f"/v1/records/{record}")
    return dict(told["values"])


async def test_what_was_kept_in_trust_is_read_after_an_update(stage: UpgradableStage, ours: Ours, other: Other) -> None:
    """The newer server merges it by its policy: a raise that nobody below could read stands over what came since."""
    new, mine = await other("ahead", "hh-new"), await ours("hh-01")
    record = await new.create("incident", **INCIDENT, grade="p2", threat="moderate")
    await new.done(record)
    await new.edit(record, grade="p0", category="cyber", threat="severe")
    await reach(mine, record, await new.done(record))
    await mine.edit(record, grade=Grade.SCHEDULED, why="Nobody is there any more.")
    await done(mine, record)
    before = await values(stage, record)
    assert (before["grade"], before["category"], "threat" in before) == ("scheduled", "public-safety", False)

    await stage.update()
    after = await values(stage, record)
    assert (after["grade"], after["category"], after["threat"]) == ("p0", "cyber", "severe")


async def test_an_unknown_value_that_the_server_holds_is_shown_as_such(
    stage: UpgradableStage, ours: Ours, other: Other
) -> None:
    """On a handheld of this version it reads `unknown: …`; its edits leave it, and who has seen it may lower it."""
    await stage.update()
    new, mine = await other("ahead", "hh-new"), await ours("hh-01")
    given = {**INCIDENT, "category": "cyber", "grade": "p0", "status": "on-hold", "threat": "severe"}
    record = await new.create("incident", **given)
    seen = await reach(mine, record, await new.done(record))
    assert {name: seen["tokens"][name] for name in ("category", "grade", "status")} == {
        "category": "unknown: cyber",
        "grade": "unknown: p0",
        "status": "unknown: on-hold",
    }
    shown = await mine.get(Incident, record)
    assert shown is not None
    assert not shown.grade.known
    assert str(shown.grade.value) == "p0"

    await mine.edit(record, summary="A server was broken into")
    view = await new.reach(record, await done(mine, record))
    assert {name: view["values"][name] for name in given} == {**given, "summary": "A server was broken into"}
    await mine.edit(record, grade=Grade.P2, why="The caller is safe by now.")
    view = await new.reach(record, await done(mine, record))
    assert view["values"]["grade"] == "p2"


async def test_a_kind_that_only_the_server_knows_is_kept(stage: UpgradableStage, ours: Ours, other: Other) -> None:
    """Its rows come and change on a handheld of this version, which shows nothing of them and goes on."""
    await stage.update()
    new, mine = await other("ahead", "hh-new"), await ours("hh-01")
    drone = await new.create("drone", name="Kestrel 2", area="birmingham")
    await new.done(drone)
    await new.call("append", record=drone, field="log", entry={"text": "Up over the canal."})
    record = await new.create("incident", **INCIDENT)
    await reach(mine, record, await new.done(record))
    await mine.edit(record, location="Canal Street")
    await new.reach(record, await done(mine, record))
    assert await mine.inspect(drone) is None
    assert await mine.find(Incident, location="Canal Street") != []
    assert mine.status.repairs == 0


async def test_a_server_that_is_set_back_carries_what_it_does_not_know(
    stage: UpgradableStage, ours: Ours, other: Other
) -> None:
    """Edits at the older server leave what the newer one wrote; after the next update all is there."""
    await stage.update()
    new, mine = await other("ahead", "hh-new"), await ours("hh-01")
    record = await new.create("incident", **INCIDENT, threat="severe", grade="p0")
    await new.call("append", record=record, field="witnesses", entry={"text": "A man with a dog."})
    drone = await new.create("drone", name="Kestrel 2", area="birmingham")
    await reach(mine, record, await new.done(record))
    await new.rest()

    await stage.restart()
    await meet(mine)
    await new.meet()
    for summary in ("One", "Two", "Three"):
        await mine.edit(record, summary=summary)
        await done(mine, record)
    await new.call("append", record=drone, field="log", entry={"text": "Down again."})
    await new.edit(record, threat="low")
    version = await done(mine, record)
    view = await new.reach(record, version)
    assert (view["values"]["summary"], view["values"]["grade"]) == ("Three", "p0")
    assert [op["code"] for op in await new.call("outbox") if op["code"]] == ["op_kind_unknown"]
    theft = await mine.create(incident())
    await rest(mine)
    await reach(mine, theft.record, 1)

    await stage.update()
    await new.meet()
    fresh = await other("ahead", "hh-fresh")
    await new.rest()
    await fresh.rest()
    assert [await shows(each, record, "threat") for each in (new, fresh)] == ["low", "low"]
    last = await fresh.call("inspect", record=record)
    assert (last["values"]["summary"], last["values"]["grade"], last["unread"]) == ("Three", "p0", {})
    assert last["values"]["witnesses"] == [{"text": "A man with a dog."}]
    assert (await values(stage, drone))["log"] == [{"text": "Down again."}]


async def shows(handheld: OtherHandheld, record: RecordId, field: str) -> object:
    """The value of a field there."""
    return (await handheld.call("inspect", record=record))["values"][field]


def incident() -> Incident:
    """An invented incident of this version."""
    return Incident(opened_at=Millis(5), area="birmingham", category=Category.CRIME, summary="A bicycle is gone")
