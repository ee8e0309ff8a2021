"""Hostile framing and handshakes over real sockets, byte by byte.

One server serves the whole module. A well-behaved handheld stays connected through all of it; after every test it gets
an answer and a briefing, so whatever a test did to the server shows at once.
"""

import asyncio
from collections.abc import Callable

import pytest

from schemas import wire
from schemas.codec import encode
from schemas.ids import Millis
from schemas.limits import (
    CONTROL_FRAMES_MAX,
    FRAGMENTS_MAX,
    MESSAGE_BYTES_MAX,
)
from tests.server.handheld import Handheld
from tests.server.hostile import GOOD_PING, PIECES, refused
from tests.server.rawsocket import BINARY, CLOSE, CONT, PING, PONG, TEXT, RawSocket, frame
from tests.server.running import NOW, Running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("others_lose_nothing")]

FLOOD_FRAMES = 500_000

# --- frames ----------------------------------------------------------------------------------------------------------

LONG = b"\xc6" + MESSAGE_BYTES_MAX.to_bytes(4, "big") + bytes(MESSAGE_BYTES_MAX)
HUGE_HEAD = bytes([0x82, 0xFF]) + (2**62).to_bytes(8, "big") + b"abcd" + b"little"

FRAMES: dict[str, tuple[list[bytes], str]] = {
    "a text frame": ([frame(TEXT, b'{"t":"ping"}')], "text_frame"),
    "a text frame that is not UTF-8": ([frame(TEXT, b"\xc3\x28")], "text_frame"),
    "the first part of a text": ([frame(TEXT, b"abc", fin=False)], "text_frame"),
    "an empty text frame": ([frame(TEXT)], "text_frame"),
    "an unmasked frame": ([frame(BINARY, GOOD_PING, mask=False)], "broken_frame"),
    "a continuation of nothing": ([frame(CONT, GOOD_PING)], "broken_frame"),
    "a message inside a message": ([frame(BINARY, b"\x82", fin=False), frame(BINARY, GOOD_PING)], "broken_frame"),
    "a long ping frame": ([frame(PING, bytes(126))], "broken_frame"),
    "a ping frame in parts": ([frame(PING, b"x", fin=False)], "broken_frame"),
    "a close frame of one byte": ([frame(CLOSE, b"\x03")], "broken_frame"),
    "a close code that may not be sent": ([frame(CLOSE, (1006).to_bytes(2, "big"))], "broken_frame"),
    "a close reason that is not UTF-8": ([frame(CLOSE, (1000).to_bytes(2, "big") + b"\xc3\x28")], "broken_frame"),
    "a close inside a message": ([frame(BINARY, b"\x82", fin=False), frame(CLOSE)], "broken_frame"),
    "one long frame": ([frame(BINARY, LONG)], "too_long"),
    "a long message in two frames": (
        [frame(BINARY, LONG[:MESSAGE_BYTES_MAX], fin=False), frame(CONT, LONG[MESSAGE_BYTES_MAX:])],
        "too_long",
    ),
    "a length that is only announced": ([HUGE_HEAD], "too_long"),
    "one fragment too many": (
        [frame(BINARY, b"", fin=False), *[frame(CONT, b"", fin=False)] * FRAGMENTS_MAX],
        "too_many_fragments",
    ),
    "too many pings": ([frame(PING)] * (CONTROL_FRAMES_MAX + 1), "too_many_fragments"),
    "too many pongs": ([frame(PONG)] * (CONTROL_FRAMES_MAX + 1), "too_many_fragments"),
    "pings between fragments": (
        [frame(BINARY, b"\x82", fin=False), *[frame(PING)] * (CONTROL_FRAMES_MAX + 1)],
        "too_many_fragments",
    ),
    **{f"reserved bits {bits:03b}": ([frame(BINARY, GOOD_PING, reserved=bits)], "broken_frame") for bits in (1, 2, 4)},
    **{
        f"reserved opcode {opcode:#x}": ([frame(opcode, b"abc")], "broken_frame")
        for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)
    },
}


@PIECES
@pytest.mark.parametrize("state", ["challenged", "live"])
@pytest.mark.parametrize("name", FRAMES)
async def test_broken_framing_is_told_and_ends_the_connection(
    shared: Running, name: str, state: str, piece: int | None
) -> None:
    """Frames that break RFC 6455 or a bound get our ERROR and our close code, however they arrive."""
    frames, code = FRAMES[name]
    raw = (await shared.challenged())[0] if state == "challenged" else await shared.live("bad")
    for each in frames:
        if not await raw.send(each[:64], piece) or not await raw.send(each[64:]):
            break
    await refused(raw, code)


@PIECES
async def test_a_message_may_come_in_as_many_frames_as_the_bound_says(shared: Running, piece: int | None) -> None:
    """The bounds refuse what is beyond them and nothing else: 16 fragments, with 64 control frames in between."""
    raw = await shared.live("bad")
    cuts = [GOOD_PING[at : at + 1] for at in range(len(GOOD_PING))]
    parts = [*cuts, *[b""] * (FRAGMENTS_MAX - len(cuts))]
    await raw.send(frame(BINARY, parts[0], fin=False), piece)
    await raw.send(frame(PONG) * CONTROL_FRAMES_MAX)
    for part in parts[1:-1]:
        await raw.send(frame(CONT, part, fin=False), piece)
    await raw.send(frame(CONT, parts[-1]), piece)
    await raw.until(wire.Pong)
    # The longest message there may be: it is refused for what it says, not for its length.
    filler = LONG[5 : 5 + MESSAGE_BYTES_MAX - 5]
    await raw.send(frame(BINARY, b"\xc6" + len(filler).to_bytes(4, "big") + filler))
    await refused(raw, "unknown_type")


async def test_a_ping_frame_is_answered(shared: Running) -> None:
    """A library's own heartbeat works beside ours."""
    raw = await shared.live("bad")
    await raw.send(frame(PING, b"abc"))
    while (found := await raw.frame()) is not None and found[0] == BINARY:
        pass
    assert found == (PONG, b"abc")
    raw.close()


async def test_a_flood_of_empty_fragments_stalls_nobody(shared: Running, good: Handheld) -> None:
    """Half a million frames of one message end its connection at the 17th; another device is answered meanwhile."""
    raw = await shared.live("bad")
    flood = frame(BINARY, b"\x82", fin=False) + frame(CONT, b"", fin=False) * FLOOD_FRAMES
    writing = asyncio.create_task(raw.send(flood))
    await good.ping()
    await refused(raw, "too_many_fragments")
    await writing


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_flood_of_control_frames_stalls_nobody(shared: Running, good: Handheld, opcode: int) -> None:
    """The same of ping and pong frames, which need no message."""
    raw = await shared.live("bad")
    writing = asyncio.create_task(raw.send(frame(opcode) * FLOOD_FRAMES))
    await good.ping()
    await refused(raw, "too_many_fragments")
    await writing


async def test_whatever_follows_a_fault_is_not_looked_at(shared: Running) -> None:
    """Behind the ERROR nothing is answered: sound messages in the same write, and other faults, go unread."""
    raw = await shared.live("bad")
    await raw.send(frame(BINARY, b"\xc1") + frame(BINARY, GOOD_PING) * 3 + frame(TEXT, b"abc"))
    await raw.ending()
    raw.close()


# --- handshake -------------------------------------------------------------------------------------------------------


@PIECES
@pytest.mark.parametrize("subprotocol", [None, "beatbook.v0", "chat, superchat", "BEATBOOK.V1"])
async def test_another_subprotocol_is_refused_in_the_handshake(
    shared: Running, subprotocol: str | None, piece: int | None
) -> None:
    """A client that does not ask for our protocol gets no WebSocket."""
    raw = await shared.open()
    status, _ = await raw.handshake(subprotocol, piece)
    assert status == 403
    await raw.to_the_end()
    raw.close()


@PIECES
async def test_our_subprotocol_is_chosen_among_others(shared: Running, piece: int | None) -> None:
    """A client may offer several; the answer names ours, and no extension."""
    raw = await shared.open()
    status, head = await raw.handshake("chat, beatbook.v1", piece)
    assert status == 101
    assert "sec-websocket-protocol: beatbook.v1" in head.lower()
    assert "sec-websocket-extensions" not in head.lower()
    assert isinstance(await raw.message(), wire.Challenge)
    raw.close()


async def test_compression_is_not_agreed_to(shared: Running) -> None:
    """A client that offers permessage-deflate is let in without it."""
    raw = await shared.open()
    request = RawSocket.request().removesuffix(b"\r\n")
    await raw.send(request + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    status, head = await raw.handshake_answer()
    assert status == 101
    assert "sec-websocket-extensions" not in head.lower()
    raw.close()


@pytest.mark.parametrize("end", [RawSocket.close, RawSocket.reset], ids=["closed", "reset"])
async def test_half_a_handshake_leaves_nothing_behind(shared: Running, end: Callable[[RawSocket], None]) -> None:
    """A client may go at any byte of the handshake."""
    request = RawSocket.request()
    for length in range(len(request) + 1):
        raw = await shared.open()
        await raw.send(request[:length])
        end(raw)


@pytest.mark.parametrize("end", [RawSocket.close, RawSocket.reset], ids=["closed", "reset"])
async def test_a_device_may_go_at_any_byte_of_its_hello(shared: Running, end: Callable[[RawSocket], None]) -> None:
    """A cut in the middle of a frame ends that connection and no other."""
    raw, nonce = await shared.challenged()
    data = frame(BINARY, encode(shared.hello("bad", nonce)))
    raw.close()
    for length in range(0, len(data) + 1, 3):
        raw, nonce = await shared.challenged()
        await raw.send(frame(BINARY, encode(shared.hello("bad", nonce)))[:length])
        end(raw)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00" * 100,
        b"GET /v1/sync HTTP/9.9\r\n\r\n",
        b"GET /v1/sync HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        RawSocket.request().replace(b"Version: 13", b"Version: 12"),
        RawSocket.request(path="/v1/elsewhere"),
        RawSocket.request().replace(b"GET", b"POST"),
    ],
)
async def test_a_handshake_that_is_none_is_answered_in_http(shared: Running, request_bytes: bytes) -> None:
    """What is not the opening of our protocol gets an HTTP error and a closed socket."""
    raw = await shared.open()
    await raw.send(request_bytes)
    answer = await raw.to_the_end()
    assert answer.startswith(b"HTTP/1.1 4")
    raw.close()


async def test_every_connection_of_the_module_has_gone(shared: Running, good: Handheld) -> None:
    """Whatever was done above, only the well-behaved device still has a socket."""
    while len(shared.beatbook.hub) > 1:
        await good.ping()
    assert list(shared.beatbook.hub.connected()) == [good.device]
    assert shared.clock.now >= Millis(NOW)
