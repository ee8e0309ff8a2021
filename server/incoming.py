"""What a connection takes in, one message after the other.

Where the server offers the connection's wire (`server.framing`), messages come by callback, and nearly every one is
dealt with in the turn of the loop in which it came: no task is woken, none even exists. What has to wait (a HELLO for
the store, a PUSH for room at the committer, anything for a device that does not read its answers) is a task's, behind
which all that follows keeps its order, and meanwhile nothing more is read from the socket.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from starlette.websockets import WebSocket

from schemas.errors import PeerError
from server.framing import Wire
from server.outgoing import Outgoing
from sync.session import ServerSession
from sync.session.steps import Demand

_log = logging.getLogger(__name__)
ANSWERS_WAITING_MAX: Final = 16
"""Answers (PONG, RESULTS) that may wait for a device to read them; beyond that nothing more is read from it."""


class Obeying(Protocol):
    """Who does what a session demands."""

    def receive(self, message: bytes) -> Demand | None:
        """Give the session a message."""

    def obey_at_once(self, demand: Demand) -> bool:
        """Do it, if that needs no waiting; returns whether it did."""

    async def obey(self, demand: Demand) -> None:
        """Do it."""

    def wake(self) -> None:
        """Look again for something to send."""

    def gone(self) -> None:
        """The device has gone."""


class Incoming:
    """The receiving half of one connection."""

    __slots__ = ("_backlog", "_obeying", "_outgoing", "_session", "_task", "_wire")

    def __init__(self, session: ServerSession, outgoing: Outgoing, obeying: Obeying) -> None:
        """Bind it; nothing is read yet."""
        self._session = session
        self._outgoing = outgoing
        self._obeying = obeying
        self._wire: Wire | None = None
        self._task: asyncio.Task[None] | None = None
        self._backlog: deque[bytes] | None = None

    def begin(self, socket: WebSocket, wire: Wire | None) -> None:
        """The handshake is answered."""
        if wire is None:
            self._task = asyncio.create_task(self._guarded(self._read(socket)))
        else:
            self._wire = wire
            wire.deliver_to(self)

    def stop(self) -> "list[asyncio.Task[None]]":
        """Returns the task, if there is one."""
        return [] if self._task is None else [self._task]

    # --- by callback -------------------------------------------------------------------------------------------------

    def came(self, message: bytes) -> None:
        """See `server.framing.Sink`."""
        if self._session.ending is not None:
            return
        if self._task is not None or self._session.waiting > ANSWERS_WAITING_MAX:
            self._later(message, None)
            return
        try:
            demand = self._obeying.receive(message)
            if demand is not None and not self._obeying.obey_at_once(demand):
                self._later(None, demand)
        except Exception:  # noqa: BLE001  nobody waits for a callback: it ends its connection, as a task's defect does
            self._defect()
        self._obeying.wake()

    def gone(self) -> None:
        """See `server.framing.Sink`."""
        self._obeying.gone()

    def _later(self, message: bytes | None, demand: Demand | None) -> None:
        if self._backlog is None:
            self._backlog = deque()
        if message is not None:
            self._backlog.append(message)
        if self._wire is not None and self._task is None:
            self._wire.hold()
            self._task = asyncio.get_running_loop().create_task(self._guarded(self._catch_up(demand)))

    async def _catch_up(self, demand: Demand | None) -> None:
        """Do what had to wait, and all that came behind it meanwhile."""
        if demand is not None:
            await self._obeying.obey(demand)
            self._obeying.wake()
        while self._backlog and self._session.ending is None:
            while self._session.waiting > ANSWERS_WAITING_MAX:
                await self._outgoing.progress()
            await self._take(self._backlog.popleft())
        self._backlog = None
        self._task = None
        if self._wire is not None:
            self._wire.go_on()

    # --- by ASGI -----------------------------------------------------------------------------------------------------

    async def _read(self, socket: WebSocket) -> None:
        while self._session.ending is None:
            while self._session.waiting > ANSWERS_WAITING_MAX:
                await self._outgoing.progress()
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                self._obeying.gone()
                return
            data = message.get("bytes")
            if data is None:
                self._session.fail(PeerError("text_frame"))
                self._obeying.wake()
            else:
                await self._take(data)

    async def _take(self, message: bytes) -> None:
        demand = self._obeying.receive(message)
        if demand is not None:
            await self._obeying.obey(demand)
        self._obeying.wake()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001  whatever it is, the device is told, and the log says how
            self._defect()
            self._obeying.wake()

    def _defect(self) -> None:
        _log.exception("connection of %s ended by a defect", self._session.device)
        self._session.fail(PeerError("internal", retry_after_ms=1_000))
