"""A handheld whose read log was set back: it gets no lease until somebody has looked, and loses nothing by it."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from schemas.errors import ReplicaError, UsageError
from schemas.ids import OpNumber, RecordId
from schemas.kinds import Incident
from schemas.kinds.incident import Grade
from schemas.reads import NO_LINK
from server.authority.gatekeeper import Gatekeeper
from server.intake import ReadBatch, take_reads
from server.logbook import ALARM, READS
from server.registry.rules import PROVISIONAL_LEASE_MS
from server.registry.state import ReadsState
from sync.device import Handheld, LeaseEnded
from sync.device.installation import SEATS, Installation
from sync.evidence.chain import ChainHead
from tests.sync.device.force import BOSS, DEVICE, OFFICER, PHRASE, Force
from tests.sync.device.support import VirtualClock, caught_up, change_of, incident
from tests.sync.device.test_signing_in import at_work, back


async def told(house: Force) -> list[ReadBatch]:
    """What the server holds of the seat's read log."""
    return [msgspec.msgpack.decode(body, type=ReadBatch) for body in await house._journal(READS)]


async def kept(house: Force) -> int:
    """How many entries that is."""
    head = await house.store.chain(f"reads/{DEVICE}")
    return 0 if head is None else head.n


async def reads_until(house: Force, count: int) -> None:
    """Wait until the server holds so many entries."""
    while await kept(house) < count:
        await house._committed()


async def settled(handheld: Handheld) -> None:
    """Wait until the server has said that it holds all that was read here."""
    while await handheld._replica.read(lambda held: held.replica.reads.waiting(0, 1)):  # noqa: ASYNC110  nobody is told
        await asyncio.sleep(0)


async def looked(installation: Installation, house: Force, record: RecordId, times: int) -> None:
    """Look at a record so often, and have the server keep that."""
    before = await kept(house)
    async with at_work(installation) as handheld:
        for _ in range(times):
            await handheld.get(Incident, record)
        await handheld.go_offline()
        await handheld.go_online()
        await reads_until(house, before + times)
        await settled(handheld)


@pytest.fixture
async def record(installation: Installation) -> RecordId:
    """An incident that the server has."""
    async with at_work(installation) as handheld:
        made = await handheld.create(incident())
        await handheld.wait_until(caught_up)
        await back(handheld, made.record)
        await settled(handheld)
    return made.record


async def set_back(installation: Installation, house: Force, record: RecordId, times: int = 3) -> None:
    """Somebody copies the seat, looks around, and puts the copy back."""
    folder, copy = installation.folder / SEATS / DEVICE, installation.folder / "copy"
    shutil.copytree(folder, copy)
    await looked(installation, house, record, times)
    shutil.rmtree(folder)
    copy.rename(folder)


async def test_signing_in_gives_a_short_lease_and_the_connection_the_whole(
    installation: Installation, house: Force
) -> None:
    """Whoever never connects reads for some minutes, and is told why it ends; whoever does has their shift."""
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    assert signed_in.seat.lease.remaining_ms() == PROVISIONAL_LEASE_MS
    async with at_work(installation, signed_in, connect=False) as handheld:
        clock = installation._clock
        assert isinstance(clock, VirtualClock)
        stream = handheld.changes()
        clock.advance(PROVISIONAL_LEASE_MS)
        await change_of(stream, LeaseEnded)
        with pytest.raises(ReplicaError, match="whole one comes when") as caught:
            await handheld.find(Incident)
        assert "alarms" in str(caught.value)
    async with at_work(installation) as handheld:
        assert await handheld.lease_left_ms() == 12 * 60 * 60_000


async def test_a_log_that_was_set_back_costs_the_lease_and_nothing_that_was_written(
    installation: Installation, house: Force, record: RecordId
) -> None:
    """Each start is given some minutes alone; what is written goes up all the same; the alarm is raised once."""
    await set_back(installation, house, record)
    for grade in (Grade.P1, Grade.P2):
        async with at_work(installation) as handheld:
            await handheld.edit(record, grade=grade, why="What was seen there")
            await handheld.wait_until(lambda status: status.alarms > 0 and status.waiting == 0)
            left = await handheld.lease_left_ms()
            assert left is not None
            assert 0 < left <= PROVISIONAL_LEASE_MS
    assert len(await house._journal(ALARM)) == 1
    assert await house.store.last_op(DEVICE) == OpNumber(3)
    assert house.beatbook.authority.ledger.registry.seats[DEVICE].reads is ReadsState.SET_BACK


async def test_numbers_that_overtake_the_servers_end_nothing(
    installation: Installation, house: Force, record: RecordId
) -> None:
    """The chain does not fit: no lease any more, the entries stay on the device, and the ops go up, for ever."""
    await set_back(installation, house, record, times=2)
    held = await kept(house)
    assert isinstance(installation._clock, VirtualClock)
    installation._clock.advance(1_000)
    async with at_work(installation, connect=False) as handheld:
        for _ in range(4):
            await handheld.get(Incident, record)
        await handheld.edit(record, grade=Grade.P1)
    waiting: list[tuple[int, bytes]] = []
    for _ in range(2):
        async with at_work(installation) as handheld:
            await handheld.wait_until(lambda status: status.alarms > 0 and status.waiting == 0)
            left = await handheld.lease_left_ms()
            assert left is not None
            assert left <= PROVISIONAL_LEASE_MS
            waiting = await handheld._replica.read(lambda held: held.replica.reads.waiting(0, 100))
    assert await kept(house) == held
    assert len(waiting) == 4
    assert house.beatbook.authority.ledger.registry.seats[DEVICE].reads is ReadsState.SET_BACK


@pytest.mark.parametrize("more", [0, 1, 5])
async def test_once_somebody_has_looked_the_log_goes_on_behind_what_is_held(
    installation: Installation, house: Force, record: RecordId, more: int
) -> None:
    """What was read since is not lost: it follows, numbered anew, in one chain; and leases are given again."""
    authority = house.beatbook.authority
    with pytest.raises(UsageError, match="as it should be"):
        await authority.pardon(DEVICE, BOSS, "nothing is wrong")
    await set_back(installation, house, record, times=3)
    held = await kept(house)
    async with at_work(installation) as handheld:
        for _ in range(more):
            await handheld.get(Incident, record)
        await handheld.wait_until(lambda status: status.alarms > 0)
    await authority.pardon(DEVICE, BOSS, "the disk was put back from an image")
    async with at_work(installation) as handheld:
        await reads_until(house, held + more)
        while authority.ledger.registry.seats[DEVICE].reads is not ReadsState.WHOLE:
            await house._committed()
        await handheld.get(Incident, record)
    async with at_work(installation) as handheld:
        assert await handheld.lease_left_ms() == 12 * 60 * 60_000
        await reads_until(house, held + more + 1)
    head: ChainHead | None = None
    for batch in await told(house):
        _, head = take_reads(DEVICE, OFFICER, head, batch.first, batch.entries)
    assert head is not None
    assert head.n == held + more + 1
    assert (await told(house))[0].reads()[0].link == NO_LINK


async def test_a_pardon_that_the_device_has_not_heard_of_gives_nothing(
    installation: Installation, house: Force, record: RecordId, tmp_path: Path
) -> None:
    """A log that goes on as if nothing had been is refused after a pardon as before it."""
    await set_back(installation, house, record, times=2)
    async with at_work(installation) as handheld:
        for _ in range(5):
            await handheld.get(Incident, record)
        await handheld.wait_until(lambda status: status.alarms > 0)
        await house.beatbook.authority.pardon(DEVICE, BOSS, "the disk was put back from an image")
        await handheld.go_offline()
        await handheld.go_online()
        await handheld.wait_until(caught_up)
        await handheld.edit(record, grade=Grade.P1)
        await handheld.wait_until(lambda status: status.waiting == 0)
        left = await handheld.lease_left_ms()
        assert left is not None
        assert left <= PROVISIONAL_LEASE_MS
    assert house.beatbook.authority.ledger.registry.seats[DEVICE].reads is ReadsState.PARDONED
    assert isinstance(house.beatbook.gate, Gatekeeper)
