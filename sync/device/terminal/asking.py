"""The lines that an officer types: the next command, or the answer to a question that a command has asked.

A line is never lost between the two. A command that is broken off while it waits for an answer leaves the reading as it
is, and the next line is a command again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from rich.text import Text

from schemas.errors import UsageError
from sync.device.terminal.reader import LABEL, WHO

STOP: Final = "stop"
"""Leaves a form; nothing is written."""


class StoppedError(UsageError):
    """The officer left a form, or the input ended in it."""


class Asking:
    """Hands out the lines, one at a time."""

    def __init__(self, show: Callable[[Text], None], complain: Callable[[str], None]) -> None:
        """Bind them; `begin` gives the lines."""
        self._show = show
        self._complain = complain
        self._lines: AsyncGenerator[str] | None = None
        self._next: asyncio.Future[str] | None = None
        self._again = True

    def begin(self, lines: AsyncGenerator[str], *, again: bool) -> None:
        """Take the lines from here.

        Args:
            lines: what is typed.
            again: whether a wrong answer is asked for again; in a script it fails, for the next line was written for
                the case that it is right.
        """
        self._lines, self._again = lines, again

    async def line(self) -> str | None:
        """The next line; None when there is none any more."""
        if self._lines is None:
            return None
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._lines))
        try:
            # Whoever waits may be broken off; the line that comes then is for whoever asks next.
            line = await asyncio.shield(self._next)
        except StopAsyncIteration:
            self._lines = None
            return None
        except UsageError:
            # The input itself is not usable.
            self._lines = None
            raise
        self._next = None
        return line

    @property
    def handing_out(self) -> bool:
        """Whether a line has come that nobody has taken yet: its command is about to run."""
        return self._next is not None and self._next.done()

    async def end(self) -> None:
        """Read no more."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait([self._next])
        if self._lines is not None:
            await self._lines.aclose()

    async def ask(self, question: str, hint: str, read: Callable[[str], object]) -> object:
        """Put a question until the answer fits.

        Args:
            question: in words.
            hint: what can be answered.
            read: makes the value of the answer; raises UsageError when it does not fit.

        Raises:
            StoppedError: the officer typed STOP, or the input ended.
            UsageError: the answer does not fit, in a script.
        """
        while True:
            self._show(Text.assemble((question, LABEL), ("  " if hint else "") + hint, style=WHO))
            line = await self.line()
            if line is None:
                raise StoppedError(f"the input ended at the question “{question}”: nothing was written")
            if line.strip().casefold() == STOP:
                raise StoppedError("left: nothing was written; what was answered is kept until this handset ends")
            try:
                return read(line.strip())
            except UsageError as wrong:
                if not self._again:
                    raise
                self._complain(str(wrong))
