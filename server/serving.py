"""Run the server on a data folder: open the folder, serve the sockets, go down gracefully."""

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import msgspec
import uvicorn

from schemas.errors import StoreError
from server.app import build
from server.beatbook import Beatbook
from server.identity import Directory
from server.store.sqlite import SqliteStore
from server.websocket_protocol import BoundedWebSocketProtocol

DEVICES: Final = "devices"
TOKEN: Final = "control.token"  # noqa: S105  a file's name
ADDRESS: Final = "address.json"
GOODBYE_S: Final = 5.0
"""How long devices may take to hear that the server is going down."""


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
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


class GracefulServer(uvicorn.Server):
    """uvicorn, but every device is told to come back before its socket is closed."""

    def __init__(self, config: uvicorn.Config, opened: "list[Beatbook]") -> None:
        """Bind it to the running server, which the application opens later."""
        super().__init__(config)
        self._opened = opened

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Stop accepting, say goodbye, then go on as the base does."""
        for server in self.servers:
            server.close()
        for beatbook in self._opened:
            await beatbook.say_goodbye(GOODBYE_S)
        await super().shutdown(sockets)  # type: ignore[arg-type]


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
    opened: list[Beatbook] = []

    @contextlib.asynccontextmanager
    async def open_beatbook() -> AsyncIterator[Beatbook]:
        beatbook = Beatbook(store, Directory(data / DEVICES), control_token(data))
        await beatbook.start()
        opened.append(beatbook)
        try:
            yield beatbook
        finally:
            await beatbook.stop()
            (data / ADDRESS).unlink(missing_ok=True)

    config = uvicorn.Config(
        build(open_beatbook),
        host=host,
        port=port,
        ws=BoundedWebSocketProtocol,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(GOODBYE_S),
    )
    server = GracefulServer(config, opened)
    announcing = asyncio.create_task(_announce(server, data, host, ready))
    try:
        await server.serve()
    except SystemExit:
        raise StoreError(f"cannot listen on {host}:{port}; is another server running there?") from None
    finally:
        announcing.cancel()
        if not opened:
            await store.close()


async def _announce(server: uvicorn.Server, data: Path, host: str, ready: Callable[[Address], None]) -> None:
    """Say where the server listens, once it does."""
    # uvicorn has no event for it.
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    address = Address(http=f"http://{shown}:{port}", sync=f"ws://{shown}:{port}/v1/sync", pid=os.getpid())
    beside = data / f"{ADDRESS}.new"
    beside.write_bytes(msgspec.json.encode(address))
    beside.replace(data / ADDRESS)
    ready(address)
