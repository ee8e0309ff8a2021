"""Disagreements for the tests of the inbox: devices that write without sight of each other, over a store."""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.codec import decode_row, encode
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq, named_record_id
from schemas.kinds import CustodyBooking, InboxItem, Kind, Medical, Resource, spec_of
from schemas.ops import Op
from schemas.wire import Result
from server.commits import Submission
from server.committer import Committer
from server.store import Store
from sync import merge
from sync.check import changed_fields
from sync.merge import RecordState
from sync.outbox import OpState
from sync.replica import MemoryTables, Replica, WriteFacts
from sync.replica.writing import sight
from tests.server.running import NOW, Clock

_HELD = (
    "suite:perry-barr",
    "suite:perry-barr:inbox",
    "suite:perry-barr:medical",
    "suite:perry-barr:medical:inbox",
    "custody",
    "area:birmingham",
)
SUITE = frozenset(map(ScopeName, _HELD))
BOOKING = named_record_id("test", "booking")
CELL = named_record_id("test", "cell")
MEDICAL = named_record_id("test", "medical")


class Desk:
    """A device that writes over what it has pulled, and pushes when it is told to."""

    def __init__(self, name: str, store: Store, committer: Committer, clock: Clock) -> None:
        """An empty replica."""
        self.name = DeviceId(name)
        self._store = store
        self._committer = committer
        self._clock = clock
        self._tables = MemoryTables()
        self._replica = Replica(self._tables, self.name)
        self._waiting: list[bytes] = []

    def write(
        self,
        record: RecordId,
        kind: type[Kind],
        *,
        create: bool = False,
        why: str = "",
        ahead_ms: int = 0,
        **changes: object,
    ) -> Op:
        """Write one op, with a clock that may run ahead; nobody hears of it yet."""
        self._clock.advance(1_000)
        now = Millis(self._clock.now + ahead_ms)
        facts = WriteFacts(
            author=OfficerId(self.name.upper()),
            now=now,
            wall=Millis(now - 500),
            occurred_at=Millis(now - 60_000),
            why=why,
        )
        given = changed_fields({FieldName(name): value for name, value in changes.items()})
        op = self._replica.write(record, spec_of(kind), given, facts, create=create)
        self._waiting.append(encode(op))
        return op

    def correct(self, record: RecordId, kind: type[Kind], field: str, value: object) -> Op:
        """Write an entitled correction of a `once` field."""
        self._clock.advance(1_000)
        now = self._clock.now
        facts = WriteFacts(author=OfficerId(self.name.upper()), now=now, wall=now, occurred_at=now)
        op = self._replica.write(record, spec_of(kind), {FieldName(field): value}, facts, correct=True)
        self._waiting.append(encode(op))
        return op

    def refused(self, record: RecordId, kind: type[Kind], **changes: object) -> Op:
        """Write one op that this device's own checks would not let through."""
        self._clock.advance(1_000)
        now = self._clock.now
        state = self._replica.view(record)
        given = changed_fields({FieldName(name): value for name, value in changes.items()})
        op = Op(
            device=self.name,
            n=OpNumber(1),
            record=record,
            kind=spec_of(kind).name,
            author=OfficerId(self.name.upper()),
            base=Seq(0) if state is None else state.version,
            hlc=(now, 0),
            occurred_at=now,
            wall=now,
            changes=given,
            saw=sight(spec_of(kind), state, given),
        )
        self._waiting.append(encode(op))
        return op

    def hold_back(self) -> bytes:
        """Take the last op out of what waits to be pushed."""
        return self._waiting.pop()

    def send(self, op: bytes) -> None:
        """Have an op wait again that was held back."""
        self._waiting.append(op)

    async def push(self) -> list[Result]:
        """Push what waits."""
        self._clock.advance(1_000)
        waiting, self._waiting = tuple(self._waiting), []
        return list(await self._committer.commit(Submission(self.name, SUITE, waiting)))

    async def pull(self, *records: RecordId) -> None:
        """See these records as the server has them."""
        for record in records:
            row = await self._store.record(record)
            assert row is not None
            self.learn(row)

    def learn(self, row: bytes) -> None:
        """See a record as it stands in a row."""
        told = decode_row(row)
        self._tables.put_row(told.id, told.kind, told.v, row)
        for pending in list(self._tables.pending_ops(told.id)):
            self._tables.put_op(msgspec.structs.replace(pending, state=OpState.SETTLED))


async def item_state(store: Store, item: RecordId) -> RecordState:
    """A record as the store has it."""
    row = await store.record(item)
    assert row is not None
    return merge.from_row(decode_row(row))


async def items(store: Store) -> list[tuple[RecordId, InboxItem]]:
    """Every inbox item in the store."""
    found = []
    for row in await store.records("inbox-item", None, "", 100):
        state = merge.from_row(decode_row(row))
        built = state.build()
        assert isinstance(built, InboxItem)
        found.append((state.id, built))
    return found


async def item_about(store: Store, field: str) -> RecordId:
    """The one inbox item about a field."""
    (found,) = [record for record, item in await items(store) if item.field == field]
    return found


class Disputes:
    """Two desks that know the same booking and the same cell."""

    def __init__(self, store: Store, committer: Committer, clock: Clock) -> None:
        """Nothing has been written."""
        self.store = store
        self.committer = committer
        self.clock = clock
        self.a = Desk("desk-a", store, committer, clock)
        self.b = Desk("desk-b", store, committer, clock)
        self._first: dict[RecordId, bytes] = {}

    async def begin(self) -> None:
        """A booking and a cell that both desks see."""
        self.a.write(CELL, Resource, create=True, category="cell", name="M1", home="suite:perry-barr")
        self.a.write(
            BOOKING, CustodyBooking, create=True, suite="perry-barr", detainee="Ann Example", arrested_at=NOW - 1
        )
        await self.a.push()
        await self.a.pull(CELL, BOOKING)
        await self.b.pull(CELL, BOOKING)
        for record in (CELL, BOOKING):
            row = await self.store.record(record)
            assert row is not None
            self._first[record] = row

    async def care(self, field: str, first: object, second: object) -> RecordId:
        """The desks differ about a field of the booking's medical record, which is made for it: the item that asks."""
        self.a.write(MEDICAL, Medical, create=True, booking=BOOKING, suite="perry-barr")
        await self.a.push()
        await self.a.pull(MEDICAL)
        await self.b.pull(MEDICAL)
        return await self.differ(MEDICAL, Medical, field, first, second)

    def late(self, name: str, *records: RecordId) -> Desk:
        """Another desk, which has seen these records as they were at the beginning."""
        desk = Desk(name, self.store, self.committer, self.clock)
        for record in records:
            desk.learn(self._first[record])
        return desk

    async def differ(self, record: RecordId, kind: type[Kind], field: str, first: object, second: object) -> RecordId:
        """Desk b says `first`, then desk a `second`, without sight of each other: the item that asks, if one does."""
        said: list[dict[str, Any]] = [{field: first}, {field: second}]
        self.b.write(record, kind, **said[0])
        self.a.write(record, kind, **said[1])
        await self.b.push()
        await self.a.push()
        return await item_about(self.store, field)

    async def over_time(self) -> RecordId:
        """They differ about when the detention clock began: an item."""
        return await self.differ(BOOKING, CustodyBooking, "relevant_time", NOW - 200_000, NOW - 100_000)

    async def over_cell(self) -> RecordId:
        """Both have put somebody into the last cell: an item."""
        return await self.differ(CELL, Resource, "hold", {"holder": "booking-b"}, {"holder": "booking-a"})

    async def value(self, record: RecordId, field: str) -> Any:  # noqa: ANN401  whatever the field holds
        """A field as the server shows it."""
        values: Mapping[FieldName, Any] = (await item_state(self.store, record)).values()
        return values.get(FieldName(field))
