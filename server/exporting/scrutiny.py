"""Scrutiny of stop and search: from the published rows alone, so that anybody can reckon it again.

How often a group is searched says nothing without how many they are. Who reads the report brings those numbers and says
where they come from; without them there are counts and no rates. Source: Code A 5.1 to 5.4 (supervision, and scrutiny
by the community); HMICFRS, Disproportionate use of police powers (2021).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from schemas.errors import UsageError
from server.exporting.searches import COLUMNS, OFFICER_DEFINED, SELF_DEFINED, TYPES

GROUPS: Final = ("Asian", "Black", "Mixed", "Other", "White")
NOT_STATED: Final = "Not stated"
REFERENCE: Final = "White"
"""The group that the others are held against."""
POPULATION_COLUMNS: Final = ("group", "people")
Eyes = Literal["self", "officer"]
_NO_FURTHER: Final = "A no further action disposal"
_PERSONS: Final = frozenset(words for kind, words in TYPES.items() if kind.value != "vehicle")


class GroupLine(msgspec.Struct, frozen=True, kw_only=True):
    """One ethnic group.

    Attributes:
        group: which.
        searches: how many searches of its people.
        further: after how many something followed.
        linked: after how many that was for the object that was looked for.
        more_clothing: in how many more than outer clothing came off.
        people: how many they are, as the reader says; None where they do not.
        per_thousand: searches for each thousand of them; None without their number.
        times: that, in times of the reference group's; None where either has no rate, or that one is none.
    """

    group: str
    searches: int
    further: int
    linked: int
    more_clothing: int
    people: int | None
    per_thousand: float | None
    times: float | None


class Scrutiny(msgspec.Struct, frozen=True, kw_only=True):
    """The report.

    Attributes:
        total: all searches, those of vehicles alone included, which are in nothing else below.
        persons: searches of people.
        groups: by ethnicity, each group, and those of whom none is stated.
        ages, outcomes, powers, objects: published word -> searches of people; "" where none is recorded.
    """

    total: int
    persons: int
    groups: tuple[GroupLine, ...]
    ages: dict[str, int]
    outcomes: dict[str, int]
    powers: dict[str, int]
    objects: dict[str, int]


def report(rows: Sequence[Sequence[str]], population: Mapping[str, int], eyes: Eyes) -> Scrutiny:
    """Reckon it.

    Args:
        rows: published ones, a cell for each of `server.exporting.searches.COLUMNS`.
        population: group -> how many people; of whom it says nothing there is no rate.
        eyes: whose word counts for the ethnicity: the searched person's, or the officer's.
    """
    persons = [dict(zip(COLUMNS, row, strict=True)) for row in rows if row[0] in _PERSONS]
    column = "Self-defined ethnicity" if eyes == "self" else "Officer-defined ethnicity"
    by_group: dict[str, list[dict[str, str]]] = {group: [] for group in (*GROUPS, NOT_STATED)}
    for person in persons:
        by_group[group_of(person[column])].append(person)
    base = _rate(len(by_group[REFERENCE]), population.get(REFERENCE))
    return Scrutiny(
        total=len(rows),
        persons=len(persons),
        groups=tuple(_line(group, found, population.get(group), base) for group, found in by_group.items()),
        ages=_counts(persons, "Age range"),
        outcomes=_counts(persons, "Outcome"),
        powers=_counts(persons, "Legislation"),
        objects=_counts(persons, "Object of search"),
    )


def group_of(words: str) -> str:
    """The group of a published ethnicity, self- or officer-defined; `NOT_STATED` of what is neither."""
    return _GROUP_OF.get(words, NOT_STATED)


def populations(rows: Sequence[Sequence[str]], name: str) -> dict[str, int]:
    """Group -> how many people, from the rows of a table with `POPULATION_COLUMNS`.

    Raises:
        UsageError: a row names no group, one twice, or no number above 0.
    """
    found: dict[str, int] = {}
    for group, people in rows:
        if group not in GROUPS or group in found:
            raise UsageError(f"{name}: {group!r}: give each of {', '.join(GROUPS)} once at most")
        if not (people.isascii() and people.isdigit() and len(people) <= len("10000000000") and int(people)):
            raise UsageError(f"{name}: {group}: {people!r} is no number of people; give one above 0, without commas")
        found[group] = int(people)
    return found


def _line(group: str, found: Sequence[Mapping[str, str]], people: int | None, base: float | None) -> GroupLine:
    rate = _rate(len(found), people)
    return GroupLine(
        group=group,
        searches=len(found),
        further=sum(one["Outcome"] not in {"", _NO_FURTHER} for one in found),
        linked=sum(one["Outcome linked to object of search"] == "True" for one in found),
        more_clothing=sum(one["Removal of more than just outer clothing"] == "True" for one in found),
        people=people,
        per_thousand=rate,
        times=rate / base if rate is not None and base else None,
    )


def _rate(searches: int, people: int | None) -> float | None:
    return None if people is None else 1_000 * searches / people


def _counts(persons: Sequence[Mapping[str, str]], column: str) -> dict[str, int]:
    """The commonest first, those of one number by the alphabet."""
    counts = Counter(one[column] for one in persons)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


_LETTERS: Final = {"w": "White", "m": "Mixed", "a": "Asian", "b": "Black", "o": "Other", "n": NOT_STATED}
_GROUP_OF: Final[Mapping[str, str]] = {
    **{words: _LETTERS[str(code.value)[0]] for code, words in SELF_DEFINED.items()},
    **{words: words for words in OFFICER_DEFINED.values()},
}
