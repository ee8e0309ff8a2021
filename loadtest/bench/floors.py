"""Runs `loadtest.bench.floor` on the server's core, and measures it from here."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

from loadtest.bench.figures import Spread, spread
from loadtest.bench.force import HOST, in_parts, ms
from loadtest.bench.machine import memory_kb, pin

_APPEND_S: Final = 1.0


async def sends(sockets: int, size: int, rounds: int, core: int) -> Spread:
    """How long a bare server takes to send as many bytes to as many sockets, to the last one read here (ms)."""
    process = await _floor("send", str(size))
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
            found.append(ms(count.last_at - began))
    for transport in transports:
        transport.abort()
    commanding.close()
    process.stdin.close()
    await process.wait()
    return spread(found)


async def holds(sockets: int, core: int) -> tuple[Spread, Spread]:
    """What a bare server needs for sockets that say nothing.

    Returns:
        (until all of them are connected and greeted (ms), memory for each (kB)).
    """
    process = await _floor("send", "1")
    pin(process.pid, core)
    assert process.stdin is not None
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    loop = asyncio.get_running_loop()
    count = _Count()
    count.expect(sockets)
    empty = memory_kb(process.pid)
    transports: list[asyncio.WriteTransport] = []

    async def one(_: int) -> None:
        transports.append((await loop.create_connection(lambda: _Sink(count), HOST, port))[0])

    began = time.perf_counter()
    await in_parts(range(sockets), one)
    await count.reached.wait()
    took = ms(count.last_at - began)
    each = (memory_kb(process.pid) - empty) / sockets
    for transport in transports:
        transport.abort()
    process.stdin.close()
    await process.wait()
    return spread([took]), spread([each])


async def appends(folder: Path, size: int, group: int, rounds: int, core: int) -> Spread:
    """How many records of a size a second can be made durable, so many to one `fdatasync`."""
    found = []
    for _ in range(rounds):
        process = await _floor("append", str(folder), str(size), str(group), str(_APPEND_S))
        pin(process.pid, core)
        told, _ = await process.communicate()
        found.append(float(told))
    return spread(found)


async def _floor(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest.bench.floor", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


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
