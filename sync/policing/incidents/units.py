"""Who was sent to an incident and when they arrived, as they say it; what a unit's status means.

Attendance is the officer's declared arrival (DOMAIN, Incidents). It is often recorded later and offline, so the time
that counts is the one in the entry, and the entry's stamp tells when it was recorded.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.ids import Millis, RecordId
from schemas.kinds import Incident, Resource
from schemas.kinds.call import Deployment, Step
from schemas.kinds.incident import IncidentStatus
from schemas.kinds.resource import Category, Service
from schemas.settings.incidents import IncidentSettings, UnitCode
from sync.policing.incidents.contact import less_urgent

_OPEN: Final = frozenset({IncidentStatus.OPEN, IncidentStatus.ASSIGNED})


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """One unit at one incident: when it took each step (ms since 1970); None for a step that nobody has told of."""

    assigned: int | None = None
    en_route: int | None = None
    at_scene: int | None = None
    clear: int | None = None


def timelines(incident: Incident) -> dict[str, Timeline]:
    """Call sign -> its steps; of one told twice the last entry holds, so that a mistake is put right by another."""
    steps: dict[str, dict[str, int]] = {}
    for one in incident.deployments:
        if one.step in list(Step):
            steps.setdefault(one.call_sign, {})[str(one.step.value).replace("-", "_")] = one.at
    return {unit: Timeline(**told) for unit, told in steps.items()}


def arrived_at(incident: Incident) -> Millis | None:
    """When the first unit was at the scene, as it declared; None while none was."""
    arrivals = [line.at_scene for line in timelines(incident).values() if line.at_scene is not None]
    return Millis(min(arrivals)) if arrivals else None


def attend_by(incident: Incident, settings: IncidentSettings) -> Millis | None:
    """Until when a unit is to be at the scene (ms since 1970); None when one was, or none is to be sent.

    From the report on; of an incident that was graded anew, from when it was first graded so urgent or more.
    """
    if incident.status not in _OPEN or arrived_at(incident) is not None:
        return None
    within = {target.grade: target.within_ms for target in settings.attendance}.get(str(incident.grade.value))
    return None if within is None else Millis(_urgent_since(incident) + within)


def _urgent_since(incident: Incident) -> int:
    """Since when it is as urgent as its grade says (ms since 1970).

    Counted from the report, a matter of days that becomes an emergency would be overdue at once, and after a week wake
    nobody at all (`due.LATE_MS_MAX`). To lower a grade and raise it again begins nothing anew.
    """
    told = sorted(incident.gradings, key=lambda one: one.graded_at)
    first = next((one for one in told if not less_urgent(one.grade, incident.grade)), None)
    if first is None or (first is told[0] and first.why is None):
        return incident.opened_at
    return max(incident.opened_at, first.graded_at)


def code_of(resource: Resource, settings: IncidentSettings) -> UnitCode | None:
    """What a call sign's status means; None when it has said none, or one that is not in the force's list."""
    if resource.duty is None:
        return None
    return next((one for one in settings.unit_codes if one.code == resource.duty.code), None)


def deployable(held: Mapping[RecordId, Resource], settings: IncidentSettings) -> list[RecordId]:
    """The call signs that can be sent, by name: in service, and with a status that says so."""
    found = [
        (resource.name, record)
        for record, resource in held.items()
        if resource.category is Category.CALL_SIGN and resource.service is Service.IN_SERVICE
        if (code := code_of(resource, settings)) is not None and code.deployable
    ]
    return [record for _, record in sorted(found)]


def last_step(incident: Incident, call_sign: str) -> Deployment | None:
    """Where a unit is with an incident: its latest step by the time that it says; None when it was not sent."""
    mine = [one for one in incident.deployments if one.call_sign == call_sign]
    return max(mine, key=lambda one: one.at, default=None)
