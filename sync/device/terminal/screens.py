"""Where output goes: plain lines for scripts, or a terminal with a prompt that messages do not disturb."""

import contextlib
import sys
import termios
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import Final, Protocol

from rich.console import Console, RenderableType
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from sync.device.terminal.editor import Done, LineEditor
from sync.device.terminal.source import read_bytes
from sync.device.terminal.values import safe

PLAIN_CELLS: Final = 32_768
"""Width of a page that nothing is cut off from: the longest text of a record has 20,000 characters."""
_TYPING_CELLS_MIN: Final = 20
"""Room for what is typed; in a narrower terminal the prompt gives way."""
_IFLAG, _LFLAG, _CC = 0, 3, 6
"""Places in what termios.tcgetattr gives."""


class Screen(Protocol):
    """What the terminal program writes to."""

    def show(self, what: RenderableType) -> None:
        """A command's answer."""

    def tell(self, what: Text) -> None:
        """Something happened, whatever is being done."""

    def complain(self, text: str) -> None:
        """A command could not be carried out."""

    def prompt(self, text: Text) -> None:
        """What to show before the place where one types, from now on."""


class PlainScreen:
    """Answers on standard output, one record or field a line; messages and complaints on standard error."""

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        """Take consoles; the process's own by default."""
        self._out = out or _plain_console(stderr=False)
        self._err = err or _plain_console(stderr=True)

    def show(self, what: RenderableType) -> None:
        """See `Screen`."""
        if self._out.is_terminal:
            self._out.print(what, highlight=False)
            return
        with self._out.capture() as page:
            self._out.print(what, highlight=False)
        # A table fills its columns up with spaces, also the last one.
        lines = [line.rstrip() for line in page.get().splitlines()]
        self._out.file.write("".join(f"{line}\n" for line in lines))
        self._out.file.flush()

    def tell(self, what: Text) -> None:
        """See `Screen`."""
        self._err.print(what, highlight=False, soft_wrap=True)

    def complain(self, text: str) -> None:
        """See `Screen`."""
        self._err.print(Text(f"error: {safe(text)}"), highlight=False, soft_wrap=True)

    def prompt(self, text: Text) -> None:
        """Nobody waits for one here."""


def _plain_console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=PLAIN_CELLS)


def can_prompt(console: Console) -> bool:
    """Whether someone sits at a terminal that can move its cursor."""
    # A program that was started with its standard input closed has none.
    return sys.stdin is not None and sys.stdin.isatty() and console.is_terminal and not console.is_dumb_terminal


class PromptScreen:
    """A terminal with a prompt at its foot. While one types, everything else is written above it."""

    def __init__(self, console: Console, descriptor: int) -> None:
        """Take the console, and the descriptor that the keyboard is read from."""
        self._console = console
        self._descriptor = descriptor
        self._editor = LineEditor()
        self._prompt = Text("> ")
        self._typing = False

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Have keys one by one, unechoed, as long as this lasts."""
        before = termios.tcgetattr(self._descriptor)
        self._take_keys()
        try:
            yield
        finally:
            if self._typing:
                self._typing = False
                self._console.print()
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)

    def _take_keys(self) -> None:
        mode = termios.tcgetattr(self._descriptor)
        # Signals stay: Ctrl-C and Ctrl-Z mean what they mean. Ctrl-S must not be able to stop the whole program.
        mode[_IFLAG] &= ~termios.IXON
        mode[_LFLAG] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
        mode[_CC][termios.VMIN] = 1
        mode[_CC][termios.VTIME] = 0
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, mode)

    def resume(self) -> None:
        """The program was stopped and goes on, or the window has another size: set everything up again."""
        self._take_keys()
        with self._above():
            pass

    async def lines(self) -> AsyncGenerator[str]:
        """The lines that are typed, until the input ends. What is typed while a command runs is taken after it."""
        waiting: deque[str | Done] = deque()
        while True:
            self._typing = True
            self._draw()
            while not waiting:
                raw = await read_bytes(self._descriptor)
                waiting.extend(self._editor.feed(raw) if raw else [Done.END])
                self._draw()
            line = waiting.popleft()
            self._typing = False
            if isinstance(line, Done):
                self._erase()
                return
            self._erase()
            self._console.print(Text.assemble(self._prompt, safe(line)), highlight=False, soft_wrap=True)
            yield line

    def show(self, what: RenderableType) -> None:
        """See `Screen`."""
        with self._above():
            self._console.print(what, highlight=False)

    def tell(self, what: Text) -> None:
        """See `Screen`."""
        with self._above():
            self._console.print(Text.assemble(("▸ ", "bold cyan"), what), highlight=False)

    def complain(self, text: str) -> None:
        """See `Screen`."""
        with self._above():
            self._console.print(Text(safe(text), "red"), highlight=False)

    def prompt(self, text: Text) -> None:
        """See `Screen`."""
        self._prompt = text
        if self._typing:
            self._draw()

    @contextlib.contextmanager
    def _above(self) -> Iterator[None]:
        # Inside `with console` everything is gathered and written at once: no flicker.
        with self._console:
            if self._typing:
                self._erase()
            yield
            if self._typing:
                self._draw()

    def _erase(self) -> None:
        self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))

    def _draw(self) -> None:
        width = self._console.width
        prompt = self._prompt
        if width - prompt.cell_len < _TYPING_CELLS_MIN:
            prompt = Text("> ")
        text, at = self._editor.window(max(1, width - prompt.cell_len))
        line = Text.assemble(prompt, text)
        with self._console:
            self._erase()
            self._console.print(line, end="", highlight=False, soft_wrap=True)
            back = line.cell_len - prompt.cell_len - at
            if back:
                self._console.control(Control((ControlType.CURSOR_BACKWARD, back)))
