"""Bytes to messages and back. The only place that decodes what came from outside.

Every decode is bounded first (`schemas.bounds`; `schemas.bulk` knows quickly of most rows that they are), then typed.
What fails becomes a `FrameError` with a code of the registry; nothing of the decoder's own text reaches the other side
except where and what in the message is wrong.
"""

from typing import Final, TypeVar

import msgspec

from schemas import bounds, bulk
from schemas.errors import FrameError, PeerError
from schemas.limits import (
    DETAIL_CHARS_MAX,
    ELEMENTS_UP_MAX,
    HELLO_BODY_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    OP_BYTES_MAX,
    OP_DEPTH_MAX,
)
from schemas.ops import Op, Row, RowHead
from schemas.wire import Batch, Down, Error, HelloBody, Snapshot, Up

_T = TypeVar("_T")
_ENCODER: Final = msgspec.msgpack.Encoder()
_UP: "Final[msgspec.msgpack.Decoder[Up]]" = msgspec.msgpack.Decoder(Up)
_DOWN: "Final[msgspec.msgpack.Decoder[Down]]" = msgspec.msgpack.Decoder(Down)
_HELLO_BODY: Final = msgspec.msgpack.Decoder(HelloBody)
_OP: Final = msgspec.msgpack.Decoder(Op)
_ROW: Final = msgspec.msgpack.Decoder(Row)
_RAWS: "Final[msgspec.msgpack.Decoder[tuple[msgspec.Raw, ...]]]" = msgspec.msgpack.Decoder(tuple[msgspec.Raw, ...])
_ROW_HEAD: Final = msgspec.msgpack.Decoder(RowHead)


def encode(message: Up | Down | HelloBody | Op | Row) -> bytes:
    """The MessagePack of one message, op or row."""
    return _ENCODER.encode(message)


def decode_up(data: bytes) -> Up:
    """A device's message.

    Raises:
        FrameError: the bytes are not one, or break a bound.
    """
    return _decode(_UP, data, MESSAGE_BYTES_MAX, ELEMENTS_UP_MAX)


def decode_down(data: bytes) -> Down:
    """A server's message; the rows that it brings in plain are rows.

    Raises:
        FrameError: the bytes are not one, or break a bound.
    """
    if bulk.is_batch(data):
        return _typed(_DOWN, data)
    message = _decode(_DOWN, data, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX)
    if isinstance(message, Batch | Snapshot):
        for row in message.rows:
            decode_row(row)
    return message


def decode_rows(data: bytes) -> tuple[msgspec.Raw, ...]:
    """An array of rows, each still encoded.

    Raises:
        FrameError: the bytes are none, or break a bound.
    """
    if bulk.are_rows(data):
        return _typed(_RAWS, data)
    raws = _decode(_RAWS, data, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX)
    for raw in raws:
        decode_row(raw)
    return raws


def row_head(data: bytes | msgspec.Raw) -> RowHead:
    """What a row that was decoded before says of itself first."""
    return _typed(_ROW_HEAD, data)


def decode_hello_body(data: bytes) -> HelloBody:
    """The body inside HELLO.

    Raises:
        FrameError: the bytes are not one, or break a bound.
    """
    return _decode(_HELLO_BODY, data, HELLO_BODY_BYTES_MAX, ELEMENTS_UP_MAX)


def decode_op(data: bytes) -> Op:
    """One op of a PUSH.

    Raises:
        FrameError: the bytes are not one, or break a bound.
    """
    bounds.check(data, OP_BYTES_MAX, ELEMENTS_UP_MAX, OP_DEPTH_MAX)
    return _typed(_OP, data)


def reread_op(data: bytes) -> Op:
    """An op that was decoded and bounded before, from a store or a process of ours.

    Raises:
        FrameError: the bytes are not an op.
    """
    return _typed(_OP, data)


def decode_row(data: bytes | memoryview | msgspec.Raw) -> Row:
    """A record's row, from a message that was bounded as a whole or from a store of ours.

    Raises:
        FrameError: the bytes are not a row.
    """
    return _typed(_ROW, data)


def error_message(error: PeerError, scope: str | None = None) -> Error:
    """The ERROR that tells the other side of `error`."""
    return Error(
        code=error.spec.code,
        recovery=error.spec.recovery.value,
        retry_after_ms=error.retry_after_ms,
        scope=scope,  # type: ignore[arg-type]  # checked against the pattern when the other side decodes it
        detail=error.detail[:DETAIL_CHARS_MAX],
    )


def _decode(decoder: "msgspec.msgpack.Decoder[_T]", data: bytes, bytes_max: int, elements_max: int) -> _T:
    bounds.check(data, bytes_max, elements_max)
    return _typed(decoder, data)


def _typed(decoder: "msgspec.msgpack.Decoder[_T]", data: bytes | memoryview | msgspec.Raw) -> _T:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as wrong:
        text = str(wrong)
        raise FrameError("unknown_type" if _is_about_type(text) else "wrong_field", text) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise FrameError("not_msgpack") from None


def _is_about_type(text: str) -> bool:
    """Whether msgspec's words are about the message itself or its tag `t`, and not about a field inside."""
    return text.endswith(("at `$.t`", "required field `t`")) or (
        text.startswith("Expected `object`") and " at " not in text
    )
