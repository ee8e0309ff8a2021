"""`replica`: an officer's edit on the handheld itself, with no server: until it is durable in the encrypted replica.

The floor is a plain SQLite database in which as many rows change in one durable transaction: the op, and the record.
"""

import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.contact import wall_clock
from loadtest.bench.figures import percentile, spread
from loadtest.bench.force import Said, ms
from loadtest.bench.machine import cores, facts, pin
from loadtest.bench.outcome import Outcome, outcome
from schemas.ids import DeviceId
from schemas.kinds import Incident
from schemas.kinds.incident import Category
from sync.device import Handheld, HeldKey
from sync.device.keys import KEY_BYTES, DeviceIdentity

WORDS: Final = {
    "edit_p50_ms": "edit, p50, ms",
    "edit_p99_ms": "edit, p99, ms",
    "read_p50_ms": "a record read, p50, ms",
    "plain_p50_ms": "as many rows in plain SQLite, p50, ms",
    "of_floor": "edit / floor",
}
_ROW_BYTES: Final = 300


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        edits: how many are made in a round, each on the incident reported before it.
        rounds: how many are measured, each on a fresh replica.
    """

    edits: int = 500
    rounds: int = 3


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    where = cores()
    pin(0, where.load)
    rounds, plain = [], []
    with tempfile.TemporaryDirectory() as folder:
        for n in range(size.rounds):
            rounds.append(await _round(Path(folder) / f"replica-{n}", size.edits))
            plain.append(_plain(Path(folder) / f"plain-{n}.db", size.edits))
            said(f"round {n + 1}: an edit took {rounds[-1]['edit_p50_ms']:.2f} ms")
    return outcome(
        "replica",
        size,
        facts(),
        rounds,
        floors={"plain_p50_ms": spread(plain)},
        ratios={"of_floor": ("edit_p50_ms", "plain_p50_ms")},
    )


async def _round(folder: Path, edits: int) -> dict[str, float]:
    wrote, read = [], []
    async with Handheld.open(
        folder,
        identity=DeviceIdentity.generate(DeviceId("hh-00001")),
        keys=HeldKey(os.urandom(KEY_BYTES)),
        author="WM00001",
    ) as handheld:
        for n in range(edits):
            incident = Incident(
                opened_at=wall_clock(), area="dudley", category=Category.PUBLIC_SAFETY, summary="Glass breaking"
            )
            made = await handheld.create(incident)
            began = time.perf_counter()
            await handheld.edit(made.record, summary=f"Glass breaking, call {n}")
            wrote.append(time.perf_counter() - began)
            began = time.perf_counter()
            with handheld.for_itself():
                await handheld.get(Incident, made.record)
            read.append(time.perf_counter() - began)
    return {
        "edit_p50_ms": ms(percentile(wrote, 50)),
        "edit_p99_ms": ms(percentile(wrote, 99)),
        "read_p50_ms": ms(percentile(read, 50)),
    }


def _plain(path: Path, edits: int) -> float:
    """How long a transaction takes that adds a row and changes another one, p50 (ms)."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, body BLOB)")
    connection.execute("CREATE TABLE op (n INTEGER PRIMARY KEY, body BLOB)")
    body = os.urandom(_ROW_BYTES)
    connection.executemany("INSERT INTO record VALUES (?, ?)", [(n, body) for n in range(edits)])
    taken = []
    for n in range(edits):
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO op VALUES (?, ?)", (n, body))
        connection.execute("UPDATE record SET body = ? WHERE id = ?", (body[::-1], n))
        connection.execute("COMMIT")
        taken.append(time.perf_counter() - began)
    connection.close()
    return ms(percentile(taken, 50))
