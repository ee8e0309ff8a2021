"""The request is that of C2SP tlog-witness, and everything else is refused before anything in it is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.witness.request import REQUEST_BYTES_MAX, AddCheckpoint
from sync.evidence.merkle import PROOF_HASHES_MAX, SIZE_MAX
from sync.evidence.note import NOTE_BYTES_MAX, MalformedError

DASH = "\N{EM DASH}"
# The specification's own example, but for a second signature of the log.
EXAMPLE = f"""old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

{DASH} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
""".encode()  # noqa: E501  a signature line is as long as it is


def test_the_example_of_the_specification_is_read() -> None:
    """Size, proof and checkpoint, and written again it is the same bytes."""
    read = AddCheckpoint.parse(EXAMPLE)
    assert (read.old, len(read.proof)) == (20_852_014, 4)
    assert read.checkpoint.startswith(b"example.com/behind-the-sofa\n20852163\n")
    assert read.encode() == EXAMPLE


@given(
    st.integers(min_value=0, max_value=SIZE_MAX),
    st.lists(st.binary(min_size=32, max_size=32), max_size=PROOF_HASHES_MAX).map(tuple),
    st.binary(max_size=100),
)
def test_what_is_written_is_read(old: int, proof: tuple[bytes, ...], checkpoint: bytes) -> None:
    """Any size and proof, and any bytes as checkpoint: those are not this reader's affair."""
    made = AddCheckpoint(old, proof, checkpoint)
    assert AddCheckpoint.parse(made.encode()) == made


def test_the_longest_request_fits() -> None:
    """The bound on the body lets the largest note and the longest proof through."""
    longest = AddCheckpoint(SIZE_MAX, (bytes(32),) * PROOF_HASHES_MAX, bytes(NOTE_BYTES_MAX))
    assert len(longest.encode()) <= REQUEST_BYTES_MAX


HASH = b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"old 1",
        b"old 1\n",
        b"1\n\nx",
        b"old\n\nx",
        b"old 01\n\nx",
        b"old -1\n\nx",
        b"old 1 \n\nx",
        b"old  1\n\nx",
        b"old 9223372036854775808\n\nx",
        b"Old 1\n\nx",
        b"old 1\r\n\r\nx",
        b"old \xc2\xb2\n\nx",
        b"old 1\nAAAA\n\nx",
        b"old 1\n" + HASH.strip(b"=\n") + b"\n\nx",
        b"old 1\n" + HASH * 64 + b"\nx",
        b"\xff\n\nx",
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    """With our own error, whatever it is."""
    with pytest.raises(MalformedError):
        AddCheckpoint.parse(body)
