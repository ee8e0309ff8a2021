"""A data folder as a server leaves it, and archives of it, for the tests of backups."""

import asyncio
import io
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from server.backup.keys import BackupKey
from server.backup.restoring import Archive
from server.backup.taking import Readers, take
from tests.server.evidence import station

KEY = BackupKey.make()
FOR_KEY = Readers((KEY.recipient,))


async def _make(folder: Path, rounds: int) -> None:
    one, _ = await station.make(folder, rounds=rounds)
    await one.store.close()


def make(folder: Path, rounds: int = 2) -> Path:
    """A data folder with records, an erasure and the server's keys in it."""
    asyncio.run(_make(folder, rounds))
    shutil.move(folder.parent / "keys", folder / "keys")
    return folder


def archive_of(data: Path, path: Path) -> bytes:
    """A backup of a folder, as a file and as its bytes."""
    take(data, path, FOR_KEY)
    return path.read_bytes()


def to_read(raw: bytes, key: BackupKey = KEY) -> Archive:
    """An archive, with what opens it."""
    return Archive(io.BytesIO(raw), key, "the.bbk")


def rows(folder: Path, table: str) -> list[tuple[object, ...]]:
    """What a table holds."""
    with closing(sqlite3.connect(folder / "beatbook.db")) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608  a test's own name


def image(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; what all readers of a database share (-shm) is nobody's content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }
