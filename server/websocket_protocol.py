"""uvicorn's WebSocket protocol with the doors shut that it leaves open.

uvicorn accepts any number of frames to a message (500,000 empty ones stall the loop for seconds), any number of pings,
and says nothing of ours when framing breaks. Both are bounded inside the parser, frame by frame, so that what is behind
the bound in the same read is discarded unparsed; the ERROR message goes out before the close frame.

A client that sends before its handshake is answered, or never reads the end, is cut.
"""

import asyncio
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import LoggerLike

from schemas.codec import encode, error_message
from schemas.errors import ERRORS, PeerError
from schemas.limits import CONTROL_FRAMES_MAX, FRAGMENTS_MAX, MESSAGE_BYTES_MAX

_ABNORMAL: Final = 1006
_TOO_BIG: Final = 1009
CUT_AFTER_S: Final = 12.0
"""From the end of a session to the cut of a socket that still has not taken its last bytes; uvicorn itself waits 10 s
for the other side's close frame, and for its reading without end."""


class BoundedServerProtocol(ServerProtocol):
    """RFC 6455 server side that counts the frames of a message and the control frames between two messages."""

    def __init__(self, logger: LoggerLike) -> None:
        """Begin: no extensions, so no compression."""
        super().__init__(extensions=[], max_size=MESSAGE_BYTES_MAX, logger=logger)
        self._fragments = 0
        self._controls = 0

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
        super().recv_frame(frame)

    def fail(self, code: int, reason: str = "") -> None:
        """Say what was wrong in our own words, and close with our code."""
        if self.state is not OPEN or code == _ABNORMAL:
            super().fail(code, reason)
            return
        ours = "too_long" if code == _TOO_BIG else reason if reason in ERRORS else "broken_frame"
        spec = ERRORS[ours]
        self.send_binary(encode(error_message(PeerError(ours))))
        super().fail(spec.close or code, spec.code)


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's class over the bounded parser."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As its base, with the parser replaced before the first byte."""
        super().__init__(config, server_state, app_state, _loop)
        self.conn = BoundedServerProtocol(self.logger)
        self._cut: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """As its base; a client that does not wait for the answer to its handshake is cut (RFC 6455 section 4.1)."""
        if self.handshake_initiated and not self.handshake_complete:
            self.transport.abort()
            return
        super().data_received(data)

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """The session is over: let its last bytes go, but do not keep them for ever."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._cut = self.loop.call_later(CUT_AFTER_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """As its base."""
        if self._cut is not None:
            self._cut.cancel()
        super().connection_lost(exc)
