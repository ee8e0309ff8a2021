"""Who can open a backup: a recipient's key, whose private half never is on the server, or a passphrase.

    recipient     bbk1-<64 hexadecimal digits>-<8>     the X25519 public key, and a checksum against mistyping
    private half  a file of two lines, `beatbook backup key 1` and 64 hexadecimal digits, readable by its owner only

An archive is encrypted under a random key of its own. That key is wrapped for each recipient with HPKE in base mode
(RFC 9180), or under Argon2id of a passphrase (RFC 9106); each of them opens the archive alone.
"""

import hashlib
import os
import re
import unicodedata
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from schemas.errors import StoreError, UsageError
from server.secret_files import Secret, read_secret

KEY_BYTES: Final = 32
PASSPHRASE_CHARS_MIN: Final = 14
"""A passphrase is all that stands between a stolen archive and everything in it, and is guessed at leisure."""
MEMORY_KIB: Final = 256 * 1_024
PASSES: Final = 3
LANES: Final = 4
"""What a guess costs (RFC 9106 section 4): about a second of a core, which an archive is opened once for."""
MEMORY_KIB_MAX: Final = 1_024 * 1_024
PASSES_MAX: Final = 16
LANES_MAX: Final = 16
"""What an archive may ask of whoever opens it."""

_HEAD: Final = "beatbook backup key 1"
_SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_INFO: Final = b"beatbook.v1 backup"
_RECIPIENT: Final = re.compile(r"bbk1-([0-9a-f]{64})-([0-9a-f]{8})")
_SALT_BYTES: Final = 16
_NONCE: Final = bytes(12)
"""The key that a passphrase gives wraps once: its salt is random."""


class Recipient(msgspec.Struct, frozen=True):
    """Whom an archive is for: an X25519 public key, 32 bytes."""

    public: bytes

    def __str__(self) -> str:
        return f"bbk1-{self.public.hex()}-{self.id}"

    @property
    def id(self) -> str:
        """What tells keys apart: 8 hexadecimal digits of the key's hash."""
        return hashlib.sha256(b"beatbook.v1 backup recipient\0" + self.public).hexdigest()[:8]

    @classmethod
    def parse(cls, text: str) -> "Recipient":
        """A recipient as `beatbook backup keygen` printed it.

        Raises:
            UsageError: it is none, or it was mistyped.
        """
        found = _RECIPIENT.fullmatch(text.strip())
        recipient = None if found is None else cls(bytes.fromhex(found[1]))
        if found is None or recipient is None or recipient.id != found[2]:
            raise UsageError(
                f"{text[:90]!r} is no recipient, or a character of it is wrong: give what `beatbook backup keygen` "
                "printed, as in bbk1-…"
            )
        return recipient


class BackupKey:
    """The private half: whoever has it reads every archive that was made for it."""

    def __init__(self, private: X25519PrivateKey) -> None:
        """Use `make` or `read`."""
        self._private = private
        self.recipient = Recipient(private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"BackupKey({self.recipient.id})"

    @classmethod
    def make(cls) -> "BackupKey":
        """A new one."""
        return cls(X25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path) -> "BackupKey":
        """The key in a file.

        Raises:
            StoreError: it cannot be read, others may read it, or it holds no such key.
        """
        head, _, line = read_secret(path).reveal().partition("\n")
        if head != _HEAD or re.fullmatch(r"[0-9a-f]{64}", line) is None:
            raise StoreError(f"{path}: holds no backup key; give the file that `beatbook backup keygen` made")
        return cls(X25519PrivateKey.from_private_bytes(bytes.fromhex(line)))

    def text(self) -> str:
        """What is kept in the file."""
        return f"{_HEAD}\n{self._private.private_bytes_raw().hex()}\n"

    def unwrap(self, sealed: bytes) -> bytes | None:
        """An archive's key; None when it was not wrapped for this one."""
        try:
            return _SUITE.decrypt(sealed, self._private, info=_INFO)
        except (InvalidTag, ValueError):
            return None


class ForRecipient(msgspec.Struct, frozen=True, tag="x25519"):
    """An archive's key, wrapped for a recipient.

    Attributes:
        id: the recipient's.
        sealed: HPKE's encapsulation and ciphertext.
    """

    id: str
    sealed: bytes


class ForPassphrase(msgspec.Struct, frozen=True, tag="argon2id"):
    """An archive's key, wrapped under a passphrase, with what was asked of Argon2id."""

    salt: bytes
    memory_kib: Annotated[int, msgspec.Meta(ge=8 * LANES, le=MEMORY_KIB_MAX)]
    passes: Annotated[int, msgspec.Meta(ge=1, le=PASSES_MAX)]
    lanes: Annotated[int, msgspec.Meta(ge=1, le=LANES_MAX)]
    sealed: bytes


Wrap: TypeAlias = ForRecipient | ForPassphrase
Opener: TypeAlias = BackupKey | Secret
"""What opens an archive: a recipient's key, or a passphrase."""


def wrap_for(recipient: Recipient, key: bytes) -> ForRecipient:
    """An archive's key for a recipient."""
    return ForRecipient(recipient.id, _SUITE.encrypt(key, X25519PublicKey.from_public_bytes(recipient.public), _INFO))


def wrap_under(passphrase: Secret, key: bytes, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> ForPassphrase:
    """An archive's key under a passphrase.

    Raises:
        UsageError: the passphrase is too short.
    """
    if len(passphrase.reveal()) < PASSPHRASE_CHARS_MIN:
        raise UsageError(
            f"{passphrase.source}: a backup's passphrase has {PASSPHRASE_CHARS_MIN} characters or more: whoever finds "
            "the file tries passphrases for as long as they like. Better: a key, made with `beatbook backup keygen`"
        )
    salt = os.urandom(_SALT_BYTES)
    under = _stretch(passphrase, salt, memory_kib, passes, LANES)
    return ForPassphrase(salt, memory_kib, passes, LANES, AESGCM(under).encrypt(_NONCE, key, _INFO))


def unwrap(wraps: tuple[Wrap, ...], opener: Opener) -> bytes:
    """An archive's key.

    Args:
        wraps: as they stand in its head.
        opener: what is to open it.

    Raises:
        StoreError: the opener opens none of them; the text says for whom the archive is.
    """
    for one in wraps:
        key = _try(one, opener)
        if key is not None and len(key) == KEY_BYTES:
            return key
    given = f"the key {opener.recipient.id}" if isinstance(opener, BackupKey) else f"the passphrase in {opener.source}"
    made_for = ", ".join(f"key {one.id}" if isinstance(one, ForRecipient) else "a passphrase" for one in wraps)
    raise StoreError(f"{given} does not open this backup: it was made for {made_for}, or its head is damaged")


def _try(one: Wrap, opener: Opener) -> bytes | None:
    if isinstance(one, ForRecipient):
        return opener.unwrap(one.sealed) if isinstance(opener, BackupKey) else None
    if isinstance(opener, BackupKey):
        return None
    try:
        under = _stretch(opener, one.salt, one.memory_kib, one.passes, one.lanes)
        return AESGCM(under).decrypt(_NONCE, one.sealed, _INFO)
    except (InvalidTag, ValueError):
        return None


def _stretch(passphrase: Secret, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    kdf = Argon2id(salt=salt, length=KEY_BYTES, iterations=passes, lanes=lanes, memory_cost=memory_kib)
    return kdf.derive(unicodedata.normalize("NFKC", passphrase.reveal()).encode())
