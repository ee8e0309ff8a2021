"""`idle`: devices that are connected and have nothing to say but that they are there."""

import asyncio
import os
from typing import Final

import msgspec

from loadtest.bench.force import Said, gathered, kept
from loadtest.bench.light import Light
from loadtest.bench.machine import Usage, memory_kb
from loadtest.bench.outcome import Outcome, outcome

WORDS: Final = {
    "device_kb": "memory of the server for a device, kB",
    "server_kb": "memory of the server with nobody there, kB",
    "server_cores": "cores used by the server",
    "heartbeats_per_s": "heartbeats a second",
    "load_cores": "cores used by the load",
}
_AREAS: Final = 200


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
    async with gathered() as force:
        said(f"enrolling {size.devices} devices")
        devices = await force.enrol(Light, "WM00001", [f"idle-{n % _AREAS}" for n in range(size.devices)])
        empty = memory_kb(force.server.pid)
        await force.connect(devices)
        rounds = []
        async with kept(devices):
            for n in range(size.rounds):
                said(f"round {n + 1}: {size.devices} are connected, {size.seconds} s of silence")
                server, load = Usage(force.server.pid), Usage(os.getpid(), alone=True)
                heard = sum(device.wire.messages_in for device in devices)
                await asyncio.sleep(size.seconds)
                rounds.append(
                    {
                        "device_kb": (memory_kb(force.server.pid) - empty) / size.devices,
                        "server_kb": empty,
                        "server_cores": server.share(),
                        "heartbeats_per_s": (sum(device.wire.messages_in for device in devices) - heard) / size.seconds,
                        "load_cores": load.share(),
                    }
                )
        return outcome("idle", size, force.machine, rounds, floors={}, ratios={})
