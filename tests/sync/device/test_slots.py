"""Keys at rest: what opens them, what does not, and that no power cut ever costs them."""

import base64
import contextlib
import itertools
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId
from sync.device.keystore import FileKeyStore, MemoryKeyStore
from sync.device.pins import Argon2, PinTries, TryLimits
from sync.device.slotfile import Keys, SlotFile, opened, parsed
from sync.device.slots import Slots, Unlocked
from tests.sync.device.powercut import after_cut, crash_points
from tests.sync.device.seats import NEW_SHARE, OTHER_PIN, PIN, QUARANTINE, SEAT, SHARE, slots
from tests.sync.device.support import NOON, VirtualClock, contents


@pytest.fixture
def made(tmp_path: Path) -> Slots:
    """A seat's slots, made and shut."""
    held = slots(tmp_path)
    held.make(PIN, SHARE, QUARANTINE).lock()
    return held


def keys_of(unlocked: Unlocked) -> tuple[bytes, tuple[bytes, ...]]:
    """The keys that were opened."""
    return unlocked.data_key(), unlocked.ring_keys()


def test_a_seat_s_keys_come_back_with_pin_and_share(tmp_path: Path) -> None:
    """They are random, 32 bytes each, and the same after every opening."""
    first = slots(tmp_path).make(PIN, SHARE, QUARANTINE)
    keys = keys_of(first)
    first.lock()
    assert keys_of(slots(tmp_path).unlock(PIN, SHARE)) == keys
    assert [len(key) for key in (keys[0], *keys[1])] == [32, 32]
    other = slots(tmp_path / "other").make(PIN, SHARE, QUARANTINE)
    assert other.data_key() != keys[0]
    assert slots(tmp_path).quarantine_key() == QUARANTINE


def test_the_real_derivation_opens_what_it_sealed(tmp_path: Path) -> None:
    """Argon2id at its full cost, once: with the right PIN it opens, with another not, composed or not is the same."""
    store = MemoryKeyStore()
    held = Slots(tmp_path, SEAT, store, PinTries(store, SEAT, VirtualClock()))
    keys = keys_of(held.make("clé du pub", SHARE, QUARANTINE))
    assert keys_of(held.unlock("cle\u0301 du pub", SHARE)) == keys
    with pytest.raises(ReplicaError, match="wrong PIN"):
        held.unlock("cle du pub", SHARE)


def test_nothing_in_the_folder_is_a_key_or_a_share(tmp_path: Path) -> None:
    """Neither the keys nor the share nor the PIN's key lie beside the slots, in bytes, hex or base64."""
    unlocked = slots(tmp_path).make(PIN, SHARE, QUARANTINE)
    secret = [unlocked.data_key(), *unlocked.ring_keys(), SHARE, bytes(unlocked._pin_key)]
    for raw in contents(tmp_path / "seat").values():
        for key in secret:
            assert key not in raw
            assert key.hex().encode() not in raw
            assert base64.b64encode(key) not in raw
    assert (tmp_path / "seat" / "replica.keys").stat().st_mode & 0o777 == 0o600


def test_each_of_pin_share_and_device_secret_is_needed(made: Slots, tmp_path: Path) -> None:
    """An image without the device's secret, the share or the PIN opens nothing, and each error says what is missing."""
    with pytest.raises(ReplicaError, match="wrong PIN"):
        made.unlock(OTHER_PIN, SHARE)
    with pytest.raises(ReplicaError, match=f"ask the server for {made.wanted_share()}"):
        made.unlock(PIN, NEW_SHARE)
    FileKeyStore(tmp_path / "keystore").keep(f"{SEAT}.secret", bytes(32))
    with pytest.raises(ReplicaError, match="wrong PIN"):
        made.unlock(PIN, SHARE)
    FileKeyStore(tmp_path / "keystore").destroy(f"{SEAT}.secret")
    with pytest.raises(ReplicaError, match="not here: sign in"):
        made.unlock(PIN, SHARE)


def test_pin_key_and_share_both_go_into_the_key(made: Slots) -> None:
    """Past every check of ours: the file's box does not open with one of them alone, nor with a changed header."""
    unlocked = made.unlock(PIN, SHARE)
    pin_key = bytes(unlocked._pin_key)
    file = parsed(made.path.read_bytes())
    assert file is not None
    assert opened(file, pin_key, SHARE) == Keys(unlocked.data_key(), *unlocked.ring_keys())
    assert opened(file, pin_key, NEW_SHARE) is None
    assert opened(file, bytes(32), SHARE) is None
    assert opened(msgspec.structs.replace(file, share="another"), pin_key, SHARE) is None


def test_a_wrong_share_costs_no_attempt(made: Slots) -> None:
    """A server that hands out an old share must not lock an officer out."""
    for _ in range(20):
        with pytest.raises(ReplicaError, match="under another share"):
            made.unlock(PIN, NEW_SHARE)
    assert made.tries.wrong() == 0
    made.unlock(PIN, SHARE)


def test_a_new_share_alone_opens_afterwards(made: Slots) -> None:
    """With the share before it the slots are noise: that is how a retraction reaches what is left on the disk."""
    unlocked = made.unlock(PIN, SHARE)
    before, old_file = keys_of(unlocked), made.path.read_bytes()
    unlocked.take_share(NEW_SHARE)
    assert keys_of(unlocked) == before
    with pytest.raises(ReplicaError, match="under another share"):
        made.unlock(PIN, SHARE)
    assert keys_of(made.unlock(PIN, NEW_SHARE)) == before
    made.path.write_bytes(old_file)
    with pytest.raises(ReplicaError, match="under another share"):
        made.unlock(PIN, NEW_SHARE)


def test_a_pin_change_rewraps_and_needs_the_old_pin(made: Slots) -> None:
    """The keys stay, the salt is new, the old PIN opens nothing; a wrong old PIN and a weak new one change nothing."""
    unlocked = made.unlock(PIN, SHARE)
    before, file = keys_of(unlocked), json.loads(made.path.read_bytes())
    with pytest.raises(ReplicaError, match="wrong PIN"):
        unlocked.change_pin(OTHER_PIN, "730915")
    with pytest.raises(UsageError, match="counts up"):
        unlocked.change_pin(PIN, "123456")
    assert json.loads(made.path.read_bytes()) == file
    unlocked.change_pin(PIN, OTHER_PIN)
    assert json.loads(made.path.read_bytes())["salt"] != file["salt"]
    with pytest.raises(ReplicaError, match="wrong PIN"):
        made.unlock(PIN, SHARE)
    assert keys_of(made.unlock(OTHER_PIN, SHARE)) == before
    # And what is written after the change is under the new PIN too.
    unlocked.take_share(NEW_SHARE)
    assert keys_of(made.unlock(OTHER_PIN, NEW_SHARE)) == before


def test_guessing_the_old_pin_of_a_change_is_counted(made: Slots) -> None:
    """Whoever finds a handheld unlocked does not get to try PINs without end."""
    unlocked = made.unlock(PIN, SHARE)
    for _ in range(5):
        with pytest.raises(ReplicaError, match="wrong PIN"):
            unlocked.change_pin(OTHER_PIN, "730915")
    with pytest.raises(ReplicaError, match="can be entered in 30 s"):
        unlocked.change_pin(PIN, OTHER_PIN)


def test_keys_are_never_made_twice(made: Slots) -> None:
    """A second enrolment by mistake does not cost the first one's keys; without a secret none is made silently."""
    with pytest.raises(ReplicaError, match="never written over"):
        made.make(OTHER_PIN, SHARE, QUARANTINE)
    made.unlock(PIN, SHARE)


def test_a_replica_s_own_key_can_be_taken_in(tmp_path: Path) -> None:
    """A replica that was under a plain key comes under a PIN without being written anew."""
    assert slots(tmp_path).make(PIN, SHARE, QUARANTINE, data_key=bytes(range(32))).data_key() == bytes(range(32))
    with pytest.raises(UsageError, match="exactly 32 bytes"):
        slots(tmp_path / "x").make(PIN, SHARE, QUARANTINE, data_key=b"short")


@pytest.mark.parametrize("share", [b"", bytes(31), bytes(33)])
def test_a_share_of_another_length_is_refused(made: Slots, share: bytes) -> None:
    """At every door."""
    for call in (
        lambda: made.unlock(PIN, share),
        lambda: made.unlock(PIN, SHARE).take_share(share),
        lambda: made.make(PIN, share, QUARANTINE),
    ):
        with pytest.raises(UsageError, match="a share has exactly 32 bytes"):
            call()


def test_another_seat_s_slots_are_refused(made: Slots, tmp_path: Path) -> None:
    """Two officers of one handheld: a copied file opens for neither the other's name nor the other's PIN."""
    other = slots(tmp_path, seat=DeviceId("hh-0042-2"))
    with pytest.raises(ReplicaError, match="holds the keys of hh-0042, not of hh-0042-2"):
        other.unlock(PIN, SHARE)
    file = json.loads(made.path.read_bytes())
    change(made.path, seat="hh-0042-2")
    assert json.loads(made.path.read_bytes())["digest"] != file["digest"]
    FileKeyStore(tmp_path / "keystore").keep(
        "hh-0042-2.secret", FileKeyStore(tmp_path / "keystore").read("hh-0042.secret") or b""
    )
    with pytest.raises(ReplicaError, match="wrong PIN"):
        other.unlock(PIN, SHARE)


def change(path: Path, **fields: Any) -> None:  # noqa: ANN401  any field of the file
    """Change the file as someone would who also mends its digest."""
    file = msgspec.json.decode(path.read_bytes(), type=SlotFile)
    forged = msgspec.structs.replace(file, **fields)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(forged, digest=forged.sum())))


@pytest.mark.parametrize(
    "fields",
    [{"quarantine": bytes(32)}, {"costs": Argon2(iterations=4)}, {"salt": bytes(16)}, {"nonce": bytes(12)}],
    ids=lambda fields: next(iter(fields)),
)
def test_a_forged_header_opens_nothing(made: Slots, fields: dict[str, Any]) -> None:
    """Whoever puts their own quarantine key in, or cheaper costs, is noticed at the next unlocking."""
    change(made.path, **fields)
    with pytest.raises(ReplicaError, match="wrong PIN"):
        made.unlock(PIN, SHARE)


@pytest.mark.parametrize(
    "costs", [Argon2(memory_kib=1_024), Argon2(iterations=1), Argon2(memory_kib=2**40), Argon2(lanes=0)]
)
def test_costs_that_are_not_accepted_are_refused(made: Slots, costs: Argon2, tmp_path: Path) -> None:
    """Neither by whoever makes slots nor out of a file, whose memory cost could else fell the device."""
    with pytest.raises(UsageError, match="Argon2id with"):
        Slots(tmp_path, SEAT, MemoryKeyStore(), made.tries, costs=costs)
    change(made.path, costs=costs)
    with pytest.raises(ReplicaError, match="is damaged"):
        made.unlock(PIN, SHARE)


@pytest.mark.parametrize(
    "harm",
    [
        lambda _: b"",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw.replace(b'"sealed":"', b'"sealed":"AAAA'),
        lambda _: b"x" * 9_000,
    ],
)
def test_a_damaged_file_is_told_from_a_wrong_pin_and_costs_no_attempt(
    made: Slots, harm: Callable[[bytes], bytes]
) -> None:
    """Nothing is touched, and the officer is not locked out by a bad block."""
    harmed = harm(made.path.read_bytes())
    made.path.write_bytes(harmed)
    with pytest.raises(ReplicaError, match="is damaged"):
        made.unlock(PIN, SHARE)
    assert (made.path.read_bytes(), made.tries.wrong()) == (harmed, 0)


def test_a_locked_holder_gives_nothing_and_its_keys_are_zero(made: Slots) -> None:
    """Every door is shut, and the buffers hold zeros; what is shown of it never holds a key."""
    unlocked = made.unlock(PIN, SHARE)
    shown, key = repr(unlocked), unlocked.data_key()
    unlocked.lock()
    unlocked.lock()
    assert not any(itertools.chain(unlocked._data, unlocked._ring, unlocked._pin_key, unlocked._share))
    doors: list[Callable[[], object]] = [
        unlocked.data_key, unlocked.ring_keys, unlocked.next_ring, unlocked.next_data_key, unlocked.data_keys,
        lambda: unlocked.take_share(NEW_SHARE), lambda: unlocked.change_pin(PIN, OTHER_PIN),
        lambda: unlocked.ring_settled(b""), lambda: unlocked.data_settled(b""),
        lambda: unlocked.take_quarantine_key(bytes(32)),
    ]  # fmt: skip
    for door in doors:
        with pytest.raises(ReplicaError, match="is locked: enter the PIN"):
            door()
    assert key.hex() not in shown + repr(unlocked)


def test_a_quarantine_key_is_replaced(made: Slots) -> None:
    """The server's new one can be read without the PIN."""
    unlocked = made.unlock(PIN, SHARE)
    unlocked.take_quarantine_key(bytes(32))
    assert made.quarantine_key() == bytes(32)
    made.unlock(PIN, SHARE)
    with pytest.raises(UsageError, match="exactly 32"):
        unlocked.take_quarantine_key(b"")


def test_ring_and_data_keys_are_changed_in_two_steps(made: Slots) -> None:
    """Both are on disk between the steps; only one of them can be what a change ends with."""
    unlocked = made.unlock(PIN, SHARE)
    (ring,) = unlocked.ring_keys()
    data, new_ring, new_data = unlocked.data_key(), unlocked.next_ring(), unlocked.next_data_key()
    assert unlocked.next_data_key() == new_data
    again = made.unlock(PIN, SHARE)
    assert (again.ring_keys(), again.data_keys()) == ((ring, new_ring), (data, new_data))
    with pytest.raises(UsageError, match="being changed already"):
        again.next_ring()
    with pytest.raises(UsageError, match="none of those"):
        again.ring_settled(bytes(32))
    with pytest.raises(UsageError, match="none of those"):
        again.data_settled(bytes(32))
    again.ring_settled(new_ring)
    again.data_settled(data)
    assert keys_of(made.unlock(PIN, SHARE)) == (data, (new_ring,))
    assert made.unlock(PIN, SHARE).data_keys() == (data,)


# --- attempts --------------------------------------------------------------------------------------------------------


def wrong(held: Slots, text: str) -> None:
    """Enter a wrong PIN and be told so."""
    with pytest.raises(ReplicaError, match=text):
        held.unlock(OTHER_PIN, SHARE)


def test_wrong_pins_are_limited_delayed_and_then_locked(tmp_path: Path) -> None:
    """Five without a wait, then a wait that doubles; after ten only the server helps, also the right PIN."""
    clock = VirtualClock()
    held = slots(tmp_path, clock=clock)
    held.make(PIN, SHARE, QUARANTINE)
    for left in (4, 3, 2, 1):
        wrong(held, f"wrong PIN for hh-0042: {left} more before a wait")
    wrong(held, "wait before the next one")
    for wait_s in (30, 60, 120, 240):
        wrong(held, f"can be entered in {wait_s} s")
        clock.advance(wait_s * 1_000 - 1)
        wrong(held, "can be entered in 1 s")
        clock.advance(1)
        wrong(held, "wait before")
    clock.advance(480_000)
    wrong(held, "that was the last attempt")
    clock.advance(10**9)
    with pytest.raises(ReplicaError, match="locked after 10 wrong PINs: sign in"):
        held.unlock(PIN, SHARE)
    held.tries.clear()
    held.unlock(PIN, SHARE)


def test_the_right_pin_sets_the_count_back(made: Slots) -> None:
    """Slips of a whole career do not add up."""
    for _ in range(4):
        wrong(made, "wrong PIN")
    made.unlock(PIN, SHARE)
    wrong(made, "4 more before")


def test_the_count_is_on_disk_before_the_attempt_is_made(tmp_path: Path) -> None:
    """Pulling the battery while Argon2id runs gives no free guess."""
    held = slots(tmp_path)
    held.make(PIN, SHARE, QUARANTINE)

    def pulled(*_: object) -> bytes:
        raise KeyboardInterrupt

    held._stretch = pulled
    for count in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            held.unlock(PIN, SHARE)
        assert slots(tmp_path).tries.wrong() == count


@pytest.mark.parametrize("trick", ["wall", "reboot", "both"])
def test_no_clock_trick_shortens_a_wait(tmp_path: Path, trick: str) -> None:
    """Not setting the clock forward, not starting anew; what the slower clock says is believed."""
    clock = VirtualClock()
    held = slots(tmp_path, clock=clock)
    held.make(PIN, SHARE, QUARANTINE)
    for _ in range(5):
        wrong(held, "wrong PIN")
    if trick in ("reboot", "both"):
        clock.reboot()
    if trick in ("wall", "both"):
        clock.set_wall(NOON + 10**9)
    wrong(held, "can be entered in 30 s")


@pytest.mark.parametrize("content", [b"", b"nonsense", b'{"wrong": 0}', b"[]"])
def test_a_count_that_cannot_be_read_is_used_up(made: Slots, tmp_path: Path, content: bytes) -> None:
    """It is written whole or not at all: someone has been at it."""
    FileKeyStore(tmp_path / "keystore").keep(f"{SEAT}.tries", content)
    with pytest.raises(ReplicaError, match="locked after"):
        made.unlock(PIN, SHARE)


# --- power cuts ------------------------------------------------------------------------------------------------------


def test_limits_can_be_set(tmp_path: Path) -> None:
    """A force may want fewer."""
    held = slots(tmp_path, limits=TryLimits(free=1, delay_ms=1_000, max=2))
    held.make(PIN, SHARE, QUARANTINE)
    wrong(held, "wait before the next one")
    wrong(held, "can be entered in 1 s")


def fresh(tmp_path: Path) -> Callable[[], Path]:
    """Makes copies of a folder with a seat's keys."""
    template = tmp_path / "template"
    slots(template).make(PIN, SHARE, QUARANTINE)
    numbers = itertools.count()

    def make() -> Path:
        root = tmp_path / f"run-{next(numbers)}"
        shutil.copytree(template, root)
        return root

    return make


def either(held: Slots, share: bytes, pins: Sequence[str]) -> Unlocked:
    """The keys, opened with whichever of the PINs is right."""
    for pin in pins[:-1]:
        with contextlib.suppress(ReplicaError):
            return held.unlock(pin, share)
    return held.unlock(pins[-1], share)


@pytest.mark.parametrize("act", ["share", "pin", "ring", "data", "settle"])
def test_wherever_the_power_goes_a_seat_s_keys_open_with_the_old_or_the_new(tmp_path: Path, act: str) -> None:
    """New share, new PIN, new ring key, new data key: at every step of the rewriting the keys are there, whole."""
    acts: dict[str, Callable[[Unlocked], object]] = {
        "share": lambda unlocked: unlocked.take_share(NEW_SHARE),
        "pin": lambda unlocked: unlocked.change_pin(PIN, OTHER_PIN),
        "ring": lambda unlocked: unlocked.next_ring(),
        "data": lambda unlocked: unlocked.next_data_key(),
        "settle": lambda unlocked: unlocked.ring_settled(unlocked.next_ring()),
    }
    make = fresh(tmp_path)
    data = slots(tmp_path / "template").unlock(PIN, SHARE).data_key()
    points = 0
    for root in crash_points(make, lambda root: acts[act](slots(root).unlock(PIN, SHARE))):
        points += 1
        held = slots(root)
        share = SHARE if held.wanted_share() == slots(tmp_path / "template").wanted_share() else NEW_SHARE
        unlocked = either(held, share, (PIN, OTHER_PIN) if act == "pin" else (PIN,))
        assert unlocked.data_key() == data
        # And it can be written to again, whatever the power cut left beside it.
        unlocked.take_share(NEW_SHARE)
        assert either(held, NEW_SHARE, (PIN, OTHER_PIN)).data_key() == data
    assert points > 30


@pytest.mark.parametrize("lose_names", [True, False])
def test_a_share_that_was_said_to_be_taken_is(tmp_path: Path, *, lose_names: bool) -> None:
    """The server forgets the old one then: the power may go the moment that the call returns."""
    root = tmp_path / "device"
    slots(root).make(PIN, SHARE, QUARANTINE)
    after_cut(root, lambda: slots(root).unlock(PIN, SHARE).take_share(NEW_SHARE), lose_names=lose_names)
    slots(root).unlock(PIN, NEW_SHARE)


def test_wherever_the_power_goes_while_keys_are_made_they_are_there_or_can_be_made(tmp_path: Path) -> None:
    """Half-made keys never stand in the way of making them."""
    numbers = itertools.count()

    def make() -> Path:
        root = tmp_path / f"run-{next(numbers)}"
        root.mkdir()
        return root

    for root in crash_points(make, lambda root: slots(root).make(PIN, SHARE, QUARANTINE)):
        held = slots(root)
        if not held.exist():
            held.make(PIN, SHARE, QUARANTINE)
        held.unlock(PIN, SHARE)


def test_a_replaced_file_s_bytes_are_overwritten(made: Slots, tmp_path: Path) -> None:
    """As far as a file system that writes in place goes: a second name of the old file shows zeros."""
    second = tmp_path / "second-name"
    second.hardlink_to(made.path)
    made.unlock(PIN, SHARE).take_share(NEW_SHARE)
    assert set(second.read_bytes()) == {0}
