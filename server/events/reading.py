"""What a subscription finds in the logs: which ops and acts it is to be told of. It only reads the store.

A new subscription begins at the end of both logs, or behind a commit that its configuration names. Places have no
gaps and grow with the commits, so both are found by halving.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from schemas.ids import FieldName, RecordId, Seq
from schemas.limits import ARRAY_LEN_MAX
from server.events import kept, telling
from server.events.outbox import Item, Log, Outbox
from server.events.subscription import Subscription
from server.logbook import ACT, KeptEntry
from server.registry.acts import RecordErased, decode
from server.store import Store
from server.store.port import KeptOp
from sync.merge import RecordState

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
        found = [(one.place, changed) for one in page if (changed := self._changes_of(one))]
        states = await self._states({record for _, changed in found for record in changed})
        for place, changed in found:
            for record, fields in sorted(changed.items()):
                if record in states and await self._wanted(record, fields, states[record], outbox):
                    outbox.take(record, Item(Log.OPS, place))
        if page:
            outbox.read_to(Log.OPS, page[-1].place)
        return bool(page)

    def _changes_of(self, one: KeptOp) -> dict[RecordId, frozenset[FieldName]]:
        found = telling.changes_of(one)
        if found is None or (len(found[1]) == 1 and found[0].kind not in self._subscription.fields):
            return {}
        return found[1]

    async def _states(self, records: Iterable[RecordId]) -> dict[RecordId, RecordState | None]:
        """The records that are there: as they stand, or None for one that the subscriber may not see."""
        asked, found = sorted(records), dict[RecordId, RecordState | None]()
        for start in range(0, len(asked), ARRAY_LEN_MAX):
            rows = await self._store.existing(asked[start : start + ARRAY_LEN_MAX])
            found.update((record, telling.read_state(row, self._subscription)) for record, row in rows.items())
        return found

    async def _wanted(
        self, record: RecordId, fields: frozenset[FieldName], state: RecordState | None, outbox: Outbox
    ) -> bool:
        """Whether a change is told.

        Whoever has never heard of a record that they may see is told of it, whatever has changed; and whoever has heard
        of one that is out of their sight now is told that.
        """
        if state is not None and telling.tells(self._subscription, state.spec.name, fields):
            return True
        known = outbox.has(record) or await kept.read_told(self._store, self._subscription.name, record) is not None
        return known == (state is None)

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
