"""Packed rows: what was packed comes out again, and nothing that comes in costs more than a message."""

import tracemalloc

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.errors import FrameError
from schemas.limits import ARRAY_LEN_MAX, DEPTH_MAX, MESSAGE_BYTES_MAX
from schemas.packing import pack, unpack
from tests.example_messages import PACKED
from tests.example_rows import ROWS

ENCODED = [codec.encode(row) for row in ROWS.values()]


def squeezed(plain: bytes, *, says_its_length: bool = True) -> bytes:
    """Any bytes as one frame."""
    return zstandard.ZstdCompressor(write_content_size=says_its_length).compress(plain)


def code_of(packed: bytes) -> str | None:
    """The error code that unpacking gives, or None."""
    try:
        unpack(packed)
    except FrameError as error:
        return error.spec.code
    return None


@given(st.lists(st.sampled_from(ENCODED), max_size=40))
def test_rows_come_out_as_they_went_in(rows: list[bytes]) -> None:
    """Byte for byte and in order: a device keeps rows as they came."""
    assert list(map(bytes, unpack(pack(rows)))) == rows


def test_what_another_library_packed_is_read() -> None:
    """The bytes of the golden page, whatever this version of the library would make of them."""
    assert list(map(bytes, unpack(PACKED))) == [codec.encode(ROWS["row-once-differing"])]


def test_like_rows_get_short() -> None:
    """That is what it is for."""
    rows = ENCODED[:1] * 100
    assert len(pack(rows)) * 5 < sum(map(len, rows))


@pytest.mark.parametrize(
    ("packed", "code"),
    [
        (b"", "wrong_field"),
        (b"rows", "wrong_field"),
        (PACKED[:-1], "wrong_field"),
        (PACKED + b"\x00", "wrong_field"),
        (PACKED + PACKED, "wrong_field"),
        (squeezed(b"\x80"), "wrong_field"),
        (squeezed(b"\xc0"), "wrong_field"),
        (squeezed(b""), "not_msgpack"),
        (squeezed(b"\x90\x90"), "not_msgpack"),
        (squeezed(b"\x91\x81\x01\xc0"), "bad_value"),
        (squeezed(b"\x91" * (DEPTH_MAX + 1) + b"\xc0"), "too_deep"),
        (squeezed(msgspec.msgpack.encode([0] * (ARRAY_LEN_MAX + 1))), "too_many"),
        (squeezed(bytes(MESSAGE_BYTES_MAX + 1)), "too_long"),
        (squeezed(b"\x90", says_its_length=False), "too_long"),
    ],
)
def test_what_is_no_rows_is_refused(packed: bytes, code: str) -> None:
    """Cut, with anything behind it, of another form, out of bounds, or silent about its length."""
    assert code_of(packed) == code


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """A gigabyte of zeros in some ten kilobytes takes no memory."""
    sizes = zstandard.ZstdCompressor().compressobj(size=2**30)
    bomb = b"".join(sizes.compress(bytes(2**20)) for _ in range(2**10)) + sizes.flush()
    assert len(bomb) < 200_000
    tracemalloc.start()
    try:
        assert code_of(bomb) == "too_long"
        assert tracemalloc.get_traced_memory()[1] < MESSAGE_BYTES_MAX
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=80), st.integers(0, 200))
def test_damaged_frames_raise_nothing_but_frame_errors(noise: bytes, at: int) -> None:
    """Whatever comes, only an error of ours leaves."""
    at %= len(PACKED)
    code_of(noise)
    code_of(PACKED[:at] + noise + PACKED[at + len(noise) :])
