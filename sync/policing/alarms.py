"""Alarms from due times: what the rules write, when more people are warned, and when an alarm is over. Pure.

The server raises them (`server.timers`), and a handheld for itself when the server does not (`sync.device.alarming`),
both from here, so they agree on which there are.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Alarm, Escalation, spec_of
from sync import inbox
from sync.check import changed_fields
from sync.merge import RecordState
from sync.policing.due import Moment

SPEC: Final = spec_of(Alarm)
ACKNOWLEDGED: Final = FieldName("acknowledged")
ESCALATIONS: Final = FieldName("escalations")
OVER_AT: Final = FieldName("over_at")


def values(subject: RecordState, moment: Moment, raised_at: Millis) -> dict[FieldName, Any]:
    """What a new alarm says, as it travels.

    Args:
        subject: the record in which something falls due.
        moment: the warning.
        raised_at: now (ms since 1970).
    """
    due = moment.due
    alarm = Alarm(
        subject=subject.id,
        subject_kind=subject.spec.name,
        what=due.what.value,
        key=due.key,
        due_at=due.at,
        warn_ms=moment.warn_ms,
        roles=due.roles,
        then=due.then,
        within_ms=due.within_ms,
        words=due.words,
        source=due.source,
        places=tuple(inbox.places_of(subject)),
        raised_at=raised_at,
    )
    required = {name: getattr(alarm, name) for name, field in SPEC.fields.items() if field.required}
    return changed_fields(required)


def levels(alarm: Alarm) -> list[tuple[Millis, Escalation]]:
    """When whom to warn as well: (ms since 1970, what is then noted), in order; what was done is not left out.

    The first is warned when the time to acknowledge has passed since the alarm was raised, each other one after as long
    again.
    """
    within = alarm.within_ms
    return [
        (Millis(alarm.raised_at + (level + 1) * within), Escalation(to=role, overdue_ms=level * within))
        for level, role in enumerate(alarm.then)
    ]


def next_level(alarm: Alarm) -> Millis | None:
    """When somebody else is to be warned (ms since 1970); None when nobody is left, or it waits for nobody."""
    left = levels(alarm)[len(alarm.escalations) :] if alarm.open else []
    return left[0][0] if left else None


def missed(alarm: Alarm, now: Millis) -> list[Escalation]:
    """The levels that have come and were not warned, in order; each says by how much it is late."""
    left = levels(alarm)[len(alarm.escalations) :] if alarm.open else []
    by = alarm.raised_at + alarm.within_ms
    return [Escalation(to=level.to, overdue_ms=now - by) for at, level in left if at <= now]


def no_longer_due(found: Iterable[Moment], waiting: Mapping[RecordId, Alarm]) -> list[RecordId]:
    """Of the alarms of a record that wait for somebody, those that are no warning of anything that is still due.

    Args:
        found: every warning of what falls due in it.
        waiting: its alarms that are open.
    """
    still = {one.alarm for one in found}
    return [alarm for alarm in waiting if alarm not in still]


def plain(entries: Iterable[msgspec.Struct]) -> list[Any]:
    """Entries of a field that grows, as they travel."""
    return [msgspec.to_builtins(entry) for entry in entries]
