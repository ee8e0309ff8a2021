"""`handover` on a handset: all that waits, from what the handheld holds."""

import pytest

from schemas.ids import Millis
from schemas.kinds import Incident
from schemas.kinds.incident import Category, IncidentStatus
from sync.device import Handheld
from sync.device.describing import short
from tests.sync.device.support import NOON
from tests.sync.device.terminal.desk import Desk

HOUR = 3_600_000


def report(summary: str, ago_ms: int = 0, **more: object) -> Incident:
    """An invented incident."""
    opened = Millis(NOON - ago_ms)
    return Incident(opened_at=opened, area="birmingham", category=Category.TRANSPORT, summary=summary, **more)  # type: ignore[arg-type]  # typed by its fields


async def test_a_shift_sees_all_that_waits_without_signal(online: Desk, handheld: Handheld) -> None:
    """Open incidents with the next step, the one with the least time left first; a closed one is not there."""
    await online.type("offline")
    later = await handheld.create(report("Lorry aground"))
    sooner = await handheld.create(report("Signal broken", ago_ms=72 * HOUR))
    await handheld.create(report("Road clear", status=IncidentStatus.CLOSED))
    text = await online.type("handover 8")
    lines = text.splitlines()
    assert lines[0].startswith("Handed over: ")
    assert lines[0].endswith("in 2 records")
    assert [line for line in lines if line[0].isdigit()] == [
        f"1  {_called('Signal broken')} ({short(sooner.record)})",
        f"2  {_called('Lorry aground')} ({short(later.record)})",
    ]
    assert "overdue" in text
    assert "Road clear" not in text
    assert "Signal broken" in await online.type("show 1"), "its numbers are rows"


def _called(summary: str) -> str:
    return f"incident “{summary}”"


async def test_with_nothing_that_waits_it_says_so(online: Desk) -> None:
    """Nothing is told as nothing."""
    assert "Handed over: 0 in 0 records" in await online.type("handover")


@pytest.mark.parametrize("hours", ["0", "25", "ten"])
async def test_a_shift_has_a_length_of_hours(online: Desk, hours: str) -> None:
    """What is none is refused in one line."""
    assert "is no length of a shift: 1 to 24 hours" in await online.fails(f"handover {hours}")
