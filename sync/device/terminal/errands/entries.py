"""What is entered by a form or in a line: a check, a step of a detention, and an entry of any field that grows."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import FieldName
from schemas.kinds import CustodyBooking, FieldSpec, Kind, spec_of
from schemas.kinds.booking import BookingStatus
from schemas.kinds.care import Check, Place, Response
from schemas.kinds.common import LogEntry
from schemas.kinds.detention import DetentionEvent, Step, ref
from schemas.kinds.timed import Corrigible
from schemas.policies import grow
from sync.device.terminal.errands.custody import booking_of, value_of
from sync.device.terminal.forms import Form, entry
from sync.device.terminal.reader import label
from sync.device.terminal.spec import matched, spec
from sync.device.terminal.values import listed
from sync.device.terminal.work import Errand, Work
from sync.device.views import RecordView

_WHERE: Final = {
    Place.CELL: "cell",
    Place.SUITE: "in the suite",
    Place.HOSPITAL: "hospital",
    Place.COURT: "court",
    Place.VEHICLE: "vehicle",
}
_STATUS: Final = {
    Step.AUTHORISED: BookingStatus.DETAINED,
    Step.LEFT_FOR_HOSPITAL: BookingStatus.HOSPITAL,
    Step.BACK_FROM_HOSPITAL: BookingStatus.DETAINED,
    Step.RELEASED: BookingStatus.RELEASED,
}
"""Step -> the booking's status from then on. The desk says it once."""
_TIMES: Final = {Step.ARRIVAL: "arrived_at", Step.AUTHORISED: "detention_authorised_at"}
"""Step -> the time that the booking says once."""
_OWN: Final = {
    "checks": "check",
    "detention": "step",
    "first_contact": "contact",
    "gradings": "grade",
    "assessments": "assess",
    "methane": "methane",
    "guided": "protect",
    "deployments": "unit",
    "confirmations": "confirm",
}
"""Field -> the command of its own that enters it."""


class EnterCheck(Errand, frozen=True):
    """`check`: a detainee was looked at."""

    which: str
    place: str
    response: str
    when: str | None
    note: str | None

    async def run(self, work: Work) -> None:
        """Enter it, in a change of its own."""
        view = await booking_of(work, self.which)
        reader = work.reader()
        place, response = chosen(Place, self.place, "place"), chosen(Response, self.response, "response")
        at = reader.now if self.when is None else reader.time.read(self.when, reader.now)
        made = Check(checked_at=at, where=_WHERE[place], response=response, note=self.note, place=place)
        done = f"check at {reader.time.text(at)}, {_WHERE[place]}, {response.value}"
        await work.enter(view.record, done, checks=[made], occurred_at=at)


class EnterStep(Errand, frozen=True):
    """`step`: something happened that the clocks go by."""

    which: str
    step: str
    when: str | None

    async def run(self, work: Work) -> None:
        """Ask for what belongs to that step, and enter it with the status that follows."""
        view = await booking_of(work, self.which)
        booking, reader = value_of(view), work.reader()
        step = chosen(Step, self.step, "step")
        at = reader.now if self.when is None else reader.time.read(self.when, reader.now)
        form = Form(work, view.record, "detention", step.value)
        form.offer({"suite": booking.suite})
        made = await entry(form, work, DetentionEvent, {"what": step, "at": at})
        form.whole()
        changes: dict[str, Any] = {"detention": [made], **_follows(booking, step, at)}
        done = f"{step.value.replace('-', ' ')} at {reader.time.text(at)}"
        await work.enter(view.record, done, form.written, **changes, occurred_at=at)


class Add(Errand, frozen=True):
    """`add`: an entry of a field that grows, part by part."""

    which: str
    field: str

    async def run(self, work: Work) -> None:
        """Ask for it, and enter it."""
        view = await work.view(self.which)
        field = growing(view, self.field)
        if field.name in _OWN:
            raise UsageError(f"{_OWN[field.name]} enters these")
        form = Form(work, view.record, field.name)
        made = await entry(form, work, field.type, _given(field, work))
        form.whole()
        changes: dict[str, Any] = {field.name: [made]}
        await work.enter(view.record, f"{label(field.name)} entered", form.written, **changes)


class Amend(Errand, frozen=True):
    """`amend`: an entry is put right by another that names it; the old one stays in the record."""

    which: str
    field: str
    number: str

    async def run(self, work: Work) -> None:
        """Ask for it anew, with what stands there to be kept."""
        view = await work.consulted(self.which)
        field = growing(view, self.field)
        old = _numbered(view, field, self.number)
        form = Form(work, view.record, field.name, self.number)
        form.offer({name: said for name in old.__struct_fields__ if (said := getattr(old, name)) is not None})
        name = ref(old) if isinstance(old, DetentionEvent) else old.ref()
        made = await entry(form, work, type(old), {"corrects": name})
        form.whole()
        changes: dict[str, Any] = {field.name: [made]}
        await work.enter(view.record, f"{label(field.name)}, entry {self.number} put right", form.written, **changes)


class Strike(Errand, frozen=True):
    """`strike`: an entry that should not have been made is taken back; it stays in the record."""

    which: str
    field: str
    number: str
    reason: str

    async def run(self, work: Work) -> None:
        """Enter that it is taken back, with the reason in the log."""
        view = await work.view(self.which)
        field = growing(view, self.field)
        old = _numbered(view, field, self.number)
        made: DetentionEvent | Corrigible
        if isinstance(old, DetentionEvent):
            made = DetentionEvent(what=Step.WITHDRAWN, at=old.at, reason=self.reason, corrects=ref(old))
        else:
            made = msgspec.structs.replace(old, corrects=old.ref(), in_error=True)
        changes: dict[str, Any] = {field.name: [made]}
        if "log" in spec_of(type(view.value)).fields:
            told = f"{label(field.name)}, entry {self.number} made in error: {self.reason}"
            changes["log"] = [LogEntry(text=told)]
        await work.enter(view.record, f"{label(field.name)}, entry {self.number} taken back", **changes)


def _numbered(view: RecordView[Kind], field: FieldSpec, number: str) -> DetentionEvent | Corrigible:
    there = view.entries.get(field.name, ())
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= len(there)):
        raise UsageError(f"{label(field.name)} has {len(there)} entries; {number!r} is none of them: show numbers them")
    old = there[int(number) - 1].value
    if not isinstance(old, (DetentionEvent, Corrigible)):
        raise UsageError(f"entries of {label(field.name)} are not amended: another entry says what differs")
    return old


def growing(view: RecordView[Kind], name: str) -> FieldSpec:
    """The field of a record to which entries are added by a form.

    Raises:
        UsageError: it is none; the text says which there are.
    """
    fields = spec_of(type(view.value)).fields
    there = [one.name for one in fields.values() if one.policy is grow and one.type is not LogEntry and _open(one)]
    wanted = FieldName(name.casefold().replace("-", "_"))
    if wanted not in there:
        raise UsageError(f"{name!r} is nothing to add to here; there are {listed(there) or 'none'}")
    return fields[wanted]


def _open(field: FieldSpec) -> bool:
    """Whether a person writes it, in this version."""
    return field.retired is None and not field.by_rule


def chosen(kind: type[Any], typed: str, what: str) -> Any:  # noqa: ANN401  one of the kind
    """One of a list of words.

    Raises:
        UsageError: it is none; the text says which there are.
    """
    for each in kind:
        if each.value == typed.casefold():
            return each
    raise UsageError(f"{typed!r} is no {what}; there are {listed([str(each.value) for each in kind])}")


def _given(field: FieldSpec, work: Work) -> Mapping[str, object]:
    """What the terminal knows of an entry by itself: whoever decides writes it."""
    return {"by": work.reader().author} if field.name in {"crimes", "not_crimes"} else {}


def _follows(booking: CustodyBooking, step: Step, at: int) -> dict[str, Any]:
    """What a step says of the booking beside the clocks, where nothing later says otherwise."""
    changes: dict[str, Any] = {}
    name = _TIMES.get(step)
    if name is not None and getattr(booking, name) is None:
        changes[name] = at
    status = _STATUS.get(step)
    flow = spec_of(CustodyBooking).fields[FieldName("status")].flow
    latest = all(one.at <= at for one in booking.detention)
    if flow is not None and status is not None and latest and status.value in flow.moves[str(booking.status.value)]:
        changes["status"] = status
    return changes


def _strike(rest: str) -> Strike:
    which, field, number, reason = rest.split(maxsplit=3)
    return Strike(which, field, number, reason.rstrip())


def _two(rest: str) -> tuple[str, str]:
    which, field = rest.split()
    return which, field


_CHECK_FORM: Final = (
    r"(?P<which>\S+)\s+(?P<place>\S+)\s+(?P<response>\S+)"
    r"(?:\s+at\s+(?P<when>(?:\d{4}-\d\d-\d\d\s+)?\d{1,2}:\d\d))?(?:\s+(?P<note>.+))?"
)
_STEP_FORM: Final = r"(?P<which>\S+)\s+(?P<step>\S+)(?:\s+at\s+(?P<when>.+))?"

SPECS: Final = (
    spec(
        "check ID PLACE RESPONSE [at TIME] [NOTE…]",
        "enter one check: cell, suite, hospital …; awake, roused, asleep, no-response",
        lambda rest: EnterCheck(**matched(_CHECK_FORM, rest)),
    ),
    spec(
        "step ID STEP [at TIME]",
        "enter what the clocks go by: arrival, authorised, review, left-for-hospital, charged …",
        lambda rest: EnterStep(**matched(_STEP_FORM, rest)),
    ),
    spec(
        "add ID FIELD",
        "enter rights, meals, searches, people, crimes …, question by question; stop leaves it",
        lambda rest: Add(*_two(rest)),
    ),
    spec(
        "amend ID FIELD N",
        "put entry N of a field right; the old one stays in the record",
        lambda rest: Amend(**matched(r"(?P<which>\S+)\s+(?P<field>\S+)\s+(?P<number>\S+)", rest)),
    ),
    spec(
        "strike ID FIELD N REASON…",
        "take entry N of a field back, which should not have been made; it stays in the record",
        _strike,
    ),
)
