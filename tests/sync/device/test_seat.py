"""A shared handheld: seats beside each other, officers who change, and what a wipe leaves."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId, RecordId, Seq
from sync.device.database import EncryptedDatabase
from sync.device.drafts import DraftBox
from sync.device.keys import HeldKey
from sync.device.keystore import FileKeyStore
from sync.device.lease import Lease, StoredShareCache
from sync.device.seat import Seat, seats
from sync.device.store import Held, ReplicaStore
from sync.device.wiping import wipe
from tests.sync.device.powercut import after_cut, crash_points
from tests.sync.device.seats import NEW_SHARE, OTHER_PIN, PIN, QUARANTINE, SEAT, SHARE, cheap
from tests.sync.device.support import NOON, VirtualClock, contents

SECOND: Final = DeviceId("hh-0042-2")
LEASE: Final = Lease(NOON, NOON + 10 * 60 * 60_000)


def seat_of(root: Path, seat: DeviceId = SEAT, clock: VirtualClock | None = None) -> Seat:
    """A seat of the handheld below a folder, with its share in the keystore."""
    store = FileKeyStore(root / "keystore")
    clock = clock or VirtualClock()
    return Seat(root / "replicas", seat, store, cache=StoredShareCache(store, seat), clock=clock, stretching=cheap)


def nothing(*_: object) -> None:
    """Nobody listens."""


async def keep(seat: Seat, pin: str, text: bytes) -> None:
    """Write something into a seat's replica."""

    def put(held: Held) -> None:
        held.tables.put_row(RecordId("R"), "incident", Seq(1), text)

    store = await ReplicaStore.open(seat.folder, seat.unlock(pin), seat.id)
    await store.change(put, nothing)
    await store.close()


async def kept(seat: Seat, pin: str) -> bytes | None:
    """What is in it."""
    store = await ReplicaStore.open(seat.folder, seat.unlock(pin), seat.id)
    try:
        return await store.read(lambda held: held.tables.row(RecordId("R")))
    finally:
        await store.close()


@pytest.fixture
async def shared(tmp_path: Path) -> Path:
    """A handheld with two officers' seats, each with a record in it."""
    root = tmp_path / "handheld"
    seat_of(root).enrol(PIN, SHARE, LEASE, QUARANTINE)
    seat_of(root, SECOND).enrol(OTHER_PIN, NEW_SHARE, LEASE, QUARANTINE)
    await keep(seat_of(root), PIN, b"first officer's")
    await keep(seat_of(root, SECOND), OTHER_PIN, b"second officer's")
    return root


async def test_each_officer_has_a_seat_of_their_own(shared: Path) -> None:
    """Changing officers changes replicas; neither PIN opens the other's, and each has its own data key."""
    assert seats(shared / "replicas") == [SEAT, SECOND]
    assert await kept(seat_of(shared), PIN) == b"first officer's"
    assert await kept(seat_of(shared, SECOND), OTHER_PIN) == b"second officer's"
    with pytest.raises(ReplicaError, match="wrong PIN for hh-0042-2"):
        seat_of(shared, SECOND).unlock(PIN)
    with pytest.raises(ReplicaError, match="wrong PIN for hh-0042"):
        seat_of(shared).unlock(OTHER_PIN)
    one, other = seat_of(shared).unlock(PIN), seat_of(shared, SECOND).unlock(OTHER_PIN)
    assert one.data_key() != other.data_key()
    with pytest.raises(ReplicaError, match="wrong key"):
        await EncryptedDatabase.open(seat_of(shared).folder, other)


async def test_no_mix_of_two_seats_parts_opens(shared: Path) -> None:
    """An officer who copies a colleague's slots, secret or share over their own, or all of them, reads nothing."""
    store, folder = shared / "keystore", shared / "replicas"
    parts = {
        "slots": (folder / SECOND / "replica.keys", folder / SEAT / "replica.keys"),
        "secret": (store / f"{SECOND}.secret", store / f"{SEAT}.secret"),
        "share": (store / f"{SECOND}.share", store / f"{SEAT}.share"),
    }
    for count in range(1, 4):
        for mixed in itertools.combinations(parts, count):
            for source, target in (parts[part] for part in mixed):
                target.unlink()
                shutil.copy(source, target)
            with pytest.raises(ReplicaError, match=r"holds the keys of|under another share|wrong PIN"):
                seat_of(shared).unlock(PIN)
            seat_of(shared).slots.tries.clear()


async def test_when_the_lease_ends_the_seat_stays_shut_and_takes_drafts(shared: Path) -> None:
    """Whatever the PIN; and a new lease opens it again."""
    clock = VirtualClock()
    seat = seat_of(shared, clock=clock)
    clock.advance(LEASE.length_ms())
    with pytest.raises(ReplicaError, match="the lease has ended"):
        seat.unlock(PIN)
    assert isinstance(seat.drafts(), DraftBox)
    seat.lease.grant(Lease(NOON, NOON + 1_000), SHARE)
    assert await kept(seat, PIN) == b"first officer's"


@pytest.mark.parametrize("seat", ["", "HH", "../x", "a/b", "h", "hh\n"])
def test_a_seat_s_id_is_no_path(tmp_path: Path, seat: str) -> None:
    """Nothing outside the handheld's folder is touched."""
    with pytest.raises(UsageError, match="no seat's id"):
        Seat(tmp_path, seat, FileKeyStore(tmp_path / "k"))


def test_an_enrolment_with_a_lease_that_makes_no_sense_makes_nothing(tmp_path: Path) -> None:
    """No keys are left behind whose share is nowhere."""
    with pytest.raises(UsageError, match="a lease lasts"):
        seat_of(tmp_path).enrol(PIN, SHARE, Lease(NOON, NOON), QUARANTINE)
    assert contents(tmp_path) == {}


# --- wiping ----------------------------------------------------------------------------------------------------------


async def test_a_wiped_seat_says_so_and_leaves_nothing_and_spares_the_other(shared: Path) -> None:
    """Keys, share, secret, database, what was set aside: gone; the colleague goes on working."""
    seat = seat_of(shared)
    aside = seat.folder / "set-aside-1"
    aside.mkdir()
    (aside / "replica.db").write_bytes(b"old")
    (seat.folder / "replica.keys.part").write_bytes(b"half")
    unlocked = seat.unlock(PIN)
    seat.wipe()
    assert set(contents(seat.folder)) == {"replica.wiped", "replica.lock"}
    assert not [name for name in contents(shared / "keystore") if name.startswith(f"{SEAT}.")]
    again = seat_of(shared)
    assert again.wiped()
    assert again.lease.remaining_ms() == 0
    assert seats(shared / "replicas") == [SECOND]
    doors: list[Callable[[], object]] = [
        lambda: again.slots.unlock(PIN, SHARE),
        lambda: again.enrol(PIN, SHARE, LEASE, QUARANTINE),
    ]
    for door in doors:
        with pytest.raises(ReplicaError, match="was wiped: nothing of it can be had back"):
            door()
    for keys in (unlocked, HeldKey(bytes(32))):
        with pytest.raises(ReplicaError, match="was wiped"):
            await EncryptedDatabase.open(seat.folder, keys)
    assert await kept(seat_of(shared, SECOND), OTHER_PIN) == b"second officer's"
    again.wipe()


async def test_an_open_replica_is_not_wiped_under_its_user(shared: Path) -> None:
    """It is closed first; until then nothing of the folder goes."""
    seat = seat_of(shared)
    store = await ReplicaStore.open(seat.folder, seat.unlock(PIN), seat.id)
    with pytest.raises(ReplicaError, match="is open: close it, then wipe it"):
        seat.wipe()
    assert "replica.keys" in contents(seat.folder)
    await store.close()
    seat.wipe()
    assert seat.wiped()


async def test_what_cannot_be_destroyed_spares_nothing_else(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keystore that fails for one secret: the rest goes all the same, it is said, and calling again ends it."""
    seat = seat_of(shared)
    real = FileKeyStore.destroy

    def fail(self: FileKeyStore, name: str) -> None:
        if name.endswith(".secret"):
            raise ReplicaError("the keystore is busy")
        real(self, name)

    monkeypatch.setattr(FileKeyStore, "destroy", fail)
    with pytest.raises(ReplicaError, match="the keystore is busy"):
        seat.wipe()
    assert set(contents(seat.folder)) == {"replica.wiped", "replica.lock"}
    assert f"{SEAT}.share" not in contents(shared / "keystore")
    monkeypatch.undo()
    seat.wipe()
    assert f"{SEAT}.secret" not in contents(shared / "keystore")


async def test_a_keyed_wipe_s_slots_are_overwritten(shared: Path) -> None:
    """As far as a file system that writes in place goes."""
    seat = seat_of(shared)
    (shared / "second-name").hardlink_to(seat.folder / "replica.keys")
    seat.wipe()
    assert set((shared / "second-name").read_bytes()) == {0}


@pytest.mark.parametrize("lose_names", [True, False])
def test_a_wipe_that_was_said_to_be_done_is(tmp_path: Path, *, lose_names: bool) -> None:
    """The server is told so: the power may go the moment that the call returns, and no key comes back with it."""
    root = tmp_path / "handheld"
    seat_of(root).enrol(PIN, SHARE, LEASE, QUARANTINE)
    after_cut(root, lambda: seat_of(root).wipe(), lose_names=lose_names)
    assert seat_of(root).wiped()
    assert "replica.keys" not in contents(root / "replicas" / SEAT)
    assert contents(root / "keystore") == {}


async def test_wherever_the_power_goes_a_wipe_is_carried_on(shared: Path, tmp_path: Path) -> None:
    """Once its mark is there nothing opens; wiping again, or trying to open, ends it. Before, all is as it was."""
    runs = itertools.count()

    def make() -> Path:
        root = tmp_path / f"run-{next(runs)}"
        shutil.copytree(shared, root)
        return root

    begun = 0
    for root in crash_points(make, lambda root: wipe(root / "replicas" / SEAT, SEAT, FileKeyStore(root / "keystore"))):
        seat = seat_of(root)
        if not seat.wiped():
            assert await kept(seat, PIN) == b"first officer's"
            continue
        begun += 1
        with pytest.raises(ReplicaError, match="was wiped"):
            seat.slots.unlock(PIN, SHARE)
        with pytest.raises(ReplicaError, match="was wiped"):
            await EncryptedDatabase.open(seat.folder, HeldKey(bytes(32)))
        assert set(contents(seat.folder)) == {"replica.wiped", "replica.lock"}
        seat.wipe()
        assert not [name for name in contents(root / "keystore") if name.startswith(f"{SEAT}.")]
    assert begun > 15
