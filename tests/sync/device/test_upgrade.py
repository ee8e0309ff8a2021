"""A replica that an earlier program made gets this program's tables, whole or not at all, with all its ops."""

from pathlib import Path
from typing import Final

import pytest
from sqlcipher3 import dbapi2

from schemas.errors import ReplicaError
from schemas.ids import OpNumber, RecordId
from sync.device import layout as formats
from sync.device import sqlcipher
from sync.device.database import EncryptedDatabase
from sync.device.keys import HeldKey
from sync.device.layout import FORMAT, Sql
from sync.device.sqlcipher import SqlTables
from sync.outbox import OpState, Untaken
from sync.replica import StoredOp
from tests.sync.device.support import KEY, record_id

FORMAT_1: Final = """
DROP TABLE record_key;
DROP TABLE ring;
DROP TABLE reading;
DROP TABLE sealed;
DROP TABLE op;
CREATE TABLE op (
    n INTEGER PRIMARY KEY, record TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
    body BLOB NOT NULL, seq INTEGER NOT NULL, scopes TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX op_by_state ON op (state, n);
CREATE INDEX op_pending ON op (record, n) WHERE state <> 'settled';
CREATE INDEX op_pending_by_kind ON op (kind, record) WHERE state <> 'settled';
INSERT INTO op VALUES (1, 'R', 'incident', 'settled', x'01', 7, '', '', '');
INSERT INTO op VALUES (2, 'R', 'incident', 'held', x'02', 0, '', 'op_value_wrong', 'grade');
INSERT INTO op VALUES (3, 'R', 'incident', 'queued', x'03', 0, '', 'op_value_wrong', 'behind op 2');
INSERT INTO op VALUES (4, 'S', 'incident', 'durable', x'04', 9, 'area:birmingham', '', '');
INSERT INTO row VALUES ('R', 'incident', 7, x'726f77');
INSERT INTO row VALUES ('T', 'briefing', 8, x'');
INSERT INTO meta VALUES ('next_op', x'35');
PRAGMA user_version = 1
"""
"""The tables as the first release laid them out, with an op in each of its states."""
FORMAT_2: Final = f"""
{FORMAT_1};
ALTER TABLE op ADD COLUMN became INTEGER NOT NULL DEFAULT 0;
ALTER TABLE op ADD COLUMN why TEXT NOT NULL DEFAULT '';
DROP INDEX op_pending;
DROP INDEX op_pending_by_kind;
CREATE INDEX op_pending ON op (record, n) WHERE state NOT IN ('settled', 'mended', 'withdrawn', 'reissued');
CREATE INDEX op_pending_by_kind ON op (kind, record) WHERE state NOT IN ('settled', 'mended', 'withdrawn', 'reissued');
PRAGMA user_version = 2
"""
"""The same as the second format had them."""
OLD: Final = {1: FORMAT_1, 2: FORMAT_2}
RECORD: Final = record_id(1)


def raw(folder: Path) -> Sql:
    """A connection past all of our own code."""
    connection: Sql = dbapi2.connect(str(folder / "replica.db"), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{KEY.hex()}'\"")
    return connection


def layout(sql: Sql) -> list[tuple[str, str]]:
    """Columns of the table of ops, its indexes, and which tables there are."""
    columns = sql.execute("SELECT name, type FROM pragma_table_info('op')").fetchall()
    indexes = sql.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'op' AND sql IS NOT NULL ORDER BY name"
    ).fetchall()
    tables = sql.execute("SELECT name, type FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    return [*columns, *indexes, *tables]


def version(sql: Sql) -> int:
    """The version of the tables."""
    found: int = sql.execute("PRAGMA user_version").fetchone()[0]
    return found


@pytest.fixture(params=OLD)
async def old(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The folder of a replica of an earlier format."""
    folder = tmp_path / "replica"
    await (await EncryptedDatabase.open(folder, HeldKey(KEY))).close()
    connection = raw(folder)
    for statement in OLD[request.param].replace("'R'", f"'{RECORD}'").split(";"):
        connection.execute(statement)
    connection.close()
    return folder


async def test_an_earlier_replica_gets_this_program_s_tables(old: Path, tmp_path: Path) -> None:
    """The same columns and indexes as a new one; opened again, nothing is left to do."""
    new = await EncryptedDatabase.open(tmp_path / "new", HeldKey(KEY))
    for _ in range(2):
        database = await EncryptedDatabase.open(old, HeldKey(KEY))
        assert await database.read(layout) == await new.read(layout)
        assert await database.read(version) == FORMAT
        await database.close()
    await new.close()


async def test_every_op_of_an_earlier_replica_is_there_and_as_it_was(old: Path) -> None:
    """Held with its reason, waiting to be sent, durable; the next number goes on from where it was."""
    database = await EncryptedDatabase.open(old, HeldKey(KEY))

    def look(sql: Sql) -> list[StoredOp | None]:
        tables = SqlTables(sql)
        assert tables.meta("next_op") == b"5"
        assert [op.n for op in tables.pending_ops(RECORD)] == [2, 3]
        assert tables.records_of_kind("incident") == sorted([RecordId("S"), RECORD])
        return [tables.op(OpNumber(n)) for n in (1, 2, 3, 4)]

    ops = await database.read(look)
    assert [op and (op.state, op.body, op.became, op.why) for op in ops] == [
        (OpState.SETTLED, b"\x01", 0, ""),
        (OpState.HELD, b"\x02", 0, ""),
        (OpState.QUEUED, b"\x03", 0, ""),
        (OpState.DURABLE, b"\x04", 0, ""),
    ]
    assert [op and op.untaken for op in ops] == [Untaken.NO, Untaken.EVER, Untaken.NO, Untaken.NO]
    assert ops[1] is not None
    assert (ops[1].code, ops[1].detail) == ("op_value_wrong", "grade")
    await database.close()


async def test_every_body_of_an_earlier_replica_is_sealed_and_comes_back(old: Path) -> None:
    """Each record under a key of its own; in the tables nothing lies open any more."""
    database = await EncryptedDatabase.open(old, HeldKey(KEY))

    def look(sql: Sql) -> None:
        tables = SqlTables(sql)
        assert (tables.row(RECORD), tables.row(RecordId("T"))) == (b"row", b"")
        assert tables.row_version(RECORD) == 7
        assert {len(body) for (body,) in sql.execute("SELECT body FROM row").fetchall()} == {28, 28 + 3}
        said = sql.execute("SELECT length(body), detail, why FROM op").fetchall()
        assert all(length > 28 + 1 and (detail, why) == ("", "") for length, detail, why in said)
        keys = sql.execute("SELECT wrapped FROM record_key").fetchall()
        assert (len(keys), len(set(keys)), {len(key) for (key,) in keys}) == (3, 3, {60})
        assert not tables.ring_due()

    await database.read(look)
    await database.close()


STOPS: Final = [(version, stop) for version, whole in formats._UPGRADES.items() for stop in range(whole.count(";") + 1)]
"""After which statement of which upgrade it stops."""


@pytest.mark.parametrize(("to", "stop"), [*STOPS, *((to, "sealing") for to in formats._UPGRADE_WORK)])
async def test_an_upgrade_that_fails_leaves_the_earlier_replica_as_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch, to: int, stop: int | str
) -> None:
    """Wherever it stops, among the statements or when bodies are sealed; and the next attempt carries it through."""
    connection = raw(old)
    before, found = (layout(connection), connection.execute("SELECT * FROM op").fetchall()), version(connection)
    connection.close()
    if isinstance(stop, int):
        whole = formats._UPGRADES[to].split(";")
        monkeypatch.setitem(formats._UPGRADES, to, ";".join([*whole[:stop], "SELECT nonsense"]))
    else:
        sealing = formats._UPGRADE_WORK[to]

        def fail(connection: Sql) -> None:
            sealing(connection)
            connection.execute("SELECT nonsense")

        monkeypatch.setitem(formats._UPGRADE_WORK, to, fail)
    if to > found:
        with pytest.raises(ReplicaError, match="database failed: no such column: nonsense"):
            await EncryptedDatabase.open(old, HeldKey(KEY))
        monkeypatch.undo()
        checked = raw(old)
        assert ((layout(checked), checked.execute("SELECT * FROM op").fetchall()), version(checked)) == (before, found)
        checked.close()
    await (await EncryptedDatabase.open(old, HeldKey(KEY))).close()


async def test_the_statements_about_pending_ops_use_their_indexes(tmp_path: Path) -> None:
    """Settled and ended ops are most of the table: asking by record must not walk past them."""
    database = await EncryptedDatabase.open(tmp_path / "replica", HeldKey(KEY))

    def plans(sql: Sql) -> list[str]:
        asked = (
            (sqlcipher._OPS_PENDING, ("R",)),
            (sqlcipher._OPS_OF, ("R",)),
            (sqlcipher._KIND_PENDING, ("R",)),
            (sqlcipher._RECORDS_OF_KIND, ("k",)),
        )
        return [
            " ".join(str(row[3]) for row in sql.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())
            for statement, values in asked
        ]

    by_record, all_of, kind, by_kind = await database.read(plans)
    assert "USING INDEX op_pending (" in by_record
    assert "INDEX op_by_record (" in all_of
    assert "USING INDEX op_pending (" in kind
    assert "INDEX op_pending_by_kind (" in by_kind
    await database.close()
