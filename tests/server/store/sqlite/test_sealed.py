"""What rests on the server's disk: nothing of it is read without the master key, and none of it can be exchanged."""

import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from schemas.codec import decode_row
from schemas.errors import StoreError
from schemas.ids import DeviceId
from server.commits import Submission
from server.logbook import Entry
from server.store.masters import MasterKeys
from server.store.sqlite import SqliteStore, schema, sealing
from server.store.sqlite.writer import SqliteWriter
from tests.server.store.support import DESK, HANDSET, Device, area, commit, picture, record_id

OLD: Final = Path(__file__).with_name("version1.sql")
WORDS: Final = 10_000
_EXCHANGED_KEY: Final = (
    "UPDATE record_key SET wrapped = (SELECT wrapped FROM record_key WHERE record = :two) WHERE record = :one"
)


def planted() -> list[str]:
    """Words that are nowhere else: twelve letters each, the same in every run."""
    dice = random.Random(20_270)
    return ["".join(dice.choices("bcdfghjklmnpqrstvwxz", k=12)) for _ in range(WORDS)]


def found_in(folder: Path, words: list[str]) -> dict[str, list[str]]:
    """File -> those of the words that are in it, as UTF-8 or as UTF-16."""
    wanted, lengths = {word.encode() for word in words}, {len(word) for word in words}
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            runs = re.findall(rb"[A-Za-z0-9]{%d,}" % min(lengths), data + b" " + data.replace(b"\0", b""))
            pieces = {run[at : at + n] for run in runs for n in lengths for at in range(len(run) - n + 1)}
            if hits := sorted(piece.decode() for piece in pieces & wanted):
                found[path.name] = hits
    return found


def submissions(words: list[str]) -> Iterator[Submission]:
    """Pushes that carry the words in every way that content comes: rows, ops, refusals, journal, secrets."""
    device, at = Device(HANDSET), iter(words)
    per_op = 40
    for i in range(len(words) // per_op - 2):
        text, more = (" ".join(next(at) for _ in range(per_op // 2)) for _ in range(2))
        record = record_id(i // 4)
        yield device.push(device.incident(record, summary=text) if i % 4 == 0 else device.note(record, text))
        yield device.push(device.note(record, more))
    refused = " ".join(next(at) for _ in range(per_op))
    yield device.push(device.op(record_id("no"), "incident", {refused[:12]: refused}, create=True))
    left = list(at)
    yield Submission(
        DeviceId("desk-01"),
        None,
        (),
        entries=tuple(
            Entry("reads", f"hh-0042:{i}", word.encode(), record_id(0) if i % 2 else None)
            for i, word in enumerate(left[::2])
        ),
        secrets={f"pin:WM{i}": word.encode() for i, word in enumerate(left[1::2])},
    )


async def test_none_of_ten_thousand_words_is_in_any_file(tmp_path: Path) -> None:
    """Not in the database, its log or what lies beside it; while it is open, after a kill and after an end in order."""
    words, data = planted(), tmp_path / "data"
    store = await SqliteStore.open(data, inline=True)
    for pushed in submissions(words):
        await commit(store, pushed)
    open_copy = tmp_path / "open"
    shutil.copytree(data, open_copy)
    await store.close()
    assert found_in(open_copy, words) == {}
    assert found_in(data, words) == {}
    # The search finds what there is to be found: all of it is there, for whoever has the key.
    store = await SqliteStore.open(data, inline=True)
    seen, after = b"", 0
    while page := await store.ops(None, after, 1_000):
        seen += b"".join(one.body for one in page)
        after = page[-1].place
    after = 0
    while entries := await store.journal(None, after, 1_000):
        seen += b"".join(one.body or b"" for one in entries)
        after = entries[-1].place
    seen += b"".join((await store.secrets("pin:")).values())
    await store.close()
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "seen").write_bytes(seen)
    assert len(found_in(tmp_path / "all", words)["seen"]) == WORDS


async def test_an_old_database_is_sealed_when_it_is_opened(tmp_path: Path) -> None:
    """What the first version wrote in clear is nowhere in clear afterwards, free pages and WAL included."""
    data = old_folder(tmp_path)
    words = [word for word in ("Hagley", "burglary", "birmingham") if found_in(data, [word])]
    assert words != []
    gone = planted()[:400]
    with closing(sqlite3.connect(data / "beatbook.db")) as old:
        # Some pages of it are free, and hold what they held.
        old.execute("PRAGMA secure_delete = OFF")
        old.execute("CREATE TABLE gone (body TEXT)")
        old.executemany("INSERT INTO gone VALUES (?)", [(f"{word} " * 200,) for word in gone])
        old.commit()
        old.execute("DROP TABLE gone")
    assert len(found_in(data, gone)["beatbook.db"]) > 300
    bodies = [decode_row(body) for body in plain_rows(data)]
    store = await SqliteStore.open(data, inline=True)
    rows = [decode_row(await store.record(row.id) or b"") for row in bodies]
    assert rows == bodies
    open_copy = tmp_path / "open"
    shutil.copytree(data, open_copy)
    await store.close()
    for folder in (open_copy, data):
        assert found_in(folder, ["Hagley", "burglary"]) == found_in(folder, gone) == {}


def old_folder(tmp_path: Path) -> Path:
    """A data folder whose database has the first tables, as their program left it."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "FORMAT").write_text("beatbook 1\n")
    with closing(sqlite3.connect(data / "beatbook.db")) as old:
        old.executescript(OLD.read_text())
        old.execute("PRAGMA journal_mode = WAL")
    return data


def plain_rows(data: Path) -> list[bytes]:
    """The rows of a database that is not sealed."""
    with closing(sqlite3.connect(data / "beatbook.db")) as old:
        return [body for (body,) in old.execute("SELECT body FROM record ORDER BY id")]


@pytest.mark.parametrize("stop", range(11))
async def test_a_server_killed_while_it_seals_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Wherever it stops, before or behind a step: the next start ends with the same rows and ops, all sealed."""
    data = old_folder(tmp_path)
    expected = plain_rows(data)
    monkeypatch.setattr(sealing, "AT_ONCE", 2)
    whole, steps = sealing._after, [0]

    class Killed(BaseException):
        """No error that anything catches."""

    def counted(table: str, last: int | None) -> str:
        steps[0] += 1
        if steps[0] == stop + 1:
            raise Killed
        return whole(table, last)

    with monkeypatch.context() as patched:
        patched.setattr(sealing, "_after", counted)
        with pytest.raises(Killed):
            SqliteWriter.open(data)
    store = await SqliteStore.open(data, inline=True)
    found = [await store.record(decode_row(body).id) for body in expected]
    assert found == expected
    assert len(await store.ops(None, 0, 100)) == 9
    await store.close()
    assert found_in(data, ["Hagley", "burglary"]) == {}
    with closing(sqlite3.connect(data / "beatbook.db")) as connection:
        assert connection.execute("SELECT count(*) FROM meta WHERE key = ?", (sealing.MARKER,)).fetchone() == (0,)


# --- the master key -------------------------------------------------------------------------------------------------


async def filled(data: Path) -> None:
    """A data folder with a few records, closed in order."""
    store = await SqliteStore.open(data, inline=True)
    device = Device(DESK)
    await commit(store, device.push(*(device.incident(record_id(n)) for n in range(6))))
    await store.close()


def files(data: Path) -> dict[str, bytes]:
    """Everything in a folder but its lock, and but the index and the empty log that SQLite makes to read a database."""
    beside = {"lock", "beatbook.db-shm"}
    found = {path.name: path.read_bytes() for path in data.iterdir() if path.name not in beside}
    return {name: body for name, body in found.items() if body or name != "beatbook.db-wal"}


async def test_without_its_master_key_nothing_is_opened_made_or_written(tmp_path: Path) -> None:
    """The text says which file is asked for; put back, everything is as it was."""
    data = tmp_path / "data"
    await filled(data)
    key = (data / "master.key").read_bytes()
    (data / "master.key").unlink()
    before = files(data)
    with pytest.raises(StoreError, match=r"master\.key: the master key file has gone.*Nothing was touched"):
        await SqliteStore.open(data, inline=True)
    assert files(data) == before
    (data / "master.key").write_bytes(key)
    (data / "master.key").chmod(0o600)
    store = await SqliteStore.open(data, inline=True)
    assert len((await store.page(area("birmingham"), "", "")).rows) == 6
    await store.close()


async def test_with_another_master_key_not_a_byte_is_written(tmp_path: Path) -> None:
    """The key of another force's database is no key of this one."""
    data = tmp_path / "data"
    await filled(data)
    (data / "master.key").unlink()
    MasterKeys.make(data / "master.key")
    before = files(data)
    with pytest.raises(StoreError, match=r"was sealed under master key [0-9a-f]{16}, and .*master\.key does not hold"):
        await SqliteStore.open(data, inline=True)
    assert files(data) == before


async def test_the_key_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by the environment, for the writing process too; then none is made in the data folder."""
    monkeypatch.setenv("BEATBOOK_MASTER_KEY_FILE", str(tmp_path / "elsewhere" / "keys"))
    store = await SqliteStore.open(tmp_path / "data")
    device = Device(DESK)
    await commit(store, device.push(device.incident(record_id(1))))
    assert await store.record(record_id(1)) is not None
    await store.close()
    assert not (tmp_path / "data" / "master.key").exists()
    assert MasterKeys.read(tmp_path / "elsewhere" / "keys").ids
    monkeypatch.delenv("BEATBOOK_MASTER_KEY_FILE")
    with pytest.raises(StoreError, match="has gone"):
        await SqliteStore.open(tmp_path / "data", inline=True)


async def test_a_rotated_key_wraps_what_comes_and_the_old_one_is_needed_until_all_is_wrapped_anew(
    tmp_path: Path,
) -> None:
    """Then the old one may be retired, and everything still opens."""
    data = tmp_path / "data"
    await filled(data)
    first = MasterKeys.read(data / "master.key")
    second = first.rotated()
    device = Device(HANDSET)
    store = await SqliteStore.open(data, inline=True)
    await commit(store, device.push(device.incident(record_id("new"))))
    before = await picture(store)
    await store.close()
    both = (data / "master.key").read_bytes()
    for only in (first.ids, (second.newest,)):
        # With either of the two taken away, the database says so and stays as it is.
        MasterKeys.read(data / "master.key").retired(only) if only == first.ids else _only(data, first)
        with pytest.raises(StoreError, match="does not hold"):
            await SqliteStore.open(data, inline=True)
        (data / "master.key").write_bytes(both)
    writer = SqliteWriter.open(data)
    # With the key of the record that counts the incidents' numbers.
    assert writer.rewrap() == 7
    assert writer.rewrap() == 0
    writer.close()
    MasterKeys.read(data / "master.key").retired(first.ids)
    store = await SqliteStore.open(data, inline=True)
    assert await picture(store) == before
    await store.close()


def _only(data: Path, keys: MasterKeys) -> None:
    """Put the file back that held the first key alone."""
    lines = (data / "master.key").read_text().splitlines()
    (data / "master.key").write_text(
        "\n".join(line for line in lines if len(line) < 30 or keys.newest.hex() in line) + "\n"
    )


async def test_a_rewrap_that_was_stopped_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was moved is moved; until the end both keys are asked for, and nothing is out of reach."""
    data = tmp_path / "data"
    await filled(data)
    old = MasterKeys.read(data / "master.key")
    old.rotated()
    monkeypatch.setattr(sealing, "AT_ONCE", 2)
    writer = SqliteWriter.open(data)
    real, calls = writer._tables.vault.rewrapped, [0]

    def stopped(subject: object, wrapped: bytes) -> bytes | None:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        return real(subject, wrapped)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(writer._tables.vault, "rewrapped", stopped)
    with pytest.raises(KeyboardInterrupt):
        writer.rewrap()
    monkeypatch.undo()
    writer.close()
    store = await SqliteStore.open(data, inline=True)
    assert len((await store.page(area("birmingham"), "", "")).rows) == 6
    await store.close()
    writer = SqliteWriter.open(data)
    assert writer.rewrap() == 5
    writer.close()


# --- exchanged and damaged ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE record SET body = (SELECT body FROM record WHERE id = :two) WHERE id = :one", "record.body of"),
        (_EXCHANGED_KEY, "the key of"),
        ("DELETE FROM record_key WHERE record = :one", "has gone"),
        ("UPDATE record_key SET wrapped = x'01' WHERE record = :one", "the key of"),
        ("UPDATE record SET body = x'' WHERE id = :one", "record.body of"),
        ("UPDATE record SET body = substr(body, 1, length(body) - 1) WHERE id = :one", "record.body of"),
        ("UPDATE record SET body = (SELECT body FROM op WHERE record = :one) WHERE id = :one", "record.body of"),
    ],
)  # fmt: skip
async def test_what_was_exchanged_is_not_read(tmp_path: Path, sql: str, words: str) -> None:
    """Whoever edits the database without the key can only break it, and every reader says what is broken."""
    data, (one, two) = tmp_path / "data", (record_id(1), record_id(2))
    await filled(data)
    with closing(sqlite3.connect(data / "beatbook.db")) as connection:
        connection.execute(sql, {"one": one, "two": two})
        connection.commit()
    store = await SqliteStore.open(data, inline=True)
    for read in (store.record(one), store.page(area("birmingham"), "", ""), store.records("incident", None, "", 9)):
        with pytest.raises(StoreError, match=words) as told:
            await read
        assert one in str(told.value)
    assert await store.record(two) is not None
    device = Device(HANDSET)
    with pytest.raises(StoreError, match=words):
        await commit(store, device.push(device.note(one)))
    await store.close()


async def test_a_database_that_does_not_say_its_master_keys_is_refused(tmp_path: Path) -> None:
    """Nothing is guessed."""
    data = tmp_path / "data"
    await filled(data)
    for damage in ("DELETE FROM meta WHERE key = 'masters'", "INSERT INTO meta VALUES ('masters', 'zz')"):
        with closing(sqlite3.connect(data / "beatbook.db")) as connection:
            connection.execute(damage)
            connection.commit()
        with pytest.raises(StoreError, match="does not say its master keys"):
            SqliteWriter.open(data)
    assert schema.SEALED_SINCE == 4
