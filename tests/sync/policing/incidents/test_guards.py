"""What is refused in an incident before it is written, each rule both ways, and what a reason overrides."""

from typing import Any

import msgspec
import pytest

from schemas.ids import OfficerId
from schemas.kinds import Resource
from schemas.settings import DEFAULTS
from schemas.settings.incidents import Probation
from sync.policing.guards import Look, breaches
from sync.policing.incidents.guards import GUARDS, RESOURCE_GUARDS
from tests.sync.policing.incidents.cases import (
    HOUR,
    KIM,
    ROBIN,
    SIX,
    T0,
    answers,
    assessment,
    cancellation,
    change,
    crime,
    incident,
    look,
    made,
)

SETTINGS = DEFAULTS.incidents
GRADED = {**SIX, "grade": "p2", "graded_at": T0}
URGENT = {**SIX, "grade": "p1", "graded_at": T0}
ASKED = {"person": "Robin Example", "answers": answers(SETTINGS.vulnerability), "asked_at": T0}
CALLER = {"part": "caller", "name": "Robin Example"}
NEW_OFFICER = msgspec.structs.replace(
    DEFAULTS, incidents=msgspec.structs.replace(SETTINGS, probation=(Probation(officer=OfficerId("WM21877")),))
)
STRICT = msgspec.structs.replace(DEFAULTS, incidents=msgspec.structs.replace(SETTINGS, closing_code_needed=True))
NOT_CRIME = {"reason": "He had lent it.", "by": "WM21877", "decided_at": T0}


def rules(seen: Look) -> list[str]:
    """The rules that are against it."""
    return [breach.rule for breach in breaches(GUARDS, seen)]


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "closing what is no domestic abuse": ({}, {"status": "closed"}, []),
    "closing with a victim unassessed": ({"abuse_victims": [ROBIN]}, {"status": "closed"}, ["abuse-assessment"]),
    "closing a family matter that is no crime, victim unassessed": (
        {"category": "administration", "abuse_victims": [{**ROBIN, "relation": "grandmother"}]},
        {"status": "closed"},
        ["abuse-assessment"],
    ),
    "closing with one of two assessed": (
        {"abuse_victims": [ROBIN, KIM], "assessments": [assessment(ROBIN)]},
        {"status": "closed"},
        ["abuse-assessment"],
    ),
    "closing with both assessed": (
        {"abuse_victims": [ROBIN, KIM], "assessments": [assessment(ROBIN), assessment(KIM)]},
        {"status": "closed"},
        [],
    ),
    "closing domestic abuse with nobody named": (
        {"qualifiers": ["domestic-abuse"]},
        {"status": "closed"},
        ["abuse-victim"],
    ),
    "attending with a victim unassessed": ({"abuse_victims": [ROBIN]}, {"status": "attended"}, []),
    "a whole assessment": ({"abuse_victims": [ROBIN]}, {"assessments": [assessment(ROBIN)]}, []),
    "an assessment with a question left out": (
        {},
        {"assessments": [{**assessment(ROBIN), "answers": assessment(ROBIN)["answers"][1:]}]},
        ["abuse-questions"],
    ),
    "an assessment by an unknown edition": (
        {},
        {"assessments": [{**assessment(ROBIN), "version": "1899"}]},
        ["abuse-questions"],
    ),
    "a caller who was not asked": ({}, {"people": [CALLER]}, ["first-contact"]),
    "a caller who was asked": ({}, {"people": [CALLER], "first_contact": [ASKED]}, []),
    "a caller who was asked half": (
        {},
        {"people": [CALLER], "first_contact": [{**ASKED, "answers": ASKED["answers"][:3]}]},  # type: ignore[index]
        ["first-contact"],
    ),
    "a witness who was not asked": ({}, {"people": [{**CALLER, "part": "witness"}]}, []),
    "another person, beside a caller who was let pass": (
        {"people": [CALLER]},
        {"people": [{"part": "witness", "name": "Kim Example"}]},
        [],
    ),
    "a grade raised": ({"grade": "p2"}, {"grade": "p1"}, []),
    "a grade that nobody gave answers for, lowered": ({"grade": "p1"}, {"grade": "p2"}, []),
    "a grade lowered in silence": ({"grade": "p1", "gradings": [URGENT]}, {"grade": "p2"}, ["grade-lowered"]),
    "a grade lowered with answers and no reason": (
        {"grade": "p1", "gradings": [URGENT]},
        {"grade": "p2", "gradings": [GRADED]},
        ["grade-lowered"],
    ),
    "a grade lowered with a reason": (
        {"grade": "p1", "gradings": [URGENT]},
        {"grade": "p2", "gradings": [{**GRADED, "why": "They have left."}]},
        [],
    ),
    "answers to another grade": ({"grade": "p1"}, {"gradings": [GRADED]}, ["grade-said"]),
    "a crime made something else": ({"category": "crime"}, {"category": "administration"}, ["crime-reclassified"]),
    "a crime made something else, with why it is none": (
        {"category": "crime"},
        {"category": "administration", "not_crimes": [NOT_CRIME]},
        [],
    ),
    "something made a crime": ({"category": "administration"}, {"category": "crime"}, []),
    "a crime recorded": ({}, {"crimes": [crime()]}, []),
    "a crime recorded in another's name": ({}, {"crimes": [crime(by="WM30012")]}, ["crime-decision-own"]),
    "no crime, decided in another's name": ({}, {"not_crimes": [{**NOT_CRIME, "by": "WM1"}]}, ["crime-decision-own"]),
    "a crime of no known sort": ({}, {"crimes": [crime(sort="piracy")]}, ["crime-type"]),
    "a cancellation by somebody else": ({"crimes": [crime(by="WM1")]}, {"cancellations": [cancellation()]}, []),
    "a cancellation by who recorded it": (
        {"crimes": [crime(by="wm21877")]},
        {"cancellations": [cancellation()]},
        ["cancellation-independent"],
    ),
    "a cancellation by who investigates": (
        {"crimes": [crime(by="WM1")], "investigator": "WM21877"},
        {"cancellations": [cancellation()]},
        ["cancellation-independent"],
    ),
    "a cancellation of what is not recorded": (
        {},
        {"cancellations": [cancellation()]},
        ["cancellation-crime"],
    ),
    "a cancellation on no known ground": (
        {"crimes": [crime(by="WM1")]},
        {"cancellations": [cancellation(code="c9")]},
        ["cancellation-code"],
    ),
    "a rape cancelled by anybody": (
        {"crimes": [crime(sort="rape", by="WM1")]},
        {"cancellations": [cancellation()]},
        ["rape-registrar"],
    ),
    "a rape described anew as something else, cancelled": (
        {"crimes": [crime(sort="rape", by="WM1"), crime(sort="other", by="WM1")]},
        {"cancellations": [cancellation()]},
        ["rape-registrar"],
    ),
    "a rape cancelled by the registrar": (
        {"crimes": [crime(sort="rape", by="WM1")]},
        {"registrar_cancellations": [cancellation()]},
        [],
    ),
    "a known qualifier": ({}, {"qualifiers": {"add": ["weapon"]}}, []),
    "an unknown qualifier": ({}, {"qualifiers": {"add": ["sunny"]}}, ["qualifier"]),
    "a known closing code": ({}, {"closing_code": "resolved"}, []),
    "an unknown closing code": ({}, {"closing_code": "whatever"}, ["closing-code"]),
    "a confirmation": ({}, {"confirmations": [{"op": "hh-1/1"}]}, []),
}


@pytest.mark.parametrize("name", CASES)
def test_each_rule_refuses_what_it_is_about_and_nothing_else(name: str) -> None:
    """What is there, what is written, and which rules are against it; each says why, what to do, and its source."""
    before, changes, expected = CASES[name]
    seen = change(before, changes)
    assert rules(seen) == expected
    assert all(one.why and one.remedy and one.source for one in breaches(GUARDS, seen))


def test_every_rule_is_tried_both_ways() -> None:
    """The table has a case in which each rule refuses, and one in which the same field is let pass."""
    met = {rule for _, _, expected in CASES.values() for rule in expected}
    assert met == {
        "abuse-assessment", "abuse-victim", "abuse-questions", "first-contact", "grade-lowered", "grade-said",
        "crime-reclassified", "crime-decision-own", "crime-type", "cancellation-independent", "cancellation-crime",
        "cancellation-code", "rape-registrar", "qualifier", "closing-code",
    }  # fmt: skip
    fields = {name for _, changes, expected in CASES.values() if expected for name in changes}
    assert fields <= {name for _, changes, expected in CASES.values() if not expected for name in changes} | {"grade"}


OVERRIDABLE = {"abuse-victim", "abuse-questions", "first-contact", "grade-lowered"}


@pytest.mark.parametrize("name", [name for name, (_, _, expected) in CASES.items() if expected])
def test_a_reason_overrides_only_what_leaves_judgement(name: str) -> None:
    """Vulnerability at first contact is a prompt; an assessment of every victim and independence are not."""
    before, changes, expected = CASES[name]
    log = [{"text": "I had no time.", "overrides": expected[0]}]
    left = [] if expected[0] in OVERRIDABLE and name != "an assessment by an unknown edition" else expected
    assert rules(change(before, {**changes, "log": log})) == left


@pytest.mark.parametrize("risk", ["standard", "medium", "high"])
@pytest.mark.parametrize("reply", ["yes", "no", "declined", "not-known"])
def test_no_answers_make_a_risk(risk: str, reply: str) -> None:
    """Never auto-scored: whatever was answered to every question, the risk is what the officer says."""
    whole = assessment(ROBIN, reply, risk)
    seen = change({"abuse_victims": [ROBIN]}, {"assessments": [whole]})
    assert rules(seen) == []
    assert seen.after.assessments[0].risk.value == risk  # type: ignore[attr-defined]  # an incident


def test_an_entry_that_comes_late_is_looked_at_too() -> None:
    """What the change brings stands among the others by its time, not behind them; it is judged all the same."""
    before = {"crimes": [crime(by="WM1")]}
    after = incident(crimes=[crime(handle="older", by="WM30012"), *before["crimes"]])
    seen = look(incident(**before), after, {"crimes": [crime(handle="older", by="WM30012")]})
    assert rules(seen) == ["crime-decision-own"]


def test_a_new_officer_confirms_nothing() -> None:
    """Guided forms for new officers with tutor confirmation: nobody in probation is anybody's tutor."""
    assert rules(change({}, {"confirmations": [{"op": "hh-1/1"}]}, settings=NEW_OFFICER)) == ["tutor-confirms"]


@pytest.mark.parametrize(("code", "expected"), [(None, ["closing-code"]), ("resolved", [])])
def test_a_force_may_ask_for_a_closing_code(code: str | None, expected: list[str]) -> None:
    """Only where its settings say so."""
    assert rules(change({"closing_code": code}, {"status": "closed"}, settings=STRICT)) == expected


def test_a_new_record_is_looked_at_as_well() -> None:
    """One that is written down afterwards, closed from the first, passes by no rule."""
    values = {"status": "closed", "abuse_victims": [ROBIN]}
    assert rules(look(None, incident(**values), values)) == ["abuse-assessment"]


@pytest.mark.parametrize(
    ("before", "code", "at", "expected"),
    [
        (None, 6, T0, []),
        (None, 12, T0, ["unit-status"]),
        (T0, 6, T0 + HOUR, []),
        (T0, 6, T0 - HOUR, ["unit-status-late"]),
    ],
)
def test_a_units_status_is_one_of_the_list_and_the_latest(
    before: int | None, code: int, at: int, expected: list[str]
) -> None:
    """An arrival that is recorded late goes into the incident's deployments and does not hide a later status."""
    plain = {"category": "call-sign", "name": "BW31", "home": "area:birmingham"}
    was = made(Resource, plain | ({} if before is None else {"duty": {"code": 2, "at": before}}))
    duty = {"code": code, "at": at}
    seen = look(was, made(Resource, plain | {"duty": duty}), {"duty": duty})
    assert [breach.rule for breach in breaches(RESOURCE_GUARDS, seen)] == expected
