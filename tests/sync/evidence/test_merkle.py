"""The log's tree is RFC 6962's, its proofs prove, and nothing that was tampered with passes."""

import hashlib
from functools import cache

import pymerkle  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StoreError, UsageError
from sync.evidence import merkle
from tests.sync.evidence.trees import MemoryHashes, leaves_of, slow_consistency, slow_inclusion, slow_root

EDGES = (0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 1_000)
BIG = (65_535, 65_536, 65_537)

sizes = st.one_of(st.integers(min_value=0, max_value=1_100), st.sampled_from(EDGES))


@cache
def tree(size: int) -> MemoryHashes:
    """The tree of that many leaves, made once."""
    return MemoryHashes(leaves_of(size))


def flipped(value: bytes, bit: int) -> bytes:
    """`value` with one bit changed."""
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_hashes_are_those_of_the_standard() -> None:
    """Known answers from the certificate transparency project's own tests (RFC 6962 section 2.1)."""
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    frontier, _ = merkle.EMPTY.appended([merkle.leaf_hash(bytes.fromhex(entry)) for entry in entries])
    assert frontier.root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_a_leaf_cannot_pass_for_a_node() -> None:
    """The two prefixes keep a node's two halves from being offered as an entry (second preimage)."""
    left, right = leaves_of(2)
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)
    assert merkle.node_hash(left, right) == hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("size", [*EDGES, *BIG])
def test_the_root_is_that_of_the_slow_tree(size: int) -> None:
    """Both from the right edge and read from the store."""
    expected = slow_root(leaves_of(size))
    assert tree(size).frontier.root == expected
    assert merkle.root_at(tree(size), size) == expected


@given(st.lists(st.integers(min_value=0, max_value=300), max_size=8))
def test_how_leaves_arrive_does_not_matter(steps: list[int]) -> None:
    """In one commit or in many, the edge, the nodes and the root are the same."""
    leaves = leaves_of(sum(steps))
    grown = MemoryHashes()
    for step in steps:
        grown.append(leaves[grown.frontier.size : grown.frontier.size + step])
    once = MemoryHashes(leaves)
    assert (grown.frontier, grown.nodes) == (once.frontier, once.nodes)


@pytest.mark.parametrize("size", [255, 256, 257, 65_535, 65_536, 65_537])
def test_exactly_the_complete_subtrees_from_256_leaves_up_are_stored(size: int) -> None:
    """Each once, with its own root: a row in 255 beside the leaves'."""
    leaves = leaves_of(size)
    expected = {
        (level, index): slow_root(leaves[index << level : index + 1 << level])
        for level in range(merkle.TILE_LEVEL, size.bit_length())
        for index in range(size >> level)
    }
    assert tree(size).nodes == expected


@given(st.data())
def test_every_earlier_root_can_be_had(data: st.DataObject) -> None:
    """A log knows what its head was at every size it ever had."""
    size = data.draw(sizes)
    earlier = data.draw(st.integers(min_value=0, max_value=size))
    assert merkle.root_at(tree(size), earlier) == slow_root(leaves_of(earlier))


@given(st.data())
def test_an_inclusion_proof_is_the_slow_one_and_verifies(data: st.DataObject) -> None:
    """Of any leaf, in the tree at any size it ever had."""
    whole = data.draw(sizes.filter(bool))
    size = data.draw(st.integers(min_value=1, max_value=whole))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    leaves = leaves_of(size)
    path = merkle.inclusion_proof(tree(whole), index, size)
    assert path == slow_inclusion(index, leaves)
    assert merkle.verify_inclusion(index, size, leaves[index], slow_root(leaves), path)


@given(st.data())
def test_a_consistency_proof_is_the_slow_one_and_verifies(data: st.DataObject) -> None:
    """Between any two sizes that the tree ever had."""
    whole = data.draw(sizes)
    new = data.draw(st.integers(min_value=0, max_value=whole))
    old = data.draw(st.integers(min_value=0, max_value=new))
    leaves = leaves_of(new)
    path = merkle.consistency_proof(tree(whole), old, new)
    assert path == (slow_consistency(old, leaves) if old else [])
    assert merkle.verify_consistency(old, slow_root(leaves[:old]), new, slow_root(leaves), path)


def test_all_proofs_of_all_small_trees_hold() -> None:
    """No pair of sizes up to 70 and no leaf is left out; a shape that fails is named by the assertion."""
    leaves = leaves_of(70)
    hashes = MemoryHashes(leaves)
    roots = [slow_root(leaves[:size]) for size in range(71)]
    for new in range(71):
        for old in range(new + 1):
            path = merkle.consistency_proof(hashes, old, new)
            assert merkle.verify_consistency(old, roots[old], new, roots[new], path), (old, new)
        for index in range(new):
            path = merkle.inclusion_proof(hashes, index, new)
            assert merkle.verify_inclusion(index, new, leaves[index], roots[new], path), (index, new)


@pytest.mark.parametrize("size", BIG)
def test_proofs_of_a_large_tree_hold(size: int) -> None:
    """Around the size at which a second level of tiles begins."""
    leaves = leaves_of(size)
    root = tree(size).frontier.root
    for index in (0, 255, 256, 65_279, 65_280, size - 1):
        path = merkle.inclusion_proof(tree(size), index, size)
        assert merkle.verify_inclusion(index, size, leaves[index], root, path)
    for old in (1, 255, 256, 257, 32_768, 65_279, 65_281, size - 1):
        path = merkle.consistency_proof(tree(size), old, size)
        assert merkle.verify_consistency(old, merkle.root_at(tree(size), old), size, root, path)


def test_proofs_read_little() -> None:
    """The log of a force has a hundred million entries; a proof may not read more than a few dozen rows of it."""
    size = 65_535
    hashes = MemoryHashes(leaves_of(size))
    most = 0
    for at in (1, 254, 255, 256, 4_711, 32_767, 32_768, 65_000, 65_534):
        for prove in (merkle.inclusion_proof, merkle.consistency_proof):
            hashes.reads = 0
            prove(hashes, at, size)
            most = max(most, hashes.reads)
    assert most <= 2 * size.bit_length()


@pytest.mark.parametrize("size", [1, 2, 5, 255, 256, 257, 700])
def test_an_independent_implementation_has_the_same_tree(size: int) -> None:
    """pymerkle, fed with the same entries, has our root and our inclusion proofs, and takes its own for our heads."""
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    entries = [f"entry {number}".encode() for number in range(size)]
    for entry in entries:
        theirs.append_entry(entry)
    ours = MemoryHashes([merkle.leaf_hash(entry) for entry in entries])
    assert theirs.get_root() == ours.frontier.root
    for index in {0, size // 2, size - 1}:
        proof = theirs.prove_inclusion(index + 1, size)  # it counts from one
        base, *path = proof.path
        assert base == ours.rows[index]
        assert path == merkle.inclusion_proof(ours, index, size)
    for old in {1, size // 2 or 1, size}:
        before = merkle.root_at(ours, old)
        theirs.prove_consistency(old, size).verify(before, ours.frontier.root)
        assert theirs.get_root(old) == before


@given(st.data())
def test_no_bit_of_an_inclusion_proof_can_be_changed(data: st.DataObject) -> None:
    """Leaf, root and every hash of the path: each of their bits counts; no other place or length passes."""
    size = data.draw(st.integers(min_value=1, max_value=600))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    hashes = tree(size)
    path, leaf, root = merkle.inclusion_proof(hashes, index, size), hashes.rows[index], hashes.frontier.root
    bit = data.draw(st.integers(min_value=0, max_value=255))
    assert not merkle.verify_inclusion(index, size, flipped(leaf, bit), root, path)
    assert not merkle.verify_inclusion(index, size, leaf, flipped(root, bit), path)
    for at, each in enumerate(path):
        assert not merkle.verify_inclusion(index, size, leaf, root, [*path[:at], flipped(each, bit), *path[at + 1 :]])
        assert not merkle.verify_inclusion(index, size, leaf, root, path[:at] + path[at + 1 :])
    assert not merkle.verify_inclusion(index, size, leaf, root, [*path, leaf])
    other = data.draw(st.integers(min_value=-2, max_value=size + 2).filter(lambda number: number != index))
    assert not merkle.verify_inclusion(other, size, leaf, root, path)


@given(st.data())
def test_no_bit_of_a_consistency_proof_can_be_changed(data: st.DataObject) -> None:
    """Both roots and every hash of the path: each of their bits counts; no other length passes."""
    new = data.draw(st.integers(min_value=2, max_value=600))
    old = data.draw(st.integers(min_value=1, max_value=new - 1))
    hashes = tree(new)
    path = merkle.consistency_proof(hashes, old, new)
    before, after = merkle.root_at(hashes, old), hashes.frontier.root
    bit = data.draw(st.integers(min_value=0, max_value=255))
    assert not merkle.verify_consistency(old, flipped(before, bit), new, after, path)
    assert not merkle.verify_consistency(old, before, new, flipped(after, bit), path)
    for at, each in enumerate(path):
        tampered = [*path[:at], flipped(each, bit), *path[at + 1 :]]
        assert not merkle.verify_consistency(old, before, new, after, tampered)
        assert not merkle.verify_consistency(old, before, new, after, path[:at] + path[at + 1 :])
    assert not merkle.verify_consistency(old, before, new, after, [*path, after])


@given(st.data())
def test_a_proof_is_for_a_tree_of_its_depth(data: st.DataObject) -> None:
    """Neither a deeper tree of the same root nor a root one level above, made for the purpose, passes."""
    size = data.draw(st.integers(min_value=2, max_value=600))
    at = data.draw(st.integers(min_value=1, max_value=size - 1))
    hashes = tree(size)
    leaf, root, before = hashes.rows[at], hashes.frontier.root, merkle.root_at(hashes, at)
    included = merkle.inclusion_proof(hashes, at, size)
    consistent = merkle.consistency_proof(hashes, at, size)
    deeper = 1 << size.bit_length() + 1
    assert not merkle.verify_inclusion(at, deeper, leaf, root, included)
    assert not merkle.verify_consistency(at, before, deeper, root, consistent)
    beside = merkle.leaf_hash(b"beside")
    above, above_before = merkle.node_hash(beside, root), merkle.node_hash(beside, before)
    assert not merkle.verify_inclusion(at, size, leaf, above, [*included, beside])
    assert not merkle.verify_consistency(at, above_before, size, above, [*consistent, beside])
    assert not merkle.verify_consistency(size, root, size, root, [beside])


def test_every_single_bit_of_one_proof_counts() -> None:
    """Exhaustive for one proof of each sort, so that no position depends on luck."""
    hashes = tree(257)
    leaf, root = hashes.rows[200], hashes.frontier.root
    included = merkle.inclusion_proof(hashes, 200, 257)
    consistent = merkle.consistency_proof(hashes, 200, 257)
    before = merkle.root_at(hashes, 200)
    for bit in range(256):
        for at in range(len(included)):
            path = [*included[:at], flipped(included[at], bit), *included[at + 1 :]]
            assert not merkle.verify_inclusion(200, 257, leaf, root, path)
        for at in range(len(consistent)):
            path = [*consistent[:at], flipped(consistent[at], bit), *consistent[at + 1 :]]
            assert not merkle.verify_consistency(200, before, 257, root, path)


@given(st.data())
def test_a_rewritten_past_is_never_consistent(data: st.DataObject) -> None:
    """Whoever changes one old entry finds no proof, not even the honest one of the tree it made."""
    new = data.draw(st.integers(min_value=2, max_value=300))
    old = data.draw(st.integers(min_value=1, max_value=new - 1))
    leaves = leaves_of(new)
    before = slow_root(leaves[:old])
    leaves[data.draw(st.integers(min_value=0, max_value=old - 1))] = merkle.leaf_hash(b"another")
    forged = MemoryHashes(leaves)
    path = merkle.consistency_proof(forged, old, new)
    assert not merkle.verify_consistency(old, before, new, forged.frontier.root, path)


@given(
    st.integers(min_value=-3, max_value=2**64),
    st.integers(min_value=-3, max_value=2**64),
    st.lists(st.binary(max_size=40), max_size=70),
    st.binary(max_size=40),
    st.binary(max_size=40),
)
def test_nonsense_is_refused_and_never_raises(
    one: int, other: int, path: list[bytes], first: bytes, second: bytes
) -> None:
    """A proof comes from whoever wants to be believed."""
    assert not merkle.verify_inclusion(one, other, first, second, path)
    assert not merkle.verify_consistency(one, first, other, second, path) or (one == other > 0 and first == second)


def test_the_empty_tree_has_one_root() -> None:
    """Every tree follows from the empty one, none from a tree that says it is empty and has a root."""
    root = tree(3).frontier.root
    assert merkle.consistency_proof(tree(3), 0, 3) == []
    assert merkle.verify_consistency(0, merkle.EMPTY_ROOT, 3, root, [])
    assert not merkle.verify_consistency(0, root, 3, root, [])
    assert not merkle.verify_consistency(0, root, 0, root, [])
    assert not merkle.verify_consistency(0, merkle.EMPTY_ROOT, 3, root, [root])
    assert merkle.verify_consistency(0, merkle.EMPTY_ROOT, 0, merkle.EMPTY_ROOT, [])


def test_what_cannot_be_asked_is_said() -> None:
    """No leaf behind the end, no way back, no size below nothing."""
    with pytest.raises(UsageError, match=r"3 entries has no entry 3"):
        merkle.inclusion_proof(tree(3), 3, 3)
    with pytest.raises(UsageError, match="only grows"):
        merkle.consistency_proof(tree(3), 3, 2)
    with pytest.raises(UsageError, match="no size of a log"):
        merkle.root_at(tree(3), -1)
    with pytest.raises(UsageError, match="cannot have 1 hashes"):
        merkle.Frontier(3, (bytes(32),))
    with pytest.raises(UsageError, match="32 bytes"):
        merkle.Frontier(1, (bytes(31),))


class _Cut(MemoryHashes):
    """A store that has lost its end."""

    def leaves(self, first: int, count: int) -> list[bytes]:
        """One leaf short."""
        return list(super().leaves(first, count))[:-1]

    def node(self, level: int, index: int) -> bytes:
        """Half a hash."""
        return super().node(level, index)[:16]


def test_a_store_that_lost_something_is_named() -> None:
    """A proof from a damaged store is an error of the store, not a wrong proof."""
    with pytest.raises(StoreError, match=r"leaf hashes from index 0.*beatbook verify"):
        merkle.root_at(_Cut(leaves_of(3)), 3)
    with pytest.raises(StoreError, match="level 8, index 0"):
        merkle.inclusion_proof(_Cut(leaves_of(512)), 400, 512)
