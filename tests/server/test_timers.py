"""Alarms: each warning raised once, taken up by a person or passed on, and ended, whatever happens meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import msgspec
import pytest

from schemas.codec import decode_row
from schemas.errors import StoreError, UsageError
from schemas.ids import FieldName, Millis, OfficerId, RecordId, named_record_id
from schemas.kinds import Alarm, CustodyBooking, ForceSettings, Kind
from schemas.kinds.alarm import alarm_id
from schemas.kinds.booking import Check, Response
from schemas.roles import Role
from schemas.settings import SETTINGS_RECORD, CustodySettings, Settings
from server import timers
from server.commits import ScopeChange, Settled
from server.committer import Committer
from server.falling_due import AGAIN_MS, LOOK_MS_MAX, RETRY_MS
from server.office import Draft, Office
from server.timers import Timers
from sync import merge
from sync.policing import alarms, timetable
from sync.policing.due import LATE_MS_MAX, Due, Dues
from tests.due_times import HOUR, MINUTE, REVIEW_EVERY_MS, TIMETABLE, WITHIN_MS, review_dues
from tests.server.hands import Hands
from tests.server.running import NOW, Clock, GatedStore

BOOKING = named_record_id("timers", "booking")
DUE = Millis(NOW + REVIEW_EVERY_MS)
SERGEANT = OfficerId("WM30012")


def alarm_of(warn_ms: int, due: int = DUE) -> RecordId:
    """The alarm of BOOKING's review that warns so long before."""
    return alarm_id(BOOKING, "review", "", due, warn_ms, ("reviewing-officer",))


class Later(CustodySettings, frozen=True, kw_only=True):
    """Settings under which everything is due later."""

    late_ms: int


class Post:
    """A store with its committer, office and timers."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self.store = GatedStore()
        self.clock = Clock()
        self.hands = Hands()
        self.committer = Committer(self.store, self.clock, self._publish)
        self.office = Office(self.store, self.committer, self.clock)
        self.timetable: Mapping[str, tuple[Dues, ...]] = TIMETABLE
        self.timers = Timers(self.store, self.office, self.clock, self.hands, self.timetable)
        self.deaf = False
        self._running: asyncio.Task[None] | None = None

    def _publish(self, settled: Settled) -> None:
        if not self.deaf:
            self.timers.published(settled)

    async def start(self) -> None:
        """As a server that begins; returns when it has nothing left to do."""
        self._running = asyncio.create_task(self.timers.run())
        await self.hands.rests.wait()

    async def stop(self) -> None:
        """End, as a server that goes down."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    async def start_again(self) -> None:
        """As another process over the same store."""
        await self.stop()
        self.hands = Hands()
        self.timers = Timers(self.store, self.office, self.clock, self.hands, self.timetable)
        await self.start()

    async def at(self, moment: int) -> None:
        """The clock stands there; the timers look once."""
        self.clock.now = Millis(moment)
        await self.hands.tick()

    async def book(self, booking: RecordId = BOOKING, authorised_at: Millis = NOW, **more: object) -> None:
        """A detention that was authorised."""
        values = {"suite": "castle", "detainee": "A. Garside", "arrested_at": NOW - HOUR} | more
        values["detention_authorised_at"] = authorised_at
        named = {FieldName(name): value for name, value in values.items()}
        await self.office.bring([Draft(record=booking, kind="custody-booking", values=named)], SERGEANT)

    async def check(self, at: int) -> None:
        """Somebody looked in, and the next review is due six hours after."""
        check = {"checked_at": at, "where": "cell 4", "response": Response.AWAKE.value}
        spec = (await self.state(BOOKING)).spec
        await self.office.by_rule(BOOKING, spec, lambda _: {FieldName("checks"): [check]}, SERGEANT)

    async def acknowledge(self, alarm: RecordId) -> None:
        """A person takes it up."""
        entry = {"note": "On my way."}
        await self.office.by_rule(alarm, alarms.SPEC, lambda _: {alarms.ACKNOWLEDGED: [entry]}, SERGEANT)

    async def committer_rests(self) -> None:
        """Whatever was handed in has been committed or has failed."""
        with contextlib.suppress(StoreError):
            await self.book(named_record_id("timers", "another"))

    async def state(self, record: RecordId) -> merge.RecordState:
        """A record as it stands."""
        row = await self.store.record(record)
        assert row is not None
        return merge.from_row(decode_row(row))

    async def all(self) -> dict[RecordId, Alarm]:
        """Every alarm there is."""
        rows = await self.store.records("alarm", None, "", 1_000)
        found = {state.id: state.build() for state in map(merge.from_row, map(decode_row, rows))}
        return {name: alarm for name, alarm in found.items() if isinstance(alarm, Alarm)}

    async def one(self, alarm: RecordId) -> Alarm:
        """One of them."""
        return (await self.all())[alarm]

    async def raised(self) -> set[int]:
        """The warnings of BOOKING's first review that were raised: minutes before."""
        there = await self.all()
        return {warn for warn in (60, 30, 0) if alarm_of(warn * MINUTE) in there}


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """A post whose committer runs."""
    post = Post()
    running = asyncio.create_task(post.committer.run())
    await post.office.start()
    yield post
    await post.stop()
    post.committer.close()
    await running


async def test_a_review_is_warned_of_at_60_30_and_0_minutes(post: Post) -> None:
    """Each at its millisecond and not before; each says what, by when, to whom, and why."""
    await post.start()
    await post.book()
    for warn in (60, 30, 0):
        before = await post.raised()
        await post.at(DUE - warn * MINUTE - 1)
        assert await post.raised() == before
        await post.at(DUE - warn * MINUTE)
        assert await post.raised() == before | {warn}
    alarm = await post.one(alarm_of(0))
    assert (alarm.subject, alarm.subject_kind, alarm.what, alarm.due_at) == (BOOKING, "custody-booking", "review", DUE)
    assert (alarm.roles, alarm.words, alarm.source) == (
        (Role.REVIEWING_OFFICER,),
        "Review the detention.",
        "an invented rule",
    )
    assert alarm.raised_at == DUE
    assert alarm.scopes() == {"suite:castle", "suite:castle:inbox"}


async def test_a_wait_is_never_longer_than_a_minute(post: Post) -> None:
    """A clock that is set forward is noticed; whoever waits for a moment near waits only for that."""
    await post.start()
    await post.book()
    await post.hands.tick()
    assert post.hands.pause == LOOK_MS_MAX
    await post.at(DUE - 60 * MINUTE - 5)
    assert post.hands.pause == 5


async def test_nothing_is_raised_twice_after_a_restart(post: Post) -> None:
    """The record is the memory; what fell due while no server ran is raised at the start, the last warning of each."""
    await post.book()
    post.clock.now = Millis(DUE - 50 * MINUTE)
    await post.start()
    assert await post.raised() == {60}
    groups = len(post.store.groups)
    await post.start_again()
    await post.start_again()
    assert len(post.store.groups) == groups
    await post.stop()
    post.clock.now = Millis(DUE + MINUTE)
    await post.start_again()
    assert await post.raised() == {60, 0}


async def test_a_clock_that_jumps_raises_nothing_twice(post: Post) -> None:
    """Forward over two warnings the last is given; set back, neither it nor one before it is given again."""
    await post.start()
    await post.book()
    await post.at(DUE)
    assert await post.raised() == {0}
    for moment in (DUE - 2 * HOUR, DUE - 30 * MINUTE, DUE - 1, DUE, DUE + HOUR, DUE - 30 * MINUTE):
        await post.at(moment)
        await post.start_again()
        assert await post.raised() == {0}


async def test_a_server_killed_before_it_wrote_raises_it_when_it_is_back(post: Post) -> None:
    """Nothing but the record says that an alarm was raised."""
    await post.start()
    await post.book()
    await post.hands.tick()
    post.store.commits.clear()
    post.store.asked.clear()
    post.clock.now = Millis(DUE - HOUR)
    ticking = asyncio.create_task(post.hands.tick())
    await post.store.asked.wait()
    await post.stop()
    ticking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ticking
    post.store.failing = StoreError("killed")
    post.store.commits.set()
    await post.committer_rests()
    assert await post.raised() == set()
    post.store.failing = None
    await post.start_again()
    assert await post.raised() == {60}


async def test_a_server_killed_after_it_wrote_does_not_write_again(post: Post) -> None:
    """The commit went through and nobody was told: the record is there."""
    await post.start()
    await post.book()
    post.deaf = True
    await post.at(DUE - HOUR)
    groups = len(post.store.groups)
    post.deaf = False
    await post.start_again()
    assert await post.raised() == {60}
    assert len(post.store.groups) == groups


async def test_a_store_that_fails_is_asked_again(post: Post) -> None:
    """The alarm is late and not lost."""
    await post.start()
    await post.book()
    await post.hands.tick()
    post.store.failing = StoreError("disk is full")
    await post.at(DUE - HOUR)
    assert post.hands.pause == RETRY_MS
    post.store.failing = None
    await post.hands.tick()
    assert await post.raised() == {60}


async def test_what_nobody_takes_up_is_passed_on_level_by_level(post: Post) -> None:
    """Each level once, in its order, at its time; then the force's inbox has it as well."""
    await post.start()
    await post.book()
    raised = DUE - HOUR
    await post.at(raised)
    name = alarm_of(HOUR)
    await post.at(raised + WITHIN_MS - 1)
    assert (await post.one(name)).escalations == ()
    await post.at(raised + WITHIN_MS)
    assert [one.to for one in (await post.one(name)).escalations] == [Role.SUPERINTENDENT]
    assert "force:inbox" in (await post.one(name)).scopes()
    await post.start_again()
    await post.at(raised + 2 * WITHIN_MS)
    for _ in range(3):
        await post.start_again()
        await post.hands.tick()
    passed_on = (await post.one(name)).escalations
    assert [(one.to, one.overdue_ms) for one in passed_on] == [(Role.SUPERINTENDENT, 0), (Role.CONTROL_ROOM, WITHIN_MS)]
    assert (await post.one(name)).deciding() == (Role.REVIEWING_OFFICER, Role.SUPERINTENDENT, Role.CONTROL_ROOM)


async def test_what_somebody_has_taken_up_is_passed_on_to_nobody(post: Post) -> None:
    """An acknowledgement stands in the record, with who gave it; the next warning comes all the same."""
    await post.start()
    await post.book()
    await post.at(DUE - HOUR)
    await post.acknowledge(alarm_of(HOUR))
    await post.at(DUE - HOUR + 2 * WITHIN_MS)
    alarm = await post.one(alarm_of(HOUR))
    assert not alarm.open
    assert alarm.escalations == ()
    assert alarm.scopes() == {"suite:castle"}
    entry = (await post.state(alarm_of(HOUR))).cells[alarms.ACKNOWLEDGED].entries[0]
    assert entry.stamp.author == SERGEANT
    assert await post.raised() == {60, 30}


async def test_what_is_done_is_over(post: Post) -> None:
    """The alarm ends by itself when nothing is due any more, and is passed on to nobody."""
    await post.start()
    await post.book()
    await post.at(DUE - HOUR)
    await post.check(DUE - HOUR)
    await post.at(DUE - HOUR + AGAIN_MS)
    alarm = await post.one(alarm_of(HOUR))
    assert alarm.over_at is not None
    assert not alarm.open
    await post.at(DUE)
    assert await post.raised() == {60}
    assert (await post.one(alarm_of(HOUR))).escalations == ()
    later = DUE - HOUR + REVIEW_EVERY_MS
    await post.at(later)
    assert alarm_of(0, later) in await post.all()


async def test_what_ended_while_no_server_ran_is_over_at_the_start(post: Post) -> None:
    """Also when the change that ended it was never told."""
    await post.start()
    await post.book()
    await post.at(DUE - HOUR)
    await post.stop()
    post.deaf = True
    await post.check(DUE - HOUR)
    post.deaf = False
    await post.start_again()
    assert (await post.one(alarm_of(HOUR))).over_at is not None


async def test_an_alarm_that_was_over_waits_again_when_it_is_due_again(post: Post) -> None:
    """What ended it is found to be wrong: the same record is opened, and no other made."""
    done = False

    def dues(record: Kind, settings: Settings, now: Millis) -> list[Due]:
        return [] if done else review_dues(record, settings, now)

    post.timetable = {"custody-booking": (dues,)}
    await post.start_again()
    await post.book()
    await post.at(DUE)
    done = True
    await post.check(NOW)
    await post.at(DUE + AGAIN_MS)
    assert not (await post.one(alarm_of(0))).open
    done = False
    await post.check(NOW)
    await post.at(DUE + 2 * AGAIN_MS)
    assert (await post.one(alarm_of(0))).open
    assert len(await post.all()) == 1


async def test_an_entry_that_bears_a_time_to_come_counts_from_then_on(post: Post) -> None:
    """Back from hospital in two minutes, by a watch that stood fast: checks fall due, though nothing is written since.

    The moment is looked at by itself, and not when somebody is next asked after a person in hospital.
    """
    post.timetable = timetable.TIMETABLE
    await post.start_again()
    back = NOW + 2 * MINUTE
    steps = [
        {"what": "arrival", "at": NOW - HOUR},
        {"what": "left-for-hospital", "at": NOW - 20 * MINUTE},
        {"what": "back-from-hospital", "at": back},
    ]
    await post.book(detention=steps)
    await post.hands.tick()
    assert {alarm.what for alarm in (await post.all()).values()} == set()
    await post.at(back)
    await post.at(back + HOUR)
    checks = [alarm for alarm in (await post.all()).values() if alarm.what == "check"]
    assert {(alarm.due_at, alarm.warn_ms) for alarm in checks} == {(back + HOUR, 0)}


async def test_what_was_long_overdue_when_it_came_wakes_nobody(post: Post) -> None:
    """Records of years ago can be brought in; up to a week late an alarm is raised."""
    await post.start()
    old, late = named_record_id("timers", "old"), named_record_id("timers", "late")
    await post.book(old, Millis(NOW - LATE_MS_MAX - REVIEW_EVERY_MS))
    await post.book(late, Millis(NOW - LATE_MS_MAX - REVIEW_EVERY_MS + 1))
    await post.hands.tick()
    assert {alarm.subject for alarm in (await post.all()).values()} == {late}


async def test_a_rule_that_fails_silences_no_other(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with the record, and what the other rules find is raised."""

    def broken(_record: Kind, _settings: Settings, _now: Millis) -> list[Due]:
        raise ZeroDivisionError

    post.timetable = {"custody-booking": (broken, review_dues)}
    await post.start_again()
    await post.book()
    await post.at(DUE)
    assert await post.raised() == {0}
    assert str(BOOKING) in caplog.text


async def test_other_settings_make_it_due_at_another_time(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a restart: what the force sets is a record, and every due time is computed anew.

    What cannot be read leaves those before in force.
    """

    def dues(record: Kind, settings: Settings, now: Millis) -> list[Due]:
        found = review_dues(record, settings, now)
        late_ms = settings.custody.late_ms if isinstance(settings.custody, Later) else 0
        return [msgspec.structs.replace(due, at=Millis(due.at + late_ms)) for due in found]

    def read(text: str) -> Settings:
        if not text.isdecimal():
            raise UsageError("no settings")
        return Settings(custody=Later(late_ms=int(text)))

    monkeypatch.setattr(timers, "from_text", read)
    post.timetable = {"custody-booking": (dues,)}
    await post.start_again()
    await post.book()
    for body in (str(HOUR), "what nobody can read"):
        values = {FieldName("body"): body}
        await post.office.bring([Draft(record=SETTINGS_RECORD, kind="settings", values=values)], SERGEANT)
        await post.hands.tick()
        await post.at(DUE)
        assert set(await post.all()) == {alarm_of(HOUR, DUE + HOUR)}
    assert isinstance((await post.state(SETTINGS_RECORD)).build(), ForceSettings)
    await post.start_again()
    assert set(await post.all()) >= {alarm_of(HOUR, DUE + HOUR)}


async def test_a_commit_whose_answer_was_lost_is_read_from_the_store(post: Post) -> None:
    """The store tells that the scope has moved, without saying what it holds."""
    await post.start()
    post.deaf = True
    await post.book()
    post.deaf = False
    heads = await post.store.heads()
    moved = tuple(
        ScopeChange(scope=scope, frm=head.seq, rows=(), members=(), gone=(), head=head)
        for scope, head in sorted(heads.items())
    )
    seq = max(head.seq for head in heads.values())
    post.timers.published(
        Settled(seq=seq, recorded_at=NOW, taken=0, results=(), ops=(), rows=(), scopes=moved),
    )
    await post.hands.rests.wait()
    await post.at(DUE)
    assert await post.raised() == {0}


def test_a_check_is_told_as_people_make_it() -> None:
    """The invented rule counts the checks of a booking, so that a review can be done in these tests."""
    check = Check(checked_at=Millis(NOW + HOUR), where="cell 4", response=Response.AWAKE)
    booking = CustodyBooking(
        suite="castle", detainee="A. Garside", arrested_at=NOW, detention_authorised_at=NOW, checks=(check,)
    )
    assert [due.at for due in review_dues(booking, Settings(), NOW)] == [DUE + HOUR]
