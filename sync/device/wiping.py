"""Wiping a seat: its keys first, then everything else; a wiped folder says so and is never opened again.

Destroying the keys is what counts: the slots, the cached share and the secret that binds them to this device. Without
any one of them the database is noise, also in the copies that flash storage and backups keep. Removing the files comes
after it. The mark is written first: from then on the folder is never opened, and whoever tries carries on with what
they can reach.
"""

import datetime as dt
import fcntl
import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from schemas.errors import ReplicaError
from schemas.ids import DeviceId
from sync.device.keystore import KeyStore
from sync.device.secretfile import destroy_secret, sync_folder, write_secret

WIPED_FILE: Final = "replica.wiped"
LOCK_FILE: Final = "replica.lock"
_SLOTS_FILE: Final = "replica.keys"
KEPT_IN_STORE: Final = ("secret", "share", "tries")
"""What a seat has in the device's keystore."""


def is_wiped(folder: Path) -> bool:
    """Whether the folder was wiped, or a wipe of it has begun."""
    return (folder / WIPED_FILE).exists()


def refuse_wiped(folder: Path) -> None:
    """Let only a folder pass that was not wiped.

    Raises:
        ReplicaError: it was.
    """
    if is_wiped(folder):
        raise ReplicaError(f"{folder} was wiped: nothing of it can be had back. Sign in to the server for a new seat")


def carry_on(folder: Path) -> None:
    """Go on with a wipe that the power broke off, as far as the folder goes: its slots and files. The lock is held.

    Raises:
        ReplicaError: something cannot be removed.
    """
    destroy_secret(folder / _SLOTS_FILE)
    _remove_rest(folder)


def wipe(folder: Path, seat: DeviceId, store: KeyStore) -> None:
    """Destroy a seat's keys and then its files. Again, or after a power cut: it goes on where it was.

    Close the replica first. A draft that was not sent goes too: send them first where that is wanted.

    Args:
        folder: the seat's.
        seat: whose secrets are destroyed in `store`.
        store: the device's keystore.

    Raises:
        ReplicaError: the replica is open, or something cannot be removed; calling again carries on.
    """
    lock = _hold(folder)
    try:
        mark = f"{seat} wiped {dt.datetime.now(dt.UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}\n"
        write_secret(folder / WIPED_FILE, mark.encode())
        failed: list[ReplicaError] = []
        # Each of these alone makes the database noise: one that cannot be destroyed is no reason to spare the others.
        names = [f"{seat}.{what}" for what in KEPT_IN_STORE]
        steps: list[Callable[[], None]] = [
            functools.partial(destroy_secret, folder / _SLOTS_FILE),
            *(functools.partial(store.destroy, name) for name in names),
            functools.partial(_remove_rest, folder),
        ]
        for destroy in steps:
            try:
                destroy()
            except ReplicaError as error:
                failed.append(error)
        if failed:
            raise failed[0]
    finally:
        os.close(lock)


def _hold(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ReplicaError(f"{folder} cannot be wiped: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise ReplicaError(f"the replica in {folder} is open: close it, then wipe it") from error
    return lock


def _remove_rest(folder: Path) -> None:
    try:
        for path in sorted(folder.iterdir()):
            if path.name in (WIPED_FILE, LOCK_FILE):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        sync_folder(folder)
    except OSError as error:
        raise ReplicaError(f"{folder} is wiped of its keys, but {error.filename} stays: {error.strerror}") from error
