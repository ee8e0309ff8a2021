"""Whether a report is a crime, which recorded crimes stand, and how sound the cancelled ones are.

Source: Home Office Counting Rules and the National Crime Recording Standard, as DOMAIN (Incidents) tells of them; HMIC
2014 found too many reports not recorded and too many crimes cancelled without cause.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from schemas.ids import FieldName, Millis, OfficerId, RecordId
from schemas.kinds import Incident
from schemas.kinds.crime import Cancellation, Crime
from schemas.kinds.incident import Category
from schemas.settings.incidents import IncidentSettings
from sync.merge import RecordState
from sync.policies import Cell

_CRIMES: Final = FieldName("crimes")
_BY_ANYBODY: Final = FieldName("cancellations")
_BY_REGISTRAR: Final = FieldName("registrar_cancellations")


def decided(incident: Incident) -> bool:
    """Whether somebody has decided if it is a crime: one is recorded, or why none is."""
    return bool(incident.crimes or incident.not_crimes)


def decide_by(incident: Incident, settings: IncidentSettings) -> Millis | None:
    """Until when that is to be decided (ms since 1970); None when it is, or when no crime was reported.

    The time runs from the report, not from the entry: one that was written down late is late.
    """
    if incident.category is not Category.CRIME or decided(incident):
        return None
    return Millis(incident.opened_at + settings.decision_ms)


def for_registrar_only(incident: Incident, crime: str, settings: IncidentSettings) -> bool:
    """Whether only the Force Crime Registrar may cancel it: anybody ever recorded it as of such a sort (rape)."""
    return any(one.crime == crime and one.type in settings.registrar_only for one in incident.crimes)


def cancelled(incident: Incident, settings: IncidentSettings) -> dict[str, Cancellation]:
    """Crime -> the cancellation that counts. One of a rape counts only where the registrar alone can write it."""
    known = {one.crime for one in incident.crimes}
    found = {
        one.crime: one
        for one in incident.cancellations
        if one.crime in known and not for_registrar_only(incident, one.crime, settings)
    }
    return found | {one.crime: one for one in incident.registrar_cancellations if one.crime in known}


def standing(incident: Incident, settings: IncidentSettings) -> dict[str, Crime]:
    """Crime -> its last description, of those that are recorded and not cancelled."""
    gone = cancelled(incident, settings)
    return {one.crime: one for one in incident.crimes if one.crime not in gone}


def involved_in(incident: Incident, crime: str) -> frozenset[str]:
    """Who is not independent of it, by collar number in lower case: who investigates, and who recorded it."""
    investigator = () if incident.investigator is None else (incident.investigator,)
    recorders = (one.by for one in incident.crimes if one.crime == crime)
    return frozenset(collar.casefold() for collar in (*investigator, *recorders))


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a cancellation.

    Attributes:
        incident: of which incident.
        crime: of which crime.
        author: who cancelled it.
        why: what is wrong, in words.
    """

    incident: RecordId
    crime: str
    author: OfficerId
    why: str


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """How sound the cancelled crimes are.

    Attributes:
        recorded: crimes recorded.
        cancelled: cancellations written.
        sound: those with which nothing is wrong.
        findings: what is wrong with the others.
    """

    recorded: int
    cancelled: int
    sound: int
    findings: tuple[Finding, ...]


def accuracy(incidents: Mapping[RecordId, RecordState], settings: IncidentSettings) -> Accuracy:
    """Look at every cancellation, by what is in the records and who in truth wrote it (its stamp)."""
    findings: list[Finding] = []
    total = unsound = recorded = 0
    for record, state in sorted(incidents.items()):
        incident = state.build()
        if not isinstance(incident, Incident):
            continue
        recorded += len({one.crime for one in incident.crimes})
        for entry, author, by_registrar in _cancellations(state):
            total += 1
            wrong = tuple(_wrong_with(entry, author, incident, state, settings, by_registrar=by_registrar))
            unsound += bool(wrong)
            findings += [Finding(incident=record, crime=entry.crime, author=author, why=why) for why in wrong]
    return Accuracy(recorded=recorded, cancelled=total, sound=total - unsound, findings=tuple(findings))


def _cancellations(state: RecordState) -> Iterator[tuple[Cancellation, OfficerId, bool]]:
    for name in (_BY_ANYBODY, _BY_REGISTRAR):
        for entry in state.cells.get(name, Cell()).entries:
            yield msgspec.convert(entry.value, Cancellation), entry.stamp.author, name == _BY_REGISTRAR


def _wrong_with(
    entry: Cancellation,
    author: OfficerId,
    incident: Incident,
    state: RecordState,
    settings: IncidentSettings,
    *,
    by_registrar: bool,
) -> Iterable[str]:
    if entry.crime not in {one.crime for one in incident.crimes}:
        yield "No such crime is recorded in this incident."
    if entry.code not in {code.code for code in settings.cancellation_codes}:
        yield f"The code {entry.code} is not in the force's list."
    if not by_registrar and for_registrar_only(incident, entry.crime, settings):
        yield "It is for the Force Crime Registrar alone, and was cancelled by somebody else: it does not count."
    writers = {
        one.stamp.author.casefold()
        for one in state.cells.get(_CRIMES, Cell()).entries
        if one.value.get("crime") == entry.crime
    }
    if author.casefold() in involved_in(incident, entry.crime) | writers:
        yield "Whoever cancelled it investigates or recorded it."
