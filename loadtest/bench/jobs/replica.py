"""`replica`: an officer's edit on the handheld itself, with no server: until it is durable in the encrypted replica.

The floor is a plain SQLite database in which as many rows change in one durable transaction: the op, and the record.
And how fast a replica takes pages of a snapshot in, with no server and no wire: beside it as many rows, as many to a
durable transaction, in plain SQLite.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench import plain
from loadtest.bench.contact import wall_clock
from loadtest.bench.figures import percentile, spread
from loadtest.bench.force import Said, ms
from loadtest.bench.machine import cores, facts, pin
from loadtest.bench.outcome import Outcome, outcome
from schemas import wire
from schemas.codec import encode
from schemas.ids import (
    DeviceId,
    Epoch,
    FieldName,
    Generation,
    Millis,
    OfficerId,
    OpNumber,
    RecordId,
    ScopeName,
    Seq,
    new_record_id,
)
from schemas.kinds import Incident
from schemas.kinds.incident import Category
from schemas.ops import Row, Stamp
from sync.device import Handheld, HeldKey
from sync.device.keys import KEY_BYTES, DeviceIdentity
from sync.device.store import ReplicaStore

WORDS: Final = {
    "edit_p50_ms": "edit, p50, ms",
    "edit_p99_ms": "edit, p99, ms",
    "read_p50_ms": "a record read, p50, ms",
    "plain_p50_ms": "as many rows in plain SQLite, p50, ms",
    "bulk_per_s": "records a second, in pages",
    "rows_per_s": "as many rows a second into plain SQLite",
    "of_floor": "edit / floor",
    "bulk_of_floor": "records a second / floor",
}


_SCOPE: Final = ScopeName("area:dudley")
_GEN: Final = Generation(1)
_TEXT: Final = "Glass breaking. " + "x" * 100
"""Of each summary: a record has about 300 bytes then."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the job is.

    Attributes:
        edits: how many are made in a round, each on the incident reported before it.
        records: how many are taken in from pages of a snapshot, each page in one transaction.
        rounds: how many are measured, each on a fresh replica.
    """

    edits: int = 500
    records: int = 10_000
    rounds: int = 3


async def measure(size: Size, said: Said) -> Outcome:
    """Run the job."""
    where = cores()
    pin(0, where.load)
    rounds, bare, bulk = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for n in range(size.rounds):
            edited = await _round(Path(folder) / f"replica-{n}", size.edits)
            rounds.append({**edited, "bulk_per_s": await _bulk(Path(folder) / f"taken-{n}", size.records)})
            bare.append(ms(plain.edit_s(Path(folder) / f"plain-{n}.db", size.edits)))
            bulk.append(plain.rows_per_s(Path(folder) / f"bulk-{n}.db", size.records))
            said(f"round {n + 1}: an edit took {rounds[-1]['edit_p50_ms']:.2f} ms")
    return outcome(
        "replica",
        size,
        facts(),
        rounds,
        floors={"plain_p50_ms": spread(bare), "rows_per_s": spread(bulk)},
        ratios={"of_floor": ("edit_p50_ms", "plain_p50_ms"), "bulk_of_floor": ("bulk_per_s", "rows_per_s")},
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


async def _bulk(folder: Path, records: int) -> float:
    """Records a second that a fresh replica takes in."""
    pages = _pages(records)
    store = await ReplicaStore.open(folder, HeldKey(os.urandom(KEY_BYTES)), DeviceId("hh-00001"))
    try:
        plan = wire.Plan(scope=_SCOPE, gen=_GEN, action="snapshot", seq=Seq(records))
        welcome = wire.Welcome(
            proto=1, schema_min=1, schema_max=1, epoch=Epoch("bench"), server_time=wall_clock(), last_op=OpNumber(0),
            credit=1, scopes=(plan,),
        )  # fmt: skip
        await store.change(lambda held: held.replica.welcome(welcome), _told)
        began = time.perf_counter()
        for page in pages:
            await store.change(lambda held, page=page: held.replica.page(page), _told)  # type: ignore[misc]
        return records / (time.perf_counter() - began)
    finally:
        await store.close()


def _told(*_: object) -> None:
    """Nobody waits for it."""


def _pages(records: int) -> list[wire.Snapshot]:
    """A snapshot of so many incidents, each as another device has made it."""
    now = wall_clock()
    ids = [new_record_id(now, n.to_bytes(10, "big")) for n in range(records)]
    rows = [msgspec.Raw(encode(_row(record, n, now))) for n, record in enumerate(ids, 1)]
    pages = []
    for start in range(0, records, plain.ROWS_AT_ONCE):
        end = start + plain.ROWS_AT_ONCE
        pages.append(
            wire.Snapshot(
                scope=_SCOPE,
                gen=_GEN,
                at=Seq(records),
                after=ids[start - 1] if start else "",
                upto=ids[end - 1] if end < records else "",
                rows=tuple(rows[start:end]),
                last=end >= records,
            )
        )
    return pages


def _row(record: RecordId, n: int, now: Millis) -> Row:
    stamp = Stamp(DeviceId("hh-00002"), OpNumber(n), now, n, OfficerId("WM00002"), now, now, n)
    values = {"opened_at": now, "area": "dudley", "category": "public-safety", "summary": _TEXT}
    cells: dict[FieldName, list[object]] = {FieldName(name): [value, 0] for name, value in values.items()}
    return Row(id=record, kind="incident", v=Seq(n), stamps=[stamp], cells=cells)
