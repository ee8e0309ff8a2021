"""An event loop whose time passes only when a test says so, and that knows when nothing more can happen by itself.

Everything runs in one order, the same every time, and a test needs no waiting: a server and its devices in one process
are either busy or at rest.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from schemas.ids import Millis

T = TypeVar("T")
BEGIN: Final = Millis(1_700_000_000_000)
"""What the clock says when a loop is made (ms since 1970)."""
_THREADS_S: Final = 10.0
"""How long a thread may take to answer, in real time, before a test is given up."""


class _Selector(selectors.SelectSelector):
    """Waits for nothing: where the loop would sleep, virtual time passes, or the loop stops because all is at rest."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.until = 0.0
        self.turns: int | None = None
        self.busy = 0
        self.loop: asyncio.AbstractEventLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Do not wait."""
        assert self.loop is not None
        if self.turns is not None:
            self.turns -= 1
            if self.turns < 0:
                self.loop.stop()
                return []
        if timeout is not None and timeout <= 0:
            return super().select(0) if self.busy else []
        if self.busy:
            return super().select(_THREADS_S)
        if timeout is None or self.now + timeout > self.until:
            self.loop.stop()
            return []
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module's text. Close it in the end."""

    def __init__(self) -> None:
        """Begin at `BEGIN`, at rest."""
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self._virtual.loop = self

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual.now

    def clock(self) -> Millis:
        """The time of day (ms since 1970)."""
        return Millis(BEGIN + round(self._virtual.now * 1_000))

    def working(self, by: int) -> None:
        """A thread has begun (1) or ended (-1) to work for this loop: until it has, the loop is not at rest."""
        self._virtual.busy += by

    def settle(self) -> None:
        """Let everything happen that happens by itself at this moment."""
        self._virtual.until = self._virtual.now
        self.run_forever()

    def turn(self, times: int) -> None:
        """Let only a part of it happen: so many turns of the loop."""
        self._virtual.until = self._virtual.now
        self._virtual.turns = times
        self.run_forever()
        self._virtual.turns = None

    def wait(self, ms: int) -> None:
        """Let time pass, and everything happen that time brings."""
        self._virtual.until = round(self._virtual.now + ms / 1_000, 3)
        self.run_forever()
        self._virtual.now = self._virtual.until
        self.settle()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry something out to its end, with all that it sets going."""
        task = self.create_task(work)
        self.settle()
        assert task.done(), f"{task} waits for something that never comes"
        return task.result()

    def really(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry something out that threads and files have a part in, waiting for them in real time."""
        self.working(1)
        try:
            return self.run_until_complete(work)
        finally:
            self.working(-1)

    def end(self) -> None:
        """Give up whatever still runs, and close."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.do(_gone(tasks))
        self.close()


async def _gone(tasks: set["asyncio.Task[Any]"]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
