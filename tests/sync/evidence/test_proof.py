"""Proof files: offline, by the verifier's own policy, and for exactly the entry they are for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from sync.evidence import merkle
from sync.evidence.note import EvidenceError, MalformedError, UntrustedError
from sync.evidence.policy import Policy
from sync.evidence.proof import HEADER, NotInLogError, Proof
from tests.sync.evidence.parties import LOG, NOW_S, WITNESSES, cosigned, signed_head
from tests.sync.evidence.trees import MemoryHashes

POLICY = Policy.of([LOG.key], [each.key for each in WITNESSES], 2)
ENTRIES = [f"entry {number}".encode() for number in range(300)]
TREE = MemoryHashes([merkle.leaf_hash(entry) for entry in ENTRIES])
HEAD = cosigned(signed_head(TREE), WITNESSES[:2])


def proof_of(index: int, extra: bytes | None = None) -> Proof:
    """The proof of one of the entries."""
    return Proof(index, tuple(merkle.inclusion_proof(TREE, index, len(ENTRIES))), HEAD, extra)


def test_a_proof_is_verified_from_its_bytes_alone() -> None:
    """The file, the entry and the policy are enough; the answer tells who has cosigned and when."""
    for index in (0, 255, 256, 299):
        found = Proof.parse(proof_of(index).encode()).verify(ENTRIES[index], POLICY)
        assert found.checkpoint.size == len(ENTRIES)
        assert found.cosigned_s == {each.key.name: NOW_S for each in WITNESSES[:2]}


def test_the_file_is_that_of_the_specification() -> None:
    """Header, optional extra, index, hashes, an empty line, the checkpoint byte for byte (C2SP tlog-proof)."""
    lines = proof_of(7, b"PACE").encode().split(b"\n")
    assert lines[:3] == [HEADER.encode(), b"extra UEFDRQ==", b"index 7"]
    assert lines[3 + len(proof_of(7).hashes)] == b""
    assert proof_of(7).encode().endswith(b"=\n\n" + HEAD)
    assert b"extra" not in proof_of(7).encode()


def test_a_log_of_one_entry_has_a_proof_without_hashes() -> None:
    """The index line is followed by the empty line at once."""
    tree = MemoryHashes([merkle.leaf_hash(b"first")])
    raw = Proof(0, (), signed_head(tree)).encode()
    assert raw.startswith(f"{HEADER}\nindex 0\n\n".encode())
    assert Proof.parse(raw).verify(b"first", Policy.of([LOG.key])).checkpoint.size == 1


@given(st.integers(min_value=0, max_value=299), st.none() | st.binary(max_size=50))
def test_what_is_written_is_read(index: int, extra: bytes | None) -> None:
    """Any index, with extra data, with empty extra data and without."""
    assert Proof.parse(proof_of(index, extra).encode()) == proof_of(index, extra)


def test_another_entry_or_another_place_is_refused() -> None:
    """A proof is for one entry at one index."""
    with pytest.raises(NotInLogError, match=r"not entry 7 of the log 'log\.force\.example/custody'"):
        proof_of(7).verify(b"entry 8", POLICY)
    with pytest.raises(NotInLogError):
        Proof(8, proof_of(7).hashes, HEAD).verify(ENTRIES[7], POLICY)
    with pytest.raises(NotInLogError):
        Proof(7, proof_of(7).hashes[:-1], HEAD).verify(ENTRIES[7], POLICY)


def test_the_verifiers_policy_decides() -> None:
    """The same proof, with fewer witnesses than are asked for, or of a log that is not trusted."""
    with pytest.raises(UntrustedError, match="quorum"):
        Proof(7, proof_of(7).hashes, signed_head(TREE)).verify(ENTRIES[7], POLICY)
    with pytest.raises(UntrustedError):
        proof_of(7).verify(ENTRIES[7], Policy.of([]))


RAW = proof_of(200).encode()


@given(st.integers(min_value=0, max_value=8 * len(RAW) - 1))
def test_no_bit_of_a_proof_can_be_changed(bit: int) -> None:
    """Whatever flips, the entry is not proven; our own error says so. An unknown signer's line alone may change."""
    raw = bytearray(RAW)
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EvidenceError):
        Proof.parse(bytes(raw)).verify(ENTRIES[200], POLICY)


HASH = "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ="
NOTE = HEAD.decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        f"{HEADER}\n",
        f"{HEADER}\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v2\nindex 1\n\n{NOTE}",
        f"{HEADER}\n{HASH}\nindex 1\n\n{NOTE}",
        f"{HEADER}\nindex 01\n\n{NOTE}",
        f"{HEADER}\nindex -1\n\n{NOTE}",
        f"{HEADER}\nindex 1\n{HASH[:-1]}\n\n{NOTE}",
        f"{HEADER}\nindex 1\nAAAA\n\n{NOTE}",
        f"{HEADER}\nindex 1\n{HASH}\n{NOTE}",
        f"{HEADER}\nindex 1\n" + f"{HASH}\n" * 64 + f"\n{NOTE}",
        f"{HEADER}\nextra ?\nindex 1\n\n{NOTE}",
        f"{HEADER}\nextra AAAA\nextra AAAA\nindex 1\n\n{NOTE}",
        f"{HEADER}\nindex 1\nextra AAAA\n\n{NOTE}",
        f"{HEADER}\r\nindex 1\n\n{NOTE}",
        f"{HEADER}\nindex \N{SUPERSCRIPT ONE}\n\n{NOTE}",
        f"{HEADER}\nindex 1\n\nno note",
        "x" * 1_000_000,
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    """With our own error, whatever it is."""
    with pytest.raises(MalformedError):
        Proof.parse(text.encode())


def test_what_could_not_be_read_back_is_not_written() -> None:
    """A proof file that nobody can read must not reach a court bundle."""
    for wrong in (
        Proof(-1, (), HEAD),
        Proof(0, (b"short",), HEAD),
        Proof(0, (), b"no note"),
        Proof(0, (), HEAD, bytes(300_000)),
    ):
        with pytest.raises(UsageError, match="cannot be written"):
            wrong.encode()
