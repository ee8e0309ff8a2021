"""The log in the database: written with what it tells of or not at all, and begun in a database that had none."""

import asyncio
import hashlib
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from schemas.codec import reread_op
from schemas.errors import StoreError
from schemas.ids import DeviceId, OpNumber
from server.commits import Submission
from server.logbook import Entry
from server.store.sqlite import SqliteStore
from server.store.sqlite import log as log_tables
from server.store.sqlite.process import WriterProcess
from server.store.sqlite.writer import SqliteWriter
from sync.evidence import leaf, merkle
from sync.evidence.chain import ChainHead, SignedHead, behind, genesis
from sync.evidence.leaf import OpLeaf, RowsLeaf
from tests.server.store.support import NOW, Device, Keep, record_id, whole_log


class Signer:
    """A device whose every push bears the head of its chain, with an entry of the journal beside it."""

    def __init__(self, name: str) -> None:
        """Begin its chain."""
        self.device = Device(DeviceId(name))
        self.head = genesis(self.device.device)

    def push(self, *raws: bytes) -> Submission:
        """The ops, vouched for."""
        before = self.head
        ops = tuple((reread_op(raw).n, hashlib.sha256(raw).digest()) for raw in raws)
        self.head = behind(before, ops)
        signed = SignedHead(self.device.device, before.link, ops, bytes(64))
        entry = Entry("receipt", f"{self.device.device}:{self.head.n}", raws[0])
        return Submission(self.device.device, None, raws, head=signed, entries=(entry,))


@pytest.mark.e2e
async def test_kills_of_the_writer_leave_leaves_rows_and_chains_that_agree(tmp_path: Path, kept: Keep) -> None:
    """Killed five times under load: every op, entry and row has its one leaf, and each chain is where it should be."""
    writer = await WriterProcess.open(tmp_path / "data", pause_s=0)
    store = kept(await SqliteStore.over(writer, tmp_path / "data"))
    signers, due = [Signer(f"hh-{at:04}") for at in range(3)], asyncio.Event()

    async def push() -> None:
        for at in range(75):
            group = [
                one.push(one.device.incident(record_id(f"{one.device.device} {at}")), one.device.note(record_id("0")))
                for one in signers
            ]
            await store.commit(group, NOW)
            if at % 15 == 7:
                due.set()
            await asyncio.sleep(0)

    async def kill() -> None:
        for _ in range(5):
            await due.wait()
            due.clear()
            if (pid := writer.pid) is not None:
                os.kill(pid, signal.SIGKILL)

    await asyncio.gather(push(), kill())
    leaves = await whole_log(store)
    # Of each push two ops, a head, a receipt; and one leaf of rows for each commit, of which a kill makes no more.
    assert len(leaves) == 75 * (3 * 4 + 1)
    for one in signers:
        assert await store.chain(one.device.device) == one.head


def test_a_commit_that_fails_leaves_no_leaf_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is the last that is written; when that fails nothing of the commit is there, whatever was before it."""
    writer = SqliteWriter.open(tmp_path / "data")
    one = Signer("hh-0042")
    writer.commit([one.push(one.device.incident(record_id(1)))], NOW)
    head, n = one.head, one.device.n

    def failing(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(log_tables, "write", failing)
        with pytest.raises(StoreError):
            writer.commit([one.push(one.device.incident(record_id(2)))], NOW)
    # The record beside the incident's is what counts its number.
    count = {
        table: writer._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608  names of ours
        for table in ("op", "record", "journal", "log")
    }
    assert count == {"op": 1, "record": 2, "journal": 2, "log": 4}
    one.head, one.device.n = head, n
    writer.commit([one.push(one.device.incident(record_id(2)))], NOW)
    tree = log_tables.read_tree(writer._connection)
    leaves = log_tables.read_leaves(writer._connection, 0, 100)
    assert (tree.size, len(leaves)) == (8, 8)
    assert tree.root == merkle.EMPTY.appended([merkle.leaf_hash(raw) for raw in leaves])[0].root
    writer.close()


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A data folder whose database has the first tables, and no log."""
    folder = tmp_path / "data"
    SqliteWriter.open(folder).close()
    (folder / "beatbook.db").unlink()
    with closing(sqlite3.connect(folder / "beatbook.db")) as old:
        old.executescript(Path(__file__).with_name("version1.sql").read_text())
        old.execute("PRAGMA journal_mode = WAL")
    return folder


@pytest.mark.parametrize("at_once", [2, 4, 1_000])
async def test_a_database_without_a_log_begins_one_with_what_it_holds(
    older: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Every op in its order, then every row; opened again nothing is added, and what comes then continues that log."""
    monkeypatch.setattr(log_tables, "_AT_ONCE", at_once)
    store = await SqliteStore.open(older, inline=True)
    leaves = await whole_log(store)
    decoded = [leaf.decode(raw) for raw in leaves]
    assert [each.place for each in decoded if isinstance(each, OpLeaf)] == list(range(1, 10))
    assert sum(len(each.rows) for each in decoded if isinstance(each, RowsLeaf)) == 3
    begun = await store.tree()
    await store.close()
    store = await SqliteStore.open(older, inline=True)
    assert await store.tree() == begun
    device = Device(DeviceId("desk-09"))
    await store.commit([Submission(device.device, None, (device.incident(record_id("new")),))], NOW)
    grown = await store.tree()
    assert (await whole_log(store))[: begun.size] == leaves
    proof = await store.consistency(begun.size, grown.size)
    assert merkle.verify_consistency(begun.size, begun.root, grown.size, grown.root, proof)
    await store.close()


async def test_seats_of_a_database_without_chains_begin_theirs(older: Path) -> None:
    """Its ops were never vouched for; a first head tells of them by their hashes, and nothing of them is lost."""
    store = await SqliteStore.open(older, inline=True)
    device, n = DeviceId("hh-0042"), await store.last_op(DeviceId("hh-0042"))
    assert await store.chain(device) is None
    known = {
        read.n: kept.body for kept in await store.ops(None, 0, 100) if (read := reread_op(kept.body)).device == device
    }
    new = Device(device)
    new.n = n
    raw = new.incident(record_id("new"))
    ops = tuple(
        (OpNumber(each), hashlib.sha256(body).digest()) for each, body in sorted((known | {n + 1: raw}).items())
    )
    head = SignedHead(device, genesis(device).link, ops, bytes(64))
    settled = await store.commit([Submission(device, None, (*known.values(), raw), head=head)], NOW)
    results = [result for one in settled for result in one.results]
    assert "op_reused" not in {result.code for result in results}
    assert results[-1].status == "durable"
    assert await store.chain(device) == ChainHead(OpNumber(n + 1), head.head.link)
    await store.close()
