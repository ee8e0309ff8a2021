"""What a subscription finds in the logs: which ops and acts it is to be told of. It only reads the store.

A new subscription begins at the end of both logs, or behind a commit that its configuration names. Places have no
gaps and grow with the commits, so both are found by halving.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from schemas.ids import RecordId, Seq
from schemas.limits import ARRAY_LEN_MAX
from server.events import kept, telling
from server.events.outbox import Item, Log, Outbox
from server.events.subscription import Subscription
from server.logbook import ACT, KeptEntry
from server.registry.acts import RecordErased, decode
from server.store import Store
from server.store.port import KeptOp

PAGE: Final = 100
"""Ops, or acts, that are read at once."""


class Reader:
    """Reads the logs of a store for one subscription."""

    def __init__(self, store: Store, subscription: Subscription) -> None:
        """Bind it."""
        self._store = store
        self._subscription = subscription

    async def begin(self) -> tuple[int, int]:
        """By log, the place behind which a new subscription goes on.

        Raises:
            StoreError: the store failed.
        """
        acts = await last(lambda place: self._has(ACT, place))
        from_seq = self._subscription.from_seq
        if from_seq is None:
            return await last(self._has_op), acts
        return await last(lambda place: self._has_op(place, Seq(from_seq))), acts

    async def _has_op(self, place: int, upto: Seq | None = None) -> bool:
        found = await self._store.ops(None, place - 1, 1)
        return bool(found) and (upto is None or found[0].seq <= upto)

    async def _has(self, what: str, place: int) -> bool:
        return bool(await self._store.journal(what, place - 1, 1))

    async def ops(self, outbox: Outbox) -> bool:
        """Read a page of ops into an outbox; whether there was one.

        Raises:
            StoreError: the store failed.
        """
        page = await self._store.ops(None, outbox.reached(Log.OPS), PAGE)
        for one in page:
            for record in await self._wanted(one, outbox):
                outbox.take(record, Item(Log.OPS, one.place))
        if page:
            outbox.read_to(Log.OPS, page[-1].place)
        return bool(page)

    async def _wanted(self, one: KeptOp, outbox: Outbox) -> list[RecordId]:
        """The records of whose change by an op the subscriber is told."""
        found = telling.changes_of(one)
        if found is None:
            return []
        op, changed = found
        if len(changed) == 1 and op.kind not in self._subscription.fields:
            return []
        rows = await self._store.existing(list(changed)[:ARRAY_LEN_MAX])
        wanted = []
        for record, row in sorted(rows.items()):
            state = telling.read_state(row, self._subscription)
            if state is not None and telling.tells(self._subscription, state.spec.name, changed[record]):
                wanted.append(record)
                continue
            # Whoever has never heard of a record that they may see is told of it, whatever has changed; and whoever
            # has heard of one that is out of their sight now is told that.
            known = outbox.has(record) or await kept.read_told(self._store, self._subscription.name, record) is not None
            if known == (state is None):
                wanted.append(record)
        return wanted

    async def acts(self, outbox: Outbox) -> bool:
        """Read a page of acts into an outbox; whether there was one. An erasure takes with it what waits.

        Raises:
            StoreError: the store failed, or a newer program wrote an act.
        """
        page = await self._store.journal(ACT, outbox.reached(Log.ACTS), PAGE)
        for entry in page:
            record = erased_in(entry)
            for one in [] if record is None else await kept.read_whole(self._store, self._subscription.name, record):
                outbox.void(one)
                outbox.take(one, Item(Log.ACTS, entry.place))
        if page:
            outbox.read_to(Log.ACTS, page[-1].place)
        return bool(page)


def erased_in(entry: KeptEntry) -> RecordId | None:
    """The record that an act erased, if it erased one.

    Raises:
        StoreError: a newer program wrote the act.
    """
    act = None if entry.body is None else decode(entry.body)
    return RecordId(act.record) if isinstance(act, RecordErased) else None


async def last(holds: Callable[[int], Awaitable[bool]]) -> int:
    """The last of the places 1, 2, 3 … for which something holds, when it holds for all before that; 0 for none."""
    low, high = 0, 1
    while await holds(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if await holds(middle):
            low = middle
        else:
            high = middle
    return low
