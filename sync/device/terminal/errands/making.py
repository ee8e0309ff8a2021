"""Records that begin with a form: a booking from an arrest, a stop and search, a child's plan; and a warning."""

import re
from typing import Any, Final

import msgspec
from rich.text import Text

from schemas.errors import UsageError
from schemas.ids import SLUG_PATTERN, FieldName, OfficerId
from schemas.kinds import CustodyBooking, Incident, Kind, ProtectionPlan, StopSearch, spec_of
from schemas.kinds.common import Arrest, Marker
from schemas.kinds.powers import Clothing, Extent, Told
from schemas.kinds.protection import Guided
from schemas.policies import tags
from schemas.settings import Settings
from sync.device.terminal import rendering, values
from sync.device.terminal.forms import Form, answers, entry, reader_of
from sync.device.terminal.reader import WHO, label
from sync.device.terminal.spec import matched, one, spec
from sync.device.terminal.values import listed
from sync.device.terminal.work import Errand, Work
from sync.policing.custody.record import booking_from_arrest

_GOWISELY: Final = {
    Told.GROUNDS: "G  Did you tell them the grounds?",
    Told.OBJECT: "O  The object of the search?",
    Told.WARRANT_CARD: "W  Did you show your warrant card, if not in uniform?",
    Told.IDENTITY: "I  Your identity?",
    Told.STATION: "S  Your station?",
    Told.ENTITLEMENT: "E  That they are entitled to a copy?",
    Told.LEGAL_POWER: "L  The legal power?",
    Told.DETAINED: "Y  That you detain them for it?",
}
_QUESTIONS: Final = {
    "searched_at": "When?",
    "searched": "What was searched?",
    "power": "By which power (code)?",
    "object": "For what (code)?",
    "grounds": "On which grounds; by an authorisation, what it says?",
    "authority": "Who authorised searches here, and until when?",
    "location": "Where?",
    "gender": "Gender, as you see it or are told?",
    "age_range": "How old?",
    "self_ethnicity": "Ethnicity as they say (code; ns for not stated)?",
    "officer_ethnicity": "Ethnicity as you see it?",
    "outcome": "How did it end (code)?",
    "linked": "Was that for what you looked for?",
    "detainee": "Who is detained?",
    "arrested_at": "When were they arrested?",
    "offence": "What for?",
    "arresting_officer": "Who arrested them (collar number or name)?",
    "basis": "By what power are they held?",
    "born": "Born on (as in 1984-05-17)?",
    "child": "Which child?",
    "concern": "What must they be protected from?",
    "team": "Which team answers for it, as in child-protection?",
    "review_at": "When is the first review (as in 2026-03-09 14:00)?",
}


class Book(Errand, frozen=True):
    """`book`: a person is booked in; from the arrest at an incident nothing is typed a second time."""

    suite: str
    which: str | None

    async def run(self, work: Work) -> None:
        """Make the booking."""
        suite = _slug(self.suite, "suite", "perry-barr")
        if self.which is None:
            form = Form(work, "book", suite)
            fields = ("detainee", "arrested_at", "offence", "arresting_officer", "basis", "born")
            made = CustodyBooking(suite=suite, **await _values(form, work, CustodyBooking, fields))
            form.whole()
            await work.create(made, f"{made.detainee} booked in at {suite}", form.written)
            return
        view = await work.consulted(self.which)
        if not isinstance(view.value, Incident) or not view.value.arrests:
            raise UsageError(f"{rendering.heading(view)} has no arrest: add . arrests enters one, or book SUITE alone")
        form = Form(work, "book", suite, view.record)
        arrest = await _arrest(form, view.value, work)
        officer = str(await _value(form, work, CustodyBooking, "arresting_officer") or work.reader().author)
        made = booking_from_arrest(view.record, view.value, arrest, suite=suite, officer=officer)
        form.whole()
        await work.create(made, f"{made.detainee} booked in at {suite}, from {rendering.heading(view)}", form.written)


class Search(Errand, frozen=True):
    """`search`: a stop and search, with what must be told before it (GOWISELY)."""

    area: str

    async def run(self, work: Work) -> None:
        """Ask for all that the record of a search needs, and make it."""
        area, settings = _slug(self.area, "area", "birmingham"), await work.settings()
        form = Form(work, "search", area)
        said = await _values(form, work, StopSearch, ("searched_at", "searched"))
        lists = settings.powers
        said["power"] = await _coded(form, "power", [each.code for each in lists.search_powers])
        said["object"] = await _coded(form, "object", [each.code for each in lists.search_objects])
        said |= await _values(form, work, StopSearch, ("grounds",))
        if said["power"] in {each.code for each in lists.search_powers if each.authorised}:
            said |= await _values(form, work, StopSearch, ("authority",))
        work.show(Text("Before the search, what they were told: yes or no", WHO))
        said["told"] = tuple(
            [
                told
                for told, question in _GOWISELY.items()
                if await form.ask(f"told/{told.value}", question, "", _yes(work))
            ]
        )
        who = ("location", "gender", "age_range", "self_ethnicity", "officer_ethnicity")
        said |= await _values(form, work, StopSearch, who)
        said["clothing"] = await _clothing(form, work)
        said["outcome"] = await _coded(form, "outcome", [each.code for each in lists.search_outcomes])
        if said["outcome"] in {each.code for each in lists.search_outcomes if each.further}:
            said |= await _values(form, work, StopSearch, ("linked",))
        form.whole()
        made = StopSearch(area=area, officer=OfficerId(work.reader().author), **said)
        await work.create(made, f"search of {made.searched.value}, {made.outcome}", form.written)


class Protect(Errand, frozen=True):
    """`protect`: what is found out about a child at risk, for a plan that runs or one that begins."""

    which: str

    async def run(self, work: Work) -> None:
        """Put the force's questions; at an incident, begin a plan with the answers."""
        view, settings = await work.view(self.which), await work.settings()
        form = Form(work, view.record, "protect")
        if isinstance(view.value, ProtectionPlan):
            found = await _guided(form, work, settings)
            form.whole()
            await work.enter(view.record, "guided questions answered", form.written, guided=[found])
            return
        if not isinstance(view.value, Incident):
            raise UsageError(f"{rendering.heading(view)} is no incident and no plan: list plans tells which there are")
        said = await _values(form, work, ProtectionPlan, ("child", "born", "concern", "team", "review_at"))
        found = await _guided(form, work, settings)
        form.whole()
        made = ProtectionPlan(begun_at=work.reader().now, incident=view.record, guided=(found,), **said)
        await work.create(made, f"plan begun for {made.child}", form.written)


class Mark(Errand, frozen=True):
    """`mark`: a warning about a person or a place, with where it comes from and until when it holds."""

    which: str

    async def run(self, work: Work) -> None:
        """Ask for all three."""
        view = await work.view(self.which)
        field = spec_of(type(view.value)).fields.get(FieldName("markers"))
        if field is None or field.policy is not tags:
            raise UsageError(f"{rendering.heading(view)} bears no warnings")
        form = Form(work, view.record, "markers")
        made = await entry(form, work, Marker, {})
        form.whole()
        await work.enter(view.record, f"warning: {made.warning}", form.written, markers=[made])


# --- parts of the forms ----------------------------------------------------------------------------------------------


def _slug(typed: str, what: str, like: str) -> str:
    slug = typed.casefold()
    if re.match(SLUG_PATTERN, slug) is None:
        raise UsageError(f"{typed!r} is no {what}: its name has a-z, 0-9 and -, as in {like}")
    return slug


def _yes(work: Work) -> Any:  # noqa: ANN401  a reader of answers
    return reader_of("answer", bool, work)


async def _value(form: Form, work: Work, kind: type[Kind], name: str) -> Any:  # noqa: ANN401  of the field's type
    declared = spec_of(kind).fields[FieldName(name)].type
    question = _QUESTIONS.get(name) or f"{label(name).capitalize()}?"
    return await form.ask(name, question, values.hint_of(declared), reader_of(name, declared, work))


async def _values(form: Form, work: Work, kind: type[Kind], names: tuple[str, ...]) -> dict[str, Any]:
    said = {name: await _value(form, work, kind, name) for name in names}
    return {name: value for name, value in said.items() if value is not None}


async def _coded(form: Form, name: str, codes: list[str]) -> str:
    def read(text: str) -> object:
        if text.casefold() not in codes:
            raise UsageError(f"{text!r} is not in the force's list; there are {listed(codes)}")
        return text.casefold()

    return str(await form.ask(name, _QUESTIONS[name], listed(codes), read))


async def _clothing(form: Form, work: Work) -> Clothing | None:
    declared = msgspec.structs.fields(Clothing)[0].type
    question = "How far did it go?"
    extent = await form.ask("extent", question, values.hint_of(declared), reader_of("extent", declared, work))
    if extent is Extent.OUTER:
        return Clothing(extent=Extent.OUTER)
    return await entry(form, work, Clothing, {"extent": extent})


async def _arrest(form: Form, incident: Incident, work: Work) -> Arrest:
    """Which arrest: the only one, or the one that is chosen."""
    arrests = incident.arrests
    if len(arrests) == 1:
        return arrests[0]
    time = work.reader().time
    told = [f"{n} {each.person}, {time.text(each.arrested_at)}" for n, each in enumerate(arrests, 1)]

    def read(text: str) -> object:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= len(arrests)):
            raise UsageError(f"{text!r} is no arrest of this incident: it has {len(arrests)}")
        return int(text) - 1

    return arrests[int(await form.ask("arrest", "Which arrest?", "; ".join(told), read))]


async def _guided(form: Form, work: Work, settings: Settings) -> Guided:
    asked = settings.incidents.child_protection
    said = await answers(form, work, asked)
    return Guided(question_set=asked.name, version=asked.version, answers=said, asked_at=work.reader().now)


SPECS: Final = (
    spec(
        "book SUITE [ID]",
        "book a person in; with an incident, from the arrest that is recorded there",
        lambda rest: Book(**matched(r"(?P<suite>\S+)(?:\s+(?P<which>\S+))?", rest)),
    ),
    spec("search AREA", "record a stop and search, with GOWISELY", lambda rest: Search(one(rest))),
    spec(
        "protect ID",
        "a child at risk: the guided questions, for a plan, or to begin one from an incident",
        lambda rest: Protect(one(rest)),
    ),
    spec("mark ID", "add a warning with where it comes from and until when it holds", lambda rest: Mark(one(rest))),
)
