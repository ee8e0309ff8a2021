"""What a control room sees and does at the terminal: the queue with its timers, the units, and where each is."""

from collections.abc import Mapping

import pytest

from schemas import scopes
from schemas.ids import Millis, RecordId
from schemas.kinds import Incident, Resource
from schemas.kinds.call import Grade, Step
from schemas.kinds.common import Marker
from schemas.kinds.incident import Category, IncidentStatus
from schemas.kinds.resource import Category as Thing
from schemas.kinds.resource import Duty
from schemas.settings import Settings
from sync.device import Handheld
from sync.device.describing import short
from sync.device.terminal.errands import control
from sync.policing.incidents.control import Waiting, queue
from sync.policing.incidents.numbers import called
from tests.sync.device.support import NOON
from tests.sync.device.terminal.desk import SUMMER, Desk, only

MINUTE = 60_000


def call(summary: str, grade: Grade, ago_ms: int, **more: object) -> Incident:
    """An invented call."""
    given = {"opened_at": Millis(NOON - ago_ms), "area": "birmingham", "category": Category.PUBLIC_SAFETY, **more}
    return Incident(summary=summary, grade=grade, **given)  # type: ignore[arg-type]  # typed by its fields


async def unit(handheld: Handheld, name: str, code: int | None = None) -> None:
    """A call sign that has said its status, or none."""
    duty = None if code is None else Duty(code=code, at=Millis(NOON - MINUTE))
    home = scopes.area("birmingham")
    await handheld.create(Resource(category=Thing.CALL_SIGN, name=name, home=home, duty=duty))


async def test_control_room_queue_with_timers(desk: Desk, alone: Handheld) -> None:
    """control-room queue with timers: the gravest grade first, in it the least time left; overdue by how much."""
    late = await alone.create(call("Man on the ledge", Grade.P1, 20 * MINUTE))
    soon = await alone.create(call("Door forced", Grade.P1, 12 * MINUTE, markers=(Marker(warning="violent"),)))
    later = await alone.create(call("Noise", Grade.P2, MINUTE))
    await alone.create(call("Dealt with", Grade.P1, 60 * MINUTE, status=IncidentStatus.CLOSED))
    page = await desk.type("queue")
    head, *rows = page.splitlines()
    assert head == "Queue: 3 open, 1 overdue"
    assert "OVERDUE by 5 min" in rows[0]
    assert "3 min left" in rows[1]
    assert "! Door forced" in rows[1]
    assert "59 min left" in rows[2]
    for row, made in zip(rows, (late, soon, later), strict=True):
        value = await alone.get(Incident, made.record)
        assert value is not None
        assert called(made.record, value) in row
    assert "Door forced" in await desk.type("show 2"), "its numbers are rows"


async def test_what_is_closed_is_not_read_for_the_queue(
    desk: Desk, alone: Handheld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the search hands over is logged as read: nobody looked at what is closed."""
    read: list[str] = []

    def seen(held: Mapping[RecordId, Incident], settings: Settings, now: Millis) -> tuple[Waiting, ...]:
        read.extend(one.summary for one in held.values())
        return queue(held, settings, now)

    monkeypatch.setattr(control, "queue", seen)
    await alone.create(call("Noise", Grade.P2, MINUTE))
    await alone.create(call("Dealt with", Grade.P1, MINUTE, status=IncidentStatus.CLOSED))
    await desk.type("queue")
    assert read == ["Noise"]


async def test_a_unit_is_sent_and_declares_its_arrival(desk: Desk, alone: Handheld) -> None:
    """Each step bears the time that the unit says, and moves the incident on; the queue shows where the unit is."""
    await desk.type("new Man on the ledge in birmingham")
    record, _ = await only(alone)
    assert await desk.type("unit . BW31 assigned") == (
        f"Incident {short(record)}: BW31 assigned at {SUMMER.text(NOON)}\n"
    )
    _, value = await only(alone)
    assert (value.status, value.units) == (IncidentStatus.ASSIGNED, ("BW31",))
    assert "BW31 assigned" in await desk.type("queue")
    early = SUMMER.text(NOON - 5 * MINUTE)[11:16]
    await desk.type(f"unit 1 BW31 at-scene at {early}")
    _, value = await only(alone)
    assert value.status is IncidentStatus.ATTENDED
    assert [(one.step, one.at) for one in value.deployments if one.step is Step.AT_SCENE] == [
        (Step.AT_SCENE, NOON - 5 * MINUTE - 20_000)
    ]
    assert "is no step of a unit; there are assigned, en-route, at-scene, clear" in await desk.fails("unit 1 BW31 gone")
    await unit(alone, "BW31", 2)
    await desk.type("units")
    assert "is no incident" in await desk.fails("unit 1 BW31 clear")


async def test_units_that_can_be_sent_come_first(desk: Desk, alone: Handheld) -> None:
    """By the force's list of status codes; one that said none cannot be counted on."""
    await unit(alone, "BW31", 6)
    await unit(alone, "BW32", 2)
    await unit(alone, "BW33")
    head, *rows = (await desk.type("units")).splitlines()
    assert head == "Units: 3, 1 can be sent"
    assert [row.split()[:3] for row in rows] == [["1", "BW32", "2"], ["2", "BW31", "6"], ["3", "BW33", "has"]]
    await desk.type("new Man on the ledge in birmingham")
    record, _ = await only(alone)
    assert "BW33 is at scene" in await desk.type(f"duty 3 6 for {record}")
    held = {one.name: one for _, one in await alone.find(Resource)}
    assert held["BW33"].duty == Duty(code=6, at=Millis(NOON), incident=record)
    said = await desk.fails("duty 3 99")
    assert said.startswith("'99' is no status of a unit; there are 0 emergency, 1 on duty")
    assert "is no unit" in await desk.fails(f"duty {record} 2")


@pytest.mark.parametrize("line", ["queue now", "units BW31", "unit 1 BW31", "duty 1"])
async def test_another_form_is_told_what_to_type(desk: Desk, line: str) -> None:
    """On one line."""
    assert (await desk.fails(line)).startswith(f"expected: {line.split(maxsplit=1)[0]}")
