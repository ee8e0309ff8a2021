"""The calls of `Handheld` for what the server refused: look at it, put it right, or give it up."""

from collections.abc import Collection
from typing import Any

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, OpId, OpNumber, RecordId, op_id, split_op_id
from schemas.kinds import KindSpec, kind_named
from schemas.limits import PAGE_ROWS_MAX
from sync.device.changes import OpReissued, RecordChanged
from sync.device.lookups import field_of, plain_values, require_known
from sync.device.store import Committed, Held
from sync.device.views import HeldOp, held_op
from sync.device.writing import Writer, Written
from sync.replica import StoredOp


class Holding(Writer):
    """See the module's text."""

    async def held(self) -> list[HeldOp]:
        """Own ops that the server refused, the oldest first, with the reason and what to do; at most PAGE_ROWS_MAX.

        Raises:
            ReplicaError: the database failed.
        """
        return await self._store.read(lambda held: [held_op(held, op) for op in held.replica.held(PAGE_ROWS_MAX)])

    async def mend(
        self,
        op: OpId,
        /,
        *,
        without: Collection[str] = (),
        occurred_at: int | None = None,
        why: str = "",
        **changes: Any,  # noqa: ANN401  each is of the type that its field declares
    ) -> Written:
        """Put a refused op right: a new one takes its place, and what waits behind it goes on behind that one.

        Args:
            op: the refused op.
            without: fields that it changes and shall not.
            occurred_at: when it happened (ms since 1970); as the refused op says by default.
            why: the author's reason; the one given before by default.
            changes: field=value, typed as in the record; of a field that grows the list of entries, of tags a map with
                the lists `add` and `remove`. What is not named stays as it was.

        Returns:
            The record and the new op.

        Raises:
            UsageError: there is no such refused op, or the server would refuse the new one too; the text says why.
                Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        n = self._number(op)
        plain = plain_values({FieldName(name): value for name, value in changes.items()})
        facts = self._facts(None, why)

        def work(held: Held) -> tuple[Written, str, list[tuple[OpId, OpId]]]:
            kept = _refused(held, n)
            spec = kind_named(kept.kind)
            if spec is not None:
                for name in plain:
                    require_known(field_of(spec, name), plain[name])
            behind = held.replica.dependants(n).ops
            new = held.replica.mend(
                n,
                plain,
                facts,
                without=[FieldName(name) for name in without],
                occurred_at=None if occurred_at is None else Millis(occurred_at),
            )
            return Written(new.record, new.id), kept.kind, _now_named(held, behind)

        def told(done: tuple[Written, str, list[tuple[OpId, OpId]]], committed: Committed) -> None:
            written, kind, reissued = done
            self._tell_mended(written.record, kind_named(kind), reissued, committed)

        return (await self._store.change(work, told))[0]

    async def withdraw(self, op: OpId, why: str) -> tuple[OpId, ...]:
        """Give a refused op up. It leaves the view and is kept with the reason.

        What waits behind it goes on; but where it is the op that makes the record, what builds on that goes with it.
        `HeldOp.behind` and `HeldOp.go_with_it` tell before.

        Args:
            op: the refused op.
            why: the reason, in words.

        Returns:
            The ops that were withdrawn, in order; first this one.

        Raises:
            UsageError: there is no such refused op, or no reason. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        n = self._number(op)
        device = self._store.device

        def work(held: Held) -> tuple[tuple[OpId, ...], StoredOp, list[tuple[OpId, OpId]]]:
            kept = _refused(held, n)
            outcome = held.replica.withdraw(n, why)
            renamed = [(op_id(device, old), op_id(device, new)) for old, new in outcome.reissued.items()]
            return tuple(op_id(device, each) for each in outcome.withdrawn), kept, renamed

        def told(done: tuple[tuple[OpId, ...], StoredOp, list[tuple[OpId, OpId]]], committed: Committed) -> None:
            _, kept, reissued = done
            self._tell_mended(kept.record, kind_named(kept.kind), reissued, committed)

        return (await self._store.change(work, told))[0]

    def _number(self, op: OpId) -> OpNumber:
        device, _, number = op.partition("/")
        if device != self._store.device or not number.isdecimal():
            raise UsageError(f"{op!r} is no op of this device: its ops are named {self._store.device}/1 and so on")
        return split_op_id(op)[1]

    def _tell_mended(
        self, record: RecordId, spec: KindSpec | None, reissued: list[tuple[OpId, OpId]], committed: Committed
    ) -> None:
        self._board.count(committed.revision, committed.waiting, committed.held, committed.sealed)
        for old, new in reissued:
            self._feed.tell(OpReissued(old, new))
        if spec is not None:
            self._feed.tell(RecordChanged(record, spec.struct, "local"))
        if self._client is not None:
            self._client.wake()


def _refused(held: Held, n: OpNumber) -> StoredOp:
    """An op that can be mended or withdrawn.

    Raises:
        UsageError: there is none of that number.
    """
    held.replica.dependants(n)
    kept = held.tables.op(n)
    if kept is None:
        raise UsageError(f"this device has made no op {n}")
    return kept


def _now_named(held: Held, ops: tuple[StoredOp, ...]) -> list[tuple[OpId, OpId]]:
    """(old name, new name) of ops that were issued again."""
    device = held.replica.device
    now = ((op, held.replica.became(op.n)) for op in ops)
    return [(op_id(device, op.n), op_id(device, new.n)) for op, new in now if new is not None and new.n != op.n]
