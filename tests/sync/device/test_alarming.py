"""Alarms on the handheld: told once, with signal or without, and an acknowledgement that is never lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.codec import decode_row
from schemas.errors import ReplicaError, UsageError
from schemas.ids import Millis, RecordId, named_record_id
from schemas.kinds import Alarm
from schemas.kinds.alarm import alarm_id
from schemas.kinds.booking import Check, Response
from schemas.kinds.common import LogEntry
from schemas.kinds.detention import DetentionEvent
from schemas.ops import Op
from schemas.roles import Role
from schemas.settings import Settings
from sync import check, merge
from sync.clock import Offset
from sync.device import AlarmFired, ChangeStream, DeviceIdentity, Handheld, OpHeld
from sync.device.alarm_watch import GRACE_MS, LOOK_MS_MAX, AlarmWatch
from sync.device.alarming import Alarming
from sync.device.store import Transactions
from sync.policing import alarms
from sync.policing.due import moments
from sync.policing.timetable import TIMETABLE as REAL
from sync.refusal import Refusal
from tests.due_times import HOUR, MINUTE, REVIEW_EVERY_MS, TIMETABLE, WITHIN_MS, review_dues
from tests.sync.device.desks import Desks, booking, two_desks
from tests.sync.device.support import NOON, VirtualClock, change_of, opened

DUE = NOON + REVIEW_EVERY_MS
REVIEWER = frozenset({Role.REVIEWING_OFFICER})


@pytest.fixture(autouse=True)
def invented_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handhelds go by the invented rule."""
    monkeypatch.setattr(Alarming, "_timetable", TIMETABLE)


@pytest.fixture
def clock() -> VirtualClock:
    """The handheld's clock."""
    return VirtualClock()


@pytest.fixture
def identity() -> DeviceIdentity:
    """Its key."""
    return DeviceIdentity.generate("hh-0042")


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[Desks]:
    """Two desks that have caught up."""
    async with two_desks(tmp_path) as desks:
        yield desks


def named(subject: RecordId, warn_ms: int = HOUR, due: int = DUE) -> RecordId:
    """The alarm of a review."""
    return alarm_id(subject, "review", "", due, warn_ms, ("reviewing-officer",))


class _Officer(msgspec.Struct):
    """Stands for who is signed in: their roles alone."""

    roles: frozenset[Role]
    lease: None = None


async def looked(handheld: Handheld, officer: object = None) -> list[AlarmFired]:
    """What a watch that begins anew tells: as after a restart, it knows only what the replica keeps."""
    stream = handheld.changes()
    watch = AlarmWatch(handheld._store, handheld._feed, handheld._board, handheld._time, officer, TIMETABLE)  # type: ignore[arg-type]
    await watch.look()
    stream.close()
    return [change async for change in stream if isinstance(change, AlarmFired)]


async def heard(clock: VirtualClock, stream: ChangeStream) -> AlarmFired:
    """The next alarm that is told, however many minutes it takes until the watch looks."""
    telling: asyncio.Future[AlarmFired] = asyncio.ensure_future(change_of(stream, AlarmFired))
    while True:
        nap = clock.next_nap(1)
        clock.advance(LOOK_MS_MAX)
        waits: set[asyncio.Future[Any]] = {telling, nap}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            return telling.result()


async def told_by_itself(folder: Path, identity: DeviceIdentity, clock: VirtualClock) -> Handheld:
    """A handheld with no server."""
    return await opened(folder, identity, clock=clock)


async def book(handheld: Handheld) -> RecordId:
    """A detention authorised at noon."""
    return (await handheld.create(booking(detention_authorised_at=Millis(NOON)))).record


async def test_without_signal_the_handheld_tells_it_itself(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock
) -> None:
    """In the change feed, at its time, as the server would: with what, whose, by when, and what to do."""
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        stream = handheld.changes()
        record = await book(handheld)
        clock.advance(REVIEW_EVERY_MS - HOUR)
        fired = await heard(clock, stream)
        assert fired == AlarmFired(
            alarm=named(record),
            subject=record,
            about="custody booking of A. Garside",
            what="review",
            key="",
            due_at=Millis(DUE),
            words="Review the detention.",
        )
        clock.advance(30 * MINUTE)
        assert (await heard(clock, stream)).alarm == named(record, 30 * MINUTE)


async def test_it_is_told_at_its_moment_and_not_before(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the corrected clock: what a server has said of the time counts, not what the handheld's own clock shows."""
    monkeypatch.setattr(Alarming, "_timetable", {})
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        record = await book(handheld)
        clock.advance(REVIEW_EVERY_MS - HOUR - 1)
        assert await looked(handheld) == []
        clock.set_wall(clock.wall_ms() + 12 * HOUR)
        handheld._time.learn(Offset(server_ms=Millis(DUE - HOUR - 1), mono_ms=clock.mono_ms()))
        assert await looked(handheld) == []
        clock.advance(1)
        assert [one.alarm for one in await looked(handheld)] == [named(record)]


class _Sparing(AlarmWatch):
    """A watch that says how many records it looked at, and looks at all of them to see that it missed nothing."""

    looked: list[int]

    def _to_look_at(self, now: Millis, *, connected: bool) -> list[RecordId]:
        looked = super()._to_look_at(now, connected=connected)
        due = {record for record, found in self._moments.items() if self._to_tell(found, now, connected=connected)}
        assert due <= set(looked)
        self.looked.append(len(looked))
        return looked


async def test_only_what_may_have_come_is_looked_at_and_nothing_is_missed(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock
) -> None:
    """A desk that holds thousands does not go through them at each edit; time, roles and a clock set back all count."""
    handheld = await told_by_itself(tmp_path / "replica", identity, clock)
    officer = _Officer(frozenset())
    watch = _Sparing(handheld._store, handheld._feed, handheld._board, handheld._time, officer, TIMETABLE)  # type: ignore[arg-type]
    watch.looked = []
    for n in range(5):
        await handheld.create(booking(detention_authorised_at=Millis(NOON - 7 * n * MINUTE)))
    await watch.look()
    clock.advance(1_000)
    await watch.look()
    await handheld.create(booking(detention_authorised_at=Millis(NOON)))
    watch._changed |= dict.fromkeys(await handheld._store.read(watch._every_record))
    await watch.look()
    clock.advance(1_000)
    await watch.look()
    assert watch.looked == [5, 0, 6, 0]
    for n in range(90):
        officer.roles = frozenset()
        clock.advance(3 * MINUTE + 1_234 * n)
        await watch.look()
        officer.roles = REVIEWER
        clock.advance(1_000)
        await watch.look()
    watch._looked_at = Millis(watch._looked_at + HOUR)
    await watch.look()
    assert watch.looked.pop() == 6
    await handheld.close()


class _Interrupted:
    """A store whose reads can be failed, and during which something can change."""

    def __init__(self, store: Transactions) -> None:
        self._store = store
        self.meanwhile: list[Callable[[], object]] = []

    async def read(self, work: Callable[[Any], object]) -> object:
        """Do what is to happen meanwhile, which may be a failure."""
        found = await self._store.read(work)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return found


async def test_a_look_that_is_broken_off_forgets_nothing(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock
) -> None:
    """Neither the records that it had not come to, nor one that changes while it is read."""
    handheld = await told_by_itself(tmp_path / "replica", identity, clock)
    store = _Interrupted(handheld._store)
    watch = AlarmWatch(store, handheld._feed, handheld._board, handheld._time)  # type: ignore[arg-type]
    made = [(await handheld.create(booking(detention_authorised_at=Millis(NOON)))).record for _ in range(10)]

    def fail() -> None:
        raise ReplicaError("broken off")

    store.meanwhile = [lambda: None, lambda: None, fail]
    with pytest.raises(ReplicaError, match="broken off"):
        await watch._learn()
    assert set(watch._moments) < set(made)
    assert set(watch._moments) | set(watch._changed) == set(made)
    await watch._learn()
    assert set(watch._moments) == set(made)

    def change() -> None:
        watch._changed[made[0]] = None
        store.meanwhile.append(lambda: seen.append(made[0] in watch._changed))

    seen: list[bool] = []
    watch._changed = dict.fromkeys(made[:1])
    store.meanwhile = [change]
    await watch._learn()
    assert seen == [False]
    await handheld.close()


async def test_no_restart_and_no_jump_of_a_clock_tells_it_again(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told is kept with the replica."""
    monkeypatch.setattr(Alarming, "_timetable", {})
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        record = await book(handheld)
        clock.advance(REVIEW_EVERY_MS)
        assert [one.alarm for one in await looked(handheld)] == [named(record, 0)]
        assert await looked(handheld) == []
    clock.reboot()
    for jump in (0, -2 * HOUR, HOUR, 2 * HOUR):
        clock.set_wall(DUE + jump)
        async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
            assert await looked(handheld) == []


async def test_only_those_who_are_warned_are_told(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the roles of whoever is signed in."""
    monkeypatch.setattr(Alarming, "_timetable", {})
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        await book(handheld)
        clock.advance(REVIEW_EVERY_MS)
        assert await looked(handheld, _Officer(frozenset({Role.OFFICER}))) == []
        assert len(await looked(handheld, _Officer(REVIEWER))) == 1


async def test_what_nobody_takes_up_is_passed_on_without_a_server(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To each level at its time, by their own handhelds, once: who they are is told that nobody has it."""
    monkeypatch.setattr(Alarming, "_timetable", {})
    above, last = _Officer(frozenset({Role.SUPERINTENDENT})), _Officer(frozenset({Role.CONTROL_ROOM}))
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        record = await book(handheld)
        clock.advance(REVIEW_EVERY_MS - HOUR + WITHIN_MS - 1)
        assert await looked(handheld, above) == []
        clock.advance(1)
        (fired,) = await looked(handheld, above)
        assert fired.alarm == named(record)
        assert fired.words == "Nobody is known to have taken this up. Review the detention."
        assert await looked(handheld, above) == []
        clock.advance(HOUR + WITHIN_MS - 1)
        assert await looked(handheld, last) == []
        clock.advance(1)
        assert [one.alarm for one in await looked(handheld, last)] == [named(record, 0)]


async def test_while_there_is_a_connection_the_server_passes_on(desks: Desks) -> None:
    """It knows who has taken up what; a handheld that has just come back does not yet."""
    await book(desks.one)
    await desks.meet(desks.one, desks.two)
    two, above = desks.two, _Officer(frozenset({Role.SUPERINTENDENT}))
    # The desk's own watch is told everything, and may be quicker.
    assert two._alarms is not None
    two._alarms.cancel()
    desks.clock.advance(REVIEW_EVERY_MS + 2 * WITHIN_MS)
    watch = AlarmWatch(two._store, two._feed, two._board, two._time, above, TIMETABLE)  # type: ignore[arg-type]
    stream = two.changes()
    await watch.look()
    stream.close()
    assert [change async for change in stream if isinstance(change, AlarmFired)] == []


async def test_what_somebody_has_taken_up_here_is_passed_on_to_nobody(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock
) -> None:
    """The acknowledgement has made the alarm's record, with or without a server."""
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        stream = handheld.changes()
        record = await book(handheld)
        clock.advance(REVIEW_EVERY_MS)
        await heard(clock, stream)
        await handheld.acknowledge_alarm(named(record, 0), "On my way.")
        clock.advance(3 * WITHIN_MS)
        assert await looked(handheld, _Officer(frozenset({Role.SUPERINTENDENT}))) == []


async def test_an_entry_that_bears_a_time_to_come_counts_from_then_on(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written when that time comes, and the handheld looks again all the same."""
    monkeypatch.setattr(Alarming, "_timetable", {})
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        steps = [
            {"what": "arrival", "at": NOON - HOUR},
            {"what": "left-for-hospital", "at": NOON - 20 * MINUTE},
            {"what": "back-from-hospital", "at": NOON + 2 * MINUTE},
        ]
        entries = tuple(msgspec.convert(step, DetentionEvent) for step in steps)
        log = (LogEntry(text="My watch stands ahead.", overrides="custody-time-to-come"),)
        await handheld.create(booking(detention=entries, log=log))
        stream = handheld.changes()
        watch = AlarmWatch(handheld._store, handheld._feed, handheld._board, handheld._time, None, REAL)
        assert await watch.look() == LOOK_MS_MAX
        clock.advance(2 * MINUTE - 5)
        assert await watch.look() == 5
        clock.advance(5 + 55 * MINUTE)
        await watch.look()
        stream.close()
        told = {(one.what, one.due_at) async for one in stream if isinstance(one, AlarmFired)}
        assert ("check", NOON + 2 * MINUTE + HOUR) in told


async def test_what_waits_is_listed_also_after_a_restart_and_taken_up_once(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock
) -> None:
    """The list is what falls due and nobody has taken up; a second acknowledgement is refused in words."""
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        stream = handheld.changes()
        record = await book(handheld)
        clock.advance(REVIEW_EVERY_MS)
        await heard(clock, stream)
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        (one,) = await handheld.due_alarms()
        assert (one.alarm, one.subject, one.what, one.due_at) == (named(record, 0), record, "review", DUE)
        assert (one.overdue, one.on_server, one.roles) == (True, False, (Role.REVIEWING_OFFICER,))
        await handheld.acknowledge_alarm(one.alarm, " On my way. ")
        assert await handheld.due_alarms() == []
        made = await handheld.get(Alarm, one.alarm)
        assert made is not None
        assert [entry.note for entry in made.acknowledged] == ["On my way."]
        with pytest.raises(UsageError, match="is taken up already"):
            await handheld.acknowledge_alarm(one.alarm)
        with pytest.raises(UsageError, match="there is no alarm"):
            await handheld.acknowledge_alarm(named(record, 12_345))


async def test_what_is_done_no_longer_waits(tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock) -> None:
    """A review that was done is off the list, and the next one is told in its turn."""
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        stream = handheld.changes()
        record = await book(handheld)
        clock.advance(REVIEW_EVERY_MS)
        await heard(clock, stream)
        check = Check(checked_at=Millis(DUE), where="cell 4", response=Response.AWAKE)
        await handheld.append(record, "checks", check)
        assert await handheld.due_alarms() == []
        clock.advance(REVIEW_EVERY_MS)
        assert (await heard(clock, stream)).alarm == named(record, 0, DUE + REVIEW_EVERY_MS)


async def by_server(desks: Desks, subject: RecordId) -> RecordId:
    """The server raises the alarm an hour before, as its timers do: where there is one already, it does nothing."""
    row = await desks.toy.store.record(subject)
    assert row is not None
    state = merge.from_row(decode_row(row))
    found = moments(subject, review_dues(state.build(), Settings(), Millis(NOON)))
    moment = next(one for one in found if one.warn_ms == HOUR)
    if await desks.toy.store.record(moment.alarm) is None:
        said = alarms.values(state, moment, Millis(desks.clock.wall_ms()))
        await desks.toy.act(moment.alarm, "alarm", {str(name): value for name, value in said.items()}, create=True)
    return moment.alarm


async def test_two_without_signal_take_up_the_same_and_neither_is_lost(desks: Desks) -> None:
    """One record in the end, with both acknowledgements, whoever comes first; nobody is told a second time."""
    record = await book(desks.one)
    await desks.meet(desks.one, desks.two)
    await desks.cut_off()
    streams = [desks.one.changes(), desks.two.changes()]
    desks.clock.advance(REVIEW_EVERY_MS - HOUR)
    for stream in streams:
        assert (await heard(desks.clock, stream)).alarm == named(record)
    await desks.one.acknowledge_alarm(named(record), "One has it.")
    await desks.two.acknowledge_alarm(named(record), "Two has it.")
    await desks.meet(desks.two, desks.one)
    await desks.meet(desks.one, desks.two)
    for desk in (desks.one, desks.two):
        alarm = await desk.get(Alarm, named(record))
        assert alarm is not None
        assert sorted(entry.note or "" for entry in alarm.acknowledged) == ["One has it.", "Two has it."]
        assert await desk.held() == []
        assert await looked(desk) == []


async def test_what_the_handheld_told_the_servers_record_does_not_tell_again(desks: Desks) -> None:
    """And the other way: what the server raised, a handheld that was there does not raise by itself."""
    record = await book(desks.one)
    await desks.meet(desks.one, desks.two)
    await desks.one.go_offline()
    streams = [desks.one.changes(), desks.two.changes()]
    desks.clock.advance(REVIEW_EVERY_MS - HOUR)
    assert (await heard(desks.clock, streams[0])).alarm == named(record)
    await by_server(desks, record)
    assert (await heard(desks.clock, streams[1])).alarm == named(record)
    await desks.meet(desks.one, desks.two)
    desks.clock.advance(GRACE_MS)
    for desk in (desks.one, desks.two):
        assert named(record) not in {fired.alarm for fired in await looked(desk)}
        # Time passes until the watch looks, so that the next warning of the same review may have come.
        assert [due.on_server for due in await desk.due_alarms() if due.alarm == named(record)] == [True]
    for stream in streams:
        stream.close()
        told = [change.alarm async for change in stream if isinstance(change, AlarmFired)]
        assert named(record) not in told


async def test_an_acknowledgement_ahead_of_the_server_and_one_behind_it_end_alike(desks: Desks) -> None:
    """Whether the server raised it before or after it heard of the handheld, the record is one and taken up."""
    record = await book(desks.one)
    await desks.meet(desks.one, desks.two)
    await desks.one.go_offline()
    stream = desks.one.changes()
    desks.clock.advance(REVIEW_EVERY_MS - HOUR)
    await heard(desks.clock, stream)
    await desks.one.acknowledge_alarm(named(record), "Mine.")
    assert await by_server(desks, record) == named(record)
    await desks.meet(desks.one, desks.two)
    for desk in (desks.one, desks.two):
        alarm = await desk.get(Alarm, named(record))
        assert alarm is not None
        assert ([entry.note for entry in alarm.acknowledged], alarm.open) == (["Mine."], False)
        # Time passes until the watch looks, so that the next warning of the same review may have come.
        assert named(record) not in {due.alarm for due in await desk.due_alarms()}
    assert await by_server(desks, record) == named(record)
    row = await desks.toy.store.record(named(record))
    assert row is not None
    assert not merge.from_row(decode_row(row)).build().open  # type: ignore[attr-defined]


async def seen_to_while_the_server_was_gone(desks: Desks) -> RecordId:
    """What desk one has done in time, and the server, which did not know, has warned of; they have not met yet."""
    record = await book(desks.one)
    await desks.meet(desks.one, desks.two)
    await desks.one.go_offline()
    desks.clock.advance(4 * HOUR)
    seen = Check(checked_at=Millis(NOON + 4 * HOUR), where="cell M1", response=Response.AWAKE)
    await desks.one.append(record, "checks", seen)
    desks.clock.advance(HOUR)
    assert await by_server(desks, record) == named(record)
    return record


async def test_what_was_done_while_the_server_was_gone_is_not_warned_of(desks: Desks) -> None:
    """A server that comes back knows nothing of it: its alarm is held back until it has learned, and ends it."""
    record = await seen_to_while_the_server_was_gone(desks)
    stream = desks.one.changes()
    await desks.meet(desks.one)
    assert await looked(desks.one) == []
    await desks.toy.act(named(record), "alarm", {"over_at": desks.clock.wall_ms()})
    await desks.meet(desks.one)
    desks.clock.advance(GRACE_MS)
    assert await looked(desks.one) == []
    stream.close()
    assert [change async for change in stream if isinstance(change, AlarmFired)] == []


async def test_an_alarm_that_the_server_does_not_end_is_told_after_all(desks: Desks) -> None:
    """It may know more than this handheld: ten seconds after everything of its own has arrived, the officer is told."""
    record = await seen_to_while_the_server_was_gone(desks)
    stream = desks.one.changes()
    await desks.meet(desks.one)
    desks.clock.advance(GRACE_MS)
    assert (await heard(desks.clock, stream)).alarm == named(record)


async def test_an_entry_that_the_server_refuses_keeps_nobody_from_being_warned(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays in its author's sight, and may never come to stand: what it says is no reason to be silent."""
    record = await seen_to_while_the_server_was_gone(desks)
    sound = check.op_on

    def strict(state: object, op: Op, *rest: object, **more: object) -> Refusal | None:
        if "checks" in op.changes:
            return Refusal("op_value_wrong", "checks: not this one")
        return sound(state, op, *rest, **more)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(check, "op_on", strict)
    told, stream = desks.one.changes(), desks.one.changes()
    await desks.one.go_online()
    await change_of(told, OpHeld)
    assert (await heard(desks.clock, stream)).alarm == named(record)


async def test_while_there_is_a_connection_the_servers_word_is_waited_for(desks: Desks) -> None:
    """For ten seconds: a server that does not raise it must not keep anybody from hearing of it."""
    record = await book(desks.one)
    await desks.meet(desks.one, desks.two)
    watch = AlarmWatch(desks.two._store, desks.two._feed, desks.two._board, desks.two._time, None, TIMETABLE)
    stream = desks.two.changes()
    desks.clock.advance(REVIEW_EVERY_MS - HOUR)
    assert 1 <= await watch.look() <= GRACE_MS < LOOK_MS_MAX
    desks.clock.advance(GRACE_MS)
    assert (await heard(desks.clock, stream)).alarm == named(record)


class _Lease(msgspec.Struct):
    """Stands for a lease: how long it lasts, until when, and what is left."""

    until: int
    lasts_ms: int
    left_ms: int

    def remaining_ms(self) -> int:
        """What is left."""
        return self.left_ms


class _Seat(msgspec.Struct):
    """Stands for a seat."""

    id: str
    lease: _Lease


class _Leased(msgspec.Struct):
    """Stands for an officer who has a lease."""

    roles: frozenset[Role]
    lease: _Lease
    seat: _Seat


@pytest.mark.parametrize(
    ("left", "lasts", "told"),
    [(61, 600, []), (60, 600, [60]), (16, 600, [60]), (15, 600, [15]), (0, 600, [15]), (10, 60, [15]), (10, 15, [])],
)
async def test_the_end_of_a_lease_is_told_before_it_comes_and_no_record_made(
    tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock, left: int, lasts: int, told: list[int]
) -> None:
    """An hour and a quarter of an hour before, by what is left of it; of a lease that is no longer than that, not."""
    lease = _Lease(until=NOON + left * MINUTE, lasts_ms=lasts * MINUTE, left_ms=left * MINUTE)
    officer = _Leased(roles=frozenset(), lease=lease, seat=_Seat("hh-0042", lease))
    async with await told_by_itself(tmp_path / "one", identity, clock) as handheld:
        for expected in (told, []):
            fired = await looked(handheld, officer)
            subject = named_record_id("seat", "hh-0042")
            names = [alarm_id(subject, "lease", "", lease.until, warn * MINUTE, ()) for warn in expected]
            assert [one.alarm for one in fired] == names
            assert all((one.subject, one.what, one.due_at) == (None, "lease", lease.until) for one in fired)
        assert await handheld.due_alarms() == []
