"""Domestic abuse: which victims of an incident have still to be assessed, and whether a question set was gone through.

Source: HMIC 2014 (risk assessed only where partners and a crime were involved); College of Policing, domestic abuse
guidance; DOMAIN, Incidents. Nothing here derives a risk from answers: it is what the assessing officer says it is.
"""

from typing import Final

import msgspec

from schemas.kinds import Incident, spec_of
from schemas.kinds.abuse import AbuseAssessment, AbuseVictim
from schemas.policies import Needs
from schemas.settings.incidents import IncidentSettings
from schemas.settings.questions import QuestionSet
from sync.needs import lacking, named


def _declared() -> Needs:
    flow = spec_of(Incident).fields["status"].flow  # type: ignore[index]  # a field's name is text
    if flow is None or flow.ending is None:
        raise TypeError("an incident's status declares no ending")
    return flow.ending.needs[0]


NEEDS: Final = _declared()


def is_abuse(incident: Incident, settings: IncidentSettings) -> bool:
    """Whether it is domestic abuse: somebody qualified it so, or named a victim; whatever its category is."""
    return settings.abuse_qualifier in incident.qualifiers or bool(incident.abuse_victims)


def unassessed(incident: Incident) -> tuple[AbuseVictim, ...]:
    """The victims whose risk nobody has assessed, in the order in which they were named."""
    entries = [msgspec.to_builtins(one) for one in incident.abuse_victims]
    missing = lacking(entries, map(msgspec.to_builtins, incident.assessments), NEEDS)
    last = {named(plain, NEEDS): victim for plain, victim in zip(entries, incident.abuse_victims, strict=True)}
    return tuple(last[key] for key in missing)


def question_set(assessment: AbuseAssessment, settings: IncidentSettings) -> QuestionSet | None:
    """The set, in the edition that the assessment names; None when the force has no such."""
    sets = (one for one in settings.abuse_sets if one.name == assessment.question_set)
    return next((one for one in sets if one.version == assessment.version), None)


def unasked(answered: frozenset[str], asked: QuestionSet) -> tuple[str, ...]:
    """The questions of a set that have no answer, in its order: "not known" and "declined" are answers."""
    return tuple(question.text for question in asked.questions if question.id not in answered)
