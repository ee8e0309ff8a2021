"""Frames taken apart: as the websockets library does, however they are split, and not beyond a bound or a fault."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from schemas.limits import CONTROL_FRAMES_MAX, FRAGMENTS_MAX, FRAMES_BURST_MAX, MESSAGE_BYTES_MAX
from server.edge.bounds import SOCKET_BYTES_BURST_MAX, SOCKET_FRAMES_BURST_MAX, SOCKET_FRAMES_PER_S_MAX
from server.frames import FrameReader
from server.framing import closing, framed
from tests.server.rawsocket import BINARY, CLOSE, CONT, PING, PONG, TEXT, RawSocket, frame

REQUEST = RawSocket.request()
TINY = frame(BINARY, b"\xc0")
Found = list[tuple[int, bytes]]


def read(data: bytes, *cuts: int) -> tuple[FrameReader, Found]:
    """What is found in bytes that come in pieces."""
    reader, found, before = FrameReader(0.0), [], 0
    for cut in (*sorted(cut % (len(data) + 1) for cut in cuts), len(data)):
        found += reader.feed(data[before:cut], 0.0)
        before = cut
    return reader, found


# --- as another does -------------------------------------------------------------------------------------------------


def as_the_library(data: bytes) -> tuple[Found, int | None, bool]:
    """(messages and pings, the code of the close frame, whether it found a fault), of a parser without our bounds."""
    other = ServerProtocol(extensions=[], max_size=MESSAGE_BYTES_MAX)
    other.receive_data(REQUEST)
    (request,) = other.events_received()
    assert isinstance(request, Request)
    other.send_response(other.accept(request))
    other.receive_data(data)
    found: Found = []
    parts: list[bytes] = []
    closed = None
    for event in other.events_received():
        assert isinstance(event, Frame)
        match event.opcode:
            case Opcode.PING:
                found.append((PING, bytes(event.data)))
            case Opcode.CLOSE:
                assert other.close_rcvd is not None
                closed = other.close_rcvd.code
            case Opcode.BINARY | Opcode.CONT:
                parts.append(bytes(event.data))
                if event.fin:
                    found.append((BINARY, b"".join(parts)))
                    parts.clear()
            case _:
                pass
    return found, closed, other.parser_exc is not None


_small = st.binary(max_size=20)
_sizes = st.sampled_from([0, 1, 124, 125, 126, 127, 65_535, 65_536]).map(bytes)
_payloads = st.one_of(_small, _sizes)
_codes = st.one_of(st.integers(990, 1020), st.sampled_from([0, 2999, 3000, 4999, 5000, 65_535]))
_frames = st.one_of(
    st.builds(frame, st.just(BINARY), _payloads),
    st.builds(frame, st.sampled_from([BINARY, CONT]), _small, fin=st.booleans()),
    st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125)),
    st.builds(lambda code, why: frame(CLOSE, code.to_bytes(2, "big") + why), _codes, _small),
    st.sampled_from([frame(CLOSE), frame(CLOSE, b"\x03")]),
    st.builds(
        frame, st.sampled_from([*range(3, 8), *range(0xB, 0x10), BINARY, CONT, PING, PONG, CLOSE]), _payloads,
        fin=st.booleans(), mask=st.booleans(), reserved=st.integers(0, 7),
    ),
)  # fmt: skip


@given(st.lists(_frames, max_size=8).map(b"".join), st.lists(st.integers(min_value=0), max_size=6), st.integers(0, 3))
@example(frame(BINARY, b"x", fin=False) + frame(PING, b"y") + frame(CONT, b"z"), [3, 7, 9], 0)
@example(frame(BINARY, bytes(MESSAGE_BYTES_MAX)), [], 0)
@example(frame(BINARY, bytes(MESSAGE_BYTES_MAX + 1)), [], 0)
def test_frames_are_read_as_the_library_reads_them(data: bytes, cuts: list[int], lost: int) -> None:
    """Messages, pings, the close frame's code and whether there is a fault: whatever is sent, however it is split."""
    data = data[: len(data) - lost]
    reader, found = read(data, *cuts)
    messages, closed, faulty = as_the_library(data)
    assert reader.closed == closed
    # A fault is seen here by the head of its frame: the library waits for all of it.
    assert (reader.fault is not None) >= faulty
    assert found == messages
    if lost == 0:
        assert (reader.fault is not None) == faulty


@given(st.lists(_frames, max_size=4).map(b"".join))
def test_a_stream_is_the_same_byte_by_byte(data: bytes) -> None:
    """Where the network cuts it changes nothing."""
    data = data[:2_000]
    whole, found = read(data)
    bytewise, same = read(data, *range(len(data)))
    assert (found, whole.fault, whole.closed) == (same, bytewise.fault, bytewise.closed)


@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_taken(data: bytes) -> None:
    """Nothing raises; what is not a frame is a fault or is waited for."""
    read(data, *range(0, len(data), 3))


def test_our_frames_are_read_by_the_library() -> None:
    """Of every length of head; a reason that is too long is cut between its letters."""
    for size in (0, 125, 126, 65_535, 65_536):
        made = framed(bytes(size))
        assert made[2 if size < 126 else 4 if size < 65_536 else 10 :] == bytes(size)
        assert made[0] == 0x82
    assert closing(1008, "why") == b"\x88\x05\x03\xf0why"
    assert closing(1008, "\N{SNOWMAN}" * 60) == b"\x88\x7d\x03\xf0" + "\N{SNOWMAN}".encode() * 41


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_a_head_that_passes_a_bound_is_not_waited_for() -> None:
    """The fault is there before a byte of the payload is."""
    for head, code in (
        (bytes([0x82, 0xFF]) + (2**62).to_bytes(8, "big"), "too_long"),
        (bytes([0x82, 0x7F]) + bytes(8), "broken_frame"),
        (bytes([0x81, 0x85]), "text_frame"),
        (bytes([0x89, 0xFE]) + (126).to_bytes(2, "big"), "broken_frame"),
    ):
        reader, found = read(head)
        assert (reader.fault, found) == (code, [])


def test_a_message_in_parts_is_no_longer_than_another() -> None:
    """The parts are added up by their heads; the longest that may be passes."""
    half = bytes(MESSAGE_BYTES_MAX // 2)
    reader, found = read(frame(BINARY, half, fin=False) + frame(CONT, half))
    assert (reader.fault, len(found[0][1])) == (None, MESSAGE_BYTES_MAX)
    reader, _ = read(frame(BINARY, half, fin=False) + frame(CONT, half + b"x")[:14])
    assert reader.fault == "too_long"


def test_a_flood_of_tiny_messages_is_cut_at_the_burst() -> None:
    """So many frames at once and no more, whatever they are; it is told when to come back."""
    reader = FrameReader(0.0)
    assert len(reader.feed(TINY * SOCKET_FRAMES_BURST_MAX, 0.0)) == SOCKET_FRAMES_BURST_MAX
    assert reader.feed(TINY, 0.0) == []
    assert (reader.fault, (reader.retry_after_ms or 0) >= 1) == ("too_fast", True)


def test_frames_at_the_pace_pass_for_ever() -> None:
    """A device that is busy all day is not cut; one that is twice as fast is."""
    for per_s, cut in ((SOCKET_FRAMES_PER_S_MAX, False), (2 * SOCKET_FRAMES_PER_S_MAX, True)):
        reader = FrameReader(0.0)
        for second in range(60):
            reader.feed(TINY * int(per_s), float(second))
        assert (reader.fault is not None) == cut


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    """Only time that passes fills the budget."""
    reader = FrameReader(10.0)
    for now_s in (10.0, 9.0, 10.0):
        reader.feed(TINY * (SOCKET_FRAMES_BURST_MAX // 2), now_s)
    assert reader.fault == "too_fast"


def test_pings_between_messages_are_frames_like_others() -> None:
    """A message now and then does not buy a flood of pings."""
    reader = FrameReader(0.0)
    round_trip = TINY + frame(PING) * 60
    for _ in range(SOCKET_FRAMES_BURST_MAX // 61):
        assert len(reader.feed(round_trip, 0.0)) == 61
    reader.feed(round_trip, 0.0)
    assert reader.fault == "too_fast"


@pytest.mark.parametrize("opcode", [PING, PONG])
def test_control_frames_between_messages_are_counted(opcode: int) -> None:
    """So many and no more, also inside a message; the next whole message begins the count anew."""
    most = frame(opcode) * CONTROL_FRAMES_MAX
    reader, _ = read(most + TINY + frame(BINARY, b"\x82", fin=False) + most + frame(CONT, b"x") + most)
    assert reader.fault is None
    reader, _ = read(most + frame(BINARY, b"\x82", fin=False) + frame(opcode), 3)
    assert reader.fault == "too_many_fragments"


def test_empty_fragments_are_cut_before_the_budget() -> None:
    """A message of too many frames ends the connection at its bound, not at the burst's."""
    start = frame(BINARY, b"", fin=False)
    reader, found = read(start + frame(CONT, b"", fin=False) * 500_000)
    assert (reader.fault, found) == ("too_many_fragments", [])
    reader, found = read(start + frame(CONT, b"", fin=False) * (FRAGMENTS_MAX - 2) + frame(CONT, b"x"))
    assert (reader.fault, found) == (None, [(BINARY, b"x")])
    reader, found = read(start + frame(CONT, b"", fin=False) * (FRAGMENTS_MAX - 1) + frame(CONT, b"x"))
    assert (reader.fault, found) == ("too_many_fragments", [])


def test_more_bytes_than_the_burst_are_cut() -> None:
    """Large messages are counted by their length; those within the budget pass."""
    reader = FrameReader(0.0)
    large = frame(BINARY, bytes(MESSAGE_BYTES_MAX))
    fitting = SOCKET_BYTES_BURST_MAX // (MESSAGE_BYTES_MAX + 6)
    assert fitting < FRAMES_BURST_MAX
    for _ in range(fitting):
        assert len(reader.feed(large, 0.0)) == 1
    reader.feed(large, 0.0)
    assert (reader.fault, reader.retry_after_ms is not None) == ("too_fast", True)


@pytest.mark.parametrize("end", [frame(TEXT, b"x"), frame(CLOSE)], ids=["fault", "close"])
def test_nothing_is_read_behind_the_end(end: bytes) -> None:
    """Behind a fault or a close frame: neither in the same bytes nor in later ones."""
    reader, found = read(TINY + end + TINY * 3)
    assert found == [(BINARY, b"\xc0")]
    assert reader.feed(TINY, 1.0) == []
    assert reader._buffer is None
