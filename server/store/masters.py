"""The master keys: what stands between the database and whoever gets hold of its files.

They lie in one small file, and never in the database: a copied database, a backup of it or a disk that is sent in for
repair tells nothing. The file may hold several keys. The newest one, the last line, wraps every new record key; the
older ones only open what they wrapped, until everything has been wrapped anew (`server.store.vault`).

    beatbook master keys 1
    5f0c94a3b1d2e677 8c61…        (id, key: hexadecimal)

A key's id is taken from its hash, so that a line which was mistyped or cut is told from a key that is another one.
Whoever can read this file and the database can read everything: keep it on another disk, or let the service manager
hand it over (`BEATBOOK_MASTER_KEY_FILE` names it), and never let one backup hold both.
"""

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import StoreError, UsageError

KEY_BYTES: Final = 32
ID_BYTES: Final = 8
"""Of a key's hash: enough to tell a force's keys apart, and it says nothing of 256 random bits."""
MASTERS_MAX: Final = 16
"""Keys in one file. More were never retired: each is one more that can be stolen."""
FILE_NAME: Final = "master.key"
"""Where the keys lie in a data folder, when nothing else is said."""
VARIABLE: Final = "BEATBOOK_MASTER_KEY_FILE"
"""The environment variable that names the file."""

_HEAD: Final = "beatbook master keys 1"
_FILE_BYTES_MAX: Final = 4_096
"""Larger than any file that is written here; a larger one is something else."""
_LINE: Final = re.compile(r"([0-9a-f]{16}) ([0-9a-f]{64})")
_ID_DOMAIN: Final = b"beatbook.v1 master key\0"


def key_file(folder: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """The file that holds a data folder's master keys.

    Args:
        folder: the data folder.
        environment: where `BEATBOOK_MASTER_KEY_FILE` may name another place.
    """
    named = environment.get(VARIABLE, "")
    return Path(named) if named else folder / FILE_NAME


def key_id(key: bytes) -> bytes:
    """What a master key is called: the first 8 bytes of SHA-256 over a label and the key."""
    return hashlib.sha256(_ID_DOMAIN + key).digest()[:ID_BYTES]


class MasterKeys:
    """The keys of one file, oldest first. It does not change; what changes the file gives another one.

    Attributes:
        path: the file, for messages.
        newest: id of the key that wraps, 8 bytes.
    """

    def __init__(self, path: Path, keys: Sequence[bytes]) -> None:
        """Use `read` or `make`.

        Args:
            path: the file.
            keys: 32 bytes each, at least one, oldest first.
        """
        self.path = path
        self.newest = key_id(keys[-1])
        self._keys = {key_id(key): key for key in keys}
        self._ciphers = {name: AESGCM(key) for name, key in self._keys.items()}

    def __repr__(self) -> str:
        return f"MasterKeys({str(self.path)!r}, {len(self._keys)} keys)"

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The keys' ids, oldest first."""
        return tuple(self._keys)

    def cipher(self, master: bytes) -> AESGCM | None:
        """What opens under the key of this id; None when the file does not hold it."""
        return self._ciphers.get(master)

    def require(self, master: bytes, what: str) -> AESGCM:
        """What opens under the key of this id.

        Args:
            master: its id.
            what: what was wrapped under it, for the message.

        Raises:
            StoreError: the file does not hold it.
        """
        cipher = self._ciphers.get(master)
        if cipher is None:
            raise StoreError(
                f"{what}: was sealed under master key {master.hex()}, and {self.path} does not hold that one; put the "
                f"file back that belongs to this database, or name it with {VARIABLE}. Nothing was touched"
            )
        return cipher

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            StoreError: there is none, others than its owner may use it, or it holds no master keys.
        """
        return cls(path, _keys_in(path, _read(path)))

    @classmethod
    def make(cls, path: Path) -> Self:
        """Make the file of a new database, with one new key. One that is there is read instead, and never written over.

        Raises:
            StoreError: it cannot be made, or the one that is there cannot be used.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _refused(path, "made", error) from None
        if not os.path.lexists(path):
            _write(path, [secrets.token_bytes(KEY_BYTES)], replace=False)
        # Read again: of two that made it at once, one has won.
        return cls.read(path)

    def rotated(self) -> "MasterKeys":
        """Add a new key to the file; from now on it wraps.

        Raises:
            StoreError: the file cannot be written, or it holds as many keys as it may.
        """
        if len(self._keys) >= MASTERS_MAX:
            raise StoreError(
                f"{self.path}: holds {len(self._keys)} master keys already, at most {MASTERS_MAX} fit; wrap everything "
                "anew and retire the old ones first"
            )
        return self._with((*self._keys.values(), secrets.token_bytes(KEY_BYTES)))

    def retired(self, ids: Collection[bytes]) -> "MasterKeys":
        """Take keys out of the file, for good. Whatever is still wrapped under them is then lost: see that nothing is.

        Args:
            ids: which ones.

        Raises:
            UsageError: the newest one is among them, or one that the file does not hold.
            StoreError: the file cannot be written.
        """
        if self.newest in ids:
            raise UsageError(f"master key {self.newest.hex()} is the newest, which wraps: add another one first")
        for wanted in ids:
            if wanted not in self._keys:
                raise UsageError(f"{self.path} holds no master key {wanted.hex()}; nothing was touched")
        return self._with([key for name, key in self._keys.items() if name not in ids])

    def _with(self, keys: Sequence[bytes]) -> "MasterKeys":
        _write(self.path, keys, replace=True)
        return MasterKeys(self.path, keys)


def _keys_in(path: Path, text: str) -> list[bytes]:
    """The keys of a file's text. No message shows a piece of it."""
    head, *lines = text.splitlines() or [""]
    if head != _HEAD:
        raise StoreError(f"{path}: holds no master keys: its first line is not {_HEAD!r}; put the right file back")
    keys: list[bytes] = []
    for number, line in enumerate(lines, 2):
        found = _LINE.fullmatch(line)
        if found is None or key_id(bytes.fromhex(found[2])) != bytes.fromhex(found[1]):
            raise StoreError(f"{path}: line {number} is damaged: the key is not the one of its id; put the file back")
        keys.append(bytes.fromhex(found[2]))
    if not 1 <= len(keys) <= MASTERS_MAX:
        raise StoreError(f"{path}: holds {len(keys)} master keys, expected 1 to {MASTERS_MAX}; put the file back")
    return keys


def _read(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise StoreError(
            f"{path}: the master key file has gone, and the database cannot be read without it; put it back, or name "
            f"it with {VARIABLE}. Nothing was touched"
        ) from None
    except OSError as error:
        raise _refused(path, "read", error) from None
    try:
        # Asked of the open file, so that it cannot be another one by the time it is read.
        found = os.fstat(descriptor)
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{path}: is no file; name the file with the master keys with {VARIABLE}")
        if mode & 0o077:
            raise StoreError(f"{path}: can be used by others than its owner (mode {mode:04o}); chmod 600 {path}")
        if found.st_uid not in {0, os.geteuid()}:
            raise StoreError(f"{path}: belongs to another user; chown it to the one that the server runs as")
        content = os.read(descriptor, _FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _refused(path, "read", error) from None
    finally:
        os.close(descriptor)
    if len(content) > _FILE_BYTES_MAX:
        raise StoreError(f"{path}: is longer than any file with master keys; put the right one back")
    return content.decode("ascii", "replace")


def _write(path: Path, keys: Sequence[bytes], *, replace: bool) -> None:
    """Write the file whole or not at all, for its owner only."""
    lines = [_HEAD, *(f"{key_id(key).hex()} {key.hex()}" for key in keys)]
    # A name of its own: of two that make the file at once, neither may find the other's half of it under its name.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        for left in path.parent.glob(f".{path.name}.*.new") if replace else ():
            # What a crash left there may hold a key that is to be retired.
            left.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write("\n".join(lines) + "\n")
                file.flush()
                os.fsync(file.fileno())
            if replace:
                beside.replace(path)
            else:
                # A link and not a rename: it never replaces a file that is there.
                path.hardlink_to(beside)
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(path.parent)
    except FileExistsError:
        if replace:
            raise StoreError(f"{path}: something else is writing it at this moment; try again") from None
    except OSError as error:
        raise _refused(path, "written", error) from None


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable: a database must never outlive the only copy of its key."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(path: Path, done: str, error: OSError) -> StoreError:
    return StoreError(f"{path}: the master key file cannot be {done} ({error.strerror}); check its folder and owner")
