"""The scrutiny report, reckoned from published rows alone (row: scrutiny of powers export)."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from server.exporting import scrutiny
from server.exporting.searches import COLUMNS, OFFICER_DEFINED, SELF_DEFINED

INDIAN = "Asian/Asian British - Indian"
AFRICAN = "Black/African/Caribbean/Black British - African"
BRITISH = "White - English/Welsh/Scottish/Northern Irish/British"
UNSTATED = "Other ethnic group - Not stated"


def row(**said: str) -> list[str]:
    """A published row of a person's search; columns by their words with _ for a blank."""
    named = {name.replace("_", " "): cell for name, cell in said.items()}
    cells = {"Type": "Person search", "Outcome": "A no further action disposal", **named}
    return [cells.get(name, "") for name in COLUMNS]


def of(ethnicity: str, **said: str) -> list[str]:
    """A row of somebody who calls themselves that."""
    cells = row(**said)
    cells[COLUMNS.index("Self-defined ethnicity")] = ethnicity
    return cells


def test_a_rate_is_held_against_the_reference_groups() -> None:
    """Ten of 10,000 are 1 in a thousand, twenty of 5,000 are 4: four times as many."""
    rows = [of(BRITISH)] * 10 + [of(AFRICAN, Outcome="Arrest")] * 20 + [of(INDIAN)] * 3
    found = scrutiny.report(rows, {"White": 10_000, "Black": 5_000}, "self")
    lines = {line.group: line for line in found.groups}
    assert (lines["White"].per_thousand, lines["White"].times) == (1.0, 1.0)
    assert (lines["Black"].per_thousand, lines["Black"].times, lines["Black"].further) == (4.0, 4.0, 20)
    assert (lines["Asian"].searches, lines["Asian"].per_thousand, lines["Asian"].times) == (3, None, None)


@pytest.mark.parametrize("population", [{}, {"Black": 5_000}, {"White": 10_000, "Black": 5_000}])
def test_without_something_to_hold_it_against_there_is_no_multiple(population: dict[str, int]) -> None:
    """Nobody's number is guessed, and nothing is divided by a rate of none."""
    found = scrutiny.report([of(AFRICAN)], population, "self")
    assert all(line.times is None for line in found.groups)


def test_whose_word_counts_is_chosen() -> None:
    """What somebody says of themselves and what the officer saw are two different tables."""
    cells = of(AFRICAN)
    cells[COLUMNS.index("Officer-defined ethnicity")] = "Asian"
    said = {line.group: line.searches for line in scrutiny.report([cells], {}, "self").groups}
    seen = {line.group: line.searches for line in scrutiny.report([cells], {}, "officer").groups}
    assert (said["Black"], said["Asian"], seen["Black"], seen["Asian"]) == (1, 0, 0, 1)


def test_a_vehicle_alone_has_no_ethnicity() -> None:
    """It counts in the total, and nowhere among the people."""
    found = scrutiny.report([row(Type="Vehicle search"), row(Type="Person and Vehicle search")], {}, "self")
    assert (found.total, found.persons) == (2, 1)
    assert sum(line.searches for line in found.groups) == 1


def test_who_states_none_is_shown_and_not_shared_out() -> None:
    """Not stated is neither another group nor nobody."""
    found = scrutiny.report([of(UNSTATED), of(""), of("Martian")], {}, "self")
    lines = {line.group: line.searches for line in found.groups}
    assert lines == {**dict.fromkeys(scrutiny.GROUPS, 0), scrutiny.NOT_STATED: 3}


def test_every_published_ethnicity_is_in_a_group() -> None:
    """One that is added must be looked at here; only Not stated is in none."""
    unplaced = [words for words in SELF_DEFINED.values() if scrutiny.group_of(words) == scrutiny.NOT_STATED]
    assert unplaced == [UNSTATED]
    assert {scrutiny.group_of(words) for words in OFFICER_DEFINED.values()} == set(scrutiny.GROUPS)


def test_what_followed_is_counted_by_what_is_published() -> None:
    """Something followed, for the object or not; an outcome that is not recorded is not one."""
    linked = row(Outcome="Arrest", Outcome_linked_to_object_of_search="True")
    rows = [linked, row(Outcome="Arrest", Outcome_linked_to_object_of_search="False"), row(), row(Outcome="")]
    rows[0][COLUMNS.index("Removal of more than just outer clothing")] = "True"
    found = scrutiny.report(rows, {}, "officer")
    line = next(one for one in found.groups if one.group == scrutiny.NOT_STATED)
    assert (line.searches, line.further, line.linked, line.more_clothing) == (4, 2, 1, 1)
    assert found.outcomes == {"Arrest": 2, "": 1, "A no further action disposal": 1}


@given(
    ethnicities=st.lists(st.sampled_from([*SELF_DEFINED.values(), ""]), max_size=40),
    ages=st.lists(st.sampled_from(["10-17", "18-24", "over 34", ""]), min_size=40, max_size=40),
)
def test_nobody_is_lost_and_nobody_is_counted_twice(ethnicities: list[str], ages: list[str]) -> None:
    """Each table adds up to the people who were searched."""
    rows = [of(one, Age_range=age) for one, age in zip(ethnicities, ages, strict=False)]
    found = scrutiny.report(rows, {}, "self")
    assert found.persons == len(rows) == sum(line.searches for line in found.groups)
    assert found.ages == Counter(ages[: len(rows)])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["Blue", "1"]], "'Blue': give each of Asian"),
        ([["White", "1"], ["White", "2"]], "'White': give each of"),
        ([["White", "0"]], "'0' is no number of people"),
        ([["White", "1,000"]], "is no number of people"),
        ([["White", "-5"]], "is no number of people"),
        ([["White", "²"]], "is no number of people"),
    ],
)
def test_numbers_of_people_that_are_none_are_refused(rows: list[list[str]], words: str) -> None:
    """Clearly, and before anything is reckoned."""
    with pytest.raises(UsageError, match=words):
        scrutiny.populations(rows, "people.csv")


def test_numbers_of_people_are_read() -> None:
    """Of the groups that are given; the others have no rate."""
    assert scrutiny.populations([["White", "1500000"], ["Black", "300000"]], "x") == {
        "White": 1_500_000,
        "Black": 300_000,
    }
