"""What an officer is told of an alarm: of the handheld's own, and of one whose record the server has made."""

from schemas.ids import Millis, RecordId
from schemas.kinds import Alarm
from sync.device.changes import AlarmFired
from sync.device.describing import record_called
from sync.device.store import Held
from sync.policing.due import Moment


def of_moment(held: Held, record: RecordId, moment: Moment, *, passed_on: bool) -> AlarmFired:
    """A warning that the handheld gives by itself.

    Args:
        held: the replica.
        record: the record in which something falls due.
        moment: the warning.
        passed_on: whether it comes to somebody who is warned because nobody else is known to have taken it up.
    """
    due, kind = moment.due, held.tables.kind_of(record) or ""
    words = f"Nobody is known to have taken this up. {due.words}" if passed_on else due.words
    return AlarmFired(
        alarm=moment.alarm,
        subject=record,
        about=record_called(held, record, kind),
        what=due.what.value,
        key=due.key,
        due_at=due.at,
        words=words,
    )


def of_record(held: Held, name: RecordId, alarm: Alarm) -> AlarmFired:
    """A warning that the server has given."""
    subject = RecordId(alarm.subject)
    return AlarmFired(
        alarm=name,
        subject=subject,
        about=record_called(held, subject, alarm.subject_kind),
        what=alarm.what,
        key=alarm.key,
        due_at=Millis(alarm.due_at),
        words=alarm.words,
    )


def open_alarm(held: Held, name: RecordId) -> Alarm | None:
    """An alarm of the server's that waits for somebody; None when there is none of that name, or it is over."""
    state = held.replica.view(name)
    alarm = None if state is None else state.build()
    return alarm if isinstance(alarm, Alarm) and alarm.open else None
