"""Alarms on the handheld: what falls due is told once, by the server's record or, when none comes, by the handheld.

The handheld computes what is due from its own replica, with the server's rules (`sync.policing.timetable`) and by its
corrected clock. Both name the same alarm, so whichever comes second is no news. Which alarms were told is kept with the
replica: a restart tells none again.

When there is no server to pass on what nobody takes up, the handhelds of those who are warned then do it themselves.

A server that comes back knows less than the handhelds: it warns of checks that were made while it was gone. What it
warns of and this handheld knows to be done is held back until the server has learned of it, and ends the alarm.
"""

import asyncio
import functools
import logging
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId, Millis, RecordId, named_record_id
from schemas.kinds import Alarm, ForceSettings, spec_of
from schemas.kinds.alarm import alarm_id
from schemas.roles import Role
from sync.device.alarm_words import of_moment, of_record, open_alarm
from sync.device.changes import STREAM_LEN_MAX, AlarmFired, ChangeFeed, Missed, RecordChanged
from sync.device.clocks import DeviceTime
from sync.device.force_settings import settings_in
from sync.device.signed_in import SignedIn
from sync.device.status import StatusBoard, SyncStatus
from sync.device.store import Committed, Held, Transactions
from sync.outbox import OpState
from sync.policing import alarms
from sync.policing.due import LATE_MS_MAX, Dues, Moment, What, come, next_moment
from sync.policing.timetable import TIMETABLE, begins_to_count, moments_of

_log = logging.getLogger(__name__)

LOOK_MS_MAX: Final = 60_000
"""The longest wait (ms): the clock may learn the time meanwhile, and a lease is used up by more than one clock."""
GRACE_MS: Final = 10_000
"""How long a handheld that is connected waits for the server (ms): for its record of an alarm, before it tells that by
itself; and for the end of one that is no longer due, before it tells it all the same."""
LEASE_WARN_MS: Final = (60 * 60_000, 15 * 60_000)
"""How long before the lease ends it is told (ms), while there is no connection that would renew it."""
_RECORDS_AT_ONCE: Final = 4
"""Records that one look at the replica reads: the clocks of one detention take milliseconds, and writes wait for it."""
_TOLD: Final = "alarms-told"

Timetable = Mapping[str, tuple[Dues, ...]]


class Told(msgspec.Struct, frozen=True, array_like=True):
    """An alarm that was told here.

    Attributes:
        subject: the record in which something falls due.
        due_at: when (ms since 1970); a while after that it is forgotten, and comes no more.
        told_at: when it was told (ms since 1970).
    """

    subject: RecordId
    due_at: Millis
    told_at: Millis


def told_in(held: Held) -> dict[RecordId, Told]:
    """The alarms that were told here."""
    raw = held.tables.meta(_TOLD)
    return {} if raw is None else msgspec.msgpack.decode(raw, type=dict[RecordId, Told])


def _keep(held: Held, told: Mapping[RecordId, Told], now: Millis) -> None:
    # As long after its time as it could be told at all, and once more for a clock that was wrong.
    left = {alarm: one for alarm, one in told.items() if now < one.due_at + 2 * LATE_MS_MAX}
    held.tables.set_meta(_TOLD, msgspec.msgpack.encode(left))


class LeaseWarning(msgspec.Struct, frozen=True):
    """That the lease of a seat ends at a time (ms since 1970), so long before."""

    device: DeviceId
    until: Millis
    warn_ms: int

    @property
    def seat(self) -> RecordId:
        """Stands for the seat where a record does elsewhere."""
        return named_record_id("seat", self.device)

    @property
    def alarm(self) -> RecordId:
        """Its name; there is no record of it."""
        return alarm_id(self.seat, What.LEASE.value, "", self.until, self.warn_ms, ())

    def fired(self) -> AlarmFired:
        """As it is told."""
        return AlarmFired(
            alarm=self.alarm,
            subject=None,
            about=f"the lease of {self.device}",
            what=What.LEASE.value,
            key="",
            due_at=self.until,
            words="Go where there is signal: without a word of the server records cannot be shown after that.",
        )


class _Look(msgspec.Struct, frozen=True, kw_only=True):
    """What is known before the transaction of a look: the records to ask, the alarms that came, the clock."""

    now: Millis
    connected: bool
    due: list[RecordId]
    came: Mapping[RecordId, None]
    lease: LeaseWarning | None


class _Dues(msgspec.Struct, frozen=True):
    """Every warning of what falls due in a record, and when something in it begins to count (ms since 1970)."""

    moments: list[Moment]
    again: Millis | None


class AlarmWatch:
    """Follows one replica, and tells each alarm once."""

    def __init__(  # noqa: PLR0917  the parts of the whole
        self,
        store: Transactions,
        feed: ChangeFeed,
        board: StatusBoard,
        time: DeviceTime,
        officer: SignedIn | None = None,
        timetable: Timetable = TIMETABLE,
    ) -> None:
        """Bind it; `run` begins.

        Args:
            store: the replica, as its officer may read it.
            feed: where alarms are told, and what changes is heard.
            board: whether the server is there.
            time: the corrected clock.
            officer: who is signed in; None at a program's seat, which is told everything.
            timetable: record kind -> what falls due in such a record.
        """
        self._store = store
        self._feed = feed
        self._board = board
        self._time = time
        self._officer = officer
        self._timetable = timetable
        self._moments: dict[RecordId, list[Moment]] = {}
        self._again: dict[RecordId, Millis] = {}
        """Records in which something begins to count at a time that is still to come (ms since 1970)."""
        self._at: dict[RecordId, Millis] = {}
        """When each record with warnings is to be looked at again (ms since 1970): a desk holds thousands of them."""
        self._looked_at = Millis(0)
        self._circumstances: tuple[bool, frozenset[Role] | None] | None = None
        """Whether there was a connection, and what the officer was: on these it hangs who is told when."""
        self._changed: dict[RecordId, None] = {}
        self._came: dict[RecordId, None] = {}
        self._doubted: dict[RecordId, Millis] = {}
        """The server's alarms that by this replica are not due, and until when they are held back (ms since 1970)."""
        self._known: set[RecordId] = set()
        """Alarms that were told, or that the server has made: of these none is told by the handheld."""
        self._all = True
        self._awake = asyncio.Event()
        self._stream = feed.subscribe(STREAM_LEN_MAX)

    async def run(self) -> None:
        """Tell what falls due, until the replica is destroyed or this is cancelled."""
        beside = [asyncio.create_task(self._hear()), asyncio.create_task(self._follow())]
        try:
            while self._board.now.wiped is None:
                self._awake.clear()
                try:
                    pause = await self.look()
                except ReplicaError as error:
                    # The lease has ended, or the seat is locked: nothing can be read until that is over.
                    _log.info("alarms wait: %s", error)
                    self._all, pause = True, LOOK_MS_MAX
                await self._wait(pause)
        finally:
            for one in beside:
                one.cancel()
            await asyncio.wait(beside)

    async def look(self) -> int:
        """Tell what is due now. Returns how long to wait for the next look (ms).

        Raises:
            ReplicaError: nothing may be read, or the database failed.
        """
        await self._learn()
        now, connected = self._time.now(), self._board.now.connected
        lease = None if connected else await self._lease_warning()
        looked = self._to_look_at(now, connected=connected)
        due = [record for record in looked if self._to_tell(self._moments[record], now, connected=connected)]

        def told(fired: tuple[AlarmFired, ...], committed: Committed) -> None:
            self._board.count(committed.revision, committed.waiting, committed.held, committed.sealed)
            for one in fired:
                self._feed.tell(one)

        if due or lease is not None or self._came or self._doubted:
            came, self._came = self._came | dict.fromkeys(self._doubted), {}
            at = _Look(now=now, connected=connected, due=due, came=came, lease=lease)
            await self._store.change(functools.partial(self._fire, at), told)
        self._at |= {record: self._next(self._moments[record], now) for record in looked}
        waits = [min(self._at.values(), default=now + LOOK_MS_MAX) - now]
        waits += [again - now for again in self._again.values()]
        waits += [until - now for until in self._doubted.values()]
        return max(1, min([LOOK_MS_MAX, *waits]))

    def _to_look_at(self, now: Millis, *, connected: bool) -> list[RecordId]:
        """The records in which something may have come since they were looked at last."""
        circumstances = (connected, None if self._officer is None else self._officer.roles)
        if circumstances != self._circumstances or now < self._looked_at:
            # Also when the clock was set back: what was to come at a time may have to wait, or not.
            self._at = dict.fromkeys(self._moments, now)
        self._circumstances, self._looked_at = circumstances, now
        return [record for record, at in self._at.items() if at <= now]

    # --- what changes ------------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        async for change in self._stream:
            match change:
                case RecordChanged():
                    if change.kind is ForceSettings:
                        self._all = True
                    elif change.kind is Alarm or spec_of(change.kind).name in self._timetable:
                        self._changed[change.record] = None
                    else:
                        continue
                case Missed():
                    self._all = True
                case _:
                    continue
            self._awake.set()

    async def _follow(self) -> None:
        """Look again when the server comes or goes: it tells the time, and raises alarms itself."""
        while True:
            before = self._board.now.connected
            try:
                await self._board.wait_until(functools.partial(_differs, before))
            except UsageError:
                # Closed.
                return
            self._awake.set()

    async def _wait(self, ms: int) -> None:
        waits = [asyncio.ensure_future(self._time.clock.sleep(ms)), asyncio.ensure_future(self._awake.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

    async def _learn(self) -> None:
        """Compute what falls due in the records that changed; in all of them at the start, and by other settings."""
        if self._all:
            records = await self._store.read(self._every_record)
            self._all = False
            self._moments.clear()
            self._at.clear()
            self._again.clear()
            self._known.clear()
            self._changed = dict.fromkeys(records)
        now = self._time.now()
        self._changed |= {record: None for record, again in self._again.items() if again <= now}
        while self._changed:
            # Taken out as a whole: to copy what is left for each part took a handheld of 125,000 records many seconds.
            changed, self._changed = list(self._changed), {}
            for start in range(0, len(changed), _RECORDS_AT_ONCE):
                part = changed[start : start + _RECORDS_AT_ONCE]
                try:
                    found = await self._store.read(functools.partial(self._look_at, part, self._time.now()))
                except BaseException:
                    self._changed = dict.fromkeys(changed[start:]) | self._changed
                    raise
                self._learned(found, now)

    def _learned(self, found: Mapping[RecordId, _Dues | None], now: Millis) -> None:
        for record, due in found.items():
            if due is None:
                self._came[record] = None
                continue
            self._moments.pop(record, None)
            self._at.pop(record, None)
            self._again.pop(record, None)
            if due.moments:
                self._moments[record] = due.moments
                self._at[record] = now
            if due.again is not None:
                self._again[record] = due.again

    def _every_record(self, held: Held) -> list[RecordId]:
        kinds = (*self._timetable, alarms.SPEC.name)
        return [record for kind in kinds for record in held.tables.records_of_kind(kind)]

    def _look_at(self, records: Iterable[RecordId], now: Millis, held: Held) -> dict[RecordId, _Dues | None]:
        """Record -> what falls due in it; None for an alarm."""
        settings = settings_in(held)
        found: dict[RecordId, _Dues | None] = {}
        for record in records:
            state = held.replica.view(record)
            if state is None:
                found[record] = _Dues([], None)
            elif state.spec is alarms.SPEC:
                found[record] = None
            else:
                moments = moments_of(state, settings, now, report, self._timetable)
                found[record] = _Dues(moments, begins_to_count(state, now))
        return found

    # --- what is told ------------------------------------------------------------------------------------------------

    def _is_mine(self, roles: Iterable[Role]) -> bool:
        mine = None if self._officer is None else self._officer.roles
        return mine is None or not mine.isdisjoint(roles)

    def _to_tell(self, found: Iterable[Moment], now: Millis, *, connected: bool) -> list[Moment]:
        """The warnings that the officer is to be told now. While there is a connection, the server's come first."""
        grace = GRACE_MS if connected else 0
        turns = ((one, self._turn(one, connected=connected)) for one in come(found, now, self._known))
        return [one for one, turn in turns if turn is not None and turn + grace <= now]

    def _turn(self, one: Moment, *, connected: bool) -> Millis | None:
        """When it is this officer's turn to be told (ms since 1970); None when it never is.

        Those who are warned as well when nobody takes it up are told then by their own handhelds while there is no
        server to do it: whether a colleague has taken it up, who has no signal either, cannot be known.
        """
        if self._is_mine(one.due.roles):
            return one.at
        if connected:
            return None
        levels = (level for level, role in enumerate(one.due.then, 1) if self._is_mine((role,)))
        level = next(levels, None)
        return None if level is None else Millis(one.at + level * one.due.within_ms)

    def _next(self, found: Iterable[Moment], now: Millis) -> Millis:
        """When to look again (ms since 1970)."""
        come_now = come(found, now, self._known)
        turns = [turn for one in come_now if (turn := self._turn(one, connected=False)) is not None]
        waiting = [at for turn in turns for at in (turn, turn + GRACE_MS) if at > now]
        upcoming = next_moment(found, now)
        return Millis(min([now + LOOK_MS_MAX, *waiting, *([] if upcoming is None else [upcoming])]))

    def _fire(self, at: _Look, held: Held) -> tuple[AlarmFired, ...]:
        """Keep what is told, and say it: in one transaction, so that no restart tells it again."""
        told, now, lease = told_in(held), at.now, at.lease
        fired: list[AlarmFired] = []
        for record in at.due:
            found = self._moments[record]
            self._known |= {one.alarm for one in found if one.alarm in told or held.tables.kind_of(one.alarm)}
            for one in self._to_tell(found, now, connected=at.connected):
                told[one.alarm] = Told(record, one.due.at, now)
                fired.append(of_moment(held, record, one, passed_on=not self._is_mine(one.due.roles)))
        doubted, self._doubted = self._doubted, {}
        for name in at.came:
            alarm = open_alarm(held, name)
            if alarm is None or name in told or not self._is_mine(alarm.deciding()):
                continue
            until = self._waits_until(held, name, alarm, doubted.get(name, Millis(now + GRACE_MS)), now)
            if now < until:
                self._doubted[name] = until
            else:
                told[name] = Told(RecordId(alarm.subject), alarm.due_at, now)
                fired.append(of_record(held, name, alarm))
        if lease is not None and lease.alarm not in told:
            told[lease.alarm] = Told(lease.seat, lease.until, now)
            fired.append(lease.fired())
        if fired:
            _keep(held, told, now)
        self._known |= told.keys()
        return tuple(fired)

    def _waits_until(self, held: Held, name: RecordId, alarm: Alarm, kept: Millis, now: Millis) -> Millis:
        """Until when an alarm of the server's is held back (ms since 1970); 0 for not at all.

        If by this replica it is not due: while own changes of its record are on their way, and a while after. One that
        the server has refused is no reason: what it says may never come to stand.
        """
        subject = RecordId(alarm.subject)
        state = held.replica.view(subject)
        if state is None or state.spec.name not in self._timetable:
            return Millis(0)
        if any(one.alarm == name for one in moments_of(state, settings_in(held), now, report, self._timetable)):
            return Millis(0)
        ahead = any(op.state is not OpState.HELD for op in held.tables.pending_ops(subject))
        return Millis(now + GRACE_MS) if ahead else kept

    async def _lease_warning(self) -> LeaseWarning | None:
        """That the lease ends soon, if it does: nothing can be read then, alarms included."""
        officer = self._officer
        if officer is None or officer.lease is None:
            return None
        left = await self._store.read(lambda _held: officer.seat.lease.remaining_ms())
        passed = [warn for warn in LEASE_WARN_MS if left <= warn < officer.lease.lasts_ms]
        return LeaseWarning(officer.seat.id, officer.lease.until, min(passed)) if passed else None


def _differs(before: bool, status: SyncStatus) -> bool:  # noqa: FBT001  bound before it is asked
    return status.connected != before


def report(error: Exception, where: str) -> None:
    """Log that a rule of time failed; see `sync.policing.timetable.Report`."""
    _log.error("a rule of the timetable failed on %s", where, exc_info=error)
