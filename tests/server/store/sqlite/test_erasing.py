"""Erased on disk: no file of the data folder gives an erased record back, not even to whoever holds the master key."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from schemas.errors import StoreError
from schemas.ids import RecordId, Seq
from server.commits import Submission
from server.logbook import Entry, Erasure
from server.store.masters import MasterKeys
from server.store.sqlite import SqliteStore, erasing, sealing
from server.store.sqlite.sealed import SealedTables
from server.store.sqlite.writer import SqliteWriter
from server.store.vault import WRAPPED_BYTES, Subject, Vault
from tests.server.store.support import DESK, HANDSET, NOW, Device, commit, record_id

WORDS: Final = 10_000
DOOMED: Final = record_id("doomed")
NOTE: Final = "erased on 2031-04-01T09:00:00Z by WM40002 under: MoPI group 4"


def erasure(record: RecordId = DOOMED) -> Submission:
    """Erase a record, whatever was seen of it."""
    return Submission(Device(DESK).device, frozenset(), (), erasure=Erasure(record, Seq(10**6), NOTE))


def planted() -> list[str]:
    """Words that are nowhere else: twelve letters each, the same in every run."""
    dice = random.Random(20_271)
    return ["".join(dice.choices("bcdfghjklmnpqrstvwxz", k=12)) for _ in range(WORDS)]


def raw(data: Path) -> bytes:
    """Every byte of every file in a folder but the master keys'."""
    return b"\0".join(path.read_bytes() for path in sorted(data.rglob("*")) if path.name != "master.key")


def keys_in(data: Path, subject: str) -> Iterator[bytes]:
    """Every wrapped key of a subject that is anywhere in any file: in a table, a free page, a log, between two rows."""
    masters = MasterKeys.read(data / "master.key")
    vault, everything = Vault(masters, data), raw(data)
    start = b"\x01" + masters.newest
    at = everything.find(start)
    while at >= 0:
        candidate = everything[at : at + WRAPPED_BYTES]
        try:
            vault.key(Subject(subject), candidate)
        except StoreError:
            pass
        else:
            yield candidate
        at = everything.find(start, at + 1)


def opened(data: Path) -> bytes:
    """Everything that can be opened with the keys that are there, with every key on every body."""
    vault, found = Vault(MasterKeys.read(data / "master.key"), data), []
    with closing(sqlite3.connect(data / "beatbook.db")) as connection:
        subjects = [name for (name,) in connection.execute("SELECT record FROM record_key")]
        keys = [vault.key(Subject(name), key) for name in subjects for key in keys_in(data, name)]
        places = [("record.body", name, body) for name, body in connection.execute("SELECT id, body FROM record")]
        for device, n, body, result in connection.execute("SELECT device, n, body, result FROM op"):
            places += [("op.body", f"{device}/{n}", body), ("op.result", f"{device}/{n}", result)]
            found.append(bytes(result))
        for what, name, body in connection.execute("SELECT what, key, body FROM journal WHERE body IS NOT NULL"):
            places.append(("journal.body", f"{what}\0{name}", body))
    for key in keys:
        for place, row, body in places:
            try:
                found.append(key.open(place, row, body))
            except StoreError:
                continue
    return b"\0".join(found)


async def filled(data: Path, words: list[str]) -> SqliteStore:
    """A store with some records that stay and one that holds the words: in its row, ops, refusals and journal."""
    store = await SqliteStore.open(data, inline=True)
    device, desk = Device(HANDSET), Device(DESK)
    for n in range(8):
        await commit(store, device.push(device.incident(record_id(n), summary=f"this one stays {n}")))

    texts = [" ".join(words[start : start + 100]) for start in range(0, len(words), 100)]
    await commit(store, device.push(device.incident(DOOMED, summary=texts[0][:390]), device.note(DOOMED, texts[0])))
    for start in range(1, len(texts) - 2, 8):
        # The last of many are refused, since a record has its limit; they are kept all the same.
        await commit(store, device.push(*(device.note(DOOMED, text) for text in texts[start : len(texts) - 2][:8])))
    await commit(store, desk.push(desk.op(DOOMED, "incident", {texts[-2][:12]: texts[-2]})))
    entry = Entry("disclosed", "d1", texts[-1].encode(), DOOMED)
    await store.commit([Submission(desk.device, frozenset(), (), entries=(entry,))], NOW)
    return store


async def test_of_ten_thousand_words_none_is_left_with_every_key_there_is(tmp_path: Path) -> None:
    """Before it, everything that can be opened holds them; after it, nothing does, and what stays is still read."""
    words, data = planted(), tmp_path / "data"
    store = await filled(data, words)
    await store.close()
    before = opened(data)
    assert sum(word.encode() in before for word in words) == WORDS
    store = await SqliteStore.open(data, inline=True)
    await store.commit([erasure()], NOW)
    while_open = opened(data)
    await store.close()
    for after in (while_open, opened(data), raw(data)):
        assert [word for word in words if word.encode() in after] == []
    assert while_open.count(b"this one stays") == 16


async def test_no_copy_of_its_key_is_left_anywhere(tmp_path: Path) -> None:
    """Among thousands of others, made before and after it: not in a split page, a free one or the log."""
    data = tmp_path / "data"
    store = await SqliteStore.open(data, inline=True)
    device = Device(HANDSET)
    doomed = [record_id(n) for n in range(0, 1_200, 57)]
    for start in range(0, 1_200, 100):
        await commit(store, device.push(*(device.incident(record_id(n)) for n in range(start, start + 100))))
    assert all(len(list(keys_in(data, one))) >= 1 for one in doomed[:3])
    for one in doomed:
        await store.commit([erasure(one)], NOW)
    assert [one for one in doomed if list(keys_in(data, one))] == []
    await store.close()
    assert [one for one in doomed if list(keys_in(data, one))] == []
    assert len(list(keys_in(data, record_id(1)))) == 1


async def test_a_key_that_was_wrapped_anew_is_erased_as_well(tmp_path: Path) -> None:
    """Neither under the old master key nor under the new one is a copy of it left."""
    data = tmp_path / "data"
    store = await filled(data, planted()[:600])
    await store.close()
    old = MasterKeys.read(data / "master.key")
    old.rotated()
    writer = SqliteWriter.open(data)
    writer.rewrap()
    writer.commit([erasure()], NOW)
    writer.close()
    assert list(keys_in(data, DOOMED)) == []
    assert b"\x01" + old.newest not in raw(data)


async def test_a_reader_in_the_way_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The erasure stands at once; what the log still holds goes with the next commit, or when the store is closed.

    It is waited for once: behind a backup that reads for seconds, commits go on at their pace.
    """
    waits: list[int] = []
    real = erasing.clean

    def clean(connection: sqlite3.Connection, wait_ms: int) -> bool:
        waits.append(wait_ms)
        return real(connection, min(wait_ms, 1))

    monkeypatch.setattr(erasing, "clean", clean)
    data = tmp_path / "data"
    store = await filled(data, planted()[:600])
    with closing(sqlite3.connect(data / "beatbook.db", isolation_level=None)) as slow:
        slow.execute("BEGIN")
        slow.execute("SELECT count(*) FROM record").fetchone()
        await store.commit([erasure()], NOW)
        assert await store.record(DOOMED) is None
        device = Device(HANDSET)
        device.n = 500
        await commit(store, device.push(device.incident(record_id("next"))))
        slow.execute("ROLLBACK")
    await commit(store, device.push(device.incident(record_id("and another"))))
    assert waits == [erasing.FOLD_WAIT_MS, 0, 0]
    assert list(keys_in(data, DOOMED)) == []
    await store.close()


async def test_a_server_that_dies_before_it_has_cleaned_cleans_at_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of a crashed server is no place where an erased record lives on."""
    data = tmp_path / "data"
    store = await filled(data, planted()[:600])

    class Killed(BaseException):
        """No error that anything catches."""

    def killed(*_: object) -> bool:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "clean", killed)
        with pytest.raises(Killed):
            await store.commit([erasure()], NOW)
    died = tmp_path / "died"
    died.mkdir(mode=0o700)
    for path in data.iterdir():
        if path.name not in {"lock", "beatbook.db-shm"}:
            (died / path.name).write_bytes(path.read_bytes())
    (died / "master.key").chmod(0o600)
    await store.close()
    assert list(keys_in(died, DOOMED)) != []
    again = await SqliteStore.open(died, inline=True)
    assert await again.record(DOOMED) is None
    assert list(keys_in(died, DOOMED)) == []
    await again.close()


async def test_an_erasure_that_fails_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it in one transaction: after an error the record is whole, and its key opens it."""
    data = tmp_path / "data"
    store = await filled(data, planted()[:600])
    before = await store.record(DOOMED)

    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(SealedTables, "destroy", broken)
        with pytest.raises(StoreError, match="disk I/O error"):
            await store.commit([erasure()], NOW)
    assert await store.record(DOOMED) == before
    assert all(one.body for one in await store.ops(DOOMED, 0, 100))
    assert await store.erased(DOOMED) is None
    await store.commit([erasure()], NOW)
    assert await store.record(DOOMED) is None
    await store.close()


async def test_the_readers_forget_its_key(tmp_path: Path) -> None:
    """The process does not go on holding, in memory, what is nowhere else any more."""
    store = await filled(tmp_path / "data", planted()[:600])
    await store.record(DOOMED)
    await store.record(DOOMED)
    await store.commit([erasure()], NOW)
    held = [Subject(DOOMED) in one._vault._opened for one in store._readers._readers]
    assert held == [False, False]
    await store.close()


def test_folding_says_whether_it_could(tmp_path: Path) -> None:
    """A reader that stands in the way is told of, so that it is tried again."""
    data = tmp_path / "data"
    writer = SqliteWriter.open(data)
    device = Device(HANDSET)
    with closing(sqlite3.connect(data / "beatbook.db", isolation_level=None)) as slow:
        slow.execute("BEGIN")
        slow.execute("SELECT count(*) FROM record").fetchone()
        writer.commit([device.push(device.incident(record_id(1)))], NOW)
        assert erasing.clean(writer._connection, 1) is False
        slow.execute("ROLLBACK")
    assert erasing.clean(writer._connection, 1) is True
    assert (data / "beatbook.db-wal").stat().st_size == 0
    assert sealing.fold(writer._connection) is True
    writer.close()
