"""A change and the question that follows from it are on disk together or not at all, however the writer ends."""

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import decode_row, reread_op
from schemas.errors import StoreError
from schemas.ids import FieldName
from schemas.kinds import InboxItem
from schemas.limits import PAGE_ROWS_MAX
from schemas.wire import Result
from server.store.sqlite import SqliteStore
from server.store.sqlite.process import WriterProcess
from server.store.sqlite.writer import SqliteWriter
from sync import inbox, merge
from tests.server.store.support import DESK, NOW, Device, Keep, record_id, results_of

ARRESTED = FieldName("arrested_at")
ROUNDS = 60


def booking(device: Device, n: int, changes: dict[str, Any] | None = None) -> bytes:
    """An op on the n-th booking, by someone who saw nothing there; without changes it makes it."""
    made = {"suite": "perry-barr", "detainee": "Robin Example", ARRESTED: NOW}
    given = made if changes is None else changes
    return device.op(record_id(n), "custody-booking", given, create=changes is None, saw={ARRESTED: ()})


def decision(device: Device, n: int) -> bytes:
    """A decision about the n-th booking's time of arrest."""
    item = inbox.item_id(record_id(n), ARRESTED, "")
    return device.op(item, "inbox-item", {"decision": {"value": NOW + 1, "reason": "camera"}})


@pytest.mark.parametrize("table", ["op", "record", "member", "scope"])
@pytest.mark.parametrize("what", ["question", "decision"])
def test_a_write_that_fails_anywhere_in_the_commit_leaves_neither_record(tmp_path: Path, table: str, what: str) -> None:
    """Booking and item are as they were, whichever statement failed; asked again, both change."""
    device, desk = Device(), Device(DESK)
    writer = SqliteWriter.open(tmp_path / "data")
    writer.commit([device.push(booking(device, 1))], NOW)
    if what == "decision":
        writer.commit([desk.push(booking(desk, 1, {ARRESTED: NOW + 1}))], NOW)
    push = desk.push(booking(desk, 1, {ARRESTED: NOW + 1}) if what == "question" else decision(desk, 1))
    item = inbox.item_id(record_id(1), ARRESTED, "")
    before = [writer.state(record_id(1)), writer.state(item)]
    database = tmp_path / "data" / "beatbook.db"
    # The row of the item fails; of `op` and `scope`, the first one.
    blocks = {"op": "1", "record": f"NEW.id = '{item}'", "member": f"NEW.record = '{item}'", "scope": "1"}
    writer._connection.execute(
        f"CREATE TEMP TRIGGER fails BEFORE INSERT ON main.{table} WHEN {blocks[table]}"
        " BEGIN SELECT RAISE(ABORT, 'planted'); END"
    )
    with pytest.raises(StoreError, match="planted"):
        writer.commit([push], NOW)
    assert [writer.state(record_id(1)), writer.state(item)] == before
    writer._connection.execute("DROP TRIGGER fails")
    ((result,),) = [settled.results for settled in writer.commit([push], NOW)]
    assert result.status == "durable"
    assert [writer.state(record_id(1)), writer.state(item)] != before
    found = writer.state(item)
    assert found is not None
    assert inbox.is_open(found) == (what == "question")
    writer.close()
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM record").fetchone() == (2,)


@pytest.mark.e2e
async def test_kills_in_the_middle_of_disagreements_lose_no_question(tmp_path: Path, kept: Keep) -> None:
    """The writer killed under load: every contested booking has its item, and every decision took effect in both."""
    writer = await WriterProcess.open(tmp_path / "data", pause_s=0)
    store = kept(await SqliteStore.over(writer, tmp_path / "data"))
    device, desk = Device(), Device(DESK)
    due = asyncio.Event()
    results: list[Result] = []

    async def push() -> None:
        for n in range(ROUNDS):
            results.extend(results_of(await store.commit([device.push(booking(device, n))], NOW)))
            differing = desk.push(booking(desk, n, {ARRESTED: NOW + 1}))
            results.extend(results_of(await store.commit([differing], NOW)))
            if n % 12 == 6:
                due.set()
            await asyncio.sleep(0)
            if n % 2 == 0:
                results.extend(results_of(await store.commit([desk.push(decision(desk, n))], NOW)))

    async def kill() -> None:
        for _ in range(ROUNDS // 12):
            await due.wait()
            due.clear()
            if (pid := writer.pid) is not None:
                os.kill(pid, signal.SIGKILL)

    await asyncio.gather(push(), kill())
    assert {result.status for result in results} == {"durable"}
    for n in range(ROUNDS):
        subject = await store.record(record_id(n))
        item = await store.record(inbox.item_id(record_id(n), ARRESTED, ""))
        assert subject is not None
        assert item is not None
        built = merge.from_row(decode_row(item)).build()
        assert isinstance(built, InboxItem)
        assert (built.open, built.decision is not None) == (n % 2 == 1, n % 2 == 0)
        assert merge.from_row(decode_row(subject)).values()[ARRESTED] == (NOW + 1 if n % 2 == 0 else NOW)
    ops = await store.ops(None, 0, PAGE_ROWS_MAX)
    assert len({reread_op(one.body).id for one in ops}) == len(ops) == len(results)
    assert sum(bool(one.acts) for one in ops) == ROUNDS + ROUNDS // 2
