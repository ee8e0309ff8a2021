"""What one operation of each job costs: short rounds in processor time, bytes and memory, and never in time.

Other work on the machine changes times many times over; what a server has to do for an edit it hardly changes. So these
are what can be held against each other while data and devices grow. Times of the server are those of its process and
its writer's.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from loadtest.bench.contact import mono_ms
from loadtest.bench.figures import percentile
from loadtest.bench.force import HOST, Force, in_parts
from loadtest.bench.light import Arrivals, Light
from loadtest.bench.machine import Usage, memory_kb
from schemas.kinds import Incident
from schemas.limits import FRAMES_PER_S_MAX, OPS_PER_PUSH_MAX, PING_INTERVAL_MS
from sync.device import Handheld, HeldKey
from sync.device.keys import KEY_BYTES

_EDIT_S: Final = 2.0
_EDITS_PER_S: Final = FRAMES_PER_S_MAX / 2
"""By one device: the other half of what it may send is for what it gives back."""
_ALONE: Final = 100
_ALONE_EVERY_S: Final = 0.01
"""So long between two edits that what follows from the first is over."""
_BOOTSTRAPS: Final = 10
_RETURNED: Final = 90
_RETURNS_MOST: Final = 9
"""With all steps fewer than a device may come at once before it is asked to wait."""
_DELIVERIES: Final = 2_000
_CHANGES_LEAST: Final = 20
_CHANGES_MOST: Final = 100
_CONSULTATIONS: Final = 200
_STORMING: Final = 200
"""Devices of a storm that come at the same time: a server shuts its door to thousands that have said nothing yet."""
_FLOOD: Final = 100
_FLOOD_CHARS: Final = 1_000
_STALLED: Final = 4
"""One in so many stops reading."""
_LOCAL: Final = 100
_QUIET_S: Final = 0.2
_QUIET_SHARE: Final = 0.2
"""Of a core: less is nothing to do."""
_LOOK_S: Final = 0.01
_PATIENCE_S: Final = 60.0
_TEXT: Final = "Glass breaking. " + "x" * 150
"""Of each summary: a record has about 300 bytes then."""
_US: Final = 1e6


async def write(writers: Sequence[Light], count: int) -> None:
    """Report so many incidents, each writer its part, one push behind the other."""

    async def one(writer: Light, own: int) -> None:
        for start in range(0, own, OPS_PER_PUSH_MAX):
            await writer.report(min(OPS_PER_PUSH_MAX, own - start), _TEXT)

    part, rest = divmod(count, len(writers))
    await asyncio.gather(*(one(writer, part + (n < rest)) for n, writer in enumerate(writers)))


async def edits(force: Force, editors: Sequence[Light]) -> dict[str, float]:
    """The server's time for an edit of devices that edit at the same time (us), and all its bytes at its device."""
    server, began = Usage(force.server.pid), time.perf_counter()
    crossed = _crossed(editors)

    async def work(editor: Light) -> int:
        n = 0
        while (due := n / _EDITS_PER_S) < _EDIT_S:
            n += 1
            await asyncio.sleep(began + due - time.perf_counter())
            await editor.change(editor.records, f"Glass breaking, {n} calls so far")
        return n

    count = sum(await asyncio.gather(*map(work, editors)))
    return {"edit_us": server.seconds() / count * _US, "edit_bytes": (_crossed(editors) - crossed) / count}


async def edits_alone(force: Force, editors: Sequence[Light]) -> dict[str, float]:
    """The server's time for an edit that shares its commit with no other: p50 and p99 (us)."""
    taken = []
    for n in range(_ALONE):
        server, editor = Usage(force.server.pid), editors[n % len(editors)]
        await editor.change(editor.records, f"Glass breaking, {n} calls so far")
        await asyncio.sleep(_ALONE_EVERY_S)
        taken.append(server.seconds() * _US)
    return {"alone_p50_us": percentile(taken, 50), "alone_p99_us": percentile(taken, 99)}


async def consultations(force: Force, devices: Sequence[Light]) -> dict[str, float]:
    """The server's time for an entry of a read log (us)."""
    each = -(-_CONSULTATIONS // len(devices))
    server = Usage(force.server.pid)

    async def work(device: Light) -> None:
        for n in range(each):
            await device.consult(device.records[0], search=n % 2 == 0)

    await asyncio.gather(*map(work, devices))
    return {"consult_us": server.seconds() / each / len(devices) * _US}


async def bootstraps(force: Force, device: Light, records: int) -> dict[str, float]:
    """The server's time for a record (us), when a device that holds nothing takes an area of so many in."""
    server = Usage(force.server.pid)
    for _ in range(_BOOTSTRAPS):
        device.forget()
        await force.connect([device])
        await leave([device])
    return {"record_us": server.seconds() / _BOOTSTRAPS / records * _US}


async def returns(force: Force, devices: Sequence[Light]) -> dict[str, float]:
    """The server's time for a device that comes back and has missed nothing (us)."""
    times = max(1, min(_RETURNS_MOST, _RETURNED // len(devices)))
    server = Usage(force.server.pid)
    for _ in range(times):
        await leave(devices)
        await force.connect(devices)
    return {"return_us": server.seconds() / times / len(devices) * _US}


async def storm(force: Force, devices: Sequence[Light], edited: int) -> dict[str, float]:
    """The server's time for an edit that was made without signal (us).

    Very many come at the same time with so many each; those of the same area are told of each other's. What coming back
    costs is in it.
    """
    await leave(devices)
    server = Usage(force.server.pid)

    async def work(device: Light) -> None:
        await force.connect([device])
        await device.report(edited)

    await in_parts(devices, work, _STORMING)
    last: dict[str, int] = {}
    for device in devices:
        last[device.area] = max(last.get(device.area, 0), *device.versions.values())
    arrivals = Arrivals(len(devices))
    for device in devices:
        device.expect(last[device.area], arrivals)
    await arrivals.all_there.wait()
    return {"storm_us": server.seconds() / len(devices) / edited * _US}


async def heartbeats(force: Force, devices: Sequence[Light]) -> dict[str, float]:
    """The server's time for a heartbeat (us)."""
    before = _heard(devices)
    server = Usage(force.server.pid)
    for device in devices:
        device.session.tick(mono_ms() + PING_INTERVAL_MS)
        device.flush()
    async with asyncio.timeout(_PATIENCE_S):
        # Nobody tells of a heartbeat that was answered.
        while _heard(devices) < before + len(devices):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
    return {"heartbeat_us": server.seconds() / (_heard(devices) - before) * _US}


async def deliveries(force: Force, desk: Light, devices: Sequence[Light]) -> dict[str, float]:
    """The server's time for a delivery (us), with its share of the change that is told. They only listen afterwards."""
    for device in devices:
        device.listen()
    changes = min(max(_CHANGES_LEAST, _DELIVERIES // len(devices)), _CHANGES_MOST)
    server = Usage(force.server.pid)
    await _tell(desk, devices, changes, "Glass breaking")
    return {"delivery_us": server.seconds() / changes / len(devices) * _US}


async def stalled(force: Force, desk: Light, devices: Sequence[Light]) -> dict[str, float]:
    """The memory of the server for a device that does not read (kB), behind a flood of changes. All only listen."""
    silent, reading = devices[: -(-len(devices) // _STALLED)], devices[-(-len(devices) // _STALLED) :]
    held = memory_kb(force.server.pid)
    for device in silent:
        device.wire.pause()
    await _tell(desk, reading, _FLOOD, "x" * _FLOOD_CHARS)
    more = memory_kb(force.server.pid) - held
    for device in silent:
        device.wire.resume()
    return {"stalled_kb": more / len(silent)}


async def opening_s(force: Force, holder: Light) -> float:
    """The processor time of a handheld that opens, connects and takes in an area in which nothing is (s)."""
    began = time.process_time()
    async with _handheld(force, holder) as handheld:
        await handheld.wait_until(lambda status: status.caught_up)
        return time.process_time() - began


async def held(force: Force, holder: Light, opening_s: float) -> dict[str, float]:
    """What a handheld of an area pays, in its own processor time.

    Returns:
        For a record taken in, beyond what opening costs; for an edit without signal, p50 and p99; for each record that
        a search looks at (all us).
    """
    began = time.process_time()
    async with _handheld(force, holder) as handheld:
        await handheld.wait_until(lambda status: status.caught_up)
        used = time.process_time() - began
        await handheld.go_offline()
        await _quiet()
        with handheld.for_itself():
            began = time.process_time()
            found = [record for record, _ in await handheld.find(Incident)]
            looked = time.process_time() - began
        taken = []
        for n in range(_LOCAL):
            began = time.process_time()
            await handheld.edit(found[n % len(found)], summary=f"Glass breaking, call {n}")
            taken.append((time.process_time() - began) * _US)
    return {
        "take_us": (used - opening_s) / len(found) * _US,
        "local_p50_us": percentile(taken, 50),
        "local_p99_us": percentile(taken, 99),
        "find_us": looked / len(found) * _US,
    }


def _handheld(force: Force, holder: Light) -> AbstractAsyncContextManager[Handheld]:
    return Handheld.open(
        force.folder / holder.name,
        identity=holder.identity,
        keys=HeldKey(os.urandom(KEY_BYTES)),
        author=holder.officer,
        server=f"ws://{HOST}:{force.server.port}",
    )


async def _quiet() -> None:
    """Wait until this process has nothing to do: a handheld that was opened looks for alarms in all that it holds."""
    async with asyncio.timeout(_PATIENCE_S):
        began = float("-inf")
        while time.process_time() - began > _QUIET_S * _QUIET_SHARE:
            began = time.process_time()
            await asyncio.sleep(_QUIET_S)


async def _tell(desk: Light, devices: Sequence[Light], changes: int, text: str) -> None:
    """Change an incident so many times, each when the last one is with all of these devices."""
    began = time.perf_counter()
    for n in range(changes):
        await asyncio.sleep(began + n / _EDITS_PER_S - time.perf_counter())
        _, seq = await desk.change(desk.records[-1:], f"{text}, {n} calls so far")
        arrivals = Arrivals(len(devices))
        for device in devices:
            device.expect(seq, arrivals)
        await arrivals.all_there.wait()


async def leave(devices: Sequence[Light]) -> None:
    """Have devices cut their connections, and wait until they are gone."""
    for device in devices:
        device.go()
    await asyncio.gather(*(device.closed for device in devices))


def _crossed(devices: Sequence[Light]) -> int:
    return sum(device.wire.bytes_in + device.wire.bytes_out for device in devices)


def _heard(devices: Sequence[Light]) -> int:
    return sum(device.wire.messages_in for device in devices)
