"""Time that passes when a test says so, for the server's tasks that wait (`server.falling_due.Wait`)."""

import asyncio


class Hands:
    """See the module's text."""

    def __init__(self) -> None:
        """Nobody waits yet."""
        self.pause = 0
        self.rests = asyncio.Event()
        self._tick = asyncio.Event()

    async def __call__(self, event: asyncio.Event, ms: int) -> None:
        """Wait for the event or the next `tick`."""
        self.pause = ms
        if not event.is_set():
            self.rests.set()
            waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._tick.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()
        self.rests.clear()
        self._tick.clear()

    async def tick(self) -> None:
        """Let the time come that is waited for, and everything be done that follows."""
        await self.rests.wait()
        self.rests.clear()
        self._tick.set()
        await self.rests.wait()
