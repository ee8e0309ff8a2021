"""The table of an op's life is complete: every pair of state and event is decided, and nothing leaves the outbox."""

import itertools

import pytest

from schemas.errors import UsageError
from sync.outbox import PENDING, TRANSITIONS, OpEvent, OpState, next_state, takes

CANNOT = {
    # The row is looked at only for ops whose commit is known.
    (OpState.QUEUED, OpEvent.ROW_CAME),
    # The server keeps the first result for ever; a durable op is never refused or sent to wait later.
    (OpState.DURABLE, OpEvent.RESULT_REFUSED),
    (OpState.DURABLE, OpEvent.RESULT_WAITING),
    (OpState.SETTLED, OpEvent.RESULT_REFUSED),
    (OpState.SETTLED, OpEvent.RESULT_WAITING),
    # Nor does a refused one become durable, unless the server was set back and is asked anew.
    (OpState.HELD, OpEvent.RESULT_DURABLE),
    (OpState.HELD, OpEvent.RESULT_WAITING),
    (OpState.HELD, OpEvent.ROW_CAME),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(OpState, OpEvent)))
def test_every_pair_is_decided(state: OpState, event: OpEvent) -> None:
    """A pair is in the table, or among those that cannot be; never both, never neither."""
    assert ((state, event) in TRANSITIONS) != ((state, event) in CANNOT)
    assert takes(state, event) == ((state, event) in TRANSITIONS)


@pytest.mark.parametrize(("state", "event"), sorted(CANNOT, key=str))
def test_what_cannot_be_is_told(state: OpState, event: OpEvent) -> None:
    """A caller that has mixed ops up is told which state and event."""
    with pytest.raises(UsageError, match=f"an op that is {state.value} cannot meet '{event.value}'"):
        next_state(state, event)


def test_every_state_can_be_reached_and_left() -> None:
    """From QUEUED an op can get anywhere, and a server that was set back brings every op into the queue again."""
    reached = {OpState.QUEUED}
    while more := {next_state(state, event) for state, event in TRANSITIONS if state in reached} - reached:
        reached |= more
    assert reached == set(OpState)
    assert {next_state(state, OpEvent.SERVER_SET_BACK) for state in OpState} == {OpState.QUEUED}


def test_a_repeated_result_changes_nothing() -> None:
    """The network repeats: each result and each row, met again, leaves the op where it is."""
    for (state, event), target in TRANSITIONS.items():
        if event is not OpEvent.SERVER_SET_BACK and takes(target, event):
            assert next_state(target, event) is target, (state, event)


def test_only_what_the_row_holds_is_no_longer_laid_over_it() -> None:
    """What an officer wrote stays in their sight until the row shows it."""
    assert set(OpState) - PENDING == {OpState.SETTLED}
    assert {state for (state, event) in TRANSITIONS if event is OpEvent.ROW_CAME} == {OpState.DURABLE, OpState.SETTLED}
