"""A whole server behind its sockets, on a virtual loop: store, committer, hub, authority, connections. It can die.

The parts are the real ones, put together as a running server does; only the sockets are pipes in memory.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, cast

from starlette.websockets import WebSocket

from schemas.errors import StoreError
from schemas.ids import Millis
from server.authority import Authority, ServerKeys
from server.committer import Committer
from server.federation.passphrases import Parameters
from server.hub import Hub
from server.pump import Connection, Services
from server.registry import acts as a
from server.store import Store
from tests.server.authority.pipe import Pipe
from tests.server.authority.virtual import VirtualLoop

PAGE: Final = 500
CHEAP: Final = Parameters(memory_kib=8 * 1_024, passes=1)
"""What hashing a passphrase costs here: next to nothing."""


class Cable:
    """Between a server and its disk. Once it is pulled nothing gets through: that process is dead."""

    def __init__(self, store: Store, loop: VirtualLoop) -> None:
        """Plug it in."""
        self._store = store
        self._loop = loop
        self.pulled = False
        self.failing = False
        """Whether the disk refuses what is to be written."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the store has
        found = getattr(self._store, name)
        return partial(self._ask, name, found) if callable(found) else found

    async def _ask(self, name: str, ask: Callable[..., Awaitable[object]], *args: object) -> object:
        if self.pulled:
            raise StoreError("the power is gone")
        if self.failing and name == "commit":
            raise StoreError("the disk is full")
        self._loop.working(1)
        try:
            return await ask(*args)
        finally:
            self._loop.working(-1)


class House:
    """One life of a server's process."""

    def __init__(self, loop: VirtualLoop, store: Store, keys: ServerKeys) -> None:
        """Start it on what the store holds."""
        self._loop = loop
        self.cable = Cable(store, loop)
        self.store = cast("Store", self.cable)
        self.hub = Hub()
        self.committer = Committer(self.store, loop.clock, self.hub.publish)
        self.authority = Authority(self.store, self.committer, self.hub, keys, loop.clock, hashing=CHEAP)
        self.services = Services(self.store, self.committer, self.hub, self.authority.gatekeeper, loop.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        loop.do(self._start())

    async def _start(self) -> None:
        self.hub.stand_at(await self.store.heads())
        self._run(self.committer.run())
        await self.authority.start()
        self._run(self.authority.run())

    def _run(self, work: Any) -> None:  # noqa: ANN401  a coroutine
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def now(self) -> Millis:
        """Its clock (ms since 1970)."""
        return self._loop.clock()

    def accept(self, pipe: Pipe) -> None:
        """A device has opened a connection."""
        task = self._loop.create_task(Connection(cast("WebSocket", pipe), self.services).run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def perform(self, *acts: a.Act, secrets: dict[str, bytes | None] | None = None) -> None:
        """Do acts, all or none, and let everything happen that follows."""
        self._loop.do(self.authority.ledger.perform(*acts, secrets=secrets))

    def tick(self) -> None:
        """Let the sessions look at the clock."""

        async def look() -> None:
            self.hub.tick(self.now)

        self._loop.do(look())

    def kill(self) -> None:
        """End the process at once: what is not on the disk is lost, and nobody hears a last word."""
        self.cable.pulled = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        self._loop.do(_ended(tasks))


async def _ended(tasks: list["asyncio.Task[None]"]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def journal(store: Store, what: str) -> list[bytes]:
    """The bodies of all entries of one sort, in order."""
    found: list[bytes] = []
    place = 0
    while page := await store.journal(what, place, PAGE):
        found += [entry.body for entry in page if entry.body is not None]
        place = page[-1].place
    return found
