"""What rules write: alarms and their ends, settings, and more people asked about a decision that is overdue.

A rule reads a record, says what follows from it, and has that written before anybody else of this server writes there:
so what it says is said once, also when two tasks come to it in one moment. `server.office` adds what people bring; both
number their ops together, and take turns.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, RecordId
from schemas.kinds import Escalation, InboxItem, KindSpec
from schemas.ops import Op
from schemas.settings import DEFAULTS
from schemas.wire import Result
from server.commits import Submission
from server.committer import Committer
from server.own_ops import OwnOps, Standing
from server.store import Store
from sync import merge
from sync.merge import RecordState

NOT_PERMITTED: Final = "op_not_permitted"
NOT_ENTITLED: Final = "op_not_entitled"
_ESCALATIONS: Final = FieldName("escalations")


class NotFoundError(UsageError):
    """There is no such inbox item or alarm."""


class SettledError(UsageError):
    """The inbox item or the alarm waits for nobody any more."""


class ForbiddenError(UsageError):
    """Whoever asks may not write that."""


class RuleWriter:
    """Writes on the server's behalf what follows from records."""

    def __init__(self, store: Store, committer: Committer, now: Callable[[], Millis]) -> None:
        """Bind it; `start` follows before anything is written."""
        self._store = store
        self._committer = committer
        self._now = now
        self._ops = OwnOps(store, committer, now)
        self.settings = DEFAULTS
        """The force's, for the rules of police work."""
        self._one_at_a_time = asyncio.Lock()
        """Of what reads a record and then writes to it: whoever comes second sees what the first has done."""

    async def start(self) -> None:
        """Number its ops behind those of every earlier run, also one whose history was lost."""
        await self._ops.start()

    async def by_rule(
        self,
        record: RecordId,
        spec: KindSpec,
        says: Callable[[RecordState | None], Mapping[FieldName, Any]],
        author: OfficerId,
    ) -> bool:
        """Write what the rules say in a record of theirs.

        Args:
            record, spec: which, and its kind.
            says: field -> change, as in an op, given the record as it stands (None: make it); {} for nothing.
            author: on whose behalf.

        Returns:
            Whether something was written.

        Raises:
            UsageError: it cannot be.
            StoreError: the store failed; the same call again writes nothing twice.
        """
        async with self._one_at_a_time:
            state = await self._state(record)
            changes = says(state)
            if changes:
                op = self._ops.make(record, spec, state, changes, author)
                (result,) = await self._ops.commit([op])
                check_durable(op, result)
        return bool(changes)

    def draft(  # noqa: PLR0917  the parts of one op, in its order
        self,
        record: RecordId,
        spec: KindSpec,
        state: RecordState | None,
        changes: Mapping[FieldName, Any],
        author: OfficerId,
        via: DeviceId | None = None,
    ) -> Op:
        """An op of the server's own, for somebody who has it committed together with what is no op.

        Args:
            record, spec, state, changes, author, via: as of `OwnOps.make`.

        Raises:
            UsageError: it cannot be.
        """
        return self._ops.make(record, spec, state, changes, author, via=via)

    async def escalate(
        self, item: RecordId, asked: Callable[[InboxItem], Sequence[Escalation]], author: OfficerId
    ) -> Sequence[Escalation]:
        """Ask more people about an inbox item.

        Args:
            item: it.
            asked: who is to be asked as well, as the item stands now; () for nobody.
            author: on whose behalf.

        Returns:
            what was asked.

        Raises:
            NotFoundError, UsageError: it cannot be.
            StoreError: the store failed; the same call again asks nobody twice.
        """
        async with self._one_at_a_time:
            state, about = await self._item(item)
            fresh = asked(about)
            if fresh:
                changes = {_ESCALATIONS: msgspec.to_builtins(fresh)}
                op = self._ops.make(item, state.spec, state, changes, author)
                (result,) = await self._ops.commit([op])
                check_durable(op, result)
        return fresh

    async def keep(self, submission: Submission) -> None:
        """Have something kept that is no op.

        Raises:
            StoreError: it could not be made durable.
        """
        await self._committer.commit(submission)

    async def _state(self, record: RecordId) -> RecordState | None:
        """A record as it stands; None where there is none."""
        row = await self._store.record(record)
        return None if row is None else merge.from_row(decode_row(row))

    async def _item(self, item: RecordId, standing: Standing | None = None) -> tuple[RecordState, InboxItem]:
        state = await self._state(item)
        about = None if state is None else state.build()
        hidden = state is None or (standing is not None and standing.scopes.isdisjoint(state.scopes()))
        if state is None or hidden or not isinstance(about, InboxItem):
            raise NotFoundError(f"there is no inbox item {item!r}")
        return state, about


def check_durable(op: Op, result: Result) -> None:
    """Raises the refusal of an op.

    Raises:
        ForbiddenError, UsageError: it was refused.
    """
    if result.status != "durable":
        refused = ForbiddenError if result.code in {NOT_PERMITTED, NOT_ENTITLED} else UsageError
        raise refused(f"{op.kind} {op.record}: {result.code}: {result.detail}")
