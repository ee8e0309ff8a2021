"""`pack` on a handset: the briefing of a shift, from what the handheld holds."""

import pytest

from schemas.ids import Millis
from schemas.kinds import Hold, Suspect
from schemas.kinds.briefing import Priority
from schemas.kinds.common import Marker
from sync.device import Handheld
from sync.device.describing import short
from tests.sync.device.support import NOON
from tests.sync.device.terminal.desk import Desk, briefing

HOUR = 3_600_000


async def test_a_shift_is_told_what_it_must_know(online: Desk, handheld: Handheld) -> None:
    """Unread briefings first and officer safety ahead, then warnings that end, then who is wanted and by whom."""
    now = (await handheld.create(briefing("Old text"))).record
    await handheld.create(briefing("New text", replaces=now, issued_at=Millis(NOON + 1)))
    await handheld.create(briefing("Knife seized", priority=Priority.OFFICER_SAFETY))
    read = await handheld.create(briefing("Roads closed", priority=Priority.URGENT))
    await handheld.acknowledge(read.record)
    await handheld.create(briefing("Next week", valid_from=Millis(2 * NOON)))
    markers = (Marker(warning="weapons", source="Incident 7", expires_at=Millis(1)), Marker(warning="violent"))
    wanted = Suspect(name="Sam Example", wanted_for="Burglary", area="birmingham", markers=markers)
    await handheld.create(wanted)
    await handheld.create(
        Suspect(name="Kim Example", wanted_for="Theft", area="birmingham", claimed=Hold(holder="BW31"))
    )
    text = await online.type("pack")
    lines = text.splitlines()
    assert lines[:4] == [
        "Briefings: 3",
        "1  [officer safety] Knife seized",
        f"2  New text  in the place of {short(now)}",
        "3  [urgent] Roads closed  [read]",
    ]
    assert "Warnings about to end: 0" in lines
    people = lines[lines.index("Wanted: 2") + 1 :]
    assert people[0].startswith("Sam Example, Burglary  nobody's yet")
    assert "weapons (Incident 7, expired)" in text
    assert people[-1] == "Kim Example, Theft  claimed by BW31"
    assert "Knife seized" in await online.type("show 1"), "its numbers are rows"


async def test_a_warning_that_is_about_to_end_is_told_with_whom_it_is_about(online: Desk, handheld: Handheld) -> None:
    """Somebody who knows the person says whether it still holds."""
    dog = Marker(warning="dog at address", expires_at=Millis(NOON + HOUR))
    await handheld.create(Suspect(name="Sam Example", wanted_for="x", area="birmingham", markers=(dog,)))
    text = await online.type("pack 4")
    assert "Warnings about to end: 1" in text
    assert "dog at address: suspect Sam Example, until " in text


@pytest.mark.parametrize("hours", ["0", "25", "ten", "-1"])
async def test_a_shift_has_a_length_of_hours(online: Desk, hours: str) -> None:
    """What is none is refused in one line."""
    assert "is no length of a shift: 1 to 24 hours" in await online.fails(f"pack {hours}")
