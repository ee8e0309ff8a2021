"""`bootstrap`: a fresh handheld takes a whole area into its encrypted replica.

The handheld is the real one, with its database on this machine's disk: what is measured ends when every record is in
it, decrypted by nobody but it, and durable. The floor is a plain SQLite database that takes rows of as many bytes.
"""

import os
import time
from typing import Final

import msgspec

from loadtest.bench import plain
from loadtest.bench.figures import spread
from loadtest.bench.force import HOST, Force, Said, gathered, kept
from loadtest.bench.light import Light
from loadtest.bench.machine import Usage
from loadtest.bench.outcome import Outcome, outcome
from schemas.kinds import Incident
from schemas.limits import OPS_PER_PUSH_MAX
from sync.device import Handheld, HeldKey
from sync.device.keys import KEY_BYTES

WORDS: Final = {
    "records_per_s": "records a second, into the encrypted replica",
    "seconds": "until all of them are there, s",
    "wire_mb": "bytes on the wire, MB",
    "server_cores": "cores used by the server",
    "load_cores": "cores used by the handheld",
    "rows_per_s": "rows a second into plain SQLite",
    "of_floor": "records a second / floor",
}
_AREA: Final = "everything"
_TEXT_CHARS: Final = 150
"""Of each summary: a record has about 300 bytes then."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        records: how many a handheld takes in.
        rounds: how many fresh handhelds are measured, behind one that warms up.
    """

    records: int = 10_000
    rounds: int = 3


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    async with gathered() as force:
        (desk,) = await force.enrol(Light, "WM00001", [_AREA])
        fresh = await force.enrol(Light, "WM00002", [_AREA] * (size.rounds + 2))
        await force.connect([desk])
        said(f"reporting {size.records} incidents")
        async with kept([desk]):
            for start in range(0, size.records, OPS_PER_PUSH_MAX):
                await desk.report(min(OPS_PER_PUSH_MAX, size.records - start), "Glass breaking. " + "x" * _TEXT_CHARS)
        counting, *handhelds = fresh
        await force.connect([counting])
        wire_mb = counting.wire.bytes_in / 1e6
        counting.go()
        rounds = []
        for n, device in enumerate(handhelds):
            figures = {**await _take_in(force, device, size.records), "wire_mb": wire_mb}
            rounds += [figures] if n else []
            said(f"{f'round {n}' if n else 'warm-up'}: {figures['records_per_s']:.0f} records a second")
        return outcome(
            "bootstrap",
            size,
            force.machine,
            rounds,
            floors={
                "rows_per_s": spread(plain.rows_per_s(force.folder / f"plain-{n}.db", size.records) for n in range(3))
            },
            ratios={"of_floor": ("records_per_s", "rows_per_s")},
        )


async def _take_in(force: Force, device: Light, records: int) -> dict[str, float]:
    server, load = Usage(force.server.pid), Usage(os.getpid(), alone=True)
    began = time.perf_counter()
    async with Handheld.open(
        force.folder / device.name,
        identity=device.identity,
        keys=HeldKey(os.urandom(KEY_BYTES)),
        author=device.officer,
        server=f"ws://{HOST}:{force.server.port}",
    ) as handheld:
        await handheld.wait_until(lambda status: status.caught_up)
        passed = time.perf_counter() - began
        used = server.share(), load.share()
        with handheld.for_itself():
            held = len(await handheld.find(Incident))
    if held != records:
        raise ValueError(f"the handheld holds {held} of {records} records: what was measured is not the whole")
    return {
        "records_per_s": records / passed,
        "seconds": passed,
        "server_cores": used[0],
        "load_cores": used[1],
    }
