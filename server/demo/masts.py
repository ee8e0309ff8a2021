"""The radio network of the demo: a TCP relay per handheld that can be cut, fall silent, and come back.

The handheld's own code knows nothing of it. A cut resets both sockets; silence keeps them open and carries nothing, as
a dead spot does, so that only the heartbeat can notice.
"""

import asyncio
import contextlib
from typing import Final

_CHUNK: Final = 65_536


class Mast:
    """One handheld's link to the server."""

    def __init__(self, host: str, port: int) -> None:
        """Bind it to the server's address; `open` begins to listen."""
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._carrying = asyncio.Event()
        self._carrying.set()
        self._up = True
        self.port = 0

    async def open(self) -> None:
        """Listen on a free port of the loopback."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def has_signal(self) -> bool:
        """Whether it carries anything."""
        return self._up and self._carrying.is_set()

    def cut(self) -> None:
        """Reset every socket and refuse new ones."""
        self._up = False
        for near, far in self._links:
            near.transport.abort()
            far.transport.abort()

    def hush(self) -> None:
        """Carry nothing more, and close nothing."""
        self._carrying.clear()

    def restore(self) -> None:
        """Carry again. What was sent into the silence is lost with its sockets."""
        if not self._carrying.is_set():
            self.cut()
        self._up = True
        self._carrying.set()

    async def close(self) -> None:
        """End."""
        self.cut()
        self._carrying.set()
        if self._server is not None:
            self._server.close()
        # With their sockets gone they end by themselves.
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not self.has_signal:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        link = (writer, far_writer)
        self._links.add(link)
        try:
            both = [
                asyncio.create_task(self._carry(reader, far_writer)),
                asyncio.create_task(self._carry(far_reader, writer)),
            ]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        finally:
            self._links.discard(link)
            writer.transport.abort()
            far_writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._carrying.wait()
                writer.write(data)
                await writer.drain()
            # One side has closed in order: let its last bytes out, then the other side closes too.
            await writer.drain()
