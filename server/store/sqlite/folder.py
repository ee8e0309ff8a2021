"""The data folder: whose it is, of which format, and that only one process writes in it.

    beatbook.db        the database, and -wal and -shm beside it while it is open
    FORMAT             `beatbook 1`: the folder's format
    lock               held (flock) by the one process that writes
    master.key         the master keys, unless they are kept elsewhere (`server.store.masters`)
    place              that this folder is the original, and of which epoch (`server.restored`)

A new database is built under another name and renamed when it is whole, and FORMAT comes last. So a folder that was
cut off while it was made is told from one whose database has gone: the first is made anew, the second is refused.
Nothing is ever created over something that is there.
"""

import contextlib
import fcntl
import os
import re
import time
from pathlib import Path
from typing import Final

from schemas.errors import StoreError
from server.store.masters import FILE_NAME, sync_folder
from server.store.sqlite.trouble import store_errors

FORMAT: Final = 1
"""The folder's format that this program writes, and the newest it knows."""
LOCK_WAIT_S: Final = 5.0
"""How long to wait for a predecessor: killed, its writing process ends a commit and folds the WAL in before it goes."""

_DATABASE: Final = "beatbook.db"
_UNFINISHED: Final = "beatbook.db.new"
_FORMAT_FILE: Final = "FORMAT"
_FORMAT_UNFINISHED: Final = "FORMAT.new"
_LOCK: Final = "lock"
PLACE: Final = "place"
"""Its first line tells FORMAT of this folder from every copy of it, its second names the epoch."""
_BESIDE: Final = {"devices", "control.token", "address.json", "lost+found", FILE_NAME}
"""What else a data folder may hold before it has a database: what other parts of the server keep, and ext4's own."""
_LOCK_PAUSE_S: Final = 0.05


class DataFolder:
    """A data folder that this process holds the lock of."""

    def __init__(self, path: Path, lock: int) -> None:
        """Use `claim`."""
        self.path = path
        self._lock = lock

    @classmethod
    def claim(cls, path: Path, wait_s: float = LOCK_WAIT_S) -> "DataFolder":
        """Make the folder if it is not there, and lock it.

        A folder that this makes is its owner's only (0700); one that is there keeps the mode that its owner gave it.

        Args:
            path: the folder.
            wait_s: how long to wait for another process that holds it (seconds).

        Raises:
            StoreError: it is not a data folder, it is of a newer format, its database has gone, another process
                holds it, or the disk refused.
        """
        with store_errors(path):
            if path.exists() and not path.is_dir():
                raise StoreError(f"{path}: is a file, expected a data folder; name another one")
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check(path)
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                _take(lock, path, wait_s)
                # Once more: whoever held the lock may just have made the folder what it is.
                _check(path)
            except BaseException:
                os.close(lock)
                raise
        return cls(path, lock)

    @property
    def database(self) -> Path:
        """The database."""
        return database_of(self.path)

    @property
    def has_database(self) -> bool:
        """Whether the folder has been used before."""
        return self.database.exists()

    def clear_unfinished(self) -> Path:
        """The name under which a new database is built; what an earlier attempt left there is gone."""
        for path in self.path.glob(f"{_UNFINISHED}*"):
            path.unlink()
        unfinished = self.path / _UNFINISHED
        # SQLite gives the files beside a database the mode of the database, so this settles all of them.
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return unfinished

    def adopt(self, unfinished: Path) -> None:
        """Make the finished new database the folder's."""
        if self.has_database:
            raise StoreError(f"{self.database}: is there already; nothing is created over it")
        unfinished.rename(self.database)
        sync_folder(self.path)

    def seal(self) -> None:
        """Write FORMAT, if it is not there yet: from now on the folder must have its database."""
        if (self.path / _FORMAT_FILE).exists():
            return
        beside = self.path / _FORMAT_UNFINISHED
        with beside.open("w", encoding="ascii") as file:
            file.write(f"beatbook {FORMAT}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.rename(self.path / _FORMAT_FILE)
        sync_folder(self.path)

    @property
    def is_copy(self) -> bool:
        """Whether the folder was unpacked, copied or moved to another disk since its place was written down.

        A folder that says nothing of its place is new, or of an earlier program.
        """
        try:
            told = (self.path / PLACE).read_text("ascii", "replace")
        except FileNotFoundError:
            return False
        return told.partition("\n")[0] != place_of(self.path)

    def release(self) -> None:
        """Let the next process have the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def place_of(path: Path) -> str:
    """What tells this folder from a copy of it: FORMAT is written once, and nobody can set when it was last changed."""
    about = (path / _FORMAT_FILE).stat()
    return f"{about.st_ino} {about.st_ctime_ns}"


def database_of(path: Path) -> Path:
    """Where a data folder's database is."""
    return path / _DATABASE


def _check(path: Path) -> None:
    """Refuse a folder that is not a data folder, or not one that this program can use."""
    names = {entry.name for entry in path.iterdir()}
    if _FORMAT_FILE in names:
        _check_format(path / _FORMAT_FILE)
        if _DATABASE not in names:
            raise StoreError(
                f"{path}: is a data folder, but its database {_DATABASE} has gone; put it back or restore a backup "
                "into a new folder"
            )
        return
    foreign = sorted(
        name
        for name in names - _BESIDE - {_LOCK, _FORMAT_UNFINISHED}
        if not name.startswith((".", _DATABASE))
    )  # fmt: skip
    if foreign:
        raise StoreError(
            f"{path}: is not a data folder: there is no {_FORMAT_FILE} in it, but there is {foreign[0]!r}; "
            "name an empty folder, or one that does not exist yet"
        )


def _check_format(path: Path) -> None:
    text = path.read_bytes()[:100].decode("ascii", "replace").strip()
    found = re.fullmatch(r"beatbook ([0-9]{1,9})", text)
    if found is None:
        raise StoreError(
            f"{path}: holds {text[:40]!r}, expected 'beatbook {FORMAT}'; this is not a data folder of ours"
        )
    if int(found[1]) > FORMAT:
        raise StoreError(
            f"{path}: the data folder has format {found[1]}, from a newer version; this one knows up to {FORMAT}. "
            "Nothing was touched: update this program"
        )


def _take(lock: int, path: Path, wait_s: float) -> None:
    """Lock, waiting for a predecessor that is about to go."""
    until = time.monotonic() + wait_s
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        left = until - time.monotonic()
        if left <= 0:
            raise StoreError(f"{path}: another server uses this data folder; stop it, or name another folder")
        time.sleep(min(left, _LOCK_PAUSE_S))
