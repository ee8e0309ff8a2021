"""What a log sends to a witness, made by hand for the tests here."""

from server.witness.request import AddCheckpoint
from sync.evidence import merkle
from tests.sync.evidence.parties import log_of, signed_head
from tests.sync.evidence.trees import MemoryHashes, leaves_of

LOG_SIZE = 40
FORKED_AT = 5
HONEST = log_of(LOG_SIZE)
FORK = MemoryHashes([*leaves_of(FORKED_AT), *leaves_of(LOG_SIZE - FORKED_AT, "fork")])
"""The same log up to FORKED_AT entries, and another one from there on."""


def request(old: int, new: int, log: MemoryHashes = HONEST) -> bytes:
    """The body that asks for a cosignature of the head at `new` entries, with the proof from `old`."""
    proof = tuple(merkle.consistency_proof(log, old, new))
    return AddCheckpoint(old, proof, signed_head(log, new)).encode()
