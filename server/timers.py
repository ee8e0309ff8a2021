"""Alarms from due times: one record for each warning, more people when nobody takes it up, and its end.

What falls due is computed from the records (`sync.policing.timetable`), and what was raised stands in the alarm
records, whose ids follow from what they warn of. So nothing has to be remembered: a server that was killed between
deciding and writing decides again, one that wrote and was killed before it knew finds the record there. What is kept
(`server.remembering`) only spares a start the reading of all that is closed.

An alarm is found over by this task and not in the commit that ends it: what is due hangs on the clock and on the
force's settings, and computing it for every change of every record would slow the one writer down, for an alarm that
does no harm when it lasts a moment longer.
"""

import asyncio
import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, RecordId, ScopeName, Seq
from schemas.kinds import Alarm, ForceSettings, spec_of
from schemas.limits import PAGE_ROWS_MAX
from schemas.settings import from_text
from server import remembering
from server.commits import Settled, Submission
from server.escalation import is_inbox
from server.falling_due import AUTHOR, FallingDue, Part, Wait, wait_in_real_time
from server.logbook import OFFICE
from server.rule_writer import RuleWriter
from server.store import Store
from sync import merge
from sync.merge import RecordState
from sync.policing import alarms
from sync.policing.due import Dues, Moment, come
from sync.policing.timetable import TIMETABLE, moments_of, next_look
from sync.session.steps import Head

_log = logging.getLogger(__name__)
_SETTINGS = spec_of(ForceSettings).name
_Says = Callable[[RecordState | None], Mapping[FieldName, Any]]


class Timers(FallingDue):
    """The task that raises alarms, has more people warned, and ends them."""

    def __init__(
        self,
        store: Store,
        office: RuleWriter,
        now: Callable[[], Millis],
        wait: Wait = wait_in_real_time,
        timetable: Mapping[str, tuple[Dues, ...]] = TIMETABLE,
    ) -> None:
        """Bind it.

        Args:
            store: where the records are.
            office: writes the alarms.
            now: the server's clock (ms since 1970).
            wait: how time passes.
            timetable: record kind -> what falls due in such a record.
        """
        super().__init__(store, now, wait)
        self._office = office
        self._timetable = timetable
        self._settings = office.settings
        self._open: dict[RecordId, dict[RecordId, Alarm]] = {}
        """Subject -> its alarms that wait for somebody."""
        self._heads: dict[ScopeName, Seq] = {}
        """Scope -> the last commit that was told; what it brought is read, or noted to be."""
        self._kept_at: Millis | None = None
        """When what is to come was last kept."""
        self.raised: Counter[str] = Counter()
        """Alarms that were raised since the start, by what they warn of."""

    @property
    def open_alarms(self) -> int:
        """Alarms that wait for somebody."""
        return sum(map(len, self._open.values()))

    def published(self, settled: Settled) -> None:
        """See `FallingDue`."""
        super().published(settled)
        self._heads.update((change.scope, change.head.seq) for change in settled.scopes)

    async def _begin(self, heads: Mapping[ScopeName, Head]) -> None:
        """Read what is to come as it was kept, and what has changed since; everything, where that does not hold."""
        self._heads = {scope: head.seq for scope, head in heads.items()} | self._heads
        for part in self._at_start(heads):
            self._unread.setdefault(part)
            if part == (_SETTINGS, None) or part[0] == alarms.SPEC.name:
                # All goes by the settings; and what was raised is looked at with what it warns of.
                await self._read_part(part)
                self._unread.pop(part, None)
        found = remembering.recalled(await self._store.secret(remembering.NAME), self._rules(), self._now())
        if found is None:
            return
        self._kept_at = found.at
        for kind in self._timetable:
            self._unread.pop((kind, None), None)
        for scope, seq in remembering.moved_since(found, heads).items():
            await self._read_changes(scope, seq)
        wanted = [*found.records, *self._open]
        for start in range(0, len(wanted), PAGE_ROWS_MAX):
            for row in (await self._store.existing(wanted[start : start + PAGE_ROWS_MAX])).values():
                self._note(row)
                await asyncio.sleep(0)

    async def _read_changes(self, scope: ScopeName, after: Seq) -> None:
        while True:
            changes = await self._store.changes(scope, after)
            for row in changes.rows:
                if self._concerns(decode_row(row).kind):
                    self._note(row)
                    await asyncio.sleep(0)
            if changes.head is not None:
                return
            after = changes.to

    async def _rest(self) -> None:
        now = self._now()
        if self._kept_at is not None and self._kept_at <= now < self._kept_at + remembering.EVERY_MS:
            return
        # A commit whose record rests is among the heads: after a restart nobody would look at it for that.
        records = tuple({**dict.fromkeys(self._due), **dict.fromkeys(self._resting)})
        found = remembering.ToCome(rules=self._rules(), at=now, heads=dict(self._heads), records=records)
        kept = {remembering.NAME: remembering.kept_form(found)}
        await self._office.keep(Submission(OFFICE, frozenset(), (), secrets=kept))
        self._kept_at = now

    def _rules(self) -> str:
        return remembering.rules_of(self._settings, self._timetable)

    def _concerns(self, kind: str) -> bool:
        return kind in self._timetable or kind in {alarms.SPEC.name, _SETTINGS}

    def _at_start(self, scopes: Iterable[ScopeName]) -> Iterable[Part]:
        # The settings first, since all goes by them; then what was raised, so that what is over is known from it.
        waiting = [(alarms.SPEC.name, scope) for scope in sorted(scopes) if is_inbox(scope)]
        return [(_SETTINGS, None), *waiting, *((kind, None) for kind in self._timetable)]

    def _moved(self, scope: ScopeName) -> Iterable[Part]:
        return [(kind, scope) for kind in (_SETTINGS, alarms.SPEC.name, *self._timetable)]

    def _next(self, state: RecordState) -> Millis | None:
        record = state.build()
        if isinstance(record, Alarm):
            return self._note_alarm(state.id, record)
        if isinstance(record, ForceSettings):
            self._take_settings(record)
            return None
        now = self._now()
        found = self._moments(state, now)
        if come(found, now, ()) or alarms.no_longer_due(found, self._open.get(state.id, {})):
            return now
        return next_look(state, found, now)

    def _note_alarm(self, name: RecordId, alarm: Alarm) -> Millis | None:
        of_subject = self._open.setdefault(alarm.subject, {})
        if alarm.open:
            of_subject[name] = alarm
        else:
            of_subject.pop(name, None)
            if not of_subject:
                del self._open[alarm.subject]
        return alarms.next_level(alarm)

    def _take_settings(self, record: ForceSettings) -> None:
        """Go by other settings: everything is due at other times."""
        try:
            settings = from_text(record.body)
        except UsageError:
            # The alarms go on under the settings before, rather than stop.
            _log.exception("the timers go by the settings that they had")
            return
        if settings != self._settings:
            self._settings = settings
            self._unread.update({(kind, None): None for kind in self._timetable})

    def _moments(self, state: RecordState, now: Millis) -> list[Moment]:
        return moments_of(state, self._settings, now, _report, self._timetable)

    async def _do(self, record: RecordId) -> None:
        # It is read anew: what was due when it was noted may have been done since.
        row = await self._store.record(record)
        if row is None:
            self._open.pop(record, None)
            return
        state = merge.from_row(decode_row(row))
        if isinstance(state.build(), Alarm):
            await self._escalate(state.id)
            return
        now = self._now()
        found = self._moments(state, now)
        known = await self._store.existing([one.alarm for one in found])
        for one in come(found, now, known):
            if await self._write(one.alarm, functools.partial(_raised, state, one, now)):
                self.raised[one.due.what.value] += 1
                _log.warning("%s of %s %s: alarm %s", one.due.what.value, state.spec.name, record, one.alarm)
        for one in found:
            if one.alarm in known:
                await self._write(one.alarm, _due_again)
        for name in alarms.no_longer_due(found, self._open.get(record, {})):
            await self._write(name, functools.partial(_over, now))
        self._at(record, next_look(state, found, now))

    async def _escalate(self, name: RecordId) -> None:
        def says(state: RecordState | None) -> Mapping[FieldName, Any]:
            alarm = None if state is None else state.build()
            fresh = alarms.missed(alarm, self._now()) if isinstance(alarm, Alarm) else []
            return {alarms.ESCALATIONS: alarms.plain(fresh)} if fresh else {}

        if await self._write(name, says):
            _log.warning("alarm %s: nobody has acknowledged it; more people are warned", name)
        row = await self._store.record(name)
        if row is not None:
            self._look_again(name, row)

    async def _write(self, name: RecordId, says: _Says) -> bool:
        try:
            return await self._office.by_rule(name, alarms.SPEC, says, AUTHOR)
        except UsageError:
            # One that cannot be written must not keep the others of its record from being raised.
            _log.exception("alarm %s cannot be written", name)
            return False


def _raised(subject: RecordState, moment: Moment, now: Millis, alarm: RecordState | None) -> Mapping[FieldName, Any]:
    return alarms.values(subject, moment, now) if alarm is None else {}


def _due_again(state: RecordState | None) -> Mapping[FieldName, Any]:
    """An alarm that was over, of what is due once more: a check that ended it was found to be none."""
    alarm = None if state is None else state.build()
    return {alarms.OVER_AT: None} if isinstance(alarm, Alarm) and alarm.over_at is not None else {}


def _over(now: Millis, state: RecordState | None) -> Mapping[FieldName, Any]:
    alarm = None if state is None else state.build()
    return {alarms.OVER_AT: now} if isinstance(alarm, Alarm) and alarm.open else {}


def _report(error: Exception, where: str) -> None:
    _log.error("a rule of the timetable failed on %s", where, exc_info=error)
