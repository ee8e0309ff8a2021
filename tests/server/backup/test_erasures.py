"""What was erased after a backup is gone again after its restore, by the acts that erased it."""

import asyncio
import shutil
from pathlib import Path

import pytest

from schemas.ids import Millis, RecordId, new_record_id
from server.backup.erasures import KeptErasure, carry_out, joined
from server.backup.restoring import erasures_in, restore
from server.backup.taking import take_erasures
from server.store.sqlite import SqliteStore
from server.store.sqlite.folder import database_of
from server.store.sqlite.inspection import Inspection
from tests.server.backup import folders
from tests.server.evidence import station

SECRET = "Shed broken into, van"


async def history(folder: Path, backup: Path, later: Path) -> RecordId:
    """A folder, a backup of it, an erasure, and a list of erasures."""
    one, _ = await station.make(folder, rounds=2)
    shutil.copytree(folder.parent / "keys", folder / "keys")
    folders.archive_of(folder, backup)
    await one.erase("van")
    take_erasures(folder, later, folders.FOR_KEY)
    await one.store.close()
    return station.record_id("van")


@pytest.fixture
def made(tmp_path: Path) -> tuple[bytes, tuple[KeptErasure, ...], RecordId]:
    """(a backup from before an erasure, what had been erased afterwards, the record)."""
    record = asyncio.run(history(tmp_path / "station" / "data", tmp_path / "old.bbk", tmp_path / "later.bbk"))
    return (
        (tmp_path / "old.bbk").read_bytes(),
        erasures_in(folders.to_read((tmp_path / "later.bbk").read_bytes())),
        record,
    )


async def held(folder: Path, record: RecordId) -> tuple[bytes | None, bool]:
    """(the record's row, whether the store knows it as erased)."""
    store = await SqliteStore.open(folder, inline=True)
    try:
        return await store.record(record), await store.erased(record) is not None
    finally:
        await store.close()


def test_what_was_erased_later_does_not_come_back(
    made: tuple[bytes, tuple[KeptErasure, ...], RecordId], tmp_path: Path
) -> None:
    """Its key is destroyed in what is restored, the database is sound, and the log says who decided it."""
    raw, erasures, record = made
    done = restore(folders.to_read(raw), tmp_path / "new", check=True, erasures=erasures)
    assert done.erasures.done == (record,)
    assert done.erasures.before == (station.record_id("gone"),)
    assert asyncio.run(held(tmp_path / "new", record)) == (None, True)
    inspection = Inspection.open(database_of(tmp_path / "new"), station.masters_of(tmp_path / "new"))
    destroyed = {str(row.subject) for row in inspection.wrapped_keys() if row.destroyed}
    inspection.close()
    assert record in destroyed


def test_without_a_list_it_comes_back(made: tuple[bytes, tuple[KeptErasure, ...], RecordId], tmp_path: Path) -> None:
    """Or the test above would prove nothing; what the backup itself knows stays erased."""
    raw, _, record = made
    done = restore(folders.to_read(raw), tmp_path / "new")
    assert done.erasures.done == ()
    row, erased = asyncio.run(held(tmp_path / "new", record))
    assert row is not None
    assert not erased
    assert asyncio.run(held(tmp_path / "new", station.record_id("gone"))) == (None, True)


def test_what_the_backup_does_not_know_is_told(
    made: tuple[bytes, tuple[KeptErasure, ...], RecordId], tmp_path: Path
) -> None:
    """A record that came after the backup and was erased: a device may offer it again, so somebody must know."""
    raw, erasures, record = made
    stranger = new_record_id(Millis(1_790_000_000_000), bytes(10))
    more = KeptErasure(stranger, erasures[0].proposal, erasures[0].act, "erased")
    done = restore(folders.to_read(raw), tmp_path / "new", check=True, erasures=(*erasures, more))
    assert done.erasures.unknown == (stranger,)
    assert done.erasures.done == (record,)


def test_it_is_carried_out_once(made: tuple[bytes, tuple[KeptErasure, ...], RecordId], tmp_path: Path) -> None:
    """Stopped on the way and called again, or given in two lists."""
    raw, erasures, record = made
    restore(folders.to_read(raw), tmp_path / "new", erasures=joined([erasures, erasures]))
    again = carry_out(tmp_path / "new", erasures, Millis(1_790_000_000_000))
    assert set(again.before) == {record, station.record_id("gone")}
    assert again.done == ()
