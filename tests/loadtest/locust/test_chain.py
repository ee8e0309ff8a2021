"""What a device hashes and signs is what the page's vectors say."""

import hashlib

import pytest

from loadtest.locust import chain
from loadtest.locust.chain import Digest, Key, Link
from tests.loadtest.locust import paper
from tests.loadtest.locust.hearing import SEED

SEAT = "hh-0042"


def test_the_proof_at_the_door_is_that_of_the_page() -> None:
    """HELLO's proof is a signature over context, nonce and body."""
    told = paper.vector("proof-vector")
    key = Key(bytes.fromhex(told["private key (seed)"]))
    assert key.public.hex() == told["public key"]
    words = chain.hello_words(bytes.fromhex(told["nonce"]), bytes.fromhex(told["body"]))
    assert key.sign(words).hex() == told["signature"]


def test_the_chain_and_its_head_are_those_of_the_page() -> None:
    """Each link follows from the one before, the number and the op's hash."""
    told = paper.vector("chain-vector")
    link = chain.first_link(SEAT)
    assert link.link.hex() == told["link 0"]
    for n in (1, 2):
        link = link.behind(n, bytes.fromhex(told[f"SHA-256 of op {n}"]))
        assert link.link.hex() == told[f"link {n}"]
    words = chain.head_words(SEAT, link)
    assert words.hex() == told["signed"]
    assert Key(SEED).sign(words).hex() == told["signature"]


def test_receipts_are_those_of_the_page() -> None:
    """What is signed for a removed scope and for a wipe."""
    told = paper.vector("receipt-vector")
    at = 1_767_268_800_000
    removed = chain.receipt_words(SEAT, "area:birmingham", 1, 2, at)
    assert removed.hex() == told["signed in `retracted`"]
    assert Key(SEED).sign(removed).hex() == told["its signature"]
    assert chain.wiped_words(SEAT, at).hex() == told["signed in `wiped`"]


def test_the_digest_is_that_of_the_page_and_forgets_what_goes() -> None:
    """A sum of hashes, kept while members come and go."""
    lines = paper.block("digest-vector").splitlines()
    digest = Digest()
    digest.add("019b796c-eba0-7000-8000-0000000000a1", 1)
    assert digest.value().hex() == lines[1].rpartition(" ")[2]
    digest.add("019b796d-4960-7000-8000-0000000000b2", 7)
    assert digest.value().hex() == lines[3].rpartition(" ")[2]
    digest.remove("019b796c-eba0-7000-8000-0000000000a1", 1)
    digest.remove("019b796d-4960-7000-8000-0000000000b2", 7)
    assert digest.value() == bytes(32)


def test_a_key_survives_its_file_and_a_broken_one_is_refused() -> None:
    """The text of a key gives the same key back, and nonsense gives none."""
    key = Key.drawn()
    assert Key.read(key.text()).public == key.public
    with pytest.raises(ValueError, match=r".+"):
        Key.read("no key at all")


def test_a_link_depends_on_the_number() -> None:
    """The same op under another number is another link: none can be moved."""
    sha = hashlib.sha256(b"op").digest()
    assert Link(0, bytes(32)).behind(1, sha).link != Link(0, bytes(32)).behind(2, sha).link
