"""What a response officer is led through at an incident: first contact, domestic abuse, THRIVE, METHANE, and the guide.

The questions are the force's, in the edition that its settings hold; what the answers amount to is the officer's word.
"""

from typing import Any, Final

import msgspec
from rich.text import Text

from schemas.errors import UsageError
from schemas.ids import FieldName
from schemas.kinds import FieldSpec, Incident, Kind, spec_of
from schemas.kinds.abuse import AbuseAssessment, AbuseVictim
from schemas.kinds.call import Confirmation, FirstContact, Grading, Involved, Methane, Part
from schemas.policies import MANY, grow
from schemas.settings.incidents import IncidentSettings
from schemas.settings.questions import QuestionSet
from sync.device.terminal import rendering, values
from sync.device.terminal.errands.control import incident_of, value_of
from sync.device.terminal.errands.entries import Add
from sync.device.terminal.forms import Form, answers, entry, reader_of
from sync.device.terminal.reader import WHO, label
from sync.device.terminal.spec import one, spec
from sync.device.terminal.values import listed, safe
from sync.device.terminal.work import Errand, Work
from sync.device.views import RecordView
from sync.policing.incidents import abuse, contact, tutoring

_SPOKEN_TO: Final = frozenset({Part.CALLER, Part.VICTIM})
_YES_OR_NO: Final = "yes or no"


class Contact(Errand, frozen=True):
    """`contact`: somebody in the incident, and what they are asked of their vulnerability."""

    which: str
    name: str

    async def run(self, work: Work) -> None:
        """Ask who has questions open, or somebody new, and write person and answers together."""
        view = await incident_of(work, self.which, shown=True)
        incident, settings = value_of(view), (await work.settings()).incidents
        open_of = contact.not_asked(incident, settings)
        name = self.name or next(iter(open_of), "")
        known = next((each for each in incident.people if contact.called(each.name) == contact.called(name)), None)
        form = Form(work, view.record, "contact", contact.called(name))
        changes: dict[str, Any] = {}
        if known is None:
            known = await entry(form, work, Involved, {"name": name} if name else {})
            changes["people"] = [known]
            missing: tuple[str, ...] = tuple(each.text for each in settings.vulnerability.questions)
        else:
            missing = open_of.get(known.name, ())
        if known.part in _SPOKEN_TO and missing:
            asked = _only(settings.vulnerability, missing)
            said = await answers(form, work, asked)
            told = FirstContact(person=known.name, answers=said, asked_at=work.reader().now)
            changes["first_contact"] = [told]
        if not changes:
            raise UsageError(f"{known.name} has been asked everything; contact ID and another name adds somebody")
        form.whole()
        await work.enter(view.record, f"{known.name}, {known.part.value}", form.written, **changes)


class Assess(Errand, frozen=True):
    """`assess`: the risk to a victim of domestic abuse."""

    which: str
    name: str

    async def run(self, work: Work) -> None:
        """Put a question set, and have the officer judge."""
        view = await incident_of(work, self.which, shown=True)
        settings = (await work.settings()).incidents
        victim = _victim(value_of(view), self.name)
        form = Form(work, view.record, "assess", victim.name, victim.born or "")
        asked = await _question_set(form, settings)
        said = await answers(form, work, asked)
        given = {
            "name": victim.name,
            "born": victim.born,
            "question_set": asked.name,
            "version": asked.version,
            "answers": said,
            "assessed_at": work.reader().now,
        }
        made = await entry(form, work, AbuseAssessment, given)
        form.whole()
        done = f"risk to {victim.name} assessed as {made.risk.value}"
        await work.enter(view.record, done, form.written, assessments=[made])


class Grade(Errand, frozen=True):
    """`grade`: the six answers of THRIVE, and the grade that follows."""

    which: str

    async def run(self, work: Work) -> None:
        """Ask, and set the grade in the same change."""
        view = await incident_of(work, self.which)
        form = Form(work, view.record, "gradings")
        made = await entry(form, work, Grading, {"graded_at": work.reader().now}, last="grade")
        form.whole()
        done = f"graded {made.grade.value}"
        await work.enter(view.record, done, form.written, gradings=[made], grade=made.grade)


class ReportMethane(Errand, frozen=True):
    """`methane`: the report from the scene of a major incident."""

    which: str

    async def run(self, work: Work) -> None:
        """Ask all seven; what stands from the report before can be kept."""
        view = await incident_of(work, self.which, shown=True)
        before = contact.methane(value_of(view))
        form = Form(work, view.record, "methane")
        if before is not None:
            form.offer({name: getattr(before, name) for name in before.__struct_fields__ if name != "at"})
        made = await entry(form, work, Methane, {"at": work.reader().now})
        form.whole()
        await work.enter(view.record, "METHANE reported", form.written, methane=[made])


class Guide(Errand, frozen=True):
    """`guide`: what the force leads a new officer through at such an incident."""

    which: str

    async def run(self, work: Work) -> None:
        """Go through what is still empty, one after the other; what is left out stays open."""
        view = await incident_of(work, self.which, shown=True)
        settings = (await work.settings()).incidents
        empty = tutoring.guided(value_of(view), settings)
        if not empty:
            work.say("The guide has nothing open here")
        for number, name in enumerate(empty, 1):
            field = spec_of(Incident).fields.get(name)
            if field is None:
                work.say(f"{label(name)} is asked for by a newer program: update this one")
                continue
            work.show(Text(f"{number} of {len(empty)}: {label(name)}", WHO))
            await _led(work, view, field)


class Confirm(Errand, frozen=True):
    """`confirm`: a tutor has looked at what officers in probation wrote."""

    which: str
    note: str

    async def run(self, work: Work) -> None:
        """Show what it is, and confirm it once the tutor says so."""
        view = await work.consulted(self.which)
        if "confirmations" not in spec_of(type(view.value)).fields:
            raise UsageError(f"{rendering.heading(view)} is nothing that a tutor confirms")
        with work.handheld.matter(view.record):
            ops = await work.handheld.judge(
                view.record, lambda state, settings: tutoring.unconfirmed(state, settings.incidents)
            )
        if not ops:
            raise UsageError("nothing here waits for a tutor")
        for line in _written(view, frozenset(ops), work):
            work.show(line)
        question = f"Confirm these {len(ops)} changes?" if len(ops) > 1 else "Confirm this change?"
        if not await work.asking.ask(question, _YES_OR_NO, reader_of("answer", bool, work)):
            raise UsageError("nothing was confirmed: say in the log what is to be put right")
        confirmed = [Confirmation(op=op, note=self.note or None) for op in ops]
        await work.enter(view.record, f"{len(ops)} confirmed", confirmations=confirmed)


def _only(asked: QuestionSet, texts: tuple[str, ...]) -> QuestionSet:
    return msgspec.structs.replace(asked, questions=tuple(each for each in asked.questions if each.text in texts))


def _victim(incident: Incident, name: str) -> AbuseVictim:
    """The victim that is meant: the one who is named, or the one who has still to be assessed."""
    waiting = abuse.unassessed(incident)
    if name:
        fitting = [each for each in incident.abuse_victims if contact.called(each.name) == contact.called(name)]
        if not fitting:
            there = listed([each.name for each in incident.abuse_victims]) or "nobody"
            raise UsageError(f"{name!r} is no victim named here; there is {there}: add . abuse-victims names one")
        return fitting[-1]
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        raise UsageError(f"the risk to {listed([each.name for each in waiting])} is to be assessed: assess . NAME")
    raise UsageError("every victim named here is assessed: assess . NAME assesses one anew")


async def _question_set(form: Form, settings: IncidentSettings) -> QuestionSet:
    sets = {f"{each.name} {each.version}": each for each in settings.abuse_sets}

    def read(text: str) -> object:
        fitting = [name for name in sets if text.casefold() in (name.casefold(), name.split(" ", maxsplit=1)[0])]
        if len(fitting) != 1:
            raise UsageError(f"{text!r} is no question set of the force; there are {listed(list(sets))}")
        return fitting[0]

    if len(sets) == 1:
        return next(iter(sets.values()))
    return sets[str(await form.ask("set", "Which question set?", listed(list(sets)), read))]


async def _led(work: Work, view: RecordView[Kind], field: FieldSpec) -> None:
    """One step of a guide: by the form that the field has, or as a value."""
    name = field.name
    if field.policy in MANY:
        if not await work.asking.ask(f"Enter {label(name)} now?", _YES_OR_NO, reader_of("answer", bool, work)):
            return
        own: dict[str, Errand] = {
            "people": Contact(view.record, ""),
            "first_contact": Contact(view.record, ""),
            "assessments": Assess(view.record, ""),
            "gradings": Grade(view.record),
            "methane": ReportMethane(view.record),
        }
        if field.policy is not grow:
            work.say(f"tag . {name} TAG… enters these")
            return
        await own.get(name, Add(view.record, name)).run(work)
        return
    hint = values.hint_of(field.type)
    value = await work.asking.ask(f"{label(name).capitalize()}?", hint, reader_of(name, field.type, work))
    if value is not None:
        changes: dict[str, Any] = {name: value}
        await work.enter(view.record, f"{label(name)} entered", **changes)


def _written(view: RecordView[Kind], ops: frozenset[str], work: Work) -> list[Text]:
    """What some changes said, a line each."""
    fields, time = spec_of(type(view.value)).fields, work.reader().time
    said = [(name, item) for name, item in view.fields.items() if item.stamp.op in ops]
    said += [(name, item) for name, items in view.entries.items() for item in items if item.stamp.op in ops]
    lines = []
    for name, item in sorted(said, key=lambda each: (each[1].stamp.occurred_at, each[0])):
        told = values.shown(item.value, fields[FieldName(name)].type, time)
        who = f"{time.text(item.stamp.occurred_at)} {safe(item.stamp.author)}"
        lines.append(Text.assemble(f"  {label(name)}: {told}  ", (who, WHO)))
    return lines


def _named(rest: str) -> tuple[str, str]:
    which, _, name = rest.strip().partition(" ")
    if not which:
        raise ValueError
    return which, name.strip()


SPECS: Final = (
    spec(
        "contact ID [NAME…]",
        "a caller, victim, witness …: who they are, and what is asked of their vulnerability",
        lambda rest: Contact(*_named(rest)),
    ),
    spec("grade ID", "grade by THRIVE: six answers, and the grade that you give", lambda rest: Grade(one(rest))),
    spec(
        "assess ID [NAME…]",
        "the risk to a victim of domestic abuse: a question set, and your judgement",
        lambda rest: Assess(*_named(rest)),
    ),
    spec("methane ID", "report from the scene of a major incident", lambda rest: ReportMethane(one(rest))),
    spec("guide ID", "be led through what such an incident needs and still lacks", lambda rest: Guide(one(rest))),
    spec(
        "confirm ID [NOTE…]",
        "as a tutor, confirm what officers in probation wrote, once you have seen it",
        lambda rest: Confirm(*_named(rest)),
    ),
)
