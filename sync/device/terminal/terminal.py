"""The terminal handheld: carries out one command after the other, while what happens is told beside them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final, assert_never

import msgspec
from rich.text import Text

from schemas.errors import BeatbookError, UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId
from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from sync.device.consulting import ReasonNeededError
from sync.device.describing import short
from sync.device.handheld import Handheld
from sync.device.status import SyncStatus
from sync.device.terminal import commands, rendering, values
from sync.device.terminal.acting import Acting
from sync.device.terminal.asking import Asking
from sync.device.terminal.commands import Command, parse
from sync.device.terminal.errands.overriding import Because
from sync.device.terminal.events import Teller
from sync.device.terminal.looking import Looking
from sync.device.terminal.reader import Reader
from sync.device.terminal.screens import Screen
from sync.device.terminal.sight import Sight
from sync.device.terminal.values import LocalTime
from sync.device.terminal.work import GO_ON, Errand, Work

_LOG: Final = FieldName("log")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while it runs.

    Attributes:
        device: the handheld.
        author: the officer.
        server: its address.
        folder: where the replica is.
        offline: whether it begins without a connection.
        signed_in: whether an officer has signed in; a program's seat has no lease to tell of.
    """

    device: DeviceId
    author: OfficerId
    server: str | None
    folder: str
    offline: bool = False
    signed_in: bool = False


class _Quit(Exception):  # noqa: N818  no error: it ends the commands
    """The officer has had enough.

    Attributes:
        lock: whether the seat is to be shut.
    """

    def __init__(self, *, lock: bool = False) -> None:
        super().__init__()
        self.lock = lock


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
        self._asking = Asking(screen.show, screen.complain)
        self._work = Work(handheld, self._sight, self._reader, screen.show, self._say, self._asking)
        self._acting = Acting(self._work)
        self._looking = Looking(self._work, self._acting.show_due)
        self._running: asyncio.Task[None] | None = None
        self._broken = False
        """Whether the line that was typed is to be broken off before it begins."""
        self.locked = False
        """Whether it ended because the officer locked it."""

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
        # What is read to resolve names and to tell news is no consultation; what a command shows says that it is one.
        with self._handheld.for_itself():
            await self._teller.begin()
            if self._wanted:
                await self._handheld.go_online()
            beside = [
                asyncio.create_task(self._teller.gather()),
                asyncio.create_task(self._teller.tell()),
                asyncio.create_task(self._teller.follow(self._show_state)),
            ]
            work = asyncio.create_task(self._follow(lines, stop_at_failure=stop_at_failure))
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
        if self._running is not None:
            self._running.cancel()
            return True
        self._broken = self._asking.handing_out
        return self._broken

    async def _follow(self, lines: AsyncGenerator[str], *, stop_at_failure: bool) -> bool:
        self._asking.begin(lines, again=not stop_at_failure)
        worked, failed = True, False
        try:
            while not (failed and stop_at_failure and self._work.refused is None):
                line = await self._asking.line()
                if line is None:
                    break
                # What was refused and goes on with a reason has not failed.
                goes_on = self._work.refused is not None and line.casefold().split()[:1] == [GO_ON]
                if failed and stop_at_failure and not goes_on:
                    break
                worked = worked and (goes_on or not failed)
                failed = not await self._try(line)
        except _Quit as end:
            self.locked = end.lock
        except UsageError as error:
            # The input itself is not usable.
            self._screen.complain(str(error))
            return False
        finally:
            await self._asking.end()
        return worked and not failed

    async def _try(self, line: str) -> bool:
        """One line, to its end or to what is wrong with it."""
        try:
            command = parse(line)
            if command is None:
                return True
            if not isinstance(command, Because):
                self._work.refused = None
            if self._broken:
                self._broken = False
                self._screen.complain("broken off")
                return False
            running: asyncio.Task[None] = asyncio.create_task(self._carry_out(command))
            self._running = running
            await asyncio.wait([running])
            running.result()
        except ReasonNeededError as asked:
            which = commands.LISTS if asked.matter is None else short(asked.matter)
            self._screen.complain(f"say why first, once: why {which} REASON…")
            return False
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

    async def _carry_out(self, command: Command) -> None:
        match command:
            case (
                commands.Listing()
                | commands.Show()
                | commands.ShowInbox()
                | commands.ShowDue()
                | commands.ShowPack()
                | commands.ShowHandover()
                | commands.Free()
                | commands.Explain()
                | commands.Why()
            ):
                await self._looking.carry_out(command)
            case commands.DraftNote() | commands.Alarms() | commands.Lock():
                await self._at_seat(command)
            case commands.Offline():
                await self._go_offline()
            case commands.Online():
                await self._handheld.go_online()
                self._wanted = True
                self._show_state(self._handheld.status)
                self._say(f"Connecting to {self._facts.server}")
            case commands.Status():
                await self._show_status()
            case commands.ListHeld():
                await self._list_held()
            case commands.Wait():
                await self._wait(command.seconds)
            case commands.Help():
                self._screen.show(rendering.help_page(commands.COMMANDS.values()))
            case commands.Quit():
                raise _Quit
            case Errand():
                await command.run(self._work)
            case _:
                await self._acting.carry_out(command)

    async def _at_seat(self, command: commands.AtSeat) -> None:
        match command:
            case commands.DraftNote():
                number = await self._handheld.draft(Incident, log=(LogEntry(text=command.text),))
                self._say(f"Kept for a supervisor, sealed, as draft {number}; this handheld cannot show it again")
            case commands.Alarms():
                found = await self._handheld.alarms()
                for one in found:
                    self._say(f"{self._time.text(one.at)}  {one.detail}")
                if not found:
                    self._say("Nothing was found")
            case commands.Lock():
                raise _Quit(lock=True)
            case _:
                assert_never(command)

    # --- how it stands --------------------------------------------------------------------------------------------

    async def _show_status(self) -> None:
        facts, status = self._facts, self._handheld.status
        told = [
            ("device", facts.device),
            ("officer", facts.author),
            ("server", facts.server or "none: this handheld works by itself"),
            ("replica", facts.folder),
        ]
        if facts.signed_in:
            left = 0 if status.lease_ended else await self._handheld.lease_left_ms()
            told.append(("lease", rendering.lease_left(left or 0)))
        page = rendering.status_page(status, told, self._reader(), wanted=self._wanted)
        self._screen.show(page)

    async def _list_held(self) -> None:
        held = await self._handheld.held()
        for one in held:
            self._screen.show(rendering.refused(one, one.kind.replace("-", " ")))
        if not held:
            self._say("Nothing was refused")

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
