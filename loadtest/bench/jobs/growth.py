"""`growth`: what an operation of each job costs while the server's data grow, and while its devices do.

**Data.** The server is filled by real edits, in pushes as large as they may be, to a hundredth, a tenth and the whole
of `records`; for that alone it has both cores. Behind each step the same is done: edits of devices that edit at the
same time (`ack`), edits one by one (as in `force`), consultations and searches that are logged (`force`), a change that
is told to TOLD devices (`fanout`), a fresh device that takes an area of PAGE records (`bootstrap`), devices that come
back (`reconnect`), some of them with edits (`storm`). A handheld takes an eighth of all that is there into its
encrypted replica, edits without signal, and searches (`replica`).

**Devices.** With all `records` there, a hundredth, a tenth and the whole of `devices` are connected, first with nothing
else going on (`idle`); then the same is done among them, and some stop reading (`stalled`). Those who edit are always
the same few; a change is told to all; those who come back with edits share areas of CREW.

Costs are processor time, bytes and memory for one operation (`loadtest.bench.costs`). Two jobs are left out. `wire`: an
edit's bytes stand here too, and what else it measures depends on the edit alone. `revoke`: a device gives back the
scopes that it holds, however many records or other devices there are; its own job has a thousand of them at once.
"""

import functools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from loadtest.bench import costs
from loadtest.bench.force import Force, Said, kept
from loadtest.bench.light import Light
from loadtest.bench.machine import Usage, memory_kb, pin_all
from loadtest.bench.outcome import Outcome, outcome
from loadtest.bench.prepared import enrolled

STEPS: Final = (1, 10, 100)
DATA: Final = {
    "edit_us": "server's time for an edit, several at once, us",
    "alone_p50_us": "server's time for an edit, one by one, p50, us",
    "alone_p99_us": "server's time for an edit, one by one, p99, us",
    "edit_bytes": "bytes of an edit to and from its device",
    "consult_us": "server's time for a consultation or search that is logged, us",
    "delivery_us": "server's time for a delivery, with its share of the change, us",
    "record_us": "server's time for a record of a bootstrap, us",
    "return_us": "server's time for a device that comes back, us",
    "storm_us": "server's time for an edit that was made without signal, us",
    "server_mb": "memory of server and writer, MB",
    "disk_bytes": "bytes of the server's file for a record",
    "take_us": "handheld's time for a record taken in, us",
    "local_p50_us": "handheld's time for an edit, p50, us",
    "local_p99_us": "handheld's time for an edit, p99, us",
    "find_us": "handheld's time for each record that a search looks at, us",
}
"""Cost -> what it is called, where data grow."""
DEVICES: Final = {
    **{name: DATA[name] for name in ("edit_us", "alone_p50_us", "alone_p99_us", "consult_us", "delivery_us")},
    "come_us": "server's time for a device that comes for the first time, us",
    **{name: DATA[name] for name in ("return_us", "storm_us")},
    "device_kb": "memory for a device, kB",
    "heartbeat_us": "server's time for a heartbeat, us",
    "stalled_kb": "memory for a device that does not read, kB",
}
"""Cost -> what it is called, where devices grow."""
AXES: Final = {"data": DATA, "devices": DEVICES}
"""What grows -> the costs."""
_WHERE: Final = {"data": "records", "devices": "devices"}
FIGURES: Final = {f"{axis}_{name}_{step}" for axis, costed in AXES.items() for name in costed for step in STEPS}
"""What is measured, by name."""
WORDS: Final = {
    **{
        f"{axis}_{name}_{step}": f"{words}, {_WHERE[axis]} at {step}x"
        for axis, costed in AXES.items() for name, words in costed.items() for step in STEPS
    },
    **{
        f"{axis}_{name}_grows_{step}": f"{words}, {_WHERE[axis]} at {step}x / 1x"
        for axis, costed in AXES.items() for name, words in costed.items() for step in STEPS[1:]
    },
    "fill_per_s": "records a second while the server was filled",
}  # fmt: skip
PAGE: Final = 1_000
TOLD: Final = 100
CREW: Final = 10
_DESKS: Final = 8
_EDITORS: Final = 10
_STORM_EDITS: Final = 5
_STORMING: Final = 20
_LARGEST: Final = STEPS[-1]
_LEAST: Final = 2
"""Devices at the first step: one reads, and one stops reading."""
_EVERYBODY: Final = "everybody"


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        records: on the server in the end.
        devices: connected in the end.
    """

    records: int = 100_000
    devices: int = 2_000


class _Cast(msgspec.Struct, frozen=True):
    """Who is there.

    Attributes:
        desks: fill the server.
        editors: edit incidents of their own.
        desk: whose change everybody is told of.
        crowd: everybody else.
        paging: holds PAGE records at first; then one for each step that takes them in.
        holding: a handheld for each step, in the area of the first of `desks`.
        fresh: a handheld in an area in which nothing is.
    """

    desks: list[Light]
    editors: list[Light]
    desk: Light
    crowd: list[Light]
    paging: list[Light]
    holding: list[Light]
    fresh: Light


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    figures: dict[str, float] = {}
    said(f"enrolling {size.devices} devices")
    async with enrolled(functools.partial(_cast, devices=size.devices)) as (force, cast):
        await force.connect([*cast.desks, *cast.editors, cast.desk, cast.paging[0]])
        async with kept([*cast.desks, *cast.editors, cast.desk, *cast.paging, *cast.crowd]):
            await costs.write(cast.paging[:1], PAGE)
            for editor in (*cast.editors, cast.desk):
                await editor.report(1)
            # What is done for the first time costs more than ever again.
            await costs.edits(force, cast.editors)
            by_data, figures["fill_per_s"] = await _by_data(force, cast, size.records, said)
            by_devices = await _by_devices(force, cast, size.devices, said)
        for axis, steps in (("data", by_data), ("devices", by_devices)):
            for step, found in steps.items():
                figures |= {f"{axis}_{name}_{step}": found[name] for name in AXES[axis]}
        ratios = {
            f"{axis}_{name}_grows_{step}": (f"{axis}_{name}_{step}", f"{axis}_{name}_{STEPS[0]}")
            for axis, costed in AXES.items()
            for name in costed
            for step in STEPS[1:]
        }
        return outcome("growth", size, force.machine, [figures], floors={}, ratios=ratios)


async def _cast(force: Force, devices: int) -> _Cast:
    crews = [f"crew-{n // CREW}" for n in range(max(devices, TOLD))]
    cast = _Cast(
        desks=await force.enrol(Light, "WM00001", [f"bulk-{n}" for n in range(_DESKS)]),
        editors=await force.enrol(Light, "WM00002", [f"own-{n}" for n in range(_EDITORS)]),
        desk=(await force.enrol(Light, "WM00003", [_EVERYBODY]))[0],
        crowd=await force.enrol(Light, "WM00004", crews),
        paging=await force.enrol(Light, "WM00005", ["page"] * (1 + len(STEPS))),
        holding=await force.enrol(Light, "WM00006", ["bulk-0"] * len(STEPS)),
        fresh=(await force.enrol(Light, "WM00007", ["nothing"]))[0],
    )
    told = [{"seat": one.name, "scope": f"area:{_EVERYBODY}", "why": "bench"} for one in cast.crowd]
    await force.admin.acts("grants", [{"t": "scope-granted", **one} for one in told])
    return cast


async def _by_data(force: Force, cast: _Cast, records: int, said: Said) -> tuple[dict[int, dict[str, float]], float]:
    """The costs at each step, and at how many records a second the server was filled."""
    found: dict[int, dict[str, float]] = {}
    opening_s = await costs.opening_s(force, cast.fresh)
    filled_s, filled, written = 0.0, 0, PAGE + _EDITORS + 1
    for n, step in enumerate(STEPS):
        more = max(_DESKS, records * step // _LARGEST - written)
        began = time.perf_counter()
        with _both_cores(force):
            await costs.write(cast.desks, more)
        filled_s, filled, written = filled_s + time.perf_counter() - began, filled + more, written + more
        said(f"{written} records are on the server")
        found[step] = {
            "server_mb": memory_kb(force.server.pid) / 1_000,
            "disk_bytes": force.server.database.stat().st_size / written,
            **await costs.edits(force, cast.editors),
            **await costs.edits_alone(force, cast.editors),
            **await costs.consultations(force, cast.editors),
            **await costs.bootstraps(force, cast.paging[1 + n], PAGE),
            **await costs.returns(force, cast.editors),
            **await costs.held(force, cast.holding[n], opening_s),
        }
        told = cast.crowd[:TOLD]
        await force.connect(told)
        found[step] |= await costs.storm(force, told[:_STORMING], _STORM_EDITS)
        found[step] |= await costs.deliveries(force, cast.desk, told)
        await _go_for_good(told)
        said(f"{written} records: an edit cost {found[step]['edit_us']:.0f} us")
    return found, filled / filled_s


async def _by_devices(force: Force, cast: _Cast, devices: int, said: Said) -> dict[int, dict[str, float]]:
    """The costs at each step."""
    steps = {step: cast.crowd[: max(n, devices * step // _LARGEST)] for n, step in enumerate(STEPS, _LEAST)}
    found: dict[int, dict[str, float]] = {}
    empty, there = memory_kb(force.server.pid), 0
    for step, crowd in steps.items():
        server, coming = Usage(force.server.pid), crowd[there:]
        await force.connect(coming)
        come_us, there = server.seconds() / len(coming) * 1e6, len(crowd)
        found[step] = {
            "come_us": come_us,
            "device_kb": (memory_kb(force.server.pid) - empty) / there,
            **await costs.heartbeats(force, crowd),
        }
        said(f"{there} devices are connected: {found[step]['device_kb']:.1f} kB each")
    await costs.leave(steps[_LARGEST])
    for step, crowd in steps.items():
        await force.connect(crowd)
        found[step] |= {
            **await costs.edits(force, cast.editors),
            **await costs.edits_alone(force, cast.editors),
            **await costs.consultations(force, cast.editors),
            **await costs.returns(force, crowd),
            **await costs.storm(force, crowd, _STORM_EDITS),
            **await costs.deliveries(force, cast.desk, crowd),
            **await costs.stalled(force, cast.desk, crowd),
        }
        await _go_for_good(crowd)
        said(f"{len(crowd)} devices: an edit cost {found[step]['edit_us']:.0f} us")
    return found


async def _go_for_good(devices: Sequence[Light]) -> None:
    """They only listened, and do not know what they were told of: they come as fresh ones again."""
    await costs.leave(devices)
    for device in devices:
        device.forget()


@contextmanager
def _both_cores(force: Force) -> Iterator[None]:
    """While it is filled the server has the load's core too: nothing of that is measured."""
    pin_all(force.server.pid, {force.where.server, force.where.load})
    try:
        yield
    finally:
        pin_all(force.server.pid, {force.where.server})
