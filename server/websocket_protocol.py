"""uvicorn's WebSocket protocol with the doors shut that it leaves open.

uvicorn accepts any number of frames to a message (500,000 empty ones stall the loop for seconds), any number of pings,
and says nothing of ours when framing breaks. All are bounded inside the parser, frame by frame, so that what is behind
the bound in the same read is discarded unparsed; the ERROR message goes out before the close frame. Frames and bytes of
a connection have a budget of their own, whatever messages they make.

A client that sends before its handshake is answered, or never reads the end, is cut. Nothing that a client sent is ever
logged: uvicorn would write the address, and the parser below it whole headers and frames.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from schemas.codec import encode, error_message
from schemas.errors import ERRORS, PeerError
from schemas.limits import CONTROL_FRAMES_MAX, FRAGMENTS_MAX, MESSAGE_BYTES_MAX
from server.edge.bounds import (
    SOCKET_BYTES_BURST_MAX,
    SOCKET_BYTES_PER_S_MAX,
    SOCKET_FRAMES_BURST_MAX,
    SOCKET_FRAMES_PER_S_MAX,
)
from server.edge.buckets import Bucket, Rate
from server.edge.door import Entry
from server.edge.refusals import Refusal
from server.framing import WIRE

_ABNORMAL: Final = 1006
_TOO_BIG: Final = 1009
CUT_AFTER_S: Final = 12.0
"""From the end of a session to the cut of a socket that still has not taken its last bytes; uvicorn itself waits 10 s
for the other side's close frame, and for its reading without end."""
_FRAME_HEAD_BYTES: Final = 6
"""The smallest masked frame."""
_FRAMES: Final = Rate(SOCKET_FRAMES_PER_S_MAX, SOCKET_FRAMES_BURST_MAX)
_BYTES: Final = Rate(SOCKET_BYTES_PER_S_MAX, SOCKET_BYTES_BURST_MAX)

_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)  # below that, the base logs addresses
_parser_log = logging.getLogger(f"{__name__}.parser")
_parser_log.setLevel(logging.CRITICAL + 1)  # it logs headers and frames, tokens included


class BoundedServerProtocol(ServerProtocol):
    """RFC 6455 server side that counts the frames of a message, the control frames between two, and the pace of all."""

    def __init__(self, now_s: float = 0.0, *, secure: bool = False) -> None:
        """Begin: no extensions, so no compression.

        Args:
            now_s: the loop's clock; `now_s` of this object is to be kept up with it.
            secure: whether the client came over TLS.
        """
        super().__init__(extensions=[], max_size=MESSAGE_BYTES_MAX, logger=_parser_log)
        self.now_s = now_s
        self.secure = secure
        self._fragments = 0
        self._controls = 0
        self._frames = Bucket(_FRAMES, now_s)
        self._bytes = Bucket(_BYTES, now_s)
        self._retry_after_ms: int | None = None
        self.refused: Callable[[str], None] | None = None
        """Told the error of each frame that is refused here."""

    def recv_frame(self, frame: Frame) -> None:
        """Count, then go on as the base does.

        Raises:
            ProtocolError: a bound was passed; the parser then fails the connection and discards the rest.
        """
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            self._controls += 1
        elif frame.opcode is Opcode.CONT:
            self._fragments += 1
        else:
            self._fragments = 1
        if frame.fin and frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._controls = 0
        if self._fragments > FRAGMENTS_MAX or self._controls > CONTROL_FRAMES_MAX:
            raise ProtocolError("too_many_fragments")
        if frame.opcode is Opcode.TEXT:
            raise ProtocolError("text_frame")
        size = len(frame.data) + _FRAME_HEAD_BYTES
        wait_ms = self._frames.take(1, self.now_s) or self._bytes.take(size, self.now_s)
        if wait_ms is not None:
            self._retry_after_ms = wait_ms
            raise ProtocolError("too_fast")
        super().recv_frame(frame)

    def fail(self, code: int, reason: str = "") -> None:
        """Say what was wrong in our own words, and close with our code."""
        if self.state is not OPEN or code == _ABNORMAL:
            super().fail(code, reason)
            return
        ours = "too_long" if code == _TOO_BIG else reason if reason in ERRORS else "broken_frame"
        if self.refused is not None:
            self.refused(ours)
        spec = ERRORS[ours]
        self.send_binary(encode(error_message(PeerError(ours, retry_after_ms=self._retry_after_ms))))
        super().fail(spec.close or code, spec.code)

    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        """As the base does; the answer is a problem detail that says nothing of what was sent."""
        response = super().reject(status, text)
        refusal = Refusal(
            status=int(status),
            title="no WebSocket",
            detail="the server failed; its log says how"
            if status == HTTPStatus.INTERNAL_SERVER_ERROR
            else "send an opening handshake of RFC 6455 section 4.1",
        )
        response.body = refusal.body()
        for name, value in refusal.headers(secure=self.secure):
            shown = name.decode()
            if shown in response.headers:
                del response.headers[shown]
            response.headers[shown] = value.decode()
        return response


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's class over the bounded parser."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        entry: Entry | None = None,
    ) -> None:
        """As its base, with the parser replaced before the first byte; `entry` is its place at the door."""
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _log
        self.conn = self._bounded = BoundedServerProtocol(self.loop.time())
        self._entry = entry
        self._bounded.refused = None if entry is None else entry.refused
        self._cut: asyncio.TimerHandle | None = None
        self._fd: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As its base."""
        super().connection_made(transport)
        self._bounded.secure = self.scheme == "wss"
        self._fd = _descriptor(transport)

    def handle_connect(self, event: Request) -> None:
        """As its base; the application finds the wire in its scope, once its task begins to run."""
        super().handle_connect(event)
        if not self.close_sent:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[WIRE] = self

    @property
    def takes(self) -> bool:
        """See `server.framing.Wire`."""
        return (
            self.handshake_complete
            and not self.close_sent
            and not self.disconnected
            and self.conn.state is OPEN
            and self.writable.is_set()
        )

    def put(self, frames: Sequence[bytes]) -> None:
        """See `server.framing.Wire`. Nothing of the parser's waits meanwhile: what it has to say is written at once."""
        if self.close_sent or self.disconnected:
            return
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        if self._fd is None or self.transport.get_write_buffer_size():
            self.transport.write(data)
            return
        # Past the transport, which spends as much on a write as the kernel does. It has nothing of its own to write,
        # and closes the descriptor only behind `connection_lost`.
        try:
            sent = os.write(self._fd, data)
        except OSError:
            # Full, or broken: the transport finds out which.
            sent = 0
        if sent < len(data):
            self.transport.write(memoryview(data)[sent:])

    def data_received(self, data: bytes) -> None:
        """As its base; a client that does not wait for the answer to its handshake is cut (RFC 6455 section 4.1)."""
        if self.handshake_initiated and not self.handshake_complete:
            self.transport.abort()
            return
        self._bounded.now_s = self.loop.time()
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # The parser could not read the handshake; the base would wait for ever for what comes next.
            self._refuse_handshake()

    def _refuse_handshake(self) -> None:
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        refusal = Refusal(status=400, title="no WebSocket", detail="send an opening handshake of RFC 6455 section 4.1")
        self.transport.write(refusal.response(HTTPStatus.BAD_REQUEST.phrase, secure=self._bounded.secure))
        self.transport.close()

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """The session is over: let its last bytes go, but do not keep them for ever."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._cut = self.loop.call_later(CUT_AFTER_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """As its base."""
        self._fd = None
        if self._cut is not None:
            self._cut.cancel()
        if self._entry is not None:
            self._entry.left()
        super().connection_lost(exc)


def _descriptor(transport: asyncio.BaseTransport) -> int | None:
    """Of a socket into which may be written directly; None where the transport has something to do with the bytes."""
    socket = transport.get_extra_info("socket")
    if socket is None or transport.get_extra_info("sslcontext") is not None or sys.platform == "win32":
        return None
    fd: int = socket.fileno()
    return fd if fd >= 0 else None
