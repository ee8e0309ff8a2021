"""Why a record is kept, and for how long before somebody looks at it again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.ids import FieldName
from schemas.kinds import KINDS, Kind, retention_group
from schemas.retention import RETENTION, Period, RetentionGroup
from tests.examples import BOOKING, LEAST, T0


def made(kind: str, **values: object) -> Kind:
    """A record with what it must have, and these values."""
    return KINDS[kind].build({FieldName(name): value for name, value in (LEAST[kind] | values).items()})


def test_every_group_has_a_meaning_and_a_period() -> None:
    """A period of whole days, or that of the record that it is about."""
    assert set(RETENTION) == set(RetentionGroup)
    assert all(kept.meaning.endswith(".") for kept in RETENTION.values())
    periods = {group: kept.review_days for group, kept in RETENTION.items()}
    assert periods.pop(RetentionGroup.WITH_SUBJECT) is None
    assert all(days is not None and days > 0 for days in periods.values())


def test_no_default_is_shorter_than_the_law_asks() -> None:
    """Where a least period is declared, so is the law that asks for it."""
    for kept in RETENTION.values():
        assert (kept.least_days is None) == (kept.law == "")
        assert kept.least_days is None or (kept.review_days is not None and kept.review_days >= kept.least_days)


@given(st.integers(1, 200_000))
def test_a_period_is_read_as_it_is_written(days: int) -> None:
    """In years where they are whole, of 365 days each."""
    period = Period(days)
    again = Period.parse(str(period))
    assert (again, hash(again), again.days) == (period, hash(period), days)


@pytest.mark.parametrize(
    ("text", "days"), [("1 day", 1), ("90 days", 90), ("1 year", 365), ("7 years", 2_555), ("1 years", 365)]
)
def test_a_period_in_words(text: str, days: int) -> None:
    """Days or years."""
    assert Period.parse(text) == Period(days)


@pytest.mark.parametrize(
    "text", ["", "7", 7, None, "seven years", "0 days", "-1 days", "7years", "7  years", " 7 years", "7 months",
             "1e3 days", "9999999 days", "\u0667 years", "7 years\n", True],
)  # fmt: skip
def test_what_is_no_period_is_refused_with_an_example(text: object) -> None:
    """Whoever wrote it sees how one is written."""
    with pytest.raises(UsageError, match='"90 days", "7 years"'):
        Period.parse(text)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_record_has_a_group(kind: str) -> None:
    """Its kind's, unless its fields say more; what is kept with another record names it, and nothing else does."""
    record = made(kind)
    assert retention_group(record) is KINDS[kind].retention
    assert (record.about() is not None) is (KINDS[kind].retention is RetentionGroup.WITH_SUBJECT)


@pytest.mark.parametrize(
    ("values", "group"),
    [
        ({}, RetentionGroup.MISCELLANEOUS),
        ({"category": "crime"}, RetentionGroup.OTHER_OFFENCE),
        ({"arrests": [{"person": "Robin Example", "arrested_at": T0}]}, RetentionGroup.OTHER_OFFENCE),
        ({"category": "crime", "retention": "serious"}, RetentionGroup.SERIOUS),
        ({"category": "crime", "retention": "miscellaneous"}, RetentionGroup.MISCELLANEOUS),
    ],
    ids=str,
)
def test_an_incident_is_kept_for_what_it_was(values: dict[str, Any], group: RetentionGroup) -> None:
    """An offence longer than a spill; what a reviewer said before all."""
    assert retention_group(made("incident", **values)) is group


def test_a_booking_is_kept_as_a_reviewer_said() -> None:
    """Otherwise like every custody record."""
    assert retention_group(made("custody-booking", retention="public-protection")) is RetentionGroup.PUBLIC_PROTECTION


def test_what_belongs_to_a_record_names_it() -> None:
    """Whoever erases a booking finds its medical record and its decisions by it."""
    assert made("medical").about() == made("inbox-item").about() == BOOKING


def test_a_group_of_a_newer_program_is_kept_as_it_is() -> None:
    """It has no period here: a person looks."""
    group = retention_group(made("incident", retention="group-nine"))
    assert (group.value, group.known, RETENTION.get(group)) == ("group-nine", False, None)
