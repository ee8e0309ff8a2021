"""What the tests of this folder share: a server that can be updated in place, and handhelds of other versions."""

import asyncio
import base64
import contextlib
import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.errors import StoreError
from schemas.ids import RecordId
from server.demo.people import Program
from server.demo.stage import Stage
from sync.device import DeviceIdentity, Handheld
from tests.evolution.handheld import shown
from tests.server.people import WORKING

ROOT: Final = Path(__file__).parents[2]
INCIDENT: Final = {
    "opened_at": 1_790_000_000_000,
    "area": "birmingham",
    "category": "public-safety",
    "summary": "Shouting and glass breaking",
}
"""An invented incident that every version knows."""
BOOKING: Final = {"suite": "perry-barr", "detainee": "Arthur Quill", "arrested_at": 1_790_000_000_000}
"""An invented booking that every version knows."""


class UpgradableStage(Stage):
    """A server on a data folder of its own, which can be started as a newer program too."""

    async def start_newer(self, oldest: int = 1) -> None:
        """Start the server of the next version on the same folder, and wait until it is ready.

        Args:
            oldest: the oldest schema version that it takes.

        Raises:
            StoreError: it ended at once; its log is told.
        """
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.evolution.newer", "serve", str(oldest), "--data", str(self.data),
                "--port", str(self.port), "--log-level", "warning", "--stop-on-eof",
                stdout=log, stderr=log, stdin=asyncio.subprocess.PIPE, start_new_session=True, cwd=ROOT,
            )  # fmt: skip
        while not await asyncio.to_thread(self._is_ready):
            if self._process.returncode is not None:
                raise StoreError(f"the server ended at once; its log:\n{self.log.read_text()[-2_000:]}")
        await asyncio.to_thread(self._set_up)

    async def restart(self) -> None:
        """Stop it in order, and start the server of this version again."""
        await self.stop()
        await self.start()

    async def update(self, oldest: int = 1) -> None:
        """Stop it in order, and start the newer one, which takes versions from `oldest` on, on what it leaves."""
        await self.stop()
        await self.start_newer(oldest)


class SaidNo(Exception):  # noqa: N818  it is an answer, not a fault
    """The other program refused a command; its words."""


class OtherHandheld:
    """A handheld of another version, in a process of its own (`tests.evolution.handheld`)."""

    def __init__(self, version: str, folder: Path, key: Path, url: str | None) -> None:
        """Bind it; `start` runs it."""
        self._arguments = [version, str(folder), str(key), "WM21877", *([] if url is None else [url])]
        self._process: asyncio.subprocess.Process | None = None
        self._asked = ""

    async def start(self) -> None:
        """Run it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.evolution.handheld", *self._arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT, limit=4 * 1024 * 1024,
        )  # fmt: skip

    async def call(self, do: str, **asked: object) -> Any:  # noqa: ANN401  JSON as the command answers it
        """Have a command carried out.

        Raises:
            SaidNo: it was refused.
        """
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        self._asked = do
        process.stdin.write(json.dumps({"do": do, **asked}).encode() + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
        self._asked = ""
        assert line, f"the other handheld ended while asked to {do}"
        answer = json.loads(line)
        if "error" in answer:
            raise SaidNo(answer["error"])
        return answer["ok"]

    async def create(self, kind: str, /, **values: object) -> RecordId:
        """Make a record; returns once it is on its disk."""
        made = await self.call("create", kind=kind, values=values)
        return RecordId(made["record"])

    async def edit(self, record: RecordId, /, **changes: object) -> str:
        """Change fields; returns the op's name."""
        written = await self.call("edit", record=record, changes=changes)
        return str(written["op"])

    async def rest(self) -> None:
        """Wait until it holds everything, and nothing of its own waits."""
        await self.call("wait", until="rest")

    async def done(self, record: RecordId) -> int:
        """Wait until nothing of its own waits; the version of a record then."""
        await self.rest()
        view = await self.reach(record, 1)
        return int(view["version"])

    async def reach(self, record: RecordId, version: int) -> dict[str, Any]:
        """Its view of a record, once that version has come."""
        view: dict[str, Any] = await self.call("reach", record=record, version=version)
        return view

    async def meet(self) -> None:
        """Come back to a server that was started anew, at once."""
        await self.call("offline")
        await self.call("online")

    async def row(self, record: RecordId) -> dict[str, Any] | None:
        """The row that it keeps, as plain data."""
        told = await self.call("row", record=record)
        return None if told is None else plain(base64.b64decode(told))

    async def close(self) -> None:
        """End it in order. Again: nothing."""
        process = self._process
        if process is None:
            return
        self._process = None
        if self._asked:
            # A test that has failed while it waited for an answer.
            process.kill()
            await process.wait()
            return
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await process.stdin.wait_closed()
        assert await process.wait() == 0


class Family:
    """The people of one test, of all versions: who they are outlives the process in which they work."""

    def __init__(self, stage: UpgradableStage, folder: Path) -> None:
        """Bind them to a server."""
        self._stage = stage
        self._folder = folder
        self._people: dict[str, Program] = {}

    def url(self) -> str:
        """Where the server listens."""
        return f"ws://127.0.0.1:{self._stage.port}"

    def folder(self, device: str) -> Path:
        """Where a device's replica is."""
        return self._folder / device

    def identity(self, device: str) -> DeviceIdentity:
        """Who a device is; the first time, enrols it."""
        person = self._people.get(device)
        if person is None:
            audiences = ("area:birmingham", "suite:perry-barr", "custody", "force")
            person = self._people[device] = Program(device, "WM21877", audiences, WORKING)
            self._stage.enrol(person)
            person.identity.save(self._key(device))
        return person.identity

    def other(self, version: str, device: str, *, online: bool = True) -> OtherHandheld:
        """A handheld of another version, not yet started."""
        self.identity(device)
        return OtherHandheld(version, self.folder(device), self._key(device), self.url() if online else None)

    def _key(self, device: str) -> Path:
        return self._folder / f"{device}.key"


def plain(body: bytes) -> dict[str, Any]:
    """An op or a row as plain data, read by nothing of ours."""
    read: dict[str, Any] = msgspec.msgpack.decode(body)
    return read


async def rest(handheld: Handheld) -> None:
    """Wait until a handheld of this version holds everything, and nothing of its own waits."""
    await handheld.wait_until(lambda status: status.connected and status.caught_up and status.waiting == 0)


async def meet(handheld: Handheld) -> None:
    """Come back to a server that was started anew, at once."""
    await handheld.go_offline()
    await handheld.go_online()


async def done(handheld: Handheld, record: RecordId) -> int:
    """Wait until nothing waits on a handheld of this version; the version of a record then."""
    await rest(handheld)
    view = await reach(handheld, record, 1)
    return int(view["version"])


async def reach(handheld: Handheld, record: RecordId, version: int) -> dict[str, Any]:
    """What a handheld of this version shows of a record, once that version has come."""
    changes = handheld.changes()
    while True:
        view = await handheld.inspect(record)
        if view is not None and view.version >= version and not view.pending:
            # As the other programs tell it: through JSON.
            told: dict[str, Any] = json.loads(json.dumps(shown(view)))
            return told
        await anext(changes)
