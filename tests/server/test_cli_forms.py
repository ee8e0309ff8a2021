"""What is typed for a command: taken where it is a name, and told in one wording where it is none."""

from typing import Final

import click
import pytest

from schemas.errors import UsageError
from server.cli.forms import device_form, officer_form, record_named

CONTEXT: Final = click.Context(click.Command("try"))
OPTION: Final = click.Option(["--it"])
RECORD: Final = "01890000-0000-7000-8000-000000000001"


@pytest.mark.parametrize("typed", ["WM21877", "a", "a.b-c", None])
def test_a_collar_number_is_taken_as_it_is(typed: str | None) -> None:
    """And so is an option that was not given."""
    assert officer_form(CONTEXT, OPTION, typed) == typed


@pytest.mark.parametrize("typed", ["", "WM 1", "WM1\n", "x" * 41, "WM/1"])
def test_what_is_no_collar_number_is_told(typed: str) -> None:
    """With what one looks like."""
    with pytest.raises(click.BadParameter, match="no collar number: up to 40"):
        officer_form(CONTEXT, OPTION, typed)


@pytest.mark.parametrize("typed", ["hh-01", "hh-0042-2", None])
def test_a_device_s_id_is_taken_as_it_is(typed: str | None) -> None:
    """A seat's too."""
    assert device_form(CONTEXT, OPTION, typed) == typed


@pytest.mark.parametrize("typed", ["", "h", "HH-01", "hh 01", "hh-01\n", "h" * 41])
def test_what_is_no_device_s_id_is_told(typed: str) -> None:
    """With what one looks like."""
    with pytest.raises(click.BadParameter, match="no device id: 2 to 40"):
        device_form(CONTEXT, OPTION, typed)


def test_a_record_is_named_by_its_id() -> None:
    """And by nothing else: the text says what one looks like."""
    assert record_named(RECORD) == RECORD
    for typed in ("", "42", RECORD.upper() + "x", f"{RECORD}\n"):
        with pytest.raises(UsageError, match="is no record id: give one as in 0189"):
            record_named(typed)
