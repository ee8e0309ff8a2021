"""Whose an incident is while it passes between teams: from the steps alone, in any order, and never nobody."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import scopes
from schemas.ids import FieldName, Millis
from schemas.kinds import Incident, spec_of
from schemas.kinds.passing import Passing, PassingStep, keeping
from tests.examples import LEAST

TEAMS = st.sampled_from(["response-a", "investigation-a", "cid"])


def step(step: str, giver: str, to: str, offered_at: int, at: int | None = None) -> Passing:
    """A step of a passing."""
    made, when = PassingStep(step), offered_at if at is None else at
    return Passing(step=made, giver=giver, to=to, offered_at=Millis(offered_at), at=Millis(when))


def offered(giver: str, to: str, at: int) -> Passing:
    """An offer."""
    return step("offered", giver, to, at)


def incident(steps: list[Passing], **more: Any) -> Incident:  # noqa: ANN401  plain values
    """An incident with these steps."""
    values = {**LEAST["incident"], "passing": msgspec.to_builtins(steps), **more}
    built = spec_of(Incident).build({FieldName(name): value for name, value in values.items()})
    assert isinstance(built, Incident)
    return built


STEPS = st.lists(
    st.builds(
        step,
        st.sampled_from(["offered", "offered", "accepted", "refused", "withdrawn"]),
        TEAMS,
        TEAMS,
        st.integers(0, 3),
        st.integers(0, 9),
    ),
    max_size=12,
)

FIRST = offered("response-a", "investigation-a", 1)


def test_until_it_is_accepted_it_is_the_givers() -> None:
    """Offered, refused or withdrawn: the giver has it; accepted: the other team does, from then on."""
    assert keeping([]).holders == frozenset()
    assert keeping([FIRST]).keeper == "response-a"
    assert keeping([FIRST]).pending == (FIRST,)
    for answer in ("refused", "withdrawn"):
        found = keeping([FIRST, step(answer, "response-a", "investigation-a", 1, 2)])
        assert (found.keeper, found.pending) == ("response-a", ())
    found = keeping([FIRST, step("accepted", "response-a", "investigation-a", 1, 2)])
    assert (found.keeper, found.also, found.pending) == ("investigation-a", (), ())


def test_an_acceptance_stands_over_a_no_that_had_not_seen_it() -> None:
    """Whoever said that they work on it does; a refusal or a withdrawal from elsewhere leaves nobody without it."""
    yes = step("accepted", "response-a", "investigation-a", 1, 5)
    for answer in ("refused", "withdrawn"):
        for at in (4, 6):
            no = step(answer, "response-a", "investigation-a", 1, at)
            assert keeping([FIRST, no, yes]).keeper == keeping([yes, no, FIRST]).keeper == "investigation-a"


def test_two_teams_that_both_accepted_have_it_until_one_passes_it_to_the_other() -> None:
    """Two supervisors of response offered it without sight of each other; both are named, and neither is let go."""
    other = offered("response-a", "cid", 2)
    steps = [
        FIRST,
        other,
        step("accepted", "response-a", "investigation-a", 1, 3),
        step("accepted", "response-a", "cid", 2, 4),
    ]
    found = keeping(steps)
    assert (found.keeper, found.also) == ("cid", ("investigation-a",))
    for giver, to in (("investigation-a", "cid"), ("cid", "investigation-a")):
        settled = keeping([*steps, offered(giver, to, 6), step("accepted", giver, to, 6, 7)])
        assert (settled.keeper, settled.also) == (to, ())


def test_an_answer_to_nothing_moves_nothing() -> None:
    """Of an offer that has not come; or a step that only a newer program knows."""
    assert keeping([step("accepted", "response-a", "cid", 9)]).holders == frozenset()
    strange = msgspec.convert({"step": "recalled", "giver": "a", "to": "b", "offered_at": 1, "at": 1}, Passing)
    assert keeping([FIRST, strange]) == keeping([FIRST])
    assert strange.team is None


@given(steps=STEPS, data=st.data())
def test_whatever_was_written_somebody_has_it_and_the_order_decides_nothing(
    steps: list[Passing], data: st.DataObject
) -> None:
    """Once it was offered, it is somebody's, whose team sees it, and taking teams off the list changes nothing.

    Row: hub handover of response and investigation.
    """
    found = keeping(steps)
    assert keeping(data.draw(st.permutations(steps))) == found
    assert keeping([*steps, *steps]) == found
    if any(one.step is PassingStep.OFFERED for one in steps):
        assert found.keeper is not None
    assert found.holders <= found.teams
    for team in found.teams:
        assert scopes.team(team) in incident(steps, teams=[]).scopes()
    for one in found.pending:
        assert {one.giver, one.to} <= found.teams


@given(steps=STEPS)
def test_in_a_compartment_no_team_learns_of_it(steps: list[Passing]) -> None:
    """What is closed passes between those who are cleared for it, and its offers tell nobody else."""
    assert incident(steps, compartment="larch").scopes() == {scopes.compartment("larch")}


def test_an_answer_is_the_word_of_the_team_that_it_names() -> None:
    """Yes and no are the receiver's, taking back is the giver's; whoever answers for the work may offer it."""
    plain = msgspec.to_builtins(
        [step(one, "response-a", "cid", 1) for one in ("offered", "accepted", "refused", "withdrawn")]
    )
    sides = [sorted(incident([]).sides(FieldName("passing"), [one])) for one in plain]
    assert sides == [[], ["team:cid"], ["team:cid"], ["team:response-a"]]
