"""What stands inside a backup: what it is of, the files one after the other, and at the end what they must come to.

    D  description         JSON, first
    M  a file begins       its name in the data folder, as JSON
    C  a piece of it       up to 1 MiB, as it is
    E  the end             JSON: each file with its length and SHA-256

Each part is its letter, its length (4 bytes, big-endian) and its bytes. The encryption around it
(`server.backup.stream`) has authenticated all of it; the sums at the end show a defect of the machine that wrote it, or
of this program.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, Protocol, TypeVar

import msgspec

from schemas.errors import StoreError
from schemas.ids import Epoch, Millis, Seq
from server.backup.erasures import KeptErasure
from server.backup.stream import Sink, Source

_K = TypeVar("_K")
FORMAT: Final = 1
"""Of what stands inside; a program refuses a later one."""
PIECE_BYTES_MAX: Final = 1_024 * 1_024
_PART_BYTES_MAX: Final = 64 * 1_024 * 1_024
"""Of a description: a hundred thousand erasures. More is no archive."""
_LETTER_AND_LENGTH: Final = 5
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,100}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,100}){0,3}")


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive is of.

    Attributes:
        format: of what follows.
        holds: `folder`, or `erasures` alone.
        at: when it was begun (the server's clock, ms since 1970).
        program: the version of Beatbook that made it.
        epoch: of the database.
        seq, leaves: at least this commit, and so many entries of the log, are in it.
        checkpoint: the log's head of then, signed by the log; "" where there was no key yet.
        log_key: what checks that; "" as above.
        erasures: what had been erased by then, for restores of older archives.
    """

    format: int = FORMAT
    holds: Literal["folder", "erasures"]
    at: Millis
    program: str
    epoch: Epoch
    seq: Seq
    leaves: int
    checkpoint: str = ""
    log_key: str = ""
    erasures: tuple[KeptErasure, ...] = ()


class FileSum(msgspec.Struct, frozen=True):
    """What a file must come to: its name, its length (bytes) and its SHA-256."""

    name: str
    length: int
    sha256: bytes


class _Begin(msgspec.Struct, frozen=True):
    name: str


class _End(msgspec.Struct, frozen=True):
    files: tuple[FileSum, ...]


class Unpacked(Protocol):
    """Takes what comes out of an archive, in order."""

    def begin(self, name: str) -> None:
        """A file begins; the one before has ended."""

    def piece(self, data: bytes) -> None:
        """More of it."""


class ArchiveWriter:
    """Writes an archive's content."""

    def __init__(self, sink: Sink, description: Description) -> None:
        """Begin with the description."""
        self._sink = sink
        self._sums: list[FileSum] = []
        self._part(b"D", msgspec.json.encode(description))

    def file(self, name: str, pieces: Iterable[bytes]) -> None:
        """Add a file."""
        self._part(b"M", msgspec.json.encode(_Begin(name)))
        length, digest = 0, hashlib.sha256()
        for piece in pieces:
            self._part(b"C", piece)
            length += len(piece)
            digest.update(piece)
        self._sums.append(FileSum(name, length, digest.digest()))

    def end(self) -> None:
        """Say what the files come to."""
        self._part(b"E", msgspec.json.encode(_End(tuple(self._sums))))

    def _part(self, letter: bytes, data: bytes) -> None:
        self._sink.write(letter + len(data).to_bytes(4, "big"))
        self._sink.write(data)


def read_description(source: Source, name: str) -> Description:
    """The description, which comes first.

    Args:
        source: the content of the archive.
        name: what the archive is called in messages.

    Raises:
        StoreError: it is of a later format, or not ours.
    """
    letter, data = _read_part(source, name)
    try:
        if letter != b"D":
            raise StoreError(f"{name}: does not begin with a description; it is no backup of ours")
        found = msgspec.json.decode(data, type=Description)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{name}: its description cannot be read ({error}); take the program that made it") from None
    if found.format > FORMAT:
        raise StoreError(
            f"{name}: has format {found.format}, from a newer version ({found.program}); this one knows up to "
            f"{FORMAT}: update this program"
        )
    return found


def read_files(source: Source, name: str, to: Unpacked) -> tuple[FileSum, ...]:
    """Everything behind the description.

    Args:
        source: the content behind the description.
        name: what the archive is called in messages.
        to: takes the files. What it has is nothing before this has returned.

    Raises:
        StoreError: the archive is damaged or cut short, or a file is not what it must come to.
    """
    files = _Files(to, name)
    for letter, data in _parts(source, name):
        match letter:
            case b"M":
                files.begin(_decoded(data, _Begin, name).name)
            case b"C":
                files.piece(data)
            case b"E":
                return files.end(_decoded(data, _End, name).files, ended=not source.read(1))
            case _:
                break
    raise StoreError(f"{name}: holds a part that this version does not know; it is no backup of ours")


class _Files:
    """Counts and hashes what is handed on."""

    def __init__(self, to: Unpacked, name: str) -> None:
        self._to = to
        self._name = name
        self._sums: list[FileSum] = []
        self._current: str | None = None
        self._length = 0
        self._digest = hashlib.sha256()

    def begin(self, name: str) -> None:
        if _NAME.fullmatch(name) is None or name in {one.name for one in self._sums} | {self._current}:
            raise StoreError(f"{self._name}: holds a file {name[:80]!r}, which no data folder has; it is not ours")
        self._close()
        self._current = name
        self._to.begin(name)

    def piece(self, data: bytes) -> None:
        if self._current is None:
            raise StoreError(f"{self._name}: holds content of no file; it is no backup of ours")
        self._length += len(data)
        self._digest.update(data)
        self._to.piece(data)

    def end(self, expected: tuple[FileSum, ...], *, ended: bool) -> tuple[FileSum, ...]:
        self._close()
        wrong = [mine.name for mine, theirs in zip(self._sums, expected, strict=False) if mine != theirs]
        if wrong or len(self._sums) != len(expected) or not ended:
            raise StoreError(
                f"{self._name}: {wrong[0] if wrong else 'the list of its files'} is not what was written; the machine "
                "that made the backup has a defect: take another backup, and look at its memory and disk"
            )
        return expected

    def _close(self) -> None:
        if self._current is not None:
            self._sums.append(FileSum(self._current, self._length, self._digest.digest()))
        self._length, self._digest = 0, hashlib.sha256()


def _parts(source: Source, name: str) -> Iterator[tuple[bytes, bytes]]:
    while True:
        yield _read_part(source, name)


def _read_part(source: Source, name: str) -> tuple[bytes, bytes]:
    head = source.read(_LETTER_AND_LENGTH)
    length = int.from_bytes(head[1:], "big")
    data = source.read(length) if len(head) == _LETTER_AND_LENGTH and length <= _PART_BYTES_MAX else b""
    if len(head) < _LETTER_AND_LENGTH or len(data) < length:
        raise StoreError(f"{name}: ends in the middle of a part; it is no whole backup: take another")
    return head[:1], data


def _decoded(data: bytes, kind: type[_K], name: str) -> _K:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{name}: a part of it cannot be read ({error}); take another backup") from None
