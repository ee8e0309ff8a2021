"""A database that the first released tables hold, with rows and ops in it, goes on under the tables of today.

`version1.sql` was written by the program of that time, row for row: two handhelds, a time of arrest that is contested,
a refused op, an incident that moved from one area to another, a briefing.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio

from schemas import scopes
from schemas.codec import decode_row, reread_op
from schemas.errors import StoreError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import InboxItem
from schemas.ops import Op
from schemas.wire import Result
from server.commits import Submission
from server.store.masters import MasterKeys
from server.store.sqlite import SqliteStore, schema
from server.store.sqlite.sealed import SealedTables
from server.store.sqlite.writer import SqliteWriter
from server.store.vault import Subject, Vault
from sync import digest, inbox, merge
from tests.server.store.support import picture

OLD: Final = Path(__file__).with_name("version1.sql")
INCIDENT = RecordId("0199c8a1-7c00-7a11-8b22-0000000000a1")
BRIEFING = RecordId("0199c8a1-7c00-7a11-8b22-0000000000b2")
BOOKING = RecordId("0199c8a1-7c00-7a11-8b22-0000000000c3")
ARRESTED = FieldName("arrested_at")
SUITE = scopes.suite("perry-barr")
T0: Final = 1_760_000_000_000
AT = Millis(T0 + 3_600_000)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose database has the first tables."""
    folder = tmp_path / "data"
    SqliteWriter.open(folder).close()
    (folder / "beatbook.db").unlink()
    with closing(sqlite3.connect(folder / "beatbook.db")) as old:
        old.executescript(OLD.read_text())
        old.execute("PRAGMA journal_mode = WAL")
    return folder


def old_tables(data: Path) -> dict[str, list[Any]]:
    """All that the tables of the first version hold."""
    columns = {
        "op": "place, device, n, record, seq, digest, body, result, recorded_at",
        "record": "id, kind, version, body",
        "member": "scope, record, seq, gone",
        "scope": "name, seq, digest, count",
        "meta": "key, value",
    }
    with closing(sqlite3.connect(data / "beatbook.db")) as connection:
        found = {
            table: connection.execute(f"SELECT {names} FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608
            for table, names in columns.items()
        }
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version >= schema.SEALED_SINCE:
            tables = SealedTables(connection, Vault(MasterKeys.read(data / "master.key"), data / "beatbook.db"))
            found["record"] = [
                (*row[:3], _opened(tables, row[0], "record.body", row[0], row[3])) for row in found["record"]
            ]
            found["op"] = [
                (
                    *row[:6],
                    _opened(tables, row[3], "op.body", f"{row[1]}/{row[2]}", row[6]),
                    tables.result((row[1], row[2]), row[3], _wrapped(tables, row[3]), row[7]),
                    row[8],
                )
                for row in found["op"]
            ]
            found["meta"] = [row for row in found["meta"] if row[0] != "masters"]
    return found


def _wrapped(tables: SealedTables, record: str) -> bytes:
    (found,) = tables.connection.execute("SELECT wrapped FROM record_key WHERE record = ?", (record,)).fetchone()
    return bytes(found)


def _opened(tables: SealedTables, record: str, place: str, row: str, sealed: bytes) -> bytes:
    return tables.opened((place, row), Subject(record), _wrapped(tables, record), sealed)


@pytest_asyncio.fixture
async def store(data: Path) -> AsyncIterator[SqliteStore]:
    """The folder, opened by the program of today."""
    store = await SqliteStore.open(data, inline=True)
    yield store
    await store.close()


async def push(store: SqliteStore, n: int, record: RecordId, kind: str, changes: dict[str, Any], **more: Any) -> Result:  # noqa: ANN401
    """Commit one op of a desk that holds the suite and its inbox."""
    op = Op(
        device=DeviceId("desk-01"),
        n=OpNumber(n),
        record=record,
        kind=kind,
        author=OfficerId("WM40001"),
        hlc=(AT + n, 0),
        occurred_at=AT,
        wall=AT,
        changes={FieldName(name): value for name, value in changes.items()},
        **more,
    )
    held = frozenset({SUITE, scopes.inbox(SUITE), scopes.area("solihull")})
    (settled,) = await store.commit([Submission(op.device, held, (msgspec.msgpack.encode(op),))], AT)
    return settled.results[0]


def test_the_tables_are_brought_up_to_date_and_what_they_hold_stays(data: Path) -> None:
    """Not a byte of a row, an op, a result or a digest is another one; opening once more changes nothing further."""
    with closing(sqlite3.connect(data / "beatbook.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    before = old_tables(data)
    assert [len(before[table]) for table in ("op", "record", "member", "scope")] == [9, 3, 5, 5]
    for _ in range(2):
        SqliteWriter.open(data).close()
        assert old_tables(data) == before
        with closing(sqlite3.connect(data / "beatbook.db")) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
            assert connection.execute("SELECT DISTINCT acts FROM op").fetchall() == [(b"\x90",)]


def test_a_crash_in_the_middle_of_the_migration_leaves_the_old_database(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction: the program of that time can still open it, and the next start tries again."""
    before = old_tables(data)
    first, *between, last = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (first, *between, (*last, "CREATE NONSENSE")))
    with pytest.raises(StoreError, match="syntax error"):
        SqliteWriter.open(data)
    with closing(sqlite3.connect(data / "beatbook.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        names = {row[1] for row in connection.execute("PRAGMA table_info(op)")}
    assert "acts" not in names
    monkeypatch.undo()
    SqliteWriter.open(data).close()
    assert old_tables(data) == before


async def test_devices_go_on_where_they_were(store: SqliteStore) -> None:
    """Epoch, heads, logs and digests are the old ones: nobody is sent a snapshot because of the update."""
    assert store.epoch == "00c0ffee00c0ffee"
    heads = await store.heads()
    assert {scope: (head.seq, head.count) for scope, head in heads.items()} == {
        "area:birmingham": (4, 0),
        "area:birmingham:briefing": (3, 1),
        "area:solihull": (4, 1),
        "force:briefing": (3, 1),
        "suite:perry-barr": (2, 1),
    }
    seen = await picture(store)
    for scope, members in seen["pages"].items():
        assert seen["logs"][scope] == (members, heads[scope])
        assert heads[scope].digest == digest.of(list(members.items()))


async def test_old_ops_are_told_with_their_results_and_no_acts(store: SqliteStore) -> None:
    """In the order in which they were decided, refused ones too; what they did was not written down then."""
    kept = await store.ops(None, 0, 100)
    assert [(one.place, one.seq, one.result.status) for one in kept] == [
        (1, 1, "durable"),
        (2, 1, "durable"),
        (3, 2, "durable"),
        (4, 2, "durable"),
        (5, 2, "refused"),
        (6, 2, "durable"),
        (7, 3, "durable"),
        (8, 3, "durable"),
        (9, 4, "durable"),
    ]
    assert {one.acts for one in kept} == {()}
    about = await store.ops(BOOKING, 0, 100)
    assert [reread_op(one.body).id for one in about] == ["hh-0042/2", "hh-0117/1", "hh-0117/2"]


async def test_an_old_op_again_gives_its_stored_result(store: SqliteStore) -> None:
    """A handheld that was away during the update pushes what it had pushed: nothing is applied twice."""
    kept = await store.ops(None, 0, 100)
    before = await picture(store)
    for one in kept:
        device = reread_op(one.body).device
        (settled,) = await store.commit([Submission(device, frozenset(), (one.body,))], AT)
        again = settled.results[0]
        assert (again.status, again.seq, again.code, again.stands) == (
            one.result.status,
            one.result.seq,
            one.result.code,
            one.result.stands,
        )
    assert await picture(store) == before


async def test_a_row_of_the_first_version_is_read_changed_and_written_as_one_of_today(store: SqliteStore) -> None:
    """Values, authors and what differed stay; the row then says which ops it holds, the old ones among them."""
    before = merge.from_row(decode_row(await store.record(BOOKING) or b""))
    assert before.values()[ARRESTED] == T0
    assert [one.value for one in before.cells[ARRESTED].beside] == [T0 + 60_000, T0 + 120_000]
    assert (await push(store, 1, BOOKING, "custody-booking", {"offence": "burglary"})).status == "durable"
    after = merge.from_row(decode_row(await store.record(BOOKING) or b""))
    assert after.values() == before.values() | {"offence": "burglary"}
    assert {name: cell for name, cell in after.cells.items() if name != "offence"} == before.cells
    assert after.upto == {"hh-0042": 2, "hh-0117": 2, "desk-01": 1}
    (kept,) = await store.ops(BOOKING, 9, 100)
    assert reread_op(kept.body).id == "desk-01/1"


async def test_an_old_value_is_lowered_only_by_someone_who_saw_it(store: SqliteStore) -> None:
    """The policies of today apply to what was written before them: `risk` was `latest` then and is `highest` now."""
    assert merge.from_row(decode_row(await store.record(BOOKING) or b"")).values()[FieldName("risk")] == "standard"
    risk = FieldName("risk")
    await push(store, 1, BOOKING, "custody-booking", {"risk": "high"}, saw={risk: ()})
    unseen = await push(store, 2, BOOKING, "custody-booking", {"risk": "medium"}, saw={risk: (OpId("hh-0117/1"),)})
    assert unseen.stands == {"risk": "desk-01/1"}
    (_, kept) = await store.ops(BOOKING, 9, 100)
    assert [(act.field, act.over, act.stands) for act in kept.acts] == [("risk", ("hh-0117/1",), "desk-01/1")]


async def test_a_question_that_was_open_before_reaches_a_person_with_the_next_value(store: SqliteStore) -> None:
    """All that was said by then is in the item, the old values with their authors."""
    await push(store, 1, BOOKING, "custody-booking", {ARRESTED: T0 + 180_000}, saw={ARRESTED: ()})
    item = await store.record(inbox.item_id(BOOKING, ARRESTED, ""))
    assert item is not None
    built = merge.from_row(decode_row(item)).build()
    assert isinstance(built, InboxItem)
    assert built.open
    assert [one.value for one in built.candidates] == [T0, T0 + 60_000, T0 + 120_000, T0 + 180_000]
    assert [decode_row(row).id for row in await store.records("inbox-item", ScopeName(SUITE), "", 9)] == [
        inbox.item_id(BOOKING, ARRESTED, "")
    ]


async def test_what_an_op_saw_may_be_of_the_first_version(store: SqliteStore) -> None:
    """An op of that time has come, whether it still stands or not; one that never was has not."""
    saw = {FieldName("status"): (OpId("hh-0117/4"),)}
    assert (await push(store, 1, INCIDENT, "incident", {"status": "closed"}, saw=saw)).status == "durable"
    never = {FieldName("grade"): (OpId("hh-0117/9"),)}
    assert (await push(store, 2, INCIDENT, "incident", {"grade": "p1"}, saw=never, base=Seq(4))).code == (
        "op_saw_unknown"
    )
