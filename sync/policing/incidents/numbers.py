"""What an incident is called: a provisional id until the server has numbered it, then its URN, for ever.

A URN is the day in London and a number counted from 1 each day: `20261122-0147`. Incidents in a compartment are counted
apart, under a code that tells nothing of it: a gap in the force's own series would tell everybody that there is one.
"""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Final

from schemas.ids import Millis, RecordId
from schemas.kinds import Incident

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read over the radio, or by hand, as another or as a digit."""
_PROVISIONAL_CHARS: Final = 6
_CODE_CHARS: Final = 4
_HOUR: Final = timedelta(hours=1)
_MARCH, _OCTOBER, _LAST_DAY = 3, 10, 31


def provisional_id(record: RecordId) -> str:
    """What an incident is called until it has its URN: `P-` and six characters that follow from its record id."""
    return f"P-{_letters(f'provisional {record}', _PROVISIONAL_CHARS)}"


def called(record: RecordId, incident: Incident) -> str:
    """Its URN, or its provisional id while it has none."""
    return incident.urn or provisional_id(record)


def compartment_code(compartment: str) -> str:
    """What stands in the numbers of a compartment's incidents: it does not tell the compartment's name."""
    return f"C{_letters(f'series {compartment}', _CODE_CHARS)}"


def london_day(moment: Millis) -> date:
    """The day that a clock in London shows.

    Summer time runs from 01:00 GMT on the last Sunday of March to 01:00 GMT on the last Sunday of October (Summer Time
    Act 1972 section 1, as amended by the Summer Time Order 2002). By rule and not from the machine's table of zones:
    the same everywhere, also where no table is installed.

    Args:
        moment: ms since 1970.
    """
    utc = datetime.fromtimestamp(moment // 1_000, UTC)
    return (utc + _HOUR if _in_summer_time(utc) else utc).date()


def number_of(series: str, day: date, count: int) -> str:
    """The number of the count-th of a day.

    Args:
        series: a code before the count; "" for the force's incidents.
        day: the day in London.
        count: from 1.
    """
    return "-".join(part for part in (f"{day:%Y%m%d}", series, f"{count:04}") if part)


def _in_summer_time(utc: datetime) -> bool:
    begins, ends = (_last_sunday(utc.year, month) + _HOUR for month in (_MARCH, _OCTOBER))
    return begins <= utc < ends


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, _LAST_DAY, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)


def _letters(text: str, count: int) -> str:
    whole = int.from_bytes(hashlib.sha256(text.encode()).digest())
    return "".join(_LETTERS[(whole >> (5 * place)) & 31] for place in range(count))
