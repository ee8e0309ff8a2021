"""Checkpoints: one text for one head, and only the log's own key makes it believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from sync.evidence import checkpoint, note
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.merkle import SIZE_MAX
from sync.evidence.note import KeyType, MalformedError, Note, UntrustedError, VerifierKey
from tests.sync.evidence.parties import LOG, ORIGIN, PUBLIC, WITNESSES, Party, head, log_of, signed_head

PUBLIC_KEY = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


def test_a_public_logs_checkpoint_is_read() -> None:
    """What a log of strangers has served opens with that log's key, and with no other."""
    opened = checkpoint.open_signed(PUBLIC.encode(), [VerifierKey.parse(PUBLIC_KEY)])
    assert (opened.origin, opened.size) == ("arche2025h1.staging.ct.transparency.dev", 1_432_088_532)
    assert opened.text == PUBLIC.partition("\n\n")[0] + "\n"
    with pytest.raises(UntrustedError, match="no key of a log"):
        checkpoint.open_signed(PUBLIC.encode(), [LOG.key])
    forged = PUBLIC.replace("1432088532", "1432088533").encode()
    with pytest.raises(UntrustedError, match="altered or forged"):
        checkpoint.open_signed(forged, [VerifierKey.parse(PUBLIC_KEY)])


def test_the_text_is_that_of_the_specification() -> None:
    """The example of C2SP tlog-checkpoint, read and written again."""
    text = f"example.com/behind-the-sofa\n20852163\n{ROOT}\n"
    read = Checkpoint.parse(text)
    assert (read.origin, read.size, len(read.root), read.extensions) == (
        "example.com/behind-the-sofa",
        20852163,
        32,
        (),
    )
    assert read.text == text


def test_what_the_log_signs_is_opened_again() -> None:
    """A head comes back as it was signed."""
    log = log_of(300)
    assert checkpoint.open_signed(signed_head(log), [LOG.key]) == head(log)


@given(
    st.integers(min_value=0, max_value=SIZE_MAX),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20), max_size=3),
)
def test_every_head_survives_the_way(size: int, root: bytes, extensions: list[str]) -> None:
    """Whatever size, root and extension lines: text and note bring them back."""
    made = Checkpoint(ORIGIN, size, root, tuple(extensions))
    assert Checkpoint.parse(made.text) == made
    assert checkpoint.open_signed(checkpoint.sign(made, LOG.key, LOG.sign), [LOG.key]) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"o\n7\n{ROOT}",
        f"o\n7\n\n{ROOT}\n",
        f"\n7\n{ROOT}\n",
        "o\n7\n",
        f"o\n07\n{ROOT}\n",
        f"o\n-7\n{ROOT}\n",
        f"o\n+7\n{ROOT}\n",
        f"o\n7.0\n{ROOT}\n",
        f"o\n{SIZE_MAX + 1}\n{ROOT}\n",
        f"o\n7\n{ROOT[:-1]}\n",
        f"o\n7\n{ROOT} \n",
        "o\n7\nAAAA\n",
        f"o\n7\n{ROOT}\n\nextension\n",
        f"{'o' * 256}\n7\n{ROOT}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """One head has one text; everything else is refused with our own error."""
    with pytest.raises(MalformedError):
        Checkpoint.parse(text)


def test_a_log_speaks_for_itself_only() -> None:
    """A trusted log that signs the head of another is not believed, nor is a witness that plays a log."""
    other = Party("log.other.example")
    text = head(log_of(3)).text
    foreign = Note(text, (note.sign(text, other.key, other.sign),)).encode()
    with pytest.raises(UntrustedError, match="no key of a log"):
        checkpoint.open_signed(foreign, [other.key])
    with pytest.raises(UntrustedError, match="bears no signature"):
        checkpoint.open_signed(foreign, [other.key, LOG.key])
    as_witness = VerifierKey(ORIGIN, KeyType.COSIGNATURE_V1, LOG.key.public_key)
    with pytest.raises(UntrustedError, match="no key of a log"):
        checkpoint.open_signed(signed_head(log_of(3)), [as_witness])


def test_what_cannot_be_read_back_is_not_signed() -> None:
    """A newline in an extension line would make another checkpoint of it."""
    made = head(log_of(3))
    with pytest.raises(UsageError, match="cannot sign"):
        checkpoint.sign(Checkpoint("log.other.example", made.size, made.root), LOG.key, LOG.sign)
    for wrong in (("",), ("a\nb",)):
        with pytest.raises(UsageError, match="cannot be signed"):
            checkpoint.sign(Checkpoint(ORIGIN, made.size, made.root, wrong), LOG.key, LOG.sign)
    with pytest.raises(UsageError, match="control characters"):
        checkpoint.sign(Checkpoint(ORIGIN, made.size, made.root, ("a\tb",)), LOG.key, LOG.sign)
    with pytest.raises(UsageError, match="does not hold its private key"):
        checkpoint.sign(made, LOG.key, WITNESSES[0].sign)
