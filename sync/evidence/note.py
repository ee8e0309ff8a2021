"""Signed notes: a text, and below it signatures of named keys (C2SP signed-note).

Checkpoints, cosignatures and proofs all travel as notes, because a note is plain text that a person can read aloud in
court and that programs of others already verify. Two of the assigned signature types are known here: Ed25519 over the
text (0x01), which the log uses, and the timestamped Ed25519 of a witness (0x04, C2SP tlog-cosignature). Signatures of
other keys and types are kept and ignored, as the specification demands.
"""

import base64
import binascii
import enum
import hashlib
from collections.abc import Callable, Iterable
from typing import Final, Self

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.errors import UsageError

Signer = Callable[[bytes], bytes]
"""Gives the 64-byte Ed25519 signature (RFC 8032) over a message; the private key stays with whoever passes it in."""

NOTE_BYTES_MAX: Final = 128 * 1024
"""A whole note. The specification asks for at least 16 signatures of up to 5 kB, in base64 108 KiB."""
SIGNATURES_MAX: Final = 64
"""Signatures in a note, four times what must be accepted: each of a known key costs a verification (0.1 ms)."""
NAME_CHARS_MAX: Final = 255
"""A key's name: the newer signature types of the specifications allow no longer one."""
TIMESTAMP_S_MAX: Final = (1 << 63) - 1
KEY_ID_BYTES: Final = 4
PUBLIC_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_TIMESTAMP_BYTES: Final = 8
_EM_DASH: Final = "\N{EM DASH}"


class EvidenceError(UsageError):
    """A text is not the evidence that it was given as."""


class MalformedError(EvidenceError):
    """It has not the form that its specification gives it."""


class UntrustedError(EvidenceError):
    """Its form is good, but whoever was to be believed has not signed it."""


class KeyType(enum.IntEnum):
    """The signature types that are known here, by their assigned identifier byte."""

    ED25519 = 0x01
    COSIGNATURE_V1 = 0x04


class VerifierKey(msgspec.Struct, frozen=True):
    """Whom to believe: a name, what sort of signature it makes, and the public key that proves it.

    Attributes:
        name: without spaces and plus signs; by custom an address without scheme, as in `log.force.example/custody`.
        type: what its signatures are over.
        public_key: Ed25519, 32 bytes (RFC 8032).
    """

    name: str
    type: KeyType
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse what no note could name.

        Raises:
            UsageError: name or key have not their form.
        """
        wrong = name_problem(self.name)
        if wrong is not None:
            raise UsageError(wrong)
        if len(self.public_key) != PUBLIC_KEY_BYTES:
            raise UsageError(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, this one {len(self.public_key)}")

    @property
    def id(self) -> bytes:
        """The key id, 4 bytes: what tells a signature line's key from others of its name."""
        material = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return hashlib.sha256(material).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """The vkey: name, key id in hexadecimal, type and key in base64, with plus signs between."""
        material = base64.b64encode(bytes([self.type]) + self.public_key).decode()
        return f"{self.name}+{self.id.hex()}+{material}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a vkey.

        Raises:
            UsageError: it is none, of a type that is not known here, or its key id is not that of its name and key.
        """
        parts = text.split("+", 2)
        material = parse_base64(parts[-1])
        if len(parts) != 3 or not material:  # noqa: PLR2004  name, id and key
            raise UsageError(f"{text!r} is no verifier key: NAME+ID+KEY, as the log or the witness prints it")
        try:
            key = cls(parts[0], KeyType(material[0]), material[1:])
        except ValueError:
            known = ", ".join(f"{each.value:#04x}" for each in KeyType)
            raise UsageError(f"{parts[0]!r} has a key of type {material[0]:#04x}; known are {known}") from None
        if parts[1] != key.id.hex():
            raise UsageError(f"the key of {parts[0]!r} does not match its id {parts[1]!r}: copy it again, whole")
        return key


class Signature(msgspec.Struct, frozen=True):
    """One signature line.

    Attributes:
        name: of the key.
        key_id: 4 bytes.
        value: what its type makes of it: 64 bytes of Ed25519, or those behind 8 bytes of a timestamp.
    """

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        """The line, its newline included."""
        return f"{_EM_DASH} {self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line without its newline.

        Raises:
            MalformedError: it is no signature line.
        """
        dash, _, rest = line.partition(" ")
        name, _, text = rest.partition(" ")
        raw = parse_base64(text)
        if dash != _EM_DASH or name_problem(name) is not None or raw is None or len(raw) <= KEY_ID_BYTES:
            raise MalformedError(f"{_shown(line)} is no signature line: a dash, a key's name, base64")
        return cls(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


class Note(msgspec.Struct, frozen=True):
    """A text and its signatures. Nothing of the text may be believed before `verified` has named who signed it.

    Attributes:
        text: ends in a newline; no other control characters.
        signatures: in the order of their lines.
    """

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """The note as it travels, UTF-8.

        Raises:
            UsageError: its text could not be read back: no newline at its end, or a control character in it.
        """
        if not self.text.endswith("\n") or _has_controls(self.text):
            raise UsageError("a note's text ends in a newline and has no other control characters")
        return f"{self.text}\n{''.join(map(str, self.signatures))}".encode()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a note. The last empty line separates the text from the signatures.

        Raises:
            MalformedError: it is none.
        """
        if len(raw) > NOTE_BYTES_MAX:
            raise MalformedError(f"a note of {len(raw)} bytes: {NOTE_BYTES_MAX} are the most")
        try:
            whole = raw.decode()
        except UnicodeDecodeError:
            raise MalformedError("a note is UTF-8 text, this one is not") from None
        if _has_controls(whole):
            raise MalformedError("a note has no control characters but newlines, this one has")
        text, separator, block = whole.rpartition("\n\n")
        if not separator or not block.endswith("\n"):
            raise MalformedError("a note is a text, an empty line and signature lines, each with its newline")
        lines = block[:-1].split("\n")
        if len(lines) > SIGNATURES_MAX:
            raise MalformedError(f"a note with {len(lines)} signatures: {SIGNATURES_MAX} are the most")
        return cls(text + "\n", tuple(map(Signature.parse, lines)))

    def signed(self, signatures: Iterable[Signature]) -> Self:
        """The note with more signatures; those it has already are not repeated."""
        more = dict.fromkeys((*self.signatures, *signatures))
        return type(self)(self.text, tuple(more))

    def verified(self, keys: Iterable[VerifierKey]) -> list[tuple[VerifierKey, Signature]]:
        """The signatures of these keys, each verified, in the order of their lines; those of others are ignored.

        Raises:
            UntrustedError: one that claims to be of these keys is not.
            UsageError: two of the keys cannot be told apart.
        """
        known: dict[tuple[str, bytes], VerifierKey] = {}
        for key in keys:
            if known.setdefault((key.name, key.id), key) != key:
                raise UsageError(f"two keys of the name {key.name!r} have the same id {key.id.hex()}: give one of them")
        found = []
        for signature in self.signatures:
            signer = known.get((signature.name, signature.key_id))
            if signer is None:
                continue
            if not verify(signer, self.text, signature.value):
                raise UntrustedError(
                    f"the signature of {signer.name!r} is not over this text: it was altered or forged"
                )
            found.append((signer, signature))
        return found


def sign(text: str, key: VerifierKey, signer: Signer) -> Signature:
    """The log's signature over a text (type 0x01).

    Args:
        text: of the note, its newline included.
        key: the public half.
        signer: signs with the private half.

    Raises:
        UsageError: the key's signatures are of another type, or the signer's key is not the other half of it.
    """
    if key.type is not KeyType.ED25519:
        raise UsageError(f"{key.name!r} is the key of a witness: it signs with a time, as a cosignature")
    return made(text, key, signer(text.encode()))


def made(text: str, key: VerifierKey, value: bytes) -> Signature:
    """A signature just made, tried before it is given away: one that nobody can verify must not go out.

    Raises:
        UsageError: it does not verify, so that the private key is not the other half of `key`.
    """
    if not verify(key, text, value):
        raise UsageError(f"what signs for {key.name!r} does not hold its private key: check which key file is used")
    return Signature(key.name, key.id, value)


def cosigned_message(text: str, timestamp_s: int) -> bytes:
    """What a witness signs: two lines of its own above the whole text (C2SP tlog-cosignature, Ed25519).

    Args:
        text: of the checkpoint's note, its newline included.
        timestamp_s: seconds since 1970-01-01T00:00Z, POSIX.
    """
    return f"cosignature/v1\ntime {timestamp_s}\n{text}".encode()


def timestamp_s(value: bytes) -> int | None:
    """The time in a cosignature's value, in seconds as POSIX counts them; None when it is no cosignature's."""
    if len(value) != _TIMESTAMP_BYTES + _SIGNATURE_BYTES:
        return None
    seconds = int.from_bytes(value[:_TIMESTAMP_BYTES], "big")
    return seconds if seconds <= TIMESTAMP_S_MAX else None


def verify(key: VerifierKey, text: str, value: bytes) -> bool:
    """Whether `value` is this key's signature over this text, in the way of the key's type. Never raises."""
    message, signature = text.encode(), value
    if key.type is KeyType.COSIGNATURE_V1:
        seconds = timestamp_s(value)
        if seconds is None:
            return False
        message, signature = cosigned_message(text, seconds), value[_TIMESTAMP_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def name_problem(name: str) -> str | None:
    """Why a key cannot have this name; None when it can."""
    if not 1 <= len(name) <= NAME_CHARS_MAX:
        return f"a key's name has 1 to {NAME_CHARS_MAX} characters, this one {len(name)}"
    if "+" in name or _has_controls(name) or "\n" in name or any(each.isspace() for each in name):
        return f"{name!r} cannot name a key: no spaces, plus signs and control characters"
    return None


def parse_hash(text: str) -> bytes | None:
    """32 bytes from their one form in base64; None when it is not that."""
    raw = parse_base64(text)
    return raw if raw is not None and len(raw) == hashlib.sha256().digest_size else None


def parse_number(text: str, most: int) -> int | None:
    """A number from its one form in ASCII decimal, without leading zeros; None when it is not that or above `most`."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)) or (text != "0" and text[0] == "0"):
        return None
    number = int(text)
    return number if number <= most else None


def parse_base64(text: str) -> bytes | None:
    """Standard base64 (RFC 4648 section 4) in its one form: padded, nothing else in it, no stray bits at its end."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def _has_controls(text: str) -> bool:
    return any(each < " " and each != "\n" for each in text)


def _shown(line: str) -> str:
    """A stranger's line, short enough for a message."""
    return repr(line if len(line) <= 60 else line[:60] + "…")  # noqa: PLR2004  a screen's width, with the rest of it
