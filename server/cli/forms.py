"""How names are checked that somebody types for a command: before anything is asked of a server, and in one wording."""

import re

import click

from schemas.errors import UsageError
from schemas.ids import DEVICE_PATTERN, OFFICER_PATTERN, OfficerId, RecordId, is_record_id


def officer_form(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> OfficerId | None:
    """A collar number as it was typed.

    Raises:
        click.BadParameter: it is none.
    """
    if value is not None and re.match(OFFICER_PATTERN, value) is None:
        raise click.BadParameter(f"{value!r} is no collar number: up to 40 of A-Z, a-z, 0-9, . and -, as in WM21877")
    return None if value is None else OfficerId(value)


def device_form(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """The id of a device or a seat as it was typed.

    Raises:
        click.BadParameter: it is none.
    """
    if value is not None and re.match(DEVICE_PATTERN, value) is None:
        raise click.BadParameter(f"{value!r} is no device id: 2 to 40 of a-z, 0-9 and -, as in hh-01")
    return value


def record_named(text: str) -> RecordId:
    """A record's id as it was typed.

    Raises:
        UsageError: it is none.
    """
    if not is_record_id(text):
        raise UsageError(f"{text!r} is no record id: give one as in 01890000-0000-7000-8000-000000000001")
    return RecordId(text)
