"""The server under test: a real process on a data folder of its own, on a core of its own."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.machine import pin
from schemas.errors import StoreError

_START_S: Final = 30.0
_STOP_S: Final = 20.0
_CONFIGURATION: Final = """\
# Everybody here comes from one address, and all at once.
log_level = "warning"
[limits]
connections_per_address_max = 20000
requests_per_s = 1000000
requests_burst = 1000000
"""
_LINK: Final = re.compile(r"\S+#(\S+)")
_LAST: Final = re.compile(r"HTTP:\s+(http\S+)")


class Listening(msgspec.Struct, frozen=True):
    """A server that listens.

    Attributes:
        base: address of its HTTP side.
        port: where.
        code: the secret of the link that makes the first administrator.
        pid: its process.
        database: its file.
    """

    base: str
    port: int
    code: str
    pid: int
    database: Path


class Server:
    """The process. Use it as a context."""

    def __init__(self, folder: Path, core: int) -> None:
        """Bind it; nothing runs yet."""
        self._folder = folder
        self._core = core
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Listening:
        """Start it, and wait until it listens.

        Raises:
            StoreError: it does not; what it said is told.
        """
        told = self._folder / "bench.toml"
        told.write_text(_CONFIGURATION, encoding="utf-8")
        data = self._folder / "data"
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.cli", "serve", "--config", str(told), "--data", str(data), "--port", "0",
            "--stop-on-eof",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        pin(self._process.pid, self._core)
        said = ""
        assert self._process.stdout is not None
        async with asyncio.timeout(_START_S):
            while (last := _LAST.search(said)) is None:
                line = await self._process.stdout.readline()
                if not line:
                    raise StoreError(f"the server did not start: {said}")
                said += line.decode(errors="replace")
        link = _LINK.search(said)
        base = last.group(1)
        self._drain = asyncio.create_task(self._process.stdout.read())
        return Listening(
            base=base,
            port=int(base.rpartition(":")[2]),
            code="" if link is None else link.group(1),
            pid=self._process.pid,
            database=data / "beatbook.db",
        )

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await self._drain
