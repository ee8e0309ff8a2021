"""Where an archive goes: to a file that is whole or not there, or to standard output.

A file is written beside its name and renamed when all of it is on the disk, so a backup that is there is a whole one,
and the one before is there until then. What a killed process left is removed by the next, which tells it by the lock
that nobody holds any more.
"""

import contextlib
import fcntl
import os
import re
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from schemas.errors import StoreError, UsageError
from schemas.ids import Millis
from server.store.masters import sync_folder
from server.store.sqlite.trouble import store_errors

STDOUT: Final = "-"
SUFFIX: Final = ".bbk"
SYNC_BYTES: Final = 4 * 1_024 * 1_024
"""How much is written before it is brought to the disk: hundreds of megabytes at once held up the server's own syncs,
and with them every edit, for a tenth of a second."""
KEEP_MAX: Final = 10_000
_NAMED: Final = re.compile(rf"beatbook-\d{{8}}T\d{{9}}Z\{SUFFIX}")
"""A name that this module gave; no other file is ever removed."""


def file_in(folder: Path, at: Millis) -> Path:
    """The name of a backup in a folder of backups: names sort as times do."""
    moment = datetime.fromtimestamp(at / 1_000, UTC)
    return folder / f"beatbook-{moment:%Y%m%dT%H%M%S}{at % 1_000:03d}Z{SUFFIX}"


class Target:
    """Takes bytes, and says where it was that they could not be written."""

    def __init__(self, file: BinaryIO, name: Path, *, sync: bool = False) -> None:
        """Write to `file`, which is called `name` in messages; with `sync`, bring it to the disk bit by bit."""
        self._file = file
        self._name = name
        self._sync = sync
        self._unsynced = 0

    def write(self, data: bytes) -> None:
        """Write all of it.

        Raises:
            StoreError: it cannot be.
        """
        left = memoryview(data)
        with store_errors(self._name):
            while left:
                left = left[self._file.write(left) :]
            self._unsynced += len(data)
            if self._sync and self._unsynced >= SYNC_BYTES:
                os.fsync(self._file.fileno())
                self._unsynced = 0


@contextlib.contextmanager
def opened(path: Path | None) -> Iterator[Target]:
    """Something to write to. When the block ends without an error, the file is there, whole and on disk.

    Args:
        path: the file; None is standard output.

    Raises:
        UsageError: standard output is a terminal.
        StoreError: it cannot be written. What was there is there.
    """
    if path is None:
        with _stdout() as out:
            yield out
        return
    with _beside(path) as file:
        yield file


def pruned(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest backups of a folder; only those that bear a name of ours.

    Args:
        folder: of backups.
        keep: how many stay, 1 or more.

    Returns:
        What was removed.

    Raises:
        StoreError: one could not be removed.
    """
    with store_errors(folder):
        found = sorted(path for path in folder.iterdir() if _NAMED.fullmatch(path.name))
        old = found[: max(0, len(found) - keep)]
        for path in old:
            path.unlink(missing_ok=True)
        sync_folder(folder)
    return old


@contextlib.contextmanager
def _stdout() -> Iterator[Target]:
    if sys.stdout.isatty():
        raise UsageError("standard output is a terminal; send the backup into a file or a program")
    name = Path("standard output")
    try:
        yield Target(sys.stdout.buffer, name)
        with store_errors(name):
            sys.stdout.buffer.flush()
    except StoreError:
        # Where whoever read it has gone, the interpreter's own flush at its end would fail as well.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Target]:
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, expected a file")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent}: there is no such folder; make it first")
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    with store_errors(path):
        _remove_left(path)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    # Unbuffered: chunks are large, and closing writes nothing that could fail.
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield Target(file, path, sync=True)
            with store_errors(path):
                os.fsync(descriptor)
                beside.replace(path)
                sync_folder(path.parent)
        finally:
            beside.unlink(missing_ok=True)


def _remove_left(path: Path) -> None:
    """Remove what processes that were killed left half-written."""
    for left in path.parent.glob(".beatbook-*.new" if _NAMED.fullmatch(path.name) else f".{path.name}.*.new"):
        with contextlib.suppress(FileNotFoundError), left.open("rb") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            left.unlink(missing_ok=True)
