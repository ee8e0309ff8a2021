"""Stops and searches as they are published (row: scrutiny of powers export)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.ids import FieldName
from schemas.kinds import KINDS, StopSearch
from schemas.kinds.powers import AgeRange, EthnicGroup, Ethnicity, Gender, Searched
from schemas.settings.powers import PowerSettings
from server.exporting import searches, tables
from server.exporting.cells import checked_month
from tests.examples import LEAST, T0

SETTINGS = PowerSettings()
HEADER = (
    "Type,Date,Part of a policing operation,Policing operation,Latitude,Longitude,Gender,Age range,"
    "Self-defined ethnicity,Officer-defined ethnicity,Legislation,Object of search,Outcome,"
    "Outcome linked to object of search,Removal of more than just outer clothing"
)
WHOLE: dict[str, Any] = {
    "searched": "person-and-vehicle",
    "location": "12 Example Street",
    "position": {"longitude": -1.8985, "latitude": 52.4778},
    "operation": "Example  Harbour\n",
    "gender": "female",
    "age_range": "18-24",
    "self_ethnicity": "m9",
    "officer_ethnicity": "mixed",
    "told": ["grounds"],
    "clothing": {"extent": "more-than-outer", "why": "A knife was felt.", "authority": "WM30099"},
    "outcome": "community-resolution",
    "linked": True,
    "reviews": [{"reviewed_at": 5, "reasonable": True, "finding": "Clear grounds."}],
    "log": [{"text": "Kim Example was there."}],
}


def search(**values: Any) -> StopSearch:  # noqa: ANN401  plain values
    """A search of plain values beside the least."""
    plain = LEAST["stop-search"] | values
    found = KINDS["stop-search"].build({FieldName(name): value for name, value in plain.items()})
    assert isinstance(found, StopSearch)
    return found


def test_the_columns_are_those_of_data_police_uk() -> None:
    """To the letter and in that order."""
    assert tables.written(searches.COLUMNS, []).decode() == f"{HEADER}\r\n"


def test_a_whole_search_is_told_in_the_published_words() -> None:
    """Every column, the place by the middle of its square."""
    assert searches.row(search(**WHOLE), SETTINGS) == [
        "Person and Vehicle search",
        "2025-10-09T08:53:20+00:00",
        "True",
        "Example Harbour",
        "52.477629",
        "-1.901052",
        "Female",
        "18-24",
        "Mixed/Multiple ethnic groups - Any other Mixed/Multiple ethnic background",
        "Mixed",
        "Misuse of Drugs Act 1971 (section 23)",
        "Controlled drugs",
        "Community resolution",
        "True",
        "True",
    ]


def test_what_is_not_said_is_empty_and_never_false() -> None:
    """A missing answer and a no are not the same thing to whoever counts them."""
    cells = dict(zip(searches.COLUMNS, searches.row(search(), SETTINGS), strict=True))
    said = {name for name, cell in cells.items() if cell}
    assert said == {"Type", "Date", "Part of a policing operation", "Legislation", "Object of search"}
    assert cells["Part of a policing operation"] == "False"
    outer = searches.row(search(clothing={"extent": "outer-clothing"}, linked=False), SETTINGS)
    assert outer[-2:] == ["False", "False"]


def test_nobody_is_named_and_no_place_is_exact() -> None:
    """Officer, grounds, authority, address, log and reviews stay inside, and so do the digits of the position."""
    said = ",".join(searches.row(search(**WHOLE), SETTINGS))
    for inside in (
        "WM30012",
        "WM30099",
        "Seen to pass",
        "Example Street",
        "Kim",
        "knife",
        "Clear",
        "1.8985",
        "52.4778",
    ):
        assert inside not in said


@pytest.mark.parametrize(
    ("words", "tokens"),
    [
        (searches.TYPES, Searched),
        (searches.GENDERS, Gender),
        (searches.AGES, AgeRange),
        (searches.SELF_DEFINED, Ethnicity),
        (searches.OFFICER_DEFINED, EthnicGroup),
    ],
)
def test_every_token_has_its_published_word(words: Any, tokens: Any) -> None:  # noqa: ANN401  tables of all five
    """One that is added needs a word before it can leave, and no two have the same."""
    assert words.keys() == set(tokens)
    assert len(set(words.values())) == len(words)


def test_what_only_a_newer_program_or_another_list_knows_is_told_as_it_is() -> None:
    """It is not left out: a row that is missing would be a search that nobody sees."""
    cells = searches.row(search(power="act-of-2031", age_range="over-90", searched_at=2**53), SETTINGS)
    assert (cells[10], cells[7], cells[1]) == ("act-of-2031", "over-90", "")


@given(operation=st.text(min_size=1, max_size=40))
def test_what_is_exported_reads_back_as_the_same_rows(operation: str) -> None:
    """Whatever somebody called an operation: a formula, two lines, characters that nobody sees."""
    rows = [searches.row(search(**WHOLE | {"operation": operation}), SETTINGS)]
    assert tables.read(tables.written(searches.COLUMNS, rows), searches.COLUMNS, "x.csv") == rows


def test_a_month_is_that_of_the_published_date() -> None:
    """In UTC, from its first moment to its last."""
    assert searches.is_of(searches.row(search(searched_at=T0), SETTINGS), "2025-10")
    first = 1_759_276_800_000
    assert searches.is_of(searches.row(search(searched_at=first), SETTINGS), "2025-10")
    assert searches.is_of(searches.row(search(searched_at=first - 1), SETTINGS), "2025-09")
    for wrong in ("", "2025-13", "2025-1", "2025-10\n", "2025-10-09"):
        with pytest.raises(UsageError, match="as in 2026-11"):
            checked_month(wrong)
