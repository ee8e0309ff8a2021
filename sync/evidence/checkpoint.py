"""Checkpoints: the log's head as a text that it signs (C2SP tlog-checkpoint).

Origin, size and root on a line each. Whoever holds two checkpoints of one log, both with its signature, that no
consistency proof connects, holds the proof that the log's keeper has rewritten it.
"""

import base64
from collections.abc import Iterable
from typing import Final, Self

import msgspec

from schemas.errors import UsageError
from sync.evidence import note
from sync.evidence.merkle import HASH_BYTES, SIZE_MAX
from sync.evidence.note import KeyType, MalformedError, Note, Signer, UntrustedError, VerifierKey

_LINES: Final = 3
ORIGIN_BYTES_MAX: Final = 255
"""The newer signature types of the specifications allow no longer one."""


class Checkpoint(msgspec.Struct, frozen=True):
    """The head of a log.

    Attributes:
        origin: names the log, for ever; it is also the name of the log's key.
        size: its entries.
        root: of their tree, 32 bytes.
        extensions: further lines. Nobody audits them; ours has none, those of others are kept.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that is signed, newline included."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a note's text.

        Raises:
            MalformedError: it is no checkpoint's.
        """
        lines = text.split("\n")
        if lines.pop() or len(lines) < _LINES or not all(lines):
            raise MalformedError("a checkpoint has at least three lines, none of them empty: origin, size, root")
        origin, size_text, root_text, *extensions = lines
        if len(origin.encode()) > ORIGIN_BYTES_MAX:
            raise MalformedError(f"a checkpoint's origin has at most {ORIGIN_BYTES_MAX} bytes")
        size = note.parse_number(size_text, SIZE_MAX)
        root = note.parse_hash(root_text)
        if size is None:
            raise MalformedError("a checkpoint's second line is the log's size, in decimal without leading zeros")
        if root is None:
            raise MalformedError(f"a checkpoint's third line is the root, {HASH_BYTES} bytes in base64")
        return cls(origin, size, root, tuple(extensions))


def sign(checkpoint: Checkpoint, key: VerifierKey, signer: Signer) -> bytes:
    """The checkpoint as a note signed by the log.

    Args:
        checkpoint: the head. The log must be able to prove it from every head that it ever signed.
        key: the public half of the log's key, whose name is the origin.
        signer: signs with the private half.

    Raises:
        UsageError: key, signer and checkpoint do not belong together, or the checkpoint could not be read back.
    """
    if key.name != checkpoint.origin:
        raise UsageError(f"the key of {key.name!r} cannot sign a checkpoint of {checkpoint.origin!r}")
    try:
        readable = Checkpoint.parse(checkpoint.text) == checkpoint
    except MalformedError as error:
        raise UsageError(f"this checkpoint cannot be signed: {error}") from None
    if not readable:
        raise UsageError("this checkpoint cannot be signed: a line of it holds a newline")
    return Note(checkpoint.text, (note.sign(checkpoint.text, key, signer),)).encode()


def open_signed(raw: bytes, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Read a checkpoint that one of these keys has signed for its own log.

    Args:
        raw: the note; signatures of others are ignored.
        keys: those of logs that are trusted; a key counts for the origin of its own name only.

    Raises:
        MalformedError: it is no checkpoint.
        UntrustedError: none of the keys has signed it, or a signature in a key's name is wrong.
    """
    return verified(Note.parse(raw), keys)


def verified(signed: Note, keys: Iterable[VerifierKey]) -> Checkpoint:
    """`open_signed` of a note that has been read already."""
    checkpoint = Checkpoint.parse(signed.text)
    logs = [key for key in keys if key.name == checkpoint.origin and key.type is KeyType.ED25519]
    if not logs:
        raise UntrustedError(f"no key of a log {checkpoint.origin!r} is trusted here")
    if not signed.verified(logs):
        raise UntrustedError(f"the checkpoint of {checkpoint.origin!r} bears no signature of that log's key")
    return checkpoint
