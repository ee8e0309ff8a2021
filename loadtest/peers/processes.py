"""Processes of strangers: each in a group of its own, on a core of its own, and gone when we are, whatever happens."""

import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import StoreError

_LOOK_S: Final = 0.05
_GONE_S: Final = 10.0
_TOLD_CHARS: Final = 2_000
_PORTS: Final = range(10_000, 32_000)
"""Below those that Linux, macOS and Windows give out (from 32,768 or 49,152 on)."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """How to start one process.

    Attributes:
        words: the program and its arguments.
        port: where it listens once it is ready; None: it is ready when it has ended, well.
        env: what is added to the environment.
        folder: where it runs.
        user: who runs it, when we are the superuser and it refuses to be.
        patience_s: how long it may take to be ready.
    """

    words: Sequence[str]
    port: int | None
    folder: Path
    env: Mapping[str, str] = {}
    user: str | None = None
    patience_s: float = 40.0


class Server:
    """The processes that together are one peer's server, first to last."""

    def __init__(self, commands: Sequence[Command], core: int, said: Path) -> None:
        """Bind them; nothing runs yet.

        Args:
            commands: of each process; the next is started when the one before is ready.
            core: where all of them run.
            said: file that takes what they write.
        """
        self._commands = commands
        self._core = core
        self._said = said
        self._running: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        """Start all of them; returns when the last one listens.

        Raises:
            StoreError: one does not; the end of what they said is told.
        """
        for command in self._commands:
            await self._start(command)

    async def _start(self, command: Command) -> None:
        with self._said.open("ab") as said, on_core(self._core):
            process = await asyncio.create_subprocess_exec(
                *guarded(command),
                stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
                cwd=command.folder, env={**os.environ, **command.env},
            )  # fmt: skip
        self._running.append(process)
        until = time.monotonic() + command.patience_s
        while time.monotonic() < until:
            if process.returncode is not None:
                if command.port is None and process.returncode == 0:
                    return
                break
            if command.port is not None and _listens(command.port):
                return
            # A stranger does not tell that it is ready.
            await asyncio.sleep(_LOOK_S)
        said_last = self._said.read_text("utf-8", "replace")[-_TOLD_CHARS:]
        raise StoreError(f"{command.words[0]} did not come up within {command.patience_s:.0f} s; it said: {said_last}")

    def pids(self) -> list[int]:
        """All processes of it, and those that they have started."""
        return [pid for process in self._running if process.returncode is None for pid in tree(process.pid)]

    async def kill(self) -> None:
        """Kill all of them at once, as `kill -9` does, and wait until they are gone."""
        pids = self.pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        self._running.clear()
        until = time.monotonic() + _GONE_S
        # What they had started is not ours to wait for: it is gone when the system says so.
        while any(_runs(pid) for pid in pids) and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text("ascii").split():
                found += tree(int(child))
    return found


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started meanwhile stays on one core with all its threads: pinning it later would miss those it has."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_ports(count: int) -> list[int]:
    """So many ports of the loopback that nobody listens at now, nor is given who asks the system for any."""
    found = set[int]()
    while len(found) < count:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", secrets.choice(_PORTS)))
            found.add(probe.getsockname()[1])
    return list(found)


def unprivileged() -> str | None:
    """Whom to run as what refuses the superuser; None when we are not."""
    if os.geteuid() != 0:
        return None
    names = {each.pw_name for each in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def guarded(command: Command, find: Callable[[str], str | None] = shutil.which) -> list[str]:
    """The words that start it so that it dies with us even when we are killed, where the system has the means."""
    setpriv = find("setpriv")
    if setpriv is None:
        return list(command.words)
    user = [] if command.user is None else [f"--reuid={command.user}", f"--regid={command.user}", "--clear-groups"]
    return [setpriv, "--pdeathsig=KILL", *user, *command.words]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
