"""A new master key for a data folder: everything wrapped under it, and the old ones destroyed.

It is done while no server runs on the folder, and may be stopped at any point: what is wrapped by then opens, and doing
it again ends it. A backup of the database from before needs the key file of its time; when that has been destroyed too,
the backup is unreadable, and with it every record that has been erased since.
"""

from pathlib import Path

import msgspec

from server.store.masters import MasterKeys, key_file
from server.store.sqlite.folder import LOCK_WAIT_S
from server.store.sqlite.writer import SqliteWriter


class Rotated(msgspec.Struct, frozen=True):
    """What a rotation did.

    Attributes:
        newest: id of the master key that everything is under now, 16 hexadecimal digits.
        retired: ids of those that were destroyed.
        moved: how many record keys were wrapped anew.
    """

    newest: str
    retired: tuple[str, ...]
    moved: int


def rotate(folder: Path, wait_s: float = LOCK_WAIT_S) -> Rotated:
    """Give a data folder a new master key.

    Args:
        folder: the data folder.
        wait_s: how long to wait for a server that is about to leave it (seconds).

    Raises:
        StoreError: a server uses the folder, its master keys are not here, or a disk refused. Nothing is lost.
    """
    # First see that the folder opens with the keys that are there: a new one in a wrong file would help nobody.
    SqliteWriter.open(folder, wait_s).close()
    path = key_file(folder)
    MasterKeys.read(path).rotated()
    writer = SqliteWriter.open(folder, wait_s)
    try:
        moved = writer.rewrap()
    finally:
        writer.close()
    keys = MasterKeys.read(path)
    old = [one for one in keys.ids if one != keys.newest]
    keys.retired(old)
    return Rotated(keys.newest.hex(), tuple(one.hex() for one in old), moved)
