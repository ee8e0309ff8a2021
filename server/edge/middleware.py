"""What every request passes before the application sees it, HTTP and WebSocket alike, and every response on its way.

In this order: who called (behind a listed proxy, whom it forwards for), whether it may speak here in clear, its pace,
Host and Origin, secrets in the address, the size of the body. Whatever goes out bears the security headers,
also what the framework itself says of a defect: this stands outside of everything else.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge import url_secrets
from server.edge.addresses import Caller, ForwardedError, Proxies, is_loopback, source_of
from server.edge.bounds import (
    ADDRESSES_MAX,
    BODY_BYTES_MAX,
    DEVICE_CALLS_BURST_MAX,
    DEVICE_CALLS_PER_S_MAX,
    DEVICE_CONNECTS_BURST_MAX,
    DEVICE_CONNECTS_PER_S_MAX,
)
from server.edge.buckets import Buckets, Rate
from server.edge.origins import Names
from server.edge.refusals import Headers, Refusal, security_headers

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_FORWARDED: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"})
_TLS_SCHEMES: Final = {"https", "wss"}
_IN_CLEAR: Final = Refusal(
    status=403, title="not through the proxy", detail="this port is for the listed proxies; call the server over https"
)
_TOO_LARGE: Final = Refusal(
    # The rest of the body is read and thrown away: ended at once, the connection would be reset before the answer.
    status=413, title="body too large", detail=f"at most {BODY_BYTES_MAX} bytes in one request", close=False
)  # fmt: skip


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is particular to a server.

    Attributes:
        hosts: its names, as `server.edge.origins.HOST_NAME` has them.
        origins: whose pages may call it; none means its own.
        trusted_proxies: addresses and networks.
        proxies_only: whether a request that comes in clear must come from a listed proxy, or from this machine.
        requests: the pace of one source, HTTP requests and WebSocket handshakes together.
    """

    hosts: tuple[str, ...] = LOOPBACK_NAMES
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    proxies_only: bool = False
    requests: Rate = Rate(300, 6_000)


class DevicePace:
    """How often one device may come. Asked once it has proved who it is: else anyone could use up another's pace."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with everyone rested."""
        self._connects = Buckets(Rate(DEVICE_CONNECTS_PER_S_MAX, DEVICE_CONNECTS_BURST_MAX), ADDRESSES_MAX, clock)
        self._calls = Buckets(Rate(DEVICE_CALLS_PER_S_MAX, DEVICE_CALLS_BURST_MAX), ADDRESSES_MAX, clock)

    def connect(self, device: str) -> int | None:
        """Count a proven connection: None when it may stay, else after how many ms it may come back."""
        return self._connects.take(device)

    def call(self, device: str) -> int | None:
        """Count an identified HTTP call: None when it may pass, else after how many ms it may come back."""
        return self._calls.take(device)


class Edge:
    """The outermost ASGI application, around another."""

    def __init__(
        self,
        app: ASGIApp,
        settings: EdgeSettings,
        secrets: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap it.

        Args:
            app: what is inside.
            settings: of this server.
            secrets: what must not come in an address, beside what looks like a secret.
            clock: seconds, never going back.

        Raises:
            UsageError: a listed proxy is no address or network.
        """
        self._app = app
        self._settings = settings
        self._names = Names(settings.hosts, settings.origins)
        self._proxies = Proxies(settings.trusted_proxies)
        self._secrets = secrets
        self._requests = Buckets(settings.requests, ADDRESSES_MAX, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one WebSocket, or the application's life."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._judge(scope)
        exchange = _Exchange(scope, receive, send)
        if refusal is not None:
            await exchange.refuse(refusal)
            return
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            # It left in the middle of its own request. There is nobody to answer and nothing to mend.
            return

    def _judge(self, scope: Scope) -> Refusal | None:
        """Why a request is refused, or None; writes into the scope who called."""
        headers: Headers = scope["headers"]
        peer = scope["client"][0] if scope.get("client") else ""
        try:
            caller = self._caller(scope, headers, peer)
        except ForwardedError as error:
            return Refusal(status=400, title="forwarding not understood", detail=f"{error}; look at the proxy")
        websocket = scope["type"] == "websocket"
        # A proxy that is not listed, or a caller itself, could write anything there: nothing inside may believe it.
        scope["headers"] = [(name, value) for name, value in headers if name not in _FORWARDED]
        scope["client"] = (caller.address, 0 if caller.proxied else scope["client"][1]) if caller.address else None
        scope["scheme"] = caller.scheme.replace("http", "ws", 1) if websocket else caller.scheme
        in_clear = caller.scheme == "http" and self._settings.proxies_only
        if in_clear and not (caller.proxied or is_loopback(peer)):
            return _IN_CLEAR
        hosts = [value for name, value in headers if name == b"host"]
        origins = [value for name, value in headers if name == b"origin"]
        return (
            self._pace(caller)
            or self._names.refusal(caller.scheme, hosts, origins)
            or url_secrets.refusal(scope.get("raw_path") or b"", scope["query_string"], self._secrets())
            or _too_large(headers)
        )

    def _caller(self, scope: Scope, headers: Headers, peer: str) -> Caller:
        forwarded_for = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
        forwarded_proto = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-proto"]
        scheme = "https" if scope["scheme"] in _TLS_SCHEMES else "http"
        return self._proxies.caller(peer, scheme, forwarded_for, forwarded_proto)

    def _pace(self, caller: Caller) -> Refusal | None:
        retry_after_ms = self._requests.take(source_of(caller.address))
        if retry_after_ms is None:
            return None
        return Refusal(
            status=429,
            title="too many requests",
            detail="this address calls faster than it may; come back after the time in Retry-After",
            retry_after_ms=retry_after_ms,
        )


def _too_large(headers: Headers) -> Refusal | None:
    for name, value in headers:
        # The parser has let through what is a number only.
        if name == b"content-length" and (len(value) > len(str(BODY_BYTES_MAX)) or int(value) > BODY_BYTES_MAX):
            return _TOO_LARGE
    return None


class _Exchange:
    """One request and its response, on their way through."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bind it; `scope` says by now how the caller came."""
        self._http = scope["type"] == "http"
        self._secure = scope["scheme"] in _TLS_SCHEMES
        self._receive = receive
        self._send = send
        self._size = 0
        self._answered = False

    async def receive(self) -> Message:
        """As uvicorn's; a body that turns out too long, though nothing said so, ends the request."""
        message = await self._receive()
        self._size += len(message.get("body", b"")) if self._http else 0
        if self._size > BODY_BYTES_MAX and not self._answered:
            await self.refuse(_TOO_LARGE)
            raise ClientDisconnect
        return message

    async def send(self, message: Message) -> None:
        """As uvicorn's, with the security headers; what comes behind an answer of the edge's own goes nowhere."""
        if self._answered:
            return
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            present = [(name.lower(), value) for name, value in message.get("headers", [])]
            message = {**message, "headers": present + security_headers(present, secure=self._secure)}
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer without the application; a WebSocket is told before its handshake is answered."""
        self._answered = True
        prefix = "" if self._http else "websocket."
        headers = refusal.headers(secure=self._secure)
        await self._send({"type": f"{prefix}http.response.start", "status": refusal.status, "headers": headers})
        await self._send({"type": f"{prefix}http.response.body", "body": refusal.body(), "more_body": False})
