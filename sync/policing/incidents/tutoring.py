"""Officers in probation: the fields that they are led through, and what a tutor has still to look at.

Who is in probation is a setting of the force, because a handheld with no signal holds the settings and not the
registry. What such an officer writes counts at once, as anybody's does; it is marked until a tutor has confirmed it.
"""

from typing import Final

from schemas.ids import FieldName, Millis, OpId
from schemas.kinds import Incident
from schemas.settings.incidents import IncidentSettings
from sync.merge import RecordState
from sync.policies import Cell

CONFIRMATIONS: Final = FieldName("confirmations")


def in_probation(officer: str, at: Millis, settings: IncidentSettings) -> bool:
    """Whether a tutor confirms what the officer writes at that time (ms since 1970)."""
    return any(
        one.officer.casefold() == officer.casefold() and (one.until is None or at < one.until)
        for one in settings.probation
    )


def unconfirmed(state: RecordState, settings: IncidentSettings) -> tuple[OpId, ...]:
    """The changes in a record that a tutor has still to confirm, in the order in which they happened.

    A confirmation counts when it is by somebody else who is not in probation themselves.
    """
    stamps = {
        stamp.op: stamp
        for name, cell in state.cells.items()
        if name != CONFIRMATIONS
        for stamp in cell.stamps()
        if in_probation(stamp.author, Millis(stamp.ms), settings)
    }
    confirmed = {
        entry.value["op"]
        for entry in state.cells.get(CONFIRMATIONS, Cell()).entries
        if entry.value["op"] in stamps
        and entry.stamp.author != stamps[entry.value["op"]].author
        and not in_probation(entry.stamp.author, Millis(entry.stamp.ms), settings)
    }
    left = [stamp for op, stamp in stamps.items() if op not in confirmed]
    return tuple(stamp.op for stamp in sorted(left, key=lambda stamp: (stamp.occurred_at, stamp.order)))


def guided(incident: Incident, settings: IncidentSettings) -> tuple[FieldName, ...]:
    """The fields that the force's guides for such an incident name and that are still empty, in order."""
    about = {str(incident.category.value), *incident.qualifiers}
    named = (name.replace("-", "_") for guide in settings.guides if guide.when in about for name in guide.fields)
    return tuple(FieldName(name) for name in dict.fromkeys(named) if not getattr(incident, name, None))
