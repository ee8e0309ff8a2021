"""Cosignatures: a witness says when it saw that a log's head follows from every head it saw before.

The Ed25519 form of C2SP tlog-cosignature (`cosignature/v1`). A log that shows one history to the court and another to
the force would need the witnesses to sign both; an honest one signs only what is consistent.
"""

from collections.abc import Iterable

from schemas.errors import UsageError
from sync.evidence import note
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.note import TIMESTAMP_S_MAX, KeyType, MalformedError, Note, Signature, Signer, VerifierKey


def cosign(text: str, key: VerifierKey, signer: Signer, timestamp_s: int) -> Signature:
    """A witness's signature over a checkpoint that it has found consistent, and has written down before.

    Args:
        text: of the checkpoint's note, its newline included.
        key: the public half of the witness's key, of the type COSIGNATURE_V1.
        signer: signs with the private half.
        timestamp_s: now, in seconds since 1970-01-01T00:00Z (POSIX).

    Raises:
        UsageError: the key is no witness's, the signer does not hold its other half, or no such time can be written.
        MalformedError: the text is no checkpoint's.
    """
    Checkpoint.parse(text)
    if key.type is not KeyType.COSIGNATURE_V1:
        raise UsageError(f"{key.name!r} is the key of a log, not of a witness: it cannot cosign")
    if not 0 <= timestamp_s <= TIMESTAMP_S_MAX:
        raise UsageError(f"{timestamp_s} is no time that a cosignature can bear: check the clock")
    value = timestamp_s.to_bytes(8, "big") + signer(note.cosigned_message(text, timestamp_s))
    return note.made(text, key, value)


def parse_cosignatures(raw: bytes, text: str, witness: VerifierKey) -> list[Signature]:
    """The signatures of one witness in its answer, verified; those of others are left out (C2SP tlog-witness).

    Args:
        raw: signature lines, each with its newline.
        text: of the checkpoint's note that they are for.
        witness: whose to look for.

    Raises:
        MalformedError: these are no signature lines.
        UntrustedError: one in the name of the witness is wrong.
    """
    if not raw.endswith(b"\n"):
        raise MalformedError("a witness's answer is signature lines, each with its newline")
    answered = Note.parse(text.encode() + b"\n" + raw)
    if answered.text != text:
        raise MalformedError("a witness's answer is signature lines and nothing else")
    return [signature for _, signature in answered.verified([witness])]


def cosigned_s(signed: Note, witnesses: Iterable[VerifierKey]) -> dict[str, int]:
    """Who of these witnesses has cosigned, and when last: key's name -> seconds since 1970-01-01T00:00Z (POSIX).

    Raises:
        UntrustedError: a signature in a witness's name is wrong.
    """
    found: dict[str, int] = {}
    for key, signature in signed.verified(witnesses):
        seconds = note.timestamp_s(signature.value)
        if key.type is KeyType.COSIGNATURE_V1 and seconds is not None:
            found[key.name] = max(seconds, found.get(key.name, 0))
    return found
