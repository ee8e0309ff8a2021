"""`SqliteStore`: what it keeps over an end, and that whoever holds it hears of every commit."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.errors import StoreError
from schemas.ids import ScopeName
from server.commits import Settled, Submission
from server.store.sqlite import SqliteStore
from server.store.sqlite.sealed import SealedTables
from server.store.sqlite.store import InlineWriter
from sync.session import Head
from tests.server.store.support import NOW, Device, Keep, area, commit, picture, record_id, results_of, statuses


class Listening:
    """Holds a store as the server does: it knows of the heads only what commits tell."""

    def __init__(self, store: SqliteStore, heads: dict[ScopeName, Head]) -> None:
        self.store = store
        self.heads = dict(heads)

    async def commit(self, *group: Submission) -> list[Settled]:
        """Commit, and take in what is told."""
        settled = await self.store.commit(group, NOW)
        self.heads.update({change.scope: change.head for one in settled for change in one.scopes})
        return settled


@pytest.mark.parametrize("inline", [True, False])
async def test_all_is_there_after_close_and_reopen(tmp_path: Path, kept: Keep, *, inline: bool) -> None:
    """Records, logs with their tombstones, ops with their results, the order and the epoch outlive the process."""
    device = Device()
    store = kept(await SqliteStore.open(tmp_path / "data", inline=inline))
    made = device.push(*(device.incident(record_id(i)) for i in range(20)))
    moved = device.push(*(device.move(record_id(i), "solihull") for i in range(0, 20, 3)))
    results = await commit(store, made) + await commit(store, moved)
    before, epoch = await picture(store), store.epoch
    await store.close()
    store = kept(await SqliteStore.open(tmp_path / "data", inline=not inline))
    assert store.epoch == epoch
    assert await picture(store) == before
    assert await store.last_op(device.device) == device.n
    again = await commit(store, made, moved)
    # Where a record is now, and not where it was: that is what a device needs to know.
    assert {result.scopes for result in again} == {(area("birmingham"),), (area("solihull"),)}
    assert [replace(result, scopes=()) for result in again] == [replace(result, scopes=()) for result in results]
    (settled,) = await store.commit([device.push(device.note(record_id(0)))], NOW)
    assert settled.seq == 3


async def test_two_folders_have_two_epochs(tmp_path: Path, kept: Keep) -> None:
    """An epoch names one history; a folder made anew is another."""
    stores = [kept(await SqliteStore.open(tmp_path / name, inline=True)) for name in ("one", "two")]
    assert stores[0].epoch != stores[1].epoch


async def test_commits_of_a_call_that_failed_are_told_by_the_next(tmp_path: Path, kept: Keep) -> None:
    """The first commits of a group are durable although the call failed: no device may wait for them for ever."""
    writer = await InlineWriter.open(tmp_path / "data", 0)
    store = kept(await SqliteStore.over(writer, tmp_path / "data"))
    listening = Listening(store, await store.heads())
    device = Device()
    towns = ["birmingham", "solihull", "walsall", "dudley", "sandwell", "coventry"]
    await listening.commit(device.push(*(device.incident(record_id(town), town) for town in towns)))

    def pages(spare: int) -> None:
        ask = writer.writer._connection.execute
        ask(f"PRAGMA max_page_count = {ask('PRAGMA page_count').fetchone()[0] + spare}")

    loop = asyncio.get_running_loop()
    await loop.run_in_executor(writer._thread, pages, 120)
    grown = [device.push(*device.grow_to(record_id(town), 24)) for town in towns]
    with pytest.raises(StoreError, match="the disk is full"):
        await listening.commit(*grown)
    heads = await store.heads()
    unheard = {scope for scope, head in heads.items() if head != listening.heads[scope]}
    assert 0 < len(unheard) < len(towns)
    await loop.run_in_executor(writer._thread, pages, 1_000_000)
    settled = await listening.commit(device.push(device.note(record_id("coventry"))))
    assert listening.heads == await store.heads()
    for change in settled[-1].scopes:
        if change.scope in unheard:
            assert (change.rows, change.gone, change.frm) == ((), (), change.head.seq)
    settled = await listening.commit(*grown)
    assert statuses(results_of(settled)) == ["durable"] * 18
    assert listening.heads == await store.heads()
    (only,) = await listening.commit(device.push(device.note(record_id("dudley"))))
    assert [change.scope for change in only.scopes] == [area("dudley")]


@pytest.mark.parametrize("inline", [True, False])
async def test_a_commit_whose_caller_was_cancelled_is_told_by_the_next(
    tmp_path: Path, kept: Keep, *, inline: bool
) -> None:
    """A cancelled call is carried out all the same; what it changed is heard of with the next one."""
    store = kept(await SqliteStore.open(tmp_path / "data", inline=inline))
    listening = Listening(store, {})
    device = Device()
    asked = asyncio.create_task(listening.commit(device.push(device.incident(record_id(1)))))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    (settled,) = await listening.commit(device.push(device.incident(record_id(1))))
    assert (settled.seq, statuses(settled.results)) == (1, ["refused"])
    assert listening.heads == await store.heads()
    assert listening.heads[area("birmingham")].seq == 1


async def test_a_commit_in_order_tells_only_of_itself(tmp_path: Path, kept: Keep) -> None:
    """Nothing is added where nothing was missed: a batch goes to those whose scope has changed."""
    store = kept(await SqliteStore.open(tmp_path / "data", inline=True))
    device = Device()
    for town in ("birmingham", "solihull", "walsall"):
        (settled,) = await store.commit([device.push(device.incident(record_id(town), town))], NOW)
        assert [(change.scope, change.frm) for change in settled.scopes] == [(area(town), 0)]
    (settled,) = await store.commit([device.push(device.incident(record_id("walsall")))], NOW)
    assert settled.scopes == ()


async def test_a_closed_store_says_so(tmp_path: Path, kept: Keep) -> None:
    """A read after the end is an error with a sentence, not a failure of some thread."""
    store = kept(await SqliteStore.open(tmp_path / "data", inline=True))
    await store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        await store.heads()


async def test_a_cancelled_read_leaves_its_connection_fit(tmp_path: Path, kept: Keep) -> None:
    """A device that goes in the middle of a read costs the next reader nothing: no open transaction, no old state."""
    store = kept(await SqliteStore.open(tmp_path / "data", inline=True))
    device = Device()
    await commit(store, device.push(*(device.incident(record_id(i)) for i in range(300))))
    for _ in range(20):
        reads = [asyncio.create_task(store.page(area("birmingham"), "", "")) for _ in range(4)]
        await asyncio.sleep(0)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
    await commit(store, device.push(device.note(record_id(0))))
    for _ in range(4):
        changes = await store.changes(area("birmingham"), (await store.heads())[area("birmingham")].seq)
        assert changes.rows == ()


async def test_a_read_that_the_disk_refuses_is_a_store_error(tmp_path: Path, kept: Keep) -> None:
    """No sqlite3 error leaves the package, and the connection is usable afterwards."""
    store = kept(await SqliteStore.open(tmp_path / "data", inline=True))

    def broken(tables: SealedTables) -> None:
        tables.connection.execute("SELECT * FROM nowhere")

    with pytest.raises(StoreError, match=r"beatbook\.db: no such table: nowhere"):
        await store._readers.read(broken)
    assert await store.heads() == {}
