"""The server's process, the enrolled devices, and a client for the HTTP side."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, OfficerId, ScopeName
from server.identity import Directory
from server.serving import DEVICES, control_token
from sync.device.keys import DeviceIdentity

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 15.0
_POLL_S: Final = 0.05


class Person:
    """A handheld's holder: identity, officer, and what they may see."""

    def __init__(self, device: str, officer: str, audiences: Sequence[str]) -> None:
        """Make the key pair."""
        self.device = DeviceId(device)
        self.officer = OfficerId(officer)
        self.audiences = frozenset(map(ScopeName, audiences))
        self.identity = DeviceIdentity.generate(self.device)


class Stage:
    """The server on a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Bind it; nothing runs yet."""
        self.data = folder / "server"
        self.log = folder / "server.log"
        self.port = _free_port()
        self.kills = 0
        self._process: asyncio.subprocess.Process | None = None
        self._token = ""

    @property
    def base(self) -> str:
        """Base of the HTTP side."""
        return f"http://127.0.0.1:{self.port}"

    def enrol(self, person: Person) -> None:
        """Enrol a device."""
        Directory(self.data / DEVICES).enrol(
            person.device, person.officer, person.identity.public_key, person.audiences
        )

    async def start(self) -> None:
        """Start the server's process and wait until it is ready.

        Raises:
            StoreError: it did not get ready in time; its log is told.
        """
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "server.cli", "serve", "--data", str(self.data), "--port", str(self.port),
                "--log-level", "warning", "--stop-on-eof",
                stdout=log, stderr=log, stdin=asyncio.subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await asyncio.to_thread(self._is_ready):
                if self._process.returncode is not None:
                    raise StoreError(f"the server ended at once; its log:\n{self.log.read_text()[-2_000:]}")
                await asyncio.sleep(_POLL_S)
        self._token = control_token(self.data)

    async def kill(self) -> None:
        """SIGKILL the server and its writing process at the same moment: the power is gone."""
        process = self._process
        if process is None or process.returncode is not None:
            raise UsageError("the server does not run")
        children = _children(process.pid)
        for pid in (process.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await process.wait()
        # They are not ours to wait for, so they are looked at until they hold no file any more.
        while any(map(_lives, children)):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        self.kills += 1

    async def stop(self) -> None:
        """Stop the server in order."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def get(self, path: str) -> Any:
        """Read from the HTTP side."""
        return await asyncio.to_thread(self._call, "GET", path, None)

    async def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Write to the HTTP side."""
        return await asyncio.to_thread(self._call, "POST", path, body)

    async def all_records(self, kind: str) -> dict[str, Any]:
        """Every record of a kind, by id."""
        found: dict[str, Any] = {}
        after = ""
        while True:
            page = await self.get(f"/v1/records?kind={kind}&limit=500" + (f"&after={after}" if after else ""))
            found.update((record["id"], record) for record in page["records"])
            after = page["next"]
            if after is None:
                return found

    def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310  our own server's http address
            self.base + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310  as above
            return json.loads(reply.read())

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base}/readyz", timeout=2):  # noqa: S310  as above
                return True
        except OSError:
            return False


def _children(pid: int) -> list[int]:
    """The processes that a process has started, as Linux tells them; elsewhere none, and they end by themselves."""
    found = []
    # Each thread has the children that it started.
    for told in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in told.read_text().split()]
    return found


def _lives(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
