"""London's days and clock times, held to the time zone database."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.policing.custody.days import day_of, local, midnight, months_after

LONDON = ZoneInfo("Europe/London")
YEARS = (datetime(1996, 1, 1), datetime(2037, 12, 31))  # noqa: DTZ001  the bounds of a strategy


@given(st.datetimes(*YEARS, timezones=st.just(UTC)))
def test_the_clock_on_the_wall_is_the_databases(moment: datetime) -> None:
    """Summer time begins and ends when the time zone database says so."""
    there = local(int(moment.timestamp() * 1_000))
    whole = moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
    assert there == whole.astimezone(LONDON).replace(tzinfo=None)


@pytest.mark.parametrize("year", range(1996, 2038))
def test_both_changes_of_a_year_are_the_databases(year: int) -> None:
    """To the second, on every Sunday at 01:00 UTC of March and October."""
    for month in (3, 10):
        for day in range(22, 32):
            for seconds in (-1, 0):
                at = datetime(year, month, day, 1, tzinfo=UTC) + timedelta(seconds=seconds)
                assert local(int(at.timestamp()) * 1_000) == at.astimezone(LONDON).replace(tzinfo=None)


@given(st.dates(date(1996, 1, 2), date(2037, 12, 31)))
def test_a_day_begins_at_midnight_on_the_wall(day: date) -> None:
    """On the days on which clocks change as well."""
    start = midnight(day)
    assert start == int(datetime(day.year, day.month, day.day, tzinfo=LONDON).timestamp()) * 1_000
    assert (day_of(start), day_of(start - 1)) == (day, day - timedelta(days=1))


@pytest.mark.parametrize(
    ("day", "months", "ends"),
    [
        ("2025-10-29", 3, "2026-01-29"),
        ("2025-11-30", 3, "2026-03-01"),
        ("2027-11-29", 3, "2028-02-29"),
        ("2025-11-29", 3, "2026-03-01"),
        ("2025-11-28", 3, "2026-02-28"),
        ("2025-03-31", 6, "2025-10-01"),
        ("2025-12-31", 12, "2026-12-31"),
        ("2025-12-01", 1, "2026-01-01"),
        ("2025-08-31", 3, "2025-12-01"),
        ("2025-01-31", 18, "2026-07-31"),
    ],
)
def test_months_end_on_the_corresponding_date(day: str, months: int, ends: str) -> None:
    """Or, where the month has none, at its end (Dodds v Walker [1981])."""
    assert months_after(date.fromisoformat(day), months).isoformat() == ends


def test_a_time_beyond_every_calendar_is_still_a_time() -> None:
    """A record can hold one: a screen shows something, and nothing fails."""
    assert local(2**53).year == 9990
