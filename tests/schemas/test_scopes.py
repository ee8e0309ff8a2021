"""Scope names are made and read in one way, and a scope's lane and audience follow from its name alone."""

import re

import pytest

from schemas import scopes
from schemas.ids import SCOPE_PATTERN, ScopeName
from schemas.scopes import FAMILIES, Lane

AUDIENCES = [
    scopes.area("birmingham"),
    scopes.suite("perry-barr"),
    ScopeName("team:operations"),
    scopes.FORCE,
    scopes.CUSTODY,
]


@pytest.mark.parametrize("scope", [*AUDIENCES, *map(scopes.briefing, AUDIENCES), *map(scopes.inbox, AUDIENCES)])
def test_names_have_the_written_form(scope: ScopeName) -> None:
    """What is made here passes the pattern that the wire enforces."""
    assert re.match(SCOPE_PATTERN, scope)


@pytest.mark.parametrize("scope", AUDIENCES)
def test_an_audience_can_be_granted(scope: ScopeName) -> None:
    """Each family has a form, and that form has no problem."""
    assert scopes.problem(scope) is None


def test_every_family_has_an_audience_here() -> None:
    """A new family is tried above too, and every family is explained."""
    assert {scope.partition(":")[0] for scope in AUDIENCES} == set(FAMILIES)
    assert all(text.endswith(".") for text in FAMILIES.values())


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        ("", "no such family"),
        ("moon:base", "no such family of scopes; there are area, custody, force, suite, team"),
        ("Area:x", "no such family"),
        ("area", "needs a name behind it"),
        ("area:Birmingham", "lower-case letters, digits and hyphens"),
        ("area:", "needs a name behind it"),
        ("force:x", "custody and force stand alone"),
        ("force:briefing", "custody and force stand alone"),
        ("custody:inbox", "custody and force stand alone"),
        ("area:briefing", "no audience is named briefing"),
        ("area:inbox", "no audience is named inbox"),
        ("area:birmingham:inbox", "an audience has one name behind its family"),
        ("area:birmingham:briefing", "an audience has one name behind its family"),
        ("team:a:b", "an audience has one name"),
    ],
)
def test_what_is_no_audience_is_told_why(scope: str, why: str) -> None:
    """The text names the scope and what is wrong with it."""
    found = scopes.problem(scope)
    assert found is not None
    assert why in found
    assert repr(scope) in found


@pytest.mark.parametrize("scope", AUDIENCES)
def test_what_people_must_read_or_decide_travels_in_a_lane_of_its_own(scope: ScopeName) -> None:
    """A live briefing or inbox item never queues behind the records of the same area."""
    assert scopes.lane(scope) is Lane.NORMAL
    assert scopes.lane(scopes.briefing(scope)) is Lane.BRIEFING
    assert scopes.lane(scopes.inbox(scope)) is Lane.BRIEFING
    assert Lane.CONTROL < scopes.lane(scopes.briefing(scope)) < scopes.lane(scope) < Lane.BULK


def test_a_place_named_briefing_is_no_briefing() -> None:
    """Only the last part decides, and only behind a whole audience."""
    assert scopes.lane(ScopeName("area:briefing-hill")) is Lane.NORMAL
    assert scopes.lane(ScopeName("area:debriefing")) is Lane.NORMAL
    assert scopes.lane(ScopeName("area:inbox-lane")) is Lane.NORMAL


@pytest.mark.parametrize("scope", AUDIENCES)
def test_a_scope_belongs_to_its_audience(scope: ScopeName) -> None:
    """The audience of a briefing or inbox scope is found again, and an audience is its own."""
    assert scopes.audience(scopes.briefing(scope)) == scopes.audience(scopes.inbox(scope)) == scope
    assert scopes.audience(scope) == scope


@pytest.mark.parametrize("scope", ["briefing", "inbox", "force:x"])
def test_what_belongs_to_no_audience_is_left_as_it_is(scope: str) -> None:
    """A name that only looks alike is not cut."""
    assert scopes.audience(ScopeName(scope)) == scope


@pytest.mark.parametrize("scope", AUDIENCES)
def test_an_audience_and_its_inbox_can_be_granted(scope: ScopeName) -> None:
    """The right to decide is granted by name; briefings come along with the audience and are not."""
    assert scopes.grant_problem(scope) is None
    assert scopes.grant_problem(scopes.inbox(scope)) is None
    assert scopes.grant_problem(scopes.briefing(scope)) is not None


@pytest.mark.parametrize("scope", ["inbox", "moon:base:inbox", "area:inbox", "force:inbox:inbox", "area:x:inbox:inbox"])
def test_an_inbox_of_no_audience_cannot_be_granted(scope: str) -> None:
    """Nobody holds an inbox in which nothing can ever be."""
    assert scopes.grant_problem(scope) is not None


def test_a_right_to_an_audience_is_a_right_to_its_briefings() -> None:
    """Each audience brings one more scope, and nothing else: least of all the right to decide."""
    assert scopes.with_briefings(frozenset({AUDIENCES[0], ScopeName("force")})) == {
        "area:birmingham",
        "area:birmingham:briefing",
        "force",
        "force:briefing",
    }
    assert scopes.with_briefings(frozenset({scopes.inbox(AUDIENCES[0])})) == {"area:birmingham:inbox"}
    assert scopes.with_briefings(frozenset()) == frozenset()
