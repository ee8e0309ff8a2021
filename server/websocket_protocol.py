"""The WebSocket protocol of uvicorn's server, by callback.

uvicorn's own goes through a queue and a task for every message, and a parser with a generator and buffers for every
connection. Here bytes come in, are taken apart at once (`server.frames`), and each message is handed to whoever took
the connection's wire (`server.framing`) in the same turn of the loop. Starlette stays the application: it decides who
may come and how it ends, and an application that takes no wire is served by ASGI's `receive` and `send`.

What breaks a bound is told in an ERROR message of ours before the close frame. A client that sends before its handshake
is answered, or never reads the end, is cut. Nothing that a client sent is ever logged.
"""

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.http11 import Request

from schemas.codec import encode, error_message
from schemas.errors import ERRORS, PeerError
from server.edge.door import Entry
from server.edge.refusals import Refusal
from server.frames import BINARY, FrameReader
from server.framing import PONG, WIRE, Sink, closing, framed
from server.handshake import Handshake, denied, scope_of

_GOING: Final = 1001
_BROKEN: Final = 1002
_NO_CODE: Final = 1005
_ABNORMAL: Final = 1006
_RESTARTING: Final = 1012
CLOSE_TIMEOUT_S: Final = 10.0
"""From our close frame to the end of the connection, if the other side does not answer it."""
CUT_AFTER_S: Final = 12.0
"""From the end of a session to the cut of a socket that still has not taken its last bytes."""

_log = logging.getLogger(__name__)


class BoundedWebSocketProtocol(asyncio.Protocol):
    """One WebSocket, from its handshake to its end.

    Attributes:
        takes: whether frames may be put: it is open, nothing was said to end it, and the client reads.
        claimed: see `server.framing.Wire`.
        disconnected: whether the transport has gone.
    """

    __slots__ = (
        "_app_state", "_asked", "_closing", "_config", "_connections", "_cut", "_denial", "_ended", "_entry", "_fd",
        "_handshake", "_inbox", "_loop", "_paused", "_reader", "_sink", "_tasks", "_told", "_waiter", "_writable",
        "_written", "claimed", "disconnected", "takes", "transport",
    )  # fmt: skip

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        entry: Entry | None = None,
    ) -> None:
        """As uvicorn makes one.

        Args:
            config, server_state, app_state, _loop: uvicorn's.
            entry: its place at the door.
        """
        self._config = config
        self._loop = _loop or asyncio.get_running_loop()
        # uvicorn names its own classes; it asks for `shutdown`.
        self._connections: set[Any] = server_state.connections
        self._tasks = server_state.tasks
        self._app_state = app_state
        self._entry = entry
        self.transport = cast("asyncio.Transport", None)
        self.takes = self.claimed = False
        self.disconnected = False
        self._handshake: Handshake | None = Handshake()
        """Until it is answered."""
        self._reader: FrameReader | None = None
        """From then on."""
        self._sink: Sink | None = None
        self._asked = self._told = False
        """Whether the application was called, and whether it has received that somebody is there."""
        self._inbox: deque[bytes] | None = None
        """Messages for an application that took no wire."""
        self._waiter: asyncio.Future[None] | None = None
        """Somebody in `receive`."""
        self._writable: asyncio.Future[None] | None = None
        """While the client does not read: those who wait for it to."""
        self._paused = False
        """Whether nothing is read."""
        self._ended: int | None = None
        """Once nothing more is said by one side or the other: the code."""
        self._denial: tuple[int, list[tuple[bytes, bytes]], bytes] | None = None
        """A response instead of a WebSocket, while it is put together."""
        self._closing: asyncio.TimerHandle | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._fd: int | None = None
        self._written = True
        """Whether the transport may have something of ours that it has not written."""

    # --- the transport -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        self.transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._fd = _descriptor(transport)

    def data_received(self, data: bytes) -> None:
        """A client that does not wait for the answer to its handshake is cut (RFC 6455 section 4.1)."""
        if self._reader is not None:
            self._read(self._reader, data)
        elif self._asked:
            self.transport.abort()
        elif self._handshake is not None:
            self._shake(self._handshake, data)

    def eof_received(self) -> None:
        """The client will say nothing more: the transport ends."""

    def pause_writing(self) -> None:
        """The client does not read."""
        self.takes = False
        if self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """It reads again."""
        self._release()
        self.takes = self._reader is not None and self._ended is None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  why it ended changes nothing
        """The end."""
        self._fd = None
        self.disconnected = True
        for timer in (self._cut, self._closing):
            if timer is not None:
                timer.cancel()
        if self._entry is not None:
            self._entry.left()
        self._connections.discard(self)
        self._end(_ABNORMAL if self._reader is None else _NO_CODE)
        self._release()

    def shutdown(self) -> None:
        """The server goes down."""
        if self._reader is None:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the server is going down; come back")
        elif self._ended is None:
            self._write(closing(_RESTARTING))
            self._end(_RESTARTING)
        self.transport.close()

    # --- the handshake -----------------------------------------------------------------------------------------------

    def _shake(self, handshake: Handshake, data: bytes) -> None:
        request = handshake.take(data)
        if isinstance(request, HTTPStatus):
            self._refuse(request, "send an opening handshake of RFC 6455 section 4.1")
        elif request is not None:
            self._ask(request)

    def _ask(self, request: Request) -> None:
        """Tell the application of a handshake that could be answered."""
        self._asked = True
        scope = scope_of(request, self._config, self._app_state, self.transport)
        scope["extensions"][WIRE] = self
        task = self._loop.create_task(self._run(scope))
        task.add_done_callback(self._done)
        self._tasks.add(task)

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._config.loaded_app(scope, self._receive, self._send)
        except ClientDisconnected:
            pass
        except Exception:  # noqa: BLE001  it is told, and the connection closed, by nobody else
            _log.exception("the application failed over a WebSocket")
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says how")
        else:
            if self._handshake is not None:
                _log.error("the application did not answer a WebSocket's handshake")
                self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says how")
        finally:
            if self._closing is None:
                self.transport.close()

    def _done(self, task: "asyncio.Task[None]") -> None:
        """The session is over: let its last bytes go, but do not keep them for ever."""
        self._tasks.discard(task)
        if not self.disconnected:
            self._cut = self._loop.call_later(CUT_AFTER_S, self.transport.abort)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer the handshake with a problem, unless it was answered."""
        if self._handshake is None or self.disconnected:
            return
        self._handshake = None
        self._end(_ABNORMAL)
        refusal = Refusal(status=int(status), title="no WebSocket", detail=detail)
        secure = bool(self.transport.get_extra_info("sslcontext"))
        self._write(refusal.response(status.phrase, secure=secure))
        self.transport.close()

    # --- what comes --------------------------------------------------------------------------------------------------

    def _read(self, reader: FrameReader, data: bytes) -> None:
        found = reader.feed(data, self._loop.time())
        pongs = []
        for opcode, payload in found:
            if opcode != BINARY:
                pongs.append(framed(payload, PONG))
            elif self._ended is None:
                self._hand_on(payload)
        if pongs and self._ended is None:
            self._write(b"".join(pongs))
        if reader.fault is not None:
            self._fail(reader.fault, reader.retry_after_ms)
        elif reader.closed is not None:
            self._closed(reader.closed)

    def _hand_on(self, message: bytes) -> None:
        if self._sink is not None:
            self._sink.came(message)
            return
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(message)
        self.hold()
        self._wake()

    def _fail(self, code: str, retry_after_ms: int | None) -> None:
        """Say in our own words what was wrong, and end the connection."""
        if self._ended is None:
            if self._entry is not None:
                self._entry.refused(code)
            spec = ERRORS[code]
            told = encode(error_message(PeerError(code, retry_after_ms=retry_after_ms)))
            close = spec.close or _BROKEN
            self._write(framed(told) + closing(close, spec.code))
            self._end(close)
        self.transport.close()

    def _closed(self, code: int) -> None:
        """The client has closed, or has answered our closing."""
        if self._ended is None:
            self._write(closing(_GOING if code == _NO_CODE else code))
            self._end(code)
        self.transport.close()

    def _end(self, code: int) -> None:
        """Nothing more goes out, and whoever listens hears of it."""
        if self._ended is None:
            self._ended = code
            self.takes = False
            self._wake()
            if self._sink is not None:
                self._sink.gone()

    # --- the wire ----------------------------------------------------------------------------------------------------

    def put(self, frames: Sequence[bytes]) -> None:
        """See `server.framing.Wire`."""
        if self._ended is not None:
            return
        self.send(frames[0] if len(frames) == 1 else b"".join(frames))

    def send(self, data: bytes) -> None:
        """See `server.framing.Wire`."""
        fd = self._fd
        if fd is None or (self._written and not self._is_flushed()):
            self._write(data)
            return
        # Past the transport, which spends as much on a write as the kernel does. It has nothing of its own to write,
        # and closes the descriptor only behind `connection_lost`.
        try:
            sent = os.write(fd, data)
        except OSError:
            # Full, or broken: the transport finds out which.
            sent = 0
        if sent < len(data):
            self._write(memoryview(data)[sent:])

    def _write(self, data: bytes | memoryview) -> None:
        self._written = True
        self.transport.write(data)

    def _is_flushed(self) -> bool:
        """Whether the transport has written all that it was given; asked only once it was given something."""
        if self.transport.get_write_buffer_size():
            return False
        self._written = False
        return True

    def deliver_to(self, sink: Sink) -> None:
        """See `server.framing.Wire`."""
        self._sink = sink
        if self._ended is not None:
            sink.gone()

    def hold(self) -> None:
        """See `server.framing.Wire`."""
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        """See `server.framing.Wire`."""
        if self._paused:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    # --- ASGI --------------------------------------------------------------------------------------------------------

    async def _receive(self) -> dict[str, Any]:
        if not self._told:
            self._told = True
            return {"type": "websocket.connect"}
        while not self._inbox and self._ended is None:
            self._waiter = self._loop.create_future()
            await self._waiter
        if self._inbox:
            message = self._inbox.popleft()
            if not self._inbox:
                self.go_on()
            return {"type": "websocket.receive", "bytes": message}
        return {"type": "websocket.disconnect", "code": self._ended, "reason": ""}

    async def _send(self, message: dict[str, Any]) -> None:
        while self._writable is not None:
            # Shielded: others may wait for the same.
            await asyncio.shield(self._writable)
        if self.disconnected:
            raise ClientDisconnected
        match message["type"]:
            case "websocket.accept" if self._handshake is not None:
                self._accept(self._handshake, message)
            case "websocket.close" if self._handshake is not None:
                self._refuse(HTTPStatus.FORBIDDEN, "look at the address and the subprotocol of this WebSocket")
            case "websocket.http.response.start" if self._handshake is not None:
                self._denial = message["status"], list(message.get("headers", [])), b""
            case "websocket.http.response.body" if self._denial is not None:
                self._deny(message)
            case "websocket.send" if self._reader is not None:
                if self._ended is not None:
                    raise ClientDisconnected
                self._write(framed(message["bytes"]))
            case "websocket.close" if self._reader is not None:
                self._close(message)
            case other:
                raise RuntimeError(f"{other} where it cannot be")

    def _accept(self, handshake: Handshake, message: dict[str, Any]) -> None:
        answer = handshake.answer(message.get("subprotocol"), message.get("headers", ()))
        self._handshake = None
        if self.transport.is_closing():
            return
        self._write(answer)
        self._reader = FrameReader(self._loop.time())
        self.takes = self._writable is None

    def _deny(self, message: dict[str, Any]) -> None:
        """Go on with, and end, a response instead of a WebSocket."""
        assert self._denial is not None
        status, headers, begun = self._denial
        body = begun + message.get("body", b"")
        self._denial = status, headers, body
        if not message.get("more_body", False) and self._handshake is not None:
            self._handshake = None
            self._end(_ABNORMAL)
            self._write(denied(status, headers, body))
            self.transport.close()

    def _close(self, message: dict[str, Any]) -> None:
        if self._ended is not None or self.transport.is_closing():
            return
        code = message.get("code", 1000)
        self._write(closing(code, message.get("reason") or ""))
        self._sink = None
        self._end(code)
        # What comes is only looked at for the client's own close frame.
        self.go_on()
        self._closing = self._loop.call_later(CLOSE_TIMEOUT_S, self.transport.close)

    # --- those who wait ----------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Let `receive` look again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _release(self) -> None:
        """Let those go on who wait for the client to read."""
        waiting, self._writable = self._writable, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


def _descriptor(transport: asyncio.BaseTransport) -> int | None:
    """Of a socket into which may be written directly; None where the transport has something to do with the bytes."""
    socket = transport.get_extra_info("socket")
    if socket is None or transport.get_extra_info("sslcontext") is not None or sys.platform == "win32":
        return None
    fd: int = socket.fileno()
    return fd if fd >= 0 else None
