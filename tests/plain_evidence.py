"""What a device signs, chains and seals, as docs/protocol.md tells it; nothing of Beatbook (see plain_client.py)."""

import base64
import hashlib
from typing import Any

import msgpack
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
READ_RECORDS_MAX = 64


def first_link(seat: str) -> bytes:
    """The link before a seat's first op."""
    return hashlib.sha256(b"beatbook.v1 chain\x00" + seat.encode()).digest()


def link_behind(link: bytes, n: int, digest: bytes) -> bytes:
    """The link behind op `n`, given the one before it and the SHA-256 of the op's bytes."""
    return hashlib.sha256(link + n.to_bytes(8, "big") + digest).digest()


def head_words(seat: str, n: int, link: bytes) -> bytes:
    """What is signed for the chain up to op `n`."""
    return b"beatbook.v1 head\x00" + _packed(seat, n, link)


def receipt_words(seat: str, scope: str, gen: int, removed: int, at: int) -> bytes:
    """What is signed for a scope that was removed."""
    return b"beatbook.v1 retracted\x00" + _packed(seat, scope, gen, removed, at)


def wiped_words(seat: str, at: int) -> bytes:
    """What is signed for everything's having been destroyed."""
    return b"beatbook.v1 wiped\x00" + _packed(seat, at)


def _packed(*parts: Any) -> bytes:  # noqa: ANN401  of a message
    packed: bytes = msgpack.packb(list(parts))
    return packed


def seal(body: bytes, key: bytes) -> bytes:
    """Bytes that only the server can open."""
    return SUITE.encrypt(body, X25519PublicKey.from_public_bytes(key), info=b"beatbook.v1 quarantine")


class ReadLog:
    """What the officer looked at, until the server has it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.next = 1
        self.waiting: dict[int, bytes] = {}
        self._link = bytes(32)

    def note(self, author: str, records: list[str], at: int, wall: int, **more: Any) -> None:  # noqa: ANN401  fields
        """Write entries for these records; `more` is `why`, `matter`, `what`, `recipients`."""
        for start in range(0, len(records), READ_RECORDS_MAX):
            some = records[start : start + READ_RECORDS_MAX]
            entry = {"n": self.next, "link": self._link, "what": "consultation", "author": author, "records": some}
            body: bytes = msgpack.packb(entry | {"at": at, "wall": wall} | more)
            self.waiting[self.next] = body
            self._link = hashlib.sha256(body).digest()
            self.next += 1

    def kept(self, upto: int) -> None:
        """The server has them up to this one."""
        self.waiting = {n: body for n, body in self.waiting.items() if n > upto}


# --- the log's checkpoints -------------------------------------------------------------------------------------------


class ForkedError(Exception):
    """The server's log is not the one that was seen before."""


class Pin:
    """The last checkpoint of the log that was seen and found to continue the one before."""

    def __init__(self, name: str, key: bytes) -> None:
        """Trust the log of that name, with that Ed25519 public key of 32 bytes; nothing is pinned yet."""
        self._name = name
        self._key = Ed25519PublicKey.from_public_bytes(key)
        self._id = hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4]
        self.size = 0
        self._root = b""

    def take(self, note: bytes, proof: list[bytes]) -> None:
        """Check a checkpoint, and pin it.

        Raises:
            ForkedError: it does not continue the pinned one.
            ValueError, cryptography.exceptions.InvalidSignature: it is no checkpoint of this log.
        """
        text, _, signatures = note.decode().partition("\n\n")
        begins = f"\u2014 {self._name} "
        [line] = [line for line in signatures.splitlines() if line.startswith(begins)]
        signature = base64.b64decode(line.removeprefix(begins))
        if signature[:4] != self._id:
            raise ValueError(line)
        self._key.verify(signature[4:], f"{text}\n".encode())
        name, size_text, root_text = text.split("\n")
        size, root = int(size_text), base64.b64decode(root_text)
        if name != self._name:
            raise ValueError(name)
        if size < self.size or not self._continues(size, root, list(proof)):
            raise ForkedError(f"{name}: {size} entries do not continue the {self.size} that were seen")
        self.size, self._root = size, root

    def _continues(self, size: int, root: bytes, proof: list[bytes]) -> bool:
        """RFC 6962 section 2.1.2, checked from the bottom up."""
        if self.size in {0, size}:
            return not proof and (self.size == 0 or root == self._root)
        low, high = self.size - 1, size - 1
        while low % 2:
            low, high = low // 2, high // 2
        hashes = iter(proof)
        old = new = next(hashes, b"") if low else self._root
        for each in hashes:
            if not high:
                return False
            if low % 2 or low == high:
                old, new = _inner(each, old), _inner(each, new)
                while low and not low % 2:
                    low, high = low // 2, high // 2
            else:
                new = _inner(new, each)
            low, high = low // 2, high // 2
        return (old, new, high) == (self._root, root, 0)


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
