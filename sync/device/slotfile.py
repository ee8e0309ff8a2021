"""The file of a seat's key slots, `replica.keys`: small JSON that only its owner can read.

In it, sealed with AES-256-GCM: the data key (of the database), the ring key (of the keys of single records) and, while
one of them is being changed, the next one.

    pin key = Argon2id(PIN, salt, secret = the device's secret)
    KEK     = HKDF-SHA256(pin key || the server's share, salt, info)

Everything else in the file is in clear and part of what is authenticated. The share's name, a hash of it, tells a
wrong share from a wrong PIN; nothing in the file lets a PIN be checked without the share, so an image of the
device is worth no guess.
"""

import hashlib
import hmac
import os
from typing import Annotated, Final, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.errors import UsageError
from schemas.ids import DeviceText
from sync.device.keys import KEY_BYTES
from sync.device.pins import Argon2, check_costs

SLOTS_FILE: Final = "replica.keys"
SHARE_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_INFO: Final = b"beatbook.v1 key slot\0"
_SHARE_NAME: Final = b"beatbook.v1 share name\0"


class SlotFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file.

    Attributes:
        format: of the file.
        seat: whose keys they are.
        quarantine: the server's X25519 public key to which drafts are sealed, 32 bytes.
        share: name of the share they are under.
        costs, salt: of the PIN key.
        nonce, sealed: the keys, sealed.
        digest: SHA-256 over the rest: it tells damage from a wrong PIN, and guards nothing else.
    """

    format: Literal[1]
    seat: DeviceText
    quarantine: Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
    share: str
    costs: Argon2
    salt: bytes
    nonce: bytes = b""
    sealed: bytes = b""
    digest: bytes = b""

    def header(self) -> bytes:
        """What is authenticated with the keys."""
        bare = (self.format, self.seat, self.quarantine, self.share, msgspec.to_builtins(self.costs), self.salt)
        return msgspec.msgpack.encode(bare)

    def sum(self) -> bytes:
        """The digest that the file must have."""
        return hashlib.sha256(self.header() + self.nonce + self.sealed).digest()


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """What is sealed, 32 bytes each. The next ones are empty but while a change is under way."""

    data: bytes
    ring: bytes
    next_data: bytes = b""
    next_ring: bytes = b""

    def __repr__(self) -> str:
        return "Keys(…)"


def share_name(share: bytes) -> str:
    """A name of a share that tells nothing of it: 16 hex digits of a hash of its 32 random bytes."""
    return hashlib.sha256(_SHARE_NAME + share).hexdigest()[:16]


def check_share(share: bytes) -> None:
    """Accept 32 bytes.

    Raises:
        UsageError: it has another length.
    """
    if len(share) != SHARE_BYTES:
        raise UsageError(f"a share has exactly {SHARE_BYTES} bytes, this one has {len(share)}")


def parsed(raw: bytes) -> SlotFile | None:
    """What a file's bytes say, or None when they are damaged or ask for costs that are not accepted."""
    try:
        file = msgspec.json.decode(raw, type=SlotFile)
        check_costs(file.costs)
    except (msgspec.DecodeError, UsageError):
        return None
    whole = hmac.compare_digest(file.digest, file.sum()) and len(file.nonce) == _NONCE_BYTES
    return file if whole else None


def sealed(file: SlotFile, keys: Keys, pin_key: bytes, share: bytes) -> bytes:
    """The bytes of the file with these keys in it."""
    nonce = os.urandom(_NONCE_BYTES)
    box = AESGCM(_kek(file, pin_key, share)).encrypt(nonce, msgspec.msgpack.encode(keys), file.header())
    file = msgspec.structs.replace(file, nonce=nonce, sealed=box)
    return msgspec.json.encode(msgspec.structs.replace(file, digest=file.sum()))


def opened(file: SlotFile, pin_key: bytes, share: bytes) -> Keys | None:
    """The keys in the file, or None when the PIN's key or the share is not theirs, or the header was changed."""
    try:
        raw = AESGCM(_kek(file, pin_key, share)).decrypt(file.nonce, file.sealed, file.header())
    except InvalidTag:
        return None
    return msgspec.msgpack.decode(raw, type=Keys)


def _kek(file: SlotFile, pin_key: bytes, share: bytes) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=file.salt, info=_INFO + file.seat.encode())
    return kdf.derive(pin_key + share)
