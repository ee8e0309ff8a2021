"""Where a device keeps what binds keys to it: the `KeyStore` port, and an owner-only folder as its honest default.

A platform's keystore (Android Keystore, a TPM, the Secure Enclave) goes behind the same port: what it keeps then does
not leave the hardware with an image of the disk. `FileKeyStore` promises less: whoever copies the disk has its
files too. What remains then between them and the replica is the share that only the server hands out.
"""

import os
import re
from pathlib import Path
from typing import Final, Protocol

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId
from sync.device.secretfile import destroy_secret, read_secret, replace_secret

SECRET_BYTES: Final = 32
_NAME: Final = re.compile(r"[a-z0-9-]{1,60}\.[a-z]{1,20}")


class KeyStore(Protocol):
    """Small secrets by name (`hh-0042.secret`), each at most 4,096 bytes."""

    def read(self, name: str) -> bytes | None:
        """The secret, or None when there is none of that name.

        Raises:
            ReplicaError: it cannot be had.
        """

    def keep(self, name: str, secret: bytes) -> None:
        """Keep it, in place of an earlier one; on disk, whole, when this returns.

        Raises:
            ReplicaError: it cannot be kept; an earlier one is as it was.
        """

    def destroy(self, name: str) -> None:
        """Remove it for ever. None of that name: nothing.

        Raises:
            ReplicaError: it cannot be removed.
        """


class FileKeyStore:
    """A folder of files that only their owner can read. It protects as far as the machine's permissions do."""

    def __init__(self, folder: Path | str) -> None:
        """Name the folder, which is not a replica's own; it is made with the first secret."""
        self._folder = Path(folder)

    def _path(self, name: str) -> Path:
        if _NAME.fullmatch(name) is None:
            raise UsageError(f"{name!r} is no name of a secret: a seat's id, a dot and a word, as in hh-0042.secret")
        return self._folder / name

    def read(self, name: str) -> bytes | None:
        """See `KeyStore`."""
        return read_secret(self._path(name))

    def keep(self, name: str, secret: bytes) -> None:
        """See `KeyStore`."""
        replace_secret(self._path(name), secret)

    def destroy(self, name: str) -> None:
        """See `KeyStore`."""
        path = self._path(name)
        if self._folder.is_dir():
            destroy_secret(path)


class MemoryKeyStore:
    """Secrets that end with the process: for tests, and for a desk that signs in at every start."""

    def __init__(self) -> None:
        """Start empty."""
        self._secrets: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        """See `KeyStore`."""
        return self._secrets.get(name)

    def keep(self, name: str, secret: bytes) -> None:
        """See `KeyStore`."""
        self._secrets[name] = secret

    def destroy(self, name: str) -> None:
        """See `KeyStore`."""
        self._secrets.pop(name, None)


def secret_name(seat: DeviceId) -> str:
    """The name of the secret that binds a seat's keys to this device."""
    return f"{seat}.secret"


def device_secret(store: KeyStore, seat: DeviceId) -> bytes:
    """The 32 bytes that bind a seat's keys to this device. Each seat has its own, so that wiping one spares the rest.

    Raises:
        ReplicaError: it is gone or damaged. The replica cannot be opened without it: that is what it is for.
    """
    secret = store.read(secret_name(seat))
    if secret is None:
        raise ReplicaError(
            f"the secret that binds {seat} to this device is not here: sign in to the server on this device, which "
            "starts a new replica"
        )
    if len(secret) != SECRET_BYTES:
        raise ReplicaError(f"the secret that binds {seat} to this device is damaged ({len(secret)} bytes): restore it")
    return secret


def make_device_secret(store: KeyStore, seat: DeviceId) -> bytes:
    """The seat's secret, made and kept when there is none yet."""
    if store.read(secret_name(seat)) is None:
        store.keep(secret_name(seat), os.urandom(SECRET_BYTES))
    return device_secret(store, seat)
