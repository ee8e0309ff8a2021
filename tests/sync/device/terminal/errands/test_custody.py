"""What a custody desk sees at the terminal: the clocks, what falls due next, and what was believed before."""

import re

import pytest

from schemas.ids import Millis, RecordId
from schemas.kinds import CustodyBooking
from schemas.kinds.admission import InterpreterNeed, Risk, RiskAssessment
from schemas.kinds.booking import BookingStatus
from schemas.kinds.care import Check, Place, Response
from schemas.kinds.detention import DetentionEvent, Step
from sync.device import Handheld
from sync.device.describing import short
from tests.sync.device.support import NOON, VirtualClock, incident
from tests.sync.device.terminal.desk import SUMMER, Desk

MINUTE = 60_000
HOUR = 60 * MINUTE


def held(**more: object) -> CustodyBooking:
    """Somebody who was brought in four hours ago and is detained since."""
    given = {
        "suite": "perry-barr",
        "detainee": "A. Garside",
        "arrested_at": Millis(NOON - 5 * HOUR),
        "status": BookingStatus.DETAINED,
        "interpreter": InterpreterNeed.NOT_NEEDED,
        "risk_assessments": (RiskAssessment(at=Millis(NOON - 4 * HOUR), level=Risk.STANDARD),),
        "detention": (
            DetentionEvent(what=Step.ARRIVAL, at=Millis(NOON - 4 * HOUR)),
            DetentionEvent(
                what=Step.AUTHORISED, at=Millis(NOON - 4 * HOUR + 10 * MINUTE), by="WM10001", reason="To question"
            ),
        ),
        **more,
    }
    return CustodyBooking(**given)  # type: ignore[arg-type]  # typed by its fields


async def booked(handheld: Handheld, **more: object) -> RecordId:
    """It is in the replica."""
    return (await handheld.create(held(**more))).record


async def test_both_clocks_stand_on_one_page_with_who_may_extend(desk: Desk, alone: Handheld) -> None:
    """Detention clock, review clock, each span, each limit, and who may authorise more, without a server."""
    record = await booked(alone)
    page = await desk.type(f"clocks {short(record)}")
    assert page.startswith(f"Custody booking {short(record)}  A. Garside, perry-barr\n")
    for words in (
        "At the station since",
        "Detention: 4 h counted; 20 h left of 24 h (custody officer's authority), until",
        "PACE 1984 s.41(2)",
        "Reviews: review 1 due in 2 h 10 min",
        "inspector or above",
        "in detention, counts (PACE 1984 s.41(1))",
        "Superintendent's extension: not now. 2 reviews must have been carried out; 0 have been.",
    ):
        assert words in page, words
    limits = page.partition("Limits\n")[2].partition("Next\n")[0].splitlines()
    assert [line.split(",")[0].split("  ")[1:] for line in limits] == [
        ["24 h", "custody officer"],
        ["36 h", "superintendent"],
        ["96 h", "absolute"],
    ]
    assert "binds now" in limits[0]
    assert "not authorised" in limits[1]


async def test_what_falls_due_next_is_told_the_soonest_first(desk: Desk, alone: Handheld) -> None:
    """When, what to do, whose it is and where it is laid down; what is overdue says by how much."""
    record = await booked(alone)
    page = await desk.type(f"clocks {record}")
    due = page.partition("Next\n")[2].partition("Steps,")[0].splitlines()
    assert "OVERDUE by 3 h" in due[0]
    assert "Check A. Garside: observation level 1.  custody officer (PACE Code C 9.3" in "\n".join(due)
    review = next(line for line in due if "Review 1 of the detention" in line)
    assert "in 2 h 10 min" in review
    assert "reviewing officer, custody officer (PACE 1984 s.40" in review


async def test_a_check_that_does_not_count_says_why(desk: Desk, alone: Handheld, clock: VirtualClock) -> None:
    """A cell check of somebody in hospital, as two devices may bring together, is shown and does not count."""
    record = await booked(alone)
    seen = Check(checked_at=Millis(NOON - HOUR), where="cell", response=Response.AWAKE, place=Place.CELL)
    await alone.append(record, "checks", seen)
    # An entry that arrives later tells that they were away by then.
    left = DetentionEvent(what=Step.LEFT_FOR_HOSPITAL, at=Millis(NOON - 2 * HOUR), treatment=True)
    await alone.append(record, "detention", left)
    page = await desk.type(f"clocks {record}")
    assert "In hospital or on the way since" in page
    assert "Detention: STOPPED at 2 h" in page
    assert "does not count; the record has the person elsewhere at that time" in page
    assert "entered 1 h 00 min after it was made" in page
    del clock


async def test_what_was_believed_before_stands_beside_what_is_known_now(
    desk: Desk, alone: Handheld, clock: VirtualClock
) -> None:
    """A late entry moves the clock; what whoever acted before it had on the screen can still be told."""
    clock.set_wall(NOON - HOUR)
    record = await booked(alone)
    clock.set_wall(NOON)
    away = DetentionEvent(what=Step.LEFT_FOR_HOSPITAL, at=Millis(NOON - 2 * HOUR), treatment=True)
    await alone.append(record, "detention", away)
    page = await desk.type(f"believed {record} {SUMMER.text(NOON - HOUR // 2)[:16]}")
    before, _, rest = page.partition("Recorded since of the time before\n")
    assert "Detention: 3 h 29 min counted" in before
    entered, _, now = rest.partition("By what is known now, at that time\n")
    assert re.fullmatch(rf"  {SUMMER.text(NOON)}  left for hospital at {SUMMER.text(NOON - 2 * HOUR)}\n", entered)
    assert "counted: 3 h 29 min -> 2 h" in now
    assert "whereabouts: At the station" in now


async def test_of_a_time_before_anything_was_recorded_it_says_so(desk: Desk, alone: Handheld) -> None:
    """Nothing is made up for a moment of which nothing was known, or which is to come."""
    record = await booked(alone)
    earlier = SUMMER.text(NOON - HOUR)[:16]
    assert "nothing of this arrest had been recorded" in await desk.type(f"believed {record} {earlier}")
    later = SUMMER.text(NOON + HOUR)[:16]
    assert "still to come" in await desk.fails(f"believed {record} {later}")
    same = await desk.type(f"believed {record} now")
    assert "Recorded since of the time before\n  nothing\n" in same
    assert same.endswith("at that time\n  the same\n")


@pytest.mark.parametrize("command", ["clocks", "believed"])
async def test_only_a_booking_has_clocks(desk: Desk, alone: Handheld, command: str) -> None:
    """Of anything else it says what is meant."""
    made = await alone.create(incident())
    assert "is no custody booking" in await desk.fails(f"{command} {made.record}{' now' * (command == 'believed')}")
    assert "expected: believed ID TIME" in await desk.fails("believed 1")
