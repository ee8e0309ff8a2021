"""A small application behind the real door on a real loopback socket, in this process, and callers from any address.

The whole of 127.0.0.0/8 is this machine's, so a test can call from as many sources as it likes.
"""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import trustme
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from server.edge.addresses import Proxies
from server.edge.door import Door, DoorLimits, Entry
from server.edge.http_protocol import BoundedHttpProtocol
from server.edge.middleware import Edge, EdgeSettings
from server.edge.tls import Tls
from server.websocket_protocol import BoundedWebSocketProtocol

HOST: Final = "127.0.0.1"
PATIENCE_S: Final = 10.0
"""How long a step may take before the test gives up; nothing is asserted about how long it takes."""
GET: Final = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
UPGRADE: Final = (
    f"GET /socket HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()
FEW: Final = DoorLimits(connections_max=100, connections_per_address_max=50)


class Application:
    """Answers with what it was asked, and takes WebSockets.

    Attributes:
        scopes: of every request that reached it.
        bodies: length of each body that came whole.
        large: how many bytes it answers with instead.
        failing: what it raises instead.
    """

    def __init__(self) -> None:
        """Nothing has reached it."""
        self.scopes: list[Scope] = []
        self.bodies: list[int] = []
        self.large = 0
        self.failing: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one."""
        self.scopes.append(scope)
        if self.failing is not None:
            raise self.failing
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size, more = size + len(message["body"]), message["more_body"]
        self.bodies.append(size)
        body = b"x" * self.large or b"{}"
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Answer:
    """An HTTP response."""

    def __init__(self, head: bytes, body: bytes) -> None:
        """Take it apart."""
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        self.body = body

    @property
    def problem(self) -> Any:  # noqa: ANN401  JSON
        """The problem detail, which has the status again."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        told = json.loads(self.body)
        assert told["status"] == self.status
        assert told["title"]
        assert told["detail"]
        return told


class Caller:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wrap it."""
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Write, as long as the other side takes it."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(self) -> Answer:
        """The next response."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n"))[:-4]
            length = Answer(head, b"").headers.get("content-length", "0")
            return Answer(head, await self.reader.readexactly(int(length)))

    async def ask(self, data: bytes = GET) -> Answer:
        """Send a request and read its response."""
        await self.send(data)
        return await self.answer()

    async def ended(self) -> bytes:
        """Read to the end of the connection, which must come."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


class Served:
    """A server behind its door."""

    def __init__(self, door: Door, port: int, app: Application, config: uvicorn.Config) -> None:
        """Wrap it."""
        self.config = config
        self.door = door
        self.port = port
        self.app = app
        self._callers: list[Caller] = []

    async def call(self, address: str = HOST, tls: ssl.SSLContext | None = None) -> Caller:
        """Connect from an address of this machine."""
        async with asyncio.timeout(PATIENCE_S):
            streams = await asyncio.open_connection(
                HOST, self.port, local_addr=(address, 0), ssl=tls, server_hostname=None if tls is None else "localhost"
            )
        caller = Caller(*streams)
        self._callers.append(caller)
        return caller

    async def until(self, *, inside: int | None = None, pending: int | None = None) -> None:
        """Wait until so many connections are inside, or pending, whatever the loop has to do for it."""
        async with asyncio.timeout(PATIENCE_S):
            while inside not in {None, len(self.door)} or pending not in {None, self.door.pending}:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        """Cut what the test left open."""
        for caller in self._callers:
            caller.writer.transport.abort()
        await self.until(inside=0)


@contextlib.asynccontextmanager
async def served(
    limits: DoorLimits = FEW,
    *,
    settings: EdgeSettings | None = None,
    proxies: Iterable[str] = (),
    tls: Tls | None = None,
    around: Callable[[ASGIApp], ASGIApp] = lambda inner: inner,
    app: Application | None = None,
) -> AsyncIterator[Served]:
    """Run an application, behind the edge when there are settings for it, with `around` outside of both."""
    app = app or Application()
    inner = around(app if settings is None else Edge(app, settings))
    config = uvicorn.Config(
        inner, ws=BoundedWebSocketProtocol, ws_ping_interval=None, proxy_headers=False, log_config=None, lifespan="off"
    )
    config.load()
    server = uvicorn.Server(config)

    def make(entry: Entry) -> BoundedHttpProtocol:
        return BoundedHttpProtocol(config, server.server_state, {}, entry=entry)

    door = Door(limits, Proxies(proxies), make, lambda: None if tls is None else tls.context)
    listening = socket.create_server((HOST, 0), backlog=1_024)
    door.open([listening])
    found = Served(door, listening.getsockname()[1], app, config)
    try:
        yield found
    finally:
        door.close()
        await door.closed()
        await found.close()
        if server.server_state.tasks:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.wait(server.server_state.tasks)


class Authority:
    """A certificate authority of the test's own, and what it has issued."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self._ca = trustme.CA()
        self.certificate_file = folder / "certificate.pem"
        self.key_file = folder / "key.pem"
        self.ca_file = folder / "authority.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    def issue(self, *names: str) -> None:
        """Issue a certificate for names, in place of the one that is there."""
        issued = self._ca.issue_cert(*names)
        self.certificate_file.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        self.key_file.touch(0o600)
        self.key_file.write_bytes(issued.private_key_pem.bytes())

    def client(self) -> ssl.SSLContext:
        """A client that trusts it."""
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        return context
