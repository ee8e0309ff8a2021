"""A scope's digest: proof that two replicas hold the same records in the same versions (promise 4).

The sum, modulo 2^256, of SHA-256 over each (record id, version) pair: a multiset hash (Bellare and Micciancio, 1997,
"AdHash"). It is kept by adding and subtracting, in any order, and it catches accident and defect. It is not
meant to withstand someone who chooses the ids; evidence has signatures for that.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from schemas.ids import RecordId, Seq

_MODULUS: Final = 1 << 256
EMPTY: Final = bytes(32)
"""The digest of a scope without records."""


def element(record: RecordId, version: Seq) -> int:
    """One record's share: SHA-256 of `id`, a space and the version in decimal, read as a big-endian number."""
    return int.from_bytes(hashlib.sha256(f"{record} {version}".encode()).digest(), "big")


def change(
    digest: bytes, *, added: Iterable[tuple[RecordId, Seq]] = (), removed: Iterable[tuple[RecordId, Seq]] = ()
) -> bytes:
    """The digest after some pairs came and others left.

    Args:
        digest: 32 bytes, as before.
        added, removed: (record, version) pairs.
    """
    total = int.from_bytes(digest, "big")
    total += sum([element(record, version) for record, version in added])
    total -= sum([element(record, version) for record, version in removed])
    return (total % _MODULUS).to_bytes(32, "big")


def of(pairs: Iterable[tuple[RecordId, Seq]]) -> bytes:
    """The digest of these (record, version) pairs."""
    return change(EMPTY, added=pairs)
