"""`idle`: devices that are connected and have nothing to say but that they are there.

Memory is that of the server and its writer: what they hold more than with nobody there, and all that they hold, for
each device. The floor is a bare server that holds as many sockets.
"""

import asyncio
import os
from typing import Final

import msgspec

from loadtest.bench import floors
from loadtest.bench.force import Said, kept
from loadtest.bench.machine import Usage, memory_kb
from loadtest.bench.outcome import Outcome, outcome
from loadtest.bench.prepared import prepared

WORDS: Final = {
    "device_kb": "memory for a device, server and writer, kB",
    "device_all_kb": "all memory of server and writer / devices, kB",
    "server_kb": "memory of server and writer with nobody there, kB",
    "server_cores": "cores used by server and writer",
    "heartbeats_per_s": "heartbeats a second",
    "heartbeat_us": "processor time for a heartbeat, us",
    "socket_kb": "memory for a socket, kB",
    "of_floor": "memory for a device / floor",
    "load_cores": "cores used by the load",
}


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        devices: how many are connected.
        seconds: how long a round lasts; at least two heartbeats should fall into it.
        rounds: how many are measured.
    """

    devices: int = 2_000
    seconds: int = 40
    rounds: int = 1


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with prepared(size.devices, said) as (force, _, devices):
        empty = memory_kb(force.server.pid)
        rounds = []
        async with kept(devices):
            await force.connect(devices)
            for n in range(size.rounds):
                said(f"round {n + 1}: {size.devices} are connected, {size.seconds} s of silence")
                server, load = Usage(force.server.pid), Usage(os.getpid(), alone=True)
                heard = sum(device.wire.messages_in for device in devices)
                await asyncio.sleep(size.seconds)
                used, beats = server.share(), sum(device.wire.messages_in for device in devices) - heard
                holds = memory_kb(force.server.pid)
                rounds.append(
                    {
                        "device_kb": (holds - empty) / size.devices,
                        "device_all_kb": holds / size.devices,
                        "server_kb": empty,
                        "server_cores": used,
                        "heartbeats_per_s": beats / size.seconds,
                        "heartbeat_us": used * size.seconds / beats * 1e6 if beats else 0.0,
                        "load_cores": load.share(),
                    }
                )
        _, socket_kb = await floors.holds(size.devices, force.where.server)
        return outcome(
            "idle",
            size,
            force.machine,
            rounds,
            floors={"socket_kb": socket_kb},
            ratios={"of_floor": ("device_kb", "socket_kb")},
        )
