"""The contract of `KeyStore`, on every adapter, and what the file one adds; and what a PIN must be."""

from pathlib import Path

import pytest

from schemas.errors import ReplicaError, UsageError
from sync.device.keystore import FileKeyStore, KeyStore, MemoryKeyStore, device_secret, make_device_secret
from sync.device.pins import Argon2, check_pin, stretch
from tests.sync.device.powercut import crash_points
from tests.sync.device.seats import SEAT


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> KeyStore:
    """An empty keystore of one adapter."""
    return MemoryKeyStore() if request.param == "memory" else FileKeyStore(tmp_path / "keys")


def test_a_secret_is_kept_replaced_and_destroyed(store: KeyStore) -> None:
    """The last one kept is the one there is; destroying what is not there is nothing."""
    store.destroy("hh-0042.secret")
    assert store.read("hh-0042.secret") is None
    for secret in (b"one", b"", bytes(4_096)):
        store.keep("hh-0042.secret", secret)
        assert store.read("hh-0042.secret") == secret
    store.keep("hh-0042-2.secret", b"other")
    store.destroy("hh-0042.secret")
    assert (store.read("hh-0042.secret"), store.read("hh-0042-2.secret")) == (None, b"other")


def test_a_device_s_secret_is_made_once_per_seat(store: KeyStore) -> None:
    """Each seat has its own; one that is gone is never made anew by opening."""
    with pytest.raises(ReplicaError, match="is not here: sign in"):
        device_secret(store, SEAT)
    secret = make_device_secret(store, SEAT)
    assert len(secret) == 32
    assert (make_device_secret(store, SEAT), device_secret(store, SEAT)) == (secret, secret)
    store.keep(f"{SEAT}.secret", b"short")
    with pytest.raises(ReplicaError, match=r"damaged \(5 bytes\)"):
        make_device_secret(store, SEAT)


@pytest.mark.parametrize("name", ["", "secret", "../hh-0042.secret", "hh-0042.secret/..", "HH.secret", "a.b.c"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing outside the keystore's folder is read, written or destroyed."""
    store = FileKeyStore(tmp_path / "keys")
    for call in (store.read, store.destroy, lambda name: store.keep(name, b"")):
        with pytest.raises(UsageError, match="is no name of a secret"):
            call(name)


def test_only_the_owner_can_use_a_secret_s_file(tmp_path: Path) -> None:
    """Folder and file; one that others can use is refused."""
    store = FileKeyStore(tmp_path / "keys")
    store.keep("hh-0042.secret", b"one")
    path = tmp_path / "keys" / "hh-0042.secret"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    path.chmod(0o640)
    with pytest.raises(ReplicaError, match="chmod 600"):
        store.read("hh-0042.secret")


def test_a_destroyed_secret_s_bytes_are_overwritten(tmp_path: Path) -> None:
    """As far as a file system that writes in place goes."""
    store = FileKeyStore(tmp_path / "keys")
    store.keep("hh-0042.secret", b"one")
    (tmp_path / "second").hardlink_to(tmp_path / "keys" / "hh-0042.secret")
    store.destroy("hh-0042.secret")
    assert (tmp_path / "second").read_bytes() == bytes(3)


def test_a_keystore_that_cannot_be_used_is_an_error_of_ours(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "keys").write_bytes(b"")
    store = FileKeyStore(tmp_path / "keys")
    with pytest.raises(ReplicaError, match="cannot write"):
        store.keep("hh-0042.secret", b"")
    with pytest.raises(ReplicaError, match="cannot read"):
        store.read("hh-0042.secret")
    (tmp_path / "keys").unlink()
    (tmp_path / "keys" / "hh-0042.secret").mkdir(parents=True)
    with pytest.raises(ReplicaError, match="cannot destroy"):
        store.destroy("hh-0042.secret")


def test_wherever_the_power_goes_a_secret_is_the_old_or_the_new(tmp_path: Path) -> None:
    """Whole in either case."""
    runs: list[Path] = []

    def make() -> Path:
        runs.append(tmp_path / f"run-{len(runs)}")
        FileKeyStore(runs[-1]).keep("hh-0042.secret", b"old" * 20)
        return runs[-1]

    found = {
        FileKeyStore(root).read("hh-0042.secret")
        for root in crash_points(make, lambda root: FileKeyStore(root).keep("hh-0042.secret", b"newer" * 20))
    }
    assert found == {b"old" * 20, b"newer" * 20}


@pytest.mark.parametrize(
    ("pin", "says"),
    [
        ("", "this one has 0"), ("48151", "this one has 5"), ("4" * 65, "this one has 65"), ("777777", "repeats"),
        ("121212", "repeats"), ("1231231", "repeats"), ("123456", "counts"), ("987654", "counts"),
        ("789012", "counts"), ("210987", "counts"), ("abcdef", "counts"), ("١٢٣٤٥٦", "counts"),
    ],
)  # fmt: skip
def test_a_pin_among_the_first_guesses_is_refused(pin: str, says: str) -> None:
    """Too short, all alike, a pattern, a sequence; the error never shows it."""
    with pytest.raises(UsageError, match=says) as caught:
        check_pin(pin)
    assert not pin or pin not in str(caught.value)


@pytest.mark.parametrize("pin", ["481516", "100200", "correct horse", "£90€17"])
def test_another_pin_is_accepted(pin: str) -> None:
    """Digits or not."""
    check_pin(pin)


def test_the_derivation_depends_on_everything_that_goes_in() -> None:
    """PIN, salt and the device's secret; and gives 32 bytes."""
    costs = Argon2(memory_kib=64, iterations=1, lanes=1)
    keys = {
        stretch(pin, salt, secret, costs)
        for pin in ("481516", "481517")
        for salt in (bytes(16), b"\x01" * 16)
        for secret in (bytes(32), b"\x01" * 32)
    }
    assert (len(keys), {len(key) for key in keys}) == (8, {32})
