"""The server's process, its first administrator, the enrolled devices, and callers of the HTTP side."""

import asyncio
import contextlib
import os
import re
import secrets
import signal
import socket
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.errors import StoreError, UsageError
from schemas.ids import OfficerId
from schemas.roles import Role
from server.cli.proving import DpopAuth, Held
from server.cli.remote import Remote
from server.demo import content
from server.demo.kit import Kit
from server.demo.people import Administration, Person, Program
from server.serving import SETUP_PAGE

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 15.0
_POLL_S: Final = 0.05
_PORTS: Final = range(10_000, 32_000)
"""Below those that Linux, macOS and Windows give out (from 32,768 or 49,152 on)."""
_EVERYWHERE: Final = ("force", "control", "custody", "control:inbox", "force:inbox", "custody:inbox")
_PLACES: Final = (
    *(f"area:{area}" for area in content.AREAS), f"suite:{content.SUITE}", f"suite:{content.SUITE}:medical",
)  # fmt: skip
_CONTROL_ROOM: Final = (
    "control-program", "CONTROL1", (*_EVERYWHERE, *_PLACES, *(f"{place}:inbox" for place in _PLACES)),
    (Role.CONTROL_ROOM,),
)  # fmt: skip
_AUDITOR: Final = ("audit-program", "AUDIT1", (), (Role.AUDITOR,))
_CALLERS: Final = {"devices": Role.ADMINISTRATOR, "seats": Role.ADMINISTRATOR, "conflicts": Role.AUDITOR}
"""The first part of a path -> who calls it; the rest is the control room's."""


def link_in(told: str) -> str:
    """The first administrator's link, in what a server said at its start."""
    links: list[str] = re.findall(rf"\S+/{SETUP_PAGE}#\S+", told)
    return links[-1]


class Stage:
    """The server on a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Bind it; nothing runs yet."""
        self.data = folder / "server"
        self.log = folder / "server.log"
        self.port = free_port()
        self.kills = 0
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._programs: list[Program] = []
        self._administration: Administration | None = None
        self._callers: dict[Role, DpopAuth] = {}

    @property
    def base(self) -> str:
        """Base of the HTTP side."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def administration(self) -> Administration:
        """The first administrator; the server has been started."""
        if self._administration is None:
            raise UsageError("the server has not been started: nobody administers it yet")
        return self._administration

    def enrol(self, program: Program) -> None:
        """Have a program's seat made: at once when the server has been started, else as soon as it is."""
        self._programs.append(program)
        if self._administration is not None:
            self._make_seats(self._administration)

    async def issue(self, person: Person, folder: Path, port: int | None = None) -> Kit:
        """Take an officer in, enrol their handheld with a one-time code, and sign them in on it.

        Args:
            person: who; taken in already, or new.
            folder: of the handheld.
            port: where it reaches the server: a mast's; the server's own by default.
        """
        await asyncio.to_thread(self.administration.take_in, [person])
        server = f"http://127.0.0.1:{self.port if port is None else port}"
        return await Kit.issue(self.administration, person, folder, server)

    async def name(self, officer: str, *scopes: str) -> None:
        """Name an officer for these scopes, and no longer for others."""
        await asyncio.to_thread(self.administration.name, OfficerId(officer), scopes)

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
        await asyncio.to_thread(self._set_up)

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
        """Read from the HTTP side, as whoever may."""

        def call() -> object:
            with self._remote(path) as remote:
                return remote.get(path, dict[str, Any])

        return await asyncio.to_thread(call)

    async def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Write to the HTTP side, as whoever may."""

        def call() -> object:
            with self._remote(path) as remote:
                return remote.post(path, body, dict[str, Any])

        return await asyncio.to_thread(call)

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

    def _remote(self, path: str) -> Remote:
        """The server, for a route: administration, audit and operations are three people."""
        place = path.partition("?")[0].split("/")[2]
        return Remote(self.base, self._callers[_CALLERS.get(place, Role.CONTROL_ROOM)])

    def _set_up(self) -> None:
        """Become the administrator, and give the control room and the auditor their programs."""
        if self._administration is None:
            self._administration = Administration(self.base, link_in(self.log.read_text()), self._folder / "admin")
            self._callers[Role.ADMINISTRATOR] = self._administration.auth
            for told in (_CONTROL_ROOM, _AUDITOR):
                program = Program(*told)
                self._programs.append(program)
                self._callers[program.roles[0]] = DpopAuth(program.identity, Held(seat=program.device))
        self._make_seats(self._administration)

    def _make_seats(self, administration: Administration) -> None:
        programs, self._programs = self._programs, []
        administration.take_in(programs)
        for program in programs:
            administration.seat(program)

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


def free_port() -> int:
    """A port where nobody listens, and which nobody is given who asks the system for any.

    So a server that is killed and started again finds it free, whatever else has been started meanwhile.
    """
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", secrets.choice(_PORTS)))
            port: int = probe.getsockname()[1]
            return port
