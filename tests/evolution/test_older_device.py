"""A handheld one version behind this server: it goes on, and never erases what it does not know."""

import base64

import msgspec
import pytest

from schemas.codec import reread_op
from schemas.errors import UsageError
from schemas.ids import Millis, RecordId
from schemas.kinds import CustodyBooking, Incident, Resource
from schemas.kinds.booking import AppropriateAdult, Disposal, Risk
from schemas.kinds.common import Arrest
from schemas.kinds.incident import Category, Grade, IncidentStatus
from schemas.kinds.resource import Category as Sort
from server.store.sqlite import SqliteStore
from sync.device import Handheld
from tests.evolution.conftest import Other, Ours
from tests.evolution.support import BOOKING, INCIDENT, SaidNo, UpgradableStage, done, plain, reach, rest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

FIRST_OP = {
    "device",
    "n",
    "record",
    "kind",
    "author",
    "hlc",
    "occurred_at",
    "wall",
    "changes",
    "create",
    "base",
    "after",
}
"""What an op of version 1 may hold, less the reason."""


SCENE = Incident(
    opened_at=Millis(1_790_000_000_000),
    area="birmingham",
    category=Category.PUBLIC_SAFETY,
    summary="Shouting and glass breaking",
)
"""The same invented incident, of this version."""


def incident(**values: object) -> Incident:
    """An invented incident of this version."""
    return msgspec.structs.replace(SCENE, **values)


async def test_it_writes_and_keeps_as_the_older_program_did(stage: UpgradableStage, ours: Ours, other: Other) -> None:
    """Its ops say nothing of sight or doubt, and its rows have stamps of 8: what the other tests here rest on."""
    old, mine = await other("behind", "hh-old"), await ours("hh-01")
    record = await old.create("incident", **INCIDENT)
    await reach(mine, record, await old.done(record))
    await mine.edit(record, grade=Grade.P1)
    await old.reach(record, await done(mine, record))
    await old.edit(record, grade="scheduled")
    await old.done(record)
    row = await old.row(record)
    assert row is not None
    assert {len(stamp) for stamp in row["stamps"]} == {8}
    assert row.keys() == {"id", "kind", "v", "stamps", "cells"}
    await stage.stop()
    store = await SqliteStore.open(stage.data, inline=True)
    bodies = [one.body for one in await store.ops(None, 0, 9) if reread_op(one.body).device == "hh-old"]
    await store.close()
    assert len(bodies) == 2
    for body in bodies:
        assert plain(body).keys() <= FIRST_OP


async def test_its_edits_leave_every_field_that_it_does_not_know(ours: Ours, other: Other) -> None:
    """Arrests, the appropriate adult and the disposal are as they were; what it changed is changed."""
    old, mine = await other("behind", "hh-old"), await ours("hh-01")
    scene = (await mine.create(incident(arrests=(Arrest(person="Jo Marsh", arrested_at=Millis(5)),)))).record
    booked = CustodyBooking(
        suite="perry-barr",
        detainee="Arthur Quill",
        arrested_at=Millis(5),
        appropriate_adult=AppropriateAdult.NEEDED,
        disposal=Disposal.BAIL,
    )
    held = (await mine.create(booked)).record
    await old.reach(scene, await done(mine, scene))
    await old.reach(held, 1)
    await old.edit(scene, summary="Two men arguing", units=["BX-21"])
    await old.edit(held, offence="Theft", detainee="Arthur J. Quill")
    version = max(await old.done(scene), await old.done(held))
    # Both were made in one commit or in two; what is edited comes in a later one.
    assert version > 1
    await rest(mine)
    after = (await reach(mine, scene, await old.done(scene)))["values"]
    assert (after["summary"], after["arrests"]) == ("Two men arguing", [{"person": "Jo Marsh", "arrested_at": 5}])
    booking = (await reach(mine, held, await old.done(held)))["values"]
    assert (booking["detainee"], booking["offence"]) == ("Arthur J. Quill", "Theft")
    assert (booking["appropriate_adult"], booking["disposal"]) == ("needed", "bail")


async def test_its_lowering_counts_for_what_its_base_held_and_no_further(ours: Ours, other: Other) -> None:
    """It lowers what it was looking at; a raise that came meanwhile stands, though the op does not say what it saw."""
    old, mine = await other("behind", "hh-old"), await ours("hh-01")
    record = (await mine.create(incident(grade=Grade.P2))).record
    await old.reach(record, await done(mine, record))
    await old.edit(record, grade="scheduled")
    assert (await reach(mine, record, await old.done(record)))["values"]["grade"] == "scheduled"

    await old.call("offline")
    await old.edit(record, grade="p2")
    await mine.edit(record, grade=Grade.P1)
    await done(mine, record)
    await old.call("online")
    version = await old.done(record)
    assert (await reach(mine, record, version))["values"]["grade"] == "p1"
    assert (await old.reach(record, version))["values"]["grade"] == "p1"


async def test_its_base_is_no_sight_of_a_raise_that_is_kept_in_trust(ours: Ours, other: Other) -> None:
    """Nobody below the next version saw the raise, so neither an older program's lowering nor ours undoes it."""
    old, new = await other("behind", "hh-old"), await other("ahead", "hh-new")
    record = await new.create("incident", **INCIDENT, grade="p2")
    await new.done(record)
    await new.edit(record, grade="p0")
    await old.reach(record, await new.done(record))
    await old.edit(record, grade="scheduled")
    version = await old.done(record)
    assert (await new.reach(record, version))["values"]["grade"] == "p0"
    mine = await ours("hh-01")
    await rest(mine)
    seen = await reach(mine, record, version)
    assert (seen["values"]["grade"], seen["unread"]) == ("scheduled", {"grade": ["p0"]})


async def test_its_closing_of_work_that_it_cannot_see_asks_a_person(ours: Ours, other: Other) -> None:
    """It has no field for arrests, so it closed without sight of one, whatever version of the record it stood on."""
    old, mine = await other("behind", "hh-old"), await ours("hh-01")
    record = (await mine.create(incident(status=IncidentStatus.ATTENDED))).record
    await mine.append(record, "arrests", Arrest(person="Jo Marsh", arrested_at=Millis(5)))
    await old.reach(record, await done(mine, record))
    await old.edit(record, status="closed")
    seen = await reach(mine, record, await old.done(record))
    assert seen["values"]["status"] == "attended"
    assert seen["differing"] == {"status": ["closed"]}


async def test_a_retired_field_is_kept_and_shown_and_no_longer_written(ours: Ours, other: Other) -> None:
    """The cell that an older desk wrote stays through this version's edits; this version says what to do instead."""
    old, mine = await other("behind", "hh-old"), await ours("hh-01")
    record = await old.create("custody-booking", **BOOKING, cell="M3")
    assert (await reach(mine, record, await old.done(record)))["values"]["cell"] == "M3"
    with pytest.raises(UsageError, match="no longer written: claim the cell's own record"):
        await mine.edit(record, cell="M4")
    await mine.edit(record, risk=Risk.HIGH)
    view = await old.reach(record, await done(mine, record))
    assert (view["values"]["cell"], view["values"]["risk"]) == ("M3", "high")
    await old.edit(record, cell="M5")
    assert (await reach(mine, record, await old.done(record)))["values"]["cell"] == "M5"


async def test_rows_of_kinds_that_it_does_not_know_are_kept(ours: Ours, other: Other) -> None:
    """A cell of its suite comes and changes; it keeps the row, says what it is, and goes on with its own work."""
    old, mine = await other("behind", "hh-old"), await ours("hh-01")
    made = Resource(category=Sort.CELL, name="M3", home="suite:perry-barr")  # type: ignore[arg-type]  # a scope's name
    cell = (await mine.create(made)).record
    await mine.edit(cell, note="No toilet")
    await done(mine, cell)
    record = await old.create("incident", **INCIDENT)
    await old.done(record)
    kept = await old.row(cell)
    assert kept is not None
    assert (kept["kind"], kept["cells"]["note"][0]) == ("resource", "No toilet")
    assert await old.call("inspect", record=cell) is None
    with pytest.raises(SaidNo, match="of the kind 'resource', which this program does not know: update it"):
        await old.edit(cell, note="x")
    assert (await old.call("status"))["repairs"] == 0


async def test_a_value_that_it_does_not_know_is_shown_as_such(ours: Ours, other: Other) -> None:
    """Grade, status and risk of this version read `unknown: …` there; its other edits leave them as they are."""
    old, mine = await other("behind", "hh-old"), await ours("hh-01")
    record = (await mine.create(incident(grade=Grade.NO_DEPLOYMENT, status=IncidentStatus.ATTENDED))).record
    booked = CustodyBooking(suite="perry-barr", detainee="Arthur Quill", arrested_at=Millis(5), risk=Risk.MEDIUM)
    booking = (await mine.create(booked)).record
    seen = await old.reach(record, await done(mine, record))
    assert {name: seen["tokens"][name] for name in ("grade", "status")} == {
        "grade": "unknown: no-deployment",
        "status": "unknown: attended",
    }
    assert (await old.reach(booking, 1))["tokens"]["risk"] == "unknown: medium"
    await old.edit(record, summary="Nobody there")
    after = await mine_shows(mine, record, await old.done(record))
    assert (after.grade, after.status, after.summary) == (
        Grade.NO_DEPLOYMENT,
        IncidentStatus.ATTENDED,
        "Nobody there",
    )


async def test_what_it_writes_with_no_signal_arrives(ours: Ours, other: Other) -> None:
    """Its outbox goes up like any other, and its entries stand among those of this version."""
    old, mine = await other("behind", "hh-old"), await ours("hh-01")
    record = await old.create("incident", **INCIDENT)
    await reach(mine, record, await old.done(record))
    await old.call("offline")
    for text in ("one", "two"):
        await old.call("append", record=record, field="log", entry={"text": text})
    assert len(await old.call("outbox")) == 2
    assert all(plain(base64.b64decode(op["body"])).keys() <= FIRST_OP for op in await old.call("outbox"))
    await old.call("online")
    after = await mine_shows(mine, record, await old.done(record))
    assert [entry.text for entry in after.log] == ["one", "two"]


async def mine_shows(handheld: Handheld, record: RecordId, version: int) -> Incident:
    """The incident as a handheld of this version gives it to its application."""
    await reach(handheld, record, version)
    found = await handheld.get(Incident, record)
    assert found is not None
    return found
