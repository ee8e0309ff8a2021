"""What a control room works with: the queue with its timers, which units can be sent, and where each of them is."""

from typing import Any, Final

from rich.table import Table
from rich.text import Text

from schemas.errors import UsageError
from schemas.ids import FieldName, RecordId
from schemas.kinds import Incident, Kind, Resource, spec_of
from schemas.kinds.call import Deployment, Grade, Step
from schemas.kinds.incident import IncidentStatus
from schemas.kinds.resource import Category, Duty
from schemas.settings.incidents import IncidentSettings
from sync.device.describing import short
from sync.device.terminal import rendering
from sync.device.terminal.errands.entries import chosen
from sync.device.terminal.reader import BAD, LABEL, WARN, WHO, Reader
from sync.device.terminal.spec import alone, matched, spec
from sync.device.terminal.values import listed, safe
from sync.device.terminal.work import Errand, Work
from sync.device.views import RecordView
from sync.policing.custody import words
from sync.policing.incidents import units
from sync.policing.incidents.control import Waiting, queue

QUEUE_ROWS_MAX: Final = 40
"""Incidents that a page of the queue has: the most urgent; how many there are is told."""
_QUEUE_WHY: Final = "the control room's queue"
_UNITS_WHY: Final = "which units can be sent"
_SOON_MS: Final = 5 * 60_000
_STATUS: Final = {Step.ASSIGNED: IncidentStatus.ASSIGNED, Step.AT_SCENE: IncidentStatus.ATTENDED}
"""Step of a unit -> where the incident stands from then on."""


class ShowQueue(Errand, frozen=True):
    """`queue`: the open incidents, the most urgent first, each with the time that is left."""

    async def run(self, work: Work) -> None:
        """Show it; its rows are numbered."""
        reader, settings = work.reader(), await work.settings()
        with work.handheld.matter(why=_QUEUE_WHY):
            held = dict(await work.handheld.find(Incident, _is_open))
        rows = queue(held, settings, reader.now)
        first = rows[:QUEUE_ROWS_MAX]
        late = sum(1 for row in rows if row.left_ms is not None and row.left_ms < 0)
        more = "" if len(first) == len(rows) else f", the first {len(first)} here"
        work.show(Text(f"Queue: {len(rows)} open, {late} overdue{more}", LABEL))
        work.show(_table(first, [held[row.record] for row in first]))
        views = [await work.handheld.inspect(row.record) for row in first]
        work.sight.lay_out([view for view in views if view is not None])


class ShowUnits(Errand, frozen=True):
    """`units`: the call signs, those first that can be sent."""

    async def run(self, work: Work) -> None:
        """Show them; their rows are numbered."""
        reader, settings = work.reader(), (await work.settings()).incidents
        with work.handheld.matter(why=_UNITS_WHY):
            held = dict(await work.handheld.find(Resource, category=Category.CALL_SIGN))
        free = units.deployable(held, settings)
        others = sorted((record for record in held if record not in free), key=lambda record: held[record].name)
        work.show(Text(f"Units: {len(held)}, {len(free)} can be sent", LABEL))
        table = Table.grid(padding=(0, 2, 0, 0))
        for number, record in enumerate((*free, *others), 1):
            told, since = _duty(held[record], settings, reader)
            style = "" if record in free else WHO
            table.add_row(str(number), Text(safe(held[record].name), style), Text(told, style), Text(since, WHO))
        work.show(table)
        views = [await work.handheld.inspect(record) for record in (*free, *others)]
        work.sight.lay_out([view for view in views if view is not None])


class MoveUnit(Errand, frozen=True):
    """`unit`: a unit is assigned, on its way, at the scene, or clear again, when it says so."""

    which: str
    call_sign: str
    step: str
    when: str | None

    async def run(self, work: Work) -> None:
        """Enter it, with the incident's status where that follows."""
        view = await incident_of(work, self.which)
        incident, reader = value_of(view), work.reader()
        step = chosen(Step, self.step, "step of a unit")
        at = reader.now if self.when is None else reader.time.read(self.when, reader.now)
        changes: dict[str, Any] = {"deployments": [Deployment(call_sign=self.call_sign, step=step, at=at)]}
        if step is not Step.CLEAR and self.call_sign not in incident.units:
            changes["units"] = (*incident.units, self.call_sign)
        status = _STATUS.get(step)
        flow = spec_of(Incident).fields[FieldName("status")].flow
        if flow is not None and status is not None and status.value in flow.moves[str(incident.status.value)]:
            changes["status"] = status
        done = f"{self.call_sign} {step.value.replace('-', ' ')} at {reader.time.text(at)}"
        await work.enter(view.record, done, **changes, occurred_at=at)


class SetDuty(Errand, frozen=True):
    """`duty`: a unit says its status."""

    which: str
    code: str
    incident: str | None

    async def run(self, work: Work) -> None:
        """Enter it, with the incident that it is about."""
        view = await work.view(self.which)
        if not isinstance(view.value, Resource) or view.value.category is not Category.CALL_SIGN:
            raise UsageError(f"{rendering.heading(view)} is no unit: units tells which there are")
        known = {str(one.code): one for one in (await work.settings()).incidents.unit_codes}
        code = known.get(self.code)
        if code is None:
            there = listed([f"{one.code} {one.meaning}" for one in known.values()])
            raise UsageError(f"{self.code!r} is no status of a unit; there are {there}")
        about = None if self.incident is None else (await incident_of(work, self.incident)).record
        duty = Duty(code=code.code, at=work.reader().now, incident=about)
        await work.enter(view.record, f"{view.value.name} is {code.meaning}", duty=duty)


async def incident_of(work: Work, which: str, *, shown: bool = False) -> RecordView[Kind]:
    """The incident that was meant.

    Args:
        work: what the command works with.
        which: as it was typed.
        shown: whether something of it is about to be shown: that is a consultation.

    Raises:
        UsageError: there is none, or it is something else.
    """
    view = await (work.consulted(which) if shown else work.view(which))
    if not isinstance(view.value, Incident):
        raise UsageError(f"{rendering.heading(view)} is no incident: list incidents tells which there are")
    return view


def value_of(view: RecordView[Kind]) -> Incident:
    """An incident's values."""
    if not isinstance(view.value, Incident):
        raise TypeError(f"record {view.record} is no incident")
    return view.value


def _is_open(incident: Incident) -> bool:
    return incident.status is not IncidentStatus.CLOSED


def _table(rows: tuple[Waiting, ...], incidents: list[Incident]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for number, (row, incident) in enumerate(zip(rows, incidents, strict=True), 1):
        due = Text("nothing falls due", WHO)
        if row.due is not None and row.left_ms is not None:
            late = row.left_ms < 0
            left = words.duration(abs(row.left_ms), up=late)
            style = BAD if late else WARN if row.left_ms < _SOON_MS else ""
            due = Text.assemble((f"OVERDUE by {left}" if late else f"{left} left", style), f"  {safe(row.due.words)}")
        grade = Text(row.grade, BAD if incident.grade is Grade.P1 else "")
        marks = Text("! ", BAD) if incident.markers else Text()
        about = Text.assemble(marks, rendering.gist_of(incident), no_wrap=True, overflow="ellipsis")
        sent = listed([f"{unit} {_last(incident, unit)}" for unit in units.timelines(incident)])
        status = str(incident.status.value)
        table.add_row(str(number), row.called, grade, status, due, about, Text(safe(sent), WHO))
    return table


def _last(incident: Incident, unit: str) -> str:
    step = units.last_step(incident, unit)
    return "" if step is None else step.step.value.replace("-", " ")


def _duty(unit: Resource, settings: IncidentSettings, reader: Reader) -> tuple[str, str]:
    if unit.duty is None:
        return "has said no status", ""
    code = units.code_of(unit, settings)
    meaning = "not in the force's list" if code is None else code.meaning
    about = "" if unit.duty.incident is None else f" ({short(RecordId(unit.duty.incident))})"
    return f"{unit.duty.code} {meaning}{about}", f"since {reader.time.brief(unit.duty.at, reader.now)}"


_UNIT_FORM: Final = r"(?P<which>\S+)\s+(?P<call_sign>\S+)\s+(?P<step>\S+)(?:\s+at\s+(?P<when>.+))?"
_DUTY_FORM: Final = r"(?P<which>\S+)\s+(?P<code>\S+)(?:\s+for\s+(?P<incident>\S+))?"

SPECS: Final = (
    spec(
        "queue",
        "the open incidents: the most urgent grade first, in it the one with the least time left",
        alone(ShowQueue()),
    ),
    spec("units", "the call signs and their status, those first that can be sent", alone(ShowUnits())),
    spec(
        "unit ID CALLSIGN STEP [at TIME]",
        "a unit is assigned, en-route, at-scene or clear, when it says so",
        lambda rest: MoveUnit(**matched(_UNIT_FORM, rest)),
    ),
    spec(
        "duty ID CODE [for ID]",
        "a unit's status by its number in the force's list, as in duty 1 6 for 2",
        lambda rest: SetDuty(**matched(_DUTY_FORM, rest)),
    ),
)
