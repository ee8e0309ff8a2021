"""Handhelds in the terminal as processes of their own, at a real server: nothing of one lives on but its files."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import msgspec

from schemas.ids import DeviceId, OfficerId
from server.demo.people import Person
from server.demo.stage import Stage
from sync.device.installation import Installation
from tests.server.people import WORKING

PIN: Final = "482619"
ROOT: Final = Path(__file__).resolve().parents[2]


class Ran(msgspec.Struct, frozen=True):
    """How a run of a handset ended: its exit code, and all that it said."""

    code: int
    said: str


class Handset:
    """One officer's use of one handheld."""

    def __init__(self, stage: Stage, folder: Path, device: str, officer: str = "WM21877") -> None:
        """Name it; several officers may use one folder."""
        self.folder = folder
        self.device = DeviceId(device)
        self.officer = officer
        self._stage = stage

    async def enrol(self) -> None:
        """Enrol the handheld with a one-time code."""
        code = await asyncio.to_thread(self._stage.administration.code, self.device)
        done = await self.run("--enrol", code, "--server", self._stage.base)
        assert done.code == 0, done.said

    async def take_in(self) -> None:
        """Take the officer in for Birmingham, and have them choose their PIN on this handheld."""
        named = ("area:birmingham", "force")
        person = Person(self.device, self.officer, named, WORKING, named=named)
        await asyncio.to_thread(self._stage.administration.take_in, [person])
        await self.choose()

    async def choose(self, new: str = PIN, former: str | None = None) -> None:
        """Have the passphrase reset, and the officer choose their own with it."""
        once = await asyncio.to_thread(self._stage.administration.new_passphrase, OfficerId(self.officer))
        async with Installation.open(self.folder) as installation:
            signed_in = await installation.sign_in(self.officer, once, new_passphrase=new, former=former)
            signed_in.keys.lock()

    async def commands(self, *commands: str, offline: bool = False, keep: bool = False, pin: str = PIN) -> Ran:
        """Sign in and carry commands out."""
        options = [f"--command={each}" for each in commands]
        options += ["--offline"] if offline else []
        options += ["--keep-share"] if keep else []
        return await self.run("--officer", self.officer, *options, pin=pin)

    async def run(self, *arguments: str, pin: str = "") -> Ran:
        """One run of the command, in a process of its own."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "BEATBOOK_PIN": pin}
        if not pin:
            del environment["BEATBOOK_PIN"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.cli", "handset", str(self.folder), *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=environment,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode())
