"""Cosignatures: a witness's word on a head and a time, as other programs make and read it."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from sync.evidence import cosign, note
from sync.evidence.note import MalformedError, Note, Signature, UntrustedError, VerifierKey
from tests.sync.evidence.parties import LOG, NOW_S, PUBLIC, WITNESSES, head, log_of, signed_head

PUBLIC_WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
TEXT = head(log_of(5)).text
ONE, TWO, _ = WITNESSES


def test_a_public_witness_is_read() -> None:
    """What a witness of strangers has cosigned verifies, with its time."""
    key = VerifierKey.parse(PUBLIC_WITNESS)
    assert cosign.cosigned_s(Note.parse(PUBLIC.encode()), [key]) == {"remora.n621.de": 1_779_573_024}
    with pytest.raises(UntrustedError):
        cosign.cosigned_s(Note.parse(PUBLIC.replace("1432088532", "42").encode()), [key])


def test_the_time_is_where_the_specification_puts_it() -> None:
    """Known answer of the transparency-dev project: 8 bytes, big-endian, behind the key id."""
    raw = "ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJXORmnFBOBA=="
    assert note.timestamp_s(base64.b64decode(raw)[4:]) == 1_727_964_367
    assert note.timestamp_s(bytes(64)) is None
    assert note.timestamp_s(b"\xff" * 72) is None


def test_the_signed_message_is_that_of_the_specification() -> None:
    """Two lines above the whole text, and the plain Ed25519 of the witness over that."""
    made = cosign.cosign(TEXT, ONE.key, ONE.sign, NOW_S)
    message = f"cosignature/v1\ntime {NOW_S}\n{TEXT}".encode()
    Ed25519PublicKey.from_public_bytes(ONE.key.public_key).verify(made.value[8:], message)
    assert int.from_bytes(made.value[:8], "big") == NOW_S


@given(st.integers(min_value=0, max_value=8 * 72 - 1))
def test_no_bit_of_a_cosignature_can_be_changed(bit: int) -> None:
    """Neither of its time nor of its signature."""
    made = cosign.cosign(TEXT, ONE.key, ONE.sign, NOW_S)
    value = bytearray(made.value)
    value[bit // 8] ^= 1 << bit % 8
    assert not note.verify(ONE.key, TEXT, bytes(value))


def test_a_cosignature_is_for_its_text_only() -> None:
    """Not for another head, and not for one with an extension line more."""
    made = cosign.cosign(TEXT, ONE.key, ONE.sign, NOW_S)
    assert note.verify(ONE.key, TEXT, made.value)
    assert not note.verify(ONE.key, head(log_of(6)).text, made.value)
    assert not note.verify(ONE.key, f"{TEXT}more\n", made.value)


def test_the_latest_time_of_a_witness_counts() -> None:
    """A witness that cosigned twice is one witness; its later word stands, whatever the order."""
    early, late = (cosign.cosign(TEXT, ONE.key, ONE.sign, NOW_S + more) for more in (0, 60))
    for lines in ((early, late), (late, early)):
        signed = Note(TEXT, lines)
        assert cosign.cosigned_s(signed, [ONE.key, TWO.key]) == {ONE.key.name: NOW_S + 60}


def test_a_witnesss_answer_is_taken_line_by_line() -> None:
    """Ours is found among others, a stranger's is left out, a wrong one is refused."""
    ours, others = (cosign.cosign(TEXT, each.key, each.sign, NOW_S) for each in (ONE, TWO))
    answer = f"{others}{ours}".encode()
    assert cosign.parse_cosignatures(answer, TEXT, ONE.key) == [ours]
    assert cosign.parse_cosignatures(str(others).encode(), TEXT, ONE.key) == []
    wrong = Signature(ours.name, ours.key_id, bytes(72))
    with pytest.raises(UntrustedError):
        cosign.parse_cosignatures(str(wrong).encode(), TEXT, ONE.key)


@pytest.mark.parametrize("answer", [b"", b"\n", b"no\n", b"a text\n\n", b"\xff\n"])
def test_an_answer_that_is_none_is_refused(answer: bytes) -> None:
    """With our own error, and so is one that brings a text of its own."""
    with pytest.raises(MalformedError):
        cosign.parse_cosignatures(answer, TEXT, ONE.key)
    own_text = b"another text\n\n" + str(cosign.cosign(TEXT, ONE.key, ONE.sign, NOW_S)).encode()
    with pytest.raises(MalformedError):
        cosign.parse_cosignatures(own_text, TEXT, ONE.key)


def test_only_a_witness_cosigns_and_only_a_checkpoint() -> None:
    """A log's key, a time that cannot be written, a foreign text and a wrong private key are refused."""
    with pytest.raises(UsageError, match="not of a witness"):
        cosign.cosign(TEXT, LOG.key, LOG.sign, NOW_S)
    with pytest.raises(UsageError, match="check the clock"):
        cosign.cosign(TEXT, ONE.key, ONE.sign, -1)
    with pytest.raises(UsageError, match="does not hold its private key"):
        cosign.cosign(TEXT, ONE.key, TWO.sign, NOW_S)
    with pytest.raises(MalformedError):
        cosign.cosign("a shopping list\n", ONE.key, ONE.sign, NOW_S)


def test_a_logs_own_signature_is_no_cosignature() -> None:
    """A log cannot be its own witness by signing twice."""
    signed = Note.parse(signed_head(log_of(5)))
    assert cosign.cosigned_s(signed, [LOG.key]) == {}
