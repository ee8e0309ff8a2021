"""An ending whose author saw that something is missing which it needs is refused, whatever has arrived meanwhile.

Row of the issue: a domestic abuse assessment for all victims.
"""

import itertools
from typing import Any

import pytest

from schemas.ids import FieldName, Millis, OpId, Seq
from schemas.ops import Op, stamp_of
from sync import check, merge
from sync.merge import RecordState
from sync.policies import Change
from tests.sync.merge.incident import KIND, T0, committed, made, op, value

BASE = made(status="attended")
FIRST = "desk-1/1"
ROBIN = {"name": "Robin Example", "born": "1984-05-17"}
KIM = {"name": "Kim Example"}


def victim(device: str, n: int, **who: str) -> Op:
    """Somebody is named as a victim."""
    return op(device, n, {"abuse_victims": [who]}, {"status": [FIRST]})


def assessed(device: str, n: int, **who: str) -> Op:
    """The risk to somebody is assessed."""
    judged = {"question_set": "dara", "version": "1", "answers": [], "risk": "standard", "judgement": "Calm."}
    return op(device, n, {"assessments": [{**who, **judged, "assessed_at": T0}]}, {"status": [FIRST]})


def closing(n: int, *seen: Op, **beside: Any) -> Op:  # noqa: ANN401  plain values
    """The incident is closed by somebody who saw those ops."""
    saw: dict[str, list[str]] = {
        name: [one.id for one in seen if FieldName(name) in one.changes]
        for name in ("arrests", "abuse_victims", "assessments")
    }
    return op("hh-9", n, {"status": "closed", **beside}, {"status": [FIRST], **saw})


def refused(state: RecordState, made_op: Op) -> str:
    """Why the op is refused on that record; "" when it is not."""
    refusal = check.op_on(state, made_op, KIND)
    return "" if refusal is None else f"{refusal.code}: {refusal.detail}"


V1, V2 = victim("hh-1", 1, **ROBIN), victim("hh-2", 1, **KIM)
A1, A2 = assessed("hh-1", 2, **ROBIN), assessed("hh-2", 2, **KIM)


@pytest.mark.parametrize("seen", [set(), {0}, {1}, {2}, {3}, {0, 1}, {0, 2}, {0, 3}, {1, 3}, {0, 1, 2}, {0, 1, 2, 3}])
def test_a_closing_is_judged_by_what_its_author_saw(seen: set[int]) -> None:
    """DA assessment for all victims: refused where a victim was seen and no assessment of them, in every order."""
    every = [V1, V2, A1, A2]
    missing = [who for number, who in ((0, "Robin"), (1, "Kim")) if number in seen and number + 2 not in seen]
    answers = set()
    for order in itertools.permutations(every):
        state = committed(BASE, *order)
        answers.add(refused(state, closing(1, *(every[number] for number in sorted(seen)))))
    (answer,) = answers
    assert bool(answer) == bool(missing)
    assert all(who in answer for who in missing)
    assert not missing or answer.startswith("op_transition: assessments is missing for")


def test_what_else_has_come_changes_nothing() -> None:
    """The same closing is refused on a record that holds the assessment by then, and on one that does not."""
    blind = closing(1, V1)
    assert refused(committed(BASE, V1), blind) == refused(committed(BASE, V1, A1), blind) != ""


def test_a_victim_that_the_closing_had_not_seen_contests_it() -> None:
    """It is taken, shown as attended, and a person is asked: in either order."""
    for order in itertools.permutations((V1, closing(1))):
        state = committed(BASE, *order)
        assert value(state, "status") == "attended"
        assert state.cells[FieldName("status")].against == (("hh-9/1", V1.id),)


def test_an_assessment_in_the_closing_itself_counts() -> None:
    """Who assesses and closes in one change has done both; who names a victim and closes has not."""
    entry = A1.changes[FieldName("assessments")]
    state = committed(BASE, V1)
    assert refused(state, closing(1, V1, assessments=entry)) == ""
    assert "Robin Example 1984-05-17" in refused(state, closing(1, abuse_victims=[ROBIN]))


def test_a_making_that_closes_at_once_is_judged_too() -> None:
    """An incident that is written down afterwards, closed from the first, with a victim and no assessment."""
    whole = {"opened_at": T0, "area": "birmingham", "category": "administration", "summary": "x", "status": "closed"}
    create = op("hh-1", 1, whole | {"abuse_victims": [KIM]}, create=True)
    refusal = check.op_on(None, create, KIND)
    assert refusal is not None
    assert "Kim Example" in refusal.detail


@pytest.mark.parametrize(
    ("entry", "missing"),
    [
        ({"name": "ROBIN  example", "born": "1984-05-17"}, False),
        ({"name": "Robin Example"}, True),
        ({"name": "Robin Example", "born": "1954-05-17"}, True),
    ],
)
def test_a_person_is_the_same_by_name_and_birth_date(entry: dict[str, str], *, missing: bool) -> None:
    """However the name is spaced or written in capitals; father and son of one name are two."""
    other = assessed("hh-3", 1, **entry)
    assert bool(refused(committed(BASE, V1, other), closing(1, V1, other))) is missing


def test_a_victim_who_was_taken_back_needs_no_assessment() -> None:
    """With a reason, which stays; named again they need one again."""
    back = op("hh-1", 3, {"abuse_victims": [{**ROBIN, "withdrawn": "It was the neighbour."}]}, {"status": [FIRST]})
    again = victim("hh-1", 4, **ROBIN)
    assert refused(committed(BASE, V1, back), closing(1, V1, back)) == ""
    assert refused(committed(BASE, V1, back, again), closing(1, V1, back, again)) != ""


def test_a_decision_to_close_is_no_way_round() -> None:
    """Whoever decides that a contested closing stands leaves it contested while an unassessed victim is there."""
    state = committed(BASE, V1, closing(1))
    decision = op("desk-2", 1, {"decision": {"value": "closed", "reason": "Done."}})
    change = Change(
        value="closed",
        stamp=stamp_of(decision, T0, 9),
        saw=frozenset({OpId("hh-9/1")}),
        base=Seq(8),
        decides=True,
    )
    decided = merge.decide(state, FieldName("status"), change, Seq(9))
    assert value(decided, "status") == "attended"
    settled = merge.decide(committed(state, A1), FieldName("status"), change, Seq(9))
    assert value(settled, "status") == "closed"


def test_a_decision_lacks_the_same_whenever_the_rest_comes() -> None:
    """An assessment that who decided had not seen comes before the decision or behind it: the record is the same."""
    seen = committed(BASE, V1, closing(1))
    decision = op("desk-2", 1, {"decision": {"value": "closed", "reason": "Done."}})
    change = Change(
        value="closed",
        stamp=stamp_of(decision, T0, 19),
        saw=frozenset({OpId("hh-9/1")}),
        base=seen.version,
        decides=True,
    )
    status = FieldName("status")
    before = merge.decide(merge.apply(seen, A1, Millis(T0), Seq(20)), status, change, Seq(21))
    behind = merge.apply(merge.decide(seen, status, change, Seq(20)), A1, Millis(T0), Seq(21))
    assert before.cells[status].against == behind.cells[status].against
    assert {entry for _, entry in before.cells[status].against} == {V1.id, A1.id}
    assert value(before, "status") == value(behind, "status") == "attended"
