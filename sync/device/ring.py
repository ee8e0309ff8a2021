"""The ring: what is sealed at rest under the keys of single records, and the one key that those are wrapped under.

Removing a row from a database leaves it in old pages, in the journal and in blocks that flash storage has not erased.
So each record's bodies (its row, and what this device's ops on it say) are sealed under a random key of that record,
and the records' keys are wrapped under the **ring key**. To remove a record is to drop its key, choose a new ring key,
wrap the keys that stay under it, and forget the old one: what is left anywhere of the record, or of its wrapped key, is
then sealed under keys that exist nowhere.

All of it is AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces, which one key may use 2^32 times. SQLCipher stays
around it.

    record key   32 random bytes; wrapped: nonce || box (60 bytes), bound to the record's id
    body         nonce || box, bound to the record's id and to where it lies: the row, or the op's number

Where the ring key is: with a `RingHolder` in the key slots, apart from the database. With a plain data key it is in the
database itself; whoever has the data key then has the ring key too, and what is left on the disk of a removed record is
only as far away as an old page that holds the old ring key.
"""

import hashlib
import hmac
import os
from collections.abc import Iterator
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import ReplicaError
from schemas.ids import OpNumber, RecordId
from sync.device.keys import KEY_BYTES

NONCE_BYTES: Final = 12
_CHECK: Final = b"beatbook.v1 ring check"


class Ring:
    """A ring key in use."""

    def __init__(self, key: bytes) -> None:
        """Take the key, 32 bytes."""
        self._key = bytearray(key)
        self._cipher: AESGCM | None = AESGCM(key)

    def __repr__(self) -> str:
        return "Ring(…)"

    def key(self) -> bytes:
        """The ring key."""
        return bytes(self._key)

    def check(self) -> bytes:
        """What tells in a database which ring key its records' keys are under: an HMAC of fixed words."""
        return hmac.new(self._key, _CHECK, hashlib.sha256).digest()

    def wrap(self, record: RecordId, key: bytes, nonce: bytes | None = None) -> bytes:
        """A record's key, wrapped (60 bytes).

        Args:
            record, key: whose, and which.
            nonce: 12 random bytes that nothing else gets (`nonces`); by default drawn here.

        Raises:
            ReplicaError: the ring was wiped.
        """
        nonce = os.urandom(NONCE_BYTES) if nonce is None else nonce
        return nonce + self._held().encrypt(nonce, key, record.encode())

    def unwrap(self, record: RecordId, wrapped: bytes) -> bytes:
        """A record's key.

        Raises:
            ReplicaError: it is not one that was wrapped for this record under this ring; or the ring was wiped.
        """
        try:
            return self._held().decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], record.encode())
        except (InvalidTag, ValueError):
            raise ReplicaError(f"the key of record {record} is damaged, or under another ring key") from None

    def require_open(self) -> None:
        """Let nothing be shown that was opened before the ring was wiped.

        Raises:
            ReplicaError: it was.
        """
        self._held()

    def _held(self) -> AESGCM:
        if self._cipher is None:
            raise ReplicaError("the replica is locked: enter the PIN")
        return self._cipher

    def wipe(self) -> None:
        """Zero the key and let go of the cipher, which zeroes its own copy. Again: nothing."""
        self._key[:] = bytes(len(self._key))
        self._cipher = None


def new_record_key() -> bytes:
    """A key for a record."""
    return os.urandom(KEY_BYTES)


def row_place(record: RecordId) -> bytes:
    """What a row's body is bound to."""
    return b"row\0" + record.encode()


def op_place(record: RecordId, n: OpNumber) -> bytes:
    """What an op's body is bound to."""
    return b"op\0%d\0" % n + record.encode()


def nonces(count: int) -> Iterator[bytes]:
    """So many nonces, from one call of the system: a page of a snapshot needs hundreds.

    They are drawn for one transaction and never kept: left over in memory, a copy of the process would draw them again.
    """
    drawn = os.urandom(count * NONCE_BYTES)
    return (drawn[at : at + NONCE_BYTES] for at in range(0, len(drawn), NONCE_BYTES))


def seal(key: bytes, body: bytes, place: bytes, nonce: bytes | None = None) -> bytes:
    """A body, sealed under its record's key: 28 bytes longer. `nonce` as in `Ring.wrap`."""
    nonce = os.urandom(NONCE_BYTES) if nonce is None else nonce
    return nonce + AESGCM(key).encrypt(nonce, body, place)


def unseal(key: bytes, sealed: bytes, place: bytes) -> bytes:
    """The body.

    Raises:
        ReplicaError: it was sealed for another place or under another key, or it is damaged.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
    except (InvalidTag, ValueError):
        raise ReplicaError(
            "a body in the replica does not fit its place: someone has moved or changed it. Set the replica aside"
        ) from None


def pack_op(body: bytes, detail: str, why: str) -> bytes:
    """All of an op that people wrote: its bytes, why it is held, and what its author said when they ended it."""
    return msgspec.msgpack.encode((body, detail, why))


def unpack_op(packed: bytes) -> tuple[bytes, str, str]:
    """Body, detail and why."""
    return msgspec.msgpack.decode(packed, type=tuple[bytes, str, str])
