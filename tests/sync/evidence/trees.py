"""A tree in memory for the tests here, and the slow, obvious tree that the fast one must equal."""

import hashlib
from collections.abc import Sequence

from sync.evidence import merkle


class MemoryHashes:
    """Keeps what a store keeps, and counts what is read."""

    def __init__(self, leaf_hashes: Sequence[bytes] = ()) -> None:
        self.rows: list[bytes] = []
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.frontier = merkle.EMPTY
        self.reads = 0
        self.append(leaf_hashes)

    def append(self, leaf_hashes: Sequence[bytes]) -> None:
        """Add leaves the way a store does."""
        self.frontier, completed = self.frontier.appended(leaf_hashes)
        self.rows += leaf_hashes
        for node in completed:
            assert (node.level, node.index) not in self.nodes
            self.nodes[node.level, node.index] = node.hash

    def leaves(self, first: int, count: int) -> Sequence[bytes]:
        """See `Hashes`."""
        assert first >= 0
        assert 1 <= count <= 256
        assert first + count <= len(self.rows)
        self.reads += 1
        return self.rows[first : first + count]

    def node(self, level: int, index: int) -> bytes:
        """See `Hashes`."""
        assert level >= merkle.TILE_LEVEL
        self.reads += 1
        return self.nodes[level, index]


def leaves_of(count: int, seed: str = "leaf") -> list[bytes]:
    """That many leaf hashes, each another."""
    return [merkle.leaf_hash(f"{seed} {number}".encode()) for number in range(count)]


def _split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def slow_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, written down as it stands there."""
    if not leaf_hashes:
        return hashlib.sha256().digest()
    if len(leaf_hashes) == 1:
        return leaf_hashes[0]
    k = _split(len(leaf_hashes))
    return hashlib.sha256(b"\x01" + slow_root(leaf_hashes[:k]) + slow_root(leaf_hashes[k:])).digest()


def slow_inclusion(index: int, leaf_hashes: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if len(leaf_hashes) == 1:
        return []
    k = _split(len(leaf_hashes))
    if index < k:
        return [*slow_inclusion(index, leaf_hashes[:k]), slow_root(leaf_hashes[k:])]
    return [*slow_inclusion(index - k, leaf_hashes[k:]), slow_root(leaf_hashes[:k])]


def slow_consistency(old: int, leaf_hashes: Sequence[bytes], *, known: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2; `known` is its b."""
    if old == len(leaf_hashes):
        return [] if known else [slow_root(leaf_hashes)]
    k = _split(len(leaf_hashes))
    if old <= k:
        return [*slow_consistency(old, leaf_hashes[:k], known=known), slow_root(leaf_hashes[k:])]
    return [*slow_consistency(old - k, leaf_hashes[k:], known=False), slow_root(leaf_hashes[:k])]
