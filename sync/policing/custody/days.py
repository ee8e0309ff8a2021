"""Days and clock times as the custody desk has them: Europe/London, with summer time.

The rule is worked out here, because a handheld need not have a time zone database, and every device must find the same
day: from the last Sunday of March to the last Sunday of October, both at 01:00 UTC, clocks stand an hour ahead (Summer
Time Act 1972 as amended by the Summer Time Order 2002).
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from schemas.ids import Millis

_MARCH: Final = 3
_OCTOBER: Final = 10
_SUNDAY: Final = 6
_YEAR_MAX: Final = 9_990
"""A record may hold a time that no calendar does. Nobody's detention reaches so far."""
_MS_MAX: Final = int(datetime(_YEAR_MAX, 1, 1, tzinfo=UTC).timestamp()) * 1_000


def local(at: int) -> datetime:
    """A moment (ms since 1970) as the clock on the wall shows it, without a zone."""
    utc = datetime.fromtimestamp(min(at, _MS_MAX) / 1_000, UTC)
    return (utc + (timedelta(hours=1) if _is_summer(utc) else timedelta())).replace(tzinfo=None)


def day_of(at: int) -> date:
    """The day on which a moment (ms since 1970) falls."""
    return local(at).date()


def midnight(day: date) -> Millis:
    """When a day begins (ms since 1970)."""
    utc = datetime(day.year, day.month, day.day, tzinfo=UTC)
    # Clocks never change at midnight, so the offset an hour before is that of the day's beginning.
    back = timedelta(hours=1) if _is_summer(utc - timedelta(hours=1)) else timedelta()
    return Millis(int((utc - back).timestamp()) * 1_000)


def months_after(day: date, months: int) -> date:
    """The day that ends a period of calendar months which begins with `day`, and is no longer part of it.

    The corresponding date (Dodds v Walker [1981] 1 WLR 1027): the day of the same number, or, in a month that has no
    such day, the first of the month after.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        return date(year, month + 1, day.day)
    except ValueError:
        return date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)


def _is_summer(utc: datetime) -> bool:
    return _change(utc.year, _MARCH) <= utc < _change(utc.year, _OCTOBER)


def _change(year: int, month: int) -> datetime:
    """01:00 UTC on the last Sunday of a month of 31 days."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() - _SUNDAY) % 7)
