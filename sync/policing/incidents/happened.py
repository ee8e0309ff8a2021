"""What is written as done has happened: an entry of an incident bears no time that is still to come.

The times are those by which a unit has arrived, a decision was in time and a victim was told, so one that is written
before it comes about would end what falls due while nothing was done (HMIC 2014, on what was recorded and what was
not). Late entry is no matter: the stamp tells when it was recorded.
"""

from collections.abc import Iterator
from typing import Final

from schemas.ids import FieldName
from schemas.kinds import Incident
from sync.policing.guards import Breach, Look

_TIMES: Final = {
    "deployments": ("at", "A unit's step"),
    "methane": ("at", "The report from the scene"),
    "arrests": ("arrested_at", "An arrest"),
    "gradings": ("graded_at", "The grading"),
    "first_contact": ("asked_at", "What somebody was asked"),
    "assessments": ("assessed_at", "The risk assessment"),
    "crimes": ("decided_at", "The decision to record a crime"),
    "not_crimes": ("decided_at", "The decision that it is no crime"),
    "cancellations": ("decided_at", "The cancellation"),
    "registrar_cancellations": ("decided_at", "The cancellation"),
    "passing": ("at", "A step of passing the incident on"),
    "victims_told": ("told_at", "Telling the victim"),
}
"""Field -> what holds the time of an entry of it (ms since 1970), and what the entry is to an officer."""


def nothing_to_come(look: Look) -> Iterator[Breach]:
    """An entry is written when it has happened; by the device's clock, which may be so much slow (`early_entry_ms`)."""
    if not isinstance(look.after, Incident):
        return
    last = look.now + look.settings.incidents.early_entry_ms
    for field, (time, what) in _TIMES.items():
        if any(entry[time] > last for entry in look.changes.get(FieldName(field), ())):
            yield Breach(
                rule="entry-to-come",
                why=f"{what} bears a time that is still to come.",
                remedy="Enter it when it has happened, with the time at which it did.",
                source="DOMAIN, Incidents: attendance is the declared arrival; National Crime Recording Standard",
            )
