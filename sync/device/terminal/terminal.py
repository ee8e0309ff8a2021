"""The terminal handheld: carries out one command after the other, while what happens is told beside them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, assert_never

import msgspec
from rich.text import Text

from schemas.errors import BeatbookError, UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, RecordId
from schemas.kinds import KINDS, Briefing, Incident, Kind, spec_of
from schemas.kinds.common import LogEntry, Receipt
from schemas.policies import grow
from sync.device.handheld import Handheld
from sync.device.status import SyncStatus
from sync.device.terminal import commands, rendering, values
from sync.device.terminal.commands import KIND_WORDS, Command, parse
from sync.device.terminal.events import Teller
from sync.device.terminal.rendering import Reader
from sync.device.terminal.screens import Screen
from sync.device.terminal.sight import Sight
from sync.device.terminal.values import LocalTime, short
from sync.device.views import RecordView

ROWS_MAX: Final = 20
"""Rows of a list per kind: more is not read on a handset but narrowed by words."""
_LOG: Final = FieldName("log")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while it runs.

    Attributes:
        device: the handheld.
        author: the officer.
        server: its address.
        folder: where the replica is.
        offline: whether it begins without a connection.
    """

    device: DeviceId
    author: OfficerId
    server: str | None
    folder: str
    offline: bool = False


class _Quit(Exception):  # noqa: N818  no error: it ends the commands
    """The officer has had enough."""


class Terminal:
    """One handheld at one terminal, or under one script."""

    def __init__(
        self,
        handheld: Handheld,
        screen: Screen,
        facts: Facts,
        *,
        local: LocalTime | None = None,
        now: Callable[[], Millis] = lambda: Millis(time.time_ns() // 1_000_000),
    ) -> None:
        """Bind them; `run` begins.

        Args:
            handheld: opened by the caller, who also closes it, and still offline, so that what is here before the
                first connection can be told from what comes by it.
            screen: where output goes.
            facts: who and where.
            local: the local time; the machine's by default.
            now: the wall clock (ms since 1970).
        """
        self._handheld = handheld
        self._screen = screen
        self._facts = facts
        self._time = local or LocalTime()
        self._now = now
        self._wanted = facts.server is not None and not facts.offline
        self._sight = Sight(handheld, facts.device)
        self._teller = Teller(handheld, screen, self._sight, self._reader)
        self._running: asyncio.Task[None] | None = None

    async def run(self, lines: AsyncGenerator[str], *, stop_at_failure: bool) -> bool:
        """Carry out lines until they end or one says `quit`.

        Args:
            lines: the commands.
            stop_at_failure: end at the first that fails: what follows in a script was written for the case that it
                works.

        Returns:
            Whether every command was carried out.

        Raises:
            ReplicaError: the database failed.
        """
        await self._teller.begin()
        if self._wanted:
            await self._handheld.go_online()
        beside = [
            asyncio.create_task(self._teller.gather()),
            asyncio.create_task(self._teller.tell()),
            asyncio.create_task(self._teller.follow(self._show_state)),
        ]
        work = asyncio.create_task(self._work(lines, stop_at_failure=stop_at_failure))
        try:
            # Whatever ends first: none of those beside ends by itself unless something is wrong.
            await asyncio.wait([work, *beside], return_when=asyncio.FIRST_COMPLETED)
            for task in beside:
                if task.done():
                    task.result()
            return await work
        finally:
            for each in (work, *beside):
                each.cancel()
            await asyncio.gather(work, *beside, return_exceptions=True)

    def interrupt(self) -> bool:
        """Break off the command that runs, if one does. False when none does."""
        if self._running is None:
            return False
        self._running.cancel()
        return True

    async def _work(self, lines: AsyncGenerator[str], *, stop_at_failure: bool) -> bool:
        worked = True
        try:
            async with contextlib.aclosing(lines):
                async for line in lines:
                    done = await self._try(line)
                    worked = worked and done
                    if not done and stop_at_failure:
                        break
        except _Quit:
            pass
        except UsageError as error:
            # The input itself is not usable.
            self._screen.complain(str(error))
            return False
        return worked

    async def _try(self, line: str) -> bool:
        """One line, to its end or to what is wrong with it."""
        try:
            command = parse(line)
            if command is None:
                return True
            running: asyncio.Task[None] = asyncio.create_task(self._carry_out(command))
            self._running = running
            await asyncio.wait([running])
            running.result()
        except BeatbookError as error:
            self._screen.complain(str(error))
            return False
        except asyncio.CancelledError:
            if self._running is None or not self._running.cancelled():
                raise
            self._screen.complain("broken off")
            return False
        finally:
            if self._running is not None:
                self._running.cancel()
                await asyncio.wait([self._running])
            self._running = None
        return True

    async def _carry_out(self, command: Command) -> None:  # noqa: C901, PLR0912  one case per command
        match command:
            case commands.Listing():
                await self._list(command)
            case commands.Show():
                view = await self._view(command.which)
                self._screen.show(rendering.record(view, self._reader()))
                self._sight.turn_to(view)
            case commands.New():
                await self._new(command)
            case commands.Log():
                await self._log(command)
            case commands.SetField():
                await self._set(command)
            case commands.Read():
                await self._confirm(command)
            case commands.Offline():
                await self._go_offline()
            case commands.Online():
                await self._handheld.go_online()
                self._wanted = True
                self._show_state(self._handheld.status)
                self._say(f"Connecting to {self._facts.server}")
            case commands.Status():
                self._show_status()
            case commands.ListHeld():
                await self._list_held()
            case commands.Wait():
                await self._wait(command.seconds)
            case commands.Help():
                self._screen.show(rendering.help_page())
            case commands.Quit():
                raise _Quit
            case _:
                assert_never(command)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _list(self, command: commands.Listing) -> None:
        laid: list[RecordView[Kind]] = []
        for word, kind in KIND_WORDS.items():
            if command.kind not in (None, kind):
                continue
            found = await self._handheld.find(kind, lambda value: rendering.holds(value, command.words))
            newest = rendering.ordered(kind, found)
            views = [view for record in newest[:ROWS_MAX] if (view := await self._handheld.inspect(record)) is not None]
            if not views and command.kind is None:
                continue
            self._screen.show(Text(f"{word.capitalize()}: {_counted(len(views), len(newest))}", "bold"))
            self._screen.show(rendering.listing(kind, views, len(laid) + 1, self._reader()))
            laid += views
        if not laid and command.kind is None:
            self._say("Nothing here" + (" holds these words" if command.words else " yet"))
        self._sight.lay_out(laid)

    async def _view(self, which: str) -> RecordView[Kind]:
        record = await self._sight.resolve(which)
        view = await self._handheld.inspect(record)
        if view is None:
            raise UsageError(f"there is no record {short(record)} on this handheld")
        return view

    def _show_status(self) -> None:
        facts = self._facts
        told = [
            ("device", facts.device),
            ("officer", facts.author),
            ("server", facts.server or "none: this handheld works by itself"),
            ("replica", facts.folder),
        ]
        page = rendering.status_page(self._handheld.status, told, self._reader(), wanted=self._wanted)
        self._screen.show(page)

    async def _list_held(self) -> None:
        held = await self._handheld.held()
        for one in held:
            self._screen.show(rendering.refused(one, one.kind.replace("-", " ")))
        if not held:
            self._say("Nothing was refused")

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _new(self, command: commands.New) -> None:
        made = await self._handheld.create(
            Incident(opened_at=self._now(), area=command.area, category=command.category, summary=command.summary)
        )
        await self._done(made.record, f"reported in {command.area}")

    async def _log(self, command: commands.Log) -> None:
        view = await self._view(command.which)
        spec = spec_of(type(view.value))
        if _LOG not in spec.fields:
            raise UsageError(f"this {spec.name} has no log")
        await self._handheld.append(view.record, _LOG, LogEntry(text=command.text))
        await self._done(view.record, "written in the log")

    async def _set(self, command: commands.SetField) -> None:
        view = await self._view(command.which)
        spec = spec_of(type(view.value))
        field = spec.fields.get(FieldName(command.field))
        if field is None:
            one_value = [name for name, each in spec.fields.items() if each.policy is not grow]
            raise UsageError(f"this {spec.name} has no field {command.field!r}; it has {values.listed(one_value)}")
        value = values.read(field, command.value, self._time, self._now())
        changes: dict[str, Any] = {field.name: value}
        await self._handheld.edit(view.record, **changes)
        await self._done(view.record, f"{command.field} {values.shown(value, field.type, self._time)}")

    async def _confirm(self, command: commands.Read) -> None:
        view = await self._view(command.which)
        if not isinstance(view.value, Briefing):
            raise UsageError(f"{rendering.heading(view)} is no briefing: only a briefing's reading is confirmed")
        before = rendering.read_at(view, self._facts.author)
        if before is not None:
            self._say(f"{rendering.heading(view)}: you confirmed it {self._time.text(before)}")
            return
        await self._handheld.append(view.record, "receipts", Receipt(read_at=self._now()))
        await self._done(view.record, "reading confirmed")

    async def _done(self, record: RecordId, what: str) -> None:
        view = await self._handheld.inspect(record)
        if view is None:
            # Retracted in this very moment; the change is on this disk and on its way all the same.
            self._say(f"Record {short(record)}: {what}; it is no longer on this handheld")
            return
        self._sight.turn_to(view)
        self._say(f"{rendering.heading(view)}: {what}")

    # --- the connection ----------------------------------------------------------------------------------------------

    async def _go_offline(self) -> None:
        self._wanted = False
        await self._handheld.go_offline()
        self._show_state(self._handheld.status)
        self._say("Offline; everything else goes on working")

    async def _wait(self, seconds: float) -> None:
        if self._facts.server is None:
            raise UsageError("there is no server to wait for")
        if not self._wanted:
            raise UsageError("this handheld is offline: type online first")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._handheld.wait_until(_all_in)
        status = self._handheld.status
        held = f"; {status.held} refused, held tells why" if status.held else ""
        if _all_in(status):
            self._say(f"Everything is in, nothing waits{held}")
            return
        _, words, _ = rendering.state(status, wanted=True)
        because = f" ({status.last_error})" if status.last_error else ""
        raise UsageError(f"not all is in after {seconds:g} s: {words}{because}, {status.waiting} waiting{held}")

    def _show_state(self, status: SyncStatus) -> None:
        self._screen.prompt(rendering.prompt(self._facts.device, status, wanted=self._wanted))

    def _say(self, text: str) -> None:
        self._screen.show(Text(values.safe(text)))

    def _reader(self) -> Reader:
        return Reader(self._facts.author, self._time, self._now())


def _all_in(status: SyncStatus) -> bool:
    return status.connected and status.caught_up and status.waiting == 0


def _counted(shown: int, there: int) -> str:
    return str(there) if shown == there else f"the newest {shown} of {there}; add words to narrow"


if {*KIND_WORDS.values()} != {spec.struct for spec in KINDS.values()}:
    raise TypeError("a record kind has no word in sync.device.terminal.commands.KIND_WORDS")
