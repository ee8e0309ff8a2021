"""A deployment across areas: asked of another area, answered in time, lent for a time, and never forgotten."""

from typing import Any

import pytest

from schemas import scopes
from schemas.ids import Millis
from schemas.kinds import DeploymentRequest, Kind, Resource, kind_named
from schemas.roles import Role
from schemas.settings import DEFAULTS
from sync.policing.due import Due, What
from sync.policing.guards import breaches
from sync.policing.handing.deployment import GUARDS, LOAN_GUARDS, dues, loan_dues
from sync.policing.handover import Part, handover
from sync.policing.rulebook import GUARDS as EVERY
from sync.policing.timetable import TIMETABLE
from tests.examples import CELL, DEPLOYMENT, LEAST
from tests.sync.policing.incidents.cases import HOUR, MINUTE, T0, look, made

ASKED = LEAST["deployment-request"]
TANGO = {"resource": CELL, "called": "Tango 4"}
UNIT = {"category": "call-sign", "name": "Tango 4", "home": "area:coventry"}
LOAN = {"area": "birmingham", "until": T0 + HOUR}


def request(**values: Any) -> DeploymentRequest:  # noqa: ANN401  plain values
    """Birmingham's request to Coventry."""
    built = made(DeploymentRequest, ASKED | values)
    assert isinstance(built, DeploymentRequest)
    return built


def unit(**values: Any) -> Resource:  # noqa: ANN401  plain values
    """A unit of Coventry."""
    built = made(Resource, UNIT | values)
    assert isinstance(built, Resource)
    return built


CASES: dict[str, tuple[dict[str, Any] | None, dict[str, Any], list[str]]] = {
    "asking another area": (None, {}, []),
    "asking one's own": (None, {"lending": "birmingham"}, ["deployment-own-area"]),
    "asking for a time that has passed": (None, {"until": T0}, ["deployment-until"]),
    "agreeing and naming a unit": ({}, {"status": "agreed", "lent": [TANGO]}, []),
    "agreeing and naming an officer": ({}, {"status": "agreed", "lent": [{"officer": "wm1", "called": "Kim"}]}, []),
    "agreeing and naming nobody": ({}, {"status": "agreed"}, ["deployment-lent"]),
    "agreeing and naming them later": (
        {},
        {"status": "agreed", "log": [{"text": "Names follow.", "overrides": "deployment-lent"}]},
        [],
    ),
    "lending what is neither officer nor unit": ({}, {"lent": [{"called": "Somebody"}]}, ["deployment-one"]),
    "lending what is both": ({}, {"lent": [TANGO | {"officer": "wm1"}]}, ["deployment-one"]),
    "refusing and saying why": ({}, {"status": "refused", "refused_because": "Derby day."}, []),
    "refusing in silence": ({}, {"status": "refused"}, ["deployment-refused"]),
    "ending": ({"status": "agreed"}, {"status": "ended"}, []),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_request_and_its_answer_must_say(case: str) -> None:
    """Each rule both ways; of a new request all that it says is looked at."""
    before, changes, expected = CASES[case]
    seen = look(
        None if before is None else request(**before),
        request(**(before or {}) | changes),
        ASKED | changes if before is None else changes,
    )
    assert [one.rule for one in breaches(GUARDS, seen)] == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [({}, []), ({"category": "cell"}, ["loan-cell"]), ({"loan": LOAN | {"until": T0}}, ["loan-until"])],
)
def test_a_unit_is_lent_for_a_time_and_a_cell_never(values: dict[str, Any], expected: list[str]) -> None:
    """A cell stays in its suite; what is lent has an end to come."""
    lent = {"loan": LOAN} | values
    assert [one.rule for one in breaches(LOAN_GUARDS, look(unit(), unit(**lent), lent))] == expected


def test_a_request_that_nobody_answers_falls_due() -> None:
    """After a quarter of an hour, for supervisors and the control room; an answer ends it, and an end does."""
    (due,) = dues(request(), DEFAULTS, Millis(T0))
    assert (due.what, due.at, due.roles) == (
        What.DEPLOYMENT, T0 + 15 * MINUTE, (Role.SUPERVISOR, Role.CONTROL_ROOM),
    )  # fmt: skip
    assert due.words.startswith("coventry: agree or refuse")
    for status in ("refused", "ended"):
        assert list(dues(request(status=status), DEFAULTS, Millis(T0))) == []


def test_what_was_agreed_runs_out_with_a_warning() -> None:
    """Half an hour before, and then; another time moves it."""
    (due,) = dues(request(status="agreed"), DEFAULTS, Millis(T0))
    assert (due.at, due.warn_ms) == (T0 + 8 * HOUR, (30 * MINUTE, 0))
    (later,) = dues(request(status="agreed", until=T0 + 9 * HOUR), DEFAULTS, Millis(T0))
    assert later.at == T0 + 9 * HOUR


def test_a_loan_that_runs_out_is_told_until_the_unit_is_taken_back() -> None:
    """Of a unit that is lent to nobody nothing falls due."""
    (due,) = loan_dues(unit(loan=LOAN), DEFAULTS, Millis(T0))
    assert isinstance(due, Due)
    assert (due.at, "Tango 4 is lent to birmingham" in due.words) == (T0 + HOUR, True)
    assert list(loan_dues(unit(), DEFAULTS, Millis(T0))) == []


def test_a_unit_on_loan_is_in_the_sight_of_both_areas() -> None:
    """The area that has the use of it sees it and says what it does; a cell is in no other area's."""
    assert unit(loan=LOAN).scopes() == {"area:birmingham", "area:coventry"}
    assert unit().scopes() == {"area:coventry"}
    assert unit(category="cell", loan=LOAN).scopes() == {"area:coventry", "custody"}


def test_officers_who_are_lent_see_the_request_until_they_are_back() -> None:
    """Wherever they are posted; whoever is given back, and everybody once it is over, no longer does."""
    kim = {"officer": "wm1", "called": "Kim"}
    assert "officer:wm1" in request(status="agreed", lent=[kim]).scopes()
    assert "officer:wm1" not in request(status="agreed", lent=[kim, kim | {"back": True}]).scopes()
    assert "officer:wm1" not in request(status="ended", lent=[kim]).scopes()


def test_both_areas_have_an_open_request_in_their_handover() -> None:
    """Whichever shift comes on in either area sees that it waits, or until when it runs."""
    for status, at in (("requested", T0 + 15 * MINUTE), ("agreed", T0 + 8 * HOUR)):
        records: dict[Any, Kind] = {DEPLOYMENT: request(status=status)}
        for area in (scopes.area("birmingham"), scopes.area("coventry")):
            found = handover(
                records, [area], until=Millis(T0), settings=DEFAULTS, now=Millis(T0), report=lambda *_: None
            )
            assert [(one.part, one.at) for one in found] == [(Part.DEPLOYMENT, at)]
    over: dict[Any, Kind] = {DEPLOYMENT: request(status="refused")}
    assert not handover(
        over, [scopes.area("coventry")], until=Millis(T0), settings=DEFAULTS, now=Millis(T0), report=lambda *_: None
    )


def test_the_rules_stand_before_the_kinds_and_in_the_timetable() -> None:
    """A rule that nobody asks refuses nothing, and one that no timer reads warns nobody."""
    assert set(GUARDS) <= set(EVERY["deployment-request"])
    assert set(LOAN_GUARDS) <= set(EVERY["resource"])
    assert (dues,) == TIMETABLE["deployment-request"]
    assert loan_dues in TIMETABLE["resource"]
    assert all(kind_named(kind) is not None for kind in (*EVERY, *TIMETABLE))
