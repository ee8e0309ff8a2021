"""A data folder as one committed state, while its server runs and goes on writing.

The database's file is copied byte for byte, and its write-ahead log behind it; SQLite's own recovery makes of the two
the state of the last commit in the log's copy. What makes that right is one read transaction, open meanwhile:

- as long as a reader stands at commit M, a checkpoint writes into the database's file only pages of commits up to M,
  and the log is not begun anew (sqlite.org/wal.html, "concurrency"). So whatever page of the file was old, new or half
  written when it was copied stands whole in the log's copy (which comes last, to have the latest commits);
- a reader that found an empty log keeps checkpoints from writing into the file at all.

The copy is as fast as the disk: the reader is there for seconds, not for as long as somebody takes to encrypt rows.
It keeps the log from being cut, so it gives up before that has grown too far. Closing any descriptor of the database's
file drops SQLite's locks on it in this process (POSIX `fcntl`), so ours is closed after the connection.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import StoreError
from schemas.ids import Epoch, Seq
from server.authority.keys import FOLDER as KEYS
from server.backup.archive import PIECE_BYTES_MAX
from server.store.masters import FILE_NAME as MASTERS
from server.store.masters import MasterKeys, key_file
from server.store.sqlite import log, schema
from server.store.sqlite.folder import PLACE, database_of
from server.store.sqlite.trouble import store_errors
from sync.evidence.merkle import Frontier

WAL_GROWTH_MAX: Final = 1024 * 1024 * 1024
"""How far the write-ahead log may grow behind the reader (bytes): a quarter of an hour of a force's design load."""
MADE_ANEW: Final = frozenset({"lock", "address.json", PLACE, "backup.json", "lost+found"})
"""Files of a data folder that say something of this machine or this run, and nothing of what happened."""
SMALL_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of a file beside the database; keys have hundreds of bytes."""

_WAL: Final = "-wal"


class Snapshot(msgspec.Struct, frozen=True):
    """What is being copied.

    Attributes:
        data: the data folder.
        epoch, seq: the database's history, and its last commit when the reader began; the copy has that one or a later.
        tree: the log's right edge then.
        masters: the file of master keys, as it is.
        descriptors: what is closed once SQLite's connection is.
        growth_max: how far the write-ahead log may grow meanwhile (bytes).
    """

    data: Path
    epoch: Epoch
    seq: Seq
    tree: Frontier
    masters: bytes
    descriptors: ExitStack
    growth_max: int

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """(name, pieces) of each file, the database first. Take each one's pieces before the next.

        Raises:
            StoreError: one cannot be read, the log has grown too far, or the master keys were changed meanwhile.
        """
        database = database_of(self.data)
        yield database.name, self._database(database)
        wal = database.with_name(f"{database.name}{_WAL}")
        yield wal.name, self._wal(wal)
        for name in sorted(self._beside()):
            yield name, iter([_read(self.data / name)])
        if _read(key_file(self.data)) != self.masters:
            raise StoreError(f"{key_file(self.data)}: the master keys were changed meanwhile; take the backup again")
        yield MASTERS, iter([self.masters])

    def _database(self, path: Path) -> Iterator[bytes]:
        wal = path.with_name(f"{path.name}{_WAL}")
        began = _size(wal)
        with store_errors(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # Closed with the snapshot, behind SQLite's connection: see above.
        self.descriptors.callback(os.close, descriptor)
        at = 0
        while piece := _pread(descriptor, PIECE_BYTES_MAX, at, path):
            yield piece
            at += len(piece)
            if _size(wal) - began > self.growth_max:
                raise StoreError(
                    f"{wal}: has grown by more than {self.growth_max >> 20} MiB while the backup was written; give it "
                    "a faster disk, or write it to a file and send that"
                )

    def _wal(self, path: Path) -> Iterator[bytes]:
        """The log up to where it is now; what is appended meanwhile is in the next backup."""
        left = _size(path)
        if not left:
            return
        with store_errors(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.descriptors.callback(os.close, descriptor)
        at = 0
        while left and (piece := _pread(descriptor, min(left, PIECE_BYTES_MAX), at, path)):
            yield piece
            at, left = at + len(piece), left - len(piece)

    def _beside(self) -> Iterator[str]:
        """Names of the other files: the format, the server's keys, and whatever else somebody keeps there."""
        database = database_of(self.data).name
        for folder in (self.data, self.data / KEYS):
            with store_errors(folder):
                entries = sorted(folder.iterdir()) if folder.is_dir() else []
            for entry in entries:
                name = entry.relative_to(self.data).as_posix()
                left = name.startswith((database, ".")) or name.endswith(".new") or name in {*MADE_ANEW, MASTERS}
                if entry.is_file() and not left:
                    yield name


@contextmanager
def snapshot(data: Path, growth_max: int = WAL_GROWTH_MAX) -> Iterator[Snapshot]:
    """A data folder, held in one state until the block ends. Its server may run, or not.

    Args:
        data: the data folder.
        growth_max: how far the write-ahead log may grow meanwhile (bytes).

    Raises:
        StoreError: there is no database, it is not of this program's version, or its master keys are not here.
    """
    database = database_of(data)
    if not database.exists():
        raise StoreError(f"{data}: there is no database in it; name the data folder that the server runs on")
    keys, raw = MasterKeys.read(key_file(data)), _read(key_file(data))
    with ExitStack() as descriptors:
        with store_errors(database):
            connection = schema.open_reader(database)
        with closing(connection):
            with store_errors(database):
                connection.execute("BEGIN")
                epoch, seq = _where(connection, database, keys)
                tree = log.read_tree(connection)
            yield Snapshot(data, epoch, seq, tree, raw, descriptors, growth_max)


def _where(connection: sqlite3.Connection, database: Path, keys: MasterKeys) -> tuple[Epoch, Seq]:
    """The first read, at which the reader takes its place."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != schema.VERSION:
        raise StoreError(
            f"{database}: the database has version {version}, this program backs up version {schema.VERSION}; take the "
            "program that wrote it, or start the server on it once to bring it up to date"
        )
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    for master in str(meta["masters"]).split():
        keys.require(bytes.fromhex(master), str(database))
    return Epoch(str(meta["epoch"])), Seq(int(meta["seq"]))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _pread(descriptor: int, size: int, at: int, path: Path) -> bytes:
    with store_errors(path):
        return os.pread(descriptor, size, at)


def _read(path: Path) -> bytes:
    with store_errors(path):
        if path.stat().st_size > SMALL_BYTES_MAX:
            raise StoreError(
                f"{path}: is no file of a data folder, with {path.stat().st_size} bytes; keep it elsewhere"
            )
        return path.read_bytes()
