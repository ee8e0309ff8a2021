"""A new data key: the same replica under another key, wherever the power goes on the way."""

import itertools
import shutil
from pathlib import Path
from typing import Final

import pytest

from schemas.errors import ReplicaError
from schemas.ids import OpNumber, RecordId, Seq
from sync.device.database import EncryptedDatabase
from sync.device.keys import HeldKey
from sync.device.layout import FORMAT, Sql
from sync.device.rekeying import change_data_key
from sync.device.store import Held, ReplicaStore
from sync.outbox import OpState
from sync.replica import StoredOp
from tests.sync.device.powercut import crash_points
from tests.sync.device.seats import PIN, QUARANTINE, SEAT, SHARE, slots
from tests.sync.device.support import contents, record_id

A = record_id(1)
PARTS: Final = 6
"""The database's own syncs are real: all power cuts in one test would take it too long."""


def fill(held: Held) -> None:
    """A record with an op, and a value by name."""
    held.tables.put_row(A, "incident", Seq(1), b"a row")
    held.tables.put_op(
        StoredOp(n=OpNumber(1), record=A, kind="incident", state=OpState.QUEUED, body=b"an op", why="so it was")
    )
    held.tables.set_meta("name", b"value")


def content(held: Held) -> tuple[bytes | None, list[StoredOp], bytes | None]:
    """All of it."""
    return held.tables.row(A), held.tables.pending_ops(A), held.tables.meta("name")


def nothing(*_: object) -> None:
    """Nobody listens."""


async def read(root: Path) -> tuple[bytes | None, list[StoredOp], bytes | None]:
    """What is in a seat's replica; and it can be written to."""
    store = await ReplicaStore.open(root / "seat", slots(root).unlock(PIN, SHARE), SEAT)
    try:
        found = await store.read(content)
        await store.change(lambda held: held.tables.put_row(RecordId("B"), "incident", Seq(2), b"later"), nothing)
        return found
    finally:
        await store.close()


@pytest.fixture
async def seat(tmp_path: Path) -> Path:
    """A seat with something in its replica, closed."""
    root = tmp_path / "template"
    store = await ReplicaStore.open(root / "seat", slots(root).make(PIN, SHARE, QUARANTINE), SEAT)
    await store.change(fill, nothing)
    await store.close()
    return root


async def test_a_changed_data_key_opens_the_same_replica_and_the_old_one_does_not(seat: Path) -> None:
    """Format, tables, ops and values are the same; nothing of the change is left lying about."""
    before, names = await read(seat), set(contents(seat))
    unlocked = slots(seat).unlock(PIN, SHARE)
    old = unlocked.data_key()
    change_data_key(seat / "seat", unlocked)
    assert unlocked.data_key() != old
    assert slots(seat).unlock(PIN, SHARE).data_keys() == (unlocked.data_key(),)
    assert await read(seat) == before
    assert set(contents(seat)) == names
    with pytest.raises(ReplicaError, match="wrong key"):
        await EncryptedDatabase.open(seat / "seat", HeldKey(old))
    database = await EncryptedDatabase.open(seat / "seat", unlocked)

    def pragmas(sql: Sql) -> list[object]:
        return [sql.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "integrity_check")]

    assert await database.read(pragmas) == [FORMAT, "ok"]
    await database.close()
    assert (seat / "seat" / "replica.db").stat().st_mode & 0o777 == 0o600


async def test_an_open_or_missing_replica_is_refused(seat: Path, tmp_path: Path) -> None:
    """Nothing is written then: the keys are as they were."""
    unlocked = slots(seat).unlock(PIN, SHARE)
    store = await ReplicaStore.open(seat / "seat", unlocked, SEAT)
    with pytest.raises(ReplicaError, match="is open already"):
        change_data_key(seat / "seat", unlocked)
    await store.close()
    other = slots(tmp_path / "other").make(PIN, SHARE, QUARANTINE)
    with pytest.raises(ReplicaError, match="there is no replica in"):
        change_data_key(tmp_path / "other" / "seat", other)
    assert other.data_keys() == (other.data_key(),)


async def test_a_damaged_replica_is_not_copied(seat: Path) -> None:
    """A copy would make the damage look whole; it is said, and the next opening sets the replica aside as ever."""
    file = seat / "seat" / "replica.db"
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    file.write_bytes(raw)
    unlocked = slots(seat).unlock(PIN, SHARE)
    with pytest.raises(ReplicaError, match=r"cannot be copied under a new key|is damaged"):
        change_data_key(seat / "seat", unlocked)
    with pytest.raises(ReplicaError, match="is damaged"):
        await read(seat)


@pytest.mark.parametrize("part", range(PARTS))
async def test_wherever_the_power_goes_the_replica_opens_whole(seat: Path, tmp_path: Path, part: int) -> None:
    """Under the old key or the new one, with all that was in it; then it can be changed, and nothing is left over."""
    before = await read(seat)
    names = set(contents(seat))
    runs = itertools.count()

    def make() -> Path:
        root = tmp_path / f"run-{next(runs)}"
        shutil.copytree(seat, root)
        return root

    old = slots(seat).unlock(PIN, SHARE).data_key()
    keys = set()
    for root in crash_points(
        make, lambda root: change_data_key(root / "seat", slots(root).unlock(PIN, SHARE)), (part, PARTS)
    ):
        assert await read(root) == before
        unlocked = slots(root).unlock(PIN, SHARE)
        keys.add(unlocked.data_key() == old)
        assert unlocked.data_keys() == (unlocked.data_key(),)
        if part == 0:
            change_data_key(root / "seat", unlocked)
            assert unlocked.data_keys() == (unlocked.data_key(),)
        assert {name for name in contents(root) if not name.endswith(".part")} == names
        shutil.rmtree(root)
    assert keys == {True, False}
