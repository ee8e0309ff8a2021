"""The proof file: that one entry is in the log, for whoever has neither the server nor its database (C2SP tlog-proof).

It holds the checkpoint with its signatures, the entry's index and its inclusion proof. With the entry itself, the
policy that the verifier keeps, and any program that knows these public formats, that is all a court's expert needs.
"""

import base64
from typing import Final, Self

import msgspec

from schemas.errors import UsageError
from sync.evidence import note
from sync.evidence.merkle import PROOF_HASHES_MAX, SIZE_MAX, leaf_hash, verify_inclusion
from sync.evidence.note import NOTE_BYTES_MAX, EvidenceError, MalformedError
from sync.evidence.policy import Policy, Witnessed

HEADER: Final = "c2sp.org/tlog-proof@v1"
SUFFIX: Final = ".tlog-proof"
"""What such a file's name ends in."""
EXTRA_BYTES_MAX: Final = 256 * 1024
"""What a proof may carry along, unproven."""
PROOF_BYTES_MAX: Final = 2 * EXTRA_BYTES_MAX + NOTE_BYTES_MAX


class NotInLogError(EvidenceError):
    """The proof is well formed and its checkpoint is trusted, but it does not prove that this entry is in the log."""


class Proof(msgspec.Struct, frozen=True):
    """One entry's proof.

    Attributes:
        index: the entry's place in the log, from 0.
        hashes: its inclusion proof, from the leaf's sibling up; 32 bytes each.
        checkpoint: the signed head, byte for byte as the log gave it.
        extra: whatever the application wants along, or None. Nothing proves it: it must not be believed.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file.

        Raises:
            UsageError: it could not be read back.
        """
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {_base64(self.extra)}")
        lines += [f"index {self.index}", *map(_base64, self.hashes), ""]
        raw = "".join(f"{line}\n" for line in lines).encode() + self.checkpoint
        try:
            readable = type(self).parse(raw) == self
        except MalformedError as error:
            raise UsageError(f"this proof cannot be written: {error}") from None
        if not readable:
            raise UsageError("this proof cannot be written: it would be read as another one")
        return raw

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a file. It says nothing yet of whether the proof holds.

        Raises:
            MalformedError: it is no proof.
        """
        if len(raw) > PROOF_BYTES_MAX:
            raise MalformedError(f"a proof of {len(raw)} bytes: {PROOF_BYTES_MAX} are the most")
        head, separator, checkpoint = raw.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise MalformedError("what stands above a proof's checkpoint is ASCII, this is not") from None
        if lines.pop(0) != HEADER or not separator:
            raise MalformedError(
                f"a proof begins with the line {HEADER!r}, and has an empty line before its checkpoint"
            )
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = _bytes(lines.pop(0).removeprefix("extra "))
        index = note.parse_number(lines.pop(0).removeprefix("index "), SIZE_MAX) if _has_index(lines) else None
        if index is None:
            raise MalformedError("a proof has a line `index` with the entry's place, in decimal without leading zeros")
        if len(lines) > PROOF_HASHES_MAX:
            raise MalformedError(f"a proof of {len(lines)} hashes: {PROOF_HASHES_MAX} are the most")
        hashes = []
        for line in lines:
            each = note.parse_hash(line)
            if each is None:
                raise MalformedError("a line between a proof's index and its checkpoint is no hash in base64")
            hashes.append(each)
        note.Note.parse(checkpoint)
        return cls(index, tuple(hashes), checkpoint, extra)

    def verify(self, entry: bytes, policy: Policy) -> Witnessed:
        """The checkpoint that proves this entry to be in the log, at this proof's index.

        Args:
            entry: the leaf's bytes, as `sync.evidence.leaf` encodes it.
            policy: the verifier's own.

        Raises:
            MalformedError: the checkpoint is none.
            UntrustedError: the checkpoint is not signed as the policy asks.
            NotInLogError: the checkpoint is good, but the entry is not what the log holds there.
        """
        head = policy.open(self.checkpoint)
        checkpoint = head.checkpoint
        if not verify_inclusion(self.index, checkpoint.size, leaf_hash(entry), checkpoint.root, self.hashes):
            raise NotInLogError(
                f"this is not entry {self.index} of the log {checkpoint.origin!r} as it stood at {checkpoint.size} "
                "entries: entry or proof was altered"
            )
        return head


def _has_index(lines: list[str]) -> bool:
    return bool(lines) and lines[0].startswith("index ")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    raw = note.parse_base64(text)
    if raw is None or len(raw) > EXTRA_BYTES_MAX:
        raise MalformedError(f"a proof's `extra` is at most {EXTRA_BYTES_MAX} bytes in base64")
    return raw
