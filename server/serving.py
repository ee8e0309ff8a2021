"""Run the server on a data folder: open the folder, serve the sockets, go down gracefully."""

import asyncio
import contextlib
import errno
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import uvicorn

from schemas.errors import StoreError
from server.app import SYNC_PATH, build
from server.beatbook import Beatbook
from server.identity import Directory
from server.store.sqlite import SqliteStore
from server.websocket_protocol import BoundedWebSocketProtocol

DEVICES: Final = "devices"
TOKEN: Final = "control.token"  # noqa: S105  a file's name
ADDRESS: Final = "address.json"
BACKLOG: Final = 2_048
"""Connections that wait to be accepted: after a restart every device comes back within the jitter."""
GOODBYE_S: Final = 5.0
"""How long devices may take to hear that the server is going down."""

if sys.platform == "win32":
    new_event_loop = asyncio.new_event_loop
else:
    from uvloop import new_event_loop


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server of a data folder listens, while it runs.

    Attributes:
        http: base of the HTTP side.
        sync: address of the sync socket.
        pid: the server's process.
    """

    http: str
    sync: str
    pid: int


def control_token(data: Path) -> str:
    """The bearer token of a data folder, made on first use and readable by its owner only.

    Raises:
        StoreError: the file cannot be read or made.
    """
    path = data / TOKEN
    try:
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
        token = path.read_text().strip()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; check the folder's permissions") from None
    if not token:
        raise StoreError(f"{path}: is empty; delete it, and the next start makes a new token")
    return token


def read_address(data: Path) -> Address | None:
    """Where the server of this data folder said that it listens; None when none did, or it went down in order."""
    try:
        return msgspec.json.decode((data / ADDRESS).read_bytes(), type=Address)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


class GracefulServer(uvicorn.Server):
    """uvicorn, but every device is told to come back before its socket is closed."""

    def __init__(self, config: uvicorn.Config, beatbook: Beatbook, ready: Callable[[], None]) -> None:
        """Bind it to the running server; `ready` is called once it listens."""
        super().__init__(config)
        self._beatbook = beatbook
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As the base does, but a stop that was asked for is no death by signal: the process ends with code 0."""
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As the base does, then say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, say goodbye, then go on as the base does."""
        for server in self.servers:
            server.close()
        await self._beatbook.say_goodbye(GOODBYE_S)
        await super().shutdown(sockets)


def run(data: Path, host: str, port: int, ready: Callable[[Address], None]) -> None:
    """`serve` on the fastest event loop there is, until it returns."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(data, host, port, ready))


async def serve(data: Path, host: str, port: int, ready: Callable[[Address], None]) -> None:
    """Serve a data folder until a signal says to stop.

    Args:
        data: the data folder; it is made when it is not there.
        host, port: where to listen; port 0 takes a free one.
        ready: called once with the address, when the server listens.

    Raises:
        StoreError: the folder cannot be used, or the address is taken.
    """
    store = await SqliteStore.open(data)
    try:
        token = control_token(data)
        listening = _listen(host, port)
    except StoreError:
        await store.close()
        raise
    beatbook = Beatbook(store, Directory(data / DEVICES), token)
    try:
        await beatbook.start()
        await _serve(beatbook, listening, lambda: ready(_announce(data, host, listening)))
    finally:
        listening.close()
        await beatbook.stop()
        (data / ADDRESS).unlink(missing_ok=True)


async def _serve(beatbook: Beatbook, listening: socket.socket, ready: Callable[[], None]) -> None:
    @contextlib.asynccontextmanager
    async def open_beatbook() -> AsyncIterator[Beatbook]:
        yield beatbook

    config = uvicorn.Config(
        build(open_beatbook),
        ws=BoundedWebSocketProtocol,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(GOODBYE_S),
    )
    await GracefulServer(config, beatbook, ready).serve([listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        remedy = "is another server running there?" if taken else "give an address of this machine with --host"
        raise StoreError(f"cannot listen on {host}:{port} ({error.strerror}); {remedy}") from None


def _announce(data: Path, host: str, listening: socket.socket) -> Address:
    """Keep in the data folder where the server listens."""
    port = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    address = Address(http=f"http://{shown}:{port}", sync=f"ws://{shown}:{port}{SYNC_PATH}", pid=os.getpid())
    beside = data / f"{ADDRESS}.new"
    beside.write_bytes(msgspec.json.encode(address))
    beside.replace(data / ADDRESS)
    return address
