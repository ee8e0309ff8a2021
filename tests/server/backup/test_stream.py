"""`server.backup.stream`: what was written is read, whole and in order, or not at all."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StoreError
from server.backup import stream
from server.backup.keys import BackupKey, wrap_for
from server.backup.stream import CHUNK_BYTES, MAGIC, TAG_BYTES, OpeningStream, SealingStream

KEY = BackupKey.make()
SEALED = CHUNK_BYTES + TAG_BYTES


def sealed(*pieces: bytes) -> bytes:
    """An archive of these pieces."""
    out = io.BytesIO()
    sealing = SealingStream(out, lambda key: [wrap_for(KEY.recipient, key)])
    for piece in pieces:
        sealing.write(piece)
    sealing.finish()
    assert sealing.written == len(out.getvalue())
    return out.getvalue()


def opened(raw: bytes) -> bytes:
    """All that an archive holds."""
    reading = OpeningStream(io.BytesIO(raw), KEY, "a.bbk")
    found = b""
    while piece := reading.read(100_000):
        found += piece
    return found


def cut(raw: bytes) -> tuple[bytes, list[bytes]]:
    """(head, chunks)."""
    start = raw.index(b"\n", len(MAGIC)) + 1
    return raw[:start], [raw[at : at + SEALED] for at in range(start, len(raw), SEALED)]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_was_written_is_read(size: int) -> None:
    """Of every length around a chunk's."""
    content = bytes(range(256)) * (size // 256 + 1)
    assert opened(sealed(content[:size])) == content[:size]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 2 * CHUNK_BYTES), max_size=5))
def test_in_which_pieces_it_was_written_makes_no_difference(sizes: list[int]) -> None:
    """Chunks are of the stream, not of whoever writes."""
    content = [bytes([i]) * size for i, size in enumerate(sizes)]
    assert opened(sealed(*content)) == b"".join(content)


def test_no_word_of_it_lies_open() -> None:
    """Twice the same gives nothing that is alike."""
    one, other = (cut(sealed(b"officer WM21877 " * 50_000)) for _ in range(2))
    assert not any(b"WM21877" in chunk for chunk in one[1])
    assert not set(one[1]) & set(other[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: [p[0], p[2], p[1], p[3]], "rearranged, at piece 0"),
        (lambda p: [p[0], p[1], p[3]], "rearranged, at piece 1|damaged in its last piece"),
        (lambda p: [p[0], p[1], p[1], p[2], p[3]], "rearranged, at piece 1"),
        (lambda p: [p[0], p[1], p[2]], "cut short behind piece 1"),
        (lambda p: [p[0], p[1]], "cut short behind piece 0"),
        (lambda p: [p[0]], "cut short"),
        (lambda p: [p[0], p[1], p[2], p[3][:-1]], "cut short or damaged in its last piece"),
        (lambda p: [p[0], p[1], p[2][:100]], "cut short or damaged in its last piece"),
        (lambda p: [p[0], p[1], p[2], p[3], b"x"], "damaged"),
        (lambda p: [p[0][:-2] + b" }\n", p[1], p[2], p[3]], "damaged"),
        (lambda p: [p[0][:40]], "head is damaged or cut short"),
        (lambda p: [b"PK" + p[0]], "is no backup of Beatbook"),
        (lambda p: p[:0], "is no backup of Beatbook"),
    ],
    ids=["swapped", "left out", "twice", "last gone", "two gone", "all gone", "byte gone", "torn", "added", "head",
         "torn head", "another file", "empty"],
)  # fmt: skip
def test_what_was_changed_is_told(change: Callable[[list[bytes]], list[bytes]], said: str) -> None:
    """Chunks that were exchanged, left out, doubled or cut; a head that was altered."""
    head, chunks = cut(sealed(b"a" * CHUNK_BYTES, b"b" * CHUNK_BYTES, b"the end"))
    assert len(chunks) == 3
    with pytest.raises(StoreError, match=said):
        opened(b"".join(change([head, *chunks])))


def test_something_behind_the_end_is_told() -> None:
    """Also where the last chunk is a full one, so that it could be one of many."""
    with pytest.raises(StoreError, match="goes on behind its end"):
        opened(sealed(b"a" * CHUNK_BYTES) + b"y")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_flipped_bit_is_found(data: st.DataObject) -> None:
    """Anywhere, head and tags included: an error, and never other content."""
    raw = bytearray(WHOLE)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(StoreError):
        opened(bytes(raw))


WHOLE = sealed(b"content " * 40_000)


def test_a_head_without_end_is_not_read_for_ever() -> None:
    """What only begins like an archive costs no memory."""
    source = io.BytesIO(MAGIC + b" " * (10 * stream.HEAD_BYTES_MAX))
    with pytest.raises(StoreError, match="head is damaged"):
        OpeningStream(source, KEY, "a.bbk")
    assert source.tell() <= 2 * stream.HEAD_BYTES_MAX
