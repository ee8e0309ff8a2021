"""Every pair of states of an incident and of a child's plan: what may follow what, and what stands of two at once."""

import itertools

import pytest

from schemas.ids import FieldName, Seq
from schemas.kinds import Incident, ProtectionPlan, spec_of
from schemas.kinds.base import Kind
from schemas.kinds.incident import IncidentStatus
from schemas.kinds.protection import PlanStatus
from schemas.tokens import Token
from sync.merge import RecordState
from sync.policies import Change, policy_of
from tests.examples import HANDHELD, INCIDENT, OTHER, stamp

STATUS = FieldName("status")
ALLOWED: dict[type[Kind], set[tuple[str, str]]] = {
    Incident: {
        ("open", "assigned"),
        ("open", "attended"),
        ("open", "closed"),
        ("assigned", "open"),
        ("assigned", "attended"),
        ("assigned", "closed"),
        ("attended", "assigned"),
        ("attended", "closed"),
        ("closed", "open"),
    },
    ProtectionPlan: {("active", "ended"), ("ended", "active")},
}
ORDER: dict[type[Kind], tuple[str, ...]] = {
    Incident: ("closed", "open", "assigned", "attended"),
    ProtectionPlan: ("ended", "active"),
}
STATES: dict[type[Kind], type[Token]] = {Incident: IncidentStatus, ProtectionPlan: PlanStatus}
PAIRS = [
    (kind, str(one.value), str(other.value))
    for kind, states in STATES.items()
    for one, other in itertools.product(states, repeat=2)
]


@pytest.mark.parametrize(("kind", "one", "other"), PAIRS, ids=str)
def test_every_transition_is_allowed_or_refused_as_the_table_says(kind: type[Kind], one: str, other: str) -> None:
    """By somebody who saw the state before; a step to the same state is no step."""
    field = spec_of(kind).fields[STATUS]
    policy = policy_of(field)
    first = stamp(HANDHELD, 1, 41)
    cell = policy.merge(field, None, Change(value=one, stamp=first, create=True))
    step = Change(value=other, stamp=stamp(OTHER, 2, 42), saw=frozenset({first.op}), base=Seq(41))
    refusal = policy.refusal(field, cell, step)
    assert (refusal is None) is (one == other or (one, other) in ALLOWED[kind])
    assert refusal is None or one in refusal.detail


@pytest.mark.parametrize(("kind", "one", "other"), PAIRS, ids=str)
def test_of_two_states_at_once_the_declared_one_stands(kind: type[Kind], one: str, other: str) -> None:
    """In either order of arrival: work before closing, a plan that runs before one that ended."""
    spec = spec_of(kind)
    field = spec.fields[STATUS]
    policy = policy_of(field)
    said = [
        Change(value=value, stamp=stamp(device, 1, seq), saw=frozenset())
        for value, device, seq in ((one, HANDHELD, 41), (other, OTHER, 42))
    ]
    shown = set()
    for first, second in (said, said[::-1]):
        cell = policy.merge(field, policy.merge(field, None, first), second)
        state = RecordState(id=INCIDENT, spec=spec, version=Seq(42), cells={STATUS: cell})
        shown.add(state.values()[STATUS])
    assert shown == {max((one, other), key=ORDER[kind].index)}
