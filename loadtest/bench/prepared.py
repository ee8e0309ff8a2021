"""A whole force made once: thousands of handhelds enrolled by the product's own calls, kept for the runs that follow.

Each enrolment is two commits, one after the other, each on the disk: thousands of them take minutes, and none of that
is what a job measures. So it is done where a commit costs no disk (a file system in memory, where there is one), the
server is stopped in good order, and its data folder is copied to the disk for each job, which starts a server on it.
That server takes the copy for what it is and begins another epoch; no device knows the one before. What is kept bears
the name of the code that made it: other code makes it anew.
"""

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loadtest.bench.force import Force, Said, gathered_at, in_parts
from loadtest.bench.light import Light
from schemas.ids import DeviceId
from schemas.roles import Role
from sync.device.keys import KEY_BYTES, DeviceIdentity

ROOT: Final = Path(__file__).resolve().parents[2]
KEPT: Final = ROOT / "build" / "bench"
"""Ignored by git; `make clean` takes it away."""
AREA_DEVICES: Final = 364
"""Of one area: DOMAIN's table reckons with some 360."""
CONTROL: Final = "CTRL1"
"""The officer at the control room's desk."""
_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a place for a folder with a random name, made for us alone
_PEOPLE: Final = "people"
_T = TypeVar("_T")


class _Person(msgspec.Struct, frozen=True):
    """One handheld: its name, whose it is, where it works, and the seed of its key (32 bytes)."""

    device: str
    officer: str
    area: str
    seed: bytes


@asynccontextmanager
async def prepared(count: int, said: Said) -> AsyncIterator[tuple[Force, Light, list[Light]]]:
    """A force on a server of its own: (it, the control room's desk, its handhelds), none of them connected.

    Args:
        count: handhelds, each with an officer of its own, in areas of AREA_DEVICES.
        said: told what takes long.
    """
    whole = KEPT / f"force-{count}-{await asyncio.to_thread(code_of)}"
    if not whole.exists():
        said(f"enrolling {count} devices, once for this code ({whole.name})")
        await _make(count, whole)
    people = msgspec.msgpack.decode((whole / _PEOPLE).read_bytes(), type=list[_Person])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        await asyncio.to_thread(shutil.copytree, whole / "data", place / "data")
        desk, *devices = map(_device, people)
        async with gathered_at(place) as force:
            yield force, desk, devices


@asynccontextmanager
async def enrolled(work: Callable[[Force], Awaitable[_T]]) -> AsyncIterator[tuple[Force, _T]]:
    """A force on the disk that was enrolled in memory, and is not kept: (it, what `work` made).

    Args:
        work: enrols; done on a server that is stopped afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with _in_memory() as quick:
            async with gathered_at(quick) as force:
                await force.begin()
                made = await work(force)
            await asyncio.to_thread(shutil.copytree, quick / "data", place / "data")
        async with gathered_at(place) as force:
            yield force, made


@contextmanager
def _in_memory() -> Iterator[Path]:
    """A folder in which a commit costs no disk, where there is such a file system."""
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def code_of() -> str:
    """A name for the code of the server as it is: other code may keep other things."""
    found = hashlib.sha256()
    for part in ("schemas", "sync", "server"):
        for path in sorted((ROOT / part).rglob("*.py")):
            found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


async def _make(count: int, whole: Path) -> None:
    """Enrol them, and keep the folder. A run that is broken off leaves nothing that a later one takes for whole."""
    people = [_Person("desk-1", CONTROL, "area-0", os.urandom(KEY_BYTES))]
    people += [
        _Person(f"hh-{n:05d}", f"WM{n:05d}", f"area-{n // AREA_DEVICES}", os.urandom(KEY_BYTES)) for n in range(count)
    ]
    with _in_memory() as place:
        async with gathered_at(place) as force:
            await force.begin()
            await _enrol(force, people)
        (place / _PEOPLE).write_bytes(msgspec.msgpack.encode(people))
        whole.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=whole.parent))
        await asyncio.to_thread(shutil.copytree, place, unfinished, dirs_exist_ok=True)
        for other in await asyncio.to_thread(lambda: list(whole.parent.glob(f"force-{count}-*"))):
            await asyncio.to_thread(shutil.rmtree, other)
        await asyncio.to_thread(unfinished.rename, whole)


async def _enrol(force: Force, people: Sequence[_Person]) -> None:
    desk, *others = people
    await in_parts(list(map(_device, people)), force.enrol_one)
    scopes = {one.device: [f"area:{one.area}", "force"] for one in others}
    scopes[desk.device] = ["control", "force", *dict.fromkeys(f"area:{one.area}" for one in others)]
    roles = {one.officer: Role.OFFICER for one in others} | {desk.officer: Role.CONTROL_ROOM}
    seats = [{"seat": one.device, "device": one.device, "officer": one.officer, "unattended": True} for one in people]
    granted = [(seat, scope) for seat, held in scopes.items() for scope in held]
    for family, acts in (
        ("officers", [{"t": "officer-added", "officer": who, "name": who} for who in roles]),
        ("grants", [{"t": "role-given", "officer": who, "role": role.value} for who, role in roles.items()]),
        ("seats", [{"t": "seat-opened", **seat} for seat in seats]),
        ("grants", [{"t": "scope-granted", "seat": seat, "scope": scope, "why": "bench"} for seat, scope in granted]),
    ):
        await force.admin.acts(family, acts)


def _device(person: _Person) -> Light:
    identity = DeviceIdentity(DeviceId(person.device), Ed25519PrivateKey.from_private_bytes(person.seed))
    return Light(identity, person.officer, person.area)
