"""The one connection that writes: all of a commit or nothing, and a failure that leaves it fit for the next."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import StoreError
from schemas.ids import OpNumber, Seq
from server.store.sqlite import reader
from server.store.sqlite import writer as writer_module
from server.store.sqlite.writer import SqliteWriter
from tests.server.store.support import NOW, Device, area, record_id, statuses


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SqliteWriter]:
    """A writer on a new data folder."""
    opened = SqliteWriter.open(tmp_path / "data")
    yield opened
    opened.close()


def tables(writer: SqliteWriter) -> dict[str, list[Any]]:
    """Everything in the database."""
    names = ("meta", "record", "op", "member", "scope")
    return {name: writer._connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}  # noqa: S608


def fill_disk(writer: SqliteWriter, spare_pages: int) -> None:
    """Let the database grow by so many pages only: what SQLite then says is what it says of a full disk."""
    (pages,) = writer._connection.execute("PRAGMA page_count").fetchone()
    writer._connection.execute(f"PRAGMA max_page_count = {pages + spare_pages}")


def free_disk(writer: SqliteWriter) -> None:
    """Let it grow again."""
    writer._connection.execute("PRAGMA max_page_count = 1000000")


def test_a_full_disk_takes_nothing_and_can_be_mended(writer: SqliteWriter) -> None:
    """The failed commit leaves no trace; with space again, the same push is durable and the order goes on unbroken."""
    device = Device()
    writer.commit([device.push(device.incident(record_id(1)))], NOW)
    before = tables(writer)
    fill_disk(writer, 2)
    pushed = device.push(*device.grow_to(record_id(1), 8))
    with pytest.raises(StoreError, match="the disk is full; free some space"):
        writer.commit([pushed], NOW)
    assert not writer._connection.in_transaction
    assert tables(writer) == before
    free_disk(writer)
    (settled,) = writer.commit([pushed], NOW)
    assert (settled.seq, statuses(settled.results)) == (2, ["durable"])


def test_a_group_that_fails_further_on_keeps_what_was_committed(writer: SqliteWriter) -> None:
    """Each commit stands on its own: asked again, the first ones give their results and the rest is done."""
    device = Device()
    records = [record_id(i) for i in range(6)]
    writer.commit([device.push(*(device.incident(record) for record in records))], NOW)
    grown = [device.push(*device.grow_to(record, 24)) for record in records]
    fill_disk(writer, 80)
    with pytest.raises(StoreError, match="full"):
        writer.commit(grown, NOW)
    (reached,) = writer._connection.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone()
    assert reached > 1
    free_disk(writer)
    done = writer.commit(grown, NOW)
    assert statuses(result for one in done for result in one.results) == ["durable"] * 18
    assert [one.seq for one in done if one.rows] == list(
        range(reached + 1, reached + 1 + len([1 for o in done if o.rows]))
    )


def test_a_row_that_cannot_be_read_is_named(writer: SqliteWriter) -> None:
    """A damaged row stops what is about it, says which record it is, and nothing else."""
    device = Device()
    writer.commit([device.push(device.incident(record_id(1)), device.incident(record_id(2)))], NOW)
    writer._remembered.forget()
    writer._connection.execute("UPDATE record SET body = ? WHERE id = ?", (b"\xc1", record_id(1)))
    with pytest.raises(StoreError, match=f"record.body of {record_id(1)} is damaged"):
        writer.commit([device.push(device.note(record_id(1)))], NOW)
    (settled,) = writer.commit([device.push(device.note(record_id(2)))], NOW)
    assert statuses(settled.results) == ["durable"]


def test_a_defect_is_told_as_one_and_leaves_nothing(
    writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen error while settling fails the group, not the writer; its trace is in the log."""
    device = Device()
    pushed = device.push(device.incident(record_id(1)))

    def settle(*_: object) -> None:
        raise TypeError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(writer_module, "settle", settle)
        with pytest.raises(StoreError, match=r"could not be settled \(TypeError\)"):
            writer.commit([pushed], NOW)
    assert "planted" in caplog.text
    assert not writer._connection.in_transaction
    (settled,) = writer.commit([pushed], NOW)
    assert settled.seq == 1


def test_an_error_at_the_commit_itself_is_looked_into(writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any failure the writer asks the database where it stands and does not trust what it remembered."""
    device = Device()
    writer.commit([device.push(device.incident(record_id(1)))], NOW)
    committed = device.push(device.move(record_id(1), "solihull"))

    class Fails:
        """Commits, and says that it failed: what the database holds is then not what the writer thinks."""

        def __init__(self, real: sqlite3.Connection) -> None:
            self.real = real
            self.executemany = real.executemany

        @property
        def in_transaction(self) -> bool:
            return self.real.in_transaction

        def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
            done = self.real.execute(sql, values)
            if sql == "COMMIT":
                raise OSError(5, "Input/output error")
            return done

    with monkeypatch.context() as planted:
        planted.setattr(writer, "_connection", Fails(writer._connection))
        with pytest.raises(StoreError, match="Input/output error"):
            writer.commit([committed], NOW)
    back = device.push(device.move(record_id(1), "birmingham"))
    (settled,) = writer.commit([committed, back], NOW)
    assert [result.seq for result in settled.results] == [2, 3]
    frm = {change.scope: change.frm for change in settled.scopes}
    assert frm == {area("birmingham"): Seq(2), area("solihull"): Seq(2)}


def test_ops_are_kept_as_they_came(writer: SqliteWriter) -> None:
    """Bytes, hash, place and time of every op, refused ones too: evidence is what was received."""
    device = Device()
    ops = (device.incident(record_id(1)), device.incident(record_id(1)))
    writer.commit([device.push(*ops)], NOW)
    kept = writer._connection.execute("SELECT place, device, n, record, seq, recorded_at FROM op").fetchall()
    assert kept == [(n, device.device, n, record_id(1), 1, NOW) for n in (1, 2)]
    assert writer.body(device.device, OpNumber(1)) == ops[0]
    (read,) = [kept.body for kept in reader.read_ops(writer._tables, record_id(1), 1, 9)]
    assert read == ops[1]
