"""What falls due in an incident and in a child's plan, and the control room's queue over it."""

from typing import Any

import pytest

from schemas.ids import Millis
from schemas.kinds import ProtectionPlan
from schemas.settings import DEFAULTS
from sync.policing.guards import breaches
from sync.policing.incidents import protection
from sync.policing.incidents.control import queue
from sync.policing.incidents.dues import dues
from sync.policing.timetable import TIMETABLE
from tests.sync.policing.incidents.cases import (
    DAY,
    HOUR,
    KIM,
    MINUTE,
    ROBIN,
    T0,
    answers,
    assessment,
    cancellation,
    crime,
    incident,
    look,
    made,
    number,
)

NOW = Millis(T0)
PLAN: dict[str, Any] = {
    "child": "Kim Example",
    "concern": "Left alone.",
    "team": "public-protection",
    "begun_at": T0,
    "review_at": T0 + 15 * DAY,
}
ARREST = {"person": "Ash Example", "arrested_at": T0 + HOUR}
NOT_CRIME = {"reason": "Lent.", "by": "WM1", "decided_at": T0 + HOUR}
TOLD = {"person": "Robin Example", "outcome": "not-recorded", "told_at": T0 + 2 * HOUR}
BOTH = [{"part": "victim", "name": "Robin Example"}, {"part": "victim", "name": "Kim Example"}]
QUIET = {"grade": "no-deployment"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"grade": "p1"}, {("attendance", "", 15 * MINUTE)}),
        ({"category": "crime"}, {("crime-decision", "", DAY)}),
        ({"category": "crime", "crimes": [crime()]}, set()),
        ({"not_crimes": [NOT_CRIME]}, {("victim-told", "", HOUR + 3 * DAY)}),
        ({"not_crimes": [NOT_CRIME], "victims_told": [TOLD]}, set()),
        ({"not_crimes": [NOT_CRIME], "crimes": [crime()]}, set()),
        ({"crimes": [crime()], "cancellations": [cancellation()]}, {("victim-told", "", HOUR + 3 * DAY)}),
        (
            {"not_crimes": [NOT_CRIME], "people": BOTH, "victims_told": [TOLD]},
            {("victim-told", "Kim Example", HOUR + 3 * DAY)},
        ),
        ({"not_crimes": [NOT_CRIME], "people": BOTH, "victims_told": [TOLD, {**TOLD, "person": "KIM example"}]}, set()),
        (
            {"not_crimes": [NOT_CRIME], "victims_told": [{**TOLD, "told_at": T0}]},
            {("victim-told", "", HOUR + 3 * DAY)},
        ),
        (
            {"crimes": [{**crime(), "victim": "Kim Example"}], "cancellations": [cancellation()], "people": BOTH},
            {("victim-told", "Kim Example", HOUR + 3 * DAY)},
        ),
        (
            {"crimes": [crime()], "cancellations": [cancellation()], "victims_told": [{**TOLD, "outcome": "recorded"}]},
            {("victim-told", "", HOUR + 3 * DAY)},
        ),
        (
            {"abuse_victims": [ROBIN], "assessments": [assessment(ROBIN)], "people": BOTH},
            {("risk-assessment", "Kim Example", 12 * HOUR)},
        ),
        ({"abuse_victims": [ROBIN]}, {("risk-assessment", "Robin Example 1984-05-17", 12 * HOUR)}),
        (
            {"abuse_victims": [ROBIN, KIM], "assessments": [assessment(KIM)], "arrests": [ARREST]},
            {("risk-assessment", "Robin Example 1984-05-17", 3 * HOUR)},
        ),
        ({"abuse_victims": [ROBIN], "assessments": [assessment(ROBIN)], "arrests": [ARREST]}, set()),
        ({"qualifiers": ["domestic-abuse"], "arrests": [ARREST]}, {("risk-assessment", "", 3 * HOUR)}),
        ({"arrests": [ARREST]}, set()),
        ({"abuse_victims": [{**ROBIN, "withdrawn": "It was another."}], "arrests": [ARREST]}, set()),
    ],
)
def test_what_falls_due(values: dict[str, Any], expected: set[tuple[str, str, int]]) -> None:
    """Each thing that is not done, once, by its time; an arrest for domestic abuse without assessment is a task."""
    found = list(dues(incident(**(QUIET | values)), DEFAULTS, NOW))
    assert {(one.what.value, one.key, one.at - T0) for one in found} == expected
    assert all(one.words and one.source and one.roles and one.then for one in found)


def test_the_timetable_asks_incidents_and_plans() -> None:
    """Alarms are raised from these rules, on the server and on the device."""
    assert dues in TIMETABLE["incident"]
    assert protection.dues in TIMETABLE["protection-plan"]


def test_the_queue_has_timers() -> None:
    """Control-room queue with timers: the most urgent first, in a grade whatever is due first; closed ones are gone."""
    held = {
        number(1): incident(grade="p2"),
        number(2): incident(grade="p1", opened_at=T0 - 20 * MINUTE),
        number(3): incident(grade="p1", urn="20261122-0001"),
        number(4): incident(grade="p1", status="closed"),
        number(5): incident(grade="p1", status="attended"),
        number(6): incident(grade="graver-than-all"),
        number(7): incident(**QUIET),
    }
    found = queue(held, DEFAULTS, NOW)
    assert [one.record for one in found] == [number(n) for n in (6, 2, 3, 5, 1, 7)]
    left = {one.record: one.left_ms for one in found}
    assert left[number(2)] == -5 * MINUTE
    assert left[number(3)] == 15 * MINUTE
    assert left[number(5)] is None
    assert [one.called for one in found if one.record == number(3)] == ["20261122-0001"]
    assert all(one.called.startswith("P-") for one in found if one.record != number(3))


def plan(**values: Any) -> ProtectionPlan:  # noqa: ANN401  plain values
    """A child's plan."""
    built = made(ProtectionPlan, PLAN | values)
    assert isinstance(built, ProtectionPlan)
    return built


def test_a_plan_is_reviewed_for_as_long_as_it_runs() -> None:
    """Child protection, long-running: the first review as the plan began with, each next as the last one says."""
    reviews = [
        {"reviewed_at": T0 + 40 * DAY, "finding": "Better.", "next_at": T0 + 130 * DAY},
        {"reviewed_at": T0 + 14 * DAY, "finding": "No change.", "next_at": T0 + 45 * DAY},
    ]
    assert [one.at - T0 for one in protection.dues(plan(), DEFAULTS, NOW)] == [15 * DAY]
    assert [one.at - T0 for one in protection.dues(plan(reviews=reviews), DEFAULTS, NOW)] == [130 * DAY]
    assert list(protection.dues(plan(status="ended"), DEFAULTS, NOW)) == []


def test_a_plan_is_ended_with_a_reason_and_guided_to_the_end() -> None:
    """Each question has an answer, and no plan ends in silence."""
    asked = DEFAULTS.incidents.child_protection
    whole = {"question_set": asked.name, "version": asked.version, "answers": answers(asked), "asked_at": T0}
    part = {**whole, "answers": answers(asked)[1:]}
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"status": "ended"}, ["plan-ended-because"]),
        ({"status": "ended", "ended_because": "Grown up."}, []),
        ({"guided": [whole]}, []),
        ({"guided": [part]}, ["guided-questions"]),
        ({"guided": [{**whole, "version": "1899"}]}, ["guided-questions"]),
        ({"guided": [{**whole, "question_set": "anything", "answers": []}]}, ["guided-questions"]),
    ]
    for changes, expected in cases:
        seen = look(plan(), plan(**changes), changes)
        found = breaches(protection.GUARDS, seen)
        assert [breach.rule for breach in found] == expected
        assert not any(breach.override for breach in found), "a plan has no log in which a reason could stand"


def test_a_review_has_been_held_and_names_a_later_one() -> None:
    """A plan's next review is never a date that has passed, and nobody ends what is due by a review to come."""
    now, later = T0 + DAY, T0 + 90 * DAY
    held = {"reviewed_at": now, "finding": "No change.", "next_at": later}
    cases: list[tuple[dict[str, Any], list[str]]] = [
        (held, []),
        ({**held, "next_at": now}, ["plan-review-next"]),
        ({**held, "reviewed_at": now + HOUR}, ["plan-review-to-come"]),
    ]
    for review, expected in cases:
        seen = look(plan(), plan(reviews=[review]), {"reviews": [review]}, now=now)
        assert [breach.rule for breach in breaches(protection.GUARDS, seen)] == expected
    for review_at, expected in ((T0 + DAY, []), (T0, ["plan-review-next"])):
        values = {**PLAN, "review_at": review_at}
        seen = look(None, plan(**values), values)
        assert [breach.rule for breach in breaches(protection.GUARDS, seen)] == expected


def test_a_plan_is_seen_by_its_team_and_no_area() -> None:
    """Who works in an area does not for that see a child's plan; a compartment hides it from the team too."""
    assert plan(named=["wm30012"]).scopes() == {"team:public-protection", "officer:wm30012"}
    assert plan(compartment="larch").scopes() == {"compartment:larch"}
