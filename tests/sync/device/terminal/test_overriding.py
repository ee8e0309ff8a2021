"""What a rule refuses and leaves to the officer, at the terminal: the reason is asked for, and the change goes on."""

import pytest

from schemas.ids import Millis
from schemas.kinds import CustodyBooking, Resource
from schemas.kinds.admission import Adult, HelpStep, Need
from schemas.kinds.booking import ObservationLevel
from schemas.kinds.resource import Category
from sync.device import Handheld
from sync.device.describing import short
from sync.device.terminal.source import given_lines
from sync.device.terminal.terminal import Terminal
from tests.sync.device.desks import SUITE
from tests.sync.device.support import NOON, incident
from tests.sync.device.terminal.desk import SUMMER, Desk, Paper, facts

ROUSED = "Level 2 at 14:00 by the nurse; awake and talking since."


@pytest.fixture
async def drunk(alone: Handheld) -> CustodyBooking:
    """Somebody under drink, whom a rule keeps from level 1 unless there is a reason."""
    held = CustodyBooking(
        suite="perry-barr",
        detainee="A. Garside",
        arrested_at=Millis(NOON),
        needs=(Need.UNDER_DRINK_OR_DRUGS,),
        observation=None,
    )
    await alone.create(held)
    return held


async def booked(handheld: Handheld) -> CustodyBooking:
    """The one booking, as it stands."""
    ((_, value),) = await handheld.find(CustodyBooking)
    return value


@pytest.mark.usefixtures("drunk")
async def test_a_refusal_says_the_rule_and_the_reason_goes_on(desk: Desk, alone: Handheld) -> None:
    """Which rule, why, what to do and how to go on; then the same change with the reason in the log, in one op."""
    await desk.type("list bookings")
    said = await desk.fails("set 1 observation l1")
    for words in ("level 1 checks them hourly", "Set level 2 at least", "custody-level-too-low", "PACE Code C 9.3"):
        assert words in said
    assert said.endswith("Type because and your reason, to go on.")
    assert (await booked(alone)).observation is None
    waiting = alone.status.waiting
    ((record, _),) = await alone.find(CustodyBooking)
    assert await desk.type(f"because {ROUSED}") == f"Custody booking {short(record)}: observation l1\n"
    value = await booked(alone)
    assert value.observation is ObservationLevel.L1
    assert [(one.text, one.overrides) for one in value.log] == [(ROUSED, "custody-level-too-low")]
    assert alone.status.waiting == waiting + 1


@pytest.mark.usefixtures("drunk")
async def test_a_reason_is_for_what_was_refused_just_now(desk: Desk, alone: Handheld) -> None:
    """Another command in between lets it go: a reason is never put under something else."""
    assert "nothing was refused just now" in await desk.fails("because I say so")
    await desk.type("list bookings")
    await desk.fails("set 1 observation l1")
    await desk.type("log 1 Asked the nurse")
    assert "nothing was refused just now" in await desk.fails("because I say so")
    assert (await booked(alone)).observation is None
    assert "expected: because REASON…" in await desk.fails("because")


async def test_a_cell_is_taken_for_a_child_only_with_a_reason(desk: Desk, alone: Handheld) -> None:
    """The prompt comes from the rule; with the reason the claim is made as any other, in one change."""
    asked = (Adult(at=Millis(NOON), step=HelpStep.ASKED, name="Father"),)
    child = CustodyBooking(
        suite="perry-barr", detainee="B. Young", arrested_at=Millis(NOON), born="2012-01-01", adults=asked
    )
    made = await alone.create(child)
    cell = await alone.create(Resource(category=Category.CELL, name="M1", home=SUITE))
    said = await desk.fails(f"claim {cell.record} {made.record}")
    assert "Nobody under 18 is placed in a cell" in said
    assert "custody-child-cell" in said
    assert "claimed for custody booking of B. Young" in await desk.type("because No other room; checked every 15 min")
    held = await alone.get(Resource, cell.record)
    assert held is not None
    assert held.hold is not None
    assert held.hold.holder == made.record
    assert [(one.overrides, one.text) for one in held.log] == [
        ("custody-child-cell", "No other room; checked every 15 min")
    ]


async def test_what_the_law_settles_takes_no_reason(desk: Desk, alone: Handheld) -> None:
    """Of a refusal that leaves nothing to judge no reason is asked, and none is taken."""
    child = CustodyBooking(suite="perry-barr", detainee="B. Young", arrested_at=Millis(NOON), born="2020-01-01")
    await alone.create(child)
    await desk.type("list bookings")
    assert "because" not in await desk.fails("set 1 appropriate_adult not-needed")
    assert "nothing was refused just now" in await desk.fails("because I say so")


@pytest.fixture
def typed(alone: Handheld) -> tuple[Paper, Terminal]:
    """A terminal for a script."""
    paper = Paper()
    return paper, Terminal(alone, paper, facts(), local=SUMMER, now=lambda: Millis(NOON))


@pytest.mark.usefixtures("drunk")
@pytest.mark.parametrize(
    ("line", "level"),
    [("because Awake and talking", ObservationLevel.L1), ("log 1 Asked the nurse", None)],
)
async def test_a_script_goes_on_only_with_a_reason(
    alone: Handheld, typed: tuple[Paper, Terminal], line: str, level: ObservationLevel | None
) -> None:
    """Behind a refusal a script goes on when its next line is the reason; any other line is not carried out."""
    _, terminal = typed
    lines = given_lines(["list bookings", "set 1 observation l1", line])
    assert await terminal.run(lines, stop_at_failure=True) is (level is not None)
    value = await booked(alone)
    assert value.observation is level
    assert len(value.log) == (level is not None)


async def test_a_step_that_no_rule_speaks_of_is_refused_as_it_was(desk: Desk, alone: Handheld) -> None:
    """The record's own declaration says which steps there are; no reason is taken for another."""
    made = await alone.create(incident())
    await desk.type(f"set {made.record} status closed")
    said = await desk.fails("set . status attended")
    assert said.endswith("[op_transition]")
    assert "nothing was refused just now" in await desk.fails("because I say so")
