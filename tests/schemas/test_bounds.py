"""The walk over untrusted bytes: what is inside the bounds passes, nothing else does, and only FrameError leaves."""

import math
import struct
import tracemalloc
from collections.abc import Iterator

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import bounds, limits
from schemas.codec import encode
from schemas.errors import FrameError
from tests.example_messages import GOLDEN

# Every type byte of the format, and what makes a whole value of it; None where no value may have it.
BODIES: dict[int, bytes | None] = {
    **dict.fromkeys(range(128), b""),
    **{0x80 | size: b"".join(bytes([0xA1, 0x61 + at, 0xC0]) for at in range(size)) for size in range(16)},
    **{0x90 | size: b"\xc0" * size for size in range(16)},
    **{0xA0 | size: b"x" * size for size in range(32)},
    0xC0: b"",
    0xC1: None,
    0xC2: b"",
    0xC3: b"",
    0xC4: b"\x02\xff\xfe",
    0xC5: b"\x00\x02\xff\xfe",
    0xC6: b"\x00\x00\x00\x02\xff\xfe",
    0xC7: None,
    0xC8: None,
    0xC9: None,
    0xCA: struct.pack(">f", 1.5),
    0xCB: struct.pack(">d", -1.9042),
    0xCC: b"\xff",
    0xCD: b"\xff\xff",
    0xCE: b"\xff\xff\xff\xff",
    0xCF: (2**53).to_bytes(8, "big"),
    0xD0: b"\x80",
    0xD1: b"\x80\x00",
    0xD2: b"\x80\x00\x00\x00",
    0xD3: (-(2**53)).to_bytes(8, "big", signed=True),
    **dict.fromkeys(range(0xD4, 0xD9)),
    0xD9: b"\x02ab",
    0xDA: b"\x00\x02ab",
    0xDB: b"\x00\x00\x00\x02ab",
    0xDC: b"\x00\x01\xc0",
    0xDD: b"\x00\x00\x00\x01\xc0",
    0xDE: b"\x00\x01\xa1a\xc0",
    0xDF: b"\x00\x00\x00\x01\xa1a\xc0",
    **dict.fromkeys(range(224, 256), b""),
}

texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-limits.INT_MAX, max_value=limits.INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.binary(max_size=64)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(texts, inner, max_size=20),
    max_leaves=60,
)


def code_of(data: bytes, bytes_max: int = limits.MESSAGE_BYTES_MAX) -> str | None:
    """The error code that the walk gives, or None when it accepts."""
    try:
        bounds.check(data, bytes_max)
    except FrameError as error:
        return error.spec.code
    return None


def nested(levels: int) -> Iterator[bytes]:
    """`levels` containers inside each other, as arrays, as maps, and with the innermost one full."""
    yield b"\x91" * (levels - 1) + b"\x90"
    yield b"\x81\xa1k" * (levels - 1) + b"\x80"
    yield b"\x91" * levels + b"\xc0"
    yield b"\xdd\x00\x00\x00\x01" * levels + b"\xc0"


def array_of(count: int, element: bytes) -> bytes:
    """An array of `count` elements, in the long form."""
    return b"\xdd" + count.to_bytes(4, "big") + element * count


def map_of(count: int) -> bytes:
    """A map of `count` different keys, in the long form."""
    return b"\xdf" + count.to_bytes(4, "big") + b"".join(msgpack.packb(f"k{at}") + b"\xc0" for at in range(count))


def test_the_table_of_type_bytes_is_whole() -> None:
    """The tests below meet every byte that a value can begin with."""
    assert sorted(BODIES) == list(range(256))


@pytest.mark.parametrize("kind", range(256), ids=lambda kind: f"0x{kind:02x}")
def test_every_type_byte_is_taken_whole_and_only_whole(kind: int) -> None:
    """Each type is accepted with its whole body; cut anywhere, or with a byte more, it is no message."""
    body = BODIES[kind]
    if body is None:
        assert code_of(bytes([kind]) + bytes(20)) == "bad_value"
        return
    data = bytes([kind]) + body
    assert code_of(data) is None
    msgpack.unpackb(data)
    for end in range(len(data)):
        assert code_of(data[:end]) == "not_msgpack", end
    assert code_of(data + b"\xc0") == "not_msgpack"


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_messages_cut_anywhere_are_refused(name: str) -> None:
    """A message byte by byte: not one of its beginnings passes, the whole does, and with anything behind it not."""
    data = encode(GOLDEN[name])
    assert code_of(data) is None
    for end in range(len(data)):
        assert code_of(data[:end]) == "not_msgpack", end
    for more in (b"\x00", b"\xc0", b"\xc1", data):
        assert code_of(data + more) == "not_msgpack"


@pytest.mark.parametrize(
    ("head", "codes"),
    [
        (b"\xdc", {"too_many"}),
        (b"\xdd", {"too_many"}),
        (b"\xde", {"too_many"}),
        (b"\xdf", {"too_many"}),
        (b"\xda", {"too_long"}),
        (b"\xdb", {"too_long"}),
        (b"\xc5", {"not_msgpack"}),
        (b"\xc6", {"not_msgpack"}),
    ],
    ids=["array16", "array32", "map16", "map32", "str16", "str32", "bin16", "bin32"],
)
def test_a_huge_announced_length_costs_nothing(head: bytes, codes: set[str]) -> None:
    """A few bytes that promise gigabytes are refused at once, and no memory is taken for the promise."""
    data = head + b"\xff\xff\xff\xff" + b"\xc0" * 16
    tracemalloc.start()
    try:
        assert code_of(data) in codes
        assert tracemalloc.get_traced_memory()[1] < 64 * limits.KIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", range(4), ids=["arrays", "maps", "full", "array32"])
def test_depth_is_bounded(shape: int) -> None:
    """DEPTH_MAX levels pass, one more does not, and neither do enough to exhaust a recursive decoder."""
    assert code_of(list(nested(limits.DEPTH_MAX))[shape]) is None
    assert code_of(list(nested(limits.DEPTH_MAX + 1))[shape]) == "too_deep"
    assert code_of(list(nested(50_000))[shape]) == "too_deep"


def test_array_and_map_lengths_are_bounded() -> None:
    """The longest array and the widest map pass; one element more does not, in every way to write the length."""
    assert code_of(array_of(limits.ARRAY_LEN_MAX, b"\xc0")) is None
    assert code_of(array_of(limits.ARRAY_LEN_MAX + 1, b"\xc0")) == "too_many"
    assert code_of(map_of(limits.MAP_LEN_MAX)) is None
    assert code_of(map_of(limits.MAP_LEN_MAX + 1)) == "too_many"
    assert code_of(msgpack.packb([None] * (limits.ARRAY_LEN_MAX + 1))) == "too_many"


def test_the_number_of_values_can_be_bounded() -> None:
    """A device's message has its own, lower bound; keys and the map itself count."""
    data = msgpack.packb({"a": [1, 2], "b": 3})
    bounds.check(data, elements_max=7)
    with pytest.raises(FrameError, match="too_many: more than 6 values"):
        bounds.check(data, elements_max=6)


def test_length_in_bytes_is_bounded() -> None:
    """The message's own bound counts every byte, before anything is looked at."""
    head = b"\xc6" + (limits.MESSAGE_BYTES_MAX - 5).to_bytes(4, "big")
    assert code_of(head + bytes(limits.MESSAGE_BYTES_MAX - 5)) is None
    assert code_of(b"\xc1" * (limits.MESSAGE_BYTES_MAX + 1)) == "too_long"
    assert code_of(b"\xa3abc", bytes_max=3) == "too_long"
    assert code_of(b"\xa3abc", bytes_max=4) is None


def test_length_of_a_text_is_bounded() -> None:
    """A text of TEXT_BYTES_MAX bytes passes, one more does not, also as a map's key; `bin` has no bound of its own."""
    longest = "é" * (limits.TEXT_BYTES_MAX // 2)
    assert code_of(msgpack.packb(longest)) is None
    assert code_of(msgpack.packb(longest + "x")) == "too_long"
    assert code_of(msgpack.packb({longest + "x": 1})) == "too_long"
    assert code_of(msgpack.packb(bytes(limits.TEXT_BYTES_MAX + 1))) is None


@pytest.mark.parametrize(
    "key",
    [1, -1, None, True, 1.5, b"k", (), (1,), 2**40],
    ids=["int", "negative", "nil", "bool", "float", "bin", "empty", "array", "uint64"],
)
def test_a_key_that_is_not_text_is_refused(key: object) -> None:
    """Languages whose maps have only text keys would read something else."""
    assert code_of(b"\x81" + msgpack.packb(key) + b"\xc0") == "bad_value"
    assert code_of(b"\x81\xa1k\x81" + msgpack.packb(key) + b"\xc0") == "bad_value"
    assert code_of(b"\x82\xa1k\xc0" + msgpack.packb(key) + b"\xc0") == "bad_value"


def test_a_map_as_a_key_is_refused() -> None:
    """A map whose key is itself a map is refused as a value of the wrong kind, not looked into."""
    assert code_of(b"\x81\x80\xc0") == "bad_value"


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\xa1t\x01\xa1t\x02",
        b"\x82\xa1t\x01\xd9\x01t\x02",
        b"\x82\xda\x00\x01t\x01\xdb\x00\x00\x00\x01t\x02",
        b"\x83\xa1a\x01\xa1b\x81\xa1a\x01\xa1a\x02",
        b"\x91\x82\xa0\x01\xa0\x02",
    ],
    ids=["fixstr", "str8", "str16-str32", "not-beside", "empty"],
)
def test_a_key_that_comes_twice_is_refused(data: bytes) -> None:
    """One decoder takes the first, another the last: nobody could say later what such an op said."""
    assert code_of(data) == "bad_value"


def test_the_same_key_in_two_maps_is_fine() -> None:
    """Keys are counted per map, beside each other and inside each other."""
    assert code_of(msgpack.packb([{"a": {"a": 1, "b": 2}, "b": {"a": 1}}, {"a": 1}])) is None


@pytest.mark.parametrize(
    "data",
    [
        msgpack.packb(math.nan),
        msgpack.packb(math.inf),
        msgpack.packb(-math.inf),
        b"\xca\x7f\xc0\x00\x00",
        b"\xca\x7f\x80\x00\x00",
        b"\xca\xff\x80\x00\x00",
        b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x01",
        b"\xcf" + (2**53 + 1).to_bytes(8, "big"),
        b"\xcf" + b"\xff" * 8,
        b"\xd3" + (2**53 + 1).to_bytes(8, "big", signed=True),
        b"\xd3" + (-(2**53) - 1).to_bytes(8, "big", signed=True),
        b"\xd3\x80" + bytes(7),
        msgpack.packb(msgpack.ExtType(5, b"x")),
        msgpack.packb(msgpack.Timestamp(1_760_000_000, 0)),
        b"\xc1",
        b"\xa1\xff",
        b"\xa2\xc3\x28",
        b"\xa3\xed\xa0\x80",
        b"\xa2\xc0\x80",
        b"\xa4\xf4\x90\x80\x80",
    ],
)
def test_a_value_that_languages_read_differently_is_refused(data: bytes) -> None:
    """NaN, infinity, integers past 2^53, extensions and broken UTF-8, alone and inside, as value and as key."""
    assert code_of(data) == "bad_value"
    assert code_of(b"\x92\x01" + data) == "bad_value"
    assert code_of(b"\x81\xa1k" + data) == "bad_value"
    assert code_of(b"\x81" + data + b"\xc0") == "bad_value"


def test_nothing_at_all_is_no_message() -> None:
    """Empty input is refused like any other that ends too early."""
    assert code_of(b"") == "not_msgpack"


def test_the_detail_says_where() -> None:
    """Whoever writes a client is told the byte."""
    with pytest.raises(FrameError, match=r"bad_value: an integer beyond 2\^53 at byte 3$"):
        bounds.check(b"\x81\xa1k\xcf" + b"\xff" * 8)
    with pytest.raises(FrameError, match=r"not_msgpack: 2 bytes after the value at byte 1$"):
        bounds.check(b"\xc0\xc0\xc0")


@given(values)
def test_whatever_is_inside_the_bounds_is_accepted(value: object) -> None:
    """An independent encoder's values pass, whole only."""
    data = msgpack.packb(value)
    assert code_of(data) is None
    assert code_of(data + b"\x00") == "not_msgpack"
    assert code_of(data[:-1]) == "not_msgpack"


@given(st.binary(max_size=200))
@example(b"\xdf\x00\x00\x00\x00")
@example(b"\xc4\x00")
@example(b"\xd9\x00")
def test_arbitrary_bytes_raise_nothing_but_frame_error(data: bytes) -> None:
    """Whatever comes is either refused with a code or is a value that an independent decoder reads."""
    if code_of(data) is None:
        msgpack.unpackb(data)


@given(values, st.data())
def test_damaged_values_are_refused_or_readable(value: object, data: st.DataObject) -> None:
    """One changed byte in a good value never gets past the walk unless plain msgpack reads the result too."""
    raw = bytearray(msgpack.packb(value))
    raw[data.draw(st.integers(min_value=0, max_value=len(raw) - 1))] = data.draw(st.integers(0, 255))
    if code_of(bytes(raw)) is None:
        msgpack.unpackb(bytes(raw))


def plainly(data: bytes, at: int, levels: int, counted: list[int]) -> int:
    """The walk as one would write it down first: a value with all that is in it; returns the next byte.

    `counted` are the values that were announced so far, and how many there may be.
    """
    kind = data[at]
    if not (0x80 <= kind <= 0x9F or 0xDC <= kind <= 0xDF):
        return plain_scalar(data, at, kind)
    width = 2 if kind in {0xDC, 0xDE} else 4
    length, at = (kind & 0x0F, at + 1) if kind <= 0x9F else plain_length(data, at, width)
    is_map = kind <= 0x8F or kind >= 0xDE
    if levels == 0:
        raise FrameError("too_deep")
    if length > (limits.MAP_LEN_MAX if is_map else limits.ARRAY_LEN_MAX):
        raise FrameError("too_many")
    counted[0] += 2 * length if is_map else length
    if counted[0] > counted[1]:
        raise FrameError("too_many")
    keys: list[object] = []
    for _ in range(length):
        if is_map:
            if not (0xA0 <= data[at] <= 0xBF or 0xD9 <= data[at] <= 0xDB):
                raise FrameError("bad_value")
            key, at = at, plainly(data, at, levels, counted)
            keys.append(msgpack.unpackb(data[key:at]))
            if len(keys) > len(set(keys)):
                raise FrameError("bad_value")
        at = plainly(data, at, levels - 1, counted)
    return at


def plain_scalar(data: bytes, at: int, kind: int) -> int:
    """Pass a value that holds no other."""
    if 0xD9 <= kind <= 0xDB or 0xC4 <= kind <= 0xC6:
        length, start = plain_length(data, at, 1 << (kind - (0xD9 if kind >= 0xD9 else 0xC4)))
        end = start + length
        if kind >= 0xD9 and length > limits.TEXT_BYTES_MAX:
            raise FrameError("too_long")
    else:
        body = BODIES[kind]
        if body is None:
            raise FrameError("bad_value")
        end = at + 1 + len(body)
    if end > len(data):
        raise IndexError
    try:
        value = msgpack.unpackb(data[at:end])
    except ValueError:
        raise FrameError("bad_value") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise FrameError("bad_value")
    if isinstance(value, int) and abs(value) > limits.INT_MAX:
        raise FrameError("bad_value")
    return end


def plain_length(data: bytes, at: int, width: int) -> tuple[int, int]:
    """The length behind a type byte, and where what it counts begins."""
    if at + 1 + width > len(data):
        raise IndexError
    return int.from_bytes(data[at + 1 : at + 1 + width], "big"), at + 1 + width


def plain_code_of(data: bytes, elements_max: int, depth_max: int) -> str | None:
    """What `bounds.check` is to answer."""
    try:
        end = plainly(data, 0, depth_max, [1, elements_max])
    except IndexError:
        return "not_msgpack"
    except FrameError as error:
        return error.spec.code
    return None if end == len(data) else "not_msgpack"


@given(
    st.one_of(st.binary(max_size=60), values.map(msgpack.packb), st.sampled_from([*map(encode, GOLDEN.values())])),
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(list(b"\x81\xa1\xc0\xc1\xc6\xcb\xcf\xdc"))), max_size=3),
    st.integers(min_value=0, max_value=500),
    st.integers(min_value=1, max_value=60) | st.just(limits.MESSAGE_BYTES_MAX),
    st.integers(min_value=1, max_value=6) | st.just(limits.DEPTH_MAX),
)  # fmt: skip
def test_the_walk_answers_as_a_plain_one_does(
    data: bytes, damage: list[tuple[int, int]], kept: int, elements_max: int, depth_max: int
) -> None:
    """The one loop takes what the obvious recursive walk takes; of what only breaks a bound it gives the same code."""
    raw = bytearray(data)
    for at, value in damage:
        if at < len(raw):
            raw[at] = value
    cut = bytes(raw) if kept > len(raw) else bytes(raw[:kept])
    try:
        bounds.check(cut, elements_max=elements_max, depth_max=depth_max)
        found = None
    except FrameError as error:
        found = error.spec.code
    wanted = plain_code_of(cut, elements_max, depth_max)
    assert (found is None) == (wanted is None)
    if plain_code_of(cut, limits.MESSAGE_BYTES_MAX, limits.DEPTH_MAX) is None:
        assert found == wanted
