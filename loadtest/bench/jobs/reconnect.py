"""`reconnect`: every connection is cut, and all devices come back at once, while the control room works on.

Measured: until the last device is current again, and how long the control room's own edits take meanwhile, beside what
they took before. The devices do not wait: a real handheld spreads its attempts, so this is the worst that can come. The
floor is a bare server that as many connect to.
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
    "current_ms": "until the last device is current, ms",
    "connects_per_s": "devices that came back a second",
    "desk_before_p50_ms": "control room's edit before, p50, ms",
    "desk_before_p99_ms": "control room's edit before, p99, ms",
    "desk_p50_ms": "control room's edit meanwhile, p50, ms",
    "desk_p99_ms": "control room's edit meanwhile, p99, ms",
    "connect_ms": "until as many are connected to a bare server, ms",
    "of_floor": "until the last device is current / floor",
    "desk_slower": "control room's edit, p50, meanwhile / before",
    "server_cores": "cores used by the server",
    "load_cores": "cores used by the load",
}
_AREAS: Final = 100
_EDIT_EVERY_S: Final = 0.05
_BEFORE_S: Final = 3.0


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        devices: how many come back.
        rounds: how many times, behind one that warms up.
    """

    devices: int = 2_000
    rounds: int = 3


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with gathered() as force:
        said(f"enrolling {size.devices} devices")
        (desk,) = await force.enrol(Light, "WM00001", ["control"])
        devices = await force.enrol(Light, "WM00002", [f"back-{n % _AREAS}" for n in range(size.devices)])
        await force.connect([desk, *devices])
        await desk.report(1)
        rounds = []
        async with kept([desk, *devices]):
            for n in range(size.rounds + 1):
                before = await _edits(desk, asyncio.create_task(asyncio.sleep(_BEFORE_S)))
                for device in devices:
                    device.go()
                await asyncio.gather(*(device.closed for device in devices))
                server, load = Usage(force.server.pid), Usage(os.getpid(), alone=True)
                began = time.perf_counter()
                meanwhile = await _edits(desk, asyncio.create_task(force.connect(devices)))
                passed = time.perf_counter() - began
                figures = {
                    "current_ms": ms(passed),
                    "connects_per_s": size.devices / passed,
                    "desk_before_p50_ms": ms(percentile(before, 50)),
                    "desk_before_p99_ms": ms(percentile(before, 99)),
                    "desk_p50_ms": ms(percentile(meanwhile, 50)),
                    "desk_p99_ms": ms(percentile(meanwhile, 99)),
                    "server_cores": server.share(),
                    "load_cores": load.share(),
                }
                rounds += [figures] if n else []
                said(f"{f'round {n}' if n else 'warm-up'}: all current after {figures['current_ms']:.0f} ms")
        connect_ms, _ = await floors.holds(size.devices, force.where.server)
        return outcome(
            "reconnect",
            size,
            force.machine,
            rounds,
            floors={"connect_ms": connect_ms},
            ratios={
                "of_floor": ("current_ms", "connect_ms"),
                "desk_slower": ("desk_p50_ms", "desk_before_p50_ms"),
            },
        )


async def _edits(desk: Light, work: "asyncio.Task[None]") -> list[float]:
    """How long the control room's edits take (s), one at a time at a steady pace, until some work is done."""
    taken: list[float] = []
    while True:
        took, _ = await desk.change(desk.records, f"Glass breaking, {len(taken)} calls so far")
        taken.append(took)
        if work.done():
            await work
            return taken
        await asyncio.sleep(_EDIT_EVERY_S)
