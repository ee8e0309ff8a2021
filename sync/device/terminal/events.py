"""What the officer is told without asking: briefings, changes of what they look at, refusals, the connection."""

import asyncio
import functools
import operator
from collections.abc import Callable
from typing import Final

from rich.text import Text

from schemas.ids import FieldName, OpId, RecordId
from schemas.kinds import Briefing, Kind, kind_named
from sync.device.changes import (
    AlarmFired,
    AlarmRaised,
    ClaimConfirmed,
    ClaimDisplaced,
    EditsErased,
    EditsSealed,
    InboxArrived,
    LeaseEnded,
    Missed,
    OpDurable,
    OpHeld,
    OpReissued,
    RecordChanged,
    Wiped,
)
from sync.device.describing import called, short
from sync.device.handheld import Handheld
from sync.device.notices import Notice
from sync.device.status import SyncStatus
from sync.device.terminal import rendering
from sync.device.terminal.reader import BAD, Reader
from sync.device.terminal.screens import Screen
from sync.device.terminal.sight import Sight
from sync.device.terminal.values import safe

TOLD_MAX: Final = 6
"""Messages that one burst of changes may bring: a replica that fills up must not flood the screen."""
_RECEIPTS: Final = FieldName("receipts")
"""What thousands of others do with a briefing is no news."""


class Teller:
    """Follows the handheld's changes and its status, and tells what matters."""

    def __init__(self, handheld: Handheld, screen: Screen, sight: Sight, reader: Callable[[], Reader]) -> None:
        """Bind them, from this moment on. `reader` gives the officer and the moment, each time anew."""
        self._handheld = handheld
        self._screen = screen
        self._sight = sight
        self._reader = reader
        self._stream = handheld.changes()
        self._awake = asyncio.Event()
        self._changed: dict[RecordId, type[Kind]] = {}
        self._held: list[OpId] = []
        self._notices: list[Notice] = []
        self._look_again = False

    async def begin(self) -> None:
        """Take what is here now for known."""
        for record, _ in await self._handheld.find(Briefing):
            view = await self._handheld.inspect(record)
            if view is not None:
                self._sight.watch(view, always=True)

    async def gather(self) -> None:
        """Gather what happened, each record once, so that a burst is told as one. Runs until it is cancelled."""
        async for change in self._stream:
            match change:
                case RecordChanged(origin="server"):
                    self._changed[change.record] = change.kind
                case OpHeld():
                    self._held.append(change.op)
                case InboxArrived() | ClaimConfirmed() | ClaimDisplaced():
                    self._notices.append(change)
                case EditsSealed() | EditsErased() | AlarmRaised() | LeaseEnded() | Wiped():
                    # Told at once: nothing is read for it, and the next reading may fail.
                    self._screen.tell(rendering.ending(change))
                    continue
                case AlarmFired():
                    self._screen.tell(rendering.alarm(change, self._reader()))
                    continue
                case Missed():
                    self._look_again = True
                case RecordChanged() | OpDurable() | OpReissued():
                    # Own work: it was answered when it was done, and the prompt counts what waits.
                    continue
            self._awake.set()

    async def tell(self) -> None:
        """Tell what was gathered. Runs until it is cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            changed, self._changed = self._changed, {}
            held, self._held = self._held, []
            notices, self._notices = self._notices, []
            if self._look_again:
                self._look_again = False
                changed |= dict.fromkeys(self._sight.watched(), Kind)
                changed |= {record: Briefing for record, _ in await self._handheld.find(Briefing)}
            told = [
                text
                for record, kind in changed.items()
                if (kind is Briefing or self._sight.watches(record)) and (text := await self._news(record)) is not None
            ]
            for text in told[:TOLD_MAX]:
                self._screen.tell(text)
            if len(told) > TOLD_MAX:
                self._screen.tell(Text(f"… and {len(told) - TOLD_MAX} more; list shows them"))
            for notice in notices[:TOLD_MAX]:
                self._screen.tell(await self._notice(notice))
            if len(notices) > TOLD_MAX:
                self._screen.tell(Text(f"… and {len(notices) - TOLD_MAX} more; inbox shows what waits"))
            if held:
                await self._tell_refused(frozenset(held))

    async def _news(self, record: RecordId) -> Text | None:
        view = await self._handheld.inspect(record)
        reader = self._reader()
        if view is None:
            gone = self._sight.watches(record)
            self._sight.forget(record)
            return Text(f"Record {short(record)} is no longer on this handheld") if gone else None
        if not self._sight.watches(record):
            self._sight.watch(view, always=True)
            over = rendering.briefing_state(view, reader) in {"withdrawn", "expired", "read"}
            return None if over else rendering.briefing_came(view, reader)
        news = [one for one in self._sight.news(view) if one.field != _RECEIPTS]
        return rendering.changed(view, news, reader) if news else None

    async def _notice(self, notice: Notice) -> Text:
        record = notice.subject if isinstance(notice, InboxArrived) else notice.record
        view = await self._handheld.inspect(record)
        what = f"record {short(record)}" if view is None else safe(called(view.value))
        match notice:
            case InboxArrived():
                by = self._reader().time.text(notice.due_at)
                text = f"{what}: people differ about {notice.field.replace('_', ' ')}, decide by {by}; inbox has it"
                return Text.assemble(("To decide", BAD), f" {short(notice.item)}  {text}")
            case ClaimConfirmed():
                return Text(f"Your claim holds: {what}")
            case ClaimDisplaced():
                text = f": {what}; another was there first. free {short(record)} shows what else there is"
                return Text.assemble(("Your claim was displaced", BAD), text)

    async def _tell_refused(self, ops: frozenset[OpId]) -> None:
        refused = [one for one in await self._handheld.held() if one.op in ops]
        for one in refused[:TOLD_MAX]:
            spec = kind_named(one.kind)
            self._screen.tell(rendering.refused(one, one.kind if spec is None else spec.name))
        if len(refused) > TOLD_MAX:
            self._screen.tell(Text(f"… and {len(refused) - TOLD_MAX} more; held shows them"))

    async def follow(self, show: Callable[[SyncStatus], None]) -> None:
        """Keep the prompt true, and tell when the connection comes or cannot be had. Runs until it is cancelled."""
        last = self._handheld.status
        show(last)
        while True:
            before = last
            last = await self._handheld.wait_until(functools.partial(operator.ne, before))
            show(last)
            if last.connected and not before.connected:
                self._screen.tell(Text("Connected"))
            elif last.last_error and last.last_error != before.last_error:
                self._screen.tell(Text(f"No connection: {safe(last.last_error)}"))
