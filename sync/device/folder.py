"""The replica's folder: which files there are, who may have them open, and whose key they are under.

The key check tells a wrong key from a damaged database, which SQLCipher cannot: setting a healthy replica aside because
someone came with the wrong key would hide edits that no server has yet.

    replica.db, -wal, -shm   the SQLCipher database
    replica.check            JSON: the format, and HMAC-SHA256 of the data key over fixed words
    replica.lock             held (flock) by the one process that has the replica open
    replica.keys             the seat's wrapped keys, where a PIN guards them (`sync.device.slots`)
    replica.drafts           what was written while the replica was shut, sealed to the server (`sync.device.drafts`)
    replica.wiped            the folder was wiped, and is never opened again (`sync.device.wiping`)
    *.new                    a replica that is still being made
    set-aside-<UTC>-<n>/     a damaged replica, whole, for whoever can mend it
"""

import datetime as dt
import fcntl
import hashlib
import hmac
import itertools
import os
from pathlib import Path
from typing import Annotated, Final, Self

import msgspec

from schemas.errors import ReplicaError
from sync.device.keys import KEY_BYTES, KeyHolder, RingHolder
from sync.device.layout import FORMAT, check_format
from sync.device.secretfile import replace_secret, sync_folder, write_secret
from sync.device.wiping import LOCK_FILE, carry_on, is_wiped, refuse_wiped

_SERVERS: Final = "beatbook.db"
"""What a server's data folder holds: a replica beside it would close the folder to the server's own user."""
_CHECK_WORDS: Final = b"beatbook replica check"


class _KeyCheck(msgspec.Struct, frozen=True):
    format: Annotated[int, msgspec.Meta(ge=1)]
    check: str


def _check_of(key: bytes) -> str:
    return hmac.new(key, _CHECK_WORDS, hashlib.sha256).hexdigest()


class ReplicaFolder:
    """One replica's folder, held by this process until `release`.

    Attributes:
        path: the folder.
        database: path of the database in it.
        unfinished: path of a database that is still being made.
    """

    def __init__(self, path: Path, lock: int) -> None:
        """Use `hold`."""
        self.path = path
        self.database = path / "replica.db"
        self.unfinished = path / "replica.db.new"
        self._check = path / "replica.check"
        self._lock = lock

    @classmethod
    def hold(cls, path: Path) -> Self:
        """Make the folder if there is none, close it to others, and take its lock.

        Raises:
            ReplicaError: another program has it open, it was wiped, or it cannot be used.
        """
        if (path / _SERVERS).exists():
            raise ReplicaError(f"{path} is a server's data folder, no handheld's: name another folder")
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.chmod(0o700)
            lock = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ReplicaError(f"the replica's folder {path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise ReplicaError(
                f"the replica in {path} is open already, here or in another program: close it there first"
            ) from error
        if is_wiped(path):
            try:
                carry_on(path)
                refuse_wiped(path)
            finally:
                os.close(lock)
        return cls(path, lock)

    def release(self) -> None:
        """Let others open it. The lock's file stays: removing it would let two hold locks of one name."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _database_files(self) -> list[Path]:
        # A journal without its database counts: a new database under that name would take the old journal up.
        names = ("", "-wal", "-shm")
        return [path for path in (Path(f"{self.database}{name}") for name in names) if path.exists()]

    def holds_replica(self, key: bytes) -> bool:
        """Whether there is a replica that this key opens; False when there is none at all.

        Raises:
            ReplicaError: there is one, but not for this key or this program, or not all of it. Nothing was touched.
        """
        files = self._database_files()
        if not self._check.exists():
            if files:
                raise ReplicaError(
                    f"{self.path} holds {files[0].name} without replica.check: whose key it is under cannot be told. "
                    "Nothing was touched: restore replica.check, or set the replica aside"
                )
            return False
        self._check_key(key)
        if not files and self.unfinished.exists():
            # Power went between the last two steps of making it (`announce`).
            self.unfinished.rename(self.database)
            sync_folder(self.path)
        elif not self.database.exists():
            raise ReplicaError(
                f"{self.path} holds replica.check, but replica.db is gone. Nothing was touched: restore the file, "
                "or set the rest aside to start a new replica"
            )
        return True

    def _is_under(self, key: bytes) -> bool:
        try:
            check = msgspec.json.decode(self._check.read_bytes(), type=_KeyCheck)
        except (OSError, msgspec.DecodeError) as error:
            raise ReplicaError(
                f"{self._check} cannot be read. Nothing was touched: restore it, or set the replica aside"
            ) from error
        check_format(check.format, str(self.path))
        return hmac.compare_digest(check.check, _check_of(key))

    def _check_key(self, key: bytes) -> None:
        if not self._is_under(key):
            raise ReplicaError(
                f"wrong key: the replica in {self.path} is under another data key. Nothing was touched: "
                "open it with its own key"
            )

    def data_key(self, keys: KeyHolder) -> bytes:
        """The data key to open the replica with. Ends a change of it that was broken off, one way or the other.

        The check says which key counts: it is replaced once the copy under the next key is whole and on disk.

        Raises:
            ReplicaError: the key holder has none of 32 bytes, or the change cannot be ended.
        """
        held = keys.data_keys() if isinstance(keys, RingHolder) else (keys.data_key(),)
        for key in held:
            if len(key) != KEY_BYTES:
                raise ReplicaError(f"the key holder gave {len(key)} bytes; a data key has exactly {KEY_BYTES}")
        if len(held) == 1 or not isinstance(keys, RingHolder):
            return held[0]
        present, following = held
        taken = self._check.exists() and self._is_under(following)
        if taken and self.unfinished.exists():
            self.unfinished.rename(self.database)
            sync_folder(self.path)
        elif not taken:
            self.clear_unfinished()
        keys.data_settled(following if taken else present)
        return following if taken else present

    def take_copy(self, key: bytes) -> None:
        """Put the unfinished database, a whole copy of the replica under another key, closed and on disk, in its place.

        Raises:
            ReplicaError: it cannot be done; opening the replica ends it, one way or the other.
        """
        # A journal of the old database that comes back with the power would be taken for the new one's.
        for journal in self._database_files()[1:]:
            journal.unlink()
        sync_folder(self.path)
        replace_secret(self._check, msgspec.json.encode(_KeyCheck(FORMAT, _check_of(key))))
        self.unfinished.rename(self.database)
        sync_folder(self.path)

    def clear_unfinished(self) -> None:
        """Remove what is left of a replica that was never finished; nobody has ever written to it."""
        for leftover in self.path.glob("*.new*"):
            leftover.unlink()

    def announce(self, key: bytes) -> None:
        """Turn the unfinished database, closed and on disk, into the replica, under this key."""
        write_secret(self._check, msgspec.json.encode(_KeyCheck(FORMAT, _check_of(key))))
        self.unfinished.rename(self.database)
        sync_folder(self.path)

    def set_aside(self) -> Path:
        """Move the replica, whatever is there of it, into a new folder in this one. Nothing is deleted.

        Returns:
            The new folder.

        Raises:
            ReplicaError: it cannot be moved.
        """
        now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            names = (self.path / f"set-aside-{now}-{n}" for n in itertools.count(1))
            aside = next(name for name in names if not name.exists())
            aside.mkdir(mode=0o700)
            # The check goes last: should power go in between, what is left is refused, not taken for a new folder.
            for file in [*self._database_files(), self._check]:
                if file.exists():
                    file.rename(aside / file.name)
            sync_folder(aside)
            sync_folder(self.path)
        except OSError as error:
            raise ReplicaError(f"the replica in {self.path} cannot be set aside: {error.strerror}") from error
        return aside
