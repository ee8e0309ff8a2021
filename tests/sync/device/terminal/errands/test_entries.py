"""What is entered at the terminal by a line or a form: checks, steps of a detention, and entries of any field."""

import pytest

from schemas.ids import Millis, RecordId
from schemas.kinds import CustodyBooking, Incident
from schemas.kinds.admission import InterpreterNeed, Right, RightStep, Risk, RiskAssessment
from schemas.kinds.booking import BookingStatus
from schemas.kinds.care import Place, Response
from schemas.kinds.detention import DetentionEvent, Manner, Outcome, Rank, Step, ref
from schemas.settings import DEFAULTS
from sync.device import Handheld
from sync.device.describing import short
from sync.device.terminal.source import given_lines
from sync.device.terminal.terminal import Terminal
from sync.policing.custody import clocks
from sync.policing.custody.checks import counting
from sync.policing.custody.events import held
from tests.sync.device.support import NOON, incident
from tests.sync.device.terminal.desk import SUMMER, Desk, Paper, facts

MINUTE = 60_000
HOUR = 60 * MINUTE
EARLIER = SUMMER.text(NOON - HOUR)[11:16]


@pytest.fixture
async def record(alone: Handheld) -> RecordId:
    """Somebody who has arrived, and of whom all that is asked at authorisation is known."""
    arrived = CustodyBooking(
        suite="perry-barr",
        detainee="A. Garside",
        arrested_at=Millis(NOON - 5 * HOUR),
        interpreter=InterpreterNeed.NOT_NEEDED,
        risk_assessments=(RiskAssessment(at=Millis(NOON - 3 * HOUR), level=Risk.STANDARD),),
        detention=(DetentionEvent(what=Step.ARRIVAL, at=Millis(NOON - 4 * HOUR)),),
    )
    return (await alone.create(arrived)).record


async def booking(handheld: Handheld, record: RecordId) -> CustodyBooking:
    """It, as it stands."""
    value = await handheld.get(CustodyBooking, record)
    assert value is not None
    return value


async def answered(desk: Desk, *answers: str) -> str:
    """Type the answers to a form; what the last one showed."""
    shown = ""
    for answer in answers:
        shown = await desk.type(answer)
    return shown


async def test_a_check_is_one_line(desk: Desk, alone: Handheld, record: RecordId) -> None:
    """Where, how, when and what was seen; without a time it is now. Both times are kept."""
    said = await desk.type(f"check {record} cell awake at {EARLIER} Talking, asked for water")
    assert said == f"Custody booking {short(record)}: check at {SUMMER.text(NOON - HOUR - 20_000)}, cell, awake\n"
    await desk.type("check . suite roused")
    first, second = (await booking(alone, record)).checks
    assert (first.place, first.response, first.note) == (Place.CELL, Response.AWAKE, "Talking, asked for water")
    assert first.checked_at == NOON - HOUR - 20_000
    assert (second.place, second.response, second.note, second.checked_at) == (
        Place.SUITE,
        Response.ROUSED,
        None,
        NOON,
    )
    assert "'well' is no response; there are awake, roused, asleep, no-response" in await desk.fails(
        "check . cell well"
    )
    assert await desk.fails("add . checks") == "check enters these"
    assert await desk.fails("add . detention") == "step enters these"
    assert "'roof' is no place" in await desk.fails("check . roof awake")


async def test_a_cell_check_of_somebody_in_hospital_is_refused_in_words(
    desk: Desk, alone: Handheld, record: RecordId
) -> None:
    """It says where the record has them, the rule, and what to do; nothing is written and no reason is taken."""
    await alone.append(
        record, "detention", DetentionEvent(what=Step.LEFT_FOR_HOSPITAL, at=Millis(NOON - HOUR), treatment=True)
    )
    said = await desk.fails(f"check {record} cell asleep")
    for words in ("the record has the person elsewhere", "Enter where you saw them", "custody-check-elsewhere"):
        assert words in said
    assert "because" not in said
    assert (await booking(alone, record)).checks == ()


async def test_a_step_asks_for_what_belongs_to_it(desk: Desk, alone: Handheld, record: RecordId) -> None:
    """Authorising asks who, of which rank and on which grounds; time and status of the booking follow in one change."""
    asked = await desk.type(f"step {record} authorised at {EARLIER}")
    assert asked.startswith("Who decided or did it")
    asked = await desk.type("WM10001")
    assert asked.startswith("Their rank?  constable, sergeant, inspector")
    waiting = alone.status.waiting
    said = await answered(desk, "sergeant", "To secure evidence and question")
    assert said.startswith(f"Custody booking {short(record)}: authorised at ")
    value = await booking(alone, record)
    at = Millis(NOON - HOUR - 20_000)
    (made,) = [one for one in value.detention if one.what is Step.AUTHORISED]
    assert made == DetentionEvent(
        what=Step.AUTHORISED, at=at, by="WM10001", rank=Rank.SERGEANT, reason="To secure evidence and question"
    )
    assert (value.detention_authorised_at, value.status) == (at, BookingStatus.DETAINED)
    assert alone.status.waiting == waiting + 1
    found = clocks.of_booking(value, DEFAULTS.custody, Millis(NOON))
    assert found.reviews.authorised_at == at


async def test_a_review_by_somebody_of_no_rank_goes_on_with_a_reason(
    desk: Desk, alone: Handheld, record: RecordId
) -> None:
    """It is asked about; with a reason it is entered as it was, and the page says that it does not count and why."""
    await desk.type(f"step {record} review")
    await answered(desk, "WM20002", "sergeant", "no", "in-person", "continued")
    assert "takes an inspector or above" in await desk.fails("-")
    assert (await desk.type("because Recorded as it was done; an inspector comes")).endswith(
        f"review at {SUMMER.text(NOON)}\n"
    )
    value = await booking(alone, record)
    (made,) = [one for one in value.detention if one.what is Step.REVIEW]
    assert (made.manner, made.outcome, made.involved, made.reason) == (Manner.IN_PERSON, Outcome.CONTINUED, False, None)
    assert [one.text for one in value.log] == ["Recorded as it was done; an inspector comes"]
    assert "LOOK: A review does not count: it takes an inspector or above" in await desk.type("clocks .")
    again = await desk.type(f"step {record} review")
    assert again.startswith("Who decided"), "what was written is not offered again"
    assert "keeps what stands" not in again


async def test_a_wrong_answer_is_asked_again_and_a_form_can_be_left(
    desk: Desk, alone: Handheld, record: RecordId
) -> None:
    """Nothing is written before the last answer; what was answered is kept for when the form is taken up again."""
    await desk.type(f"add {record} rights")
    await desk.type("now")
    assert "legal-advice" in (await desk.type("legal-advise") and desk.paper.complaints[-1])
    assert (await desk.type("legal-advice")).startswith("What was done about it?")
    assert "nothing was written" in await desk.fails("stop")
    assert (await booking(alone, record)).rights == ()
    again = await desk.type(f"add {record} rights")
    assert again.startswith(f"Go on with what you answered before (at {SUMMER.text(NOON)}, right legal-advice)?")
    assert "left: nothing was written" in await desk.fails("stop")
    await desk.type(f"add {record} rights")
    assert (await desk.type("yes")).startswith("What was done about it?")
    await answered(desk, "given", "no")
    (made,) = (await booking(alone, record)).rights
    assert (made.right, made.step, made.adult_present, made.at) == (Right.LEGAL_ADVICE, RightStep.GIVEN, False, NOON)
    await desk.type(f"add {record} rights")
    await answered(desk, "now", "codes", "stop")
    await desk.type(f"add {record} rights")
    assert (await desk.type("no")).startswith("When?"), "it may be about something else"


async def test_a_form_that_a_rule_refuses_keeps_its_answers(desk: Desk, alone: Handheld, record: RecordId) -> None:
    """A delay without a rank that may authorise it: said why, and asked anew with each answer there to be kept."""
    await desk.type(f"add {record} rights")
    for answer in ("now", "someone-informed", "delayed", "no", "Insp. Finch", "sergeant", "now"):
        await desk.type(answer)
    assert "custody-right-delayed" in await desk.fails("Evidence would be lost")
    await desk.type(f"add {record} rights")
    asked = [await desk.type(answer) for answer in ("=", "=", "=", "=", "=")]
    assert "= keeps what stands: sergeant" in asked[-1]
    await desk.type("inspector")
    await answered(desk, "2026-09-22 06:00", "=")
    (made,) = (await booking(alone, record)).rights
    assert (made.rank, made.authority, made.reason) == (Rank.INSPECTOR, "Insp. Finch", "Evidence would be lost")


async def test_an_entry_is_amended_by_another(desk: Desk, alone: Handheld, record: RecordId) -> None:
    """The new one names the old, which stays; the clock goes by the new one."""
    assert "  1  " in (await desk.type(f"clocks {record}")).partition("Steps,")[2]
    await desk.type("amend . detention 1")
    before = (await booking(alone, record)).detention[0]
    await answered(desk, "=", SUMMER.text(NOON - 3 * HOUR)[:16], "-")
    old, new = sorted((await booking(alone, record)).detention, key=lambda one: one.corrects or "")
    assert old == before
    assert (new.what, new.at, new.corrects) == (Step.ARRIVAL, NOON - 3 * HOUR - 20_000, ref(old))
    found = clocks.of_booking(await booking(alone, record), DEFAULTS.custody, Millis(NOON))
    assert found.relevant.at == new.at
    assert "has 2 entries; '9' is none of them" in await desk.fails("amend . detention 9")


async def test_an_entry_made_in_error_is_taken_back_and_stays(desk: Desk, alone: Handheld, record: RecordId) -> None:
    """A check and a step: neither counts any more, both are still there, and the log says why."""
    await desk.type(f"check {record} cell awake at {EARLIER}")
    said = await desk.type(f"strike {record} checks 1 It was the next cell")
    assert said.endswith("checks, entry 1 taken back\n")
    await desk.type(f"strike {record} detention 1 Another person's arrival")
    value = await booking(alone, record)
    assert len(value.checks) == len(value.detention) == 2
    assert counting(value, DEFAULTS, Millis(NOON)) == ()
    assert held(value.detention, Millis(NOON)).events == ()
    assert [one.text for one in value.log] == [
        "checks, entry 1 made in error: It was the next cell",
        "detention, entry 1 made in error: Another person's arrival",
    ]
    assert "expected: strike ID FIELD N REASON…" in await desk.fails("strike . checks 1")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("add . log", "'log' is nothing to add to here; there are arrests, people, first_contact, "),
        ("add . crime-numbers", "'crime-numbers' is nothing to add to here"),
        ("add . colour", "'colour' is nothing to add to here"),
        ("amend . people 1", "people has 0 entries; '1' is none of them"),
        ("check . cell awake", "is no custody booking"),
        ("step . arrival", "is no custody booking"),
        ("add .", "expected: add ID FIELD"),
    ],
)
async def test_what_cannot_be_entered_is_told_in_a_line(desk: Desk, alone: Handheld, line: str, words: str) -> None:
    """Which there are instead."""
    made = await alone.create(incident())
    await desk.type(f"show {made.record}")
    assert words in await desk.fails(line)


async def test_a_script_answers_a_form_and_fails_at_a_wrong_answer(alone: Handheld) -> None:
    """The lines behind the command are the answers; none of them is taken for another question."""
    made = await alone.create(incident())
    lines = [f"add {made.record} abuse-victims", "Ann Example", "1984-05-17", "sister", "-"]
    paper = Paper()
    terminal = Terminal(alone, paper, facts(), local=SUMMER, now=lambda: Millis(NOON))
    assert await terminal.run(given_lines(lines), stop_at_failure=True)
    value = await alone.get(Incident, made.record)
    assert value is not None
    assert [(one.name, one.born, one.relation) for one in value.abuse_victims] == [
        ("Ann Example", "1984-05-17", "sister")
    ]
    for wrong, words in (
        ([lines[0], "Bea Example", "17 May"], "born does not fit"),
        ([lines[0], "Bea Example"], "the input ended at the question “Born on"),
    ):
        terminal = Terminal(alone, paper, facts(), local=SUMMER, now=lambda: Millis(NOON))
        assert not await terminal.run(given_lines(wrong), stop_at_failure=True)
        assert words in paper.complaints[-1]
    value = await alone.get(Incident, made.record)
    assert value is not None
    assert len(value.abuse_victims) == 1
