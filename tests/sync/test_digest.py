"""The digest of a scope: the same for the same members whatever the way there, another for any other members."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import RecordId, Seq
from sync import digest
from tests.examples import BOOKING, INCIDENT

members = st.dictionaries(
    st.integers(min_value=0, max_value=10**6).map(lambda at: RecordId(f"0199c8a1-7c00-7a11-8b22-{at:012x}")),
    st.integers(min_value=1, max_value=2**53).map(Seq),
    max_size=12,
)


def test_an_empty_scope_has_the_zero_digest() -> None:
    """32 zero bytes."""
    assert digest.of([]) == digest.EMPTY == bytes(32)


def test_the_digest_is_the_documented_one() -> None:
    """SHA-256 of id, space and version in decimal, read big-endian, summed modulo 2^256."""
    pairs = [(INCIDENT, Seq(41)), (BOOKING, Seq(1_000_000))]
    total = 0
    for record, version in pairs:
        total += int(hashlib.sha256(f"{record} {version}".encode()).hexdigest(), 16)
    assert digest.of(pairs).hex() == f"{total % 2**256:064x}"
    assert digest.of(pairs[:1]).hex() == hashlib.sha256(f"{INCIDENT} 41".encode()).hexdigest()


@given(members, st.data())
def test_the_order_does_not_matter(held: dict[RecordId, Seq], data: st.DataObject) -> None:
    """Records may come in any order."""
    pairs = list(held.items())
    assert digest.of(data.draw(st.permutations(pairs))) == digest.of(pairs)


@given(members, members)
def test_kept_by_steps_it_is_what_it_would_be_anew(before: dict[RecordId, Seq], after: dict[RecordId, Seq]) -> None:
    """Taking out what left and putting in what came gives the digest of what is there."""
    removed = [pair for pair in before.items() if pair not in after.items()]
    added = [pair for pair in after.items() if pair not in before.items()]
    assert digest.change(digest.of(before.items()), added=added, removed=removed) == digest.of(after.items())


@given(members, members)
def test_different_members_have_different_digests(one: dict[RecordId, Seq], other: dict[RecordId, Seq]) -> None:
    """A record more, a record less or another version shows."""
    assert (digest.of(one.items()) == digest.of(other.items())) == (one == other)


@given(members)
def test_a_record_held_twice_shows(held: dict[RecordId, Seq]) -> None:
    """The digest is of a multiset: a double counts, and taking it out again leaves no trace."""
    once = digest.of(held.items())
    for pair in held.items():
        twice = digest.change(once, added=[pair])
        assert twice != once
        assert digest.change(twice, removed=[pair]) == once


def test_it_always_has_32_bytes() -> None:
    """Also where the sum begins with zeros, or went below zero on the way."""
    assert len(digest.change(digest.EMPTY, removed=[(INCIDENT, Seq(1))])) == 32
    assert digest.change((1).to_bytes(32, "big")) == (1).to_bytes(32, "big")
