"""`beatbook serve --config …` as a process of its own, and everything that it ever said."""

import asyncio
import contextlib
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from schemas import wire
from schemas.codec import decode_down
from server.app import SYNC_PATH
from server.serving import Address, read_address
from tests.server.edge.served import Caller

PATIENCE_S: Final = 15.0


class Process:
    """A server process.

    Attributes:
        address: where it says that it listens.
        said: everything on standard output and standard error, once it has ended.
        errors: of that, what was on standard error: its log.
    """

    def __init__(self, process: asyncio.subprocess.Process, data: Path, address: Address) -> None:
        """Wrap one that is ready."""
        self.process = process
        self.data = data
        self.address = address
        self.said = self.errors = ""
        self._callers: list[Caller] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.http.rpartition(":")[2])

    async def call(self, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Caller:
        """Connect from an address of this machine."""
        async with asyncio.timeout(PATIENCE_S):
            name = None if tls is None else "localhost"
            streams = await asyncio.open_connection(
                "127.0.0.1", self.port, local_addr=(source, 0), ssl=tls, server_hostname=name
            )
        caller = Caller(*streams)
        self._callers.append(caller)
        return caller

    def challenged(
        self, tls: ssl.SSLContext | None = None
    ) -> "contextlib.AbstractAsyncContextManager[ClientConnection]":
        """A device's socket that has read its CHALLENGE: the server has let it in as far as it lets in strangers."""
        return _challenged(f"{'ws' if tls is None else 'wss'}://localhost:{self.port}{SYNC_PATH}", tls)

    async def stop(self) -> None:
        """End it in order, and keep what it said."""
        for caller in self._callers:
            caller.writer.transport.abort()
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            output, errors = await self.process.communicate()
        self.errors = errors.decode()
        self.said += output.decode() + self.errors


@contextlib.asynccontextmanager
async def _challenged(url: str, tls: ssl.SSLContext | None) -> AsyncIterator[ClientConnection]:
    async with asyncio.timeout(PATIENCE_S):
        opening = connect(
            url, ssl=tls, subprotocols=[Subprotocol(wire.SUBPROTOCOL)], compression=None, ping_interval=None, proxy=None
        )
        async with opening as device:
            message = await device.recv()
            assert isinstance(message, bytes)
            assert isinstance(decode_down(message), wire.Challenge)
            yield device


def configure(folder: Path, text: str = "") -> Path:
    """Write a configuration for a data folder beside it; what `text` says comes first."""
    path = folder / "beatbook.toml"
    path.write_text(f'data = "data"\n{text}')
    return path


async def _spawn(
    configuration: Path, environment: Mapping[str, str], level: str, files: int | None = None
) -> asyncio.subprocess.Process:
    # The shell's own limit, hard and soft, is that of what it becomes.
    limited = () if files is None else ("/bin/sh", "-c", f'ulimit -n {files} && exec "$@"', "sh")
    return await asyncio.create_subprocess_exec(
        *limited, sys.executable, "-m", "server.cli", "serve", "--config", str(configuration), "--port", "0",
        "--log-level", level,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        env={**os.environ, **environment},
    )  # fmt: skip


@contextlib.asynccontextmanager
async def running(
    configuration: Path, environment: Mapping[str, str] | None = None, level: str = "warning", files: int | None = None
) -> AsyncIterator[Process]:
    """Run a server on a free port until the block ends; whatever is left of it is killed.

    Args:
        configuration: its file.
        environment: variables beside those of the tests.
        level: of its log.
        files: how many files it may have open at most.
    """
    data = configuration.parent / "data"
    process = await _spawn(configuration, environment or {}, level, files)
    assert process.stdout is not None
    greeting = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while b"HTTP:" not in greeting:
                line = await process.stdout.readline()
                assert line, (await process.communicate())[1].decode()
                greeting += line
        address = read_address(data)
        assert address is not None
        found = Process(process, data, address)
        found.said = greeting.decode()
        yield found
        await found.stop()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def refusal(configuration: Path, environment: Mapping[str, str] | None = None) -> str:
    """The one line with which the server refuses to start, with exit code 1."""
    process = await _spawn(configuration, environment or {}, "warning")
    try:
        async with asyncio.timeout(PATIENCE_S):
            _, errors = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    told = errors.decode()
    assert process.returncode == 1, told
    assert told.startswith("Error: ")
    assert told.count("\n") == 1, told
    return told
