"""The course of a detention as the booking's status has it: every pair of states, and what a merge may make of two."""

import itertools

import pytest

from schemas.kinds import KINDS
from schemas.kinds.booking import BookingStatus
from schemas.roles import Role

FIELD = KINDS["custody-booking"].fields["status"]  # type: ignore[index]
STATES = [state.value for state in BookingStatus]
ARRIVED, DETAINED, HOSPITAL, COURT, RELEASED = "arrived", "detained", "hospital", "court", "released"
MAY = {
    (ARRIVED, DETAINED),
    (ARRIVED, HOSPITAL),
    (ARRIVED, RELEASED),
    (DETAINED, HOSPITAL),
    (DETAINED, COURT),
    (DETAINED, RELEASED),
    (HOSPITAL, DETAINED),
    (HOSPITAL, RELEASED),
    (COURT, DETAINED),
    (COURT, RELEASED),
}
"""Nobody goes to court whose detention was not authorised, and nothing follows a release."""


@pytest.mark.parametrize(("start", "end"), list(itertools.permutations(STATES, 2)))
def test_every_pair_of_states_is_decided(start: str, end: str) -> None:
    """What may follow is what the law knows; that a step is then taken or refused is the policy's test."""
    assert FIELD.flow is not None
    assert set(FIELD.flow.moves) == set(STATES)
    assert (end in FIELD.flow.moves[start]) is ((start, end) in MAY)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(STATES, 2)))
def test_of_two_states_that_were_set_apart_the_careful_one_is_shown(one: str, other: str) -> None:
    """Nobody is released by a merge, and whoever may be in hospital is looked for there."""
    assert FIELD.flow is not None
    careful = [RELEASED, ARRIVED, DETAINED, COURT, HOSPITAL]
    assert max((one, other), key=FIELD.flow.precedence.index) == max((one, other), key=careful.index)
    assert list(FIELD.flow.asks) == [RELEASED]


@pytest.mark.parametrize("state", STATES)
def test_only_a_custody_officer_authorises_and_releases(state: str) -> None:
    """That a person is in hospital is said by whoever takes them there (PACE 1984 sections 34 and 37)."""
    assert FIELD.writes is not None
    allowed = FIELD.writes.to.get(state, FIELD.writes.roles)
    assert (Role.OFFICER in allowed) is (state == HOSPITAL)
    assert Role.CUSTODY_OFFICER in allowed
