"""Stops and searches in the columns of data.police.uk: no names, no numbers, no places where somebody lives.

Source: data.police.uk, About (columns and location anonymisation) and its stop and search method. The month of a search
is that of its `Date`, which is in UTC.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.errors import UsageError
from schemas.kinds import StopSearch
from schemas.kinds.powers import AgeRange, EthnicGroup, Ethnicity, Extent, Gender, Searched
from schemas.settings.powers import PowerSettings
from schemas.tokens import Token
from server.exporting.places import published

COLUMNS: Final = (
    "Type",
    "Date",
    "Part of a policing operation",
    "Policing operation",
    "Latitude",
    "Longitude",
    "Gender",
    "Age range",
    "Self-defined ethnicity",
    "Officer-defined ethnicity",
    "Legislation",
    "Object of search",
    "Outcome",
    "Outcome linked to object of search",
    "Removal of more than just outer clothing",
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_MIXED: Final = "Mixed/Multiple ethnic groups"
_ASIAN: Final = "Asian/Asian British"
_BLACK: Final = "Black/African/Caribbean/Black British"
_OTHER: Final = "Other ethnic group"
TYPES: Final[Mapping[Token, str]] = {
    Searched.PERSON: "Person search",
    Searched.VEHICLE: "Vehicle search",
    Searched.BOTH: "Person and Vehicle search",
}
GENDERS: Final[Mapping[Token, str]] = {Gender.FEMALE: "Female", Gender.MALE: "Male", Gender.OTHER: "Other"}
AGES: Final[Mapping[Token, str]] = {
    AgeRange.UNDER_10: "under 10",
    AgeRange.FROM_10: "10-17",
    AgeRange.FROM_18: "18-24",
    AgeRange.FROM_25: "25-34",
    AgeRange.OVER_34: "over 34",
}
SELF_DEFINED: Final[Mapping[Token, str]] = {
    Ethnicity.W1: "White - English/Welsh/Scottish/Northern Irish/British",
    Ethnicity.W2: "White - Irish",
    Ethnicity.W3: "White - Gypsy or Irish Traveller",
    Ethnicity.W9: "White - Any other White background",
    Ethnicity.M1: f"{_MIXED} - White and Black Caribbean",
    Ethnicity.M2: f"{_MIXED} - White and Black African",
    Ethnicity.M3: f"{_MIXED} - White and Asian",
    Ethnicity.M9: f"{_MIXED} - Any other Mixed/Multiple ethnic background",
    Ethnicity.A1: f"{_ASIAN} - Indian",
    Ethnicity.A2: f"{_ASIAN} - Pakistani",
    Ethnicity.A3: f"{_ASIAN} - Bangladeshi",
    Ethnicity.A4: f"{_ASIAN} - Chinese",
    Ethnicity.A9: f"{_ASIAN} - Any other Asian background",
    Ethnicity.B1: f"{_BLACK} - Caribbean",
    Ethnicity.B2: f"{_BLACK} - African",
    Ethnicity.B9: f"{_BLACK} - Any other Black/African/Caribbean background",
    Ethnicity.O2: f"{_OTHER} - Arab",
    Ethnicity.O9: f"{_OTHER} - Any other ethnic group",
    Ethnicity.NS: f"{_OTHER} - Not stated",
}
OFFICER_DEFINED: Final[Mapping[Token, str]] = {
    EthnicGroup.ASIAN: "Asian",
    EthnicGroup.BLACK: "Black",
    EthnicGroup.MIXED: "Mixed",
    EthnicGroup.OTHER: "Other",
    EthnicGroup.WHITE: "White",
}


def row(search: StopSearch, settings: PowerSettings) -> list[str]:
    """What is published of a search: a cell for each of `COLUMNS`, "" where nothing is said.

    Args:
        search: which.
        settings: the force's; a code that its lists do not know is published as it is.
    """
    place = published(search.position, settings)
    powers = {one.code: one.words for one in settings.search_powers}
    objects = {one.code: one.meaning for one in settings.search_objects}
    outcomes = {one.code: one.words for one in settings.search_outcomes}
    more = None if search.clothing is None else search.clothing.extent is not Extent.OUTER
    return [
        _word(TYPES, search.searched),
        _moment(search.searched_at),
        _said(search.operation is not None),
        "" if search.operation is None else _line(search.operation),
        "" if place is None else f"{place.latitude:.6f}",
        "" if place is None else f"{place.longitude:.6f}",
        _word(GENDERS, search.gender),
        _word(AGES, search.age_range),
        _word(SELF_DEFINED, search.self_ethnicity),
        _word(OFFICER_DEFINED, search.officer_ethnicity),
        _line(powers.get(search.power, search.power)),
        _line(objects.get(search.object, search.object)),
        "" if search.outcome is None else _line(outcomes.get(search.outcome, search.outcome)),
        _said(search.linked),
        _said(more),
    ]


def checked_month(text: str) -> str:
    """A month, as in 2026-11.

    Raises:
        UsageError: it is none.
    """
    if _MONTH.fullmatch(text) is None:
        raise UsageError(f"month={text!r}: give a month, as in 2026-11")
    return text


def is_of(cells: list[str], month: str) -> bool:
    """Whether a row is of a month."""
    return cells[COLUMNS.index("Date")].startswith(f"{month}-")


def _moment(at: int) -> str:
    """A moment in UTC, to the second; "" for one that no calendar has, which a wrong clock may have written."""
    try:
        return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="seconds")
    except OverflowError:
        return ""


def _word(words: Mapping[Token, str], token: Token | None) -> str:
    """A token as it is published; one that only a newer program knows as it is."""
    return "" if token is None else words.get(token, str(token.value))


def _said(value: bool | None) -> str:  # noqa: FBT001  it is the value that is told
    return "" if value is None else str(value)


def _line(text: str) -> str:
    """Text as one line of characters that can be seen."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
