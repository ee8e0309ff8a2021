"""The commands that read records: lists, pages, the inbox, what a shift is told and takes over."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, assert_never

from rich.text import Text

from schemas.errors import UsageError
from schemas.ids import Millis, RecordId
from schemas.kinds import Briefing, BriefingReceipt, Kind, spec_of
from schemas.policies import claim
from sync.device.describing import short
from sync.device.kind_words import KIND_WORDS
from sync.device.terminal import commands, disputes, handing_over, packing, rendering
from sync.device.terminal.noting import notes
from sync.device.terminal.work import Work
from sync.device.views import RecordView

ROWS_MAX: Final = 20
"""Rows of a list per kind: more is not read on a handset but narrowed by words."""
_HOUR_MS: Final = 60 * 60_000
_PACK_WHY: Final = "the briefing of a shift"
_HANDOVER_WHY: Final = "the handover of a shift"


class Looking:
    """Carries the commands that read out."""

    def __init__(self, work: Work, show_due: Callable[[], Awaitable[None]]) -> None:
        """Bind them. `show_due` lists the alarms, numbered for whoever takes them up."""
        self._work = work
        self._handheld = work.handheld
        self._show_due = show_due
        self._why_lists = ""

    async def carry_out(self, command: commands.Look) -> None:
        """Carry one out.

        Raises:
            UsageError: it cannot be done; where nobody has said why it is looked at, that first.
            ReplicaError: the database failed.
        """
        match command:
            case commands.Listing():
                await self._list(command)
            case commands.Show():
                await self._show(command.which)
            case commands.Why(which=commands.LISTS):
                self._why_lists = command.reason
                self._work.say("Lists are for that reason from now on")
            case commands.Why():
                await self._show(command.which, command.reason)
            case commands.ShowInbox():
                await self._inbox()
            case commands.ShowPack(hours=hours):
                await self._pack(hours)
            case commands.ShowHandover(hours=hours):
                await self._hand_over(hours)
            case commands.ShowDue():
                await self._show_due()
            case commands.Free():
                await self._free(command.which)
            case commands.Explain():
                view = await self._work.view(command.which)
                with self._handheld.matter(view.record):
                    lines = await self._handheld.explain(
                        view.record, command.field, moment=self._work.reader().time.text
                    )
                for line in lines:
                    self._work.say(line)
                self._work.sight.turn_to(view)
            case _:
                assert_never(command)

    async def _list(self, command: commands.Listing) -> None:
        laid: list[RecordView[Kind]] = []
        for word, kind in KIND_WORDS.items():
            if command.kind not in (None, kind) or (command.kind is None and kind is BriefingReceipt):
                # What the officer said of briefings stands beside those.
                continue
            with self._handheld.matter(why=self._why_lists, words=" ".join(command.words)):
                found = await self._handheld.find(kind, lambda value: rendering.holds(value, command.words))
            newest = rendering.ordered(kind, found)
            views = [view for record in newest[:ROWS_MAX] if (view := await self._handheld.inspect(record)) is not None]
            if not views and command.kind is None:
                continue
            self._work.show(Text(f"{word.capitalize()}: {_counted(len(views), len(newest))}", "bold"))
            self._work.show(rendering.listing(kind, views, len(laid) + 1, self._work.reader()))
            laid += views
        if not laid and command.kind is None:
            self._work.say("Nothing here" + (" holds these words" if command.words else " yet"))
        self._work.sight.lay_out(laid)

    async def _hand_over(self, hours: int) -> None:
        reader = self._work.reader()
        with self._handheld.matter(why=_HANDOVER_WHY):
            until = Millis(reader.now + hours * _HOUR_MS)
            found, records = await handing_over.shift_handover(self._handheld, reader.now, until)
        self._work.show(handing_over.page(found, records, reader))
        named = handing_over.rows(found)
        self._work.sight.lay_out([view for one in named if (view := await self._handheld.inspect(one)) is not None])

    async def _pack(self, hours: int) -> None:
        reader = self._work.reader()
        with self._handheld.matter(why=_PACK_WHY):
            found = await packing.shift_pack(self._handheld, reader.now, Millis(reader.now + hours * _HOUR_MS))
        self._work.show(packing.page(found, reader))
        views = [view for item in found.items if (view := await self._handheld.inspect(item.record)) is not None]
        self._work.sight.lay_out(views)

    async def _show(self, which: str, why: str = "") -> None:
        record = await self._work.sight.resolve(which)
        with self._handheld.matter(record, why=why):
            view = await self._handheld.inspect(record)
        if view is None:
            raise UsageError(f"there is no record {short(record)} on this handheld")
        waits = [entry for entry in await self._handheld.inbox() if entry.item == view.record]
        if waits:
            self._work.show(disputes.question(waits[0], self._work.reader()))
        else:
            claims = {
                name: state
                for name, field in spec_of(type(view.value)).fields.items()
                if field.policy is claim and (state := await self._handheld.claim_state(view.record, name)) is not None
            }
            self._work.show(rendering.record(view, self._work.reader(), claims))
            for note in await notes(self._handheld, view, self._work.reader()):
                self._work.show(note)
            if isinstance(view.value, Briefing):
                await self._handheld.opened(view.record)
        self._work.sight.turn_to(view)

    async def _inbox(self) -> None:
        waits = await self._handheld.inbox()
        if not waits:
            self._work.say("Nothing waits for a decision")
        entries = waits[:ROWS_MAX]
        if entries:
            self._work.show(Text(f"To decide: {_counted(len(entries), len(waits), 'most urgent')}", "bold"))
            self._work.show(disputes.inbox(entries, self._work.reader()))
        await self._lay_out([entry.item for entry in entries])

    async def _free(self, which: str) -> None:
        view = await self._work.view(which)
        found = (await self._handheld.alternatives(view.record))[:ROWS_MAX]
        if found:
            self._work.show(disputes.free(found, self._work.reader()))
        else:
            self._work.say("Nothing of that sort is free, as far as this handheld knows")
        self._work.sight.turn_to(view)
        await self._lay_out([each.record for each in found])

    async def _lay_out(self, records: Sequence[RecordId]) -> None:
        views = [await self._handheld.inspect(record) for record in records]
        self._work.sight.lay_out([view for view in views if view is not None])


def _counted(shown: int, there: int, which: str = "newest") -> str:
    return str(there) if shown == there else f"the {which} {shown} of {there}; add words to narrow"
