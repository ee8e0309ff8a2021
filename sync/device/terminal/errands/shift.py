"""The end of a shift: all that waits is handed over, and the next shift takes it on, each matter by its own name."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.text import Text

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, ScopeName
from schemas.kinds import Handover, Kind
from schemas.kinds.handover import HandedAnswer, HandedItem, handover_id
from schemas.limits import ENTRIES_PER_OP_MAX
from sync.device.terminal import rendering
from sync.device.terminal.handing_over import shift_handover
from sync.device.terminal.reader import BAD, LABEL, WHO, Reader
from sync.device.terminal.spec import alone, matched, spec
from sync.device.terminal.values import safe
from sync.device.terminal.work import Errand, Work
from sync.device.views import Attributed, RecordView
from sync.policing.handing.shift import compare, items

WHY: Final = "the handover of a shift"
_ALL: Final = "all"
_NAME_CHARS: Final = 6
_HOUR_MS: Final = 3_600_000
_AHEAD_MS: Final = 10 * _HOUR_MS
"""What falls due within this time is handed over one by one."""
_TOLD_MS: Final = 24 * _HOUR_MS
"""How long a handover of which all is taken on is still shown."""


class Hand(Errand, frozen=True):
    """`hand`: all that waits for a team, a suite or an area is handed over to the next shift."""

    audience: str
    when: str

    async def run(self, work: Work) -> None:
        """Name each matter that waits and was not named yet, in the one record of the end of that shift."""
        reader = work.reader()
        audience = ScopeName(self.audience.casefold())
        if audience not in await work.handheld.audiences():
            raise UsageError(
                f"{self.audience!r} is none that this handheld belongs to: name a team, a suite or an area, "
                "as team:response-a, suite:perry-barr"
            )
        ends = reader.time.read(self.when, reader.now)
        with work.handheld.matter(why=WHY):
            found, _ = await shift_handover(
                work.handheld, reader.now, Millis(max(ends, reader.now) + _AHEAD_MS), frozenset({audience})
            )
            record = handover_id(audience, ends)
            there = await work.handheld.get(Handover, record)
        fresh = items(compare(there, found).unnamed)
        if not fresh:
            work.say(
                "Nothing waits that is not handed over" if found else "Nothing waits: there is nothing to hand over"
            )
            return
        for start in range(0, len(fresh), ENTRIES_PER_OP_MAX):
            part = tuple(fresh[start : start + ENTRIES_PER_OP_MAX])
            await work.create(
                Handover(audience=audience, ends_at=ends, items=part),
                f"{len(part)} handed over at {reader.time.text(ends)}",
            )


class ShowTaking(Errand, frozen=True):
    """`taking`: what was handed over, and who took what on."""

    async def run(self, work: Work) -> None:
        """Show the last day's, and older ones of which something waits; the newest on top."""
        reader = work.reader()

        def told(one: Handover) -> bool:
            return bool(one.waiting()) or one.ends_at > reader.now - _TOLD_MS

        with work.handheld.matter(why=WHY):
            found = await work.handheld.find(Handover, told)
            named = [record for record, _ in sorted(found, key=lambda one: one[1].ends_at, reverse=True)]
            views = [view for record in named if (view := await work.handheld.inspect(record)) is not None]
        newest: set[ScopeName] = set()
        for number, view in enumerate(views, 1):
            for line in _lines(number, view, reader):
                work.show(line)
            if isinstance(view.value, Handover) and view.value.audience not in newest:
                newest.add(view.value.audience)
                if count := await _unnamed(work, view.value, reader):
                    work.show(Text(f"   {count} more wait and were not handed over: handover shows them", BAD))
        if not views:
            work.say("Nothing was handed over")
        work.sight.lay_out(views)


class Take(Errand, frozen=True):
    """`take` and `leave`: the answer of the next shift.

    Attributes:
        which: the handover.
        item: the name of a matter as `taking` shows it, or its beginning; `all` for all that wait.
        note: what is said to it; None for nothing.
        taken: whether it is taken on.
    """

    which: str
    item: str
    note: str | None
    taken: bool = True

    async def run(self, work: Work) -> None:
        """Answer, for whoever is signed in."""
        view = await work.view(self.which)
        if not isinstance(view.value, Handover):
            raise UsageError(f"{rendering.heading(view)} is no handover: taking shows them")
        waiting = [one.ref() for one in view.value.waiting()]
        meant = waiting if self.item == _ALL else [ref for ref in waiting if ref.startswith(self.item.casefold())]
        if not meant or (len(meant) > 1 and self.item != _ALL):
            raise UsageError(f"{self.item!r} names {len(meant) or 'nothing'} of what waits: taking shows the names")
        now = work.reader().now
        for start in range(0, len(meant), ENTRIES_PER_OP_MAX):
            part = meant[start : start + ENTRIES_PER_OP_MAX]
            answers = [HandedAnswer(item=ref, taken=self.taken, at=now, note=self.note) for ref in part]
            done = f"{len(part)} {'taken on' if self.taken else 'refused'}"
            await work.enter(view.record, done, answers=answers)


async def _unnamed(work: Work, handed: Handover, reader: Reader) -> int:
    """How much waits for the same people and was named to nobody: the next shift has it all the same."""
    with work.handheld.matter(why=WHY):
        until = Millis(reader.now + _AHEAD_MS)
        found, _ = await shift_handover(work.handheld, reader.now, until, frozenset({handed.audience}))
    return len(compare(handed, found).unnamed)


def _lines(number: int, view: RecordView[Kind], reader: Reader) -> list[Text]:
    handed = view.value
    if not isinstance(handed, Handover):
        raise TypeError(f"record {view.record} is no handover")
    waiting = {one.ref() for one in handed.waiting()}
    given: dict[str, Attributed] = {each.value.ref(): each for each in _entries(view, "items")}
    said: dict[str, list[Attributed]] = {}
    for each in _entries(view, "answers"):
        said.setdefault(each.value.item, []).append(each)
    head = f"{number}  {handed.audience}, shift that ended {reader.time.text(handed.ends_at)}: "
    lines = [Text(f"{head}{len(waiting)} of {len(given)} wait", LABEL)]
    for ref, each in sorted(given.items(), key=lambda one: (one[0] not in waiting, one[0])):
        item: HandedItem = each.value
        line = Text.assemble(f"   {ref[:_NAME_CHARS]}  {item.part}  {safe(item.words)}")
        line.append(f"  {safe(item.note)}" if item.note else "")
        line.append(f"  from {each.stamp.author}", WHO)
        lines.append(line)
        lines += [_answer(one, ref in waiting) for one in said.get(ref, ())]
    return lines


def _answer(each: Attributed, waits: bool) -> Text:  # noqa: FBT001  of one place
    answer: HandedAnswer = each.value
    how, style = ("taken on", "") if answer.taken else ("refused", BAD if waits else "")
    note = f": {safe(answer.note)}" if answer.note else ""
    return Text(f"           {how} by {each.stamp.author}{note}", style)


def _entries(view: RecordView[Kind], field: str) -> Sequence[Attributed]:
    entries: Mapping[FieldName, Sequence[Attributed]] = view.entries
    return entries.get(FieldName(field), ())


def _hand(rest: str) -> Hand:
    return Hand(**matched(r"(?P<audience>\S+)\s+at\s+(?P<when>.+)", rest))


def _take(rest: str) -> Take:
    return Take(**matched(r"(?P<which>\S+)\s+(?P<item>\S+)(?:\s+(?P<note>.+))?", rest))


def _leave(rest: str) -> Take:
    return Take(**matched(r"(?P<which>\S+)\s+(?P<item>\S+)\s+(?P<note>.+)", rest), taken=False)


SPECS: Final = (
    spec("hand WHOSE at TIME", "hand over all that waits, as in hand team:response-a at 07:00", _hand),
    spec("taking", "what was handed over, and who took what on", alone(ShowTaking())),
    spec("take ID NAME [NOTE…]", "take on what was handed over; NAME as taking shows it, or all", _take),
    spec("leave ID NAME REASON…", "refuse what was handed over", _leave),
)
