"""Small secret files: only their owner can use them, and after a power cut each is whole as it was before or after.

Every step goes through a function of `os`, so that a test can cut the power at any of them.

What overwriting does not do: flash storage and copy-on-write file systems write elsewhere and keep the old blocks for a
while; a backup keeps them for longer. Nothing here leans on it. A slot that was replaced is useless because the
server no longer has the share it was sealed under, not because its bytes were overwritten.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from schemas.errors import ReplicaError

_BYTES_MAX: Final = 4_096
"""Larger than any secret that is written here; a larger file is something else."""


def write_secret(path: Path, content: bytes) -> bool:
    """Make a file that only its owner can read, whole or not at all. False when there is one of that name already.

    Raises:
        ReplicaError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_new(part, content)
        try:
            # A link and not a rename: it never replaces a file that is there.
            path.hardlink_to(part)
        except FileExistsError:
            return False
        finally:
            part.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise ReplicaError(f"cannot write {path}: {error.strerror}") from error
    return True


def replace_secret(path: Path, content: bytes) -> None:
    """Make a file hold `content`, whether or not there is one; wherever the power goes, it holds the old or the new.

    What the old one held is overwritten afterwards, as well as that can be done (see above).

    Raises:
        ReplicaError: it cannot be written; the file is as it was.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Of a rewriting that the power broke off.
        part.unlink(missing_ok=True)
        _write_new(part, content)
        with contextlib.ExitStack() as stack:
            old = _open_existing(path)
            if old is not None:
                stack.callback(os.close, old)
            part.replace(path)
            sync_folder(path.parent)
            if old is not None:
                # Only now: until the new name is on disk, the old bytes may be the ones that count.
                with contextlib.suppress(OSError):
                    _overwrite(old)
    except OSError as error:
        raise ReplicaError(f"cannot write {path}: {error.strerror}") from error


def destroy_secret(path: Path) -> None:
    """Overwrite a file and remove it, with what a broken-off rewriting left beside it. No such file: nothing.

    Raises:
        ReplicaError: it cannot be removed.
    """
    try:
        for name in (path, path.with_name(f"{path.name}.part")):
            descriptor = _open_existing(name)
            if descriptor is None:
                continue
            try:
                _overwrite(descriptor)
            finally:
                os.close(descriptor)
            name.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise ReplicaError(f"cannot destroy {path}: {error.strerror}") from error


def read_secret(path: Path, bytes_max: int = _BYTES_MAX) -> bytes | None:
    """The file's bytes, or None when there is none; one byte more than `bytes_max` when it is longer than that.

    Raises:
        ReplicaError: it cannot be read, or others than its owner may.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReplicaError(f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        # Asked of the open file, so that it cannot be another one by the time it is read.
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise ReplicaError(f"{path} can be used by others than its owner (mode {mode:04o}): chmod 600 {path}")
        return file.read(bytes_max + 1)


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive a power cut; where folders cannot be synced there is nothing to do."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it, however little the system takes at a time."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _open_existing(path: Path) -> int | None:
    try:
        return os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None


def _overwrite(descriptor: int) -> None:
    write_all(descriptor, bytes(os.fstat(descriptor).st_size))
    os.fsync(descriptor)
