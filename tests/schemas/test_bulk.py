"""The quick look: what it is sure of, the walk takes, and it is rows; what it is for, it is sure of."""

import math
import struct
import tracemalloc

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import bounds, bulk, codec, limits
from schemas.errors import FrameError
from schemas.wire import Batch
from tests.example_messages import DOWN
from tests.example_rows import ROWS

ENCODED = [codec.encode(row) for row in ROWS.values()]
BATCH = codec.encode(DOWN["batch"])
MARK = "the value to be replaced"


def row_of(cells: object) -> bytes:
    """A row with these cells, whatever they are."""
    plain = msgpack.unpackb(ENCODED[0])
    return bytes(msgpack.packb({**plain, "cells": cells}))


def array_of(*rows: bytes) -> bytes:
    """An array of what is encoded already."""
    return msgspec.msgpack.encode(tuple(map(msgspec.Raw, rows)))


def with_value(raw: bytes) -> bytes:
    """A row, one of whose values is these bytes."""
    return row_of({"area": [MARK, 0]}).replace(msgpack.packb(MARK), raw)


def batch_of(rows: bytes) -> bytes:
    """A BATCH with what takes the place of its rows."""
    own = msgspec.Raw(codec.encode(ROWS["row-latest"]))
    whole = codec.encode(msgspec.structs.replace(DOWN["batch"], rows=(own,), gone=()))
    return whole.replace(array_of(bytes(own)), rows)


def nested(levels: int) -> bytes:
    """Arrays inside each other."""
    return b"\x91" * (levels - 1) + b"\x90"


@pytest.mark.parametrize("name", sorted(name for name, message in DOWN.items() if isinstance(message, Batch)))
def test_what_a_server_sends_is_known_quickly(name: str) -> None:
    """Every form of BATCH: one that had to be walked would cost a device four times as much, and nobody would see."""
    assert bulk.is_batch(codec.encode(DOWN[name]))


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_form_of_row_is_known_quickly(name: str) -> None:
    """The same of rows by themselves, as a page packs them."""
    assert bulk.are_rows(array_of(codec.encode(ROWS[name])))


REFUSED = {
    "nan": with_value(b"\xcb" + struct.pack(">d", math.nan)),
    "short-nan": with_value(b"\xca" + struct.pack(">f", math.nan)),
    "infinite": with_value(b"\xcb" + struct.pack(">d", -math.inf)),
    "beyond-2-53": with_value(b"\xcf" + (2**53 + 1).to_bytes(8, "big")),
    "far-beyond": with_value(b"\xcf" + b"\xff" * 8),
    "below": with_value(b"\xd3" + (-(2**53) - 1).to_bytes(8, "big", signed=True)),
    "extension": with_value(b"\xd4\x01\x00"),
    "timestamp": with_value(b"\xd6\xff\x00\x00\x00\x00"),
    "reserved": with_value(b"\xc1"),
    "not-utf8": with_value(b"\xa2\xff\xfe"),
    "long-text": with_value(msgpack.packb("x" * (limits.TEXT_BYTES_MAX + 1))),
    "key-twice": with_value(b"\x82\xa1k\xc0\xa1k\xc0"),
    "field-twice": row_of({"area": [None, 0], "grid": [None, 0]}).replace(b"\xa4grid", b"\xa4area"),
    "key-a-number": with_value(b"\x81\x01\xc0"),
    "too-deep": with_value(nested(limits.DEPTH_MAX)),
    "long-array": with_value(b"\xdd" + (limits.ARRAY_LEN_MAX + 1).to_bytes(4, "big") + b"\xc0" * limits.ARRAY_LEN_MAX),
    "wide-map": row_of({f"f{at}": [0, 0] for at in range(limits.MAP_LEN_MAX + 1)}),
    "cut": ENCODED[0][:-1],
    "no-row": b"\x80",
    "no-map": b"\xc0",
    "wrong-id": ENCODED[0].replace(ENCODED[0][5:13], b"nonsense"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_it_is_sure_of_nothing_that_is_to_be_refused(name: str) -> None:
    """Whatever breaks a bound or is no row goes the long way, and is refused there; in a BATCH and in a page."""
    rows = array_of(ENCODED[1], REFUSED[name])
    assert not bulk.are_rows(rows)
    assert not bulk.is_batch(batch_of(rows))
    with pytest.raises(FrameError):
        codec.decode_rows(rows)
    with pytest.raises(FrameError):
        codec.decode_down(batch_of(rows))


UNUSUAL = {
    "bytes": with_value(b"\xc4\x02ab"),
    "long-form": with_value(b"\xd9\x01a"),
    "deeper-than-ours": with_value(nested(limits.DEPTH_MAX - 5)),
    "newer-field": msgpack.packb({**msgpack.unpackb(ENCODED[0]), "newer": 1}),
    "earlier-stamp": msgpack.packb(
        {**msgpack.unpackb(ENCODED[0]), "stamps": [one[:8] for one in msgpack.unpackb(ENCODED[0])["stamps"]]}
    ),
    "looks-like-a-long-text": with_value(msgpack.packb(["\u0680" * 10_000] * 2)),
}


@pytest.mark.parametrize("name", sorted(UNUSUAL))
def test_what_is_unusual_is_taken_the_long_way(name: str) -> None:
    """Not known quickly, and good: it comes out byte for byte, for a program that is newer, or older, than this one."""
    rows = array_of(UNUSUAL[name])
    assert not bulk.are_rows(rows)
    assert list(map(bytes, codec.decode_rows(rows))) == [UNUSUAL[name]]
    message = codec.decode_down(batch_of(rows))
    assert isinstance(message, Batch)
    assert list(map(bytes, message.rows)) == [UNUSUAL[name]]


def test_what_is_behind_the_message_is_not_overlooked() -> None:
    """One byte more, or one less, and it is no message."""
    for data in (BATCH + b"\xc0", BATCH + BATCH, BATCH[:-1]):
        assert not bulk.is_batch(data)


def test_other_messages_are_not_tried() -> None:
    """Only a BATCH is one."""
    assert not any(bulk.is_batch(codec.encode(one)) for one in DOWN.values() if not isinstance(one, Batch))


def test_a_huge_announced_length_costs_nothing() -> None:
    """A few bytes that promise gigabytes take no memory for the promise, wherever in a row they stand."""
    heads = [head + b"\xff\xff\xff\xff" for head in (b"\xdd", b"\xdf", b"\xdb", b"\xc6")]
    hostile = [head + b"\xc0" * 16 for head in heads] + [array_of(with_value(head)) for head in heads]
    tracemalloc.start()
    try:
        assert not any(map(bulk.are_rows, hostile))
        assert tracemalloc.get_traced_memory()[1] < 64 * limits.KIB
    finally:
        tracemalloc.stop()


cells = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=6),
    max_leaves=30,
)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(ENCODED),
            st.dictionaries(st.text(max_size=6), st.lists(cells, max_size=4), max_size=4).map(row_of),
        ),
        max_size=4,
    ),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=3),
)
def test_what_it_is_sure_of_the_walk_takes(rows: list[bytes], damage: list[tuple[int, int]]) -> None:
    """Whatever the values, and whichever bytes are damaged: sure means inside every bound, and rows, row by row."""
    plain = array_of(*rows)
    for data, sure in ((plain, bulk.are_rows), (batch_of(plain), bulk.is_batch)):
        raw = bytearray(data)
        for at, value in damage:
            raw[at % len(raw)] = value
        found = bytes(raw)
        if sure(found):
            bounds.check(found)
            kept = msgpack.unpackb(found, strict_map_key=False)
            for row in kept if isinstance(kept, list) else kept.get("rows", ()):
                codec.decode_row(msgpack.packb(row))


def test_ids_are_looked_at_one_by_one() -> None:
    """They are matched together: one that borrows what its neighbour lacks is still no id."""
    first, second = (msgpack.unpackb(ENCODED[0]) for _ in range(2))
    whole = first["id"] + second["id"]
    for cut in (35, 37):
        rows = [msgpack.packb({**row, "id": part}) for row, part in ((first, whole[:cut]), (second, whole[cut:]))]
        assert not bulk.are_rows(array_of(*rows))


def test_numbers_that_look_like_a_long_text_are_seen_through() -> None:
    """In a long page some always do: it is known quickly all the same."""
    row = msgpack.unpackb(ENCODED[0])
    looks = [msgpack.packb({**row, "v": 0xDA80 + at}) for at in range(30)] + ENCODED * 40
    assert len(array_of(*looks)) > 2 * limits.TEXT_BYTES_MAX
    assert bulk.are_rows(array_of(*looks))
