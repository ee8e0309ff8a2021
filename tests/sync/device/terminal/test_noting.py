"""What stands beneath a record unasked: warnings, who and where was met before, what is still to be done."""

from typing import Any

import msgspec

from schemas.ids import Millis
from schemas.kinds import Incident, ProtectionPlan, Suspect
from schemas.kinds.abuse import AbuseVictim
from schemas.kinds.call import Involved, Link, Part
from schemas.kinds.common import LogEntry, Marker
from sync.device import Handheld
from sync.device.describing import short
from sync.policing.incidents.numbers import provisional_id
from tests.sync.device.desks import booking
from tests.sync.device.support import NOON, incident
from tests.sync.device.terminal.desk import SUMMER, Desk, briefing

DAY = 24 * 3_600_000
ANN = Involved(part=Part.VICTIM, name="Ann Example", born="1984-05-17")
CALL = Involved(part=Part.CALLER, name="Bea Example", telephone="0121 496 0000")


def report(ago_days: int, **more: Any) -> Incident:  # noqa: ANN401  any field
    """An invented incident of some days ago."""
    unasked = LogEntry(text="Imported", overrides="first-contact")
    return msgspec.structs.replace(incident(log=(unasked,), **more), opened_at=Millis(NOON - ago_days * DAY))


async def told(desk: Desk, record: str) -> list[str]:
    """What stands beneath the page."""
    return (await desk.type(f"show {record}")).splitlines()


async def test_repeat_victim_found_offline(desk: Desk, alone: Handheld) -> None:
    """Repeat victim found offline: victim, caller and address that were met before, with no server to ask."""
    assert not alone.status.connected
    first = await alone.create(report(40, people=(ANN,), location="3 Mill Lane"))
    second = await alone.create(report(9, people=(ANN, CALL)))
    old = await alone.create(report(500, people=(ANN,)))
    now = await alone.create(
        report(
            0,
            people=(
                Involved(part=Part.VICTIM, name="ann  EXAMPLE", born="1984-05-17"),
                Involved(part=Part.CALLER, name="?", telephone="+44 121 4960000"),
            ),
            location="3 mill lane",
        )
    )
    lines = await told(desk, now.record)
    names = {one: f"{provisional_id(one)} ({short(one)})" for one in (first.record, second.record, old.record)}
    assert f"REPEAT victim: met 2 times before: {names[second.record]}, {names[first.record]}" in lines
    assert f"REPEAT caller: met once before: {names[second.record]}" in lines
    assert f"REPEAT address: met once before: {names[first.record]}" in lines
    assert not any(short(old.record) in line for line in lines), "too long ago"
    assert not any("REPEAT" in line for line in await told(desk, first.record)), "nothing was before it"


async def test_links_are_told_on_both_sides(desk: Desk, alone: Handheld) -> None:
    """Whichever of the two it was written on."""
    one = await alone.create(incident("One"))
    two = await alone.create(incident("Two", links=(Link(to=one.record),)))
    assert f"Belongs with: {provisional_id(two.record)} ({short(two.record)})" in await told(desk, one.record)
    assert f"Belongs with: {provisional_id(one.record)} ({short(one.record)})" in await told(desk, two.record)


async def test_warnings_bear_their_source_and_their_end(desk: Desk, alone: Handheld) -> None:
    """One that has expired is shown as expired; one whose source nobody said says so."""
    markers = (
        Marker(warning="violent", source="Incident 7"),
        Marker(warning="dog", expires_at=Millis(NOON + DAY)),
        Marker(warning="needles", source="Nurse", expires_at=Millis(NOON - DAY)),
    )
    made = await alone.create(Suspect(name="Sam Example", wanted_for="Theft", area="birmingham", markers=markers))
    assert [line for line in await told(desk, made.record) if line.startswith("Warning")] == [
        "Warning: violent (Incident 7)",
        f"Warning: dog (source not recorded, until {SUMMER.text(NOON + DAY)}, about to expire)",
        f"Warning: needles (Nurse, EXPIRED {SUMMER.text(NOON - DAY)}: say whether it still holds)",
    ]


async def test_what_is_still_to_be_done_names_the_command(desk: Desk, alone: Handheld) -> None:
    """Questions that were not put, risks that were not assessed, a crime that was not decided."""
    made = await alone.create(incident(abuse_victims=(AbuseVictim(name="Ann Example"),)))
    lines = await told(desk, made.record)
    assert "To assess: the risk to Ann Example; assess . asks the questions" in lines
    assert f"To decide: whether it is a crime, by {SUMMER.text(NOON + DAY)}; add . crimes, or add . not-crimes" in lines
    await alone.enter(made.record, overriding={"first-contact": "Asleep in the ambulance"}, people=[ANN])
    assert any(line.startswith("To ask: Ann Example has 8 questions") for line in await told(desk, made.record))
    named = await alone.create(incident(qualifiers=("domestic-abuse",)))
    assert any(line.startswith("To name: this is domestic abuse") for line in await told(desk, named.record))


async def test_a_booking_a_plan_and_a_briefing_tell_what_matters_first(desk: Desk, alone: Handheld) -> None:
    """The clocks in two lines, the next review, and what this officer has confirmed."""
    held = await alone.create(booking(arrived_at=Millis(NOON - 3_600_000)))
    lines = await told(desk, held.record)
    assert any(line.startswith("Detention: ") for line in lines)
    assert any(line.startswith("Reviews: ") for line in lines)
    plan = ProtectionPlan(
        child="Cy Example",
        concern="Neglect",
        team="child-protection",
        begun_at=Millis(NOON),
        review_at=Millis(NOON + DAY),
    )
    made = await alone.create(plan)
    assert f"Next review: {SUMMER.text(NOON + DAY)}" in await told(desk, made.record)
    read = await alone.create(briefing())
    assert (await told(desk, read.record))[-1].startswith("Your receipt: on this handheld; read . confirms")
