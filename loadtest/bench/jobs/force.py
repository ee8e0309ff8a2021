"""`force`: a whole force at work: every handheld connected, edits, briefings to all of them, and consultations.

Edits, consultations and briefings come at moments that are drawn beforehand (edits and consultations at random, as
calls do), whether or not what came before was answered; each is counted from the moment at which it was due, so a
server, or a load, that falls behind shows. An edit is to an incident of the handheld's own, which goes to everybody of
its area; one in ENTRIES is a new incident. At the end the server is killed, and every edit that was acknowledged is
looked for in its file. The floors are one append to a file with its `fdatasync`, and a bare server that sends as many
bytes to as many sockets as a briefing does.

The handhelds are seats of programs, at which nobody signs in: eight thousand passphrases take a server longer to check
than all else. Such a seat sends no receipt of a briefing.
"""

import asyncio
import gc
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench import floors
from loadtest.bench.figures import percentile
from loadtest.bench.force import Force, Said, kept, ms
from loadtest.bench.light import Arrivals, Light
from loadtest.bench.machine import Usage, children, memory_kb
from loadtest.bench.outcome import Outcome, outcome
from loadtest.bench.prepared import prepared
from schemas import scopes

WORDS: Final = {
    "edits_per_s": "durable edits a second",
    "deliveries_per_s": "batches at handhelds a second",
    "ack_p50_ms": "edit to its acknowledgement, p50, ms",
    "ack_p99_ms": "edit to its acknowledgement, p99, ms",
    "ack_max_ms": "edit to its acknowledgement, slowest, ms",
    "brief_p50_ms": "briefing to the last handheld, p50, ms",
    "brief_p99_ms": "briefing to the last handheld, p99, ms",
    "consult_p50_ms": "consultation until it is logged, p50, ms",
    "consult_p99_ms": "consultation until it is logged, p99, ms",
    "lost": "acknowledged edits that are not there",
    "server_mb": "memory of the server and its writer, MB",
    "server_cores": "cores used by the server",
    "writer_cores": "cores used by its writer",
    "load_cores": "cores used by the load",
    "load_late_p99_ms": "how late the load itself was, p99, ms",
    "append_ms": "one append and its fdatasync, ms",
    "send_ms": "a briefing's bytes by bare sends, ms",
    "ack_of_floor": "edit to its acknowledgement, p50 / one append",
    "brief_of_floor": "briefing to the last handheld, p50 / bare sends",
}
ENTRIES: Final = 25
"""Of one incident: DOMAIN's table."""
_WARM_UP_S: Final = 5.0
_SETTLE_S: Final = 30.0
_OP_BYTES: Final = 300
_BRIEFING_BYTES: Final = 450
_FLOOR_ROUNDS: Final = 10
_BRIEFINGS: Final = scopes.briefing(scopes.FORCE)
_Work = Callable[[float], Coroutine[None, None, None]]


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        devices: handhelds.
        edits: durable edits a second, over all of them.
        consultations: entries of read logs a second, half of them searches.
        briefings: briefings to everybody a minute: more than a force sends, so that there is a p99.
        seconds: how long a round lasts.
        rounds: how many are measured, behind a short one that warms up.
    """

    devices: int = 8_000
    edits: int = 100
    consultations: int = 50
    briefings: int = 12
    seconds: int = 200
    rounds: int = 3


class _Found:
    """What one round has measured (s)."""

    def __init__(self) -> None:
        self.acks: list[float] = []
        self.briefed: list[float] = []
        self.consulted: list[float] = []
        self.late: list[float] = []


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with prepared(size.devices, said) as (force, desk, devices):
        rounds = []
        async with kept([desk, *devices]):
            said(f"{size.devices} handhelds connect")
            began = time.perf_counter()
            await force.connect([desk, *devices])
            said(f"all are connected after {time.perf_counter() - began:.0f} s")
            await desk.report(1)
            for device in devices:
                device.listen(_BRIEFINGS)
            # What stands by now stays: a collector that looks at all of it again would stop the load for a second.
            gc.collect()
            gc.freeze()
            work = _Load(size, desk, devices)
            await work.run(_WARM_UP_S)
            for n in range(size.rounds):
                rounds.append(await _round(force, work, size, devices))
                said(f"round {n + 1}: ack p99 {rounds[-1]['ack_p99_ms']:.0f} ms, "
                     f"last briefed p99 {rounds[-1]['brief_p99_ms']:.0f} ms")  # fmt: skip
            acked = sum(one.acknowledged for one in [desk, *devices])
            _kill(force.server.pid)
        gc.unfreeze()
        lost = await asyncio.to_thread(_lost, force.server.database, [desk, *devices])
        said(f"{acked} edits were acknowledged; {lost} of them are not there")
        append = await floors.appends(force.folder, _OP_BYTES, 1, size.rounds, force.where.server)
        send = await floors.sends(size.devices, _BRIEFING_BYTES, _FLOOR_ROUNDS, force.where.server)
        return outcome(
            "force",
            size,
            force.machine,
            [{**each, "lost": float(lost)} for each in rounds],
            floors={"append_ms": append.inverted(1_000), "send_ms": send},
            ratios={"ack_of_floor": ("ack_p50_ms", "append_ms"), "brief_of_floor": ("brief_p50_ms", "send_ms")},
            remarks=[f"{acked} edits acknowledged in all; after SIGKILL {lost} of them were not in the server's file"],
        )


async def _round(force: Force, work: "_Load", size: Size, devices: Sequence[Light]) -> dict[str, float]:
    pid = force.server.pid
    server, both, load = Usage(pid, alone=True), Usage(pid), Usage(os.getpid(), alone=True)
    messages = sum(device.messages for device in devices)
    began = time.perf_counter()
    found = await work.run(size.seconds)
    passed = time.perf_counter() - began
    used = server.share(), both.share(), load.share()
    return {
        "edits_per_s": len(found.acks) / passed,
        "deliveries_per_s": (sum(device.messages for device in devices) - messages) / passed,
        "ack_p50_ms": ms(percentile(found.acks, 50)),
        "ack_p99_ms": ms(percentile(found.acks, 99)),
        "ack_max_ms": ms(max(found.acks)),
        "brief_p50_ms": ms(percentile(found.briefed, 50)),
        "brief_p99_ms": ms(percentile(found.briefed, 99)),
        "consult_p50_ms": ms(percentile(found.consulted, 50)),
        "consult_p99_ms": ms(percentile(found.consulted, 99)),
        "server_mb": memory_kb(pid) / 1_000,
        "server_cores": used[0],
        "writer_cores": used[1] - used[0],
        "load_cores": used[2],
        "load_late_p99_ms": ms(percentile(found.late, 99)),
    }


class _Load:
    """What a force does, at its own pace."""

    def __init__(self, size: Size, desk: Light, devices: Sequence[Light]) -> None:
        self._size = size
        self._desk = desk
        self._devices = devices
        # The same moments in every run: what differs is the server.
        self._random = random.Random(8_000)  # noqa: S311 - no secret
        self._found = _Found()
        self._n = 0

    async def run(self, seconds: float) -> _Found:
        """Work for so long, and wait for what was begun; what it took."""
        self._found = _Found()
        until = time.perf_counter() + seconds
        briefing_s = 60 / self._size.briefings
        async with asyncio.timeout(seconds + _SETTLE_S), asyncio.TaskGroup() as group:
            for gap, work in (
                (lambda: self._random.expovariate(self._size.edits), self._edit),
                (lambda: self._random.expovariate(self._size.consultations), self._consult),
                (lambda: briefing_s, self._brief),
            ):
                group.create_task(self._at_pace(group, gap, work, until))
        return self._found

    async def _at_pace(self, group: asyncio.TaskGroup, gap: Callable[[], float], work: _Work, until: float) -> None:
        """Begin something at each of its moments, whatever has become of what was begun before."""
        due = time.perf_counter() + gap() / 2
        while due < until:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._found.late.append(time.perf_counter() - due)
            group.create_task(work(due))
            due += gap()

    async def _edit(self, due: float) -> None:
        device = self._random.choice(self._devices)
        self._n += 1
        if device.records and device.is_settled(device.records[-1]) and self._n % ENTRIES:
            took, _ = await device.change(device.records[-1:], f"Glass breaking, entry {self._n}", due)
            self._found.acks.append(took)
        else:
            self._found.acks.append(await device.report(1) - due)

    async def _consult(self, due: float) -> None:
        device = self._random.choice(self._devices)
        at = await device.consult(self._desk.records[-1], search=self._random.random() < 1 / 2)
        self._found.consulted.append(at - due)

    async def _brief(self, due: float) -> None:
        _, seq = await self._desk.brief(f"Officers to note, {self._n}", scopes.FORCE)
        arrivals = Arrivals(len(self._devices))
        for device in self._devices:
            device.expect(seq, arrivals)
        await arrivals.all_there.wait()
        self._found.briefed.append(arrivals.last_at - due)


def _kill(pid: int) -> None:
    """End the server and its writer with no word of warning."""
    for each in (*children(pid), pid):
        os.kill(each, signal.SIGKILL)


def _lost(database: Path, devices: Sequence[Light]) -> int:
    """How many ops that were acknowledged are not in a server's file, or are there while their record is older."""
    connection = sqlite3.connect(database)
    kept_ops: set[tuple[str, int]] = set(connection.execute("SELECT device, n FROM op"))
    versions: dict[str, int] = dict(connection.execute("SELECT id, version FROM record"))
    connection.close()
    missing = sum((one.name, n) not in kept_ops for one in devices for n in range(1, one.acknowledged + 1))
    older = sum(versions.get(record, -1) < seq for one in devices for record, seq in one.versions.items())
    return missing + older
