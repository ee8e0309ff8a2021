"""The calls of `Handheld` for alarms: what falls due and waits for somebody, and that this officer takes it up."""

import functools

import msgspec

from schemas.errors import UsageError
from schemas.ids import Millis, RecordId
from schemas.kinds import Acknowledgement, Alarm
from schemas.roles import Role
from sync.device.alarm_watch import Timetable, Told, report, told_in
from sync.device.describing import record_called
from sync.device.force_settings import settings_in
from sync.device.lookups import plain_values
from sync.device.store import Held
from sync.device.views import typed
from sync.device.writing import Draft, Writer, Written
from sync.merge import RecordState
from sync.policing import alarms
from sync.policing.due import Moment
from sync.policing.timetable import TIMETABLE, moments_of


class DueAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm that waits for somebody to take it up.

    Attributes:
        alarm: its record, or what that will be named.
        subject, subject_kind, about: the record in which something falls due, its kind, and what it is called.
        what, key: what falls due, and of which of several.
        due_at: when (ms since 1970).
        overdue: whether that time has passed.
        words, source: what to do, and where it is laid down.
        roles: who may take it up.
        on_server: whether the server has made its record.
    """

    alarm: RecordId
    subject: RecordId
    subject_kind: str
    about: str
    what: str
    key: str
    due_at: Millis
    overdue: bool
    words: str
    source: str
    roles: tuple[Role, ...]
    on_server: bool


class Alarming(Writer):
    """The part of `Handheld` about what falls due."""

    _timetable: Timetable = TIMETABLE

    async def due_alarms(self) -> list[DueAlarm]:
        """The alarms that wait for this officer to take them up: what is due soonest comes first.

        Those that the server has raised, and those that this handheld has told by itself.

        Raises:
            ReplicaError: the database failed.
        """
        now = self._time.now()
        return await self._store.read(functools.partial(self._waiting, now))

    async def acknowledge_alarm(self, alarm: RecordId, note: str = "", *, occurred_at: int | None = None) -> Written:
        """Take an alarm up, so that nobody else is warned. Without signal too, also one that the server has not made.

        Args:
            alarm: as `due_alarms` and `AlarmFired` name it.
            note: what is done about it, in words; it stands with the alarm for ever.
            occurred_at: when it was taken up (ms since 1970); now by default.

        Raises:
            UsageError: there is no such alarm here, it is taken up or over already, or it is not this officer's to take
                up. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        entry = {alarms.ACKNOWLEDGED: [Acknowledgement(note=note.strip() or None)]}

        def prepare(held: Held, now: Millis) -> Draft:
            changes = plain_values(entry)
            kept = held.replica.view(alarm)
            if kept is not None:
                _require_waiting(typed(kept, Alarm))
                return Draft(record=alarm, spec=alarms.SPEC, changes=changes)
            found = self._own(held, alarm, now)
            if found is None:
                raise UsageError(f"there is no alarm {alarm!r} that waits here: due_alarms() tells which there are")
            subject, moment, told = found
            made = alarms.values(subject, moment, told.told_at)
            return Draft(record=alarm, spec=alarms.SPEC, changes=made | changes, create=True)

        return await self._write(prepare, occurred_at, "")

    def _waiting(self, now: Millis, held: Held) -> list[DueAlarm]:
        mine = None if self._signed_in is None else self._signed_in.roles
        found = []
        for state in held.replica.views(alarms.SPEC):
            alarm = typed(state, Alarm)
            if alarm.open and (mine is None or not mine.isdisjoint(alarm.deciding())):
                found.append(_due_alarm(held, state.id, alarm, now, on_server=True))
        for name in told_in(held):
            own = None if held.tables.kind_of(name) else self._own(held, name, now)
            if own is not None:
                subject, moment, told = own
                values = alarms.values(subject, moment, told.told_at)
                alarm = msgspec.convert(values, Alarm)
                found.append(_due_alarm(held, name, alarm, now, on_server=False))
        return sorted(found, key=lambda one: (one.due_at, one.alarm))

    def _own(self, held: Held, name: RecordId, now: Millis) -> tuple[RecordState, Moment, Told] | None:
        """An alarm that was told here and has no record; None when there is none, or it is no longer due."""
        told = told_in(held).get(name)
        subject = None if told is None else held.replica.view(told.subject)
        if told is None or subject is None:
            return None
        found = moments_of(subject, settings_in(held), now, report, self._timetable)
        return next(((subject, one, told) for one in found if one.alarm == name), None)


def _require_waiting(alarm: Alarm) -> None:
    if alarm.acknowledged:
        raise UsageError("this alarm is taken up already: a log entry of the record says what else is done")
    if alarm.over_at is not None:
        raise UsageError("this alarm is over: what it warned of is done, or is due at another time")


def _due_alarm(held: Held, name: RecordId, alarm: Alarm, now: Millis, *, on_server: bool) -> DueAlarm:
    subject = RecordId(alarm.subject)
    return DueAlarm(
        alarm=name,
        subject=subject,
        subject_kind=alarm.subject_kind,
        about=record_called(held, subject, alarm.subject_kind),
        what=alarm.what,
        key=alarm.key,
        due_at=Millis(alarm.due_at),
        overdue=alarm.due_at <= now,
        words=alarm.words,
        source=alarm.source,
        roles=alarm.deciding(),
        on_server=on_server,
    )
