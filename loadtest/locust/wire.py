"""Messages as bytes: MessagePack within the bounds of docs/protocol.md, and the errors that a device names.

What the server sends is bounded here too: 1 MiB of empty maps becomes 76 MB of objects, in this program as in any
other. A change goes to hundreds of devices in the same bytes, and this process is all of them: what the same bytes say
is worked out once (`decoded`), and everybody reads the same objects. Nobody may write to them.
"""

from functools import lru_cache
from typing import Any, Final

import msgpack

MESSAGE_BYTES_MAX: Final = 262_144
ARRAY_LEN_MAX: Final = 2_048
MAP_LEN_MAX: Final = 256
OP_BYTES_MAX: Final = 49_152
OPS_PER_PUSH_MAX: Final = 128
CREDIT_BYTES: Final = 1_048_576
REPAIR_RANGES_MAX: Final = 64
REPAIR_RECORDS_MIN: Final = 16
REPAIRS_MAX: Final = 3
HELLO_TIMEOUT_S: Final = 10.0
PING_INTERVAL_S: Final = 20.0
PONG_TIMEOUT_S: Final = 10.0
BACKOFF_FIRST_S: Final = 0.25
BACKOFF_MAX_S: Final = 15.0
SUBPROTOCOL: Final = "beatbook.v1"
SCHEMA: Final = 4
_SHARED_BYTES_MAX: Final = 16_384
"""Longer messages are pages of snapshots, which few share at one time."""

Message = dict[str, Any]

_CLOSE_CODES: Final = {
    "text_frame": (4400, "stop"),
    "not_msgpack": (4401, "stop"),
    "unknown_type": (4402, "stop"),
    "out_of_order": (4410, "stop"),
    "server_silent": (4413, "retry"),
    "upgrade_required": (4423, "upgrade"),
    "gap": (4440, "retry"),
    "not_welcome": (4441, "stop"),
}


class ProtocolError(Exception):
    """The server broke a rule of the page; the session ends.

    Attributes:
        code, close, recovery: of the page's table of errors.
        detail: what in the message it is about.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.detail = code, detail
        self.close, self.recovery = _CLOSE_CODES[code]


def packed(message: Message) -> bytes:
    """A message's bytes."""
    raw: bytes = msgpack.packb(message, use_bin_type=True)
    return raw


def decoded(data: bytes) -> Message:
    """What a message of the server says; shared, so read only.

    Raises:
        ProtocolError: it is none.
    """
    return _shared(data) if len(data) <= _SHARED_BYTES_MAX else _decoded(data)


def _decoded(data: bytes) -> Message:
    try:
        message = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_array_len=ARRAY_LEN_MAX,
            max_map_len=MAP_LEN_MAX,
            max_ext_len=0,
            max_str_len=MESSAGE_BYTES_MAX,
            max_bin_len=MESSAGE_BYTES_MAX,
        )
    except (ValueError, msgpack.UnpackException) as error:
        raise ProtocolError("not_msgpack", str(error)) from error
    if not isinstance(message, dict) or not isinstance(message.get("t"), str):
        raise ProtocolError("unknown_type", "no map with a key t")
    return message


_shared = lru_cache(maxsize=512)(_decoded)
