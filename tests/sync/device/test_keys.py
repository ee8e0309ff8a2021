"""Keys and identities: what is made, what is refused, and that neither is ever shown."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.errors import ReplicaError, UsageError
from sync.device.keys import DeviceIdentity, HeldKey, KeyFile
from sync.device.secretfile import write_secret


def mode(path: Path) -> int:
    """A file's permissions."""
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    """SQLCipher would take it for a passphrase and say nothing."""
    with pytest.raises(UsageError, match=f"exactly 32 bytes, this one has {length}"):
        HeldKey(bytes(length))


def test_a_held_key_is_handed_over_and_not_shown() -> None:
    """What is logged of a key holder holds nothing of the key."""
    key = bytes(range(32))
    assert HeldKey(key).data_key() == key
    assert repr(HeldKey(key)) == "HeldKey(…)"


def test_a_key_file_is_made_once_and_only_its_owner_can_use_it(tmp_path: Path) -> None:
    """The second opening gets the first one's key, another file another key."""
    path = tmp_path / "keys" / "data.key"
    key = KeyFile(path).data_key()
    assert len(key) == 32
    assert KeyFile(path).data_key() == key
    assert KeyFile(tmp_path / "other.key").data_key() != key
    assert mode(path) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["data.key"]


@pytest.mark.parametrize("permissions", [0o640, 0o604, 0o620, 0o666])
def test_a_key_file_that_others_can_use_is_refused(tmp_path: Path, permissions: int) -> None:
    """The error says what to do about it."""
    path = tmp_path / "data.key"
    KeyFile(path).data_key()
    path.chmod(permissions)
    with pytest.raises(ReplicaError, match="chmod 600"):
        KeyFile(path).data_key()


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, b"x" * 10_000])
def test_a_key_file_of_another_length_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """A cut-off key file is never replaced: that would lose the replica behind it."""
    path = tmp_path / "data.key"
    write_secret(path, content)
    with pytest.raises(ReplicaError, match="must hold 32 bytes"):
        KeyFile(path).data_key()
    assert path.read_bytes() == content


def test_a_key_file_behind_a_link_is_refused(tmp_path: Path) -> None:
    """Nobody swaps the key by pointing its name elsewhere."""
    KeyFile(tmp_path / "real.key").data_key()
    (tmp_path / "data.key").symlink_to(tmp_path / "real.key")
    with pytest.raises(ReplicaError, match="cannot read"):
        KeyFile(tmp_path / "data.key").data_key()


def test_a_key_that_cannot_be_kept_is_an_error_of_ours(tmp_path: Path) -> None:
    """A file where the folder should be gives a ReplicaError, not an OSError."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ReplicaError, match="cannot"):
        KeyFile(tmp_path / "file" / "data.key").data_key()


def test_an_identity_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    """Its signatures fit the public key that the server enrolled."""
    path = tmp_path / "identity.json"
    made = DeviceIdentity.generate("hh-0042")
    made.save(path)
    read = DeviceIdentity.load(path)
    assert (read.device, read.public_key) == ("hh-0042", made.public_key)
    assert len(read.public_key) == 32
    Ed25519PublicKey.from_public_bytes(made.public_key).verify(read.sign(b"nonce"), b"nonce")
    assert mode(path) == 0o600
    stored = json.loads(path.read_bytes())
    assert stored["device"] == "hh-0042"
    assert len(base64.b64decode(stored["key"])) == 32
    assert stored["key"] not in repr(read)


def test_an_identity_is_never_written_over(tmp_path: Path) -> None:
    """A second enrolment by mistake does not cost the first one's key."""
    path = tmp_path / "identity.json"
    first = DeviceIdentity.generate("hh-0042")
    first.save(path)
    with pytest.raises(ReplicaError, match="never written over"):
        DeviceIdentity.generate("hh-0042").save(path)
    assert DeviceIdentity.load(path).public_key == first.public_key
    assert [file.name for file in tmp_path.iterdir()] == ["identity.json"]


@pytest.mark.parametrize("device", ["", "h", "HH-0042", "hh_0042", "hh-0042\n", "-hh", "h" * 41])
def test_a_device_id_of_another_form_is_refused(device: str) -> None:
    """The server would refuse it later, when nobody remembers where it came from."""
    with pytest.raises(UsageError, match="no device id"):
        DeviceIdentity.generate(device)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b'{"device": "hh-0042"}',
        b'{"device": "HH", "key": "' + base64.b64encode(bytes(32)) + b'"}',
        b'{"device": "hh-0042", "key": "***"}',
        b'{"device": "hh-0042", "key": "' + base64.b64encode(bytes(31)) + b'"}',
    ],
)
def test_a_file_that_holds_no_identity_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error names the file and shows nothing of what is in it."""
    path = tmp_path / "identity.json"
    write_secret(path, content)
    with pytest.raises(ReplicaError, match=r"identity\.json holds no device identity") as caught:
        DeviceIdentity.load(path)
    assert caught.value.__cause__ is None


def test_an_identity_that_is_not_there_or_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """Each error says what to do."""
    path = tmp_path / "identity.json"
    with pytest.raises(ReplicaError, match="enrol the device"):
        DeviceIdentity.load(path)
    DeviceIdentity.generate("hh-0042").save(path)
    path.chmod(0o644)
    with pytest.raises(ReplicaError, match="chmod 600"):
        DeviceIdentity.load(path)
