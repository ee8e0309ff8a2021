"""uvicorn's HTTP protocol with deadlines and bounds: no request may be slow or large without end.

uvicorn over httptools waits for ever for the rest of a request, keeps headers of any length, and says what is wrong in
plain text. Here each phase of a connection has its deadline, a head has its bounds before anything of the application
runs, and every refusal is a problem detail.
"""

import asyncio
import enum
import functools
import logging
from http import HTTPStatus
from typing import Any, Final, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from server.edge.bounds import (
    BODY_TIMEOUT_MS,
    HEAD_BYTES_MAX,
    HEAD_TIMEOUT_MS,
    HEADERS_MAX,
    RETRY_AFTER_MS,
)
from server.edge.door import Entry
from server.edge.refusals import Refusal

_log = logging.getLogger(__name__)
_log.setLevel(logging.ERROR)  # below that, the base writes a line for whatever a stranger sends
LINGER_S: Final = 1.0
"""From a refusal to the end of its connection: bytes that are still on the way would otherwise reset it, and the
answer with it."""

_LATE_HEAD: Final = Refusal(
    status=408, title="request too slow", detail=f"send the whole head within {HEAD_TIMEOUT_MS // 1_000} s"
)
_LATE_BODY: Final = Refusal(
    status=408, title="request too slow", detail=f"send the whole body within {BODY_TIMEOUT_MS // 1_000} s"
)
_LONG_HEAD: Final = Refusal(
    status=431, title="head too large", detail=f"at most {HEAD_BYTES_MAX} bytes and {HEADERS_MAX} headers"
)
_CROWDED: Final = Refusal(
    status=429,
    title="too many connections",
    detail="this address has as many connections open as it may have; close some, or come back",
    retry_after_ms=RETRY_AFTER_MS,
)
_NOT_HTTP: Final = Refusal(status=400, title="request not understood", detail="send HTTP/1.1 (RFC 9112)")


class _Phase(enum.Enum):
    """What the connection waits for."""

    HEAD = "head"
    BODY = "body"
    REST = "rest"
    """An answer of ours, or the first byte of the next request: uvicorn's own timer bounds that."""


_DEADLINES: Final = {_Phase.HEAD: (HEAD_TIMEOUT_MS, _LATE_HEAD), _Phase.BODY: (BODY_TIMEOUT_MS, _LATE_BODY)}


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection, until its end or until it becomes a WebSocket."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        entry: Entry | None = None,
    ) -> None:
        """As its base; `entry` is the connection's place at the door, where there is one."""
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _log
        self._entry = entry
        self._phase = _Phase.HEAD
        self._watched: _Phase | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._refusal: Refusal | None = None
        self._over = False
        if entry is not None:
            # The class of ours takes the entry along; the base only calls what stands here.
            taking: Any = functools.partial(cast("Any", config.ws_protocol_class), entry=entry)
            self.ws_protocol_class = taking

    # --- the connection ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """As its base; the head's deadline begins."""
        super().connection_made(transport)
        if self._entry is not None:
            self._entry.transport = transport
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """As its base."""
        self._phase = _Phase.REST
        self._watch()
        if self._unread is not None:
            self._unread.cancel()
        if self._entry is not None:
            self._entry.left()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As its base, within the bounds."""
        if self._over:
            return
        if self._phase is _Phase.REST:
            # Also what the parser passes over before a request line must come to a request in time.
            self._phase = _Phase.HEAD
        if self._phase is _Phase.HEAD:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._phase is _Phase.HEAD and self._head_bytes > HEAD_BYTES_MAX:
            self.refuse(_LONG_HEAD)
        self._watch()

    def pause_writing(self) -> None:
        """As its base; whoever does not read its answer is not waited for without end."""
        super().pause_writing()
        self._expect_reading()

    def on_response_complete(self) -> None:
        """As its base."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._expect_reading()

    def _expect_reading(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(BODY_TIMEOUT_MS / 1_000, self._cut_unread, self._written())

    def _cut_unread(self, before: int) -> None:
        """Cut a connection that took nothing in all this time; one that took something gets as long again."""
        self._unread = None
        waiting = self._written()
        if waiting and waiting >= before:
            self.transport.abort()
        elif waiting:
            self._expect_reading()

    def _written(self) -> int:
        return self.transport.get_write_buffer_size()

    # --- a request ---------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """As its base."""
        self._phase = _Phase.HEAD
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """As its base; a trailer (RFC 9112 section 7.1.2) is left out: it would pass for a header that was judged."""
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """As its base, after a look at the size; the application is not asked when it is too large."""
        self._head_bytes = 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES_MAX or len(self.headers) > HEADERS_MAX:
            self._refusal = _LONG_HEAD
        elif self._entry is not None and self._entry.crowded:
            self._refusal = _CROWDED
        self._phase = _Phase.BODY
        if self._entry is not None:
            self._entry.heard()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """As its base."""
        self._phase = _Phase.REST
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401  uvicorn's own type of an application
        chosen: Any = app if self._refusal is None else _refusing(self._refusal)
        super()._start_asgi_task(cycle, chosen)

    def handle_websocket_upgrade(self) -> None:
        """As its base, unless the request is refused; the deadlines are then the WebSocket's own."""
        self._phase = _Phase.REST
        self._watch()
        if self._refusal is not None:
            self.refuse(self._refusal)
            return
        super().handle_websocket_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """Any other upgrade is passed over, as RFC 9110 section 7.8 allows; what follows it is not HTTP any more."""
        self._over = True
        self.cycle.keep_alive = False

    # --- the end -----------------------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's text says nothing more
        """What came is no HTTP."""
        self.refuse(_NOT_HTTP)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with a problem, unless another answer is on its way, and end the connection."""
        if self._over or self.transport.is_closing():
            return
        self._over = True
        self._phase = _Phase.REST
        self._watch()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                self.transport.abort()
                return
            # The application learns that its caller has gone, and what it still says goes nowhere.
            cycle.disconnected = True
            cycle.message_event.set()
        phrase = HTTPStatus(refusal.status).phrase
        self.transport.write(refusal.response(phrase, secure=self.scheme == "https"))
        self.loop.call_later(LINGER_S, self.transport.abort)

    def _watch(self) -> None:
        """Keep the deadline of the phase: it begins with the phase, and no byte that comes within moves it."""
        if self._phase is self._watched:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._watched = self._phase
        if self._phase in _DEADLINES:
            after_ms, refusal = _DEADLINES[self._phase]
            self._deadline = self.loop.call_later(after_ms / 1_000, self.refuse, refusal)


def _refusing(refusal: Refusal) -> ASGIApp:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        headers = refusal.headers(secure=scope["scheme"] == "https")
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": refusal.body()})

    return app
