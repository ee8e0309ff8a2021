"""The checks can fail: under each wrong policy a bounded hunt, which finds nothing without it, breaks a promise."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.kinds import KINDS
from schemas.policies import POLICIES
from tests.sync.policies import mutants
from tests.sync.policies.drawing import IN_A_CHAIN, chain, disputed, drawn, fields_of, one_dispute, one_field
from tests.sync.policies.oracles import Broken, check_chain, check_every_order, check_transitions
from tests.sync.policies.people import apart, set_back
from tests.sync.policies.world import Stuck

EXAMPLES: Final = 400
"""A hunt's length: several times what the slowest mutant needs."""
LEAST: Final = 3
"""Mutants of each policy, at least."""
Hunt = Callable[[str], None]

bounded = settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def orders(policy: str) -> None:
    """Ops that arrive in every order."""
    bounded(given(one_field(policy, older=True))(lambda what: check_every_order(apart(what))))()


def returns(policy: str) -> None:
    """Ops that are offered again in every order to a server that was set back."""
    bounded(given(one_field(policy))(lambda what: check_every_order(set_back(what))))()


def disputes(policy: str) -> None:
    """People who differ, decide and go on writing."""
    bounded(given(one_dispute(policy))(lambda what: check_every_order(apart(what))))()


def chains(policy: str) -> None:
    """People who each see the last change, on any clock."""
    where = st.sampled_from([each for each in IN_A_CHAIN if each in fields_of(policy)])
    bounded(given(where.flatmap(lambda one: st.tuples(chain(*one), st.just(one[1]))))(lambda p: check_chain(*p)))()


def endings(policy: str) -> None:
    """Endings and the work that they end, in every order."""
    where = [(kind, [name, *KINDS[kind].fields[name].sees]) for kind, name in fields_of(policy)]
    what = st.sampled_from([one for one in where if len(one[1]) > 1]).flatmap(lambda one: drawn(*one))
    bounded(given(what)(lambda each: check_every_order(apart(each))))()


def closings(policy: str) -> None:
    """People who differ about an ending, and decide while work goes on."""
    where = [(kind, [name, *KINDS[kind].fields[name].sees]) for kind, name in fields_of(policy)]
    what = st.sampled_from([one for one in where if len(one[1]) > 1]).flatmap(lambda one: disputed(*one))
    bounded(given(what)(lambda each: check_every_order(apart(each))))()


def steps(policy: str) -> None:
    """Every step from every state."""
    check_transitions()


HUNTS: Final[dict[Callable[[], mutants.Planted], tuple[Hunt, str]]] = {
    **{each: (orders, policy) for policy, of in mutants.OF.items() for each in of},
    mutants.latest_by_the_wall_clock: (chains, "latest"),
    mutants.once_corrected_blindly: (disputes, "once"),
    mutants.once_decided_nothing_is_nothing: (disputes, "once"),
    mutants.highest_never_lowered: (chains, "highest"),
    mutants.state_any_transition: (steps, "state"),
    mutants.state_judged_by_what_is_left: (returns, "state"),
    mutants.state_unseen_arrest_ignored: (endings, "state"),
    mutants.state_arrest_contests_when_it_is_second: (endings, "state"),
    mutants.judged_decided_blindly: (disputes, "judged"),
    mutants.inbox_decision_sees_all: (disputes, "judged"),
    mutants.inbox_decider_knows_all_work: (closings, "state"),
    mutants.inbox_never_ends: (orders, "judged"),
    mutants.inbox_late_candidate_dropped: (orders, "judged"),
    mutants.history_without_links: (orders, "highest"),
}
"""Mutant -> the hunt that notices it, and the policy whose fields are hunted in."""


# What is drawn for a field whose entries have many parts is long to print, and it is printed when a mutant is caught.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("planted", HUNTS, ids=lambda planted: planted.__name__)
def test_a_wrong_policy_is_noticed(planted: Callable[[], mutants.Planted]) -> None:
    """The hunt breaks on a promise, and not on a mere fault of the mutant."""
    hunt, policy = HUNTS[planted]
    with planted(), pytest.raises((Broken, Stuck)):
        hunt(policy)


def test_each_policy_has_its_mutants() -> None:
    """At least three for each; none is left out of the hunts, and docs/testing.md tells each."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "testing.md").read_text(encoding="utf-8")
    planted = {
        value
        for name, value in vars(mutants).items()
        if inspect.isfunction(value) and value.__module__ == mutants.__name__ and not name.startswith("_")
    }
    assert planted == {each for of in mutants.OF.values() for each in of} == set(HUNTS)
    assert {policy.name: len(mutants.OF[policy.name]) >= LEAST for policy in POLICIES} == {
        policy.name: True for policy in POLICIES
    }
    assert {each.__name__ for each in planted if f"`{each.__name__}`" not in page} == set()
