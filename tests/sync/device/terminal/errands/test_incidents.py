"""What a response officer is led through at the terminal, offline: contact, DA, THRIVE, METHANE, the guide, a tutor."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.ids import OfficerId, RecordId
from schemas.kinds.abuse import AbuseRisk, AbuseVictim, Reply
from schemas.kinds.call import Grade, Part
from schemas.kinds.incident import IncidentStatus
from schemas.settings import DEFAULTS
from schemas.settings.incidents import Probation
from schemas.settings.questions import DARA, DASH, VULNERABILITY
from sync.device import DeviceIdentity, Handheld
from tests.sync.device.support import NOON, VirtualClock, incident, opened
from tests.sync.device.terminal.desk import Desk, briefing, desk_of, only

THRIVE = ("A man threatens her", "Bruises", "He comes back at night", "CCTV is kept a day", "A baby", "Wants help")


async def answered(desk: Desk, *answers: str) -> str:
    """Type the answers to a form; what the last one showed."""
    shown = ""
    for answer in answers:
        shown = await desk.type(answer)
    return shown


async def report(handheld: Handheld, **more: Any) -> RecordId:  # noqa: ANN401  any field
    """An invented report."""
    return (await handheld.create(incident(**more))).record


async def test_vulnerability_at_first_contact(desk: Desk, alone: Handheld) -> None:
    """Vulnerability at first contact: person and answers are one change; whoever is only named is asked afterwards."""
    record = await report(alone)
    await desk.type(f"contact {record}")
    await answered(desk, "caller", "Bea Example", "-", "0121 496 0000", "-")
    assert desk.paper.complaints == []
    replies = ["yes", "no", "yes in the next room", *["not-known"] * 5]
    for n, reply in enumerate(replies[:-1], 2):
        assert f"{n}/{len(VULNERABILITY.questions)} {VULNERABILITY.questions[n - 1].text}" in await desk.type(reply)
    waiting = alone.status.waiting
    assert "Bea Example, caller" in await desk.type(replies[-1])
    assert alone.status.waiting == waiting + 1
    _, value = await only(alone)
    (person,) = value.people
    assert (person.part, person.name, person.telephone) == (Part.CALLER, "Bea Example", "0121 496 0000")
    (told,) = value.first_contact
    assert {one.question for one in told.answers} == VULNERABILITY.ids
    assert [(one.reply, one.note) for one in told.answers][2] == (Reply.YES, "in the next room")
    assert "To ask" not in await desk.type(f"show {record}")
    assert "has been asked everything" in await desk.fails(f"contact {record} bea example")
    await desk.type(f"contact {record} Wyn Example")
    assert "Wyn Example, witness" in await answered(desk, "witness", "-", "-", "-"), "a witness is asked nothing"


async def test_da_assessment_for_all_victims(desk: Desk, alone: Handheld) -> None:
    """DA assessment for all victims: it closes once the risk to each is assessed, and the terminal leads there."""
    ann, bea = AbuseVictim(name="Ann Example", born="1984-05-17"), AbuseVictim(name="Bea Example", relation="mother")
    record = await report(alone, abuse_victims=(ann, bea))
    said = await desk.fails(f"set {record} status closed")
    assert said == (
        "The risk has not been assessed of Ann Example, Bea Example. Assess the risk to each victim of domestic abuse "
        "first; a victim who turned out to be none is withdrawn with the reason. "
        "[abuse-assessment: HMIC 2014; College of Policing, domestic abuse]"
    )
    assert "because" not in said
    assert "Ann Example, Bea Example is to be assessed: assess . NAME" in await desk.fails(f"assess {record}")
    assert "is no victim named here" in await desk.fails(f"assess {record} Cy")
    await desk.type(f"assess {record} ann example")
    assert "1/17 How afraid, and of what?" in await desk.type("dara")
    await answered(desk, "yes of him", *["no"] * 15, "declined")
    await answered(desk, "high", "He has threatened her twice this week", "yes")
    await desk.type(f"assess {record}")
    await answered(desk, "dash 2009", *["no"] * len(DASH.questions), "standard", "Lives elsewhere, not afraid", "no")
    _, value = await only(alone)
    first, second = value.assessments
    assert (first.name, first.born, first.question_set, first.version) == ("Ann Example", "1984-05-17", "dara", "1")
    assert (first.risk, first.in_person, len(first.answers)) == (AbuseRisk.HIGH, True, len(DARA.questions))
    assert (second.name, second.risk, second.in_person) == ("Bea Example", AbuseRisk.STANDARD, False)
    assert "every victim named here is assessed" in await desk.fails(f"assess {record}")
    await desk.type(f"set {record} status closed")
    assert (await only(alone))[1].status is IncidentStatus.CLOSED


async def test_a_long_form_that_is_left_goes_on_where_it_was(desk: Desk, alone: Handheld) -> None:
    """Nobody begins a set of questions anew because somebody came to the door."""
    record = await report(alone, abuse_victims=(AbuseVictim(name="Ann Example"),))
    await desk.type(f"assess {record}")
    await answered(desk, "dash 2009", *["no"] * 20)
    await desk.fails("stop")
    await desk.type(f"assess {record}")
    assert (await desk.type("yes")).endswith(f"21/{len(DASH.questions)} {DASH.questions[20].text}\n")
    assert (await only(alone))[1].assessments == ()


async def test_a_grade_rests_on_six_answers(desk: Desk, alone: Handheld) -> None:
    """The grade is asked last, as the officer's own; answers and grade are one change."""
    record = await report(alone)
    await desk.type(f"grade {record}")
    asked = await answered(desk, *THRIVE, "-")
    assert asked.startswith("The grade that follows, as you judge it?  p1, p2")
    await desk.type("p1")
    _, value = await only(alone)
    (made,) = value.gradings
    assert (value.grade, made.grade, made.graded_at) == (Grade.P1, Grade.P1, NOON)
    assert (made.threat, made.engagement, made.why) == (THRIVE[0], THRIVE[5], None)


async def test_methane_is_always_all_seven(desk: Desk, alone: Handheld) -> None:
    """Each letter is asked for; a second report keeps what still stands."""
    record = await report(alone)
    letters = [(await desk.type(f"methane {record}"))[0]]
    letters += [(await desk.type(word))[0] for word in ("Declared", "M6 J7", "Coach", "Fuel", "A34 open", "About 12")]
    assert "".join(letters) == "METHANE"
    await desk.type("Two ambulances; fire needed")
    page = await desk.type(f"show {record}")
    assert "METHANE: Declared / M6 J7 / Coach / Fuel / A34 open / About 12 / Two ambulances; fire needed" in page
    await desk.type(f"methane {record}")
    await answered(desk, "=", "=", "=", "Fuel, power line", "=", "=", "=")
    _, value = await only(alone)
    assert [one.hazards for one in value.methane] == ["Fuel", "Fuel, power line"]


# --- new officers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def novice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The officer WM21877 is in probation."""
    rules = msgspec.structs.replace(DEFAULTS.incidents, probation=(Probation(officer=OfficerId("WM21877")),))
    changed = msgspec.structs.replace(DEFAULTS, incidents=rules)
    monkeypatch.setattr("sync.device.force_settings.DEFAULTS", changed)


@pytest.mark.usefixtures("novice")
async def test_a_new_officer_is_led_through_what_is_empty(desk: Desk, alone: Handheld) -> None:
    """Each empty field in the force's order, by its own form; what is left out stays open."""
    record = await report(alone)
    page = await desk.type(f"show {record}")
    assert "Your guide: still empty: location, people, first contact, crimes, investigator, victims told" in page
    assert (await desk.type(f"guide {record}")).startswith("1 of 6: location\nLocation?")
    assert (await desk.type("By the lock")).endswith("2 of 6: people\nEnter people now?  yes or no\n")
    await desk.type("yes")
    await answered(desk, "witness", "Wyn Example", "-", "-", "-")
    await answered(desk, "no", "yes")
    await answered(desk, "theft", "theft", "Bicycle taken from a shed", "-", "now")
    await answered(desk, "-", "no")
    _, value = await only(alone)
    assert (value.location, value.people[0].name, value.investigator) == ("By the lock", "Wyn Example", None)
    assert [(one.crime, one.by) for one in value.crimes] == [("theft", "WM21877")]
    page = await desk.type(f"show {record}")
    assert "Your guide: still empty: first contact, investigator, victims told" in page
    assert "changes by officers in probation" in page


@pytest.mark.usefixtures("novice")
async def test_guided_forms_for_new_officers_with_tutor_confirmation(tmp_path: Path, identity: DeviceIdentity) -> None:
    """Guided forms for new officers with tutor confirmation: the tutor sees them first; a novice confirms nothing."""
    clock = VirtualClock()
    async with await opened(tmp_path / "hh", identity, clock=clock) as handheld, desk_of(handheld) as desk:
        record = await report(handheld)
        await desk.type(f"log {record} Owner told")
        assert "[tutor-confirms: the force's settings]" in await _fails_at(desk, f"confirm {record}", "yes")
    async with (
        await opened(tmp_path / "hh", identity, author="WM30002", clock=clock) as handheld,
        desk_of(handheld) as desk,
    ):
        asked = await desk.type(f"confirm {record} Well done")
        assert "log: Owner told" in asked
        assert asked.endswith("Confirm these 2 changes?  yes or no\n")
        assert "nothing was confirmed" in await desk.fails("no")
        await desk.type(f"confirm {record} Well done")
        assert "2 confirmed" in await desk.type("yes")
        _, value = await only(handheld)
        assert [one.note for one in value.confirmations] == ["Well done"] * 2
        assert "nothing here waits for a tutor" in await desk.fails(f"confirm {record}")


async def _fails_at(desk: Desk, line: str, answer: str) -> str:
    await desk.type(line)
    return await desk.fails(answer)


@pytest.mark.parametrize("command", ["contact", "assess", "grade", "methane", "guide"])
async def test_only_an_incident_is_worked_on_so(desk: Desk, alone: Handheld, command: str) -> None:
    """Of anything else it says what is meant, and without a record what to type."""
    made = await alone.create(briefing())
    assert "is no incident: list incidents tells which there are" in await desk.fails(f"{command} {made.record}")
    assert (await desk.fails(command)).startswith(f"expected: {command} ID")
    assert "is nothing that a tutor confirms" in await desk.fails(f"confirm {made.record}")
