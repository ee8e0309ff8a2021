"""Integrated offender management over real sockets: whoever works with a person is told as soon as they are named."""

import asyncio
from typing import Any

import msgspec

from schemas.codec import decode_row
from schemas.ids import FieldName, Millis, OfficerId, RecordId, ScopeName, new_record_id
from schemas.kinds import Briefing, Cohort, CustodyBooking, Incident, Kind, spec_of
from schemas.kinds.cohort import Member
from schemas.kinds.common import Arrest
from schemas.kinds.incident import Category
from schemas.settings import DEFAULTS
from server.cohorts import Cohorts
from server.falling_due import LOOK_MS_MAX
from server.office import Draft
from sync import merge
from tests.server.handheld import Handheld
from tests.server.running import NOW, Running

WHO = OfficerId("WM1")
CASTLE = Cohort(mission="castle", title="Castle", members=(Member(name="Sam Example"),))
TOLD = ScopeName("mission:castle:briefing")


def booking(**more: Any) -> CustodyBooking:  # noqa: ANN401  any field
    """Sam was booked in just now."""
    return CustodyBooking(**{"suite": "perry-barr", "detainee": "Sam Example", "arrested_at": NOW, **more})


async def made(server: Running, number: int, value: Kind, at: int = NOW) -> RecordId:
    """Make a record, of a moment."""
    plain = msgspec.json.decode(msgspec.json.encode(value))
    said = {
        FieldName(field.name): plain[field.name]
        for field in msgspec.structs.fields(value)
        if field.required or plain[field.name] not in (None, [])
    }
    record = new_record_id(Millis(at), number.to_bytes(10, "big"))
    draft = Draft(record=record, kind=spec_of(type(value)).name, values=said)
    await server.beatbook.office.bring([draft], WHO)
    return record


async def alerts(server: Running) -> list[Briefing]:
    """Every alert that was issued."""
    rows = await server.store.records("briefing", TOLD, "", 100)
    found = [merge.from_row(decode_row(row)).build() for row in rows]
    return [one for one in found if isinstance(one, Briefing)]


class Watch:
    """A task that issues alerts, and the moments at which it has nothing more to do."""

    def __init__(self, server: Running) -> None:
        """Over a server's store; nothing runs yet."""
        self.idle = asyncio.Event()
        beatbook = server.beatbook
        self.cohorts = Cohorts(server.store, beatbook.office, beatbook.now, self._wait)

    async def _wait(self, event: asyncio.Event, ms: int) -> None:
        assert ms <= LOOK_MS_MAX
        self.idle.set()
        await event.wait()

    async def run_once(self) -> None:
        """Let it do all that there is to do at a start, and stop it."""
        task = asyncio.create_task(self.cohorts.run())
        await self.idle.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_cohort_alert_reaches_who_works_with_the_person(server: Running) -> None:
    """Integrated offender management cohort alert within 2 s: the commit itself sets it off; the benchmark times it."""
    server.enrol("hh-1", "mission:castle")
    server.enrol("hh-2", "suite:perry-barr")
    team, desk = Handheld(server, "hh-1"), Handheld(server, "hh-2")
    await team.connect()
    await desk.connect()
    await made(server, 1, CASTLE)
    await made(server, 2, booking())
    await team.until(lambda: any(True for _ in team.replica.views(spec_of(Briefing))))
    (view,) = team.replica.views(spec_of(Briefing))
    alert = view.build()
    assert isinstance(alert, Briefing)
    assert alert.title == "Castle: Sam Example"
    assert not any(True for _ in desk.replica.views(spec_of(Briefing))), "who does not work with the person"
    team.disconnect()
    desk.disconnect()


async def test_each_record_that_names_the_person_alerts_once(server: Running) -> None:
    """An arrest at an incident does, a booking does; what is written there afterwards does not."""
    with_arrest = Incident(
        opened_at=NOW,
        area="dudley",
        category=Category.CRIME,
        summary="Shouting",
        arrests=(Arrest(person="Sam Example", arrested_at=NOW),),
    )
    nobody = Incident(opened_at=NOW, area="dudley", category=Category.CRIME, summary="A bicycle")
    await made(server, 1, CASTLE)
    record = await made(server, 2, with_arrest)
    await made(server, 3, nobody)
    await made(server, 4, booking(suite="oldbury"))
    await Watch(server).run_once()
    assert len(await alerts(server)) == 2
    change = Draft(record=record, kind="incident", values={FieldName("summary"): "Shouting, glass"})
    await server.beatbook.office.bring([change], WHO)
    await Watch(server).run_once()
    assert len(await alerts(server)) == 2


async def test_what_was_named_while_the_server_was_down_is_alerted_at_the_start(server: Running) -> None:
    """As far back as an alert stands; the alert that was issued before is not issued again."""
    for task in server.beatbook._beside:
        task.cancel()
    await made(server, 1, CASTLE)
    await made(server, 2, booking())
    await made(server, 3, booking(), at=NOW - DEFAULTS.briefings.cohort_alert_ms - 1)
    assert await alerts(server) == []
    await Watch(server).run_once()
    assert len(await alerts(server)) == 1
    await Watch(server).run_once()
    assert len(await alerts(server)) == 1
