"""Frames that are made once: another implementation reads them as the messages they were made of."""

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from server.framing import framed


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 500_000])
def test_a_frame_is_read_as_it_was_meant(size: int) -> None:
    """Each of the three forms of a length (RFC 6455 section 5.2): one final binary frame, unmasked."""
    payload = b"x" * size
    reader = StreamReader()
    reader.feed_data(framed(payload))
    reader.feed_eof()
    parsing = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    frame = done.value.value
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.BINARY, True, payload)
    assert framed(payload) == Frame(Opcode.BINARY, payload).serialize(mask=False)
