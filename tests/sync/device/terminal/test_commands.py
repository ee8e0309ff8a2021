"""A typed line becomes exactly one command, or a word about what to type."""

from pathlib import Path
from typing import Final

import pytest

from schemas.errors import UsageError
from schemas.kinds import CustodyBooking, Incident
from schemas.kinds.incident import Category
from sync.device.kind_words import KIND_WORDS
from sync.device.terminal import commands
from sync.device.terminal.commands import COMMANDS, Command, parse

PAGE: Final = Path(__file__).parents[4] / "docs" / "howto" / "handset.md"
USAGE_CELLS_MAX: Final = 60
"""Of a terminal that is at least 100 wide."""


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("list", commands.Listing(None, ())),
        ("LIST Incidents", commands.Listing(Incident, ())),
        ("list bookings theft  shop", commands.Listing(CustodyBooking, ("theft", "shop"))),
        ("list grey incidents", commands.Listing(None, ("grey", "incidents"))),
        ("  show 3  ", commands.Show("3")),
        ("new Fire in Aston", commands.New("Fire", "aston", commands.DEFAULT_CATEGORY)),
        (
            "new Man in the canal in Perry-Barr Public-Safety",
            commands.New("Man in the canal", "perry-barr", Category.PUBLIC_SAFETY),
        ),
        ("log 3 He said  “no”  ", commands.Log("3", "He said  “no”")),
        ("set 3 Status open", commands.SetField("3", "status", "open")),
        ("set 3 location 12 Mill Lane", commands.SetField("3", "location", "12 Mill Lane")),
        ("read .", commands.Read(".")),
        ("tag . Markers dog at the address", commands.Tag(".", "markers", "dog at the address")),
        ("untag 2 markers violent ", commands.Tag("2", "markers", "violent", away=True)),
        (
            "correct 1 Arrested_At 2026-03-09 14:32 because the clock ran fast",
            commands.Correct("1", "arrested_at", "2026-03-09 14:32", "the clock ran fast"),
        ),
        ("claim 3", commands.Claim("3", None)),
        ("claim 3 Tango 4", commands.Claim("3", "Tango 4")),
        ("release .", commands.Release(".")),
        ("reserve 1 2  3 until 18:00", commands.Reserve(("1", "2", "3"), "18:00", None)),
        (
            "reserve . until 2026-03-09 18:00 for night shift",
            commands.Reserve((".",), "2026-03-09 18:00", "night shift"),
        ),
        ("free 1", commands.Free("1")),
        ("inbox", commands.ShowInbox()),
        ("decide 1 2 The camera shows it", commands.Decide("1", "2", None, "The camera shows it")),
        ("decide . =high It was seen", commands.Decide(".", "=high", None, "It was seen")),
        ("decide . 1 instead 4 They were first", commands.Decide(".", "1", "4", "They were first")),
        ("explain .", commands.Explain(".", None)),
        ("explain 2 Risk", commands.Explain("2", "risk")),
        ("mend 12 Summary Shed door forced", commands.Mend("12", "summary", "Shed door forced")),
        ("withdraw 12 entered twice", commands.Withdraw("12", "entered twice")),
        ("offline", commands.Offline()),
        ("online", commands.Online()),
        ("status", commands.Status()),
        ("held", commands.ListHeld()),
        ("wait", commands.Wait(commands.WAIT_S)),
        ("wait 0.5", commands.Wait(0.5)),
        ("help", commands.Help()),
        ("quit", commands.Quit()),
        ("", None),
        ("   ", None),
        ("# a comment", None),
    ],
)
def test_a_line_becomes_its_command(line: str, command: Command | None) -> None:
    """Every form that the help tells is understood, whatever the case and the spaces around it."""
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("shwo 3", "no command 'shwo': did you mean show?"),
        ("exterminate", "no command 'exterminate': help tells the commands"),
        ("show", "expected: show ID"),
        ("show 1 2", "expected: show ID"),
        ("new Fire", "expected: new SUMMARY… in AREA [CATEGORY]"),
        ("new in birmingham", "expected: new SUMMARY… in AREA [CATEGORY]"),
        ("new Fire in Bir/mingham", "'Bir/mingham' is no area"),
        ("new Fire in birmingham arson", "'arson' is no category; there are transport, "),
        ("log 3", "expected: log ID TEXT…"),
        ("set 3 status", "expected: set ID FIELD VALUE…"),
        ("read", "expected: read ID"),
        ("tag 1 markers", "expected: tag ID FIELD TAG…"),
        ("correct 1 arrested_at 14:32", "expected: correct ID FIELD VALUE… because REASON…"),
        ("claim", "expected: claim ID [HOLDER…]"),
        ("reserve 1 18:00", "expected: reserve ID… until TIME [for HOLDER…]"),
        ("free", "expected: free ID"),
        ("inbox all", "expected: inbox"),
        ("decide 1 2", "expected: decide ID CHOICE [instead ID] REASON…"),
        ("explain", "expected: explain ID [FIELD]"),
        ("explain 1 risk level", "expected: explain ID [FIELD]"),
        ("mend 12 summary", "expected: mend OP FIELD VALUE…"),
        ("withdraw 12", "expected: withdraw OP REASON…"),
        ("status now", "expected: status"),
        ("wait -1", "expected: wait [SECONDS]"),
        ("wait nan", "expected: wait [SECONDS]"),
        ("wait long", "expected: wait [SECONDS]"),
        ("\x1b[A", "no command '\\x1b[A'"),
    ],
)
def test_anything_else_is_told_what_to_type(line: str, words: str) -> None:
    """A mistake is answered with the form that was expected, on one line and with nothing that steers a terminal."""
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


def test_the_page_tells_every_command_in_the_order_of_help() -> None:
    """docs/howto/handset.md has a row for each command with the form that `help` tells, and no other."""
    page = PAGE.read_text(encoding="utf-8")
    table = page.partition("## Commands\n")[2].partition("\n**ID**")[0]
    forms = [row.partition("`")[2].partition("`")[0].replace("\\|", "|") for row in table.splitlines() if "`" in row]
    assert forms == [spec.usage for spec in COMMANDS.values()]
    assert [word for word in KIND_WORDS if f"`{word}`" not in table] == [], "a kind of record"
    assert list(COMMANDS) == [spec.name for spec in COMMANDS.values()], "each name once"


def test_a_form_leaves_room_for_its_meaning() -> None:
    """`help` has the forms in a column of their own: none is so long that a terminal has no room for what it does."""
    assert max(len(spec.usage) for spec in COMMANDS.values()) <= USAGE_CELLS_MAX
