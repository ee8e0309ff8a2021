"""What the server said of an op that was pushed, taken into the outbox."""

from typing import Final

import msgspec

from schemas.errors import PeerError
from schemas.wire import Result
from sync.outbox import ENDED, SHUT, UNSENT, OpEvent, OpState, Untaken, next_state, takes
from sync.replica.facts import Outcome
from sync.replica.mending import NUMBER_TAKEN, Mending
from sync.replica.ownops import RECORD_ERASED, OwnOps
from sync.replica.tables import StoredOp, Tables

_EVENT_OF_STATUS: Final = {
    "durable": OpEvent.RESULT_DURABLE,
    "refused": OpEvent.RESULT_REFUSED,
    "waiting": OpEvent.RESULT_WAITING,
}


class ResultTaker:
    """Results, one by one."""

    def __init__(self, tables: Tables, own: OwnOps, mending: Mending) -> None:
        """Bind it to the outbox."""
        self._tables = tables
        self._own = own
        self._mending = mending

    def take(self, kept: StoredOp, result: Result, outcome: Outcome) -> None:
        """Take in what became of an op.

        Raises:
            PeerError: `not_welcome`: it cannot have become that.
        """
        event = _EVENT_OF_STATUS[result.status]
        if event is OpEvent.RESULT_REFUSED and result.code == NUMBER_TAKEN:
            event = OpEvent.RESULT_REUSED
        if not takes(kept.state, event):
            raise PeerError("not_welcome", f"op {result.n} is {kept.state.value}, yet the server says {result.status}")
        if kept.state in ENDED:
            # It was on its way when the op was mended, withdrawn or issued again.
            return
        if kept.state in SHUT:
            # It was on its way when its officer's right ended, or its record was erased.
            self._tables.put_op(msgspec.structs.replace(kept, state=next_state(kept.state, event)))
            return
        outcome.touched.add(kept.record)
        match event:
            case OpEvent.RESULT_DURABLE:
                self._durable(kept, result, outcome)
            case OpEvent.RESULT_REUSED:
                self._mending.number_taken(kept, event, outcome)
            case _:
                state = next_state(kept.state, event)
                untaken = self._own.untaken(kept)
                told = msgspec.structs.replace(
                    kept, state=state, code=result.code, detail=result.detail, untaken=untaken
                )
                self._tables.put_op(told)
                if result.code == RECORD_ERASED and self._tables.row_version(kept.record) is None:
                    self._own.erase(kept.record, outcome)
                    return
                if self._own.seal_without_right(kept.record, outcome):
                    return
                if event is OpEvent.RESULT_REFUSED:
                    outcome.held.append(kept.n)
                else:
                    self._mending.follow(told, outcome)

    def _durable(self, kept: StoredOp, result: Result, outcome: Outcome) -> None:
        pending = self._tables.pending_ops(kept.record)
        state = next_state(kept.state, OpEvent.RESULT_DURABLE)
        behind = any(op.state is OpState.DURABLE and op.n < kept.n for op in pending)
        if not behind and not self._own.awaits_row(kept.record, result.seq, result.scopes):
            state = next_state(state, OpEvent.ROW_CAME)
        to_come = state is OpState.DURABLE
        scopes, untaken = (result.scopes, kept.untaken) if to_come else ((), Untaken.NO)
        self._tables.put_op(
            msgspec.structs.replace(
                kept, state=state, seq=result.seq, scopes=scopes, code="", detail="", untaken=untaken
            )
        )
        if kept.state in UNSENT:
            outcome.durable.append(kept.n)
            self._own.let_go_on((op for op in pending if op.n != kept.n), outcome)
