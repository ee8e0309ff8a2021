"""`revoke`: one command takes half of the connected devices away, and they remove what they hold.

Measured in each round, from the moment the command is sent: until the last byte of the last RETRACT has come to its
device; until the last signed receipt is durable; how long an edit by the others takes meanwhile, beside what it takes
before. The floor is a bare server that writes as many bytes to as many sockets.
"""

import asyncio
import itertools
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import httpx
import msgspec

from loadtest.bench import calls
from loadtest.bench.crowd import Device, wall_clock
from loadtest.bench.figures import Spread, spread
from loadtest.bench.machine import Usage, cores, facts, pin
from loadtest.bench.process import Listening, Server
from schemas.ids import DeviceId
from sync.device.keys import DeviceIdentity

HOST: Final = "127.0.0.1"
AREAS: Final = 200
WITHIN_MS: Final = 1_000
"""What is asked of the last RETRACT."""
EDIT_EVERY_S: Final = 0.02
DESKS: Final = 12
"""Desks from which devices are enrolled: a server takes only so many calls a second from each."""
BEAT_EVERY_S: Final = 5.0
BEFORE_S: Final = 2.0
"""How long edits are measured before the command."""
_AT_ONCE: Final = 32
_POLL_S: Final = 0.005
_PATIENCE_S: Final = 120.0
_STAYING: Final = "STAY1"


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        staying: devices that stay.
        revoked: devices that one command takes away, in each round.
        rounds: how many rounds are measured; one more warms up.
    """

    staying: int = 1_000
    revoked: int = 1_000
    rounds: int = 3


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round.

    Attributes:
        answered_ms: until the command was answered.
        first_ms, last_ms: until the first, the last RETRACT had come.
        receipts_ms: until the last receipt was durable.
        closed_ms: until the last of these devices was sent away.
        edits_before_ms, edits_ms: edits of those who stay, before the command and until the last receipt.
        retract_bytes: of all RETRACT messages.
        server_cores, load_cores: how much of a core each used from the command to the last receipt. A server that is
            the limit uses all of its own; where it got less, something else ran there.
    """

    answered_ms: float
    first_ms: float
    last_ms: float
    receipts_ms: float
    closed_ms: float
    edits_before_ms: tuple[float, ...]
    edits_ms: tuple[float, ...]
    retract_bytes: int
    server_cores: float
    load_cores: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the job found; milliseconds.

    Attributes:
        job, machine, size: what was measured, on what.
        rounds: each of them.
        spreads: figure -> its median, minimum and maximum over the rounds.
        floor_last_ms: until the last byte of a bare server.
        ratio: the last RETRACT in units of the floor.
        within_a_second: whether every round's last RETRACT came within 1 s.
        enrol_per_s: devices that were enrolled in a second, with code, key, seat and grants.
    """

    job: str
    machine: dict[str, object]
    size: Size
    rounds: list[Round]
    spreads: dict[str, Spread]
    floor_last_ms: Spread
    ratio: float
    within_a_second: bool
    enrol_per_s: float


async def measure(size: Size, said: Callable[[str], object]) -> Outcome:
    """Run the job.

    Args:
        size: how large.
        said: told what is going on.
    """
    where, machine = cores(), facts()
    pin(0, where.load)
    with tempfile.TemporaryDirectory() as folder:
        async with Server(Path(folder), where.server) as server, calls.client(server.base) as http:
            force = _Force(server, http)
            await force.begin()
            began = time.perf_counter()
            devices = size.staying + size.revoked * (size.rounds + 1)
            said(f"enrolling {devices} devices")
            staying = await force.enrol(_STAYING, size.staying)
            groups = [await force.enrol(f"GO{n}", size.revoked) for n in range(size.rounds + 1)]
            enrolled = devices / (time.perf_counter() - began)
            await _in_parts(staying, lambda each: each.come(HOST, server.port))
            beating = asyncio.create_task(_beat([*staying, *itertools.chain(*groups)]))
            rounds: list[Round] = []
            for n, going in enumerate(groups):
                await _in_parts(going, lambda each: each.come(HOST, server.port))
                said(f"round {n}: {size.staying + size.revoked} connected" if n else "warm-up")
                found = await force.revoke(f"GO{n}", going, staying)
                said(f"  last RETRACT {found.last_ms:.0f} ms, last receipt {found.receipts_ms:.0f} ms")
                rounds += [found] if n else []
            beating.cancel()
            for device in staying:
                device.go()
        per_device = max(1, rounds[-1].retract_bytes // size.revoked)
        said(f"floor: {per_device} bytes to {size.revoked} sockets of a bare server")
        floor = await _floor(size.revoked, per_device, size.rounds, where.server)
    return _outcome(size, {**machine, "apart": where.apart}, rounds, floor, enrolled)


def _outcome(size: Size, machine: dict[str, object], rounds: list[Round], floor: Spread, enrolled: float) -> Outcome:
    names = ("answered_ms", "first_ms", "last_ms", "receipts_ms", "closed_ms", "server_cores", "load_cores")
    spreads = {name: spread(getattr(each, name) for each in rounds) for name in names}
    spreads["edit_before_p50_ms"] = spread(_percentile(each.edits_before_ms, 50) for each in rounds)
    spreads["edit_before_max_ms"] = spread(max(each.edits_before_ms) for each in rounds)
    spreads["edit_p50_ms"] = spread(_percentile(each.edits_ms, 50) for each in rounds)
    spreads["edit_max_ms"] = spread(max(each.edits_ms) for each in rounds)
    return Outcome(
        job="revoke",
        machine=machine,
        size=size,
        rounds=rounds,
        spreads=spreads,
        floor_last_ms=floor,
        ratio=spreads["last_ms"].median / floor.median,
        within_a_second=spreads["last_ms"].most <= WITHIN_MS,
        enrol_per_s=enrolled,
    )


class _Force:
    """Those whom the server knows, and the one who commands."""

    def __init__(self, server: Listening, http: httpx.AsyncClient) -> None:
        self._server = server
        self._http = http
        self._numbers = itertools.count(1)
        self._edits = itertools.count(1)

    async def begin(self) -> None:
        """Use the server's first link."""
        desks = await calls.administrators(self._http, self._server.code, DESKS)
        self._admin, self._desks = desks[0], itertools.cycle(desks)

    async def enrol(self, officer: str, count: int) -> list[Device]:
        """Enrol devices with keys of their own, each a program's seat of one officer in one of many areas."""
        await self._admin.acts("officers", [{"t": "officer-added", "officer": officer, "name": officer}])
        await self._admin.acts("grants", [{"t": "role-given", "officer": officer, "role": "officer"}])
        made = []
        for _ in range(count):
            n = next(self._numbers)
            identity = DeviceIdentity.generate(DeviceId(f"hh-{n:05d}"))
            made.append(Device(identity, officer, f"bench-{n % AREAS}"))
        await _in_parts(made, self._enrol)
        seats = [{"seat": one.name, "device": one.name, "officer": officer, "unattended": True} for one in made]
        await self._admin.acts("seats", [{"t": "seat-opened", **seat} for seat in seats])
        wanted = [(one.name, scope) for one in made for scope in (f"area:{one.area}", "force")]
        await self._admin.acts(
            "grants", [{"t": "scope-granted", "seat": seat, "scope": scope, "why": "bench"} for seat, scope in wanted]
        )
        return made

    async def _enrol(self, device: Device) -> None:
        await calls.enrol(next(self._desks), calls.Caller(self._http, device.identity), device.name)

    async def revoke(self, officer: str, going: Sequence[Device], staying: Sequence[Device]) -> Round:
        """One round."""
        for device in going:
            device.sign_ahead(wall_clock())
        receipts = sum(len(device.replica.positions()) for device in going)
        kept = _Receipts(self._server.database)
        before: list[float] = []
        meanwhile: list[float] = []
        commanded, over = asyncio.Event(), asyncio.Event()
        editing = asyncio.create_task(self._edit(staying, [before, meanwhile], [commanded, over]))
        await asyncio.sleep(BEFORE_S)
        expected = kept.count() + receipts
        server, load = Usage(self._server.pid), Usage(os.getpid())
        commanded.set()
        began = time.perf_counter()
        answer = await self._admin.post(f"/v1/officers/{officer}/revocation", {"why": "stolen with the van"})
        answered = time.perf_counter()
        assert len(answer["devices"]) == len(going)
        async with asyncio.timeout(_PATIENCE_S):
            await kept.reach(expected, editing)
            durable = time.perf_counter()
            used = server.share(), load.share()
            over.set()
            await editing
            await asyncio.gather(*(device.closed for device in going))
        closed = time.perf_counter()
        kept.close()
        moments = [at for device in going for at in device.retracts.values()]
        return Round(
            answered_ms=_ms(answered - began),
            first_ms=_ms(min(moments) - began),
            last_ms=_ms(max(moments) - began),
            receipts_ms=_ms(durable - began),
            closed_ms=_ms(closed - began),
            edits_before_ms=tuple(map(_ms, before)),
            edits_ms=tuple(map(_ms, meanwhile)),
            retract_bytes=sum(device.retract_bytes for device in going),
            server_cores=used[0],
            load_cores=used[1],
        )

    async def _edit(self, staying: Sequence[Device], found: list[list[float]], when: Sequence[asyncio.Event]) -> None:
        """Have one device after the other make an edit, at a steady pace; an edit counts where it was begun.

        Args:
            staying: who makes them.
            found: how long they took (s): before the command, and after it.
            when: set with the command, and when no more are to be begun. What was begun is waited for.
        """
        commanded, over = when

        async def one(device: Device, into: list[float]) -> None:
            into.append(await device.edit(next(self._edits)))

        async with asyncio.TaskGroup() as edits:
            for device in itertools.cycle(staying):
                if over.is_set():
                    return
                edits.create_task(one(device, found[commanded.is_set()]))
                await asyncio.sleep(EDIT_EVERY_S)


class _Receipts:
    """How many receipts are durable: read from the server's file, where uncommitted ones do not show."""

    def __init__(self, database: Path) -> None:
        self._connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)

    def count(self) -> int:
        """So many."""
        asked = self._connection.execute("SELECT count(*) FROM journal WHERE what = 'receipt'")
        return int(asked.fetchone()[0])

    async def reach(self, count: int, beside: "asyncio.Task[None]") -> None:
        """Wait until there are so many. What fails beside it fails here."""
        while self.count() < count:
            if beside.done():
                beside.result()
            await asyncio.sleep(_POLL_S)

    def close(self) -> None:
        """Done."""
        self._connection.close()


async def _floor(sockets: int, size: int, rounds: int, core: int) -> Spread:
    """How long a bare server takes to write as many bytes to as many sockets, to the last one read here (ms)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest.bench.floor", str(size),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    pin(process.pid, core)
    assert process.stdin is not None
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    loop = asyncio.get_running_loop()
    greeted, commanding = await asyncio.open_connection(HOST, port)
    await greeted.readexactly(1)
    count = _Count()
    count.expect(sockets)
    transports = [(await loop.create_connection(lambda: _Sink(count), HOST, port))[0] for _ in range(sockets)]
    await count.reached.wait()
    found = []
    for n in range(rounds + 1):
        count.expect(sockets * size)
        began = time.perf_counter()
        commanding.write(b"x")
        await count.reached.wait()
        if n:
            found.append(_ms(count.last_at - began))
    for transport in transports:
        transport.abort()
    commanding.close()
    process.stdin.close()
    await process.wait()
    return spread(found)


class _Count:
    """Bytes that came, at whichever socket."""

    def __init__(self) -> None:
        self._missing = 0
        self.last_at = 0.0
        self.reached = asyncio.Event()

    def expect(self, size: int) -> None:
        """So many are to come."""
        self._missing = size
        self.reached.clear()

    def came(self, size: int) -> None:
        """So many came."""
        self.last_at = time.perf_counter()
        self._missing -= size
        if self._missing <= 0:
            self.reached.set()


class _Sink(asyncio.Protocol):
    """One socket at the floor."""

    def __init__(self, count: _Count) -> None:
        self._count = count

    def data_received(self, data: bytes) -> None:
        """Count."""
        self._count.came(len(data))


async def _in_parts(devices: Sequence[Device], work: Callable[[Device], Awaitable[object]]) -> None:
    """Do something for every device, some at once."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(device: Device) -> None:
        async with room:
            await work(device)

    await asyncio.gather(*map(one, devices))


async def _beat(devices: Sequence[Device]) -> None:
    """Keep those who are connected connected, until cancelled."""
    while True:
        for device in devices:
            device.beat()
        await asyncio.sleep(BEAT_EVERY_S)


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 2)


def _percentile(values: Iterable[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
