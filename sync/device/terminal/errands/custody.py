"""What a custody desk looks at: both clocks of a detention, what falls due next, and what was believed before."""

from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from schemas.errors import UsageError
from schemas.ids import Millis
from schemas.kinds import CustodyBooking, Kind
from schemas.settings import Settings
from sync.device.alarm_watch import report
from sync.device.terminal import rendering
from sync.device.terminal.reader import BAD, LABEL, WARN, WHO, Reader
from sync.device.terminal.spec import matched, one, spec
from sync.device.terminal.values import safe
from sync.device.terminal.work import Errand, Work
from sync.device.views import RecordView
from sync.merge import RecordState
from sync.policing.custody import believed, checks, clocks, words
from sync.policing.custody.believed import Recorded
from sync.policing.custody.checks import Flag, Seen
from sync.policing.custody.clocks import Detention
from sync.policing.due import Due
from sync.policing.timetable import moments_of

_FLAGS: Final = {
    Flag.ELSEWHERE: "the record has the person elsewhere at that time",
    Flag.BULK: "entered with others in one change",
    Flag.COPIED: "has the note of another person's check",
    Flag.TO_COME: "bears a time that was still to come",
    Flag.CORRECTED: "corrected or taken back",
}
"""What is wrong with a check, in words."""


class ShowClocks(Errand, frozen=True):
    """`clocks`: both clocks of a detention, every limit, and what falls due next."""

    which: str

    async def run(self, work: Work) -> None:
        """Show them as they stand now."""
        view = await booking_of(work, self.which)
        reader = work.reader()
        with work.handheld.matter(view.record):
            found = await work.handheld.judge(
                view.record, lambda state, settings: _page(state, settings, reader, rendering.heading(view))
            )
        if found is not None:
            work.show(found)
        work.sight.turn_to(view)


class ShowBelieved(Errand, frozen=True):
    """`believed`: what the clocks showed at a time, and what has been recorded of that time since."""

    which: str
    when: str

    async def run(self, work: Work) -> None:
        """Show both."""
        view = await booking_of(work, self.which)
        reader = work.reader()
        moment = reader.time.read(self.when, reader.now)
        if moment > reader.now:
            raise UsageError(f"{reader.time.text(moment)} is still to come: name a time that has passed")

        def look(state: RecordState, settings: Settings) -> RenderableType:
            return _belief(believed.recorded(state), _corrected(state, moment), moment, settings, reader)

        with work.handheld.matter(view.record):
            found = await work.handheld.judge(view.record, look)
        if found is not None:
            work.show(found)
        work.sight.turn_to(view)


async def booking_of(work: Work, which: str) -> RecordView[Kind]:
    """The custody booking that was meant.

    Raises:
        UsageError: there is none, or it is something else.
    """
    view = await work.view(which)
    if not isinstance(view.value, CustodyBooking):
        raise UsageError(f"{rendering.heading(view)} is no custody booking: list bookings tells which there are")
    return view


def value_of(view: RecordView[Kind]) -> CustodyBooking:
    """A booking's values."""
    if not isinstance(view.value, CustodyBooking):
        raise TypeError(f"record {view.record} is no custody booking")
    return view.value


# --- pages -----------------------------------------------------------------------------------------------------------


def _page(state: RecordState, settings: Settings, reader: Reader, heading: str) -> RenderableType:
    booking = state.build()
    if not isinstance(booking, CustodyBooking):
        raise TypeError(f"record {state.id} is no custody booking")
    found = clocks.of_booking(booking, settings.custody, reader.now)
    parts: list[RenderableType] = [Text(f"{heading}  {safe(booking.detainee)}, {booking.suite}", LABEL)]
    parts += [Text(safe(line), BAD if _pressing(line) else "") for line in words.lines(found)]
    parts += [Text("Limits", LABEL), *_limits(found)]
    parts += [
        Text("Next", LABEL),
        *next_lines(_dues(state, settings, reader), reader),
    ]
    wrong = [seen for seen in checks.account(state, settings, reader.now) if seen.flags or seen.late_ms]
    if wrong:
        parts += [Text("Checks to look at", LABEL), *(_check(seen, reader) for seen in wrong)]
    steps = [
        Text(f"  {number}  {reader.time.text(event.at)}  {_step(event.what.value)}{_by(event.by)}")
        for number, event in enumerate(booking.detention, 1)
    ]
    return Group(*parts, Text("Steps, as amend numbers them", LABEL), *(steps or [Text("  none yet", WHO)]))


def _dues(state: RecordState, settings: Settings, reader: Reader) -> list[Due]:
    return [each.due for each in moments_of(state, settings, reader.now, report)]


def _pressing(line: str) -> bool:
    return line.startswith("LOOK") or "OVER the limit" in line or "OVERDUE" in line


def _limits(found: Detention) -> list[Text]:
    lines = []
    for limit in found.limits.every:
        reached = "while the clock stands still" if limit.at is None else words.at(limit.at, found.now)
        bound = found.limits.binding is not None and limit.by is found.limits.binding.by
        mark = "binds now" if bound else "in force" if limit.in_force else "not authorised"
        text = f"  {words.duration(limit.counted_ms)}  {_step(str(limit.by.value))}, {mark}, reached {reached}"
        lines.append(Text(f"{text} ({limit.source})", WARN if bound else ""))
    return lines


def next_lines(dues: list[Due], reader: Reader) -> list[Text]:
    """What falls due, the soonest first: when, what to do, whose it is, and where it is laid down."""
    lines = []
    for due in sorted(set(dues), key=lambda each: (each.at, each.what.value, each.key)):
        left = due.at - reader.now
        when = f"in {words.duration(left)}" if left >= 0 else f"OVERDUE by {words.duration(-left, up=True)}"
        roles = ", ".join(role.value.replace("-", " ") for role in due.roles)
        text = Text.assemble(f"  {words.at(due.at, reader.now)}  ", (when, BAD if left < 0 else WARN))
        text.append(f"  {safe(due.words)}")
        lines.append(text.append(f"  {roles} ({due.source})", WHO))
    return lines or [Text("  nothing falls due", WHO)]


def _check(seen: Seen, reader: Reader) -> Text:
    wrong = [_FLAGS.get(flag, str(flag.value)) for flag in sorted(seen.flags, key=str)]
    wrong += [late] if (late := checks.late_in_words(seen)) else []
    counts = "counts" if seen.counts else "does not count"
    made = f"  {reader.time.text(seen.check.checked_at)}  {safe(seen.check.where)}, by {safe(seen.stamp.author)}"
    return Text(f"{made}: {counts}; {', '.join(wrong)}", WARN)


def _step(name: str) -> str:
    return name.replace("-", " ")


def _by(who: str | None) -> str:
    return "" if who is None else f", {safe(who)}"


def _belief(
    known: tuple[Recorded, ...], corrected: list[str], moment: Millis, settings: Settings, reader: Reader
) -> RenderableType:
    then = believed.at(known, moment, settings.custody)
    at = reader.time.text(moment)
    if corrected:
        fields = ", ".join(name.replace("_", " ") for name in corrected)
        return Text(
            f"What was believed at {at} is not on this handheld: {fields} was corrected since, and what stood before "
            "is in the record's history at the server. explain tells who corrected it.",
            WARN,
        )
    if then is None:
        return Text(f"At {at} nothing of this arrest had been recorded.")
    later = [one for one in known if one.recorded_at > moment]
    # As if it had been recorded at once: what is known now, asked of that moment.
    at_once = [msgspec.structs.replace(one, recorded_at=moment) for one in known]
    since = believed.at(at_once, moment, settings.custody)
    parts: list[RenderableType] = [Text(f"At {at} the record said", LABEL)]
    parts += [Text(f"  {safe(line)}") for line in words.lines(then)]
    parts.append(Text("Recorded since of the time before", LABEL))
    entered = [
        Text(f"  {reader.time.text(one.recorded_at)}  {_step(step.what.value)} at {reader.time.text(step.at)}")
        for one in later
        if (step := one.entry) is not None and step.at <= moment
    ]
    parts += entered or [Text("  nothing", WHO)]
    changed = () if since is None else believed.changes(then, since)
    parts.append(Text("By what is known now, at that time", LABEL))
    parts += [Text(f"  {one.what}: {one.before} -> {one.after}") for one in changed] or [Text("  the same", WHO)]
    return Group(*parts)


def _corrected(state: RecordState, moment: Millis) -> list[str]:
    """The times that a correction or decision has replaced since: what stood before them is not kept here."""
    return [
        name
        for name in believed.TIMES
        if (cell := state.cells.get(name)) is not None
        and cell.decided
        and cell.said is not None
        and (cell.said.stamp.recorded_at or cell.said.stamp.ms) > moment
    ]


SPECS: Final = (
    spec(
        "clocks ID",
        "a detention: both clocks, every limit and who may extend it, what falls due next",
        lambda rest: ShowClocks(one(rest)),
    ),
    spec(
        "believed ID TIME",
        "what the clocks showed at a time, and what was recorded of it since",
        lambda rest: ShowBelieved(**matched(r"(?P<which>\S+)\s+(?P<when>.+)", rest)),
    ),
)
