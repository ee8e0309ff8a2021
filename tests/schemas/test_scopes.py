"""Scope names are made and read in one way, and a scope's lane and audience follow from its name alone."""

import re

import pytest

from schemas import scopes
from schemas.ids import SCOPE_PATTERN, ScopeName
from schemas.roles import Role
from schemas.scopes import FAMILIES, Lane

AUDIENCES = [
    scopes.area("birmingham"),
    scopes.suite("perry-barr"),
    scopes.medical("perry-barr"),
    scopes.team("operations"),
    scopes.mission("castle"),
    scopes.officer("WM21877"),
    scopes.role(Role.CUSTODY_OFFICER),
    scopes.compartment("larch"),
    scopes.FORCE,
    scopes.CUSTODY,
    scopes.CONTROL,
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
        (
            "moon:base",
            "there are area, compartment, control, custody, force, mission, officer, role, suite, team",
        ),
        ("Area:x", "no such family"),
        ("area", "needs a name behind it"),
        ("area:Birmingham", "lower-case letters, digits and hyphens"),
        ("area:", "needs a name behind it"),
        ("force:x", "control, custody and force stand alone"),
        ("force:briefing", "control, custody and force stand alone"),
        ("custody:inbox", "control, custody and force stand alone"),
        ("area:briefing", "no audience is named briefing"),
        ("area:inbox", "no audience is named inbox"),
        ("area:birmingham:inbox", "an audience has one name behind its family"),
        ("area:birmingham:briefing", "an audience has one name behind its family"),
        ("team:a:b", "an audience has one name"),
        ("suite:medical", "no audience is named medical"),
        ("suite::medical", "lower-case letters, digits and hyphens"),
        ("suite:perry-barr:medical:medical", "an audience has one name"),
        ("suite:perry-barr:medical:inbox", "an audience has one name"),
        ("area:birmingham:medical", "an audience has one name"),
        ("compartment", "needs a name behind it"),
        ("compartment:larch:medical", "an audience has one name"),
        ("control:inbox", "stand alone"),
        ("area:safety", "no audience is named safety"),
        ("role:dog-handler", "no such role; there are administrator, auditor"),
        ("role", "needs a name behind it"),
        ("officer:wm.21877", "lower-case letters, digits and hyphens"),
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
    assert scopes.lane(scopes.safety(scope)) is scopes.snapshot_lane(scopes.safety(scope)) is Lane.SAFETY
    assert scopes.lane(scopes.receipts(scope)) is Lane.NORMAL
    assert scopes.snapshot_lane(scope) is Lane.BULK
    assert Lane.CONTROL < Lane.SAFETY < scopes.lane(scopes.briefing(scope)) < scopes.lane(scope) < Lane.BULK


def test_a_place_named_briefing_is_no_briefing() -> None:
    """Only the last part decides, and only behind a whole audience."""
    assert scopes.lane(ScopeName("area:briefing-hill")) is Lane.NORMAL
    assert scopes.lane(ScopeName("area:debriefing")) is Lane.NORMAL
    assert scopes.lane(ScopeName("area:inbox-lane")) is Lane.NORMAL


@pytest.mark.parametrize("scope", AUDIENCES)
def test_a_scope_belongs_to_its_audience(scope: ScopeName) -> None:
    """The audience of a briefing or inbox scope is found again, and an audience is its own."""
    assert scopes.audience(scopes.briefing(scope)) == scopes.audience(scopes.inbox(scope)) == scope
    assert scopes.audience(scopes.safety(scope)) == scopes.audience(scopes.receipts(scope)) == scope
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
    for part in (scopes.briefing(scope), scopes.safety(scope), scopes.receipts(scope)):
        assert scopes.grant_problem(part) is not None


@pytest.mark.parametrize("scope", ["inbox", "moon:base:inbox", "area:inbox", "force:inbox:inbox", "area:x:inbox:inbox"])
def test_an_inbox_of_no_audience_cannot_be_granted(scope: str) -> None:
    """Nobody holds an inbox in which nothing can ever be."""
    assert scopes.grant_problem(scope) is not None


def test_a_right_to_an_audience_is_a_right_to_its_briefings() -> None:
    """Each audience brings the scopes of its two lanes, and nothing else: least of all the right to decide."""
    assert scopes.with_briefings(frozenset({AUDIENCES[0], ScopeName("force")})) == {
        "area:birmingham",
        "area:birmingham:briefing",
        "area:birmingham:safety",
        "force",
        "force:briefing",
        "force:safety",
    }
    assert scopes.with_briefings(frozenset({scopes.inbox(AUDIENCES[0])})) == {"area:birmingham:inbox"}
    assert scopes.with_briefings(frozenset()) == frozenset()


def test_the_medical_part_of_a_suite_never_comes_along_with_it() -> None:
    """It is granted by name, and brings its own briefings and nothing of the suite."""
    assert scopes.with_briefings(frozenset({scopes.suite("perry-barr")})) == {
        "suite:perry-barr",
        "suite:perry-barr:briefing",
        "suite:perry-barr:safety",
    }
    assert scopes.with_briefings(frozenset({scopes.medical("perry-barr")})) == {
        "suite:perry-barr:medical",
        "suite:perry-barr:medical:briefing",
        "suite:perry-barr:medical:safety",
    }
    assert scopes.audience(scopes.inbox(scopes.medical("perry-barr"))) == "suite:perry-barr:medical"


def test_what_is_closed_is_told() -> None:
    """A compartment and the medical part of a suite, with what travels beside them; nothing that only looks alike."""
    shut = [scopes.compartment("larch"), scopes.medical("perry-barr")]
    shut += [*map(scopes.briefing, shut), *map(scopes.inbox, shut)]
    assert all(map(scopes.closed, shut))
    for name in (
        "area:medical-row",
        "area:compartment",
        "suite:perry-barr",
        "suite:perry-barr:inbox",
        "force:inbox",
        "team:x",
    ):
        assert not scopes.closed(ScopeName(name)), name


def test_a_closed_scope_leaves_no_open_one_beside_it() -> None:
    """Where a record's fields would put it into both, it is in the closed ones alone; two open ones stay."""
    larch, birmingham, force = scopes.compartment("larch"), scopes.area("birmingham"), scopes.FORCE
    assert scopes.kept_in([birmingham, larch, scopes.inbox(force)]) == {larch}
    assert scopes.kept_in([birmingham, scopes.medical("perry-barr"), larch]) == {larch, scopes.medical("perry-barr")}
    assert scopes.kept_in([birmingham, force]) == {birmingham, force}
    assert scopes.kept_in([]) == frozenset()


def test_an_officer_is_one_whatever_the_case_of_the_collar_number() -> None:
    """Two ways to write the same number are one scope."""
    assert scopes.officer("WM21877") == scopes.officer("wm21877") == "officer:wm21877"


def test_an_officers_own_part_of_what_is_closed_is_closed_with_it() -> None:
    """It belongs to the closed audience; a collar number that no scope can hold has none, and an area is never cut."""
    larch = scopes.compartment("larch")
    for audience in (larch, scopes.medical("perry-barr")):
        own = scopes.personal("WM21877", audience)
        assert own == f"{audience}:of-wm21877"
        assert scopes.audience(own) == audience
        assert scopes.closed(own)
        assert scopes.grant_problem(own) is not None
    assert scopes.personal("WM21877") == "officer:wm21877"
    assert scopes.personal("WM.21877") is scopes.personal("x" * 38, larch) is None
    assert scopes.audience(ScopeName("area:of-wm1")) == "area:of-wm1"
