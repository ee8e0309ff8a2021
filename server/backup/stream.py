"""The encryption of an archive: as long as it likes, written and read in one pass, and whole or nothing.

    beatbook backup 1                           a line
    {"wraps": […]}                              a line: for whom (`server.backup.keys`), as JSON on one line
    chunk, chunk, …, last chunk                 AES-256-GCM, 256 KiB of content each, the last one shorter

The payload's key is derived from the archive's key and the hash of everything before the chunks (HKDF-SHA256, RFC
5869), so a changed head opens nothing. A chunk's nonce is its number and whether it is the last (the STREAM
construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): chunks that were exchanged, left out or put in do not
open, and an archive that was cut short has no last one. Nothing that was not authenticated is handed out.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.errors import StoreError
from server.backup.keys import KEY_BYTES, Opener, Wrap, unwrap

MAGIC: Final = b"beatbook backup 1\n"
CHUNK_BYTES: Final = 256 * 1_024
TAG_BYTES: Final = 16
HEAD_BYTES_MAX: Final = 64 * 1_024
"""Some hundred recipients; more is no head."""
_SEALED_BYTES: Final = CHUNK_BYTES + TAG_BYTES
_COUNTER_BYTES: Final = 11
_INFO: Final = b"beatbook.v1 backup payload"


class Head(msgspec.Struct, frozen=True):
    """What stands open at the beginning: for whom it is."""

    wraps: tuple[Wrap, ...]


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> object:
        """Take all of them."""


class Source(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """At most so many; none at the end."""


class SealingStream:
    """Takes content and writes it encrypted. It is an archive only once `finish` has returned."""

    def __init__(self, sink: Sink, wrap: Callable[[bytes], Sequence[Wrap]]) -> None:
        """Write the head.

        Args:
            sink: where the archive goes.
            wrap: wraps the archive's key for everybody who is to open it.
        """
        key = os.urandom(KEY_BYTES)
        head = MAGIC + msgspec.json.encode(Head(tuple(wrap(key)))) + b"\n"
        self._sink = sink
        self._cipher = _cipher(key, head)
        self._number = 0
        self._waiting = bytearray()
        self.written = len(head)
        """Bytes of the archive so far."""
        sink.write(head)

    def write(self, data: bytes) -> None:
        """Add content."""
        self._waiting += data
        # The last chunk is known as such only at the end, so one always waits.
        while len(self._waiting) > CHUNK_BYTES:
            self._put(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]

    def finish(self) -> None:
        """Write the last chunk."""
        self._put(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _put(self, chunk: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number, last=last), chunk, None)
        self._number += 1
        self.written += len(sealed)
        self._sink.write(sealed)


class OpeningStream:
    """Reads an archive and hands out its content, each piece of it authenticated."""

    def __init__(self, source: Source, opener: Opener, name: str) -> None:
        """Read the head.

        Args:
            source: the archive.
            opener: a key or a passphrase.
            name: what the archive is called in messages.

        Raises:
            StoreError: it is no archive, or the opener does not open it.
        """
        self._source = source
        self._name = name
        self._behind = b""
        head, raw = self._head()
        self._cipher = _cipher(unwrap(head.wraps, opener), raw)
        self._number = 0
        self._next = self._exactly(_SEALED_BYTES)
        self._open = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        """Exactly so much content, or what is left of it.

        Raises:
            StoreError: the archive is damaged or was cut short; what was handed out before is as it was written.
        """
        found = bytearray()
        while len(found) < size:
            if not self._open:
                if self._ended:
                    break
                self._open = self._chunk()
                continue
            taken = size - len(found)
            found += self._open[:taken]
            self._open = self._open[taken:]
        return bytes(found)

    def _chunk(self) -> bytes:
        sealed, self._next = self._next, self._exactly(_SEALED_BYTES)
        last = not self._next
        try:
            opened = self._cipher.decrypt(_nonce(self._number, last=last), sealed, None)
        except (InvalidTag, ValueError):
            raise StoreError(f"{self._name}: {self._why(sealed, last=last)}; take another backup") from None
        self._number += 1
        self._ended = last
        return opened

    def _why(self, sealed: bytes, *, last: bool) -> str:
        """What is wrong with a chunk that does not open."""
        try:
            self._cipher.decrypt(_nonce(self._number, last=not last), sealed, None)
        except (InvalidTag, ValueError):
            if last and len(sealed) < _SEALED_BYTES:
                return f"is cut short or damaged in its last piece (number {self._number})"
            return f"is damaged, or its pieces were rearranged, at piece {self._number}"
        return f"is cut short behind piece {self._number}" if last else "goes on behind its end"

    def _head(self) -> tuple[Head, bytes]:
        raw = b""
        while raw.count(b"\n") < 2 and len(raw) <= HEAD_BYTES_MAX:  # noqa: PLR2004  the magic's line and the head's
            piece = self._source.read(4_096)
            if not piece:
                break
            raw += piece
        if not raw.startswith(MAGIC):
            raise StoreError(f"{self._name}: is no backup of Beatbook; name a file that `beatbook backup` made")
        line, newline, self._behind = raw[len(MAGIC) :].partition(b"\n")
        try:
            head = msgspec.json.decode(line, type=Head)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise StoreError(f"{self._name}: its head is damaged or cut short; take another backup") from None
        return head, MAGIC + line + newline

    def _exactly(self, size: int) -> bytes:
        found = self._behind[:size]
        self._behind = self._behind[size:]
        pieces = [found]
        missing = size - len(found)
        while missing > 0 and (piece := self._source.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)


def _cipher(key: bytes, head: bytes) -> AESGCM:
    derived = HKDF(SHA256(), KEY_BYTES, salt=hashlib.sha256(head).digest(), info=_INFO).derive(key)
    return AESGCM(derived)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([last])
