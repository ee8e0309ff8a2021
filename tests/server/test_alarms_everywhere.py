"""Whatever happens to records, connections and clocks: one record for each alarm, and nobody is told of one twice.

A server's timers and two handhelds' watches over one store, in virtual time; what happens is drawn.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode_row
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, RecordId, ScopeName, named_record_id
from schemas.kinds import Alarm
from schemas.wire import Results
from server.commits import Settled, Submission
from server.committer import Committer
from server.office import Draft, Office
from server.store.memory import MemoryStore
from server.timers import Timers
from sync import merge
from sync.clock import Offset
from sync.device.alarm_watch import AlarmWatch
from sync.device.alarming import Alarming
from sync.device.changes import AlarmFired, ChangeFeed
from sync.device.clocks import DeviceTime
from sync.device.status import StatusBoard
from sync.device.store import Committed, Held
from sync.outbox import OpState
from sync.policing.due import come
from sync.policing.timetable import moments_of
from sync.replica import MemoryTables, Replica
from tests.due_times import MINUTE, TIMETABLE
from tests.server.hands import Hands
from tests.server.running import NOW, Clock
from tests.sync.device.support import VirtualClock

_T = TypeVar("_T")
SCOPES = frozenset(map(ScopeName, ("suite:castle", "suite:castle:inbox")))
BOOKINGS = [named_record_id("everywhere", name) for name in ("one", "two")]
SERGEANT = OfficerId("WM30012")
NAMES = ("hh-1", "hh-2")


class KnownTables(MemoryTables):
    """Tables in memory that tell a record's kind, as those on disk do."""

    def kind_of(self, record: RecordId) -> str | None:
        """The record's kind; also of one that is only on this device."""
        row = self.row(record)
        if row is not None:
            return decode_row(row).kind
        return next((op.kind for op in self.ops_of(record)), None)


class KeptInMemory:
    """`Transactions` over such tables: a transaction that fails leaves them as they were."""

    def __init__(self, held: Held, device: DeviceId) -> None:
        """Bind it."""
        self._held = held
        self.device = device

    async def change(self, work: Callable[[Held], _T], then: Callable[[_T, Committed], None]) -> _T:
        """See `Transactions`."""
        saved = cast("KnownTables", self._held.tables).checkpoint()
        try:
            result = work(self._held)
        except BaseException:
            cast("KnownTables", self._held.tables).restore(saved)
            raise
        then(result, Committed(0, 0, 0, 0, {}, ()))
        return result

    async def read(self, work: Callable[[Held], _T]) -> _T:
        """See `Transactions`."""
        return work(self._held)

    async def close(self) -> None:
        """See `Transactions`."""


class Handset:
    """One officer's handheld: its replica, its clock, and what it was told."""

    def __init__(self, name: str, world: "World") -> None:
        """Begin empty, out of reach."""
        self.name = DeviceId(name)
        self._world = world
        tables = KnownTables()
        self.held = Held(Replica(tables, self.name), tables)  # type: ignore[arg-type]  # as those on disk
        self.clock = VirtualClock(NOW)
        self.time = DeviceTime(self.clock, None)
        self.board = StatusBoard()
        self.feed = ChangeFeed()
        self.calls = Alarming(
            KeptInMemory(self.held, self.name), OfficerId(name.upper()), self.time, random.Random(1), self.board
        )
        self.calls._timetable = TIMETABLE
        self.told: list[RecordId] = []
        self.taken: list[RecordId] = []
        self.begin()

    def begin(self) -> None:
        """As another run of the program: what was only in memory is gone."""
        self.feed = ChangeFeed()
        self.watch = AlarmWatch(KeptInMemory(self.held, self.name), self.feed, self.board, self.time, None, TIMETABLE)

    async def look(self) -> None:
        """The watch looks, at everything: whatever changed meanwhile is among it."""
        stream = self.feed.subscribe(1_024)
        self.watch._all = True
        await self.watch.look()
        stream.close()
        self.told += [change.alarm async for change in stream if isinstance(change, AlarmFired)]

    async def meet(self) -> None:
        """Push what waits, and get everything."""
        self.time.learn(Offset(server_ms=self._world.clock.now, mono_ms=self.clock.mono_ms()))
        waiting = self.held.replica.queued(OpNumber(0), 1_000)
        if waiting:
            bodies = tuple(op.body for op in waiting)
            results = await self._world.committer.commit(Submission(self.name, SCOPES, bodies))
            self.held.replica.results(Results(results=results))
        for kind in ("custody-booking", "alarm"):
            for row in await self._world.store.records(kind, None, "", 1_000):
                told = decode_row(row)
                self.held.tables.put_row(told.id, told.kind, told.v, row)
                for op in list(self.held.tables.pending_ops(told.id)):
                    if op.state is OpState.DURABLE:
                        self.held.tables.put_op(msgspec.structs.replace(op, state=OpState.SETTLED))


class World:
    """The server, the handhelds, and what can happen to them."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.store = MemoryStore()
        self.clock = Clock()
        self.committer = Committer(self.store, self.clock, self._publish)
        self.office = Office(self.store, self.committer, self.clock)
        self.truth = NOW
        self.handsets = [Handset(name, self) for name in NAMES]
        self.reached = [False for _ in NAMES]
        self._begin()

    def _begin(self) -> None:
        self.hands = Hands()
        self.timers = Timers(self.store, self.office, self.clock, self.hands, TIMETABLE)
        self._task: asyncio.Task[None] | None = None

    def _publish(self, settled: Settled) -> None:
        self.timers.published(settled)

    async def start(self) -> None:
        """The server's timers begin."""
        self._task = asyncio.create_task(self.timers.run())
        await self.hands.rests.wait()

    async def stop(self) -> None:
        """They end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def do(self, step: tuple[Any, ...]) -> None:
        """One thing happens; then everybody looks."""
        match step:
            case ("pass", minutes):
                self.truth = Millis(self.truth + minutes * MINUTE)
                self.clock.advance(minutes * MINUTE)
                for one in self.handsets:
                    one.clock.advance(minutes * MINUTE)
            case ("set the server's clock", minutes):
                self.clock.now = Millis(self.truth + minutes * MINUTE)
            case ("set a clock", who, minutes):
                self.handsets[who].clock.set_wall(self.truth + minutes * MINUTE)
            case ("check", which):
                check = {"checked_at": self.truth, "where": "cell 4", "response": "awake"}
                spec = (await self.state(BOOKINGS[which])).spec
                await self.office.by_rule(BOOKINGS[which], spec, lambda _: {FieldName("checks"): [check]}, SERGEANT)
            case ("signal", who, there):
                self.reached[who] = there
                self.handsets[who].board.update(connected=there)
            case ("restart", who):
                self.handsets[who].begin()
            case ("restart the server",):
                await self.stop()
                self._begin()
                await self.start()
            case ("take up", who):
                one = self.handsets[who]
                for due in (await one.calls.due_alarms())[:1]:
                    await one.calls.acknowledge_alarm(due.alarm, f"By {one.name}.")
                    one.taken.append(due.alarm)
            case _:
                raise AssertionError(step)
        await self.look()

    async def look(self) -> None:
        """Timers and watches look; who has signal hears of everything."""
        await self.hands.tick()
        for _ in range(2):
            for one, there in zip(self.handsets, self.reached, strict=True):
                if there:
                    await one.meet()
        for one in self.handsets:
            await one.look()

    async def book(self) -> None:
        """Two people are detained."""
        for booking in BOOKINGS:
            values = {"suite": "castle", "detainee": "A. Garside", "arrested_at": NOW, "detention_authorised_at": NOW}
            named = {FieldName(name): value for name, value in values.items()}
            await self.office.bring([Draft(record=booking, kind="custody-booking", values=named)], SERGEANT)

    async def state(self, record: RecordId) -> merge.RecordState:
        """A record as the server has it."""
        row = await self.store.record(record)
        assert row is not None
        return merge.from_row(decode_row(row))

    async def alarms(self) -> dict[RecordId, Alarm]:
        """Every alarm on the server."""
        rows = await self.store.records("alarm", None, "", 1_000)
        found = {state.id: state.build() for state in map(merge.from_row, map(decode_row, rows))}
        return {name: alarm for name, alarm in found.items() if isinstance(alarm, Alarm)}


def _no_failure(error: Exception, where: str) -> None:
    raise AssertionError(where) from error


async def live(steps: list[tuple[Any, ...]]) -> None:
    """Let it all happen, then bring everybody together, and look at what there is."""
    world = World()
    running = asyncio.create_task(world.committer.run())
    try:
        await world.office.start()
        await world.book()
        await world.start()
        for who in range(len(NAMES)):
            await world.do(("signal", who, True))
        for step in steps:
            await world.do(step)
        # What was told last may be ahead of true time, by a clock that was set forward; that time comes as well.
        world.clock.now = Millis(max(world.truth, world.clock.now))
        for who in range(len(NAMES)):
            await world.do(("signal", who, True))
        there = await world.alarms()
        named = [(one.subject, one.what, one.key, one.due_at, one.warn_ms) for one in there.values()]
        assert len(named) == len(set(named))
        for booking in BOOKINGS:
            found = moments_of(
                await world.state(booking), world.office.settings, world.clock.now, _no_failure, TIMETABLE
            )
            assert come(found, world.clock.now, there.keys()) == []
            due = {one.alarm for one in found}
            assert all(name in due for name, one in there.items() if one.subject == booking and one.open)
        for one in world.handsets:
            assert len(one.told) == len(set(one.told)), "told twice"
            assert one.held.replica.held(10) == []
            for name in one.taken:
                assert f"By {one.name}." in [entry.note for entry in there[name].acknowledged], (
                    "an acknowledgement is lost"
                )
            waiting = {name for name, alarm in there.items() if alarm.open}
            assert waiting <= set(one.told), "somebody was never told"
    finally:
        await world.stop()
        world.committer.close()
        await running


WHO = st.integers(0, len(NAMES) - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.sampled_from([1, 10, 29, 60, 5 * 60, 7 * 60])),
        st.tuples(st.just("set the server's clock"), st.sampled_from([-120, -30, 0, 30, 90])),
        st.tuples(st.just("set a clock"), WHO, st.sampled_from([-600, -30, 0, 45, 600])),
        st.tuples(st.just("check"), st.integers(0, len(BOOKINGS) - 1)),
        st.tuples(st.just("signal"), WHO, st.booleans()),
        st.tuples(st.just("restart"), WHO),
        st.tuples(st.just("restart the server")),
        st.tuples(st.just("take up"), WHO),
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=60)
@given(steps=STEPS)
def test_every_alarm_is_one_and_told_once_whatever_happens(steps: list[tuple[Any, ...]]) -> None:
    """One record each, nothing due is missing, nothing over waits, no acknowledgement is lost, nobody is told twice."""
    asyncio.run(live(steps))


def test_a_shift_without_signal_comes_together() -> None:
    """Both out of reach while a review falls due, both take it up, the server is down and its clock is wrong."""
    asyncio.run(
        live(
            [
                ("signal", 0, False),
                ("signal", 1, False),
                ("pass", 5 * 60),
                ("take up", 0),
                ("set the server's clock", -120),
                ("take up", 1),
                ("restart", 0),
                ("signal", 1, True),
                ("restart the server",),
                ("pass", 60),
                ("signal", 0, True),
                ("check", 0),
                ("pass", 7 * 60),
            ]
        )
    )
