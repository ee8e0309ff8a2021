"""The table of an op's life is complete: every pair of state and event is decided, and nothing leaves the outbox."""

import itertools
from typing import Final

import pytest

from schemas.errors import UsageError
from sync.outbox import ENDED, PENDING, SHUT, TRANSITIONS, UNSENT, OpEvent, OpState, next_state, takes

NOT_REFUSED: Final = set(OpState) - {OpState.HELD}
CANNOT: Final = {
    # The row is looked at only for ops whose commit is known.
    *((state, OpEvent.ROW_CAME) for state in set(OpState) - {OpState.DURABLE, OpState.SETTLED}),
    # The server keeps the first result for ever; a durable op is never refused or sent to wait later.
    *itertools.product(
        (OpState.DURABLE, OpState.SETTLED), (OpEvent.RESULT_REFUSED, OpEvent.RESULT_REUSED, OpEvent.RESULT_WAITING)
    ),
    # Nor does a refused one become durable, unless the server was set back and is asked anew.
    *itertools.product((OpState.HELD,), (OpEvent.RESULT_DURABLE, OpEvent.RESULT_REUSED, OpEvent.RESULT_WAITING)),
    # What ended was refused, or stands behind such an op: were it durable, its change would be made twice.
    *((state, OpEvent.RESULT_DURABLE) for state in ENDED),
    *((state, OpEvent.MAY_GO_ON) for state in set(OpState) - {OpState.WAITING}),
    # Only what was refused is put right or given up, with what waits behind it.
    *((state, OpEvent.MENDED) for state in NOT_REFUSED),
    *((state, OpEvent.WITHDRAWN) for state in NOT_REFUSED - UNSENT),
    # The server may hold it, or it has its successor.
    *((state, OpEvent.ISSUED_AGAIN) for state in NOT_REFUSED - UNSENT),
    # Only what was sealed is handed over to quarantine.
    *((state, OpEvent.KEPT_SEALED) for state in set(OpState) - SHUT),
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
    """From QUEUED an op can get anywhere; a server that was set back is offered every op that has not ended.

    What this device cannot read any more it cannot offer as an op: it is handed over to quarantine again, and of what
    was erased there is nothing to offer.
    """
    reached = {OpState.QUEUED}
    while more := {next_state(state, event) for state, event in TRANSITIONS if state in reached} - reached:
        reached |= more
    assert reached == set(OpState)
    for state in OpState:
        offered = OpState.SEALED if state in SHUT else OpState.QUEUED
        stays = state in {*ENDED, OpState.ERASED}
        assert next_state(state, OpEvent.SERVER_SET_BACK) is (state if stays else offered)


def test_a_repeated_result_changes_nothing() -> None:
    """The network repeats: each result and each row, met again, leaves the op where it is."""
    for (state, event), target in TRANSITIONS.items():
        if event is not OpEvent.SERVER_SET_BACK and takes(target, event):
            assert next_state(target, event) is target, (state, event)


def test_only_what_the_row_holds_is_no_longer_laid_over_it() -> None:
    """What an officer wrote stays in their sight until the row shows it."""
    assert set(OpState) - PENDING == {OpState.SETTLED, *ENDED, *SHUT}
    assert {state for (state, event) in TRANSITIONS if event is OpEvent.ROW_CAME} == {OpState.DURABLE, OpState.SETTLED}


def test_what_has_ended_stays_so() -> None:
    """Nothing brings an op back whose change stands under another number, or was given up."""
    for state, event in itertools.product(ENDED, OpEvent):
        if takes(state, event):
            assert next_state(state, event) is state, (state, event)


def test_a_change_is_never_offered_under_two_numbers() -> None:
    """An op gets a successor only from a state in which the server has not taken it in."""
    for (state, event), target in TRANSITIONS.items():
        if target in ENDED and state not in ENDED:
            assert state in {*UNSENT, OpState.HELD}, (state, event)


def test_what_was_shut_is_never_opened() -> None:
    """From the end of the officer's right on an op is in the server's hands, or on its way there, and in no view."""
    for state, event in itertools.product(SHUT, OpEvent):
        if takes(state, event):
            assert next_state(state, event) in SHUT, (state, event)
    for state in OpState:
        ended = next_state(state, OpEvent.RIGHT_ENDED)
        assert ended not in PENDING, state
        # What the server was never known to have is handed over before it counts as kept.
        assert (ended is OpState.SEALED) == (state in {*UNSENT, OpState.HELD, OpState.SEALED}), state


def test_what_was_erased_stays_erased() -> None:
    """Whatever is still said of it: nothing is pushed, sealed or shown again; and any op may be met by it."""
    for event in OpEvent:
        if takes(OpState.ERASED, event):
            assert next_state(OpState.ERASED, event) is OpState.ERASED, event
    for state in OpState:
        assert next_state(state, OpEvent.RECORD_ERASED) is (state if state in ENDED else OpState.ERASED)
