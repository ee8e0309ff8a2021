"""What falls due in an incident: a unit at the scene, the decision on a crime, a victim told, each victim assessed."""

from collections.abc import Iterable, Iterator
from typing import Final

from schemas.ids import Millis
from schemas.kinds import Incident, Kind
from schemas.roles import Role
from schemas.settings import Settings
from schemas.settings.incidents import HOUR_MS, MINUTE_MS, IncidentSettings
from sync.policing.due import Due, What
from sync.policing.incidents.abuse import is_abuse, unassessed
from sync.policing.incidents.recording import decide_by
from sync.policing.incidents.units import attend_by
from sync.policing.incidents.victims import to_tell, unnamed

_ABUSE: Final = "HMIC 2014; College of Policing, domestic abuse"
_NCRS: Final = "National Crime Recording Standard"


def dues(record: Kind, settings: Settings, _now: Millis) -> Iterable[Due]:
    """Everything that falls due in an incident and has not been done. Computed from the record alone."""
    if isinstance(record, Incident):
        yield from _attendance(record, settings.incidents)
        yield from _decision(record, settings.incidents)
        yield from _telling(record, settings.incidents)
        yield from _assessments(record, settings.incidents)


def _attendance(incident: Incident, settings: IncidentSettings) -> Iterator[Due]:
    at = attend_by(incident, settings)
    if at is not None:
        yield Due(
            what=What.ATTENDANCE,
            at=at,
            roles=(Role.CONTROL_ROOM,),
            then=(Role.SUPERVISOR,),
            within_ms=10 * MINUTE_MS,
            words="No unit has declared its arrival: send one, tell the caller, or grade it anew.",
            source="the force's grading of incidents",
        )


def _decision(incident: Incident, settings: IncidentSettings) -> Iterator[Due]:
    at = decide_by(incident, settings)
    if at is not None:
        yield Due(
            what=What.CRIME_DECISION,
            at=at,
            warn_ms=settings.decision_warn_ms,
            roles=(Role.OFFICER, Role.SUPERVISOR),
            then=(Role.REGISTRAR,),
            within_ms=HOUR_MS,
            words="Record the crime, or write why what was reported is none.",
            source=_NCRS,
        )


def _telling(incident: Incident, settings: IncidentSettings) -> Iterator[Due]:
    for victim, since in to_tell(incident, settings):
        yield Due(
            what=What.VICTIM_TOLD,
            key=victim,
            at=Millis(since + settings.told_ms),
            roles=(Role.OFFICER, Role.SUPERVISOR),
            then=(Role.REGISTRAR,),
            within_ms=24 * HOUR_MS,
            words=f"Tell {victim or 'the victim'} that no crime stands recorded, and why.",
            source=_NCRS,
        )


def _assessments(incident: Incident, settings: IncidentSettings) -> Iterator[Due]:
    """For each victim; and for an incident of domestic abuse in which nobody has been named yet, once."""
    if not is_abuse(incident, settings):
        return
    at = incident.opened_at + settings.assessment_ms
    for arrest in incident.arrests:
        at = min(at, arrest.arrested_at + settings.arrest_assessment_ms)
    todo = [(_key(one.name, one.born), f"Assess the risk to {one.name}.") for one in unassessed(incident)]
    todo += [
        (name, f"Say whether {name} is a victim of it, and assess the risk.") for name in unnamed(incident, settings)
    ]
    if not todo and not incident.abuse_victims:
        todo = [("", "Name each victim of the domestic abuse, and assess the risk to them.")]
    for key, words in todo:
        yield Due(
            what=What.RISK_ASSESSMENT,
            key=key,
            at=Millis(at),
            warn_ms=(HOUR_MS, 0),
            roles=(Role.OFFICER, Role.SUPERVISOR),
            then=(Role.SUPERINTENDENT,),
            within_ms=30 * MINUTE_MS,
            words=words,
            source=_ABUSE,
        )


def _key(name: str, born: str | None) -> str:
    return name if born is None else f"{name} {born}"
