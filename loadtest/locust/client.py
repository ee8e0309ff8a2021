"""A device on a socket: `websocket-client` under gevent, one greenlet that listens, an AsyncResult for whoever waits.

Written for locust, whose greenlets must never meet an asyncio loop. All waiting is gevent's; without its monkey
patching a wait for bytes blocks the whole process, which is what the tests of one device do.
"""

import socket
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import gevent
from gevent.event import AsyncResult
from gevent.lock import RLock
from websocket import ABNF, WebSocket, WebSocketException, WebSocketTimeoutException, create_connection

from loadtest.locust.outbox import Own
from loadtest.locust.session import Device
from loadtest.locust.wire import (
    BACKOFF_FIRST_S,
    BACKOFF_MAX_S,
    HELLO_TIMEOUT_S,
    PING_INTERVAL_S,
    PONG_TIMEOUT_S,
    SUBPROTOCOL,
    Message,
    ProtocolError,
)

_LATE_ACK_S: Final = 0.05
_CLOSE_S: Final = 1
_NORMAL: Final = 1000
_OPEN: Final = frozenset({"queued", "waiting"})


class LinkError(Exception):
    """The link broke, or what was waited for did not come in time.

    Attributes:
        code: the server's error code, or `cut`, `late`, `unreachable`.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


def sync_url(base: str) -> str:
    """The address of the sync socket of a server whose HTTP side is at `base`."""
    return base.rstrip("/").replace("http", "ws", 1) + "/v1/sync"


def pause_s(failures: int, error: Message | None, drawn: float) -> float:
    """How long to stay away after a session; "Coming back" of the page.

    Args:
        failures: attempts since the last WELCOME.
        error: the ERROR with which the session ended, if one.
        drawn: 0 to 1, by chance.
    """
    told = (error or {}).get("retry_after_ms")
    if told is not None:
        return float(told) / 1_000
    if (error or {}).get("recovery") == "stop":
        return BACKOFF_MAX_S
    return drawn * min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(failures, 16))


def _shut(ws: WebSocket) -> None:
    """Close the socket without a word. The library's method has no types."""
    ws.shutdown()  # type: ignore[no-untyped-call]


class Contact:
    """One device's link. It hears for its device, and wakes whoever waits.

    Attributes:
        device: whose link it is; set by `attach`.
        ended: what the last link ended with; None while it is up.
    """

    device: Device

    def __init__(self, url: str, source: str = "", ca_file: str = "") -> None:
        """Bind it; nothing is connected.

        Args:
            url: of the sync socket.
            source: the address of this machine from which to call; one has room for some 28,000 links. Any when empty.
            ca_file: PEM file of the authority that vouches for a wss server; the machine's own list when empty.
        """
        self._url, self._source, self._ca_file = url, source, ca_file
        self._ws: WebSocket | None = None
        self._listener: gevent.Greenlet | None = None
        self._flushing = RLock()
        self._late_ack = False
        self._caught_up: AsyncResult = AsyncResult()
        self._answers: dict[int, AsyncResult] = {}
        self.ended: LinkError | None = None
        self.when_heard: Callable[[Message], None] = lambda _: None
        self.when_answered: Callable[[Own], None] = lambda _: None
        self.when_differed: Callable[[str], None] = lambda _: None
        self.when_ended: Callable[[LinkError], None] = lambda _: None

    @property
    def up(self) -> bool:
        """Whether the session runs."""
        return self._ws is not None and self.device.state == "live"

    # --- what a user does --------------------------------------------------------------------------------------------

    def connect(self, timeout_s: float) -> None:
        """Connect and wait until the device is current.

        A link that is still there is cut: the signal may have gone and come back while it was being made, and what it
        brings would be heard in the session of the new one.

        Raises:
            LinkError: it did not come to that.
        """
        self.cut()
        self.device.opened()
        self._caught_up = AsyncResult()
        self.ended = None
        try:
            ws = create_connection(
                self._url,
                timeout=HELLO_TIMEOUT_S,
                subprotocols=[SUBPROTOCOL],
                suppress_origin=True,
                enable_multithread=True,
                socket=self._socket(),
            )
        except (OSError, WebSocketException) as error:
            raise LinkError("unreachable", str(error)) from error
        if ws.getsubprotocol() != SUBPROTOCOL:
            ws.close(timeout=_CLOSE_S)
            raise LinkError("unreachable", f"the server does not speak {SUBPROTOCOL}")
        self._ws = ws
        self._listener = gevent.spawn(self._listen, ws)
        try:
            self._caught_up.get(timeout=timeout_s)
        except gevent.Timeout as error:
            raise LinkError("late", f"not current after {timeout_s:g} s") from error

    def cut(self) -> None:
        """Lose the signal: the socket goes without a word."""
        ws, self._ws = self._ws, None
        self.device.lost()
        if ws is not None:
            _shut(ws)
        self._join()

    def leave(self) -> None:
        """Stop in order."""
        ws, self._ws = self._ws, None
        self.device.lost()
        if ws is not None:
            try:
                ws.close(status=_NORMAL, timeout=_CLOSE_S)
            except (OSError, WebSocketException):
                _shut(ws)
        self._join()

    def send(self) -> None:
        """Send what the device has to say, if the link is up."""
        ws = self._ws
        if ws is None:
            return
        try:
            with self._flushing:
                for frame in self.device.outgoing():
                    ws.send_binary(frame)
        except (OSError, WebSocketException) as error:
            self._over(ws, LinkError("cut", str(error)))
            return
        if self.device.owes_ack() and not self._late_ack:
            self._late_ack = True
            gevent.spawn_later(_LATE_ACK_S, self._acknowledge)

    def answer_to(self, own: Own, timeout_s: float) -> Message:
        """Wait for what becomes of an op.

        Raises:
            LinkError: the link broke first, or it took too long. The op stays in the outbox.
        """
        if own.state not in _OPEN:
            return own.result
        waiting = self._answers.setdefault(own.n, AsyncResult())
        try:
            result: Message = waiting.get(timeout=timeout_s)
        except gevent.Timeout as error:
            raise LinkError("late", f"no answer after {timeout_s:g} s") from error
        finally:
            self._answers.pop(own.n, None)
        return result

    # --- what the device is told -------------------------------------------------------------------------------------

    def answered(self, own: Own) -> None:
        """A result came."""
        waiting = self._answers.get(own.n)
        if waiting is not None and own.state != "waiting":
            waiting.set(own.result)
        self.when_answered(own)

    def heard(self, row: Message) -> None:
        """A change came."""
        self.when_heard(row)

    def current(self) -> None:
        """All is here."""
        self._caught_up.set(None)

    def differed(self, scope: str) -> None:
        """A digest was another one."""
        self.when_differed(scope)

    # --- the socket --------------------------------------------------------------------------------------------------

    def _socket(self) -> socket.socket:
        address = urlsplit(self._url)
        secure = address.scheme == "wss"
        host = address.hostname or ""
        plain = socket.create_connection(
            (host, address.port or (443 if secure else 80)),
            timeout=HELLO_TIMEOUT_S,
            source_address=(self._source, 0) if self._source else None,
        )
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not secure:
            return plain
        context = ssl.create_default_context(cafile=self._ca_file or None)
        return context.wrap_socket(plain, server_hostname=host)

    def _listen(self, ws: WebSocket) -> None:
        asked = 0
        try:
            while self._ws is ws and self.device.state != "closed":
                try:
                    opcode, data = ws.recv_data()
                except WebSocketTimeoutException:
                    asked = self._silence(asked)
                else:
                    if self._ws is not ws:
                        return  # cut meanwhile: what still comes belongs to no session
                    asked = 0
                    self._take(opcode, data)
                ws.settimeout(PING_INTERVAL_S if asked == 0 and self.device.state == "live" else PONG_TIMEOUT_S)
                self.send()
        except (OSError, WebSocketException) as error:
            self._over(ws, LinkError("cut", str(error)))
            return
        told = self.device.error or {}
        if "close" in told:
            try:
                ws.close(status=told["close"], timeout=_CLOSE_S)
            except (OSError, WebSocketException):
                _shut(ws)
        self._over(ws, LinkError(str(told.get("code", "cut")), str(told.get("detail", ""))))

    def _take(self, opcode: int, data: bytes) -> None:
        if opcode == ABNF.OPCODE_CLOSE:
            raise WebSocketException("closed by the server")
        if opcode == ABNF.OPCODE_TEXT:
            self.device.fail(ProtocolError("text_frame"))
        elif opcode == ABNF.OPCODE_BINARY:
            self.device.receive(data)

    def _silence(self, asked: int) -> int:
        if asked or self.device.state != "live":
            self.device.fail(ProtocolError("server_silent"))
        else:
            self.device.ping(1)
        return asked + 1

    def _acknowledge(self) -> None:
        self._late_ack = False
        if self.device.owes_ack():
            self.device.acknowledge()
            self.send()

    def _over(self, ws: WebSocket, error: LinkError) -> None:
        """A link is over: nobody waits any longer for what would have come."""
        _shut(ws)
        wanted = self._ws is ws
        if wanted:
            self._ws = None
            self.device.lost()
        self.ended = error
        if not self._caught_up.ready():
            self._caught_up.set_exception(error)
        for waiting in self._answers.values():
            if not waiting.ready():
                waiting.set_exception(error)
        if wanted:
            self.when_ended(error)

    def _join(self) -> None:
        listener = self._listener
        if listener is not None and listener is not gevent.getcurrent():
            listener.join(timeout=_CLOSE_S)
            listener.kill(timeout=_CLOSE_S)
        self._listener = None
        for waiting in self._answers.values():
            if not waiting.ready():
                waiting.set_exception(LinkError("cut", "the signal was lost"))
