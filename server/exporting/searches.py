"""Stops and searches in the columns of data.police.uk: no names, no numbers, no places where somebody lives.

Source: data.police.uk, About (columns and location anonymisation) and its stop and search method. The month of a search
is that of its `Date`, which is in UTC.
"""

from collections.abc import Mapping
from typing import Final

from schemas.kinds import StopSearch
from schemas.kinds.powers import AgeRange, EthnicGroup, Ethnicity, Extent, Gender, Searched
from schemas.settings.powers import PowerSettings
from schemas.tokens import Token
from server.exporting import cells
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
        cells.word(TYPES, search.searched),
        cells.moment(search.searched_at),
        cells.said(search.operation is not None),
        "" if search.operation is None else cells.line(search.operation),
        "" if place is None else f"{place.latitude:.6f}",
        "" if place is None else f"{place.longitude:.6f}",
        cells.word(GENDERS, search.gender),
        cells.word(AGES, search.age_range),
        cells.word(SELF_DEFINED, search.self_ethnicity),
        cells.word(OFFICER_DEFINED, search.officer_ethnicity),
        cells.line(powers.get(search.power, search.power)),
        cells.line(objects.get(search.object, search.object)),
        "" if search.outcome is None else cells.line(outcomes.get(search.outcome, search.outcome)),
        cells.said(search.linked),
        cells.said(more),
    ]


def is_of(row_cells: list[str], month: str) -> bool:
    """Whether a row is of a month."""
    return row_cells[COLUMNS.index("Date")].startswith(f"{month}-")
