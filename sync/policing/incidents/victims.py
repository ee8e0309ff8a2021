"""The victims of an incident: whom nobody has called a victim of its domestic abuse yet, and who has still to be told.

Sources: HMIC 2014 (each victim of domestic abuse is assessed); National Crime Recording Standard and the Code of
Practice for Victims of Crime, right 6 (each victim is told when no crime stands recorded).
"""

from collections.abc import Iterator

from schemas.ids import Millis
from schemas.kinds import Incident
from schemas.kinds.call import Part
from schemas.kinds.crime import Outcome
from schemas.settings.incidents import IncidentSettings
from sync.policing.incidents.abuse import is_abuse
from sync.policing.incidents.contact import called
from sync.policing.incidents.recording import cancelled


def victims(incident: Incident) -> tuple[str, ...]:
    """Who is a victim in it, each once, as last written."""
    return tuple({called(one.name): one.name for one in incident.people if one.part is Part.VICTIM}.values())


def unnamed(incident: Incident, settings: IncidentSettings) -> tuple[str, ...]:
    """The victims in an incident of domestic abuse of whom nobody has said whether it is towards them.

    Whoever took the call wrote down who suffered; one whom nobody names as a victim of the abuse is never assessed.
    """
    if not is_abuse(incident, settings):
        return ()
    said = {called(one.name) for one in incident.abuse_victims}
    return tuple(name for name in victims(incident) if called(name) not in said)


def to_tell(incident: Incident, settings: IncidentSettings) -> Iterator[tuple[str, Millis]]:
    """(victim, when it was decided) for each who has not been told that no crime stands recorded.

    The victim is "" where nobody has written down who that is; then telling anybody will do.
    """
    since: dict[str, int] = {}
    for at, whom in _decisions(incident, settings):
        for name in whom or victims(incident) or ("",):
            since[name] = max(at, since.get(name, at))
    # That a crime was recorded is no word of its cancellation, whenever it was said.
    told = [(called(one.person), one.told_at) for one in incident.victims_told if one.outcome is not Outcome.RECORDED]
    for name, at in since.items():
        if not any(told_at >= at and (not name or person == called(name)) for person, told_at in told):
            yield name, Millis(at)


def _decisions(incident: Incident, settings: IncidentSettings) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(when, the victims whom it is about; () for all) of each decision after which no crime stands recorded."""
    if not incident.crimes:
        yield from ((one.decided_at, ()) for one in incident.not_crimes)
    last = {one.crime: one.victim for one in incident.crimes}
    for crime, one in cancelled(incident, settings).items():
        victim = last[crime]
        yield one.decided_at, () if victim is None else (victim,)
