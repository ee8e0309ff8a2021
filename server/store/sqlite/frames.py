"""What the server and its writing process say to each other: MessagePack behind its length, over a socketpair.

One `Ask` at a time goes down; one answer comes back. The first answer, `Opened` or `Failed`, comes unasked.
"""

import struct
from io import BufferedIOBase
from typing import Final

import msgspec

from schemas.ids import Epoch, Millis
from server.commits import Settled, Submission
from server.observing.measures import Took

HEAD: Final = struct.Struct(">I")
"""Bytes of MessagePack that follow, big-endian."""


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Commit this group; `now` is the server's clock (ms since 1970)."""

    group: tuple[Submission, ...]
    now: Millis


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The database is open for writing."""

    epoch: Epoch


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The group is on disk."""

    settled: tuple[Settled, ...]
    took: Took = Took()


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It is not: the text of the StoreError."""

    text: str


Answer = Opened | Done | Failed

_ENCODER: Final = msgspec.msgpack.Encoder()
_ASK: Final = msgspec.msgpack.Decoder(Ask)
_ANSWER: "Final[msgspec.msgpack.Decoder[Answer]]" = msgspec.msgpack.Decoder(Answer)


def pack(message: Ask | Answer) -> bytes:
    """One message with its length."""
    body = _ENCODER.encode(message)
    return HEAD.pack(len(body)) + body


def unpack_answer(body: bytes) -> Answer:
    """The message in a frame's body, as the server reads it."""
    return _ANSWER.decode(body)


def read_ask(source: BufferedIOBase) -> Ask | None:
    """The next message, as the writing process reads it; None when the server has gone."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    (length,) = HEAD.unpack(head)
    body = source.read(length)
    return _ASK.decode(body) if len(body) == length else None
