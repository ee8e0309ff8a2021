"""The one request that a witness takes: a checkpoint, and the proof that it follows from an older one.

It is the `add-checkpoint` of C2SP tlog-witness, which logs and witnesses of others speak too.
"""

import base64
from typing import Final, Self

import msgspec

from sync.evidence import note
from sync.evidence.merkle import PROOF_HASHES_MAX, SIZE_MAX
from sync.evidence.note import NOTE_BYTES_MAX, MalformedError

PATH: Final = "/add-checkpoint"
REQUEST_BYTES_MAX: Final = NOTE_BYTES_MAX + 4_096
"""A checkpoint and the longest proof: 63 hashes of 45 bytes each."""
SIZE_TYPE: Final = "text/x.tlog.size"
"""Content type of an answer that tells the size which the witness knows."""


class AddCheckpoint(msgspec.Struct, frozen=True):
    """A log asks for a cosignature.

    Attributes:
        old: entries of the log at the checkpoint that the witness cosigned last, as far as the log knows; 0 for none.
        proof: that the new checkpoint follows from that one (RFC 6962 section 2.1.2), 32 bytes each.
        checkpoint: the signed note, byte for byte.
    """

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """The request's body."""
        hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in self.proof)
        return f"old {self.old}\n{hashes}\n".encode() + self.checkpoint

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a request's body; the checkpoint in it is not read yet.

        Raises:
            MalformedError: it is none.
        """
        head, separator, checkpoint = body.partition(b"\n\n")
        try:
            first, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise MalformedError("what stands above the checkpoint is ASCII") from None
        old = note.parse_number(first.removeprefix("old "), SIZE_MAX) if first.startswith("old ") else None
        if old is None or not separator:
            raise MalformedError(
                "the first line is `old` and a size in decimal; an empty line stands above the checkpoint"
            )
        if len(lines) > PROOF_HASHES_MAX:
            raise MalformedError(f"a consistency proof has at most {PROOF_HASHES_MAX} hashes")
        proof = []
        for line in lines:
            each = note.parse_hash(line)
            if each is None:
                raise MalformedError("a line of the consistency proof is no hash in base64")
            proof.append(each)
        return cls(old, tuple(proof), checkpoint)
