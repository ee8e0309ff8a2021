"""Rows that wait are applied in one transaction: each message whole, a faulty one alone, and nobody waits for all."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schemas import wire
from schemas.errors import PeerError
from schemas.ids import Epoch, Generation, Millis, OpNumber, ScopeName, Seq
from sync.device import DeviceIdentity, HeldKey
from sync.device.applier import Applier
from sync.device.changes import ChangeFeed, RecordChanged
from sync.device.clocks import DeviceTime
from sync.device.status import StatusBoard
from sync.device.store import Held, ReplicaStore
from sync.device.ties import Ties
from sync.session import DeviceSession, HelloFacts
from tests.example_rows import ROWS
from tests.sync.device.support import VirtualClock

AREA = ScopeName("area:birmingham")
GEN = Generation(1)
KEY = bytes(range(32))


def batch(frm: int, to: int, name: str = "row-latest") -> wire.Batch:
    """A batch that brings one row."""
    row = msgspec.structs.replace(ROWS[name], v=Seq(to))
    return wire.Batch(scope=AREA, gen=GEN, frm=Seq(frm), to=Seq(to), rows=(msgspec.Raw(msgspec.msgpack.encode(row)),))


class Desk:
    """An applier over an encrypted replica that stands at 1 in one scope."""

    def __init__(self, store: ReplicaStore, identity: DeviceIdentity) -> None:
        self.store = store
        self.feed = ChangeFeed()
        self.board = StatusBoard()
        self.applier = Applier(
            store, self.feed, self.board, DeviceTime(VirtualClock(), None), Ties(destroy=lambda: None)
        )
        facts = HelloFacts(device=identity.device, epoch=None, positions=(), next_op=OpNumber(1))
        self.session = DeviceSession(facts, identity.sign, 0)

    async def apply(self, *messages: wire.Batch) -> tuple[int, dict[ScopeName, Seq]]:
        """What came, together."""
        return await self.applier.apply_rows(messages, self.session)

    async def stands_at(self) -> Seq | None:
        """Where the replica stands."""
        position = await self.store.read(lambda held: held.tables.position(AREA))
        return None if position is None else position.seq


@pytest.fixture
async def desk(tmp_path: Path, identity: DeviceIdentity) -> AsyncIterator[Desk]:
    """A replica that has met its server."""
    store = await ReplicaStore.open(tmp_path / "replica", HeldKey(KEY), identity.device)
    plan = wire.Plan(scope=AREA, gen=GEN, action="snapshot", seq=Seq(1))
    welcome = wire.Welcome(
        proto=1, schema_min=1, schema_max=1, epoch=Epoch("0" * 16), server_time=Millis(1), last_op=OpNumber(0),
        credit=1, scopes=(plan,),
    )  # fmt: skip
    last = wire.Snapshot(scope=AREA, gen=GEN, at=Seq(1), after="", upto="", last=True)
    await store.change(lambda held: (held.replica.welcome(welcome), held.replica.page(last)), lambda *_: None)
    yield Desk(store, identity)
    await store.close()


async def test_what_came_together_is_one_transaction(desk: Desk) -> None:
    """Three batches, of which two change one record: one revision, and the record is told of once."""
    stream = desk.feed.subscribe(16)
    done = await desk.apply(batch(1, 2), batch(2, 3, "row-once"), batch(3, 4))
    assert done == (3, {AREA: Seq(4)})
    assert await desk.stands_at() == 4
    desk.feed.close()
    told = [change.record async for change in stream if isinstance(change, RecordChanged)]
    assert sorted(told) == sorted({ROWS["row-latest"].id, ROWS["row-once"].id})
    revisions: list[int] = []
    await desk.store.change(lambda _: None, lambda _, committed: revisions.append(committed.revision))
    # One for all three, between that of the fixture and this one.
    assert revisions == [3]


async def test_a_faulty_message_takes_nothing_along(desk: Desk) -> None:
    """What stands before it is applied and stays; by itself it is refused, and nothing of it was kept."""
    gap = batch(7, 8)
    assert await desk.apply(batch(1, 2), gap, batch(2, 3)) == (1, {AREA: Seq(2)})
    with pytest.raises(PeerError) as refused:
        await desk.apply(gap, batch(2, 3))
    assert refused.value.spec.code == "gap"
    assert await desk.stands_at() == 2


async def two_batches_while_something_waits(desk: Desk, *, patient: bool) -> tuple[int, dict[ScopeName, Seq]]:
    """What is applied of two batches, when a change stands behind them before the first is begun."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_held: Held) -> None:
        begun.set()
        go_on.wait(20)

    holding = asyncio.ensure_future(desk.store.read(hold, patient=True))
    await asyncio.to_thread(begun.wait, 20)
    queue = desk.store._database._connection._tx
    applying = asyncio.ensure_future(desk.apply(batch(1, 2), batch(2, 3)))
    while queue.qsize() < 1:  # noqa: ASYNC110  the thread's queue tells nobody
        await asyncio.sleep(0)
    writing = asyncio.ensure_future(
        desk.store.change(lambda held: held.tables.set_meta("note", b"1"), lambda *_: None, patient=patient)
    )
    while queue.qsize() < 2:  # noqa: ASYNC110  as above
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(holding, writing)
    return await applying


async def test_an_officer_who_writes_waits_for_one_message_only(desk: Desk) -> None:
    """Whoever wants the database while rows are applied gets it behind the message that is being applied."""
    assert await two_batches_while_something_waits(desk, patient=False) == (1, {AREA: Seq(2)})
    assert await desk.stands_at() == 2
    assert await desk.apply(batch(2, 3), batch(3, 4)) == (2, {AREA: Seq(4)})


async def test_what_nobody_waits_for_stands_back(desk: Desk) -> None:
    """The watch over alarms looks at each record that comes: it does not take what comes apart into single messages."""
    assert await two_batches_while_something_waits(desk, patient=True) == (2, {AREA: Seq(3)})


async def test_one_who_has_failed_waits_no_longer(desk: Desk) -> None:
    """An error ends a call like an answer does."""
    for wanted in (desk.store.read, lambda work: desk.store.change(work, lambda *_: None)):
        with pytest.raises(ZeroDivisionError):
            await wanted(lambda _: 1 // 0)
    assert not desk.store.is_waited_for()
