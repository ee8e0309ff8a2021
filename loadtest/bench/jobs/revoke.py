"""`revoke`: one command takes half of the connected devices away, and they remove what they hold.

Measured in each round, from the moment the command is sent: until the last byte of the last RETRACT has come to its
device; until the last signed receipt is durable; how long an edit by the others takes meanwhile, beside what it takes
before. The floor is a bare server that writes as many bytes to as many sockets.
"""

import asyncio
import itertools
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench import floors
from loadtest.bench.contact import wall_clock
from loadtest.bench.crowd import Device
from loadtest.bench.figures import percentile
from loadtest.bench.force import Force, Said, gathered, kept, ms
from loadtest.bench.machine import Usage
from loadtest.bench.outcome import Outcome, outcome

AREAS: Final = 200
WITHIN_MS: Final = 1_000
"""What is asked of the last RETRACT."""
EDIT_EVERY_S: Final = 0.02
BEFORE_S: Final = 2.0
"""How long edits are measured before the command."""
_POLL_S: Final = 0.005
_PATIENCE_S: Final = 120.0
_STAYING: Final = "STAY1"
WORDS: Final = {
    "answered_ms": "command answered, ms",
    "first_ms": "first RETRACT at its device, ms",
    "last_ms": "last RETRACT at its device, ms",
    "receipts_ms": "last signed receipt durable, ms",
    "closed_ms": "last revoked device sent away, ms",
    "edit_before_p50_ms": "edit by the others before, p50, ms",
    "edit_before_max_ms": "edit by the others before, slowest, ms",
    "edit_p50_ms": "edit by the others meanwhile, p50, ms",
    "edit_max_ms": "edit by the others meanwhile, slowest, ms",
    "retract_bytes": "bytes of RETRACT to a device",
    "server_cores": "cores used by the server",
    "load_cores": "cores used by the load",
    "floor_last_ms": "last byte of a bare server, ms",
    "of_floor": "last RETRACT / floor",
}


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


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with gathered() as force:
        began = time.perf_counter()
        devices = size.staying + size.revoked * (size.rounds + 1)
        said(f"enrolling {devices} devices")
        numbers = itertools.count(1)
        places = (f"bench-{next(numbers) % AREAS}" for _ in itertools.repeat(None))
        staying = await force.enrol(Device, _STAYING, itertools.islice(places, size.staying))
        groups = [
            await force.enrol(Device, f"GO{n}", itertools.islice(places, size.revoked)) for n in range(size.rounds + 1)
        ]
        enrolled = devices / (time.perf_counter() - began)
        await force.connect(staying)
        rounds: list[dict[str, float]] = []
        async with kept([*staying, *itertools.chain(*groups)]):
            for n, going in enumerate(groups):
                await force.connect(going)
                said(f"round {n}: {size.staying + size.revoked} connected" if n else "warm-up")
                found = await _revoke(force, f"GO{n}", going, staying)
                said(f"  last RETRACT {found['last_ms']:.0f} ms, last receipt {found['receipts_ms']:.0f} ms")
                rounds += [found] if n else []
        per_device = max(1, round(rounds[-1]["retract_bytes"]))
        said(f"floor: {per_device} bytes to {size.revoked} sockets of a bare server")
        floor = await floors.sends(size.revoked, per_device, size.rounds, force.where.server)
        within = all(each["last_ms"] <= WITHIN_MS for each in rounds)
        return outcome(
            "revoke",
            size,
            force.machine,
            rounds,
            floors={"floor_last_ms": floor},
            ratios={"of_floor": ("last_ms", "floor_last_ms")},
            remarks=[
                f"every last RETRACT within 1 s: {'yes' if within else 'no'}",
                f"enrolled: {enrolled:.0f} devices a second",
            ],
        )


async def _revoke(force: Force, officer: str, going: Sequence[Device], staying: Sequence[Device]) -> dict[str, float]:
    """One round."""
    for device in going:
        device.sign_ahead(wall_clock())
    receipts = sum(len(device.replica.positions()) for device in going)
    kept_receipts = _Receipts(force.server.database)
    before: list[float] = []
    meanwhile: list[float] = []
    commanded, over = asyncio.Event(), asyncio.Event()
    editing = asyncio.create_task(_edit(staying, [before, meanwhile], [commanded, over]))
    await asyncio.sleep(BEFORE_S)
    expected = kept_receipts.count() + receipts
    server, load = Usage(force.server.pid), Usage(os.getpid(), alone=True)
    commanded.set()
    began = time.perf_counter()
    answer = await force.admin.post(f"/v1/officers/{officer}/revocation", {"why": "stolen with the van"})
    answered = time.perf_counter()
    assert len(answer["devices"]) == len(going)
    async with asyncio.timeout(_PATIENCE_S):
        await kept_receipts.reach(expected, editing)
        durable = time.perf_counter()
        used = server.share(), load.share()
        over.set()
        await editing
        await asyncio.gather(*(device.closed for device in going))
    closed = time.perf_counter()
    kept_receipts.close()
    moments = [at for device in going for at in device.retracts.values()]
    return {
        "answered_ms": ms(answered - began),
        "first_ms": ms(min(moments) - began),
        "last_ms": ms(max(moments) - began),
        "receipts_ms": ms(durable - began),
        "closed_ms": ms(closed - began),
        "edit_before_p50_ms": ms(percentile(before, 50)),
        "edit_before_max_ms": ms(max(before)),
        "edit_p50_ms": ms(percentile(meanwhile, 50)),
        "edit_max_ms": ms(max(meanwhile)),
        "retract_bytes": sum(device.retract_bytes for device in going) / len(going),
        "server_cores": used[0],
        "load_cores": used[1],
    }


async def _edit(staying: Sequence[Device], found: list[list[float]], when: Sequence[asyncio.Event]) -> None:
    """Have one device after the other make an edit, at a steady pace; an edit counts where it was begun.

    Args:
        staying: who makes them.
        found: how long they took (s): before the command, and after it.
        when: set with the command, and when no more are to be begun. What was begun is waited for.
    """
    commanded, over = when
    numbers = itertools.count(time.monotonic_ns())

    async def one(device: Device, into: list[float]) -> None:
        into.append(await device.edit(next(numbers)))

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
