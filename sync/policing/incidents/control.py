"""The control room's queue: open incidents by how urgent they are and how much time is left, from what falls due."""

from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.ids import Millis, RecordId
from schemas.kinds import Incident
from schemas.kinds.incident import IncidentStatus
from schemas.settings import Settings
from sync.policing.due import Due
from sync.policing.incidents.contact import URGENCY
from sync.policing.incidents.dues import dues
from sync.policing.incidents.numbers import called

_LAST: Final = 2**63
"""Behind everything that has a time."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One incident in the queue.

    Attributes:
        record: which.
        called: its URN, or its provisional id.
        grade: how urgent it is.
        due: what falls due in it next; None for nothing.
        left_ms: how much time is left until then (ms); below 0 it is overdue.
    """

    record: RecordId
    called: str
    grade: str
    due: Due | None
    left_ms: int | None


def queue(held: Mapping[RecordId, Incident], settings: Settings, now: Millis) -> tuple[Waiting, ...]:
    """The open incidents: the most urgent grade first, in a grade whatever falls due first, then the oldest.

    Args:
        held: the incidents in the replica.
        settings: the force's.
        now: the clock (ms since 1970).
    """
    rows = []
    for record, incident in held.items():
        if incident.status is IncidentStatus.CLOSED:
            continue
        due = min(dues(incident, settings, now), key=lambda one: one.at, default=None)
        # A grade that only a newer program knows may be graver than any that is known here.
        rank = URGENCY.index(incident.grade) if incident.grade in URGENCY else len(URGENCY)
        waiting = Waiting(
            record=record,
            called=called(record, incident),
            grade=str(incident.grade.value),
            due=due,
            left_ms=None if due is None else due.at - now,
        )
        rows.append(((-rank, _LAST if due is None else due.at, incident.opened_at, record), waiting))
    return tuple(waiting for _, waiting in sorted(rows, key=lambda row: row[0]))
