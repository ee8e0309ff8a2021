"""The life of one op on the device that made it, as one table. Nothing else changes an op's state.

An op that was mended, withdrawn or issued again has ended: its number is never offered to a server again, and what
still comes for it is taken in silence. The op that took its place, if one did, has a life of its own.
"""

import enum
from typing import Final

from schemas.errors import UsageError


class OpState(enum.Enum):
    """Where an op of this device stands."""

    QUEUED = "queued"
    """On disk here, not known to be on the server's. It is pushed in every session until there is a result."""
    WAITING = "waiting"
    """The server has not taken it in, because something that it builds on is not there. It is offered again when that
    may have come, and in the next session."""
    DURABLE = "durable"
    """On the server's disk; the row that holds it has not come yet, so it is still laid over the older row."""
    SETTLED = "settled"
    """In the row (or the record is not for this device any more). Kept, to be offered again to a restored server."""
    HELD = "held"
    """Refused. Kept, shown to the officer with the reason; later ops on the same record wait behind it."""
    MENDED = "mended"
    """Refused, then put right by its author: another op stands in its place. Kept, with a pointer to that one."""
    WITHDRAWN = "withdrawn"
    """Refused, then given up by its author, or built on one that was. Kept, with the author's reason."""
    REISSUED = "reissued"
    """The same change stands under another number. Kept, with a pointer to that one."""
    SEALED = "sealed"
    """The officer's right to the record ended before the op was sent. Its content is sealed to the server and waits to
    be handed over to quarantine; this device cannot read it any more."""
    QUARANTINED = "quarantined"
    """The same, and the server has it: in quarantine, or among its ops. The sealed bytes stay for a server that is set
    back."""
    ERASED = "erased"
    """Its record was erased. Nothing of its content is left here, sealed or not; its hash stays for the chain."""


class Untaken(enum.Enum):
    """What is known of a pending op beside how far its row counts this device's ops (`Row.upto`).

    While a server's history is unbroken it takes a device's ops on one record in their order, and the count tells which
    of them a row holds. To a server that was set back they are all offered again, and one that waits or is refused may
    be overtaken by a later one that does not build on it. What is noted here stays until the op is in the row.
    """

    NO = ""
    """Nothing: the count tells."""
    HERE = "here"
    """This history of the server had not taken it in. A row that is left of an earlier one may hold it: there the
    count tells."""
    EVER = "ever"
    """No history had that a row is left of."""


class OpEvent(enum.Enum):
    """What can happen to an op."""

    RESULT_DURABLE = "result: durable"
    RESULT_REFUSED = "result: refused"
    RESULT_REUSED = "result: refused, the number is used"
    RESULT_WAITING = "result: waiting"
    MAY_GO_ON = "what it waits for may have come"
    ROW_CAME = "row holds it"
    SERVER_SET_BACK = "server was set back"
    MENDED = "its author mends it"
    WITHDRAWN = "its author withdraws it"
    RIGHT_ENDED = "its officer's right to the record ended"
    KEPT_SEALED = "the server keeps it in quarantine"
    ISSUED_AGAIN = "issued again under a new number"
    RECORD_ERASED = "its record was erased"


TRANSITIONS: Final = {
    (OpState.QUEUED, OpEvent.RESULT_DURABLE): OpState.DURABLE,
    (OpState.QUEUED, OpEvent.RESULT_REFUSED): OpState.HELD,
    (OpState.QUEUED, OpEvent.RESULT_REUSED): OpState.REISSUED,
    (OpState.QUEUED, OpEvent.RESULT_WAITING): OpState.WAITING,
    (OpState.QUEUED, OpEvent.SERVER_SET_BACK): OpState.QUEUED,
    (OpState.QUEUED, OpEvent.WITHDRAWN): OpState.WITHDRAWN,
    (OpState.QUEUED, OpEvent.ISSUED_AGAIN): OpState.REISSUED,
    (OpState.WAITING, OpEvent.MAY_GO_ON): OpState.QUEUED,
    # It was pushed twice, and the second answer differs.
    (OpState.WAITING, OpEvent.RESULT_DURABLE): OpState.DURABLE,
    (OpState.WAITING, OpEvent.RESULT_REFUSED): OpState.HELD,
    (OpState.WAITING, OpEvent.RESULT_REUSED): OpState.REISSUED,
    (OpState.WAITING, OpEvent.RESULT_WAITING): OpState.WAITING,
    (OpState.WAITING, OpEvent.SERVER_SET_BACK): OpState.QUEUED,
    (OpState.WAITING, OpEvent.WITHDRAWN): OpState.WITHDRAWN,
    (OpState.WAITING, OpEvent.ISSUED_AGAIN): OpState.REISSUED,
    (OpState.DURABLE, OpEvent.ROW_CAME): OpState.SETTLED,
    # A result is said again when the op was pushed again; it is the stored one.
    (OpState.DURABLE, OpEvent.RESULT_DURABLE): OpState.DURABLE,
    (OpState.DURABLE, OpEvent.SERVER_SET_BACK): OpState.QUEUED,
    (OpState.SETTLED, OpEvent.RESULT_DURABLE): OpState.SETTLED,
    (OpState.SETTLED, OpEvent.ROW_CAME): OpState.SETTLED,
    (OpState.SETTLED, OpEvent.SERVER_SET_BACK): OpState.QUEUED,
    (OpState.HELD, OpEvent.RESULT_REFUSED): OpState.HELD,
    (OpState.HELD, OpEvent.SERVER_SET_BACK): OpState.QUEUED,
    (OpState.HELD, OpEvent.MENDED): OpState.MENDED,
    (OpState.HELD, OpEvent.WITHDRAWN): OpState.WITHDRAWN,
    (OpState.HELD, OpEvent.ISSUED_AGAIN): OpState.REISSUED,
    # Late results of a push that was on its way. A server that was set back is never asked about the old number: it
    # might take that one in beside the op in its place.
    (OpState.MENDED, OpEvent.RESULT_REFUSED): OpState.MENDED,
    (OpState.MENDED, OpEvent.RESULT_REUSED): OpState.MENDED,
    (OpState.MENDED, OpEvent.RESULT_WAITING): OpState.MENDED,
    (OpState.MENDED, OpEvent.SERVER_SET_BACK): OpState.MENDED,
    (OpState.WITHDRAWN, OpEvent.RESULT_REFUSED): OpState.WITHDRAWN,
    (OpState.WITHDRAWN, OpEvent.RESULT_REUSED): OpState.WITHDRAWN,
    (OpState.WITHDRAWN, OpEvent.RESULT_WAITING): OpState.WITHDRAWN,
    (OpState.WITHDRAWN, OpEvent.SERVER_SET_BACK): OpState.WITHDRAWN,
    (OpState.REISSUED, OpEvent.RESULT_REFUSED): OpState.REISSUED,
    (OpState.REISSUED, OpEvent.RESULT_REUSED): OpState.REISSUED,
    (OpState.REISSUED, OpEvent.RESULT_WAITING): OpState.REISSUED,
    (OpState.REISSUED, OpEvent.SERVER_SET_BACK): OpState.REISSUED,
    (OpState.QUEUED, OpEvent.RIGHT_ENDED): OpState.SEALED,
    (OpState.WAITING, OpEvent.RIGHT_ENDED): OpState.SEALED,
    (OpState.HELD, OpEvent.RIGHT_ENDED): OpState.SEALED,
    (OpState.DURABLE, OpEvent.RIGHT_ENDED): OpState.QUARANTINED,
    (OpState.SETTLED, OpEvent.RIGHT_ENDED): OpState.QUARANTINED,
    (OpState.MENDED, OpEvent.RIGHT_ENDED): OpState.MENDED,
    (OpState.WITHDRAWN, OpEvent.RIGHT_ENDED): OpState.WITHDRAWN,
    (OpState.REISSUED, OpEvent.RIGHT_ENDED): OpState.REISSUED,
    (OpState.SEALED, OpEvent.RIGHT_ENDED): OpState.SEALED,
    (OpState.QUARANTINED, OpEvent.RIGHT_ENDED): OpState.QUARANTINED,
    (OpState.SEALED, OpEvent.KEPT_SEALED): OpState.QUARANTINED,
    (OpState.QUARANTINED, OpEvent.KEPT_SEALED): OpState.QUARANTINED,
    # A push of it was on its way when the right ended.
    (OpState.SEALED, OpEvent.RESULT_DURABLE): OpState.QUARANTINED,
    (OpState.SEALED, OpEvent.RESULT_REFUSED): OpState.SEALED,
    (OpState.SEALED, OpEvent.RESULT_REUSED): OpState.SEALED,
    (OpState.SEALED, OpEvent.RESULT_WAITING): OpState.SEALED,
    (OpState.QUARANTINED, OpEvent.RESULT_DURABLE): OpState.QUARANTINED,
    (OpState.QUARANTINED, OpEvent.RESULT_REFUSED): OpState.QUARANTINED,
    (OpState.QUARANTINED, OpEvent.RESULT_REUSED): OpState.QUARANTINED,
    (OpState.QUARANTINED, OpEvent.RESULT_WAITING): OpState.QUARANTINED,
    (OpState.SEALED, OpEvent.SERVER_SET_BACK): OpState.SEALED,
    (OpState.QUARANTINED, OpEvent.SERVER_SET_BACK): OpState.SEALED,
    (OpState.QUEUED, OpEvent.RECORD_ERASED): OpState.ERASED,
    (OpState.WAITING, OpEvent.RECORD_ERASED): OpState.ERASED,
    (OpState.DURABLE, OpEvent.RECORD_ERASED): OpState.ERASED,
    (OpState.SETTLED, OpEvent.RECORD_ERASED): OpState.ERASED,
    (OpState.HELD, OpEvent.RECORD_ERASED): OpState.ERASED,
    (OpState.MENDED, OpEvent.RECORD_ERASED): OpState.MENDED,
    (OpState.WITHDRAWN, OpEvent.RECORD_ERASED): OpState.WITHDRAWN,
    (OpState.REISSUED, OpEvent.RECORD_ERASED): OpState.REISSUED,
    (OpState.SEALED, OpEvent.RECORD_ERASED): OpState.ERASED,
    (OpState.QUARANTINED, OpEvent.RECORD_ERASED): OpState.ERASED,
    (OpState.ERASED, OpEvent.RECORD_ERASED): OpState.ERASED,
    # A push of it, or its sealed bytes, were on their way; and there is nothing left to offer to whoever was set back.
    (OpState.ERASED, OpEvent.RESULT_DURABLE): OpState.ERASED,
    (OpState.ERASED, OpEvent.RESULT_REFUSED): OpState.ERASED,
    (OpState.ERASED, OpEvent.RESULT_REUSED): OpState.ERASED,
    (OpState.ERASED, OpEvent.RESULT_WAITING): OpState.ERASED,
    (OpState.ERASED, OpEvent.SERVER_SET_BACK): OpState.ERASED,
    (OpState.ERASED, OpEvent.RIGHT_ENDED): OpState.ERASED,
    (OpState.ERASED, OpEvent.KEPT_SEALED): OpState.ERASED,
}

PENDING: Final = frozenset({OpState.QUEUED, OpState.WAITING, OpState.DURABLE, OpState.HELD})
"""Ops that are laid over the row: what their author wrote stays in their sight, held or not."""
UNSENT: Final = frozenset({OpState.QUEUED, OpState.WAITING})
"""Ops that are on this device's disk and not known to be on the server's, and that nobody need look after."""
ENDED: Final = frozenset({OpState.MENDED, OpState.WITHDRAWN, OpState.REISSUED})
"""Ops that will never be the server's under their number."""

SHUT: Final = frozenset({OpState.SEALED, OpState.QUARANTINED, OpState.ERASED})
"""Ops whose content this device cannot read any more."""


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
