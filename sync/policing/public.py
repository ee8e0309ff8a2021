"""What a victim may see of their own report: a short list of things, in words that were written for them to read.

No text of a record is copied but its number: where it stands and what was decided are told in the words below. No
officer, no other person, no place and no reason that an officer wrote can therefore leave, whatever the record holds.
Of an incident in a compartment nothing is told, not even that there is one.

Sources: DOMAIN, Incidents (victim told if not recorded); the Code of Practice for Victims of Crime (2020), right 6, to
be given information about the investigation; the seed row "victim tracks their incident".
"""

from typing import Final

import msgspec

from schemas.ids import Millis, MillisInt, RecordId
from schemas.kinds import Incident
from schemas.kinds.call import Part
from schemas.kinds.incident import Category, IncidentStatus
from schemas.scopes import closed
from schemas.settings.incidents import IncidentSettings
from sync.policing.incidents import contact
from sync.policing.incidents.numbers import called
from sync.policing.incidents.recording import cancelled, decide_by

STANDS: Final = {
    IncidentStatus.OPEN: "We have your report.",
    IncidentStatus.ASSIGNED: "Officers have been assigned to your report.",
    IncidentStatus.ATTENDED: "Officers have attended, and are still dealing with your report.",
    IncidentStatus.CLOSED: "We have finished dealing with your report.",
}
DEALT_WITH: Final = "We are dealing with your report."
"""Where it stands when only a newer program knows the word for it."""
RECORDED: Final = "We have recorded a crime."
CANCELLED: Final = "We recorded a crime, and have since cancelled that record."
NOT_RECORDED: Final = "We have not recorded a crime."
UNDECIDED: Final = "We have not yet decided whether to record a crime."
NO_CRIME_REPORTED: Final = "Your report was not one of a crime."


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How a victim's report stands.

    Attributes:
        reference: its number, to quote.
        reported_at: when it was reported (ms since 1970).
        stands: where it stands.
        decided: whether a crime was recorded.
        told_at: when we last told the victim what was decided, and why (ms since 1970); null when we have not.
        next_update_at: until when something new is to be heard (ms since 1970); null when nothing is due.
        contact: the area that deals with it, by its public name.
    """

    reference: str
    reported_at: MillisInt
    stands: str
    decided: str
    told_at: MillisInt | None
    next_update_at: MillisInt | None
    contact: str


def tellable(incident: Incident) -> bool:
    """Whether anything of it may be told to a victim: nothing of what is in a compartment is."""
    return not any(map(closed, incident.scopes()))


def victims(incident: Incident) -> frozenset[str]:
    """Those to whom it may be told how it stands: who is a victim in it, as they are named there."""
    return frozenset(one.name for one in incident.people if one.part is Part.VICTIM)


def progress(
    record: RecordId, incident: Incident, person: str, contact: str, settings: IncidentSettings
) -> Progress | None:
    """How it stands, for one victim; None when there is nothing to tell them.

    Args:
        record: the incident's id, from which it is called while it has no number.
        incident: as it is now.
        person: the victim, as the incident names them.
        contact: the area's public name.
        settings: the force's: how long a decision and telling the victim may take.
    """
    if not tellable(incident) or person not in victims(incident):
        return None
    told = max((one.told_at for one in incident.victims_told if _same(one.person, person)), default=None)
    decided = _Decision.of(incident, person, settings)
    due = decide_by(incident, settings) if decided.at is None else Millis(decided.at + settings.told_ms)
    heard = decided.at is not None and told is not None and told >= decided.at
    return Progress(
        reference=called(record, incident),
        reported_at=incident.opened_at,
        stands=STANDS.get(incident.status, DEALT_WITH),
        decided=decided.words,
        told_at=told,
        next_update_at=None if heard else due,
        contact=contact,
    )


def _same(name: str, person: str) -> bool:
    """Whether an entry is about this person: each was typed by another officer, in capitals or not."""
    return contact.called(name) == contact.called(person)


class _Decision(msgspec.Struct, frozen=True):
    """What was decided of the crimes against one person, and when (ms since 1970); None where nothing was."""

    words: str
    at: int | None

    @classmethod
    def of(cls, incident: Incident, person: str, settings: IncidentSettings) -> "_Decision":
        """What was decided of the crimes against this person. What others suffered is not theirs to learn."""
        gone = cancelled(incident, settings)
        last = {each.crime: each for each in incident.crimes}
        own = {handle: each for handle, each in last.items() if each.victim is None or _same(each.victim, person)}
        stand = [each.decided_at for handle, each in own.items() if handle not in gone]
        if stand:
            return cls(RECORDED, max(stand))
        ended = [gone[handle].decided_at for handle in own]
        if ended:
            return cls(CANCELLED, max(ended))
        if incident.not_crimes:
            return cls(NOT_RECORDED, max(each.decided_at for each in incident.not_crimes))
        return cls(UNDECIDED if incident.category is Category.CRIME else NO_CRIME_REPORTED, None)
