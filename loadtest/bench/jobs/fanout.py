"""`fanout`: one change goes to everybody who works in the area.

Singly: a desk changes an incident, and changes the next one as soon as the last device has been told. In bursts: it
changes many incidents at once. A delivery is one changed record at one device, whatever messages bring it. The floor is
a bare server that sends as many bytes to as many sockets, one `send` for each.
"""

import os
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from loadtest.bench import floors
from loadtest.bench.force import Said, gathered, kept, ms
from loadtest.bench.light import Arrivals, Light
from loadtest.bench.machine import Usage
from loadtest.bench.outcome import Outcome, outcome

WORDS: Final = {
    "last_ms": "edit to the last device, ms",
    "single_per_s": "deliveries a second, singly",
    "burst_last_ms": "burst to the last device, ms",
    "burst_per_s": "deliveries a second, in bursts",
    "batch_bytes": "bytes to a device for one change",
    "messages": "messages to a device for a burst",
    "server_cores": "cores used by the server, singly",
    "load_cores": "cores used by the load, singly",
    "send_ms": "as many bytes by bare sends, ms",
    "send_per_s": "bare sends a second",
    "of_floor": "deliveries a second, singly / floor",
    "burst_of_floor": "deliveries a second, in bursts / floor",
}
_AREA: Final = "everybody"


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        devices: how many are told.
        changes: single changes in a round, and records of a burst.
        bursts: bursts in a round.
        rounds: how many are measured, behind one that warms up.
    """

    devices: int = 500
    changes: int = 20
    bursts: int = 5
    rounds: int = 3


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with gathered() as force:
        said(f"enrolling {size.devices} devices")
        (desk,) = await force.enrol(Light, "WM00001", [_AREA])
        devices = await force.enrol(Light, "WM00002", [_AREA] * size.devices)
        await force.connect([desk, *devices])
        async with kept([desk, *devices]):
            await desk.report(size.changes)
            for device in devices:
                device.listen()
            rounds = []
            for n in range(size.rounds + 1):
                figures = await _round(desk, devices, size, force.server.pid)
                rounds += [figures] if n else []
                said(f"{f'round {n}' if n else 'warm-up'}: {figures['single_per_s']:.0f} deliveries a second singly, "
                     f"{figures['burst_per_s']:.0f} in bursts")  # fmt: skip
        bytes_each = round(rounds[-1]["batch_bytes"])
        floor = await floors.sends(size.devices, bytes_each, size.rounds * size.changes, force.where.server)
        floors_found = {
            "send_ms": floor,
            "send_per_s": floor.inverted(size.devices * 1_000),
        }
        return outcome(
            "fanout",
            size,
            force.machine,
            rounds,
            floors=floors_found,
            ratios={"of_floor": ("single_per_s", "send_per_s"), "burst_of_floor": ("burst_per_s", "send_per_s")},
        )


async def _round(desk: Light, devices: Sequence[Light], size: Size, server_pid: int) -> dict[str, float]:
    bytes_before = sum(device.wire.bytes_in for device in devices)
    server, load = Usage(server_pid), Usage(os.getpid(), alone=True)
    took = [await _told(desk, devices, 1, n) for n in range(size.changes)]
    used = server.share(), load.share()
    bytes_in = sum(device.wire.bytes_in for device in devices) - bytes_before
    messages = sum(device.messages for device in devices)
    bursts = [await _told(desk, devices, size.changes, n) for n in range(size.bursts)]
    return {
        "last_ms": ms(sum(took) / len(took)),
        "single_per_s": len(devices) * len(took) / sum(took),
        "burst_last_ms": ms(sum(bursts) / len(bursts)),
        "burst_per_s": len(devices) * size.changes * len(bursts) / sum(bursts),
        "batch_bytes": bytes_in / len(devices) / size.changes,
        "messages": (sum(device.messages for device in devices) - messages) / len(devices) / size.bursts,
        "server_cores": used[0],
        "load_cores": used[1],
    }


async def _told(desk: Light, devices: Sequence[Light], count: int, n: int) -> float:
    """Change so many records at once; how long until the last device was told of the last of them (s)."""
    began = time.perf_counter()
    _, seq = await desk.change(desk.records[:count], f"Glass breaking, {n} calls so far")
    arrivals = Arrivals(len(devices))
    for device in devices:
        device.expect(seq, arrivals)
    await arrivals.all_there.wait()
    return arrivals.last_at - began
