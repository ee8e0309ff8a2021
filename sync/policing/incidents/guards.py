"""What is refused in an incident before it is written: which rule, why, and how to go on or override it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec

from schemas.ids import FieldName
from schemas.kinds import Incident, Resource
from schemas.kinds.abuse import AbuseAssessment
from schemas.kinds.call import Grading
from schemas.kinds.crime import Cancellation, Crime, NotCrime
from schemas.kinds.incident import Category, IncidentStatus
from schemas.roles import Role
from sync.policing.guards import Breach, Guard, Look
from sync.policing.incidents.abuse import is_abuse, question_set, unasked, unassessed
from sync.policing.incidents.contact import less_urgent, not_asked
from sync.policing.incidents.happened import nothing_to_come
from sync.policing.incidents.recording import decided, for_registrar_only, involved_in
from sync.policing.incidents.tutoring import in_probation
from sync.policing.incidents.victims import unnamed

_ABUSE: Final = "HMIC 2014; College of Policing, domestic abuse"
_NCRS: Final = "National Crime Recording Standard"
_THRIVE: Final = "THRIVE"
_FORCE: Final = "the force's settings"
_Entry = TypeVar("_Entry")


def _incident(look: Look) -> Incident | None:
    return look.after if isinstance(look.after, Incident) else None


def _before(look: Look) -> Incident | None:
    return look.before if isinstance(look.before, Incident) else None


def _brought(look: Look, field: str, entry: type[_Entry]) -> list[_Entry]:
    """The entries that the change appends to a field: in the record they stand among the others by their times."""
    return msgspec.convert(look.changes.get(FieldName(field), []), list[entry])  # type: ignore[valid-type]  # of that type


def _closes(look: Look) -> bool:
    incident = _incident(look)
    return incident is not None and look.sets("status") and incident.status is IncidentStatus.CLOSED


def every_victim_assessed(look: Look) -> Iterator[Breach]:
    """No incident of domestic abuse closes without a risk assessment for each victim, whatever its category."""
    incident = _incident(look)
    if incident is None or not _closes(look):
        return
    missing = unassessed(incident)
    if missing:
        yield Breach(
            rule="abuse-assessment",
            why=f"The risk has not been assessed of {', '.join(one.name for one in missing)}.",
            remedy="Assess the risk to each victim of domestic abuse first; a victim who turned out to be none is "
            "withdrawn with the reason.",
            source=_ABUSE,
        )
    others = unnamed(incident, look.settings.incidents)
    if others:
        yield Breach(
            rule="abuse-each-victim",
            why=f"This is domestic abuse, and nobody has said if it is towards {', '.join(others)}, a victim here.",
            remedy="Name them as a victim of domestic abuse and assess the risk to them; or name them and withdraw "
            "them with the reason.",
            source=_ABUSE,
        )
    elif is_abuse(incident, look.settings.incidents) and not incident.abuse_victims:
        yield Breach(
            rule="abuse-victim",
            why="This is domestic abuse, and no victim has been named.",
            remedy="Name each victim and assess the risk to them.",
            source=_ABUSE,
            override=True,
        )


def abuse_taken_back(look: Look) -> Iterator[Breach]:
    """What was called domestic abuse does not cease to be it in silence: nobody would be assessed, and nobody told."""
    changed: Mapping[str, Any] = look.changes.get(FieldName("qualifiers"), {})
    if _incident(look) is not None and look.settings.incidents.abuse_qualifier in changed.get("remove", ()):
        yield Breach(
            rule="abuse-taken-back",
            why="This takes back that it is domestic abuse, with all that is owed to its victims.",
            remedy="Leave it, name each victim and assess the risk to them.",
            source=_ABUSE,
            override=True,
        )


def whole_assessment(look: Look) -> Iterator[Breach]:
    """An assessment asks a set of the force's, all of it. What the answers amount to is never looked at."""
    incident = _incident(look)
    for one in [] if incident is None else _brought(look, "assessments", AbuseAssessment):
        asked = question_set(one, look.settings.incidents)
        if asked is None:
            known = ", ".join(f"{each.name} {each.version}" for each in look.settings.incidents.abuse_sets)
            yield Breach(
                rule="abuse-questions",
                why=f"{one.question_set} {one.version} is no question set of the force.",
                remedy=f"Use one of: {known}.",
                source=_FORCE,
            )
            continue
        missing = unasked(frozenset(answer.question for answer in one.answers), asked)
        if missing:
            yield Breach(
                rule="abuse-questions",
                why=f"Of {one.name} was not asked: {' '.join(missing)}",
                remedy="Answer each question; not known and declined are answers.",
                source=_ABUSE,
                override=True,
            )


def vulnerability_asked(look: Look) -> Iterator[Breach]:
    """Callers and victims are asked about their vulnerability when they are first spoken to."""
    incident, before = _incident(look), _before(look)
    if incident is None or not look.sets("people"):
        return
    known = {} if before is None else not_asked(before, look.settings.incidents)
    for name, missing in not_asked(incident, look.settings.incidents).items():
        if name not in known:
            yield Breach(
                rule="first-contact",
                why=f"{name} has not been asked: {' '.join(missing)}",
                remedy="Ask, and write the answers down with the name.",
                source=_THRIVE,
                override=True,
            )


def grade_explained(look: Look) -> Iterator[Breach]:
    """A grade is a person's, with six answers; none is lowered, nor one with such answers raised, without why.

    A reason is written with the answers, or with the change itself: raising one must take no longer than a breath.
    """
    incident, before = _incident(look), _before(look)
    if incident is None:
        return
    fresh = _brought(look, "gradings", Grading)
    if fresh and fresh[-1].grade != incident.grade:
        yield Breach(
            rule="grade-said",
            why=f"The answers lead to {fresh[-1].grade.value}, and the incident is graded {incident.grade.value}.",
            remedy="Set the grade that your answers give.",
            source=_THRIVE,
        )
    if before is None or not look.sets("grade") or look.why or any(one.why for one in fresh):
        return
    if less_urgent(incident.grade, before.grade):
        yield Breach(
            rule="grade-lowered",
            why="The grade is lowered without a reason.",
            remedy="Grade it anew with the six answers, and say why it changes.",
            source=_THRIVE,
            override=True,
        )
    elif before.gradings and incident.grade != before.grade:
        yield Breach(
            rule="grade-raised",
            why="The grade is raised, and nobody has said what has changed since it was given.",
            remedy="Say why it changes, with the six answers or without.",
            source=_THRIVE,
            override=True,
        )


def crime_stays_one(look: Look) -> Iterator[Breach]:
    """What was reported as a crime does not cease to be one by another category: somebody decides, and says why."""
    incident, before = _incident(look), _before(look)
    if incident is None or before is None or before.category is not Category.CRIME:
        return
    if incident.category is not Category.CRIME and not decided(incident):
        yield Breach(
            rule="crime-reclassified",
            why="It was reported as a crime, and nobody has decided that it is none.",
            remedy="Record the crime, or write why what was reported is none, in the same change.",
            source=_NCRS,
        )


def decided_in_own_name(look: Look) -> Iterator[Breach]:
    """Whoever decides on a crime is its author, and the sort is in the force's list."""
    incident = _incident(look)
    if incident is None:
        return
    crimes = _brought(look, "crimes", Crime)
    for by in (*(one.by for one in crimes), *(one.by for one in _brought(look, "not_crimes", NotCrime))):
        if by.casefold() != look.author.casefold():
            yield Breach(
                rule="crime-decision-own",
                why=f"The decision is written in the name of {by}.",
                remedy="Whoever decides writes it.",
                source=_NCRS,
            )
    known = {code.code for code in look.settings.incidents.crime_types}
    yield from _in_list("crime-type", "sort of crime", (one.type for one in crimes), known)


def rape_stays_one(look: Look) -> Iterator[Breach]:
    """A recorded rape described anew as another sort is gone from the count as if cancelled: the registrar does it."""
    before, settings = _before(look), look.settings.incidents
    if before is None or look.roles is None or Role.REGISTRAR in look.roles:
        return
    for one in _brought(look, "crimes", Crime):
        if one.type not in settings.registrar_only and for_registrar_only(before, one.crime, settings):
            yield Breach(
                rule="rape-registrar",
                why=f"{one.crime} is recorded as a rape; only the Force Crime Registrar records it as another sort.",
                remedy="Put it to the registrar, with what is known now.",
                source=_NCRS,
            )


def cancelled_independently(look: Look) -> Iterator[Breach]:
    """A recorded crime is cancelled by somebody independent, a rape by the registrar alone, and on a known ground."""
    incident = _incident(look)
    if incident is None:
        return
    settings = look.settings.incidents
    own = _brought(look, "cancellations", Cancellation)
    registrar = _brought(look, "registrar_cancellations", Cancellation)
    for one in (*own, *registrar):
        yield from _cancellation(look, incident, one)
    for one in own:
        if for_registrar_only(incident, one.crime, settings):
            yield Breach(
                rule="rape-registrar",
                why=f"{one.crime} is recorded as a rape, which only the Force Crime Registrar cancels.",
                remedy="Put it to the registrar, with what is known now. The registrar enters it under the registrar's "
                "cancellations.",
                source=_NCRS,
            )
    codes = {code.code for code in settings.cancellation_codes}
    yield from _in_list("cancellation-code", "ground", (one.code for one in (*own, *registrar)), codes)


def _cancellation(look: Look, incident: Incident, one: Cancellation) -> Iterator[Breach]:
    if one.crime not in {crime.crime for crime in incident.crimes}:
        recorded = ", ".join(dict.fromkeys(crime.crime for crime in incident.crimes)) or "none"
        yield Breach(
            rule="cancellation-crime",
            why=f"No crime {one.crime} is recorded here.",
            remedy=f"Name one of those that are: {recorded}.",
            source=_NCRS,
        )
    if look.author.casefold() in involved_in(incident, one.crime):
        yield Breach(
            rule="cancellation-independent",
            why="You investigate this crime or have recorded it.",
            remedy="Somebody independent of the investigation decides on its cancellation.",
            source=_NCRS,
        )


def known_codes(look: Look) -> Iterator[Breach]:
    """Qualifiers and closing codes are those of the force."""
    incident = _incident(look)
    if incident is None:
        return
    settings = look.settings.incidents
    added: Mapping[str, Any] = look.changes.get(FieldName("qualifiers"), {})
    yield from _in_list("qualifier", "qualifier", added.get("add", ()), {code.code for code in settings.qualifiers})
    codes = {code.code for code in settings.closing_codes}
    if look.sets("closing_code") and incident.closing_code is not None:
        yield from _in_list("closing-code", "closing code", (incident.closing_code,), codes)
    if _closes(look) and settings.closing_code_needed and incident.closing_code is None:
        yield Breach(
            rule="closing-code",
            why="An incident closes with a closing code.",
            remedy=f"Choose one of: {', '.join(sorted(codes))}.",
            source=_FORCE,
        )


def confirmed_by_a_tutor(look: Look) -> Iterator[Breach]:
    """Who is in probation themselves confirms nothing."""
    if look.sets("confirmations") and in_probation(look.author, look.now, look.settings.incidents):
        yield Breach(
            rule="tutor-confirms",
            why="You are in probation: what a new officer wrote is confirmed by a tutor.",
            remedy="Ask your tutor.",
            source=_FORCE,
        )


def unit_status(look: Look) -> Iterator[Breach]:
    """A unit's status is one of the force's list, no older than the one that is shown, and not of a time to come."""
    after, before = look.after, look.before
    if not isinstance(after, Resource) or not look.sets("duty") or after.duty is None:
        return
    known = {code.code for code in look.settings.incidents.unit_codes}
    yield from _in_list("unit-status", "status", (str(after.duty.code),), {str(code) for code in known})
    if after.duty.at > look.now + look.settings.incidents.early_entry_ms:
        # It would stand before every status that the unit gives until then.
        yield Breach(
            rule="unit-status-to-come",
            why="This status bears a time that is still to come.",
            remedy="Give it when the unit has it.",
            source="DOMAIN, Incidents: attendance is the declared arrival",
        )
    if isinstance(before, Resource) and before.duty is not None and after.duty.at < before.duty.at:
        yield Breach(
            rule="unit-status-late",
            why="A later status of this unit is shown already.",
            remedy="Write the earlier step into the incident's deployments, with its time.",
            source="DOMAIN, Incidents: attendance is the declared arrival",
        )


def _in_list(rule: str, what: str, said: Iterable[str], known: set[str]) -> Iterator[Breach]:
    for one in said:
        if one not in known:
            yield Breach(
                rule=rule,
                why=f"{one} is no {what} of the force.",
                remedy=f"Choose one of: {', '.join(sorted(known))}.",
                source=_FORCE,
            )


GUARDS: Final[tuple[Guard, ...]] = (
    every_victim_assessed,
    abuse_taken_back,
    whole_assessment,
    vulnerability_asked,
    grade_explained,
    crime_stays_one,
    decided_in_own_name,
    rape_stays_one,
    cancelled_independently,
    known_codes,
    confirmed_by_a_tutor,
    nothing_to_come,
)
RESOURCE_GUARDS: Final[tuple[Guard, ...]] = (unit_status,)
