"""The encrypted database and its folder: transactions whole or not at all, and no replica lost by opening it."""

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from schemas.errors import ReplicaError, UsageError
from sync.device.database import EncryptedDatabase, set_aside
from sync.device.keys import HeldKey
from sync.device.layout import FORMAT, Sql
from sync.device.secretfile import write_secret
from tests.sync.device.support import KEY, OTHER_KEY, contents

PAGE = 4_096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the replica goes."""
    return tmp_path / "replica"


@pytest.fixture
async def database(folder: Path) -> AsyncIterator[EncryptedDatabase]:
    """An open, new database."""
    database = await EncryptedDatabase.open(folder, HeldKey(KEY))
    yield database
    await database.close()


async def make(folder: Path, values: int = 200) -> dict[str, bytes]:
    """A closed replica with something in it; its files."""
    database = await EncryptedDatabase.open(folder, HeldKey(KEY))

    def fill(sql: Sql) -> None:
        for n in range(values):
            put(sql, f"key {n}", b"value" * 100)

    await database.transaction(fill)
    await database.close()
    return contents(folder)


def put(sql: Sql, key: str, value: bytes) -> None:
    """Keep a value."""
    sql.execute("INSERT INTO meta VALUES (?, ?)", (key, value))


def keys(sql: Sql) -> list[str]:
    """The keys of all values."""
    return [key for (key,) in sql.execute("SELECT key FROM meta ORDER BY key").fetchall()]


def asides(folder: Path) -> list[Path]:
    """The folders of replicas that were set aside."""
    return [path for path in folder.iterdir() if path.is_dir()]


def mode(path: Path) -> int:
    """The permissions of a file or folder."""
    return path.stat().st_mode & 0o777


def cut(file: Path, length: int) -> None:
    """Shorten a file."""
    with file.open("r+b") as held:
        held.truncate(length)


def flip(file: Path, offset: int) -> None:
    """Damage 16 bytes; an offset below 0 counts from the end."""
    raw = bytearray(file.read_bytes())
    offset %= len(raw)
    raw[offset : offset + 16] = bytes(byte ^ 0xFF for byte in raw[offset : offset + 16])
    file.write_bytes(raw)


# --- transactions ----------------------------------------------------------------------------------------------------


async def test_what_a_transaction_wrote_is_there_after_opening_again(folder: Path) -> None:
    """Close and open lose nothing and add nothing."""
    await make(folder, 3)
    database = await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert await database.read(keys) == ["key 0", "key 1", "key 2"]
    await database.close()


async def test_a_transaction_that_raises_leaves_nothing(database: EncryptedDatabase) -> None:
    """Its own exception comes out as it is, and the next transaction starts from what was before."""

    def half(sql: Sql) -> None:
        put(sql, "half", b"")
        raise UsageError("changed my mind")

    with pytest.raises(UsageError, match="changed my mind"):
        await database.transaction(half)
    assert await database.read(keys) == []
    await database.transaction(lambda sql: put(sql, "whole", b""))
    assert await database.read(keys) == ["whole"]


async def test_only_what_may_wait_is_left_to_the_next_transaction(database: EncryptedDatabase) -> None:
    """What may wait is committed without a sync of its own, what may not gets one behind it; then all are synced."""

    def how(sql: Sql) -> int:
        put(sql, f"key {len(keys(sql))}", b"")
        found: int = sql.execute("PRAGMA synchronous").fetchone()[0]
        return found

    normal, full = 1, 2
    assert await database.transaction(how, may_wait=lambda: True) == normal
    assert await database.read(keys) == ["key 0"]
    assert await database.transaction(how) == full
    assert await database.read(keys) == ["key 0", "key 1"]
    assert await database.transaction(how, may_wait=lambda: False) == normal
    assert await database.read(keys) == ["key 0", "key 1", "key 2", "synced"]


async def test_what_may_wait_and_fails_leaves_nothing(database: EncryptedDatabase) -> None:
    """It is undone, nobody is asked whether it may wait, and the next transaction is synced."""

    def half(sql: Sql) -> None:
        put(sql, "half", b"")
        raise UsageError("changed my mind")

    with pytest.raises(UsageError, match="changed my mind"):
        await database.transaction(half, may_wait=lambda: bool(pytest.fail("asked")))
    assert await database.read(keys) == []
    assert await database.transaction(lambda sql: sql.execute("PRAGMA synchronous").fetchone()[0]) == 2


async def test_a_cut_in_the_journal_takes_what_waited_and_nothing_before_it(folder: Path, tmp_path: Path) -> None:
    """Wherever the power cuts the journal behind the last sync, the replica opens with all that came before it."""
    database = await EncryptedDatabase.open(folder, HeldKey(KEY))
    await database.transaction(lambda sql: put(sql, "edit", b"x" * 9_000))
    journal = folder / "replica.db-wal"
    synced = journal.stat().st_size
    for n in range(3):
        await database.transaction(lambda sql, n=n: put(sql, f"page {n}", b"y" * 9_000), may_wait=lambda: True)  # type: ignore[misc]
    whole = journal.read_bytes()
    found = set()
    for end in range(synced, len(whole) + 1, 2_000):
        copy = tmp_path / f"cut-{end}"
        shutil.copytree(folder, copy)
        (copy / "replica.db-wal").write_bytes(whole[:end])
        (copy / "replica.db-shm").unlink()
        again = await EncryptedDatabase.open(copy, HeldKey(KEY))
        left = tuple(await again.read(keys))
        await again.close()
        shutil.rmtree(copy)
        assert left == ("edit", "page 0", "page 1", "page 2")[: len(left)]
        assert left
        found.add(len(left))
    assert found == {1, 2, 3, 4} - ({4} if (len(whole) - synced) % 2_000 else set())
    await database.close()


async def test_a_read_changes_nothing(database: EncryptedDatabase) -> None:
    """A defect that writes while reading is undone."""
    await database.read(lambda sql: put(sql, "stray", b""))
    assert await database.read(keys) == []


async def test_a_cancelled_caller_waits_for_the_whole_transaction(database: EncryptedDatabase) -> None:
    """Cancelled in the middle of its transaction, a caller leaves all of it or nothing to the next one."""
    started, go_on = threading.Event(), threading.Event()

    def slow(sql: Sql) -> None:
        put(sql, "first half", b"")
        started.set()
        assert go_on.wait(10)
        put(sql, "second half", b"")

    task = asyncio.create_task(database.transaction(slow))
    assert await asyncio.to_thread(started.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    following = asyncio.create_task(database.read(keys))
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await following == ["first half", "second half"]


async def test_a_cancelled_transaction_that_fails_is_undone(database: EncryptedDatabase) -> None:
    """Cancellation does not turn a failure into half a success."""
    started, go_on = threading.Event(), threading.Event()

    def slow(sql: Sql) -> None:
        put(sql, "first half", b"")
        started.set()
        assert go_on.wait(10)
        raise UsageError("no")

    task = asyncio.create_task(database.transaction(slow))
    assert await asyncio.to_thread(started.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await database.read(keys) == []


async def test_errors_of_the_library_are_ours(database: EncryptedDatabase) -> None:
    """Nobody above has to know sqlcipher3's exceptions, which are not sqlite3's."""
    await database.transaction(lambda sql: put(sql, "key", b""))
    with pytest.raises(ReplicaError, match="database failed: UNIQUE"):
        await database.transaction(lambda sql: put(sql, "key", b""))
    with pytest.raises(ReplicaError, match="database failed"):
        await database.read(lambda sql: sql.execute("SELECT nonsense"))


async def test_a_closed_database_says_so(folder: Path) -> None:
    """Use after close is a clear error, and closing again is none."""
    database = await EncryptedDatabase.open(folder, HeldKey(KEY))
    await database.close()
    await database.close()
    with pytest.raises(ReplicaError, match="is closed"):
        await database.read(keys)


async def test_the_connection_is_set_up_as_promised(database: EncryptedDatabase) -> None:
    """Power cuts lose no returned write (FULL, WAL), sorting spills no plaintext (MEMORY), pages are authenticated."""

    def pragmas(sql: Sql) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "temp_store", "cipher_use_hmac", "user_version")
        return {name: sql.execute(f"PRAGMA {name}").fetchone()[0] for name in names}

    assert await database.read(pragmas) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "temp_store": 2,
        "cipher_use_hmac": "1",
        "user_version": FORMAT,
    }


async def test_only_the_owner_can_use_folder_and_files(folder: Path, database: EncryptedDatabase) -> None:
    """Also the journal, which SQLite makes itself, and a folder that was open to others before."""
    await database.transaction(lambda sql: put(sql, "key", b""))
    files = {name: mode(folder / name) for name in contents(folder)}
    assert files == dict.fromkeys(
        ("replica.db", "replica.db-wal", "replica.db-shm", "replica.check", "replica.lock"), 0o600
    )
    assert mode(folder) == 0o700
    await database.close()
    await asyncio.to_thread(folder.chmod, 0o755)
    again = await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert mode(folder) == 0o700
    await again.close()


# --- opening what is there -------------------------------------------------------------------------------------------


async def test_a_second_opener_is_told(folder: Path, database: EncryptedDatabase) -> None:
    """One replica, one program: the second one is refused and the first is not disturbed."""
    with pytest.raises(ReplicaError, match="open already"):
        await EncryptedDatabase.open(folder, HeldKey(KEY))
    with pytest.raises(ReplicaError, match="open already"):
        set_aside(folder)
    await database.transaction(lambda sql: put(sql, "key", b""))
    await database.close()
    again = await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert await again.read(keys) == ["key"]
    await again.close()


async def test_a_wrong_key_changes_not_one_byte(folder: Path) -> None:
    """A healthy replica is not set aside because someone came with another key."""
    before = await make(folder)
    with pytest.raises(ReplicaError, match="wrong key"):
        await EncryptedDatabase.open(folder, HeldKey(OTHER_KEY))
    assert contents(folder) == before
    right = await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert len(await right.read(keys)) == 200
    await right.close()


async def test_a_key_holder_with_a_short_key_is_refused(folder: Path) -> None:
    """Also one that an application wrote itself."""

    class Short:
        def data_key(self) -> bytes:
            return b"short"

    with pytest.raises(ReplicaError, match="gave 5 bytes"):
        await EncryptedDatabase.open(folder, Short())
    assert set(contents(folder)) == {"replica.lock"}


@pytest.mark.parametrize("where", [20, 10 * PAGE + 100, -PAGE // 2])
async def test_a_damaged_database_is_set_aside_whole_and_only_the_next_opening_starts_anew(
    folder: Path, where: int
) -> None:
    """Damage in the first page, in the middle and at the end: found at opening, nothing deleted."""
    await make(folder)
    file = folder / "replica.db"
    flip(file, where)
    damaged = contents(folder)
    with pytest.raises(ReplicaError, match="damaged") as caught:
        await EncryptedDatabase.open(folder, HeldKey(KEY))
    (aside,) = asides(folder)
    assert str(aside) in str(caught.value)
    kept = contents(aside)
    assert {name: damaged[name] for name in ("replica.db", "replica.check")} == {
        name: kept[name] for name in ("replica.db", "replica.check")
    }
    assert set(contents(folder)) - {f"{aside.name}/{name}" for name in kept} == {"replica.lock"}
    fresh = await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert await fresh.read(keys) == []
    await fresh.close()
    assert contents(aside) == kept


@pytest.mark.parametrize("length", [0, 100, PAGE, 3 * PAGE])
async def test_a_database_that_was_cut_short_is_damaged(folder: Path, length: int) -> None:
    """Also one of no bytes at all, which SQLite would take for a new database."""
    await make(folder)
    cut(folder / "replica.db", length)
    with pytest.raises(ReplicaError, match="damaged"):
        await EncryptedDatabase.open(folder, HeldKey(KEY))
    (aside,) = asides(folder)
    assert len(contents(aside)["replica.db"]) == length


async def test_two_damaged_replicas_lie_side_by_side(folder: Path) -> None:
    """The second set aside in the same second does not go over the first."""
    await make(folder)
    first = set_aside(folder)
    await make(folder)
    second = set_aside(folder)
    assert first != second
    assert set(contents(first)) == set(contents(second)) == {"replica.db", "replica.check"}


async def test_damage_that_shows_while_open_says_how_to_go_on(folder: Path) -> None:
    """A page that rots under an open replica is an error of ours that names the remedy."""
    await make(folder)
    database = await EncryptedDatabase.open(folder, HeldKey(KEY))
    for page in range(1, 40):
        flip(folder / "replica.db", page * PAGE + 100)
    with pytest.raises(ReplicaError, match="close it and open it again"):
        await database.read(lambda sql: sql.execute("SELECT sum(length(value)) FROM meta").fetchall())
    await database.close()


async def test_a_replica_of_a_newer_program_is_refused(folder: Path) -> None:
    """By the check beside it, and by the database itself when only that was updated; neither is touched."""
    await make(folder)
    check = folder / "replica.check"
    old = check.read_bytes()
    check.write_text(json.dumps({**json.loads(old), "format": FORMAT + 1}))
    before = contents(folder)
    with pytest.raises(ReplicaError, match=f"format {FORMAT + 1}, from a newer program"):
        await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert contents(folder) == before
    check.write_bytes(old)
    connection = dbapi2.connect(str(folder / "replica.db"), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{KEY.hex()}'\"")
    connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    before = contents(folder)
    with pytest.raises(ReplicaError, match=f"format {FORMAT + 1}, from a newer program"):
        await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("missing", "says"),
    [("replica.check", "whose key it is under cannot be told"), ("replica.db", r"replica\.db is gone")],
)
async def test_half_a_replica_is_refused_and_not_touched(folder: Path, missing: str, says: str) -> None:
    """A database without its check, or a check without its database, is never taken for a new folder."""
    await make(folder)
    (folder / missing).unlink()
    before = contents(folder)
    with pytest.raises(ReplicaError, match=says):
        await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert contents(folder) == before
    aside = set_aside(folder)
    assert len(contents(aside)) == 1
    await (await EncryptedDatabase.open(folder, HeldKey(KEY))).close()


async def test_a_journal_without_its_database_is_refused(folder: Path) -> None:
    """A new database under the old name would take the old journal up."""
    write_secret(folder / "replica.db-wal", b"journal")
    with pytest.raises(ReplicaError, match=r"replica\.db-wal without replica\.check"):
        await EncryptedDatabase.open(folder, HeldKey(KEY))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]", b'{"format": 0, "check": ""}', b'{"format": 1}'])
async def test_a_check_that_cannot_be_read_is_refused_and_not_touched(folder: Path, content: bytes) -> None:
    """It says nothing about the key, so nothing is tried."""
    await make(folder)
    (folder / "replica.check").write_bytes(content)
    before = contents(folder)
    with pytest.raises(ReplicaError, match="cannot be read"):
        await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert contents(folder) == before


async def test_a_replica_whose_making_was_broken_off_is_made_anew_or_finished(folder: Path) -> None:
    """Power may go at any step of the first opening; the next one gets a usable replica, without help."""
    finished = await make(folder, 0)
    (folder / "replica.db").rename(folder / "replica.db.new")
    database = await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert await database.read(keys) == []
    await database.close()
    assert set(contents(folder)) == set(finished)
    for leftover in ("replica.db.new", "replica.db.new-wal"):
        (folder / leftover).write_bytes(b"half")
    (folder / "replica.db").unlink()
    (folder / "replica.check").unlink()
    database = await EncryptedDatabase.open(folder, HeldKey(KEY))
    assert await database.read(keys) == []
    await database.close()
    assert set(contents(folder)) == set(finished)


async def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    """A file in its place gives an error of ours that names it."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ReplicaError, match="cannot be used"):
        await EncryptedDatabase.open(tmp_path / "file", HeldKey(KEY))


async def test_a_cancelled_opening_lets_the_folder_go(folder: Path) -> None:
    """Nobody holds the lock after it, so the next opening succeeds."""
    for turns in range(4):
        task = asyncio.create_task(EncryptedDatabase.open(folder, HeldKey(KEY)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await (await EncryptedDatabase.open(folder, HeldKey(KEY))).close()


def test_a_program_that_forgets_to_close_still_ends(folder: Path) -> None:
    """It ends by itself, and what it wrote is there: a forgotten replica is as good as one whose power was cut."""
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from sync.device.database import EncryptedDatabase\n"
        "from sync.device.keys import HeldKey\n"
        "async def main():\n"
        "    global database\n"
        "    database = await EncryptedDatabase.open(Path(sys.argv[1]), HeldKey(bytes(range(32))))\n"
        "    await database.transaction(lambda sql: sql.execute(\"INSERT INTO meta VALUES ('key', x'00')\") and None)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", script, str(folder)], cwd=root, check=True, timeout=15)

    async def look() -> list[str]:
        database = await EncryptedDatabase.open(folder, HeldKey(KEY))
        try:
            return await database.read(keys)
        finally:
            await database.close()

    assert asyncio.run(look()) == ["key"]
