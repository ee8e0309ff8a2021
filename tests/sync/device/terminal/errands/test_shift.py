"""The end of a shift typed at a terminal: handed over, shown, taken on or refused, all without signal."""

from collections.abc import AsyncIterator

import pytest

from schemas import scopes
from schemas.ids import Millis
from schemas.kinds import Handover, Incident
from schemas.kinds.handover import handover_id
from schemas.kinds.incident import Category, IncidentStatus
from sync.device import DeviceIdentity, Handheld
from tests.sync.device.support import BIRMINGHAM, NOON
from tests.sync.device.terminal.desk import SUMMER, Desk
from tests.toy_server import ToyServer, toy_server

AT = "14:00"
ENDS = SUMMER.read(AT, Millis(NOON))


@pytest.fixture
async def toy(identity: DeviceIdentity) -> AsyncIterator[ToyServer]:
    """A server that has enrolled the device for an area and its response team."""
    async with toy_server([(identity, (BIRMINGHAM, scopes.team("response-a")))]) as toy:
        yield toy


async def reported(handheld: Handheld, summary: str, **more: object) -> None:
    """An incident of the area, which the team works on."""
    values = {"opened_at": Millis(NOON), "area": "birmingham", "category": Category.TRANSPORT, "summary": summary}
    await handheld.create(Incident(**(values | {"teams": ("response-a",)} | more)))  # type: ignore[arg-type]  # by field


@pytest.fixture
async def shift(online: Desk, handheld: Handheld) -> Desk:
    """Two incidents wait for the team and one is closed; signal is gone; the shift hands over."""
    await online.type("wait")
    await reported(handheld, "A spill")
    await reported(handheld, "A signal out")
    await reported(handheld, "Done with", status=IncidentStatus.CLOSED)
    await online.type("offline")
    assert "2 handed over at" in await online.type(f"hand team:response-a at {AT}")
    return online


def names(page: str) -> list[str]:
    """The names of the matters on a page of `taking`."""
    return [line.split()[0] for line in page.splitlines() if line.startswith("   ") and "incident" in line]


async def waiting(handheld: Handheld) -> int:
    """How much of it nobody has taken on."""
    handed = await handheld.get(Handover, handover_id("team:response-a", ENDS))
    assert handed is not None
    return len(handed.waiting())


async def test_all_that_waits_is_handed_over_and_taken_on_one_by_one(shift: Desk, handheld: Handheld) -> None:
    """Each under a name of its own; what one refused waits on, with who refused it and why."""
    page = await shift.type("taking")
    assert "2 of 2 wait" in page
    first, second = names(page)
    assert "1 taken on" in await shift.type(f"take 1 {first} Ours.")
    assert "1 refused" in await shift.type(f"leave . {second} Nobody is trained for it.")
    assert await waiting(handheld) == 1
    page = await shift.type("taking")
    assert "1 of 2 wait" in page
    assert "taken on by WM21877: Ours." in page
    assert "refused by WM21877: Nobody is trained for it." in page
    assert "Handed over, and taken on by nobody" in await shift.type("handover")


async def test_all_at_once_is_taken_on(shift: Desk, handheld: Handheld) -> None:
    """Whoever comes on may take the whole of it; nothing waits then, in no view."""
    await shift.type("taking")
    assert "2 taken on" in await shift.type("take 1 all")
    assert await waiting(handheld) == 0
    assert "taken on by nobody" not in await shift.type("handover")
    await shift.type("taking")
    assert "names nothing of what waits" in await shift.fails("take 1 all")


async def test_what_comes_up_before_the_end_is_added(shift: Desk, handheld: Handheld) -> None:
    """The same shift has one record; what was named before is not named again."""
    assert "Nothing waits that is not handed over" in await shift.type(f"hand team:response-a at {AT}")
    assert "were not handed over" not in await shift.type("taking")
    await reported(handheld, "A late one")
    assert "1 more wait and were not handed over" in await shift.type("taking")
    assert "1 handed over at" in await shift.type(f"hand team:response-a at {AT}")
    assert len(await handheld.find(Handover)) == 1
    assert await waiting(handheld) == 3


async def test_a_shift_with_nothing_hands_nothing_over(online: Desk, handheld: Handheld) -> None:
    """No empty record is made."""
    await online.type("wait")
    assert "there is nothing to hand over" in await online.type(f"hand team:response-a at {AT}")
    assert await handheld.find(Handover) == []
    assert "Nothing was handed over" in await online.type("taking")


async def test_what_was_handed_over_reaches_the_server_and_stays_one(shift: Desk, handheld: Handheld) -> None:
    """Made without signal, in the record that everybody else of the shift writes in too."""
    await shift.type("online")
    await shift.type("wait")
    status = handheld.status
    assert (status.waiting, status.held) == (0, 0)
    assert await waiting(handheld) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hand team:cid at 14:00", "is none that this handheld belongs to"),
        ("hand team:response-a", "expected: hand WHOSE at TIME"),
        ("hand team:response-a at dawn", "is no time"),
        ("take 1", "expected: take ID NAME"),
        ("take 1 zzzzzz", "names nothing of what waits"),
        ("leave 1 all", "expected: leave ID NAME REASON"),
    ],
)
async def test_a_line_of_another_form_is_refused_in_one_line(shift: Desk, line: str, words: str) -> None:
    """What to type instead; nothing was written."""
    await shift.type("taking")
    assert words in await shift.fails(line)


async def test_only_a_handover_is_taken_on(shift: Desk) -> None:
    """An incident in its place is told as what it is."""
    await shift.type("list incidents")
    assert "is no handover: taking shows them" in await shift.fails("take 1 all")
