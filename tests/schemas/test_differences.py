"""Differences of bytes: they lead back to exactly what was, whatever it was, and nothing hostile leads beyond."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import differences
from schemas.differences import NEW_BYTES_MAX, check, difference, rebuilt
from schemas.errors import FrameError

ROW = bytes(range(256)) * 2


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Bytes, and the same with runs taken out, put in, moved and replaced."""
    base = draw(st.binary(max_size=400) | st.integers(1, 60).map(lambda n: b"of one letter"[:1] * n * 7))
    new = base
    for _ in range(draw(st.integers(0, 4))):
        at, upto = sorted((draw(st.integers(0, len(new))), draw(st.integers(0, len(new)))))
        put = draw(st.binary(max_size=40) | st.just(new[at // 2 : at]))
        new = new[:at] + put + new[upto:]
    return base, new


@given(edited())
@example((b"", b""))
@example((b"abcd" * 50, b"abcd" * 51))
@example((ROW, ROW[256:] + b"new" + ROW[:256]))
def test_what_is_rebuilt_is_what_was(pair: tuple[bytes, bytes]) -> None:
    """Byte for byte, and a difference is shorter than half of it, or there is none."""
    base, new = pair
    edits = difference(base, new)
    if edits is not None:
        assert rebuilt(base, edits, len(new)) == new
        assert len(edits) < len(new) // 2


def test_a_small_change_is_a_small_difference() -> None:
    """Wherever it lies: in front, inside, behind, taken out, put in."""
    for new in (
        b"!" + ROW,
        ROW + b"!",
        ROW[:100] + b"!" + ROW[101:],
        ROW[:100] + ROW[101:],
        ROW[:100] + b"!" + ROW[100:],
    ):
        edits = difference(ROW, new)
        assert edits is not None
        assert len(edits) <= 9
    long = bytes(n * n // 7 % 251 for n in range(40_000))
    edits = difference(long, long[:20_000] + b"between" + long[20_000:])
    assert edits is not None
    assert len(edits) <= 20


def test_a_large_change_has_no_difference() -> None:
    """Searching for what is not there would take longer than the bytes are worth."""
    noise = bytes(n * n * n // 11 % 253 for n in range(3 * NEW_BYTES_MAX))
    assert difference(b"", b"something") is None
    assert difference(ROW, noise) is None
    assert difference(noise[::-1] * 4, noise[::-1] * 4 + noise[: NEW_BYTES_MAX + 20]) is None


@pytest.mark.parametrize(
    "edits",
    [
        b"\x30ab", b"\x00\x00", b"\x00\x0b", b"\x09\x02", b"\x0f", b"\xf0", b"\x00\x80", b"\x00\x80\x80\x80\x80\x01",
    ],
    ids=[
        "fewer new bytes than told", "nothing to copy", "longer than the base", "past its end",
        "no rest of a half", "no rest of the other", "half a number", "a number too long",
    ],
)  # fmt: skip
def test_what_is_no_difference_is_refused(edits: bytes) -> None:
    """Each breach of the form ends in the same error, and in nothing else."""
    with pytest.raises(FrameError) as caught:
        rebuilt(b"0123456789", edits, 1_000)
    assert caught.value.spec.code == "wrong_field"


@given(st.binary(max_size=60), st.binary(max_size=200), st.integers(0, 300))
def test_nothing_hostile_leads_beyond_the_bound(base: bytes, edits: bytes, bytes_max: int) -> None:
    """Whatever is sent: an outcome inside the bound, or the one error."""
    with contextlib.suppress(FrameError):
        assert len(rebuilt(base, edits, bytes_max)) <= bytes_max


def test_copies_do_not_add_up_past_the_bound() -> None:
    """Two bytes that copy a whole row, said a thousand times, are refused before they are much."""
    once = bytes([0, 100])
    assert rebuilt(bytes(100), once * 3, 300) == bytes(300)
    with pytest.raises(FrameError, match="leads beyond"):
        rebuilt(bytes(100), once * 1_000, 399)
    with pytest.raises(FrameError, match="too many"):
        rebuilt(bytes(100), once + b"\x10!", 100)


def test_the_check_is_the_one_that_others_have() -> None:
    """The check value that the catalogue of CRCs gives for CRC-32/ISO-HDLC."""
    assert check(b"123456789") == 0xCBF43926


def test_the_bounds_fit_together() -> None:
    """A copy is worth its part, and what is nearby is looked for before what is far."""
    assert 2 < differences.MATCH_MIN < differences.FAR_MATCH_MIN
    assert differences.NEAR_BYTES < differences.SEARCH_BYTES
