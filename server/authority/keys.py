"""The server's own keys: one small file each, beside the database and never in it.

    log.key          Ed25519: signs the log's checkpoints
    token.key        Ed25519: signs session tokens
    devices.key      Ed25519: certifies devices (X.509, RFC 5280; RFC 8410)
    quarantine.key   X25519: opens what devices seal to the server (HPKE, RFC 9180)
    pepper.key       32 bytes: goes into every passphrase's Argon2id (RFC 9106 section 3.1, the secret value)

They are made at the first start and readable by their owner only. Lost, they cannot be made again: devices would hold
another log's checkpoint, and quarantine could not be opened. So they belong into the backup of secrets, apart from the
backup of the data.
"""

import contextlib
import datetime as dt
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Millis
from server.secret_files import check_private
from sync import sealing

FOLDER: Final = "keys"
SUITE: Final = sealing.SUITE
SEAL_INFO: Final = sealing.INFO
_RAW_BYTES: Final = 32
_K = TypeVar("_K")
_CERTIFICATE_YEARS: Final = 20
"""A device's certificate outlives the device: it ends when the registry says so, not when a date comes."""


class ServerKeys:
    """The keys of one data folder. Make them with `open`."""

    def __init__(self, folder: Path) -> None:
        """Use `open`."""
        self.log = _key(folder / "log.key", Ed25519PrivateKey.from_private_bytes)
        self.token = _key(folder / "token.key", Ed25519PrivateKey.from_private_bytes)
        self._devices = _key(folder / "devices.key", Ed25519PrivateKey.from_private_bytes)
        self._quarantine = _key(folder / "quarantine.key", X25519PrivateKey.from_private_bytes)
        self.pepper = _key(folder / "pepper.key", bytes)

    @classmethod
    def open(cls, folder: Path) -> "ServerKeys":
        """The keys in a folder; those that are not there are made.

        Raises:
            StoreError: one cannot be read or made, others may read it, or it is no key.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made ({error.strerror}); check the folder above") from None
        return cls(folder)

    @property
    def log_names(self) -> bytes:
        """The key under which the log hides names, 32 bytes: the same as long as this server's pepper is."""
        return hmac.digest(self.pepper, b"beatbook names in the log", "sha256")

    @property
    def seal_to(self) -> bytes:
        """The public half to which devices seal, 32 bytes."""
        return self._quarantine.public_key().public_bytes_raw()

    def unseal(self, sealed: bytes) -> bytes:
        """What a device sealed.

        Raises:
            UsageError: it was not sealed to this server, or was changed.
        """
        try:
            return SUITE.decrypt(sealed, self._quarantine, info=SEAL_INFO)
        except Exception as error:  # noqa: BLE001  the library names no common base of what it raises here
            raise UsageError(f"this was not sealed to this server, or was changed ({type(error).__name__})") from None

    def certify(self, device: DeviceId, public_key: bytes, now: Millis) -> bytes:
        """A device's certificate: X.509 in DER, its name as common name, signed by `devices.key`.

        Raises:
            UsageError: the key is none.
        """
        try:
            subject = Ed25519PublicKey.from_public_bytes(public_key)
        except ValueError:
            raise UsageError(f"device {device}: its key is no Ed25519 key") from None
        since = dt.datetime.fromtimestamp(now / 1_000, dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Beatbook devices")]))
            .public_key(subject)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(since + dt.timedelta(days=365 * _CERTIFICATE_YEARS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        return builder.sign(self._devices, None).public_bytes(Encoding.DER)


def _key(path: Path, read: Callable[[bytes], _K]) -> _K:
    """The key in a file, made when it is not there."""
    try:
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_RAW_BYTES).hex().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        check_private(path)
        raw = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; check the folder's permissions") from None
    except ValueError:
        raise StoreError(f"{path}: holds no key; restore it from the backup of the keys") from None
    if len(raw) != _RAW_BYTES:
        raise StoreError(f"{path}: holds {len(raw)} bytes, a key has {_RAW_BYTES}; restore it from the backup")
    return read(raw)
