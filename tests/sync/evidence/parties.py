# ruff: noqa: E501  a signature line is as long as it is
"""The log and the witnesses of the tests here, with keys that are the same in every run."""

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.evidence import checkpoint, cosign, merkle
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.note import KeyType, Note, VerifierKey
from tests.sync.evidence.trees import MemoryHashes, leaves_of

ORIGIN = "log.force.example/custody"
NOW_S = 1_700_000_000
DASH = "\N{EM DASH}"
# A checkpoint of a public certificate transparency log as it was served, with the signatures of its log (one of a type
# that is unknown here) and of four public witnesses.
PUBLIC = f"""arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

{DASH} arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
{DASH} arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
{DASH} transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
{DASH} witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
{DASH} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
{DASH} witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
"""


class Party:
    """Whoever signs: a name, and a key made from it."""

    def __init__(self, name: str, type_: KeyType = KeyType.ED25519, seed: str | None = None) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256((seed or name).encode()).digest())
        self.key = VerifierKey(name, type_, self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature."""
        return self.private.sign(message)


LOG = Party(ORIGIN)
WITNESSES = [Party(f"w{number}.witness.example", KeyType.COSIGNATURE_V1) for number in range(1, 4)]


def log_of(size: int, seed: str = "leaf") -> MemoryHashes:
    """A log of that many entries; another seed makes other ones."""
    return MemoryHashes(leaves_of(size, seed))


def head(log: MemoryHashes, size: int | None = None, origin: str = ORIGIN) -> Checkpoint:
    """The log's head, now or at an earlier size."""
    at = log.frontier.size if size is None else size
    return Checkpoint(origin, at, merkle.root_at(log, at))


def signed_head(log: MemoryHashes, size: int | None = None, witnesses: Sequence[Party] = ()) -> bytes:
    """The log's head as a note, cosigned by these."""
    return cosigned(checkpoint.sign(head(log, size), LOG.key, LOG.sign), witnesses)


def cosigned(raw: bytes, witnesses: Sequence[Party], at_s: int = NOW_S) -> bytes:
    """A checkpoint with cosignatures of these."""
    signed = Note.parse(raw)
    made = [cosign.cosign(signed.text, each.key, each.sign, at_s) for each in witnesses]
    return signed.signed(made).encode()
