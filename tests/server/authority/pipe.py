"""A connection in memory: the server's end looks like Starlette's WebSocket, the device's end is two methods."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.websockets import WebSocketDisconnect

_CUT = 1006


class Pipe:
    """Frames in order, each way, until one end closes or the link is cut.

    Attributes:
        told: called with each frame that the server puts into its socket, whether or not it arrives.
        closed: the code with which the server closed; None while it has not.
        scope: of ASGI. It offers no wire: everything comes through `send_bytes`.
    """

    def __init__(self, told: Callable[[bytes], object]) -> None:
        """Open."""
        self.told = told
        self.scope: dict[str, Any] = {}
        self.closed: int | None = None
        self._cut = False
        self._up: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._down: asyncio.Queue[bytes | None] = asyncio.Queue()

    # --- the server's end --------------------------------------------------------------------------------------------

    async def accept(self, subprotocol: str) -> None:
        """See `WebSocket`."""

    async def receive(self) -> dict[str, Any]:
        """See `WebSocket`."""
        return await self._up.get()

    async def send_bytes(self, data: bytes) -> None:
        """See `WebSocket`."""
        if self._cut:
            raise WebSocketDisconnect(_CUT)
        self.told(data)
        self._down.put_nowait(data)

    async def close(self, code: int, reason: str) -> None:
        """See `WebSocket`."""
        self.closed = code
        self._down.put_nowait(None)

    # --- the device's end --------------------------------------------------------------------------------------------

    async def next(self) -> bytes | None:
        """The next frame; None when the server has closed."""
        return await self._down.get()

    def send(self, frame: bytes) -> None:
        """Put a frame on its way up."""
        if not self._cut and self.closed is None:
            self._up.put_nowait({"type": "websocket.receive", "bytes": frame})

    def cut(self) -> None:
        """Break the link: what is on its way down is lost."""
        if not self._cut:
            self._cut = True
            self._up.put_nowait({"type": "websocket.disconnect", "code": _CUT})
