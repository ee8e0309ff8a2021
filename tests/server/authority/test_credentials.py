"""Security keys on a disk: they outlive the process, and the log that tells of them verifies.

The contract of whatever keeps them is in `tests/server/federation/test_credentials.py`.
"""

from pathlib import Path

import msgspec
import pytest

from schemas.errors import StoreError
from schemas.ids import Millis, OfficerId
from server.authority import ServerKeys
from server.authority.credentials import KeyChange, StoreCredentials
from server.beatbook import Beatbook
from server.evidence.whole import verify
from server.federation.credentials import Credential
from server.logbook import SECURITY_KEY
from server.store.sqlite import SqliteStore
from server.store.sqlite.inspection import Inspection
from tests.server.evidence.station import masters_of
from tests.server.running import CHEAP, Clock, GatedStore, running

KEY = Credential(
    id=b"k" * 32,
    officer=OfficerId("WM7001"),
    user=bytes(32),
    data=b"data",
    counter=1,
    label="grey key",
    registered_at=Millis(5),
)

SPARE = msgspec.structs.replace(KEY, id=b"s" * 32, label="in the safe", registered_at=Millis(6))


async def opened(folder: Path, clock: Clock) -> tuple[Beatbook, StoreCredentials]:
    """A server on a data folder, and what keeps its keys."""
    store = await SqliteStore.open(folder / "data", inline=True)
    beatbook = Beatbook(store, ServerKeys.open(folder / "keys"), clock, hashing=CHEAP)
    await beatbook.start()
    return beatbook, StoreCredentials(beatbook.authority.ledger, store, clock)


async def test_keys_outlive_the_process_and_the_log_verifies(tmp_path: Path) -> None:
    """Added, used, found to be copied and removed by another: each state is there after a restart, each in the log."""
    clock = Clock()
    beatbook, kept = await opened(tmp_path, clock)
    assert await kept.add(KEY)
    assert await kept.add(SPARE)
    used = msgspec.structs.replace(KEY, counter=2, used_at=Millis(7))
    assert await kept.replace(KEY, used)
    await beatbook.stop()
    beatbook, kept = await opened(tmp_path, clock)
    assert await kept.all() == [used, SPARE]
    assert await kept.replace(used, msgspec.structs.replace(used, cloned_at=Millis(9)))
    assert await kept.remove(KEY.id, OfficerId("WM7002"), "copied")
    await beatbook.stop()
    beatbook, kept = await opened(tmp_path, clock)
    assert await kept.find(KEY.id) is None
    journal = await beatbook.store.journal(SECURITY_KEY, 0, 10)
    told = [msgspec.msgpack.decode(each.body or b"", type=KeyChange) for each in journal]
    assert [(each.change, each.by, each.why) for each in told] == [
        ("added", "WM7001", ""),
        ("added", "WM7001", ""),
        ("cloned", "WM7001", ""),
        ("removed", "WM7002", "copied"),
    ]
    await beatbook.stop()
    inspection = Inspection.open(tmp_path / "data" / "beatbook.db", masters_of(tmp_path / "data"))
    try:
        assert verify(inspection).findings == ()
    finally:
        inspection.close()


async def test_what_cannot_be_kept_is_told_and_nothing_is_changed(tmp_path: Path) -> None:
    """The disk refuses: no key, no entry; once it takes things again the same call does it."""
    async with running(tmp_path) as server:
        assert isinstance(server.store, GatedStore)
        kept = StoreCredentials(server.beatbook.authority.ledger, server.store, server.clock)
        server.store.failing = StoreError("the disk is full")
        with pytest.raises(StoreError):
            await kept.add(KEY)
        server.store.failing = None
        assert await kept.find(KEY.id) is None
        assert await server.store.journal(SECURITY_KEY, 0, 10) == []
        assert await kept.add(KEY)
        assert await kept.find(KEY.id) == KEY
