"""What is refused in an incident before it is written, each rule both ways, and what a reason overrides."""

from typing import Any

import msgspec
import pytest

from schemas.ids import OfficerId
from schemas.kinds import Incident, Resource, spec_of
from schemas.kinds.call import Methane
from schemas.policies import grow
from schemas.roles import Role
from schemas.settings import DEFAULTS
from schemas.settings.incidents import Probation
from sync.policing.guards import Look, breaches
from sync.policing.incidents.guards import GUARDS, RESOURCE_GUARDS
from tests.sync.policing.incidents.cases import (
    DAY,
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
    "closing domestic abuse with a victim of it named, and one of the call not": (
        {
            "abuse_victims": [ROBIN],
            "assessments": [assessment(ROBIN)],
            "people": [{"part": "victim", "name": "robin  EXAMPLE"}, {"part": "victim", "name": "Kim Example"}],
        },
        {"status": "closed"},
        ["abuse-each-victim"],
    ),
    "closing domestic abuse with a victim of the call, and nobody named": (
        {"qualifiers": ["domestic-abuse"], "people": [{"part": "victim", "name": "Kim Example"}]},
        {"status": "closed"},
        ["abuse-each-victim"],
    ),
    "closing domestic abuse in which another victim was named and withdrawn": (
        {
            "abuse_victims": [ROBIN, {**KIM, "withdrawn": "A neighbour whose window broke."}],
            "assessments": [assessment(ROBIN)],
            "people": [{"part": "victim", "name": "Kim Example"}, {"part": "witness", "name": "Ash Example"}],
        },
        {"status": "closed"},
        [],
    ),
    "closing what is no domestic abuse, with a victim": (
        {"people": [{"part": "victim", "name": "Kim Example"}]},
        {"status": "closed"},
        [],
    ),
    "taking back that it is domestic abuse": (
        {"qualifiers": ["domestic-abuse", "alcohol"]},
        {"qualifiers": {"remove": ["domestic-abuse"]}},
        ["abuse-taken-back"],
    ),
    "taking back another qualifier": (
        {"qualifiers": ["domestic-abuse", "alcohol"]},
        {"qualifiers": {"remove": ["alcohol"]}},
        [],
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
    "a grade that nobody gave answers for, lowered": ({"grade": "p1"}, {"grade": "p2"}, ["grade-lowered"]),
    "a grade with answers raised in silence": (
        {"grade": "p2", "gradings": [GRADED]},
        {"grade": "p1"},
        ["grade-raised"],
    ),
    "a grade with answers raised with others, and no reason": (
        {"grade": "p2", "gradings": [GRADED]},
        {"grade": "p1", "gradings": [URGENT]},
        ["grade-raised"],
    ),
    "a grade with answers raised with a reason": (
        {"grade": "p2", "gradings": [GRADED]},
        {"grade": "p1", "gradings": [{**URGENT, "why": "They have come back."}]},
        [],
    ),
    "the same grade given again": ({"grade": "p2", "gradings": [GRADED]}, {"grade": "p2", "gradings": [GRADED]}, []),
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
    "a rape described anew as something else": (
        {"crimes": [crime(sort="rape", by="WM1")]},
        {"crimes": [crime(sort="sexual")]},
        ["rape-registrar"],
    ),
    "a rape described anew as one": ({"crimes": [crime(sort="rape", by="WM1")]}, {"crimes": [crime(sort="rape")]}, []),
    "another crime beside a rape": (
        {"crimes": [crime(sort="rape", by="WM1")]},
        {"crimes": [crime(handle="phone", sort="theft")]},
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
        "cancellation-code", "rape-registrar", "qualifier", "closing-code", "abuse-each-victim", "abuse-taken-back",
        "grade-raised",
    }  # fmt: skip
    fields = {name for _, changes, expected in CASES.values() if expected for name in changes}
    assert fields <= {name for _, changes, expected in CASES.values() if not expected for name in changes} | {"grade"}


OVERRIDABLE = {"abuse-victim", "abuse-questions", "first-contact", "grade-lowered", "grade-raised", "abuse-taken-back"}


@pytest.mark.parametrize("name", [name for name, (_, _, expected) in CASES.items() if expected])
def test_a_reason_overrides_only_what_leaves_judgement(name: str) -> None:
    """Vulnerability at first contact is a prompt; an assessment of every victim and independence are not."""
    before, changes, expected = CASES[name]
    log = [{"text": "I had no time.", "overrides": expected[0]}]
    left = [] if expected[0] in OVERRIDABLE and name != "an assessment by an unknown edition" else expected
    assert rules(change(before, {**changes, "log": log})) == left


@pytest.mark.parametrize("grade", ["p1", "scheduled"])
def test_a_reason_for_the_change_itself_is_one(grade: str) -> None:
    """A grade is raised or lowered with a word beside it, by an officer who has no time for six answers."""
    before = {"grade": "p2", "gradings": [GRADED]}
    assert rules(change(before, {"grade": grade})) != []
    assert rules(change(before, {"grade": grade}, why="They have come back.")) == []


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (frozenset({Role.SUPERVISOR}), ["rape-registrar"]),
        (frozenset({Role.REGISTRAR}), []),
        (None, []),
    ],
)
def test_the_registrar_alone_records_a_rape_as_another_sort(roles: frozenset[Role] | None, expected: list[str]) -> None:
    """It would be gone from the count as if cancelled; where nobody has roles, nobody is the registrar."""
    before = {"crimes": [crime(sort="rape", by="WM1")]}
    assert rules(change(before, {"crimes": [crime(sort="sexual")]}, roles=roles)) == expected


TO_COME: dict[str, tuple[str, dict[str, Any]]] = {
    "deployments": ("at", {"call_sign": "BW31", "step": "at-scene"}),
    "methane": ("at", dict.fromkeys(Methane.__struct_fields__, "Said.")),
    "arrests": ("arrested_at", {"person": "Ash Example"}),
    "gradings": ("graded_at", {**SIX, "grade": "scheduled"}),
    "first_contact": ("asked_at", ASKED),
    "assessments": ("assessed_at", assessment(ROBIN)),
    "crimes": ("decided_at", crime()),
    "not_crimes": ("decided_at", NOT_CRIME),
    "cancellations": ("decided_at", cancellation()),
    "registrar_cancellations": ("decided_at", cancellation()),
    "passing": ("at", {"step": "offered", "giver": "response", "to": "hub", "offered_at": T0}),
    "victims_told": ("told_at", {"person": "Robin Example", "outcome": "not-recorded"}),
}


@pytest.mark.parametrize("field", TO_COME)
def test_nothing_is_entered_before_it_has_happened(field: str) -> None:
    """An arrival, a decision or a word to a victim that is still to come ends nothing; late entry is free."""
    time, entry = TO_COME[field]
    before = {"crimes": [crime(by="WM1")]} if "cancellations" in field else {}
    now, slow = T0 + HOUR, SETTINGS.early_entry_ms
    for at, expected in ((T0 - HOUR, []), (now + slow, []), (now + slow + 1, ["entry-to-come"])):
        assert rules(change(before, {field: [{**entry, time: at}]}, now=now)) == expected


def test_every_time_of_an_entry_is_looked_at() -> None:
    """A field with entries that bear a time is in the table above, so that none is forgotten."""
    timed = {
        name: time.name
        for name, spec in spec_of(Incident).fields.items()
        if spec.policy is grow and isinstance(spec.type, type) and issubclass(spec.type, msgspec.Struct)
        for time in msgspec.structs.fields(spec.type)
        if time.name == "at" or time.name.endswith("_at")
    }
    assert timed == {field: time for field, (time, _) in TO_COME.items()}


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
        (T0, 6, T0 + DAY + SETTINGS.early_entry_ms, []),
        (T0, 6, T0 + DAY + SETTINGS.early_entry_ms + 1, ["unit-status-to-come"]),
    ],
)
def test_a_units_status_is_one_of_the_list_and_the_latest(
    before: int | None, code: int, at: int, expected: list[str]
) -> None:
    """An arrival that is recorded late goes into the incident's deployments and does not hide a later status."""
    plain = {"category": "call-sign", "name": "BW31", "home": "area:birmingham"}
    was = made(Resource, plain | ({} if before is None else {"duty": {"code": 2, "at": before}}))
    duty = {"code": code, "at": at}
    seen = look(was, made(Resource, plain | {"duty": duty}), {"duty": duty}, now=T0 + DAY)
    assert [breach.rule for breach in breaches(RESOURCE_GUARDS, seen)] == expected
