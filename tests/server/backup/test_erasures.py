"""What was erased after a backup is gone again after its restore, by the acts that erased it."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from schemas.codec import encode
from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, RecordId, ScopeName, new_record_id
from schemas.ops import Op
from schemas.wire import Result
from server.backup.archive import Description
from server.backup.erasures import KeptErasure, carry_out
from server.backup.restoring import Beside, beside, description_of, restore
from server.backup.taking import take_erasures
from server.commits import Submission
from server.evidence.whole import verify
from server.registry.acts import RecordErased, RetentionReviewed, decode
from server.registry.acts import encode as encode_act
from server.store.sqlite import SqliteStore
from server.store.sqlite.folder import database_of
from server.store.sqlite.inspection import Inspection
from tests.examples import LEAST, op
from tests.server.backup import folders
from tests.server.evidence import station

SECRET = "Shed broken into, van"
STRANGE = DeviceId("hh-0999")
SCOPES = frozenset({ScopeName("area:birmingham"), ScopeName("suite:perry-barr:medical")})


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
def made(tmp_path: Path) -> tuple[bytes, Description, RecordId]:
    """(a backup from before an erasure, what had been erased afterwards, the record)."""
    record = asyncio.run(history(tmp_path / "station" / "data", tmp_path / "old.bbk", tmp_path / "later.bbk"))
    return (
        (tmp_path / "old.bbk").read_bytes(),
        description_of(folders.to_read((tmp_path / "later.bbk").read_bytes())),
        record,
    )


async def held(folder: Path, record: RecordId) -> tuple[bytes | None, bool]:
    """(the record's row, whether the store knows it as erased)."""
    store = await SqliteStore.open(folder, inline=True)
    try:
        return await store.record(record), await store.erased(record) is not None
    finally:
        await store.close()


def test_what_was_erased_later_does_not_come_back(made: tuple[bytes, Description, RecordId], tmp_path: Path) -> None:
    """Its key is destroyed in what is restored, the database is sound, and the log says who decided it."""
    raw, erasures, record = made
    done = restore(folders.to_read(raw), tmp_path / "new", check=True, erasures=[erasures])
    assert done.erasures.done == (record,)
    assert done.erasures.before == (station.record_id("gone"),)
    assert asyncio.run(held(tmp_path / "new", record)) == (None, True)
    inspection = Inspection.open(database_of(tmp_path / "new"), station.masters_of(tmp_path / "new"))
    destroyed = {str(row.subject) for row in inspection.wrapped_keys() if row.destroyed}
    inspection.close()
    assert record in destroyed


def test_without_a_list_it_comes_back(made: tuple[bytes, Description, RecordId], tmp_path: Path) -> None:
    """Or the test above would prove nothing; what the backup itself knows stays erased."""
    raw, _, record = made
    done = restore(folders.to_read(raw), tmp_path / "new")
    assert done.erasures.done == ()
    row, erased = asyncio.run(held(tmp_path / "new", record))
    assert row is not None
    assert not erased
    assert asyncio.run(held(tmp_path / "new", station.record_id("gone"))) == (None, True)


def decided(one: KeptErasure) -> tuple[RetentionReviewed, RecordErased]:
    """The two acts of an erasure."""
    proposal, act = decode(one.proposal), decode(one.act)
    assert isinstance(proposal, RetentionReviewed)
    assert isinstance(act, RecordErased)
    return proposal, act


async def offered(folder: Path, *ops: Op) -> list[Result]:
    """What becomes of ops that a device brings to a folder."""
    store = await SqliteStore.open(folder, inline=True)
    try:
        brought = Submission(ops[0].device, SCOPES, tuple(map(encode, ops)))
        (settled,) = await store.commit([brought], Millis(1_790_000_100_000))
        return list(settled.results)
    finally:
        await store.close()


def test_what_the_backup_does_not_know_is_kept_out(made: tuple[bytes, Description, RecordId], tmp_path: Path) -> None:
    """A record that came after the backup and was erased: a device that never heard of that brings nothing of it back.

    Nor what is about it; and the database is sound by its own log.
    """
    raw, erasures, record = made
    stranger = new_record_id(Millis(1_790_000_000_000), bytes(10))
    proposal, act = (encode_act(msgspec.structs.replace(one, record=stranger)) for one in decided(erasures.erasures[0]))
    more = KeptErasure(stranger, proposal, act, "erased")
    younger = msgspec.structs.replace(erasures, erasures=(*erasures.erasures, more))
    done = restore(folders.to_read(raw), tmp_path / "new", check=True, erasures=[younger])
    assert done.erasures.ahead == (stranger,)
    assert done.erasures.done == (record,)
    folder = tmp_path / "new"
    assert asyncio.run(held(folder, stranger)) == (None, True)
    making = op(1, stranger, "incident", LEAST["incident"], create=True, device=STRANGE)
    adding = op(2, stranger, "incident", {"log": [{"text": "Again."}]}, device=STRANGE)
    part = new_record_id(Millis(1_790_000_000_001), bytes(10))
    about = op(3, part, "medical", LEAST["medical"] | {"booking": stranger}, create=True, device=STRANGE)
    results = asyncio.run(offered(folder, making, adding, about))
    assert [(one.status, one.code) for one in results] == [("refused", "op_record_erased")] * 3
    assert asyncio.run(held(folder, stranger)) == (None, True)
    inspection = Inspection.open(database_of(folder), station.masters_of(folder))
    report = verify(inspection, [])
    inspection.close()
    # These ops came without a signature; nothing else is wrong.
    assert {one.differs for one in report.findings} == {"no signed head covers it"}


def test_it_is_carried_out_once(made: tuple[bytes, Description, RecordId], tmp_path: Path) -> None:
    """Stopped on the way and called again, or given in two lists."""
    raw, erasures, record = made
    restore(folders.to_read(raw), tmp_path / "new", erasures=[erasures, erasures])
    again = carry_out(tmp_path / "new", erasures.erasures, Millis(1_790_000_000_000))
    assert set(again.before) == {record, station.record_id("gone")}
    assert again.done == ()


def test_what_lies_beside_a_backup_is_asked(made: tuple[bytes, Description, RecordId], tmp_path: Path) -> None:
    """Younger archives of the same log; not the backup itself, an older one, another server's, or one that is shut."""
    raw, younger, _ = made
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "old.bbk").write_bytes(raw)
    assert beside(folder / "old.bbk", folders.KEY) == Beside()
    (folder / "same.bbk").write_bytes(raw)
    (folder / "later.bbk").write_bytes((tmp_path / "later.bbk").read_bytes())
    (folder / "shut.bbk").write_bytes(b"beatbook backup 1\nnothing of ours")
    (folder / "notes.txt").write_bytes(b"nothing of ours")
    asyncio.run(history(tmp_path / "other" / "data", tmp_path / "x.bbk", folder / "stranger.bbk"))
    assert beside(folder / "old.bbk", folders.KEY) == Beside((younger,), ("shut.bbk",))
    assert beside(folder / "later.bbk", folders.KEY).descriptions == ()


def test_a_list_of_another_server_is_refused(made: tuple[bytes, Description, RecordId], tmp_path: Path) -> None:
    """It would keep out records that nobody here has erased."""
    raw, younger, _ = made
    with pytest.raises(UsageError, match="not of the same server"):
        restore(folders.to_read(raw), tmp_path / "new", erasures=[msgspec.structs.replace(younger, log_key="x")])
    assert not (tmp_path / "new").exists()
