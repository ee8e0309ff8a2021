"""Records that begin with a form at the terminal, offline: a booking, a stop and search, a child's plan, a warning."""

import pytest

from schemas.ids import Millis
from schemas.kinds import CustodyBooking, Incident, ProtectionPlan, StopSearch
from schemas.kinds.admission import Basis
from schemas.kinds.common import Arrest, Marker
from schemas.kinds.powers import Extent, Told
from schemas.settings.questions import CHILD_PROTECTION
from sync.device import Handheld
from sync.device.describing import short
from tests.sync.device.support import NOON, incident
from tests.sync.device.terminal.desk import SUMMER, Desk, briefing, only

HOUR = 3_600_000
SEARCHED = ("now", "person", "misuse-of-drugs-23", "controlled-drugs", "Smell of cannabis, ran off")


async def answered(desk: Desk, *answers: str) -> str:
    """Type the answers to a form; what the last one showed."""
    shown = ""
    for answer in answers:
        shown = await desk.type(answer)
    return shown


async def test_arrest_to_booking_without_rekeying(desk: Desk, alone: Handheld) -> None:
    """Arrest to booking without rekeying: who, when and what for come from the incident, with the way back to it."""
    sam = Arrest(person="Sam Example", arrested_at=Millis(NOON - HOUR), offence="Theft")
    kim = Arrest(person="Kim Example", arrested_at=Millis(NOON - HOUR + 1), offence="Assault")
    made = await alone.create(incident(arrests=(sam, kim)))
    asked = await desk.type(f"book Perry-Barr {made.record}")
    assert asked.startswith("Which arrest?  1 Sam Example, ")
    assert "is no arrest of this incident: it has 2" in (await desk.type("3") and desk.paper.complaints[-1])
    assert (await desk.type("2")).startswith("Who arrested them")
    said = await desk.type("-")
    ((record, value),) = await alone.find(CustodyBooking)
    assert said.endswith(f"Kim Example booked in at perry-barr, from Incident {short(made.record)}\n")
    assert (value.detainee, value.arrested_at, value.offence) == ("Kim Example", NOON - HOUR + 1, "Assault")
    assert (value.incident, value.arresting_officer, value.basis) == (made.record, "WM21877", Basis.ARREST)
    assert short(record) in await desk.type("clocks .")


async def test_a_booking_without_an_incident_is_asked_for(desk: Desk, alone: Handheld) -> None:
    """A person who was brought in by somebody else."""
    await desk.type("book perry-barr")
    await answered(desk, "Lee Example", SUMMER.text(NOON - HOUR)[:16], "Recall", "WM20002", "recall", "-")
    ((_, value),) = await alone.find(CustodyBooking)
    assert (value.detainee, value.basis, value.born, value.incident) == ("Lee Example", Basis.RECALL, None, None)
    assert "is no suite: its name has a-z, 0-9 and -" in await desk.fails("book perry/barr")
    made = await alone.create(incident())
    assert "has no arrest" in await desk.fails(f"book perry-barr {made.record}")


async def test_a_search_goes_through_gowisely(desk: Desk, alone: Handheld) -> None:
    """Each of the eight is asked for by its letter; codes are the force's; the officer is who types."""
    await desk.type("search birmingham")
    asked = [await answered(desk, *SEARCHED), *[await desk.type("yes") for _ in range(7)]]
    assert "".join(line.splitlines()[-1][0] for line in asked) == "GOWISELY"
    await desk.type("yes")
    await answered(desk, "Mill Lane", "male", "18-24", "ns", "white")
    await answered(desk, "outer-clothing", "arrest", "yes")
    ((_, value),) = await alone.find(StopSearch)
    assert value.told == tuple(Told)
    assert (value.power, value.object, value.officer) == ("misuse-of-drugs-23", "controlled-drugs", "WM21877")
    assert (value.outcome, value.linked, value.location) == ("arrest", True, "Mill Lane")
    assert value.clothing is not None
    assert value.clothing.extent is Extent.OUTER


async def test_what_was_not_told_is_asked_about_and_goes_on_with_a_reason(desk: Desk, alone: Handheld) -> None:
    """Somebody who fights is told nothing: the rule says what is missing, and the reason stands in the search's log."""
    await desk.type("search birmingham")
    await answered(desk, *SEARCHED, *["yes"] * 3, *["no"] * 5)
    await answered(desk, "-", "-", "-", "-", "-", "outer-clothing")
    said = await desk.fails("no-further-action")
    assert "Not told before the search: identity, station, entitlement, legal power, detained." in said
    assert await alone.find(StopSearch) == []
    await desk.type("because He fought from the first word on")
    ((_, value),) = await alone.find(StopSearch)
    assert [(one.overrides, one.text) for one in value.log] == [("search-told", "He fought from the first word on")]


async def test_an_authorised_power_asks_who_authorised_it(desk: Desk, alone: Handheld) -> None:
    """And a code that is not the force's is asked for again, with those that are."""
    await desk.type("search birmingham")
    await answered(desk, "now", "person")
    assert "misuse-of-drugs-23" in (await desk.type("section-60") and desk.paper.complaints[-1])
    await answered(desk, "public-order-60", "offensive-weapons")
    assert (await desk.type("Within the area of the authorisation")).startswith("Who authorised searches here")
    assert await alone.find(StopSearch) == []


async def test_a_childs_plan_begins_with_the_guided_questions(desk: Desk, alone: Handheld) -> None:
    """From an incident a plan is made with the answers in it; on a plan they are asked again."""
    made = await alone.create(incident())
    await desk.type(f"protect {made.record}")
    first = await answered(
        desk, "Cy Example", "2019-02-03", "Left alone at night", "child-protection", "2026-10-01 09:00"
    )
    assert first.endswith(f"1/{len(CHILD_PROTECTION.questions)} {CHILD_PROTECTION.questions[0].text}\n")
    await answered(desk, "yes alone", *["not-known"] * (len(CHILD_PROTECTION.questions) - 1))
    ((record, value),) = await alone.find(ProtectionPlan)
    assert (value.child, value.team, value.incident, value.begun_at) == (
        "Cy Example",
        "child-protection",
        made.record,
        NOON,
    )
    assert {one.question for one in value.guided[0].answers} == CHILD_PROTECTION.ids
    await desk.type(f"protect {record}")
    await answered(desk, *["no"] * len(CHILD_PROTECTION.questions))
    ((_, value),) = await alone.find(ProtectionPlan)
    assert len(value.guided) == 2
    told = await alone.create(briefing())
    assert "is no incident and no plan" in await desk.fails(f"protect {told.record}")


async def test_a_warning_bears_its_source_and_its_end(desk: Desk, alone: Handheld) -> None:
    """All three are asked for, and shown."""
    made = await alone.create(incident())
    await desk.type(f"mark {made.record}")
    await answered(desk, "dog at the address", "Neighbour at no. 5", "2026-12-31 12:00")
    _, value = await only(alone)
    (marker,) = value.markers
    assert isinstance(marker, Marker)
    assert (marker.warning, marker.source) == ("dog at the address", "Neighbour at no. 5")
    page = await desk.type(f"show {made.record}")
    assert "Warning: dog at the address (Neighbour at no. 5, until 2026-12-31 12:00 BST)" in page
    told = await alone.create(briefing())
    assert "bears no warnings" in await desk.fails(f"mark {told.record}")


@pytest.mark.parametrize("line", ["book", "search", "protect", "mark"])
async def test_another_form_is_told_what_to_type(desk: Desk, alone: Handheld, line: str) -> None:
    """On one line; nothing is made."""
    assert (await desk.fails(line)).startswith(f"expected: {line} ")
    assert await alone.find(Incident) == []
