"""The distinct id types, their written form, and how one is read from text.

Every id travels as text. The `...Text` types carry the pattern that decoding enforces, so that no later code meets
an id of another form; the bare types are what functions take and return.
"""

import hashlib
import re
from typing import Annotated, Final, NewType

import msgspec

from schemas.limits import INT_MAX

# `$` also matches before a final newline in Python; the lookahead makes every language agree.
_END: Final = r"$(?!\n)"
DEVICE_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{1,39}" + _END
OFFICER_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,39}" + _END
RECORD_FORM: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
RECORD_PATTERN: Final = f"^{RECORD_FORM}{_END}"
EDGE_PATTERN: Final = f"^({RECORD_FORM})?{_END}"
SCOPE_PATTERN: Final = r"^[a-z]+(:[a-z0-9][a-z0-9-]{0,39}){0,3}" + _END
SLUG_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,39}" + _END
EPOCH_PATTERN: Final = r"^[0-9a-f]{16}" + _END
FIELD_PATTERN: Final = r"^[a-z][a-z0-9_]{0,39}" + _END
OP_PATTERN: Final = DEVICE_PATTERN.removesuffix(_END) + r"/[1-9][0-9]{0,15}" + _END

DeviceId = NewType("DeviceId", str)
"""One handheld, desk or control-room position: `hh-0042`. Lower case, 2 to 40 characters."""
OfficerId = NewType("OfficerId", str)
"""The person, by collar number: `WM21877`."""
RecordId = NewType("RecordId", str)
"""One record: a UUID (RFC 9562) in lower case, made where the record is made. Version 7 for new ones."""
ScopeName = NewType("ScopeName", str)
"""The unit of replication: `area:birmingham`, `suite:perry-barr`. See `schemas.scopes`."""
FieldName = NewType("FieldName", str)
"""A field of a record kind: `grade`."""
OpNumber = NewType("OpNumber", int)
"""Counts the ops of one device from 1. (device, n) names an op for ever and is never used for another."""
OpId = NewType("OpId", str)
"""An op's name as text: `hh-0042/17`."""
Seq = NewType("Seq", int)
"""A commit's place in the server's one order, from 1; 0 is before every commit. Also a record's version."""
Generation = NewType("Generation", int)
"""Rises when a device's grant of a scope changes. A batch of another generation is dropped."""
Epoch = NewType("Epoch", str)
"""One unbroken history of a server; another one after a restore from backup. 16 hexadecimal digits."""
Millis = NewType("Millis", int)
"""A moment: milliseconds since 1970-01-01T00:00Z, leap seconds not counted (as POSIX time)."""

DeviceText = Annotated[DeviceId, msgspec.Meta(pattern=DEVICE_PATTERN)]
OfficerText = Annotated[OfficerId, msgspec.Meta(pattern=OFFICER_PATTERN)]
RecordText = Annotated[RecordId, msgspec.Meta(pattern=RECORD_PATTERN)]
EdgeText = Annotated[str, msgspec.Meta(pattern=EDGE_PATTERN)]
"""One end of a stretch of record ids: an id, or "" for the end that has none."""
ScopeText = Annotated[ScopeName, msgspec.Meta(pattern=SCOPE_PATTERN)]
FieldText = Annotated[FieldName, msgspec.Meta(pattern=FIELD_PATTERN)]
SlugText = Annotated[str, msgspec.Meta(pattern=SLUG_PATTERN)]
EpochText = Annotated[Epoch, msgspec.Meta(pattern=EPOCH_PATTERN)]
OpText = Annotated[OpId, msgspec.Meta(pattern=OP_PATTERN)]
OpNumberInt = Annotated[OpNumber, msgspec.Meta(ge=1, le=INT_MAX)]
SeqInt = Annotated[Seq, msgspec.Meta(ge=0, le=INT_MAX)]
GenerationInt = Annotated[Generation, msgspec.Meta(ge=1, le=INT_MAX)]
MillisInt = Annotated[Millis, msgspec.Meta(ge=0, le=INT_MAX)]

UUID_RANDOM_BYTES: Final = 10


def op_id(device: DeviceId, n: OpNumber) -> OpId:
    """The text name of a device's n-th op."""
    return OpId(f"{device}/{n}")


def split_op_id(op: OpId) -> tuple[DeviceId, OpNumber]:
    """The device and number that an op's text name holds.

    Raises:
        ValueError: `op` has not the form `device/n`.
    """
    if re.match(OP_PATTERN, op) is None:
        raise ValueError(f"{op!r} is not an op id: expected device/number, as in hh-0042/17")
    device, _, n = op.rpartition("/")
    return DeviceId(device), OpNumber(int(n))


def new_record_id(now: Millis, noise: bytes) -> RecordId:
    """A UUID version 7 (RFC 9562 section 5.7) from a moment and 10 random bytes.

    Args:
        now: the moment of making; ids made later sort later, which keeps indexes compact.
        noise: exactly 10 random bytes. They are passed in, so that the protocol core needs no source of randomness.

    Raises:
        ValueError: `noise` is not 10 bytes long.
    """
    if len(noise) != UUID_RANDOM_BYTES:
        raise ValueError(f"a record id needs {UUID_RANDOM_BYTES} random bytes, got {len(noise)}")
    raw = bytearray(now.to_bytes(6, "big") + noise)
    return _uuid_text(raw, version=7)


def named_record_id(*parts: str) -> RecordId:
    """A UUID version 8 (RFC 9562 section 5.8) that depends on `parts` alone: the same source row, the same record.

    Args:
        parts: texts that together name the source; order matters, and no two lists of parts collide by joining.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return _uuid_text(bytearray(digest.digest()[:16]), version=8)


def is_record_id(text: str) -> bool:
    """Whether `text` has a record id's form."""
    return re.match(RECORD_PATTERN, text) is not None


def record_bytes(record: RecordId) -> bytes:
    """A record id as its 16 bytes (RFC 9562 section 4)."""
    return bytes.fromhex(record.replace("-", ""))


def record_id(raw: bytes) -> RecordId:
    """The record id of these 16 bytes."""
    text = raw.hex()
    return RecordId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def _uuid_text(raw: bytearray, version: int) -> RecordId:
    raw[6] = (raw[6] & 0x0F) | (version << 4)
    raw[8] = (raw[8] & 0x3F) | 0x80
    return record_id(bytes(raw))
