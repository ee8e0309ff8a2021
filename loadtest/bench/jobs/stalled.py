"""`stalled`: some devices stop reading and stay connected; what it costs the server, and the others.

Measured: how much memory the server holds more after a flood of changes, and how long a change takes to the last device
that reads, before and meanwhile. The floor is a bare server that sends as many bytes to as many sockets, all of which
read.
"""

import os
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from loadtest.bench import floors
from loadtest.bench.figures import percentile
from loadtest.bench.force import Said, gathered, kept, ms
from loadtest.bench.light import Arrivals, Light
from loadtest.bench.machine import Usage, memory_kb
from loadtest.bench.outcome import Outcome, outcome

WORDS: Final = {
    "before_p50_ms": "change to the last device before, p50, ms",
    "before_p99_ms": "change to the last device before, p99, ms",
    "meanwhile_p50_ms": "change to the last device that reads, p50, ms",
    "meanwhile_p99_ms": "change to the last device that reads, p99, ms",
    "more_kb": "memory of the server more than before, kB",
    "stalled_kb": "memory for a device that does not read, kB",
    "send_ms": "as many bytes by bare sends, ms",
    "of_floor": "change to the last device that reads, p50 / floor",
    "server_cores": "cores used by server and writer meanwhile",
    "load_cores": "cores used by the load meanwhile",
    "slower": "p99 meanwhile / before",
}
_AREA: Final = "everybody"
_BATCH_BYTES: Final = 1_400
_FLOOR_ROUNDS: Final = 20
_PERCENT: Final = 100
_TEXT_CHARS: Final = 1_000
"""Of each changed summary: a flood soon fills what a socket takes."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        devices: how many are connected.
        percent: of them stop reading.
        changes: changes in a round, each told to all.
        rounds: how many are measured.
    """

    devices: int = 500
    percent: int = 5
    changes: int = 200
    rounds: int = 2


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with gathered() as force:
        said(f"enrolling {size.devices} devices")
        (desk,) = await force.enrol(Light, "WM00001", [_AREA])
        devices = await force.enrol(Light, "WM00002", [_AREA] * size.devices)
        await force.connect([desk, *devices])
        rounds = []
        async with kept([desk, *devices]):
            await desk.report(1)
            for device in devices:
                device.listen()
            stalled = devices[: max(1, size.devices * size.percent // _PERCENT)]
            reading = devices[len(stalled) :]
            for n in range(size.rounds):
                before = await _changes(desk, devices, size.changes)
                held = memory_kb(force.server.pid)
                for device in stalled:
                    device.wire.pause()
                server, load = Usage(force.server.pid), Usage(os.getpid(), alone=True)
                meanwhile = await _changes(desk, reading, size.changes)
                used = server.share(), load.share()
                more = memory_kb(force.server.pid) - held
                for device in stalled:
                    device.wire.resume()
                said(f"round {n + 1}: {len(stalled)} stopped reading, the server holds {more:.0f} kB more")
                rounds.append(
                    {
                        "before_p50_ms": ms(percentile(before, 50)),
                        "before_p99_ms": ms(percentile(before, 99)),
                        "meanwhile_p50_ms": ms(percentile(meanwhile, 50)),
                        "meanwhile_p99_ms": ms(percentile(meanwhile, 99)),
                        "more_kb": more,
                        "stalled_kb": more / len(stalled),
                        "server_cores": used[0],
                        "load_cores": used[1],
                    }
                )
        floor = await floors.sends(len(reading), _BATCH_BYTES, _FLOOR_ROUNDS, force.where.server)
        return outcome(
            "stalled",
            size,
            force.machine,
            rounds,
            floors={"send_ms": floor},
            ratios={
                "of_floor": ("meanwhile_p50_ms", "send_ms"),
                "slower": ("meanwhile_p99_ms", "before_p99_ms"),
            },
        )


async def _changes(desk: Light, told: Sequence[Light], count: int) -> list[float]:
    """How long each of so many changes took to the last of these devices (s)."""
    taken = []
    for n in range(count):
        began = time.perf_counter()
        _, seq = await desk.change(desk.records, f"Call {n}. " + "x" * _TEXT_CHARS)
        arrivals = Arrivals(len(told))
        for device in told:
            device.expect(seq, arrivals)
        await arrivals.all_there.wait()
        taken.append(arrivals.last_at - began)
    return taken
