"""The terminal handheld, command by command, on a replica of its own."""

import datetime as dt
import re

import pytest
from msgspec.structs import replace

from schemas.ids import Millis, RecordId
from schemas.kinds import BriefingReceipt, CustodyBooking, Incident
from schemas.kinds.briefing import Classification
from schemas.kinds.common import LogEntry
from schemas.kinds.incident import Category, Grade
from sync.device import Handheld
from sync.device.describing import short
from sync.device.kind_words import KIND_WORDS
from sync.device.terminal.looking import ROWS_MAX
from sync.device.terminal.source import given_lines
from sync.device.terminal.terminal import Terminal
from tests.sync.device.support import NOON, incident
from tests.sync.device.terminal.desk import SUMMER, Desk, Paper, briefing, facts, only

ELSEWHERE = RecordId("01890a5d-ac96-774b-bcce-b302099a8057")


# --- writing ---------------------------------------------------------------------------------------------------------


async def test_an_incident_is_reported_and_worked_on(desk: Desk, alone: Handheld) -> None:
    """What is typed becomes a record: summary, area and category, then fields and log, each with its author."""
    answer = await desk.type("new  Man fell in the canal in Birmingham public-safety")
    record, made = await only(alone)
    assert answer == f"Incident {short(record)}: reported in birmingham\n"
    assert made == replace(incident("Man fell in the canal"), category=Category.PUBLIC_SAFETY)

    assert await desk.type("set . grade P1") == f"Incident {short(record)}: grade p1\n"
    assert await desk.type("set . units BW31, BW32,") == f"Incident {short(record)}: units BW31, BW32\n"
    assert await desk.type("set . location By the lock") == f"Incident {short(record)}: location By the lock\n"
    assert await desk.type('log . He says:  "cold"') == f"Incident {short(record)}: written in the log\n"
    _, value = await only(alone)
    assert (value.grade, value.units, value.location) == (Grade.P1, ("BW31", "BW32"), "By the lock")
    assert value.log == (LogEntry(text='He says:  "cold"'),)
    assert desk.paper.complaints == []

    await desk.type("set . location -")
    await desk.type("set . units -")
    _, value = await only(alone)
    assert (value.location, value.units) == (None, ())


async def test_a_time_is_typed_and_shown_with_its_zone(desk: Desk, alone: Handheld) -> None:
    """A time of day is today's in the local zone, a full one is taken as it is; both are shown whole."""
    booking = CustodyBooking(suite="perry-barr", detainee="A. Garside", arrested_at=Millis(NOON))
    made = await alone.create(booking)
    name = f"Custody booking {short(made.record)}"
    day = dt.datetime.fromtimestamp(NOON / 1_000, dt.UTC).date()
    assert await desk.type(f"set {made.record} arrived_at 14:05") == f"{name}: arrived_at {day} 14:05 BST\n"
    assert await desk.type("set . relevant_time 2026-03-09 14:32") == f"{name}: relevant_time 2026-03-09 14:32 BST\n"
    value = await alone.get(CustodyBooking, made.record)
    assert value is not None
    assert value.relevant_time == dt.datetime(2026, 3, 9, 13, 32, tzinfo=dt.UTC).timestamp() * 1_000
    assert "arrived at" in await desk.type("show .")
    assert "is already recorded and stands" in await desk.fails("set . arrived_at 15:00")


async def test_reading_a_briefing_is_confirmed_once(online: Desk, handheld: Handheld) -> None:
    """`read` leaves one receipt of this officer, however often it is typed, and only on a briefing."""
    made = await handheld.create(briefing())
    assert "[read]" not in await online.type(f"show {made.record}")
    said = await handheld.confirmed(made.record)
    assert (said.opened_at is None, said.acknowledged_at) == (False, None), "what is shown is opened"
    assert await online.type(f"read {made.record}") == f"Briefing {short(made.record)}: reading confirmed\n"
    assert "you confirmed it 20" in await online.type("read .")
    assert (await handheld.confirmed(made.record)).acknowledged_at is not None
    assert len(await handheld.find(BriefingReceipt)) == 1
    assert "[read]" in await online.type("list briefings")
    assert "Receipts" not in await online.type("list")
    assert "has no log" in await online.fails(f"log {made.record} seen")
    await handheld.create(incident())
    await online.type("list incidents")
    assert "is no briefing" in await online.fails("read 1")


async def test_nobody_confirms_a_briefing_where_the_word_would_be_lost(desk: Desk, alone: Handheld) -> None:
    """A handheld on its own holds no scope of its officer: it says so, in one line, and writes nothing."""
    made = await alone.create(briefing())
    assert "Sign in at a seat of your own" in await desk.fails(f"read {made.record}")
    assert await alone.find(BriefingReceipt) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("set . status finished", "status is one of open, assigned, attended, closed; not 'finished'"),
        ("set . colour blue", "this incident has no field 'colour'; it has opened_at, area"),
        ("set . log hello", "log only grows"),
        ("set . summary -", "summary cannot be empty"),
        ("set . position 52.4,-1.9", "position cannot be typed here"),
        ("set . opened_at noon", "'noon' is no time: type it as in 14:32 (today) or 2026-03-09 14:32"),
        (f"set . location {'x' * 201}", "op_value_wrong"),
        ("log .", "expected: log ID TEXT…"),
        ("show 7", "there is no row 7: nothing was listed yet"),
        ("show xyz", "'xyz' names no record"),
        ("show abcdef", "there is no record 'abcdef' on this handheld"),
        (f"show {ELSEWHERE}", f"there is no record {short(ELSEWHERE)} on this handheld"),
        ("wait", "there is no server to wait for"),
        ("online", "opened without a server"),
        ("lsit", "no command 'lsit': did you mean list?"),
    ],
)
async def test_bad_input_is_one_clear_line_and_changes_nothing(
    desk: Desk, alone: Handheld, line: str, complaint: str
) -> None:
    """Whatever cannot be done is answered in one line that says what would do; the record stays as it was."""
    await desk.type("new Door forced in birmingham crime")
    before = await only(alone)
    assert complaint in await desk.fails(line)
    assert await only(alone) == before
    assert alone.status.waiting == 1


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_a_list_is_newest_first_numbered_through_and_narrowed_by_words(desk: Desk, alone: Handheld) -> None:
    """Rows of all kinds are numbered from 1, and words find what holds every one of them, also in a log."""
    assert await desk.type("list") == "Nothing here yet\n"
    old = await alone.create(replace(incident("Bicycle taken"), opened_at=NOON - 60_000))
    new = await alone.create(incident("Door forced", location="3 Mill Lane"))
    told = await alone.create(briefing(classification=Classification.OFFICIAL_SENSITIVE))
    await alone.append(old.record, "log", LogEntry(text="CCTV asked for"))

    rows = (await desk.type("list")).splitlines()
    assert [row.split()[:2] for row in rows if row[0] == " " or row[0].isdigit()] == [
        ["1", short(new.record)],
        ["2", short(old.record)],
        ["3", short(told.record)],
    ]
    assert rows[0] == "Incidents: 2"
    assert "Door forced, 3 Mill Lane" in rows[1]
    assert "official-sensitive" in rows[4]
    assert short(told.record) in await desk.type("show 3")

    assert short(new.record) not in (found := await desk.type("list incidents CCTV bicycle"))
    assert short(old.record) in found
    assert await desk.type("list CCTV door") == "Nothing here holds these words\n"
    assert "nothing was listed yet" in await desk.fails("show 1")
    assert await desk.type("list bookings") == "Bookings: 0\n"


async def test_a_long_list_is_cut_and_says_so(desk: Desk, alone: Handheld) -> None:
    """A list never runs off the screen, and the newest are not what is left out."""
    for n in range(ROWS_MAX + 1):
        await alone.create(replace(incident(f"Report {n}"), opened_at=NOON + n))
    page = await desk.type("list incidents")
    assert page.startswith(f"Incidents: the newest {ROWS_MAX} of {ROWS_MAX + 1}; add words to narrow\n")
    assert f"Report {ROWS_MAX}\n" in page
    assert not re.search(r"Report 0$", page, re.MULTILINE)


async def test_a_record_is_named_by_a_piece_of_its_id(desk: Desk, alone: Handheld) -> None:
    """The end of an id is enough, whether the record was shown before or not; a piece that fits two is refused."""
    first = await alone.create(incident("One"))
    second = await alone.create(incident("Two"))
    assert "summary" in await desk.type(f"show {short(first.record).upper()}")
    assert "Two" in await desk.type(f"show {second.record[-12:]}")
    assert "fits 2 records" in await desk.fails(f"show {first.record[:10]}")


async def test_a_record_is_shown_with_who_said_what(desk: Desk, alone: Handheld) -> None:
    """Every field is there, set or not; log entries bear author, device and local time; what waits is marked."""
    made = await alone.create(incident())
    await alone.append(made.record, "log", LogEntry(text="Line one\nLine two"), occurred_at=NOON - 3_600_000)
    page = await desk.type(f"show {made.record}")
    for field in Incident.__struct_fields__:
        assert field.replace("_", " ") in page
    assert re.search(r"^outcome +-$", page, re.MULTILINE)
    earlier = SUMMER.text(NOON - 3_600_000)
    assert re.search(rf"{earlier} +Line one +WM21877 on hh-0042 \[waiting\]\n +Line two$", page, re.MULTILINE)
    assert earlier.endswith(" BST")


async def test_nothing_in_a_record_steers_the_terminal(desk: Desk, alone: Handheld) -> None:
    """Escape sequences, bells and turned text from another device are shown as marks, in pages, lists and messages."""
    hostile = "up \x1b[2J\x1b]0;owned\x07 \u202egnp.exe [bold]x[/bold]"
    made = await alone.create(incident(hostile, location=hostile))
    await alone.append(made.record, "log", LogEntry(text=hostile))
    for line in ("list", f"show {made.record}"):
        page = await desk.type(line)
        assert "\N{REPLACEMENT CHARACTER}[2J" in page
        assert "[bold]x[/bold]" in page
        assert not set(page) & {"\x1b", "\x07", "\u202e"}


async def test_status_held_and_help_have_their_pages(desk: Desk) -> None:
    """Who, where, how it stands, and every command."""
    await desk.type("new Door forced in birmingham")
    page = await desk.type("status")
    for words in ("hh-0042", "WM21877", "works by itself", "1 change not yet", "never"):
        assert words in page
    assert await desk.type("held") == "Nothing was refused\n"
    page = await desk.type("help")
    assert all(word in page for word in KIND_WORDS)


async def test_a_script_ends_at_the_first_failure(alone: Handheld) -> None:
    """What follows a command that failed was written for the case that it works: it is not carried out."""
    paper = Paper()
    terminal = Terminal(alone, paper, facts(), local=SUMMER)
    lines = given_lines(["# a comment", "", "new A in birmingham", "bogus", "new B in birmingham"])
    assert not await terminal.run(lines, stop_at_failure=True)
    assert [value.summary for _, value in await alone.find(Incident)] == ["A"]
    assert await Terminal(alone, paper, facts()).run(given_lines(["quit", "bogus"]), stop_at_failure=True)
