"""Moments as people write them in the files: a day, or a day and a time, by the force's own clock.

A day means its beginning. An end is the first moment at which something no longer holds, so what ends on the day on
which something else begins leaves no gap and no overlap.
"""

import datetime as dt
import re
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.ids import Millis

_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_YEARS: Final = range(1971, 9999)
"""Moments are counted from 1970; and a shift may end on the day behind its own, which a calendar must have."""
FORM: Final = "write a day as in 2026-03-01, or a day and a time as in 2026-03-01T07:00"


def zone_named(name: str) -> ZoneInfo:
    """A time zone of the IANA database.

    Raises:
        ValueError: there is none of that name on this machine.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name!r} on this machine; write one as in Europe/London, and install the machine's "
            "tz database where there is none"
        ) from None


def moment_of(told: object, zone: dt.tzinfo) -> Millis:
    """A moment, in ms since 1970.

    Args:
        told: a date or date-time of TOML, or the text of either. Without an offset it is by the zone's clock.
        zone: the force's.

    Raises:
        ValueError: it is neither; the text says how to write one.
    """
    match told:
        case dt.datetime():
            moment = told
        case dt.date():
            moment = dt.datetime.combine(told, dt.time())
        case str():
            try:
                moment = dt.datetime.fromisoformat(told)
            except ValueError:
                raise ValueError(f"{told!r} is no moment: {FORM}") from None
        case _:
            raise ValueError(f"{told!r} is no moment: {FORM}")
    _require_year(moment)
    return Millis(round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1_000))


def time_of(told: object) -> dt.time:
    """A time of day.

    Raises:
        ValueError: it is none.
    """
    if isinstance(told, dt.time):
        return told.replace(tzinfo=None)
    if not isinstance(told, str) or _TIME.fullmatch(told) is None:
        raise ValueError(f"{told!r} is no time of day: write it as in 07:00")
    return dt.time.fromisoformat(told)


def day_of(told: str) -> dt.date:
    """A day.

    Raises:
        ValueError: it is none.
    """
    try:
        day = dt.date.fromisoformat(told)
    except ValueError:
        raise ValueError(f"{told!r} is no day: write it as in 2026-03-01") from None
    _require_year(day)
    return day


def shift_on(day: dt.date, begins: dt.time, ends: dt.time, zone: dt.tzinfo) -> tuple[Millis, Millis]:
    """From when to when a shift lasts that begins on a day; one that ends no later than it began ends the day after."""
    over = day if ends > begins else day + dt.timedelta(days=1)
    return moment_of(dt.datetime.combine(day, begins), zone), moment_of(dt.datetime.combine(over, ends), zone)


def _require_year(day: dt.date) -> None:
    if day.year not in _YEARS:
        raise ValueError(f"the year {day.year} is none of this force's: {FORM}")
