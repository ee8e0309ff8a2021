"""Drafts: what an officer writes when the lease has ended, sealed to the server as it is written.

Nothing can be read then, but nothing that happens in the street may be lost either. A draft is sealed with HPKE (RFC
9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM) to the server's public quarantine key, and
appended to a file; this device cannot read it afterwards. The server takes it into quarantine, for a supervisor.

    replica.drafts   magic (8 bytes) || number of the first draft (8 bytes, big-endian)
                     then per draft: length (4 bytes, big-endian) || start of SHA-256 of the rest (8 bytes) || sealed

A draft is there when `append` returns: the file is synced. What a power cut leaves of a half-written one is put aside
by the next one; the drafts before it are whole. Who wrote a draft is what it says itself: base mode authenticates no
sender, and the message that carries drafts up is under the device's own proof.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId, DeviceText, MillisInt, OfficerText, RecordText, SlugText
from schemas.limits import OP_BYTES_MAX
from sync.device.secretfile import replace_secret, write_all
from sync.device.wiping import refuse_wiped
from sync.sealing import seal

DRAFTS_FILE: Final = "replica.drafts"
DRAFT_BYTES_MAX: Final = OP_BYTES_MAX
"""One draft before it is sealed: as much as an op."""
_MAGIC: Final = b"bbdraft1"
_HEAD: Final = len(_MAGIC) + 8
_FRAME: Final = 4 + 8


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What was written.

    Attributes:
        seat: where it was written.
        kind: of the record.
        record: the record, or None for a new one.
        changes: field -> plain value, as in an op.
        occurred_at: when it happened, as its author says (ms since 1970).
        author: collar number.
        wall: the device's clock when it was written (ms since 1970).
    """

    seat: DeviceText
    kind: SlugText
    record: RecordText | None
    changes: dict[str, Any]
    occurred_at: MillisInt
    author: OfficerText
    wall: MillisInt


def encode_draft(draft: Draft) -> bytes:
    """The draft as MessagePack, which is what is sealed.

    Raises:
        UsageError: it is too long, or holds a value that has no form.
    """
    try:
        raw = msgspec.msgpack.encode(draft)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UsageError(f"this draft cannot be written: {error}") from None
    if len(raw) > DRAFT_BYTES_MAX:
        raise UsageError(f"this draft has {len(raw)} bytes, and at most {DRAFT_BYTES_MAX} can be kept: split it")
    return raw


class DraftBox:
    """A seat's drafts. Needs neither PIN nor lease; use it in one process at a time."""

    def __init__(self, folder: Path, seat: DeviceId, quarantine: bytes) -> None:
        """Name it; nothing is read or made yet.

        Args:
            folder: the seat's.
            seat: its id.
            quarantine: the server's public quarantine key, 32 bytes.
        """
        self._path = folder / DRAFTS_FILE
        self._seat = seat
        self._quarantine = quarantine

    def append(self, draft: Draft) -> int:
        """Seal a draft and keep it; it is on disk when this returns.

        Returns:
            Its number, which no other draft of the seat ever gets.

        Raises:
            UsageError: it is too long, or holds a value that has no form.
            ReplicaError: it cannot be kept; those before it are as they were.
        """
        refuse_wiped(self._path.parent)
        if draft.seat != self._seat:
            raise UsageError(f"a draft of {draft.seat} does not go into the box of {self._seat}")
        frame = _frame(seal(encode_draft(draft), self._quarantine))
        with self._held() as descriptor:
            raw = _read_all(descriptor)
            first, drafts, end = _parse(raw, self._path)
            if raw[end:]:
                # Torn by a power cut, and never said to be kept; or damaged. Either way it is in the way, and stays.
                replace_secret(self._path.with_name(f"{DRAFTS_FILE}.torn-{first + len(drafts)}"), raw[end:])
                os.ftruncate(descriptor, end)
            os.lseek(descriptor, end, os.SEEK_SET)
            write_all(descriptor, frame)
            os.fsync(descriptor)
        return first + len(drafts)

    def sealed(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """(number, sealed bytes) of drafts with numbers above `after`, in order.

        Raises:
            ReplicaError: the file cannot be read.
        """
        if not self._path.exists():
            return []
        with self._held() as descriptor:
            first, drafts, _ = _parse(_read_all(descriptor), self._path)
        return [(n, sealed) for n, sealed in enumerate(drafts, first) if n > after][:limit]

    def count(self, after: int) -> int:
        """How many drafts with numbers above `after` there are.

        Raises:
            ReplicaError: the file cannot be read.
        """
        if not self._path.exists():
            return 0
        with self._held() as descriptor:
            first, drafts, _ = _parse(_read_all(descriptor), self._path)
        return max(0, first + len(drafts) - 1 - max(after, first - 1))

    def drop(self, upto: int) -> None:
        """Forget drafts up to and with that number: the server has them.

        Raises:
            ReplicaError: the file cannot be written; they are all still there.
        """
        if not self._path.exists():
            return
        with self._held() as descriptor:
            first, drafts, _ = _parse(_read_all(descriptor), self._path)
            rest = drafts[max(0, upto - first + 1) :]
            start = min(max(first, upto + 1), first + len(drafts))
            replace_secret(self._path, _MAGIC + start.to_bytes(8, "big") + b"".join(map(_frame, rest)))

    @contextmanager
    def _held(self) -> Iterator[int]:
        """The file, open and locked; made when there is none."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._path.exists():
                replace_secret(self._path, _MAGIC + (1).to_bytes(8, "big"))
            descriptor = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield descriptor
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ReplicaError(f"the drafts in {self._path} cannot be used: {error.strerror}") from error


def _frame(sealed: bytes) -> bytes:
    return len(sealed).to_bytes(4, "big") + _sum(sealed) + sealed


def _sum(sealed: bytes) -> bytes:
    return hashlib.sha256(sealed).digest()[:8]


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()


def _parse(raw: bytes, path: Path) -> tuple[int, list[bytes], int]:
    """The number of the first draft, the whole drafts, and where the last of them ends.

    Raises:
        ReplicaError: it is no file of drafts.
    """
    if raw[: len(_MAGIC)] != _MAGIC or len(raw) < _HEAD:
        raise ReplicaError(f"{path} holds no drafts. Nothing was touched: move it away, and keep it")
    drafts = []
    end = _HEAD
    while len(raw) >= end + _FRAME:
        length = int.from_bytes(raw[end : end + 4], "big")
        sealed = raw[end + _FRAME : end + _FRAME + length]
        if len(sealed) < length or _sum(sealed) != raw[end + 4 : end + _FRAME]:
            break
        drafts.append(sealed)
        end += _FRAME + length
    return int.from_bytes(raw[len(_MAGIC) : _HEAD], "big"), drafts, end
