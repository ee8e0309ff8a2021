"""Nothing on the disk is in the clear: planted words are looked for in every file, and found where they are clear."""

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Final

import pytest

from schemas.errors import ReplicaError
from schemas.ids import OpNumber
from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from sync.device import DeviceIdentity, Handheld, HeldKey
from sync.outbox import OpState
from tests.sync.device.support import BIRMINGHAM, KEY, contents, incident, opened, record_id
from tests.toy_server import toy_server

SUMMARY: Final = "Quillfeather seen near the aqueduct"
ENTRY: Final = "Spoke to Mrs Oddsocks of Number Nowhere"
ARRIVED: Final = "Marmalade smuggled at dawn"
PLANTED: Final = ("Quillfeather", "Oddsocks", "Marmalade", "WM-77-PLANTED", "summary", "incident", "area:birmingham")
"""Content, author, and what would give away that there is content: names of fields, kinds and scopes."""


def in_clear(*folders: Path) -> dict[str, list[str]]:
    """File -> the planted words that can be read in it, as UTF-8 or UTF-16, in any case."""
    found = {}
    for folder in folders:
        for name, raw in contents(folder).items():
            lowered = raw.lower()
            words = [
                word
                for word in PLANTED
                if word.lower().encode() in lowered or word.lower().encode("utf-16-le") in lowered
            ]
            if words:
                found[name] = words
    return found


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for temporary files of everything in this process."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    for name in ("TMPDIR", "SQLITE_TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(folder))
    return folder


async def work(handheld: Handheld) -> None:
    """What an officer does, and some reading."""
    for _ in range(50):
        written = await handheld.create(incident(SUMMARY, log=(LogEntry(text=ENTRY),)))
        await handheld.append(written.record, "log", LogEntry(text=ENTRY))
    assert len(await handheld.find(Incident, summary=SUMMARY)) >= 50


async def test_no_word_of_a_replica_can_be_read_on_the_disk(tmp_path: Path, temporary: Path) -> None:
    """Not in the database, its journals or temporary files; not while it is open and in sync, nor after closing."""
    identity = DeviceIdentity.generate("hh-0042")
    replica = tmp_path / "replica"
    async with toy_server([(identity, [BIRMINGHAM])]) as toy:
        async with await opened(replica, identity, author="WM-77-PLANTED", server=toy.url) as handheld:
            await work(handheld)
            stream = handheld.changes()
            await toy.make(record_id(1), incident(ARRIVED))
            while await handheld.get(Incident, record_id(1)) is None:
                await anext(stream)
            await handheld.wait_until(lambda status: status.caught_up and status.waiting == 0)
            # A sort far past the page cache, which would spill to a file if it could.
            await handheld._replica._database.read(
                lambda sql: sql.execute(
                    "SELECT a.body FROM op a, op b, (SELECT 1 UNION SELECT 2) ORDER BY random(), a.body"
                ).fetchall()
            )
            files = contents(replica)
            assert {"replica.db", "replica.db-wal", "replica.db-shm"} <= set(files)
            assert len(files["replica.db"]) + len(files["replica.db-wal"]) > 50_000
            assert in_clear(replica, temporary) == {}
        assert in_clear(replica, temporary) == {}
    assert "replica.db-wal" not in contents(replica)


async def test_the_search_finds_what_is_in_clear(tmp_path: Path, temporary: Path) -> None:
    """The same ops in a database without encryption are found, in the file and in its journal: the search can see."""
    identity = DeviceIdentity.generate("hh-0042")
    async with await opened(tmp_path / "replica", identity, author="WM-77-PLANTED") as handheld:
        await work(handheld)
        bodies = await handheld._store.read(
            lambda held: [(op.body,) for op in held.tables.ops_in(OpState, OpNumber(0), 1_000)]
        )
    plain = tmp_path / "plain"
    await asyncio.to_thread(os.mkdir, plain)
    connection = sqlite3.connect(plain / "replica.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE op (body BLOB)")
    connection.executemany("INSERT INTO op VALUES (?)", bodies)
    found = in_clear(plain, temporary)
    assert {"Quillfeather", "Oddsocks", "WM-77-PLANTED", "summary"} <= set(found["replica.db-wal"])
    connection.close()
    assert {"Quillfeather", "Oddsocks", "WM-77-PLANTED", "summary"} <= set(in_clear(plain)["replica.db"])


async def test_errors_and_representations_do_not_show_the_key(tmp_path: Path) -> None:
    """Whatever ends up in a log holds nothing that opens the replica."""
    identity = DeviceIdentity.generate("hh-0042")
    async with await opened(tmp_path / "replica", identity) as handheld:
        with pytest.raises(ReplicaError) as caught:
            await handheld._replica._database.read(lambda sql: sql.execute("SELECT nonsense"))
        shown = f"{caught.value!r} {caught.value.__cause__!r} {HeldKey(KEY)!r} {identity!r} {handheld!r}"
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
