"""Where a restored folder is built, and how it takes its place: in one step, and never over something that is there.

It is built beside its place under a name that begins with a dot, and renamed once it is whole. What a killed restore
left is removed by the next one, which tells it by the lock that nobody holds any more. A folder that stood there is
exchanged with it in one step where the system can (Linux), so that at no moment a server would find nothing and begin
a new history; then it stands beside, and is never removed.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from schemas.errors import StoreError, UsageError
from schemas.ids import Millis
from server.store.masters import sync_folder
from server.store.sqlite.trouble import store_errors

_EXCHANGE: Final = 2
"""RENAME_EXCHANGE of renameat2(2)."""
_HERE: Final = -100
"""AT_FDCWD."""
_CANNOT: Final = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
_LOCK: Final = "lock"


def require_free(to: Path, *, replace: bool) -> None:
    """Whether a folder can be restored there.

    Args:
        to: the folder.
        replace: whether one that is there may be moved aside.

    Raises:
        UsageError: it is a file, it holds something, or there is no folder above it.
        StoreError: a server uses it.
    """
    if to.is_symlink() or (to.exists() and not to.is_dir()):
        raise UsageError(f"{to}: is no folder; name one that does not exist yet")
    if not to.parent.is_dir():
        raise UsageError(f"{to.parent}: there is no such folder; make it first")
    with store_errors(to):
        used = to.exists() and any(to.iterdir())
    if used and not replace:
        raise UsageError(
            f"{to}: is not empty, and nothing is restored over what is there; name another folder, or give --replace, "
            "which moves this one aside"
        )
    with _unused(to):
        pass


@contextlib.contextmanager
def workshop(to: Path) -> Iterator[Path]:
    """A folder beside `to`, its owner's alone, to build in. It is gone at the end, unless it was put in place.

    Raises:
        StoreError: it cannot be made.
    """
    with store_errors(to.parent):
        _remove_left(to)
        work = to.with_name(f".{to.name}.{secrets.token_hex(4)}.restoring")
        work.mkdir(mode=0o700)
        descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield work
    finally:
        os.close(descriptor)
        shutil.rmtree(work, ignore_errors=True)


def put_in_place(work: Path, to: Path, at: Millis) -> Path | None:
    """Give the finished folder its name.

    Args:
        work: what was built.
        to: where it belongs; an empty folder there goes, any other is moved aside.
        at: now (ms since 1970); it is in the name of what is moved aside.

    Returns:
        Where the folder is now that was there; None when none was.

    Raises:
        StoreError: a server uses the folder that is there, or the disk refused. What was there is there.
    """
    with store_errors(to), _unused(to):
        aside = None
        if to.exists() and any(to.iterdir()):
            moment = datetime.fromtimestamp(at / 1_000, UTC)
            aside = to.with_name(f"{to.name}.before-{moment:%Y%m%dT%H%M%S}{at % 1_000:03d}Z")
            if aside.exists():
                raise StoreError(f"{aside}: is there already; try again")
            _replace(work, to, aside)
        else:
            work.rename(to)
        sync_folder(to.parent)
    return aside


def _replace(work: Path, to: Path, aside: Path) -> None:
    # Not under its first name: whatever bears that is removed by the next restore.
    work.rename(aside)
    if not _exchange(aside, to):
        aside.rename(work)
        to.rename(aside)
        work.rename(to)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system cannot."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    if call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(other))


@contextlib.contextmanager
def _unused(folder: Path) -> Iterator[None]:
    """Keep servers from a data folder meanwhile, if there is one.

    Raises:
        StoreError: one uses it.
    """
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{folder}: a server uses this data folder; stop it first") from None
        yield
    finally:
        os.close(descriptor)


def _remove_left(to: Path) -> None:
    for left in to.parent.glob(f".{to.name}.*.restoring"):
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)
