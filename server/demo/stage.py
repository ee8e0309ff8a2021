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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, OfficerId, ScopeName
from schemas.roles import Role
from server.cli.proving import DpopAuth, Held, wall_clock
from server.cli.remote import Remote, set_up
from server.demo import content
from server.http.administration import ActsDone, DoneAct
from server.http.devices import CodeBody
from server.http.identities import EnrolledBody
from server.serving import SETUP_PAGE
from sync.device.keys import DeviceIdentity

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 15.0
_POLL_S: Final = 0.05
_EVERYWHERE: Final = ("force", "control", "custody", "control:inbox", "force:inbox", "custody:inbox")
_PLACES: Final = (
    *(f"area:{area}" for area in content.AREAS), f"suite:{content.SUITE}", f"suite:{content.SUITE}:medical",
)  # fmt: skip
_CONTROL_ROOM: Final = (
    "control-program", "CONTROL1", (*_EVERYWHERE, *_PLACES, *(f"{place}:inbox" for place in _PLACES)),
    (Role.CONTROL_ROOM,),
)  # fmt: skip
_AUDITOR: Final = ("audit-program", "AUDIT1", (), (Role.AUDITOR,))
_CALLERS: Final = {"devices": Role.ADMINISTRATOR, "conflicts": Role.AUDITOR}
"""The first part of a path -> who calls it; the rest is the control room's."""


class Person:
    """A handheld's holder: identity, officer, what they are, and what they may see."""

    def __init__(
        self,
        device: str,
        officer: str,
        audiences: Sequence[str],
        roles: Sequence[Role] = (Role.OFFICER, Role.SUPERVISOR),
        *,
        identity: DeviceIdentity | None = None,
    ) -> None:
        """Make the key pair, unless they bring one."""
        self.device = DeviceId(device)
        self.officer = OfficerId(officer)
        self.audiences = frozenset(map(ScopeName, audiences))
        self.roles = tuple(roles)
        self.identity = identity or DeviceIdentity.generate(self.device)


def link_in(told: str) -> str:
    """The first administrator's link, in what a server said at its start."""
    links: list[str] = re.findall(rf"\S+/{SETUP_PAGE}#\S+", told)
    return links[-1]


class Administration:
    """The first administrator of a server, who takes people and programs in.

    Attributes:
        auth: proves the administrator's calls.
    """

    def __init__(self, base: str, link: str, folder: Path, ca_file: str = "") -> None:
        """Use the one-time link; the access is kept in the folder."""
        self._base = base
        self._officers: set[OfficerId] = set()
        self._spans: dict[tuple[DeviceId, str], str] = {}
        body = {"officer": "ADMIN1", "name": "Ada Administrator", "device": "admin-01"}
        code = link.rpartition("#")[2]
        access = set_up(folder, base, code, {**body, "passphrase": secrets.token_urlsafe(12)}, ca_file)
        self._ca_file = ca_file
        self.auth = access.auth()

    def take_in(self, person: Person) -> None:
        """Enrol a device with its own key, and give it a seat with what its holder is and sees."""
        with self._remote() as remote:
            code = remote.post("/v1/devices/codes", {"device": person.device}, CodeBody).code
        with Remote(self._base, DpopAuth(person.identity), self._ca_file) as device:
            device.post("/v1/enrol", {"code": code}, EnrolledBody)
        if person.officer not in self._officers:
            self._officers.add(person.officer)
            self._do("officers", {"t": "officer-added", "officer": person.officer, "name": person.officer})
            roles = [{"t": "role-given", "officer": person.officer, "role": role.value} for role in person.roles]
            self._do("grants", *roles)
        seat = {"seat": person.device, "device": person.device, "officer": person.officer, "unattended": True}
        self._do("seats", {"t": "seat-opened", **seat})
        self.regrant(person.device, person.audiences)

    def regrant(self, device: DeviceId, audiences: Iterable[str]) -> None:
        """Change what a seat is granted."""
        wanted = set(audiences)
        now = wall_clock()
        ended = [scope for seat, scope in self._spans if seat == device and scope not in wanted]
        begun = sorted(scope for scope in wanted if (device, scope) not in self._spans)
        spans = [self._spans.pop((device, scope)) for scope in ended]
        acts = [{"t": "span-ended", "span": span, "until": now, "why": "it is over"} for span in spans]
        acts += [{"t": "scope-granted", "seat": device, "scope": scope, "why": "on duty"} for scope in begun]
        done = self._do("grants", *acts) if acts else []
        self._spans.update(
            {(device, scope): str(one.span) for scope, one in zip(begun, done[len(ended) :], strict=True)}
        )

    def _do(self, family: str, *acts: Mapping[str, object]) -> list[DoneAct]:
        with self._remote() as remote:
            return remote.post(f"/v1/{family}", {"acts": acts}, ActsDone).acts

    def _remote(self) -> Remote:
        return Remote(self._base, self.auth, self._ca_file)


class Stage:
    """The server on a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Bind it; nothing runs yet."""
        self.data = folder / "server"
        self.log = folder / "server.log"
        self.port = _free_port()
        self.kills = 0
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._people: list[Person] = []
        self._administration: Administration | None = None
        self._callers: dict[Role, DpopAuth] = {}

    @property
    def base(self) -> str:
        """Base of the HTTP side."""
        return f"http://127.0.0.1:{self.port}"

    def enrol(self, person: Person) -> None:
        """Have a device enrolled: at once when the server runs, else as soon as it does."""
        self._people.append(person)
        if self._administration is not None:
            self._take_in_all()

    def regrant(self, device: str, *audiences: str) -> None:
        """Change what a device may see."""
        if self._administration is None:
            raise UsageError("the server has not been started")
        self._administration.regrant(DeviceId(device), audiences)

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
        """Become the administrator, take everybody in, and give the control room and the auditor their programs."""
        if self._administration is None:
            self._administration = Administration(self.base, link_in(self.log.read_text()), self._folder / "admin")
            self._callers[Role.ADMINISTRATOR] = self._administration.auth
            for told in (_CONTROL_ROOM, _AUDITOR):
                program = Person(*told)
                self._people.append(program)
                self._callers[program.roles[0]] = DpopAuth(program.identity, Held(seat=program.device))
        self._take_in_all()

    def _take_in_all(self) -> None:
        people, self._people = self._people, []
        if self._administration is not None:
            for person in people:
                self._administration.take_in(person)

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
