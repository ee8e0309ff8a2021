"""Values in words, and words as values, follow from the declared types alone."""

import datetime as dt
from typing import Any

import pytest

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis
from schemas.kinds import KINDS, Briefing, CustodyBooking, Incident, Kind, spec_of
from schemas.kinds.booking import Check, Response, Risk
from schemas.kinds.common import LogEntry, Position
from sync.device.terminal import values
from sync.device.terminal.values import LocalTime
from tests.sync.device.support import NOON

BST = LocalTime(dt.timezone(dt.timedelta(hours=1), "BST"))


def field(kind: type[Kind], name: str) -> Any:  # noqa: ANN401  a FieldSpec
    """The declaration of a field."""
    return spec_of(kind).fields[FieldName(name)]


@pytest.mark.parametrize(
    ("kind", "name", "typed", "value"),
    [
        (CustodyBooking, "risk", "HIGH", Risk.HIGH),
        (CustodyBooking, "risk", "-", None),
        (Briefing, "withdrawn", "Yes", True),
        (Briefing, "urgent", "off", False),
        (Briefing, "audience", "force, area:walsall", ("force", "area:walsall")),
        (Briefing, "expires_at", "-", None),
        (Incident, "summary", " Two words ", "Two words"),
    ],
)
def test_words_become_a_value_of_the_fields_type(kind: type[Kind], name: str, typed: str, value: object) -> None:
    """Choices, yes and no, lists, texts and nothing are read as the field declares them."""
    assert values.read(field(kind, name), typed, BST, Millis(NOON)) == value


@pytest.mark.parametrize(
    ("kind", "name", "typed", "words"),
    [
        (CustodyBooking, "status", "-", "status cannot be empty"),
        (Briefing, "urgent", "very", "urgent is yes or no"),
        (CustodyBooking, "arrived_at", "25:00", "is no time"),
        (CustodyBooking, "arrived_at", "99999-01-01 10:00", "is no time"),
        (CustodyBooking, "checks", "awake", "checks only grows"),
        (Incident, "position", "1,2", "position cannot be typed here"),
    ],
)
def test_words_that_do_not_fit_are_told(kind: type[Kind], name: str, typed: str, words: str) -> None:
    """What cannot be a value of the field says so by the field's name."""
    with pytest.raises(UsageError, match=words):
        values.read(field(kind, name), typed, BST, Millis(NOON))


def test_every_field_can_be_shown() -> None:
    """No field of any kind is without words, at its default or at the largest number there is."""
    for spec in KINDS.values():
        for name, each in spec.fields.items():
            assert values.shown(None, each.type, BST) == "-", name
    assert values.shown(2**53, field(Incident, "opened_at").type, BST) == f"{2**53} ms after 1970"


def test_a_moment_is_told_from_a_number_by_its_declared_type() -> None:
    """Both are ints at run time; only `Millis`, optional or inside an entry, is shown as local time."""
    assert values.shown(NOON, field(CustodyBooking, "arrived_at").type, BST) == BST.text(NOON)
    assert values.shown(NOON, int, BST) == str(NOON)
    check = Check(checked_at=Millis(NOON), where="M3", response=Response.AWAKE)
    assert values.shown(check, Check, BST) == f"checked at {BST.text(NOON)}, where M3, response awake"


def test_structures_and_corrections_are_told() -> None:
    """A position by its parts, a correction with the entry that it corrects."""
    assert values.shown(Position(-1.9, 52.48), Position, BST) == "longitude -1.9, latitude 52.48"
    entry = LogEntry(text="Green van", corrects=("hh-0042/7", 0))  # type: ignore[arg-type]  # an op's id
    assert values.shown(entry, LogEntry, BST) == "Green van (corrects hh-0042/7, entry 1)"


def test_a_list_tells_the_time_of_today_and_the_date_of_other_days() -> None:
    """In a narrow column the zone stands with the time of day; midnight is the local one."""
    midnight = BST.read("00:00", Millis(NOON))
    assert BST.brief(midnight, NOON) == "00:00 BST"
    assert BST.brief(midnight - 1, NOON) == BST.text(midnight - 1)[:10]
    assert BST.brief(2**53, NOON) == f"{2**53} ms after 1970"


def test_a_local_time_is_read_back_as_it_is_shown() -> None:
    """The two directions agree, also in the machine's own zone."""
    minute = NOON - NOON % 60_000
    for zone in (BST, LocalTime(dt.UTC), LocalTime()):
        shown = zone.text(minute)
        assert zone.read(shown.rpartition(" ")[0], Millis(NOON)) == minute
        assert zone.read(shown.split()[1], Millis(NOON)) == minute


@pytest.mark.parametrize(
    ("text", "one_line", "lines"),
    [
        ("plain", "plain", "plain"),
        ("a\nb\r\nc", "a b c", "a\nb\nc"),
        ("a\tb", "a b", "a b"),
        ("\x1b[31m", "�[31m", "�[31m"),
        ("\x9b31m\u202e\ufeff", "�31m��", "�31m��"),
        ("👩\u200d🚒 é", "👩\u200d🚒 é", "👩\u200d🚒 é"),
    ],
)
def test_what_steers_a_terminal_is_made_visible(text: str, one_line: str, lines: str) -> None:
    """Controls and turned text become a mark; what spelling needs stays."""
    assert values.safe(text) == one_line
    assert values.safe(text, lines=True) == lines
