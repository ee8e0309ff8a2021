"""A force under test: the server on its core, those whom it knows, and what keeps them connected."""

import asyncio
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from loadtest.bench import calls
from loadtest.bench.contact import Contact
from loadtest.bench.lines import Lines
from loadtest.bench.machine import Cores, cores, facts, pin
from loadtest.bench.process import Listening, Server
from schemas.ids import DeviceId
from sync.device.keys import DeviceIdentity

HOST: Final = "127.0.0.1"
DESKS: Final = 12
"""Desks from which devices are enrolled: a server takes only so many calls a second from each."""
BEAT_EVERY_S: Final = 5.0
_COMES_MAX: Final = 100
_BEAT_PARTS: Final = 50
_AT_ONCE: Final = 64
_COME_AT_ONCE: Final = 32
Said = Callable[[str], object]
"""Told what is going on."""
_T = TypeVar("_T")
_C = TypeVar("_C", bound=Contact)
_Make = Callable[[DeviceIdentity, str, str], _C]


class Force:
    """Those whom the server knows, and the one who commands.

    Attributes:
        server: the process, and where it listens.
        folder: for what a job keeps.
        where: the cores.
        machine: what the outcome says of the machine.
    """

    def __init__(self, server: Listening, lines: Lines, folder: Path, where: Cores) -> None:
        """Use `gathered`, or `gathered_at`."""
        self.server = server
        self.folder = folder
        self.where = where
        self.machine: Mapping[str, object] = {**facts(), "apart": where.apart}
        self._lines = lines
        self._numbers = itertools.count(1)
        self._known: set[str] = set()

    async def begin(self) -> None:
        """Use the server's first link."""
        desks = await calls.administrators(self._lines, self.server.code, DESKS)
        self._admin, self._desks = desks[0], itertools.cycle(desks)

    @property
    def admin(self) -> calls.Caller:
        """The administrator, at one desk."""
        return self._admin

    async def enrol(self, make: _Make[_C], officer: str, areas: Iterable[str]) -> list[_C]:
        """Enrol devices with keys of their own, each a program's seat of one officer.

        Args:
            make: a device of an identity, an officer and an area: `Device` or `Light`.
            officer: whose; they are taken in when they are new.
            areas: of each device, where it works.
        """
        if officer not in self._known:
            self._known.add(officer)
            await self._admin.acts("officers", [{"t": "officer-added", "officer": officer, "name": officer}])
            await self._admin.acts("grants", [{"t": "role-given", "officer": officer, "role": "officer"}])
        made = [
            make(DeviceIdentity.generate(DeviceId(f"hh-{next(self._numbers):05d}")), officer, area) for area in areas
        ]
        await in_parts(made, self.enrol_one)
        seats = [{"seat": one.name, "device": one.name, "officer": officer, "unattended": True} for one in made]
        await self._admin.acts("seats", [{"t": "seat-opened", **seat} for seat in seats])
        wanted = [(one.name, scope) for one in made for scope in (f"area:{one.area}", "force")]
        await self._admin.acts(
            "grants", [{"t": "scope-granted", "seat": seat, "scope": scope, "why": "bench"} for seat, scope in wanted]
        )
        return made

    async def enrol_one(self, device: Contact) -> None:
        """Have one device enrolled, by whichever desk is next."""
        await calls.enrol(next(self._desks), calls.Caller(self._lines, device.identity), device.name)

    async def connect(self, devices: Sequence[Contact], at_once: int = _COME_AT_ONCE) -> None:
        """Have devices come, some at once, and take in all that is there. Who is sent away and may, comes again."""
        await in_parts(devices, self._come, at_once)

    async def _come(self, device: Contact) -> None:
        for _ in range(_COMES_MAX):
            try:
                await device.come(HOST, self.server.port)
            except ConnectionError:
                if not device.may_retry:
                    raise
                await asyncio.sleep(device.retry_s)
            else:
                return
        raise ConnectionError(f"{device.name} was sent away {_COMES_MAX} times, the last time with {device.ended}")


@asynccontextmanager
async def gathered() -> AsyncIterator[Force]:
    """A server on a core of its own, with an administrator; this process has the other core."""
    with tempfile.TemporaryDirectory() as folder:
        async with gathered_at(Path(folder)) as force:
            await force.begin()
            yield force


@asynccontextmanager
async def gathered_at(folder: Path) -> AsyncIterator[Force]:
    """A server on a core of its own, on what is in a folder; this process has the other core."""
    before, where = os.sched_getaffinity(0), cores()
    pin(0, where.load)
    try:
        async with Server(folder, where.server) as server, Lines(server.base) as lines:
            yield Force(server, lines, folder, where)
    finally:
        # Whoever gathers another force has both cores to share out again.
        os.sched_setaffinity(0, before)


@asynccontextmanager
async def kept(devices: Sequence[Contact]) -> AsyncIterator[None]:
    """Keep those who are connected connected; at the end they go."""
    beating = asyncio.create_task(_beat(devices))
    try:
        yield
    finally:
        beating.cancel()
        for device in devices:
            device.go()


async def _beat(devices: Sequence[Contact]) -> None:
    """Some at a time: thousands that spoke in one turn of the loop would be a pause of the load's own making."""
    while True:
        for part in range(_BEAT_PARTS):
            for device in devices[part::_BEAT_PARTS]:
                device.beat()
            await asyncio.sleep(BEAT_EVERY_S / _BEAT_PARTS)


async def in_parts(things: Sequence[_T], work: Callable[[_T], Awaitable[object]], at_once: int = _AT_ONCE) -> None:
    """Do something for each, some at once."""
    room = asyncio.Semaphore(at_once)

    async def one(thing: _T) -> None:
        async with room:
            await work(thing)

    await asyncio.gather(*map(one, things))


def ms(seconds: float) -> float:
    """Seconds as milliseconds."""
    return round(seconds * 1_000, 3)
