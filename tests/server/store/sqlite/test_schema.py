"""The tables, their versions, and how their file is opened."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import StoreError
from schemas.ids import Seq
from schemas.wire import Range
from server.store.masters import MasterKeys
from server.store.sqlite import reader, schema
from server.store.sqlite.sealed import SealedTables
from server.store.sqlite.writer import SqliteWriter
from server.store.vault import Vault
from tests.server.store.support import DESK, NOW, Device, area, record_id

COMMIT_AND_DIE = """
import os, sys
from pathlib import Path
from server.store.sqlite.writer import SqliteWriter
from tests.server.store.support import DESK, NOW, Device, record_id
device = Device(DESK)
writer = SqliteWriter.open(Path(sys.argv[1]))
for i in range(200):
    writer.commit([device.push(device.incident(record_id(1_000 + i)))], NOW)
os._exit(9)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with 300 records, closed in order."""
    device = Device()
    writer = SqliteWriter.open(tmp_path / "data")
    for i in range(3):
        ops = [device.incident(record_id(100 * i + k)) for k in range(100)]
        writer.commit([device.push(*ops)], NOW)
    writer.close()
    return tmp_path / "data"


@pytest.fixture
def crashed(data: Path) -> Path:
    """A data folder with 300 records in the database and 200 more in the WAL that its dead writer left."""
    root = Path(__file__).resolve().parents[4]
    died = subprocess.run(
        [sys.executable, "-c", COMMIT_AND_DIE, str(data)],
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert died.returncode == 9
    assert (data / "beatbook.db-wal").stat().st_size > 100_000
    return data


# --- the library -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "one_only"),
    [
        ((3, 37, 0), True),
        ((3, 40, 1), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_the_library_decides_who_may_checkpoint(library: tuple[int, ...], *, one_only: bool) -> None:
    """Before 3.51.3 two connections that write or checkpoint can corrupt the WAL."""
    assert schema.one_checkpointer_only(library) is one_only


def test_a_library_that_is_too_old_is_refused() -> None:
    """Without STRICT tables nothing starts, and the text says what is needed."""
    with pytest.raises(StoreError, match=r"SQLite 3\.36\.0 is too old; Beatbook needs 3\.37\.0 or newer"):
        schema.one_checkpointer_only((3, 36, 0))


# --- how connections are opened --------------------------------------------------------------------------------------


def test_the_writer_syncs_every_commit(data: Path) -> None:
    """Promise 1 hangs on these: WAL with synchronous FULL (2), asked of the writer's own connection."""
    writer = SqliteWriter.open(data)
    try:
        ask = writer._connection.execute
        assert ask("PRAGMA synchronous").fetchone() == (2,)
        assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ask("PRAGMA fullfsync").fetchone() == (1,)
        assert ask("PRAGMA checkpoint_fullfsync").fetchone() == (1,)
        assert ask("PRAGMA wal_autocheckpoint").fetchone()[0] > 0
    finally:
        writer.close()


def test_a_reader_can_neither_write_nor_checkpoint(data: Path) -> None:
    """Exactly one connection writes and checkpoints, on every library; so the old ones are safe too."""
    writer = SqliteWriter.open(data)
    device = Device()
    device.n = 1_000
    writer.commit([device.push(device.incident(record_id("new")))], NOW)
    with closing(schema.open_reader(data / "beatbook.db")) as connection:
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        assert connection.execute("PRAGMA query_only").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM record")
        connection.execute("PRAGMA query_only = OFF")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM record")
        with pytest.raises(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    writer.close()


def test_the_last_reader_to_close_leaves_the_wal_alone(crashed: Path) -> None:
    """With its writer dead, the database is read in full, and closing the only connection changes no byte of it."""
    files = [crashed / "beatbook.db", crashed / "beatbook.db-wal"]
    before = [file.read_bytes() for file in files]
    connection = schema.open_reader(files[0])
    assert connection.execute("SELECT count(*) FROM record WHERE kind = 'incident'").fetchone() == (500,)
    connection.close()
    assert [file.read_bytes() for file in files] == before


def test_a_reader_makes_no_file(tmp_path: Path) -> None:
    """A reader of a database that is not there fails and leaves nothing behind."""
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        schema.open_reader(tmp_path / "beatbook.db").execute("SELECT 1 FROM record")
    assert list(tmp_path.iterdir()) == []


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    """The path travels in a URI; what means something there must not."""
    folder = tmp_path / "a b?mode=memory#%41"
    SqliteWriter.open(folder).close()
    assert (folder / "beatbook.db").stat().st_size > 0
    with closing(schema.open_reader(folder / "beatbook.db")) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone() == (0,)


def test_a_clean_close_folds_the_wal_in(data: Path) -> None:
    """After an orderly end the one file is everything: it can be copied as it lies."""
    assert sorted(file.name for file in data.iterdir()) == ["FORMAT", "beatbook.db", "lock", "master.key"]


# --- versions --------------------------------------------------------------------------------------------------------


def test_a_newer_database_is_refused_untouched(data: Path) -> None:
    """A table's version from a newer program is as final as a folder's format."""
    with closing(sqlite3.connect(data / "beatbook.db")) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = (data / "beatbook.db").read_bytes()
    told = rf"version {schema.VERSION + 1}, from a newer program.*Nothing was touched: update"
    with pytest.raises(StoreError, match=told):
        SqliteWriter.open(data)
    assert (data / "beatbook.db").read_bytes() == before


def test_an_older_database_is_brought_up_to_date(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each migration runs once, in order, and what was there stays; test_migration.py does it to a real old one."""
    further = ("ALTER TABLE record ADD COLUMN extra TEXT", "CREATE INDEX record_extra ON record (extra)")
    newer = schema.VERSION + 1
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, further))
    monkeypatch.setattr(schema, "VERSION", newer)
    for _ in range(2):
        writer = SqliteWriter.open(data)
        ask = writer._connection.execute
        assert ask("PRAGMA user_version").fetchone() == (newer,)
        assert ask("SELECT count(*), count(extra) FROM record WHERE kind = 'incident'").fetchone() == (300, 0)
        writer.close()


def test_a_migration_that_fails_leaves_the_database_as_it_was(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a migration or nothing: the old program can still open the folder."""
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE extra (x)", "CREATE NONSENSE")))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(StoreError, match="syntax error"):
        SqliteWriter.open(data)
    monkeypatch.undo()
    writer = SqliteWriter.open(data, wait_s=0)
    assert writer._connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'").fetchone() == (0,)
    writer.close()


# --- what is no database of ours -------------------------------------------------------------------------------------


def test_another_programs_database_is_refused_untouched(data: Path) -> None:
    """SQLite's head names the application; without our name nothing is written."""
    with closing(sqlite3.connect(data / "beatbook.db")) as connection:
        connection.execute("PRAGMA application_id = 7")
    before = (data / "beatbook.db").read_bytes()
    with pytest.raises(StoreError, match="is not a Beatbook database"):
        SqliteWriter.open(data)
    assert (data / "beatbook.db").read_bytes() == before


@pytest.mark.parametrize("damage", ["empty", "noise", "head", "cut", "middle", "no epoch"])
def test_a_damaged_database_is_refused_untouched(data: Path, damage: str) -> None:
    """Whatever is wrong with it: a clear refusal, no repair, no new database, and not one byte of it changed."""
    database = data / "beatbook.db"
    raw = bytearray(database.read_bytes())
    match damage:
        case "empty":
            raw.clear()
        case "noise":
            raw[:] = bytes(range(256)) * 100
        case "head":
            raw[:16] = b"SQLite format 4\0"
        case "cut":
            del raw[len(raw) // 2 :]
        case "middle":
            raw[20_000:60_000] = b"\xa5" * 40_000
        case _:
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("DELETE FROM meta WHERE key = 'epoch'")
                connection.commit()
            raw[:] = database.read_bytes()
    database.write_bytes(raw)
    with pytest.raises(StoreError, match=r"damaged|is not a Beatbook database|is no database|does not say its epoch"):
        SqliteWriter.open(data)
    assert database.read_bytes() == raw


def test_damage_under_a_wal_is_refused_with_both_untouched(crashed: Path) -> None:
    """A refusal must not fold the WAL of a crashed server into a database that is broken."""
    database, wal = crashed / "beatbook.db", crashed / "beatbook.db-wal"
    raw = bytearray(database.read_bytes())
    raw[20_000:60_000] = b"\xa5" * 40_000
    database.write_bytes(raw)
    before = database.read_bytes(), wal.read_bytes()
    with pytest.raises(StoreError, match="damaged"):
        SqliteWriter.open(crashed)
    assert (database.read_bytes(), wal.read_bytes()) == before


def test_a_crashed_database_is_gone_on_with(crashed: Path) -> None:
    """What was committed before the crash is there after it."""
    writer = SqliteWriter.open(crashed)
    device = Device(DESK)
    device.n = 200
    (settled,) = writer.commit([device.push(device.incident(record_id("after")))], NOW)
    assert settled.seq == 204
    assert settled.scopes[0].head.count == 501
    writer.close()


# --- what reads cost -------------------------------------------------------------------------------------------------


def test_no_read_sorts_or_scans(data: Path) -> None:
    """Every bounded read walks an index in its order: a page costs the page, whatever the scope holds."""
    plans: dict[str, str] = {}
    with closing(schema.open_reader(data / "beatbook.db")) as connection:

        class Planning(sqlite3.Connection):
            """Notes the plan of every statement that a read runs."""

            def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:  # noqa: ANN401  the base's own type
                plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
                plans[sql] = "; ".join(str(row[3]) for row in plan)
                return connection.execute(sql, values)

        keys = MasterKeys.read(data / "master.key")
        planning = SealedTables(Planning(":memory:"), Vault(keys, data / "beatbook.db"))
        where = area("birmingham")
        reader.read_changes(planning, where, Seq(0))
        reader.read_page(planning, where, "", "")
        reader.read_page(planning, where, "", "f")
        reader.read_ranges(planning, where, [Range(after="", upto=record_id(1), digest=bytes(32), count=0)])
        reader.read_records(planning, "incident", None, "", 5)
        reader.read_records(planning, "incident", where, "", 5)
        reader.read_last_op(planning, Device().device)
        reader.read_record(planning, record_id(1))
        reader.read_ops(planning, None, 0, 5)
        reader.read_ops(planning, record_id(1), 0, 5)
        reader.read_journal(planning, None, 0, 5)
        reader.read_journal(planning, "act", 0, 5)
        reader.read_entry(planning, "act", "one")
        planning.connection.close()
    assert len(plans) == 14
    (of_one_record,) = [plan for sql, plan in plans.items() if "FROM op" in sql and "record = ?" in sql]
    assert "op_by_record" in of_one_record, "walking all ops for those of one record costs all of them"
    for sql, plan in plans.items():
        assert "TEMP B-TREE" not in plan, sql
        assert "SCAN" not in plan, sql
