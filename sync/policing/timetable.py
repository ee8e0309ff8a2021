"""What falls due in which kind of record: every rule of time in one table, for the timers of server and handheld."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from schemas.ids import Millis
from schemas.kinds import CustodyBooking, InboxItem, Kind
from schemas.settings import Settings
from sync.merge import RecordState
from sync.policing.briefings import dues as briefing_dues
from sync.policing.custody import dues as custody_dues
from sync.policing.custody import dues_checks
from sync.policing.custody.checks import credible
from sync.policing.custody.to_come import next_to_count
from sync.policing.due import Due, Dues, Moment, What, moments, next_moment
from sync.policing.handing import deployment, passing, taking
from sync.policing.incidents import dues as incidents
from sync.policing.incidents import protection

Report = Callable[[Exception, str], None]
"""Takes what a rule failed with, and at which record: whoever runs the rules has a log, the rules have none."""


def inbox_dues(record: Kind, _settings: Settings, _now: Millis) -> list[Due]:
    """That a decision is overdue. More people are asked by the item itself (`Asks.then`), so nobody is named here.

    Source: the field's own declaration (`Asks`); docs/explanation/conflicts.md.
    """
    if not isinstance(record, InboxItem) or not record.open:
        return []
    return [
        Due(
            what=What.INBOX,
            at=record.due_at,
            roles=record.roles,
            then=(),
            within_ms=0,
            words=f"Decide about {record.field.replace('_', ' ')}: the time to decide has passed.",
            source="the record kind's declaration of who decides, and by when",
        )
    ]


TIMETABLE: Final[Mapping[str, tuple[Dues, ...]]] = {
    "briefing": (briefing_dues.dues,),
    "custody-booking": (custody_dues.dues, dues_checks.dues),
    "deployment-request": (deployment.dues,),
    "handover": (taking.dues,),
    "inbox-item": (inbox_dues,),
    "incident": (incidents.dues, passing.dues),
    "protection-plan": (protection.dues,),
    "resource": (deployment.loan_dues,),
}
"""Record kind -> what falls due in such a record."""
TO_COME: Final[Mapping[str, Callable[[Kind, Millis], Millis | None]]] = {"custody-booking": next_to_count}
"""Record kind -> when something in such a record begins to count that does not yet, and may fall due by it."""


def moments_of(
    state: RecordState,
    settings: Settings,
    now: Millis,
    report: Report,
    timetable: Mapping[str, tuple[Dues, ...]] = TIMETABLE,
) -> list[Moment]:
    """Every warning of what falls due in a record, the earliest first.

    A rule that fails is reported, and the others go on: a mistake in one must not silence the alarms of all.

    Args:
        state: the record.
        settings: the force's.
        now: the clock (ms since 1970).
        report: told of a rule that failed.
        timetable: kind -> rules.
    """
    found: list[Due] = []
    record = as_counted(state, settings)
    for dues in timetable.get(state.spec.name, ()):
        try:
            found += dues(record, settings, now)
        except Exception as error:  # noqa: BLE001  whatever is wrong with it
            report(error, f"{state.spec.name} {state.id}")
    return moments(state.id, found)


def as_counted(state: RecordState, settings: Settings) -> Kind:
    """A record as the rules of time see it: without what counts for nothing by who entered it, and when.

    Args:
        state: the record.
        settings: the force's.
    """
    record = state.build()
    return credible(state, record, settings.care) if isinstance(record, CustodyBooking) else record


def next_look(state: RecordState, found: Iterable[Moment], now: Millis) -> Millis | None:
    """When a record is to be looked at again (ms since 1970); None when not before it changes.

    At its next warning, or when something in it begins to count by which another warning comes.

    Args:
        state: the record.
        found: as `moments_of` gives them.
        now: the clock (ms since 1970).
    """
    times = (next_moment(found, now), begins_to_count(state, now))
    return min((at for at in times if at is not None), default=None)


def begins_to_count(state: RecordState, now: Millis) -> Millis | None:
    """When something in a record next begins to count that does not yet (ms since 1970); None when nothing does."""
    to_come = TO_COME.get(state.spec.name)
    return None if to_come is None else to_come(state.build(), now)
