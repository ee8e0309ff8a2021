"""The custody board at the terminal: who is held, whose time is short, and what falls due next."""

import msgspec

from schemas import scopes
from schemas.ids import Millis
from schemas.kinds import CustodyBooking, Resource
from schemas.kinds.admission import Adult, HelpStep, InterpreterNeed, Need, Risk, RiskAssessment
from schemas.kinds.booking import BookingStatus, ObservationLevel
from schemas.kinds.common import Marker
from schemas.kinds.detention import DetentionEvent, Step
from schemas.kinds.leaving import PreRelease
from schemas.kinds.resource import Category
from sync.device import Handheld
from tests.sync.device.support import NOON
from tests.sync.device.terminal.desk import Desk

MINUTE = 60_000
HOUR = 60 * MINUTE


def held(name: str, ago_ms: int, **more: object) -> CustodyBooking:
    """Somebody who came so long ago."""
    came = Millis(NOON - ago_ms)
    given = {
        "suite": "perry-barr",
        "arrested_at": came,
        "interpreter": InterpreterNeed.NOT_NEEDED,
        "risk_assessments": (RiskAssessment(at=came, level=Risk.STANDARD),),
        "detention": (
            DetentionEvent(what=Step.ARRIVAL, at=came),
            DetentionEvent(what=Step.AUTHORISED, at=came, reason="To question"),
        ),
        "observation": ObservationLevel.L1,
        **more,
    }
    return CustodyBooking(detainee=name, **given)  # type: ignore[arg-type]  # typed by its fields


async def test_everybody_who_is_held_is_on_the_board(desk: Desk, alone: Handheld) -> None:
    """Whose next thing is due soonest first; cell, level, time left, and what whoever goes in must know."""
    needs = (Need.UNDER_DRINK_OR_DRUGS,)
    warned = (Marker(warning="violent"),)
    ann = await alone.create(
        held("Ann Example", 2 * HOUR, needs=needs, markers=warned, observation=ObservationLevel.L2, risk=Risk.HIGH)
    )
    await alone.create(held("Bob Example", 25 * HOUR, suite="oldbury"))
    asked = (Adult(at=Millis(NOON - 5 * MINUTE), step=HelpStep.ASKED, name="Father"),)
    await alone.create(held("Cy Example", 10 * MINUTE, born="2012-01-01", adults=asked))
    cell = await alone.create(Resource(category=Category.CELL, name="M3", home=scopes.suite("perry-barr")))
    await alone.claim(cell.record, ann.record)
    gone = PreRelease(at=Millis(NOON), level=Risk.STANDARD, plan="Home by bus")
    await alone.create(held("Di Example", HOUR, status=BookingStatus.RELEASED, release_assessments=(gone,)))
    head, *rows = (await desk.type("board")).splitlines()
    assert head == "Held: 3, with something overdue: 2"
    assert ["Bob" in rows[0], "Ann" in rows[1], "Cy" in rows[2]] == [True] * 3
    assert "OVER by 1 h" in rows[0]
    for told in ("M3", "level 2 risk high", "22 h left", "OVERDUE by", "under drink or drugs, warnings"):
        assert told in rows[1], told
    assert "no cell" in rows[2]
    assert rows[2].endswith("under 18")
    assert "Ann Example" in await desk.type("clocks 2"), "its numbers are rows"


async def test_who_came_back_on_bail_is_on_the_board(desk: Desk, alone: Handheld) -> None:
    """Their status still says released: the steps say that they are held again."""
    out = held("Ann Example", 5 * HOUR)
    gone = PreRelease(at=Millis(NOON - 3 * HOUR), level=Risk.STANDARD, plan="Home by bus")
    steps = (
        DetentionEvent(what=Step.BAILED, at=Millis(NOON - 3 * HOUR), until=Millis(NOON - HOUR)),
        DetentionEvent(what=Step.BAIL_RETURN, at=Millis(NOON - HOUR)),
    )
    released = {"status": BookingStatus.RELEASED, "release_assessments": (gone,)}
    whole = msgspec.structs.replace(out, **released, detention=(*out.detention, steps[0]))
    made = await alone.create(whole)
    assert (await desk.type("board")).startswith("Held: 0")
    await alone.append(made.record, "detention", steps[1])
    head, row = (await desk.type("board")).splitlines()
    assert head.startswith("Held: 1,")
    assert "Ann Example" in row


async def test_a_board_of_one_suite(desk: Desk, alone: Handheld) -> None:
    """Only those who are held there; of whoever is away it says where."""
    left = DetentionEvent(what=Step.LEFT_FOR_HOSPITAL, at=Millis(NOON - MINUTE), treatment=True)
    made = await alone.create(held("Ann Example", HOUR))
    await alone.append(made.record, "detention", left)
    await alone.create(held("Bob Example", HOUR, suite="oldbury"))
    head, row = (await desk.type("board Perry-Barr")).splitlines()
    assert head.startswith("Held: 1,")
    assert "Ann Example" in row
    assert "hospital" in row
    assert "23 h 01 min left, stopped" in row
    assert "Held: 0" in await desk.type("board coventry")
    assert "expected: board [SUITE]" in await desk.fails("board perry barr")
