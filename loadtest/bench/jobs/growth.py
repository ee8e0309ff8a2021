"""`growth`: how the cost of an operation grows with what the server holds, what a handheld holds, and with devices.

The server's store is filled by real edits, in pushes as large as they may be, from several desks at once, to a
hundredth, a tenth and the whole of `records`; behind each step the same work is done: edits by their devices, a fresh
device that takes an area of PAGE records, devices that come back. A handheld takes areas of a thousandth, a hundredth
and a tenth of `records` into its encrypted replica, and edits there. A change is told to a hundredth, a tenth and all
of `devices`. Costs are processor time of server and writer for one operation, which other work on the machine changes
less than it does times; of the handheld's edit its time.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from loadtest.bench.figures import percentile
from loadtest.bench.force import HOST, Force, Said, gathered, kept, ms
from loadtest.bench.light import Arrivals, Light
from loadtest.bench.machine import Usage
from loadtest.bench.outcome import Outcome, outcome
from schemas.kinds import Incident
from schemas.limits import FRAMES_PER_S_MAX, OPS_PER_PUSH_MAX
from sync.device import Handheld, HeldKey
from sync.device.keys import KEY_BYTES

STEPS: Final = (1, 10, 100)
WHAT: Final = {
    "edit_us": "server's time for an edit, us",
    "record_us": "server's time for a record of a bootstrap, us",
    "return_us": "server's time for a device that comes back, us",
    "delivery_us": "server's time for a delivery, with its share of the change, us",
    "replica_ms": "edit on the handheld, p50, ms",
}
"""Cost -> what it is called."""
WORDS: Final = {
    **{f"{name}_{step}": f"{words}, at {step}x" for name, words in WHAT.items() for step in STEPS},
    **{f"{name}_grows_{step}": f"{words}, at {step}x / 1x" for name, words in WHAT.items() for step in STEPS[1:]},
    "fill_per_s": "records a second while the store was filled",
}
PAGE: Final = 1_000
_DESKS: Final = 8
_EDITORS: Final = 10
_EDIT_S: Final = 3.0
_EDITS_PER_S: Final = FRAMES_PER_S_MAX / 2
"""By one device: the other half of what it may send is for what it gives back. Only processor time is measured."""
_BOOTSTRAPS: Final = 15
_RETURNS: Final = 9
"""With all steps fewer than a device may come at once before it is asked to wait."""
_DELIVERIES: Final = 2_000
_CHANGES_LEAST: Final = 20
_CHANGES_MOST: Final = 200
_HANDHELD_EDITS: Final = 100
_TEXT: Final = "Glass breaking. " + "x" * 150
_LARGEST: Final = STEPS[-1]


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        records: on the server in the end. A million of them take the better part of an hour to be written.
        devices: that are told of a change in the end.
    """

    records: int = 100_000
    devices: int = 1_000


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    figures: dict[str, float] = {}
    async with gathered() as force:
        desks = await force.enrol(Light, "WM00001", [f"bulk-{n}" for n in range(_DESKS)])
        editors = await force.enrol(Light, "WM00002", [f"own-{n}" for n in range(_EDITORS)])
        paging = await force.enrol(Light, "WM00003", ["page"] * (1 + len(STEPS)))
        holding = [await force.enrol(Light, f"WM0001{step}", [f"held-{step}"] * 2) for step in STEPS]
        said(f"enrolling {size.devices} devices")
        told = await force.enrol(Light, "WM00004", ["everybody"] * (size.devices + 1))
        await force.connect([*desks, *editors, paging[0]])
        async with kept([*desks, *editors, *paging]):
            await _write(paging[:1], PAGE)
            for editor in editors:
                await editor.report(1)
            written = PAGE + _EDITORS
            filled_s, filled = 0.0, 0
            for n, step in enumerate(STEPS, 1):
                more = max(0, size.records * step // _LARGEST - written)
                began = time.perf_counter()
                await _write(desks, more)
                filled_s, filled, written = filled_s + time.perf_counter() - began, filled + more, written + more
                said(f"{written} records are on the server")
                figures[f"edit_us_{step}"] = await _edits(force, editors)
                figures[f"record_us_{step}"] = await _bootstraps(force, paging[n])
                figures[f"return_us_{step}"] = await _returns(force, editors)
            figures["fill_per_s"] = filled / filled_s if filled_s else 0.0
        for step, (filler, holder) in zip(STEPS, holding, strict=True):
            figures[f"replica_ms_{step}"] = await _handheld(
                force, filler, holder, size.records * step // _LARGEST // 10
            )
            said(f"handheld: an edit took {figures[f'replica_ms_{step}']:.2f} ms at {step}x")
        for step in STEPS:
            figures[f"delivery_us_{step}"] = await _deliveries(
                force, told[0], told[1 : 1 + max(1, size.devices * step // _LARGEST)]
            )
        ratios = {
            f"{name}_grows_{step}": (f"{name}_{step}", f"{name}_{STEPS[0]}") for name in WHAT for step in STEPS[1:]
        }
        return outcome("growth", size, force.machine, [figures], floors={}, ratios=ratios)


async def _write(writers: Sequence[Light], count: int) -> None:
    """Report so many incidents, each writer its part, one push behind the other."""

    async def one(writer: Light, own: int) -> None:
        for start in range(0, own, OPS_PER_PUSH_MAX):
            await writer.report(min(OPS_PER_PUSH_MAX, own - start), _TEXT)

    part, rest = divmod(count, len(writers))
    await asyncio.gather(*(one(writer, part + (n < rest)) for n, writer in enumerate(writers)))


async def _edits(force: Force, editors: Sequence[Light]) -> float:
    """Processor time of the server for an edit (us), of devices that edit one after the other."""
    server, began, count = Usage(force.server.pid), time.perf_counter(), 0

    async def work(editor: Light) -> int:
        n = 0
        while (due := n / _EDITS_PER_S) < _EDIT_S:
            n += 1
            await asyncio.sleep(began + due - time.perf_counter())
            await editor.change(editor.records, f"Glass breaking, {n} calls so far")
        return n

    count = sum(await asyncio.gather(*map(work, editors)))
    return server.seconds() / count * 1e6


async def _bootstraps(force: Force, device: Light) -> float:
    """Processor time of the server for a record (us), when a device that holds nothing takes an area in."""
    server = Usage(force.server.pid)
    for _ in range(_BOOTSTRAPS):
        device.forget()
        await force.connect([device])
        device.go()
        await device.closed
    return server.seconds() / _BOOTSTRAPS / PAGE * 1e6


async def _returns(force: Force, devices: Sequence[Light]) -> float:
    """Processor time of the server for a device that comes back and has missed nothing (us)."""
    server = Usage(force.server.pid)
    for _ in range(_RETURNS):
        for device in devices:
            device.go()
        await asyncio.gather(*(device.closed for device in devices))
        await force.connect(devices)
    return server.seconds() / _RETURNS / len(devices) * 1e6


async def _handheld(force: Force, filler: Light, holder: Light, records: int) -> float:
    """How long an edit takes on a handheld that holds so many records, p50 (ms)."""
    await force.connect([filler])
    await _write([filler], max(1, records))
    filler.go()
    taken = []
    async with Handheld.open(
        force.folder / holder.name,
        identity=holder.identity,
        keys=HeldKey(os.urandom(KEY_BYTES)),
        author=holder.officer,
        server=f"ws://{HOST}:{force.server.port}",
    ) as handheld:
        await handheld.wait_until(lambda status: status.caught_up)
        with handheld.for_itself():
            found = [record for record, _ in await handheld.find(Incident)]
        for n in range(_HANDHELD_EDITS):
            began = time.perf_counter()
            await handheld.edit(found[n % len(found)], summary=f"Glass breaking, call {n}")
            taken.append(time.perf_counter() - began)
    return ms(percentile(taken, 50))


async def _deliveries(force: Force, desk: Light, devices: Sequence[Light]) -> float:
    """Processor time of the server for a delivery (us), the change that is told with it."""
    async with kept([desk, *devices]):
        await force.connect([desk, *devices])
        await desk.report(1)
        for device in devices:
            device.listen()
        changes = min(max(_CHANGES_LEAST, _DELIVERIES // len(devices)), _CHANGES_MOST)
        server, began = Usage(force.server.pid), time.perf_counter()
        for n in range(changes):
            await asyncio.sleep(began + n / _EDITS_PER_S - time.perf_counter())
            _, seq = await desk.change(desk.records[-1:], f"Glass breaking, {n} calls so far")
            arrivals = Arrivals(len(devices))
            for device in devices:
                device.expect(seq, arrivals)
            await arrivals.all_there.wait()
        used = server.seconds()
    for device in (desk, *devices):
        device.forget()
    await asyncio.gather(*(device.closed for device in (desk, *devices)))
    return used / changes / len(devices) * 1e6
