"""`storm`: signal returns to many at once, each with edits that were made without it.

All work in one area, so each must be told of what all the others wrote. Measured from the moment the first connects:
until every edit is durable, and until every replica holds all of them and the same. The replicas are the real ones, in
memory: their work is the load's, which may well be the limit here (`load_cores`). As handhelds do, they read before
they take in: what became of an edit is known before the edits of all others are there. The floor is a file to which as
many edits are appended, as many to each `fdatasync` as a device brings.
"""

import asyncio
import os
import time
from typing import Final

import msgspec

from loadtest.bench import floors
from loadtest.bench.crowd import Device
from loadtest.bench.force import Said, gathered, kept
from loadtest.bench.machine import Usage
from loadtest.bench.outcome import Outcome, outcome
from schemas.ids import ScopeName

WORDS: Final = {
    "durable_s": "until every edit is durable, s",
    "equal_s": "until all replicas are equal, s",
    "edits_per_s": "durable edits a second",
    "appends_per_s": "appends a second, fsync'd in groups",
    "of_floor": "durable edits a second / floor",
    "server_cores": "cores used by the server",
    "load_cores": "cores used by the load",
}
_AREA: Final = "storm"
_OP_BYTES: Final = 300
_FLOOR_ROUNDS: Final = 3
_LOOK_S: Final = 0.01
_PATIENCE_S: Final = 300.0


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        devices: how many come back at the same time.
        edits: how many each has made.
        rounds: how many storms are measured.
    """

    devices: int = 200
    edits: int = 20
    rounds: int = 1


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with gathered() as force:
        said(f"enrolling {size.devices} devices")
        devices = await force.enrol(Device, "WM00001", [_AREA] * size.devices)
        await force.connect(devices)
        rounds = []
        async with kept(devices):
            for n in range(size.rounds):
                for device in devices:
                    device.go()
                await asyncio.gather(*(device.closed for device in devices))
                for at, device in enumerate(devices):
                    for edit in range(size.edits):
                        device.write((n * size.devices + at) * size.edits + edit)
                said(f"round {n + 1}: {size.devices} devices return with {size.edits} edits each")
                server, load = Usage(force.server.pid), Usage(os.getpid(), alone=True)
                began = time.perf_counter()
                await force.connect(devices, size.devices)
                await _equal(devices, (n + 1) * size.devices * size.edits)
                durable = max(device.durable_at for device in devices) - began
                equal = max(device.told_at for device in devices) - began
                rounds.append(
                    {
                        "durable_s": durable,
                        "equal_s": equal,
                        "edits_per_s": size.devices * size.edits / durable,
                        "server_cores": server.share(),
                        "load_cores": load.share(),
                    }
                )
        floor = await floors.appends(force.folder, _OP_BYTES, size.edits, _FLOOR_ROUNDS, force.where.server)
        return outcome(
            "storm",
            size,
            force.machine,
            rounds,
            floors={"appends_per_s": floor},
            ratios={"of_floor": ("edits_per_s", "appends_per_s")},
        )


async def _equal(devices: list[Device], records: int) -> None:
    """Wait until every replica holds so many records, and see that all hold the same.

    Raises:
        ValueError: they do not.
    """
    scope = ScopeName(f"area:{_AREA}")
    async with asyncio.timeout(_PATIENCE_S):
        # Replicas do not tell of being complete.
        while any(device.held(scope) < records for device in devices):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
    digests = {device.digest(scope) for device in devices}
    if len(digests) != 1:
        raise ValueError(f"{len(digests)} different replicas where all should be equal")
