"""The task that issues the alerts of integrated offender management, as soon as a record names a member of a cohort.

It hears of every commit, so an alert follows at once; what it missed while the server was down it finds at the start,
as far back as an alert stands. Which alerts follow is a pure rule (`sync.policing.briefings.cohorts`).
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from schemas.codec import decode_row
from schemas.ids import UUID_RANDOM_BYTES, FieldName, Millis, RecordId, ScopeName, new_record_id
from schemas.kinds import Briefing, Cohort, CustodyBooking, Incident, spec_of
from schemas.limits import SNAPSHOT_ROWS_MAX
from server.falling_due import AUTHOR, FallingDue, Part, Wait, wait_in_real_time
from server.office import Draft, Office
from server.store import Store
from sync import merge
from sync.check import changed_fields
from sync.merge import RecordState
from sync.policing.briefings.cohorts import alerts

_COHORT: Final = spec_of(Cohort).name
_NAMING: Final = (spec_of(CustodyBooking).name, spec_of(Incident).name)
_BRIEFING: Final = spec_of(Briefing)


class Cohorts(FallingDue):
    """See the module's text."""

    def __init__(self, store: Store, office: Office, now: Callable[[], Millis], wait: Wait = wait_in_real_time) -> None:
        """Bind it.

        Args:
            store: where the records are.
            office: issues the alerts.
            now: the server's clock (ms since 1970).
            wait: how time passes.
        """
        super().__init__(store, now, wait)
        self._office = office
        self._cohorts: dict[RecordId, Cohort] = {}

    def _concerns(self, kind: str) -> bool:
        return kind == _COHORT or kind in _NAMING

    def _at_start(self, scopes: Iterable[ScopeName]) -> Iterable[Part]:  # noqa: ARG002  all scopes are read
        return [(_COHORT, None), *((kind, None) for kind in _NAMING)]

    def _moved(self, scope: ScopeName) -> Iterable[Part]:
        return [(kind, scope) for kind in (_COHORT, *_NAMING)]

    async def _read_part(self, part: Part) -> None:
        kind, scope = part
        if kind == _COHORT:
            await super()._read_part(part)
            return
        # Ids begin with the time of making: what is older than an alert stands is not read.
        since = max(self._now() - self._office.settings.briefings.cohort_alert_ms, 0)
        after = new_record_id(Millis(since), bytes(UUID_RANDOM_BYTES))
        while self._cohorts and (rows := await self._store.records(kind, scope, after, SNAPSHOT_ROWS_MAX)):
            for row in rows:
                self._note(row)
            after = decode_row(rows[-1]).id

    def _next(self, state: RecordState) -> Millis | None:
        record = state.build()
        if isinstance(record, Cohort):
            self._cohorts[state.id] = record
            return None
        return self._now() if self._alerts(state) else None

    def _alerts(self, state: RecordState) -> dict[RecordId, Briefing]:
        return alerts(self._cohorts, state.id, state.build(), self._office.settings, self._now())

    async def _do(self, record: RecordId) -> None:
        row = await self._store.record(record)
        if row is None:
            return
        found = self._alerts(merge.from_row(decode_row(row)))
        known = await self._store.existing(list(found))
        drafts = [
            Draft(record=alert, kind=_BRIEFING.name, values=_values(briefing))
            for alert, briefing in found.items()
            if alert not in known
        ]
        await self._office.bring(drafts, AUTHOR)


def _values(briefing: Briefing) -> dict[FieldName, object]:
    """What the record says: its fields but for those that hold their default."""
    said = {
        FieldName(field.name): getattr(briefing, field.name)
        for field in msgspec.structs.fields(briefing)
        if field.required or getattr(briefing, field.name) != field.default
    }
    return changed_fields(said)
