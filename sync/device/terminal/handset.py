"""A whole run of the terminal handheld: replica, screen, signals, and everything put back at the end."""

import asyncio
import contextlib
import io
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from sync.device.handing import PartedError
from sync.device.locking import harden, start_anew
from sync.device.terminal.screens import PlainScreen, PromptScreen, Screen, can_prompt
from sync.device.terminal.seats import Settings, opened
from sync.device.terminal.source import given_lines, piped_lines
from sync.device.terminal.terminal import Terminal

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_REDRAWING: Final = (signal.SIGCONT, signal.SIGWINCH)
FAILED: Final = 1
"""Exit code when a command of a script could not be carried out."""
_SIGNALLED: Final = 128
"""Exit code of a program that a signal ended, less the signal's number: what shells say."""


async def run_handset(settings: Settings) -> int:
    """Run a terminal handheld until its commands end.

    Returns:
        The exit code: 0, FAILED, or 128 and the number of the signal that ended it.

    Raises:
        ReplicaError, UsageError, UnreachableError: as `seats.opened`.
    """
    if settings.shown is not None:
        harden()
    console = Console()
    prompting = not settings.commands and can_prompt(console)
    ended = _Ending()
    with ended.listening():
        try:
            if prompting:
                return await _prompt(settings, console, ended)
            return await _script(settings)
        except PartedError as parted:
            # It is all that this handheld may still do, and no failure of whoever ran it.
            console.print(parted.done.words, soft_wrap=True)
            return FAILED if parted.done.trouble else 0
        except asyncio.CancelledError:
            if ended.by is None:
                raise
            # Whoever types Ctrl-C at a prompt ends it in order; a script was broken off.
            return 0 if prompting and ended.by is signal.SIGINT else _SIGNALLED + ended.by


async def _script(settings: Settings) -> int:
    for stream in (sys.stdout, sys.stderr):
        # A sign that the locale cannot write must not end the run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    screen = PlainScreen()
    # A program that was started with its standard input closed has none.
    given = bool(settings.commands) or sys.stdin is None
    lines = given_lines(settings.commands) if given else piped_lines(sys.stdin.fileno())
    async with _opened(settings, screen) as terminal:
        worked = await terminal.run(lines, stop_at_failure=True)
    return 0 if worked else FAILED


async def _prompt(settings: Settings, console: Console, ended: "_Ending") -> int:
    screen = PromptScreen(console, sys.stdin.fileno())
    async with _opened(settings, screen) as terminal:
        with screen.opened(), ended.prompting(terminal.interrupt, screen.resume):
            screen.show(Text(f"Handheld of {settings.author}. help tells the commands."))
            await terminal.run(screen.lines(), stop_at_failure=False)
    if terminal.locked and settings.again:
        # Nothing of what was shown is left in the new process: it asks for the PIN.
        start_anew(settings.again)
    return 0


@contextlib.asynccontextmanager
async def _opened(settings: Settings, screen: Screen) -> AsyncIterator[Terminal]:
    with _defects_told(screen):
        async with opened(settings) as (handheld, facts):
            yield Terminal(handheld, screen, facts)


class _Ending:
    """Which signal ended the run.

    Attributes:
        by: the signal; None while none has.
    """

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self._interrupt: Callable[[], bool] = lambda: False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Let a signal cancel the task that calls this, so that everything is closed in order."""
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()

        def end(by: signal.Signals) -> None:
            if by is signal.SIGINT and self._interrupt():
                return
            self.by = by
            task.cancel()

        for each in _ENDING:
            loop.add_signal_handler(each, end, each)
        try:
            yield
        finally:
            for each in _ENDING:
                loop.remove_signal_handler(each)

    @contextlib.contextmanager
    def prompting(self, interrupt: Callable[[], bool], redraw: Callable[[], None]) -> Iterator[None]:
        """Meanwhile Ctrl-C breaks off the command that runs, if one does, and the screen is drawn anew when it must."""
        loop = asyncio.get_running_loop()
        self._interrupt = interrupt
        for each in _REDRAWING:
            loop.add_signal_handler(each, redraw)
        try:
            yield
        finally:
            self._interrupt = lambda: False
            for each in _REDRAWING:
                loop.remove_signal_handler(each)


class _ToScreen(logging.Handler):
    """Puts what the engine logs as a defect onto the screen: written to standard error it would break the prompt."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.ERROR)
        self._screen = screen
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        # The database's thread logs too.
        self._loop.call_soon_threadsafe(self._screen.complain, f"{record.getMessage()} (--log-file keeps the whole)")


@contextlib.contextmanager
def _defects_told(screen: Screen) -> Iterator[None]:
    handler = _ToScreen(screen)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
