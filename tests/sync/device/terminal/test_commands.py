"""A typed line becomes exactly one command, or a word about what to type."""

import pytest

from schemas.errors import UsageError
from schemas.kinds import CustodyBooking, Incident
from schemas.kinds.incident import Category
from sync.device.terminal import commands
from sync.device.terminal.commands import COMMANDS, Command, parse


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


def test_the_table_names_every_command_once() -> None:
    """The usage's first word is the command's name, and each kind of command can be typed."""
    assert list(COMMANDS) == [
        "list", "show", "new", "log", "set", "read", "offline", "online", "status", "held", "wait", "help", "quit",
    ]  # fmt: skip
