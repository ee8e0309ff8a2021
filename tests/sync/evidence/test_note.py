"""Signed notes: the known ones verify, ours are what others make, and nothing that was altered passes."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from sync.evidence import note
from sync.evidence.note import KeyType, MalformedError, Note, Signature, UntrustedError, VerifierKey
from tests.sync.evidence.parties import LOG, WITNESSES, Party

DASH = "\N{EM DASH}"
# Of the specification itself (C2SP signed-note).
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    f"This is an example message.\n\n{DASH} example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# Of the format's first implementation, golang.org/x/mod/sumdb/note: the key pair and what it makes of the text.
PETER_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    f"{DASH} PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_LINE = (
    f"{DASH} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)

TEXT = "Custody record 17\nopened\n"
SIGNED = Note(TEXT, (note.sign(TEXT, LOG.key, LOG.sign),))


def test_the_note_of_the_specification_verifies() -> None:
    """Its key reads, says its own id, and has signed its text."""
    key = VerifierKey.parse(SPEC_KEY)
    assert str(key) == SPEC_KEY
    read = Note.parse(SPEC_NOTE.encode())
    assert read.text == "This is an example message.\n"
    assert [signer for signer, _ in read.verified([key])] == [key]
    assert read.encode() == SPEC_NOTE.encode()


def test_our_signature_is_that_of_the_first_implementation() -> None:
    """Ed25519 is deterministic (RFC 8032): the same key makes of the same text the same line, byte for byte."""
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(PETER_SEED)[1:])
    key = VerifierKey("PeterNeumann", KeyType.ED25519, private.public_key().public_bytes_raw())
    assert str(key) == PETER_KEY
    assert str(note.sign(PETER_TEXT, key, private.sign)) == PETER_LINE


def test_signatures_of_strangers_are_ignored_and_kept() -> None:
    """Two have signed; whoever knows one key sees one, and the note goes on whole."""
    raw = f"{PETER_TEXT}\n{PETER_LINE}{ENOCH_LINE}".encode()
    peter, enoch = VerifierKey.parse(PETER_KEY), VerifierKey.parse(ENOCH_KEY)
    read = Note.parse(raw)
    assert [key for key, _ in read.verified([peter])] == [peter]
    assert [key for key, _ in read.verified([enoch, peter])] == [peter, enoch]
    assert read.verified([]) == []
    assert read.encode() == raw


def test_the_same_name_with_another_key_is_a_stranger() -> None:
    """Name and key id together name a key; one of them alone does not."""
    namesake = Party(LOG.key.name, seed="another")
    assert SIGNED.verified([namesake.key]) == []
    assert SIGNED.verified([VerifierKey(LOG.key.name, KeyType.COSIGNATURE_V1, LOG.key.public_key)]) == []


def test_a_wrong_signature_in_a_known_name_refuses_the_note() -> None:
    """Even beside a good one: somebody has tampered with it."""
    good = SIGNED.signatures[0]
    bad = Signature(good.name, good.key_id, bytes(64))
    with pytest.raises(UntrustedError, match="altered or forged"):
        SIGNED.signed([bad]).verified([LOG.key])


@given(st.integers(min_value=0, max_value=8 * len(SIGNED.encode()) - 1))
def test_no_bit_of_a_note_can_be_changed(bit: int) -> None:
    """Whatever bit of text or signature flips, nobody is believed to have signed."""
    raw = bytearray(SIGNED.encode())
    raw[bit // 8] ^= 1 << bit % 8
    try:
        found = Note.parse(bytes(raw)).verified([LOG.key])
    except (MalformedError, UntrustedError):
        return
    assert found == []


def test_the_last_empty_line_ends_the_text() -> None:
    """A text may hold empty lines, and lines that look like signatures."""
    text = f"one\n\n{PETER_LINE}\n\n"
    read = Note.parse(Note(text, (note.sign(text, LOG.key, LOG.sign),)).encode())
    assert read.text == text
    assert len(read.verified([LOG.key])) == 1


def test_a_signature_is_not_repeated() -> None:
    """Adding what is there already changes nothing."""
    assert SIGNED.signed(SIGNED.signatures) == SIGNED


LINE = str(SIGNED.signatures[0])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"{TEXT}{LINE}".encode(),
        f"{TEXT}\n{LINE}".encode()[:-1],
        f"{TEXT}\n{LINE}trailing\n".encode(),
        f"{TEXT}\n{LINE}\n".encode(),
        f"{TEXT}\r\n{LINE}".encode(),
        f"{TEXT}\x00\n\n{LINE}".encode(),
        f"{TEXT}\n{LINE}".encode("utf-16"),
        f"{TEXT}\n".encode() + b"\xff" + LINE.encode(),
        f"{TEXT}\n- name AAAAAAAA\n".encode(),
        f"{TEXT}\n{DASH} name\n".encode(),
        f"{TEXT}\n{DASH} name AAAAAAA\n".encode(),
        f"{TEXT}\n{DASH} name AAAAAA==\n".encode(),
        f"{TEXT}\n{DASH} name AAAAAA B\n".encode(),
        f"{TEXT}\n{DASH} na+me AAAAAAAA\n".encode(),
        f"{TEXT}\n{DASH}  AAAAAAAA\n".encode(),
        f"{TEXT}\n{DASH} na\N{NO-BREAK SPACE}me AAAAAAAA\n".encode(),
        f"{TEXT}\n{LINE * (note.SIGNATURES_MAX + 1)}".encode(),
        f"{'x' * note.NOTE_BYTES_MAX}\n\n{LINE}".encode(),
    ],
)
def test_what_is_no_note_is_refused(raw: bytes) -> None:
    """With our own error, whatever it is."""
    with pytest.raises(MalformedError):
        Note.parse(raw)


def test_sixteen_signatures_of_the_largest_sort_are_read() -> None:
    """What the specification says must be accepted is: 16 signatures of 5 kB."""
    many = tuple(Signature(f"w{number}", bytes(4), bytes(5_000)) for number in range(16))
    assert Note.parse(Note(TEXT, many).encode()).signatures == many


def test_base64_has_one_form() -> None:
    """Stray bits behind the end would make two texts of one signature."""
    assert note.parse_base64("AAA=") == bytes(2)
    for other in ("AAB=", "AAA", "AAA =", "AAA=\n", "AA-_", "\N{FULLWIDTH LATIN CAPITAL LETTER A}AA="):
        assert note.parse_base64(other) is None


def test_a_number_has_one_form() -> None:
    """No sign, no leading zeros, no digits of other scripts, and not above the bound."""
    assert [note.parse_number(text, 20) for text in ("0", "9", "20")] == [0, 9, 20]
    for other in ("", "00", "07", "+7", "-7", "7 ", "7.0", "21", "\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT TWO}"):
        assert note.parse_number(other, 20) is None
    assert note.parse_number("9" * 10_000, 20) is None


@pytest.mark.parametrize("at", range(0, len(PETER_KEY), 3))
def test_a_mangled_verifier_key_is_refused(at: int) -> None:
    """A key that was copied wrongly must not silently become a key that nobody has."""
    mangled = PETER_KEY[:at] + chr(ord(PETER_KEY[at]) + 1) + PETER_KEY[at + 1 :]
    for text in (mangled, PETER_KEY[:at], PETER_KEY[at + 1 :], f"{PETER_KEY}{PETER_KEY[at]}"):
        with pytest.raises(UsageError):
            VerifierKey.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", "no verifier key"),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "type 0x65; known are 0x01, 0x04"),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=", "has 32 bytes, this one 31"),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "does not match its id"),
        ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "no spaces"),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "1 to 255 characters"),
    ],
)
def test_a_wrong_verifier_key_is_told_why(text: str, said: str) -> None:
    """The administrator who copies it reads what to mend."""
    with pytest.raises(UsageError, match=said):
        VerifierKey.parse(text)


def test_nothing_is_signed_that_nobody_can_verify() -> None:
    """A wrong key file is found when it is first used, not years later in court."""
    with pytest.raises(UsageError, match="does not hold its private key"):
        note.sign(TEXT, LOG.key, WITNESSES[0].sign)
    with pytest.raises(UsageError, match="signs with a time"):
        note.sign(TEXT, WITNESSES[0].key, WITNESSES[0].sign)
    for text in ("no newline", "a tab\t\n", "\r\n"):
        with pytest.raises(UsageError, match="ends in a newline"):
            Note(text, ()).encode()


def test_keys_that_cannot_be_told_apart_are_refused() -> None:
    """Key ids have 32 bits; whoever configures two that collide is told."""
    twin = _Twin(LOG.key.name, LOG.key.type, WITNESSES[0].key.public_key)
    with pytest.raises(UsageError, match="same id"):
        SIGNED.verified([LOG.key, twin])


class _Twin(VerifierKey, frozen=True):
    """A key whose id collides with the log's; finding a real one takes hours."""

    @property
    def id(self) -> bytes:
        """The other key's."""
        return LOG.key.id
