"""A new data key for a replica, as a whole copy under it: after a suspicion, or after so many years.

The next key is in the slots before anything is written under it; the copy is whole and on disk before the check names
its key; and the old key is forgotten last. Wherever the power goes, the next opening finds which of the two databases
counts, ends the change or gives it up, and loses nothing. The old database is then under a key that exists nowhere.
"""

from pathlib import Path

from schemas.errors import ReplicaError
from sync.device.database import copy_under
from sync.device.folder import ReplicaFolder
from sync.device.slots import Unlocked


def change_data_key(folder: Path, unlocked: Unlocked) -> None:
    """Put a closed replica under a new data key. It takes its size on disk once more for a while.

    Args:
        folder: the seat's.
        unlocked: its keys, which hold the new one when this returns.

    Raises:
        ReplicaError: the replica is open, is not under these keys or cannot be copied; it opens as it did before, and
            calling again does it.
    """
    held = ReplicaFolder.hold(folder)
    try:
        old = held.data_key(unlocked)
        if not held.holds_replica(old):
            raise ReplicaError(f"there is no replica in {folder} whose key could be changed")
        new = unlocked.next_data_key()
        copy_under(held, old, new)
        held.take_copy(new)
        unlocked.data_settled(new)
    finally:
        held.release()
