"""What falls due, at the terminal: told once, listed by number, and taken up."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.ids import Millis
from schemas.kinds import Alarm
from sync.device import DeviceIdentity, Handheld
from sync.device.alarming import Alarming
from sync.device.describing import short
from tests.due_times import REVIEW_EVERY_MS, TIMETABLE
from tests.sync.device.desks import booking
from tests.sync.device.support import NOON, VirtualClock, opened
from tests.sync.device.terminal.desk import Desk, desk_of


@pytest.fixture
async def overdue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Handheld]:
    """A handheld without a server, that has a booking whose review is due."""
    monkeypatch.setattr(Alarming, "_timetable", TIMETABLE)
    clock = VirtualClock(NOON + REVIEW_EVERY_MS)
    identity = DeviceIdentity.generate("hh-0042")
    async with await opened(tmp_path / "one", identity, clock=clock) as handheld:
        yield handheld


async def desk_with_alarm(handheld: Handheld, desk: Desk) -> str:
    """It falls due while somebody sits there; what they are told."""
    await handheld.create(booking(detention_authorised_at=Millis(NOON)))
    return await desk.paper.comes("Due: review")


async def test_what_falls_due_is_told_in_a_line_listed_and_taken_up(overdue: Handheld) -> None:
    """The line says what, whose, by when, what to do, and what to type."""
    async with desk_of(overdue) as desk:
        assert await desk.type("due") == "Nothing that falls due waits for you\n"
        line = await desk_with_alarm(overdue, desk)
        (one,) = await overdue.due_alarms()
        assert "custody booking of A. Garside" in line
        assert line.endswith(f"Review the detention. ack {short(one.alarm)} takes it up")
        listed = await desk.type("due")
        assert listed.startswith("1  review overdue since ")
        assert f"custody booking of A. Garside. Review the detention. ({one.source})" in listed
        assert listed.endswith(" [this handheld's]\n")
        for wrong in ("ack 2", "ack 0", "ack nothing"):
            assert "names no alarm that waits" in await desk.fails(wrong)
        assert await desk.type("ack 1 On my way.") == "Taken up; it is yours now\n"
        assert await desk.type("due") == "Nothing that falls due waits for you\n"
        made = await overdue.get(Alarm, one.alarm)
        assert made is not None
        assert [entry.note for entry in made.acknowledged] == ["On my way."]


async def test_an_alarm_is_taken_up_by_the_end_of_its_id_with_nothing_said(overdue: Handheld) -> None:
    """As the line that told it says."""
    async with desk_of(overdue) as desk:
        await desk_with_alarm(overdue, desk)
        (one,) = await overdue.due_alarms()
        assert await desk.type(f"ack {short(one.alarm)}") == "Taken up; it is yours now\n"
        made = await overdue.get(Alarm, one.alarm)
        assert made is not None
        assert [entry.note for entry in made.acknowledged] == [None]
