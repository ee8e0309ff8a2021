"""What a device hashes and signs: the chain of its ops, its proof at the door, its receipts, the digest of a scope.

All of it from "Handshake", "Chain, receipts, leases" and "Digests" of docs/protocol.md; the vectors there are its
tests.
"""

import base64
import hashlib
from functools import lru_cache
from typing import Final, NamedTuple

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DIGEST_BYTES: Final = 32
_MODULUS: Final = 1 << 256


class Link(NamedTuple):
    """Where a chain stands.

    Attributes:
        n: number of the last op in it; 0 before the first.
        link: the 32 bytes behind that op.
    """

    n: int
    link: bytes

    def behind(self, n: int, sha: bytes) -> "Link":
        """Where it stands behind op `n`, whose bytes have that SHA-256."""
        return Link(n, hashlib.sha256(self.link + n.to_bytes(8, "big") + sha).digest())


def first_link(seat: str) -> Link:
    """Before a seat's first op."""
    return Link(0, hashlib.sha256(b"beatbook.v1 chain\x00" + seat.encode()).digest())


def hello_words(nonce: bytes, body: bytes) -> bytes:
    """What HELLO proves: that this device has the key, now."""
    return b"beatbook.v1 hello\x00" + nonce + body


def head_words(seat: str, head: Link) -> bytes:
    """What is signed for all ops up to the head."""
    return b"beatbook.v1 head\x00" + _array(seat, head.n, head.link)


def receipt_words(seat: str, scope: str, gen: int, removed: int, at: int) -> bytes:
    """What is signed when a scope has left the replica."""
    return b"beatbook.v1 retracted\x00" + _array(seat, scope, gen, removed, at)


def wiped_words(seat: str, at: int) -> bytes:
    """What is signed when everything has been destroyed."""
    return b"beatbook.v1 wiped\x00" + _array(seat, at)


def _array(*parts: str | int | bytes) -> bytes:
    raw: bytes = msgpack.packb(list(parts), use_bin_type=True)
    return raw


@lru_cache(maxsize=16_384)
def term(record: str, version: int) -> int:
    """What one member adds to its scope's digest. Many devices of one process hold the same member."""
    return int.from_bytes(hashlib.sha256(f"{record} {version}".encode()).digest(), "big")


class Digest:
    """A scope's digest, kept while members come and go."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, record: str, version: int) -> None:
        """A member came."""
        self._sum = (self._sum + term(record, version)) % _MODULUS

    def remove(self, record: str, version: int) -> None:
        """It went."""
        self._sum = (self._sum - term(record, version)) % _MODULUS

    def value(self) -> bytes:
        """32 bytes, big-endian."""
        return self._sum.to_bytes(DIGEST_BYTES, "big")


class Key:
    """A device's Ed25519 key pair.

    Attributes:
        public: the public key, 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        """Take up the 32 secret bytes (the seed of RFC 8032)."""
        self._secret = secret
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    @classmethod
    def drawn(cls) -> "Key":
        """A new one, by chance."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def read(cls, text: str) -> "Key":
        """The one that `text` gave.

        Raises:
            ValueError: it is none.
        """
        return cls(base64.b64decode(text, validate=True))

    def text(self) -> str:
        """The secret bytes as base64, for a file that only its owner reads."""
        return base64.b64encode(self._secret).decode()

    def sign(self, words: bytes) -> bytes:
        """The 64-byte signature."""
        return self._key.sign(words)
