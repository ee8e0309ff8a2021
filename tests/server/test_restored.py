"""After a restore from a backup no number of the lost history is given again: a real folder, copied and put back."""

import asyncio
import contextlib
import shutil
import sqlite3
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas import wire
from schemas.codec import decode_row
from schemas.errors import StoreError
from schemas.ids import Generation, Millis, OfficerId, RecordId, ScopeName, Seq, named_record_id
from schemas.kinds import Incident
from schemas.wire import Position
from server import numbering
from server.committer import Committer
from server.office import Draft, Office
from server.restored import Restores, is_ahead
from server.store.memory import MemoryStore
from server.store.sqlite import SqliteStore
from server.store.sqlite.folder import PLACE
from sync import merge
from sync.policing.incidents.numbers import compartment_code
from sync.session.steps import Grant, Head
from tests.server.running import NOW, Clock, Running
from tests.server.settle.desk import BOTH, INCIDENT, Desk, op

AREA = ScopeName("area:birmingham")


class Post:
    """An office on a data folder, as the server and an import open one."""

    def __init__(self, store: SqliteStore, office: Office, restores: Restores) -> None:
        """Bind it."""
        self.store, self.office, self.restores = store, office, restores

    async def call(self, name: str, **more: object) -> str:
        """An incident comes in. Returns its number."""
        record = named_record_id("restored", name)
        values = {"opened_at": 1, "area": "birmingham", "category": "crime", "summary": name, **more}
        await self.office.bring([Draft(record=record, kind="incident", values=values)], OfficerId("WM1"))  # type: ignore[arg-type]  # plain field names
        return await self.urn(record)

    async def urn(self, record: RecordId) -> str:
        """The number of an incident."""
        row = await self.store.record(record)
        assert row is not None
        built = merge.from_row(decode_row(row)).build()
        assert isinstance(built, Incident)
        assert built.urn is not None
        return built.urn


@contextlib.asynccontextmanager
async def opened(folder: Path, clock: Clock) -> AsyncIterator[tuple[Post, bool]]:
    """The folder in use, and whether it was found to be a copy."""
    store = await SqliteStore.open(folder, inline=True)
    committer = Committer(store, clock, lambda _settled: None)
    running = asyncio.create_task(committer.run())
    try:
        office = Office(store, committer, clock)
        await office.start()
        restores = Restores(store, office, clock)
        yield Post(store, office, restores), await restores.look_at(folder)
    finally:
        committer.close()
        await running
        await store.close()


def back_up(folder: Path, to: Path) -> None:
    """As docs/howto/server.md says."""
    with tarfile.open(to, "w") as tar:
        tar.add(folder, ".")


def put_back(backup: Path, folder: Path) -> None:
    """In the place of what is there."""
    shutil.rmtree(folder)
    shutil.unpack_archive(backup, folder, filter="data")


async def test_no_number_of_the_lost_history_is_given_again(tmp_path: Path) -> None:
    """Of a server on a backup: incidents, crimes and what is closed, that day; and again after a second restore."""
    data, backup, clock = tmp_path / "data", tmp_path / "backup.tar", Clock()
    crime = {"type": "burglary", "offence": "Door forced.", "by": "WM1", "decided_at": NOW}
    async with opened(data, clock) as (post, copied):
        assert not copied
        assert await post.call("before") == "20231114-0001"
    back_up(data, backup)
    async with opened(data, clock) as (post, copied):
        assert not copied
        lost = {await post.call("lost"), await post.call("lost and closed", compartment="larch")}
    given: set[str] = set()
    for seconds in (60, 125):
        put_back(backup, data)
        clock.now = Millis(NOW + seconds * 1_000)
        async with opened(data, clock) as (post, copied):
            assert copied
            # Whoever was there before keeps what stands on paper.
            assert await post.urn(named_record_id("restored", "before")) == "20231114-0001"
            fresh = {
                await post.call("another", crimes=[{"crime": "door", **crime}]),
                await post.call("another closed", compartment="larch"),
            }
            row = await post.store.record(named_record_id("restored", "another"))
            assert row is not None
            numbers = merge.from_row(decode_row(row)).values()[numbering.CRIME_NUMBERS]
            mark = "R221420" if seconds == 60 else "R221525"
            assert numbers == [{"crime": "door", "number": f"20231114-CR-{mark}-0001"}]
            assert fresh == {f"20231114-{mark}-0001", f"20231114-{compartment_code('larch')}-{mark}-0001"}
        assert fresh.isdisjoint(lost | given)
        given |= fresh
        async with opened(data, clock) as (post, copied):
            assert not copied, "it is found once"
            assert await post.call("one more") == f"20231114-{mark}-0002"
            clock.advance(24 * 3_600_000)
            assert await post.call("the next day") == "20231115-0001"


async def test_a_folder_that_only_stops_and_starts_is_no_copy(tmp_path: Path) -> None:
    """A killed server and one that went down in order go on with the numbers of the day."""
    data, clock = tmp_path / "data", Clock()
    for count in range(1, 4):
        async with opened(data, clock) as (post, copied):
            assert not copied
            assert await post.call(str(count)) == f"20231114-000{count}"


async def test_a_folder_that_says_nothing_of_its_place_is_taken_as_it_is(tmp_path: Path) -> None:
    """Of a program that knew nothing of this: from now on it is told from its copies."""
    data, clock = tmp_path / "data", Clock()
    async with opened(data, clock) as (post, copied):
        assert not copied
        await post.call("before")
    (data / PLACE).unlink()
    async with opened(data, clock) as (post, copied):
        assert not copied
        assert await post.call("after") == "20231114-0002"
    shutil.copytree(data, tmp_path / "copy")
    async with opened(tmp_path / "copy", clock) as (post, copied):
        assert copied


async def test_a_copy_begins_another_epoch_once(tmp_path: Path) -> None:
    """Devices offer again what they had acknowledged after the backup; a server that only starts anew keeps its own."""
    data, clock, epochs = tmp_path / "data", Clock(), []
    for _ in range(2):
        async with opened(data, clock) as (post, _copied):
            epochs.append(post.store.epoch)
    shutil.copytree(data, tmp_path / "copy")
    for _ in range(2):
        async with opened(tmp_path / "copy", clock) as (post, _copied):
            epochs.append(post.store.epoch)
    assert epochs[0] == epochs[1] != epochs[2] == epochs[3]


async def test_an_epoch_that_somebody_has_set_is_a_restore_too(tmp_path: Path) -> None:
    """Whoever put a backup back over the old files, and said so in the database."""
    data, clock = tmp_path / "data", Clock()
    async with opened(data, clock) as (post, _):
        await post.call("before")
    with contextlib.closing(sqlite3.connect(data / "beatbook.db")) as connection, connection:
        connection.execute("UPDATE meta SET value = '00112233aabbccdd' WHERE key = 'epoch'")
    async with opened(data, clock) as (post, copied):
        assert copied
        assert await post.call("after") == "20231114-R221320-0001"


async def test_what_cannot_be_written_stops_the_start_and_is_found_again(tmp_path: Path) -> None:
    """The text names the file; nothing is numbered, and the next start finds the same."""
    data, clock = tmp_path / "data", Clock()
    async with opened(data, clock) as (post, _):
        await post.call("before")
    backup = data.with_name("copy")
    shutil.copytree(data, backup)
    (backup / f"{PLACE}.new").mkdir()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"place: cannot be written \(Is a directory\)"):
            async with opened(backup, clock):
                pass
    (backup / f"{PLACE}.new").rmdir()
    async with opened(backup, clock) as (_, copied):
        assert copied


async def test_a_restore_that_could_not_be_noted_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, or out of disk, before the mark is durable: the next start is not taken for an ordinary one."""
    data, clock = tmp_path / "data", Clock()
    async with opened(data, clock) as (post, _):
        await post.call("before")
    shutil.copytree(data, tmp_path / "copy")

    async def full(*_: object) -> bool:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Office, "by_rule", full)
        with pytest.raises(StoreError, match="the disk is full"):
            async with opened(tmp_path / "copy", clock):
                pass
    async with opened(tmp_path / "copy", clock) as (post, copied):
        assert copied
        assert await post.call("after") == "20231114-R221320-0001"


async def test_a_device_that_is_ahead_tells_of_a_disk_that_was_set_back(server: Running) -> None:
    """A disk put back as a whole keeps its times: the first device that has seen more says so, before it writes."""
    await server.brief("area:birmingham")
    server.enrol("hh-1", "area:birmingham")
    raw, nonce = await server.challenged()
    known = {
        "epoch": server.store.epoch,
        "scopes": [{"scope": "area:birmingham", "gen": 1, "seq": 7, "digest": b"x" * 32}],
    }
    await raw.send_message(server.hello("hh-1", nonce, **known))
    await raw.send_message(wire.Ping(id=1))
    await raw.until(wire.Pong)
    record = named_record_id("restored", "after")
    values = {"opened_at": 1, "area": "birmingham", "category": "crime", "summary": "after"}
    await server.beatbook.office.bring([Draft(record=record, kind="incident", values=values)], OfficerId("WM1"))  # type: ignore[arg-type]  # plain field names
    row = await server.store.record(record)
    assert row is not None
    assert merge.from_row(decode_row(row)).values()[numbering.URN] == "20231114-R221320-0001"


@pytest.mark.parametrize(("gen", "seq", "ahead"), [(1, 7, False), (1, 8, True), (2, 8, False), (1, 0, False)], ids=str)
def test_only_more_of_the_same_is_ahead(gen: int, seq: int, ahead: bool) -> None:  # noqa: FBT001  what is expected
    """A place of another generation, or in a scope that is not granted, says nothing of how far the server was."""
    at = Position(scope=AREA, gen=Generation(gen), seq=Seq(seq), digest=b"x" * 32)
    grants = {AREA: Grant(Generation(1), Head(Seq(7), b"x" * 32, 0))}
    assert is_ahead([at], grants) is ahead
    assert not is_ahead([at], {})


async def test_it_is_noted_once_however_many_devices_show_it() -> None:
    """The numbers of a day change their form once for one restore."""
    clock, store = Clock(), MemoryStore()
    committer = Committer(store, clock, lambda _settled: None)
    running = asyncio.create_task(committer.run())
    office = Office(store, committer, clock)
    await office.start()
    restores = Restores(store, office, clock)
    for _ in range(3):
        await restores.tell("a device is ahead")
        clock.advance(1_000)
    row = await store.record(numbering.SET_BACK)
    assert row is not None
    assert decode_row(row).v == 1
    committer.close()
    await running


def test_a_clock_that_is_set_back_keeps_the_later_day_marked() -> None:
    """What the lost history gave out on that later day is as unknown as before."""
    desk = Desk()
    values = {str(name): value for name, value in numbering.set_back(None, Millis(NOW + 24 * 3_600_000)).items()}
    assert values["day"] == "2023-11-15"
    made = op(1, numbering.SET_BACK, values, create=True, kind="number-series", device="control-room")
    desk.submit(made, device="control-room", scopes=None)
    known = desk.held(numbering.SET_BACK)
    again = {str(name): value for name, value in numbering.set_back(known, NOW).items()}
    assert (again["series"], again["day"]) == ("R221320", "2023-11-15")
    desk.submit(op(1, 1, INCIDENT, create=True), scopes=BOTH)
    assert desk.values(1)["urn"] == f"20231114-{values['series']}-0001"
