"""What a force overrides: taken as it is written, or refused with the key and what to write."""

import tomllib

import pytest

from schemas.errors import UsageError
from schemas.settings import DEFAULTS
from schemas.settings.custody import HOUR_MS
from schemas.settings.overriding import settings_of


def refused(text: str) -> str:
    """The refusal of these tables, which stand under `policing`."""
    with pytest.raises(UsageError) as caught:
        settings_of(tomllib.loads(text))
    return str(caught.value)


def test_what_is_not_named_keeps_its_default() -> None:
    """One period is changed, and nothing else; nothing at all leaves the defaults."""
    assert settings_of({}) == DEFAULTS
    found = settings_of(tomllib.loads("[custody]\nreview_first_ms = 18_000_000\n"))
    assert found.custody.review_first_ms == 5 * HOUR_MS
    assert found.custody.review_then_ms == DEFAULTS.custody.review_then_ms
    assert (found.care, found.incidents, found.briefings) == (DEFAULTS.care, DEFAULTS.incidents, DEFAULTS.briefings)


def test_lists_tables_and_sets_are_given_whole() -> None:
    """Grades, guides and another edition of a question set; a list replaces the default."""
    found = settings_of(
        tomllib.loads("""
        [incidents]
        attendance = [["p1", 600_000]]
        guides = [{ when = "crime", fields = ["location"] }]
        [[incidents.probation]]
        officer = "WM1234"
        [incidents.vulnerability]
        name = "vulnerability"
        version = "2"
        questions = [["safe-now", "Safe?"]]
        """)
    )
    assert [(each.grade, each.within_ms) for each in found.incidents.attendance] == [("p1", 600_000)]
    assert [guide.fields for guide in found.incidents.guides] == [("location",)]
    assert [each.officer for each in found.incidents.probation] == ["WM1234"]
    assert found.incidents.vulnerability.ids == {"safe-now"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[custdy]", "there is no key policing.custdy; did you mean policing.custody?"),
        ("[custody]\nreview_frst_ms = 1", "did you mean policing.custody.review_first_ms?"),
        ("[care]\nzzz = 1", "there is no key policing.care.zzz; known here: l1_check_ms, "),
        ('[[incidents.guides]]\nwhen = "crime"\nfeilds = []', "did you mean policing.incidents.guides[0].fields?"),
        ('[incidents]\nattendance = [["p2", 60_000], ["p1", 60_000, 2]]', "policing.incidents.attendance[1]: 3 values"),
        (
            '[incidents.vulnerability]\nname = "v"\nversion = "2"\nquestions = [["a", "A?", 5]]',
            "questions[0]: 3 values",
        ),
        ('[incidents.vulnerability]\nnames = "v"', "did you mean policing.incidents.vulnerability.name?"),
    ],
)
def test_what_nobody_would_read_is_refused(text: str, told: str) -> None:
    """A misspelt period would not hold, and a weight beside a question would mean nothing."""
    assert told in refused(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[custody]\nreview_first_ms = "6 h"', "policing.custody.review_first_ms"),
        ("[custody]\nreview_first_ms = true", "policing.custody.review_first_ms"),
        ("[custody]\nreview_first_ms = 6.5", "policing.custody.review_first_ms"),
        ("[custody]\nreview_warn_ms = 5", "policing.custody.review_warn_ms"),
        ("[custody]\nbail_months = [0]", "policing.custody.bail_months"),
        ('custody = "strict"', "policing.custody"),
        ("[incidents]\nattendance = [5]", "policing.incidents.attendance"),
        ('[incidents]\nattendance = [["p1"]]', "policing.incidents.attendance"),
        ("[incidents]\nvulnerability = []", "policing.incidents.vulnerability"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(text: str, key: str) -> None:
    """The text names the key and what belongs there."""
    told = refused(text)
    assert f"`{key}" in told
    assert "xpected" in told


def test_what_is_no_table_at_all_is_refused() -> None:
    """A number where the tables belong is no settings."""
    with pytest.raises(UsageError, match=r"^policing: Expected"):
        settings_of(5)


def test_nonsense_is_refused_with_its_key() -> None:
    """A review period of nothing never comes to a handheld."""
    assert "policing.custody.review_first_ms: 0; a period is longer" in refused("[custody]\nreview_first_ms = 0")
