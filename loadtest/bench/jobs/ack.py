"""`ack`: devices that edit records of their own, each as soon as its last edit was acknowledged.

An acknowledgement says that the edit is on the server's disk, signed for and in its log. The floor is a file to which
nothing but these bytes is appended, as many to each `fdatasync` as there are devices.
"""

import asyncio
import os
import time
from typing import Final

import msgspec

from loadtest.bench import floors
from loadtest.bench.figures import percentile
from loadtest.bench.force import Said, gathered, kept, ms
from loadtest.bench.light import Light
from loadtest.bench.machine import Usage
from loadtest.bench.outcome import Outcome, outcome

WORDS: Final = {
    "edits_per_s": "durable edits a second",
    "ack_p50_ms": "edit to its acknowledgement, p50, ms",
    "ack_p99_ms": "edit to its acknowledgement, p99, ms",
    "up_bytes": "bytes sent for an edit",
    "server_cores": "cores used by the server, its writer with it",
    "load_cores": "cores used by the load",
    "appends_per_s": "appends a second, fsync'd in groups",
    "of_floor": "durable edits a second / floor",
}
_OP_BYTES: Final = 300
_WARM_UP_S: Final = 2.0


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        devices: how many edit at the same time.
        seconds: how long a round lasts.
        rounds: how many are measured, behind one that warms up.
    """

    devices: int = 50
    seconds: int = 10
    rounds: int = 3


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with gathered() as force:
        said(f"enrolling {size.devices} devices")
        devices = await force.enrol(Light, "WM00001", [f"own-{n}" for n in range(size.devices)])
        await force.connect(devices)
        async with kept(devices):
            for device in devices:
                await device.report(1)
            await _round(devices, _WARM_UP_S)
            rounds = []
            for n in range(size.rounds):
                server, load = Usage(force.server.pid), Usage(os.getpid(), alone=True)
                sent = sum(device.wire.bytes_out for device in devices)
                taken, passed = await _round(devices, size.seconds)
                used = server.share(), load.share()
                figures = {
                    "edits_per_s": len(taken) / passed,
                    "ack_p50_ms": ms(percentile(taken, 50)),
                    "ack_p99_ms": ms(percentile(taken, 99)),
                    "up_bytes": (sum(device.wire.bytes_out for device in devices) - sent) / len(taken),
                    "server_cores": used[0],
                    "load_cores": used[1],
                }
                rounds.append(figures)
                said(f"round {n + 1}: {figures['edits_per_s']:.0f} edits a second")
        floor = await floors.appends(force.folder, _OP_BYTES, size.devices, size.rounds, force.where.server)
        return outcome(
            "ack",
            size,
            force.machine,
            rounds,
            floors={"appends_per_s": floor},
            ratios={"of_floor": ("edits_per_s", "appends_per_s")},
        )


async def _round(devices: list[Light], seconds: float) -> tuple[list[float], float]:
    """Edit for so long; how long each edit took (s), and how long all of it did."""
    taken: list[float] = []
    began = time.perf_counter()

    async def work(device: Light) -> None:
        n = 0
        while time.perf_counter() - began < seconds:
            n += 1
            took, _ = await device.change(device.records, f"Glass breaking, {n} calls so far")
            taken.append(took)

    await asyncio.gather(*map(work, devices))
    return taken, time.perf_counter() - began
