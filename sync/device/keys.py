"""Who holds the replica's data key, and who the device is.

`KeyHolder` is the port: anything that can hand over 32 bytes. `HeldKey` is for a key that the application already has
(from a platform's keystore, say); `KeyFile` keeps one in a file, which protects the replica exactly as far as the
file's permissions do. `sync.device.slots.Unlocked` holds one that rests wrapped under a PIN and the server's share. It
is a `RingHolder` too: it holds the ring key, under which the keys of single records rest, apart from the database.
"""

import base64
import binascii
import re
import secrets
from pathlib import Path
from typing import Annotated, Final, Protocol, Self, runtime_checkable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DEVICE_PATTERN, DeviceId, DeviceText
from sync.device.secretfile import read_secret, write_secret

KEY_BYTES: Final = 32


class KeyHolder(Protocol):
    """Hands over the replica's data key. Called once per opening, on a thread that may block."""

    def data_key(self) -> bytes:
        """The key: exactly 32 random bytes, the same ones every time.

        Raises:
            ReplicaError: it cannot be had; the text says what to do.
        """


@runtime_checkable
class RingHolder(KeyHolder, Protocol):
    """A key holder that keeps the ring key too (`sync.device.ring`), and can have keys changed under a replica."""

    def data_keys(self) -> tuple[bytes, ...]:
        """The data key and, where a change of it was broken off, the next one; 32 bytes each.

        Raises:
            ReplicaError: they cannot be had; the text says what to do.
        """

    def data_settled(self, key: bytes) -> None:
        """The database is under this data key, and that is on disk: any other is to be forgotten.

        Raises:
            ReplicaError: that cannot be written down; the data keys are all still there.
        """

    def ring_keys(self) -> tuple[bytes, ...]:
        """The ring keys that the database may be under, 32 bytes each.

        The present one and, where a change of it was broken off, the next one.

        Raises:
            ReplicaError: they cannot be had; the text says what to do.
        """

    def next_ring(self) -> bytes:
        """Keep a new ring key beside the present one, on disk, and hand it over: 32 bytes.

        Raises:
            UsageError: a change is under way: settle that first.
            ReplicaError: it cannot be kept.
        """

    def ring_settled(self, key: bytes, share: bytes | None = None) -> None:
        """The database is under this one, and that is on disk: any other is to be forgotten.

        Args:
            key: the ring key.
            share: a new share of the server's under which the keys are to be from now on.

        Raises:
            ReplicaError: that cannot be written down; the ring keys are all still there.
        """


class HeldKey:
    """A key that the application holds."""

    def __init__(self, key: bytes) -> None:
        """Take the key.

        Raises:
            UsageError: it is not 32 bytes long. SQLCipher would silently take it for a passphrase.
        """
        if len(key) != KEY_BYTES:
            raise UsageError(f"a data key has exactly {KEY_BYTES} bytes, this one has {len(key)}")
        self._key = bytes(key)

    def __repr__(self) -> str:
        return "HeldKey(…)"

    def data_key(self) -> bytes:
        """See `KeyHolder`."""
        return self._key


class KeyFile:
    """A key in a file of its own, made at first use. Whoever can read the file can read the replica."""

    def __init__(self, path: Path | str) -> None:
        """Name the file; nothing is read or made yet."""
        self._path = Path(path)

    def data_key(self) -> bytes:
        """See `KeyHolder`.

        Raises:
            ReplicaError: others may read the file, or it does not hold 32 bytes.
        """
        key = read_secret(self._path)
        if key is None:
            write_secret(self._path, secrets.token_bytes(KEY_BYTES))
            # Read again: of two that made it at once, one has won.
            key = read_secret(self._path)
        if key is None or len(key) != KEY_BYTES:
            found = "nothing" if key is None else f"{len(key)} bytes"
            raise ReplicaError(f"the key file {self._path} must hold {KEY_BYTES} bytes, it holds {found}: restore it")
        return key


class _IdentityFile(msgspec.Struct, frozen=True):
    device: DeviceText
    key: Annotated[str, msgspec.Meta(max_length=100)]


class DeviceIdentity:
    """A device's id and its Ed25519 key (RFC 8032), with which it proves itself to the server.

    Attributes:
        device: its id.
        public_key: 32 bytes, for the server's enrolment.
    """

    def __init__(self, device: DeviceId, private_key: Ed25519PrivateKey) -> None:
        """Put the two together.

        Raises:
            UsageError: `device` has not the form of a device id.
        """
        if re.match(DEVICE_PATTERN, device) is None:
            raise UsageError(f"{device!r} is no device id: 2 to 40 of a-z, 0-9 and -, as in hh-0042")
        self.device = device
        self._private_key = private_key
        self.public_key: bytes = private_key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"DeviceIdentity({self.device!r})"

    @classmethod
    def generate(cls, device: DeviceId | str) -> Self:
        """A new key for a device.

        Raises:
            UsageError: `device` has not the form of a device id.
        """
        return cls(DeviceId(device), Ed25519PrivateKey.generate())

    def named(self, device: DeviceId | str) -> Self:
        """The same key under the id that the server enrolled it as.

        Raises:
            UsageError: `device` has not the form of a device id.
        """
        return type(self)(DeviceId(device), self._private_key)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over `message`."""
        return self._private_key.sign(message)

    def save(self, path: Path | str) -> None:
        """Write it to a new file that only its owner can read.

        Raises:
            ReplicaError: there is such a file already (an identity is never written over), or it cannot be written.
        """
        key = base64.b64encode(self._private_key.private_bytes_raw()).decode()
        if not write_secret(Path(path), msgspec.json.encode(_IdentityFile(self.device, key))):
            raise ReplicaError(f"{path} is there already: an identity is never written over")

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote.

        Raises:
            ReplicaError: there is no such file, others may read it, or it holds no identity.
        """
        raw = read_secret(Path(path))
        if raw is None:
            raise ReplicaError(f"no device identity at {path}: enrol the device, or restore the file")
        try:
            file = msgspec.json.decode(raw, type=_IdentityFile)
            private_key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(file.key, validate=True))
        except (msgspec.DecodeError, binascii.Error, ValueError):
            # No cause attached: the decoder's words could hold a piece of the key.
            raise ReplicaError(f"{path} holds no device identity: restore it, or enrol the device anew") from None
        return cls(file.device, private_key)
