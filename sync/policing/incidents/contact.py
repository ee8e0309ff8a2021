"""The first minutes of a call: what was asked of people's vulnerability, how it is graded, what a major incident needs.

Source: THRIVE (College of Policing; DOMAIN, Incidents); JESIP Joint Doctrine for METHANE.
"""

from typing import Final

from schemas.kinds import Incident
from schemas.kinds.call import Grade, Grading, Methane, Part
from schemas.settings.incidents import IncidentSettings
from sync.policing.incidents.abuse import unasked

_SPOKEN_TO: Final = frozenset({Part.CALLER, Part.VICTIM})
URGENCY: Final = (Grade.NO_DEPLOYMENT, Grade.SCHEDULED, Grade.P2, Grade.P1)
"""The grades from the least urgent on; one that only a newer program knows may be graver than any."""


def called(name: str) -> str:
    """A name as it is compared: however it is spaced, in capitals or not."""
    return " ".join(name.casefold().split())


def not_asked(incident: Incident, settings: IncidentSettings) -> dict[str, tuple[str, ...]]:
    """Caller or victim -> the questions about vulnerability that they have not been asked; {} when all were."""
    answered: dict[str, set[str]] = {}
    for one in incident.first_contact:
        answered.setdefault(called(one.person), set()).update(answer.question for answer in one.answers)
    missing = {
        one.name: unasked(frozenset(answered.get(called(one.name), ())), settings.vulnerability)
        for one in incident.people
        if one.part in _SPOKEN_TO
    }
    return {name: questions for name, questions in missing.items() if questions}


def less_urgent(one: Grade, than: Grade) -> bool:
    """Whether a grade is below another; one that is not known here is below none."""
    return one in URGENCY and (than not in URGENCY or URGENCY.index(one) < URGENCY.index(than))


def grading(incident: Incident) -> Grading | None:
    """What the grade that stands rests on: the last grading that gave it; None when nobody has said."""
    return next((one for one in reversed(incident.gradings) if one.grade == incident.grade), None)


def methane(incident: Incident) -> Methane | None:
    """The latest whole report from the scene; None when there is none."""
    return max(incident.methane, key=lambda report: report.at, default=None)
