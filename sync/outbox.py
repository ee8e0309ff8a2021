"""The life of one op on the device that made it, as one table. Nothing else changes an op's state."""

import enum
from typing import Final

from schemas.errors import UsageError


class OpState(enum.Enum):
    """Where an op of this device stands."""

    QUEUED = "queued"
    """On disk here, not known to be on the server's. It is pushed in every session until there is a result."""
    DURABLE = "durable"
    """On the server's disk; the row that holds it has not come yet, so it is still laid over the older row."""
    SETTLED = "settled"
    """In the row (or the record is not for this device any more). Kept, to be offered again to a restored server."""
    HELD = "held"
    """Refused. Kept, shown to the officer with the reason; later ops on the same record wait behind it."""


class OpEvent(enum.Enum):
    """What can happen to an op."""

    RESULT_DURABLE = "result: durable"
    RESULT_REFUSED = "result: refused"
    RESULT_WAITING = "result: waiting"
    ROW_CAME = "row holds it"
    SERVER_SET_BACK = "server was set back"


TRANSITIONS: Final = {
    (OpState.QUEUED, OpEvent.RESULT_DURABLE): OpState.DURABLE,
    (OpState.QUEUED, OpEvent.RESULT_REFUSED): OpState.HELD,
    (OpState.QUEUED, OpEvent.RESULT_WAITING): OpState.QUEUED,
    (OpState.QUEUED, OpEvent.SERVER_SET_BACK): OpState.QUEUED,
    (OpState.DURABLE, OpEvent.ROW_CAME): OpState.SETTLED,
    # A result is said again when the op was pushed again; it is the stored one.
    (OpState.DURABLE, OpEvent.RESULT_DURABLE): OpState.DURABLE,
    (OpState.DURABLE, OpEvent.SERVER_SET_BACK): OpState.QUEUED,
    (OpState.SETTLED, OpEvent.RESULT_DURABLE): OpState.SETTLED,
    (OpState.SETTLED, OpEvent.ROW_CAME): OpState.SETTLED,
    (OpState.SETTLED, OpEvent.SERVER_SET_BACK): OpState.QUEUED,
    (OpState.HELD, OpEvent.RESULT_REFUSED): OpState.HELD,
    (OpState.HELD, OpEvent.SERVER_SET_BACK): OpState.QUEUED,
}

PENDING: Final = frozenset({OpState.QUEUED, OpState.DURABLE, OpState.HELD})
"""Ops that are laid over the row: what their author wrote stays in their sight, held or not."""


def takes(state: OpState, event: OpEvent) -> bool:
    """Whether the table has a transition for the event in that state."""
    return (state, event) in TRANSITIONS


def next_state(state: OpState, event: OpEvent) -> OpState:
    """The state after an event.

    Raises:
        UsageError: the table has no such transition; the caller has mixed ops up.
    """
    try:
        return TRANSITIONS[(state, event)]
    except KeyError:
        raise UsageError(f"an op that is {state.value} cannot meet {event.value!r}") from None
