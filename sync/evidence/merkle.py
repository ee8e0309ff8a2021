"""The Merkle tree of the log: roots, inclusion proofs and consistency proofs, each in a handful of reads.

The tree is that of RFC 6962 section 2.1 (SHA-256, one prefix byte for leaves and one for nodes), so that a court's
expert can check our proofs with any program for certificate transparency logs. `Frontier` is all that a writer has to
remember to append. What it completes of TILE_LEVEL or higher is stored; every other node is computed from at most
256 leaf hashes when a proof needs it, which costs a store one row more per 255 entries instead of one per entry.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Protocol, Self

import msgspec

from schemas.errors import StoreError, UsageError

HASH_BYTES: Final = 32
TILE_LEVEL: Final = 8
"""The lowest level whose nodes are stored; below it 2^8 = 256 leaf hashes, 8 KiB, are read and hashed again."""
TILE_LEAVES: Final = 1 << TILE_LEVEL
SIZE_MAX: Final = (1 << 63) - 1
"""The largest tree a proof may be of (C2SP tlog-checkpoint implementations use a signed 64-bit size)."""
PROOF_HASHES_MAX: Final = 63
"""The longest path in such a tree; C2SP tlog-witness says the same of a consistency proof."""
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962 section 2.1: the hash of nothing)."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry), 32 bytes (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Node(msgspec.Struct, frozen=True, array_like=True):
    """A complete subtree: the leaves from `index << level` on, `1 << level` of them.

    Attributes:
        level: 0 is a leaf.
        index: counts the subtrees of this level from the left, from 0.
        hash: its root, 32 bytes.
    """

    level: int
    index: int
    hash: bytes


class Frontier(msgspec.Struct, frozen=True):
    """The right edge of a tree: enough to append to it and to know its root.

    Attributes:
        size: leaves in the tree.
        hashes: roots of the complete subtrees that the leaves fall into, one for each 1 in `size` written in binary,
            from the largest (leftmost) to the smallest; 32 bytes each.
    """

    size: int
    hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """Refuse what is no right edge.

        Raises:
            UsageError: size and hashes do not belong together.
        """
        if not 0 <= self.size <= SIZE_MAX or len(self.hashes) != self.size.bit_count():
            raise UsageError(f"the right edge of a tree of {self.size} leaves cannot have {len(self.hashes)} hashes")
        if any(len(each) != HASH_BYTES for each in self.hashes):
            raise UsageError(f"a hash in the right edge of a tree has not {HASH_BYTES} bytes")

    @property
    def root(self) -> bytes:
        """The tree's root, 32 bytes."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def appended(self, leaf_hashes: Sequence[bytes]) -> tuple[Self, list[Node]]:
        """The right edge after these leaves, and the nodes that a store keeps.

        Args:
            leaf_hashes: 32 bytes each, as `leaf_hash` gives them.

        Returns:
            The new edge, and every complete subtree of TILE_LEVEL or higher that these leaves completed, in the order
            of completion.
        """
        hashes = list(self.hashes)
        size = self.size
        completed = []
        for leaf in leaf_hashes:
            node, level = leaf, 0
            while size >> level & 1:
                node, level = node_hash(hashes.pop(), node), level + 1
                if level >= TILE_LEVEL:
                    completed.append(Node(level, size >> level, node))
            hashes.append(node)
            size += 1
        return type(self)(size, tuple(hashes)), completed


EMPTY: Final = Frontier(0, ())
"""The right edge of the tree without leaves."""


class Hashes(Protocol):
    """Where proofs read from. Both calls are asked only for what lies inside the tree's size."""

    def leaves(self, first: int, count: int) -> Sequence[bytes]:
        """The leaf hashes from index `first` on, `count` (1 to 256) of them, 32 bytes each."""

    def node(self, level: int, index: int) -> bytes:
        """The root of a complete subtree of TILE_LEVEL or higher, 32 bytes, as `Frontier.appended` gave it."""


class _Reader:
    """Gives the root of any stretch of a tree that RFC 6962's recursion asks for, reading each tile once."""

    def __init__(self, hashes: Hashes, size: int) -> None:
        self._hashes = hashes
        self._size = size
        self._tiles: dict[int, list[Sequence[bytes]]] = {}

    def root(self, begin: int, end: int) -> bytes:
        """MTH(D[begin:end]); `begin` is a multiple of every power of two below `end - begin`."""
        if begin == end:
            return EMPTY_ROOT
        width = end - begin
        if width & (width - 1) == 0:
            return self._complete(width.bit_length() - 1, begin)
        middle = begin + _split(width)
        return node_hash(self.root(begin, middle), self.root(middle, end))

    def _complete(self, level: int, begin: int) -> bytes:
        if level >= TILE_LEVEL:
            node = self._hashes.node(level, begin >> level)
            if len(node) != HASH_BYTES:
                raise _damaged(f"the node at level {level}, index {begin >> level}")
            return node
        tile = begin >> TILE_LEVEL
        return self._tile(tile)[level][(begin - (tile << TILE_LEVEL)) >> level]

    def _tile(self, tile: int) -> list[Sequence[bytes]]:
        """The levels of one tile, from its leaves up, as far as the subtrees are complete."""
        if tile not in self._tiles:
            first = tile << TILE_LEVEL
            count = min(TILE_LEAVES, self._size - first)
            below = self._hashes.leaves(first, count)
            if len(below) != count or any(len(leaf) != HASH_BYTES for leaf in below):
                raise _damaged(f"the {count} leaf hashes from index {first}")
            levels = [below]
            while len(below) > 1:
                below = [node_hash(left, right) for left, right in zip(below[::2], below[1::2], strict=False)]
                levels.append(below)
            self._tiles[tile] = levels
        return self._tiles[tile]


def root_at(hashes: Hashes, size: int) -> bytes:
    """The root that the tree had when it had `size` leaves, 32 bytes.

    Raises:
        UsageError: a size that no tree has.
        StoreError: the store did not give what it must hold.
    """
    _check_size(size)
    return _Reader(hashes, size).root(0, size)


def inclusion_proof(hashes: Hashes, index: int, size: int) -> list[bytes]:
    """The audit path of one leaf, from its sibling up to the root's child (RFC 6962 section 2.1.1).

    Args:
        hashes: a tree of at least `size` leaves.
        index: of the leaf, from 0.
        size: leaves of the tree that the proof is for.

    Raises:
        UsageError: no such leaf in a tree of this size.
        StoreError: the store did not give what it must hold.
    """
    _check_size(size)
    if not 0 <= index < size:
        raise UsageError(f"a log of {size} entries has no entry {index}: they count from 0 to {size - 1}")
    reader = _Reader(hashes, size)
    path = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(reader.root(middle, end))
            end = middle
        else:
            path.append(reader.root(begin, middle))
            begin = middle
    return path[::-1]


def consistency_proof(hashes: Hashes, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `new` leaves begins with the tree of `old` ones (RFC 6962 section 2.1.2).

    It is empty when the old tree has no leaves or as many as the new one: there is nothing to prove.

    Raises:
        UsageError: the old tree is larger than the new one, or has a size that no tree has.
        StoreError: the store did not give what it must hold.
    """
    _check_size(new)
    if not 0 <= old <= new:
        raise UsageError(f"no proof leads from {old} entries to {new}: a log only grows")
    if old in (0, new):
        return []
    reader = _Reader(hashes, new)
    path = []
    begin, end = 0, new
    whole = True  # whether the old tree's part in here is the old tree itself, whose root the verifier knows
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(reader.root(middle, end))
            end = middle
        else:
            path.append(reader.root(begin, middle))
            begin = middle
            whole = False
    if not whole:
        path.append(reader.root(begin, end))
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the tree with this root holds this leaf at this place (RFC 9162 section 2.1.3.2).

    Never raises, whatever a stranger has sent.

    Args:
        index: of the leaf, from 0.
        size: leaves of the tree.
        leaf: the leaf's hash, as `leaf_hash` gives it; never one that came with the proof.
        root: of the tree, from a checkpoint whose signature is good.
        path: 32 bytes each.
    """
    if not 0 <= index < size <= SIZE_MAX or not _well_formed(path) or len(leaf) != HASH_BYTES:
        return False
    at, last, top = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            top = node_hash(sibling, top)
            at, last = _past_missing(at, last)
        else:
            top = node_hash(top, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and top == root


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the new tree begins with the old one (RFC 9162 section 2.1.4.2).

    From the empty tree every tree follows, with an empty proof; from a tree of the same size only the same root does.
    Never raises, whatever a stranger has sent.

    Args:
        old, new: leaves of the two trees.
        old_root, new_root: 32 bytes each, from what this side remembers and from a checkpoint whose signature is good.
        path: 32 bytes each.
    """
    if not 0 <= old <= new <= SIZE_MAX or not _well_formed(path):
        return False
    if old == new:
        return not path and old_root == new_root and (old > 0 or old_root == EMPTY_ROOT)
    if old == 0:
        return not path and old_root == EMPTY_ROOT and len(new_root) == HASH_BYTES
    # The prover leaves out what the verifier knows: the old root, where it is a node of the new tree.
    nodes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not nodes:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_top = new_top = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_top, new_top = node_hash(sibling, old_top), node_hash(sibling, new_top)
            at, last = _past_missing(at, last)
        else:
            new_top = node_hash(new_top, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old_top == old_root and new_top == new_root


def _past_missing(at: int, last: int) -> tuple[int, int]:
    """Skip the levels at which the right edge has no sibling: its node there is the one below it."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _well_formed(path: Sequence[bytes]) -> bool:
    return len(path) <= PROOF_HASHES_MAX and all(len(each) == HASH_BYTES for each in path)


def _split(width: int) -> int:
    """The largest power of two below `width` (RFC 6962's k); `width` is at least 2."""
    return 1 << ((width - 1).bit_length() - 1)


def _check_size(size: int) -> None:
    if not 0 <= size <= SIZE_MAX:
        raise UsageError(f"{size} is no size of a log: it has 0 to 2^63 - 1 entries")


def _damaged(what: str) -> StoreError:
    return StoreError(f"the log's tree does not hold {what}: check the log with `beatbook verify`, restore a backup")
