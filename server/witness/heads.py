"""What a witness must never forget: of each log, the last head that it let pass.

A witness that forgot, even once, could be made to sign two histories. So a head is compared and replaced in one
transaction, which is on the disk before anything is signed, whoever else has the file open; and a folder that has the
key but not this file is not served.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec

from schemas.errors import StoreError
from sync.evidence.merkle import EMPTY_ROOT

APPLICATION_ID: Final = 0x42657769
"""“Bewi” in the database's head: a file without it is not a witness's."""
BUSY_TIMEOUT_S: Final = 5.0
"""How long to wait for another process that has the file open; only a second witness by mistake does."""
CONFLICTS_MAX: Final = 16
"""Forked heads that are kept of each log: one is proof enough, and a log gone wrong must not fill the disk."""

_SCHEMA: Final = (
    "CREATE TABLE self (name TEXT NOT NULL, public_key BLOB NOT NULL) STRICT",
    "CREATE TABLE head (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL) STRICT",
    "CREATE TABLE conflict (origin TEXT NOT NULL, note BLOB NOT NULL, UNIQUE (origin, note)) STRICT",
)


class Head(msgspec.Struct, frozen=True):
    """A log as a witness last saw it.

    Attributes:
        size: its entries.
        root: of their tree, 32 bytes.
        note: the checkpoint as the log signed it; empty when there was none.
    """

    size: int
    root: bytes
    note: bytes


NEVER_SEEN: Final = Head(0, EMPTY_ROOT, b"")


class Heads:
    """The heads of one witness, in one SQLite file. One thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `open`."""
        self._path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, or make it.

        Raises:
            StoreError: it cannot be used, or is not a witness's.
        """
        try:
            connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=16
            )
        except sqlite3.Error as error:
            raise StoreError(f"{path}: cannot be opened ({error}); check the folder's permissions") from None
        heads = cls(path, connection)
        try:
            heads._prepare()
        except BaseException:
            connection.close()
            raise
        return heads

    def _prepare(self) -> None:
        with self._errors():
            # A rollback journal, and EXTRA: the journal's removal is what commits, so the folder is synced after it.
            # Only then is a head that was answered for still there after a power cut.
            self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.execute("PRAGMA synchronous = EXTRA")
            self._connection.execute("PRAGMA fullfsync = ON")
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("BEGIN IMMEDIATE")
            (application,) = self._connection.execute("PRAGMA application_id").fetchone()
            (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if application == 0 and tables == 0:
                for statement in _SCHEMA:
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            elif application != APPLICATION_ID:
                self._connection.execute("ROLLBACK")
                raise StoreError(f"{self._path}: is not the memory of a witness; name another folder")
            self._connection.execute("COMMIT")
            (result,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
            if result != "ok":
                raise StoreError(f"{self._path}: is damaged ({result}); do not sign with this witness's key any more")

    @property
    def synchronous(self) -> int:
        """SQLite's `synchronous` as it is in force; 3 is EXTRA."""
        with self._errors():
            (level,) = self._connection.execute("PRAGMA synchronous").fetchone()
            return int(level)

    def bind(self, name: str, public_key: bytes) -> None:
        """Hold the file to one witness, for ever.

        Raises:
            StoreError: it is another's: what it holds was let pass under another name or key.
        """
        with self._errors(), self._transaction():
            held = self._connection.execute("SELECT name, public_key FROM self").fetchone()
            if held is None:
                self._connection.execute("INSERT INTO self VALUES (?, ?)", (name, public_key))
                return
            if held[0] != name:
                raise StoreError(f"{self._path}: belongs to the witness {held[0]!r}, not to {name!r}; use that name")
            if held[1] != public_key:
                raise StoreError(f"{self._path}: was kept with another key; restore the key file that lay beside it")

    def name(self) -> str | None:
        """The name that `bind` gave the witness; None before the first time."""
        with self._errors():
            held = self._connection.execute("SELECT name FROM self").fetchone()
            return None if held is None else str(held[0])

    def latest(self, origin: str) -> Head:
        """The last head of a log that was let pass; NEVER_SEEN when none was."""
        with self._errors():
            held = self._connection.execute("SELECT size, root, note FROM head WHERE origin = ?", (origin,)).fetchone()
            return NEVER_SEEN if held is None else Head(*held)

    def advance(self, origin: str, old: Head, new: Head) -> bool:
        """Put a head in the place of exactly that older one. When this returns True it is on the disk.

        Returns:
            False when another head stands there by now; nothing is changed then.
        """
        with self._errors(), self._transaction():
            if self.latest(origin) != old:
                return False
            self._connection.execute(
                "INSERT INTO head VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE "
                "SET size = excluded.size, root = excluded.root, note = excluded.note",
                (origin, new.size, new.root, new.note),
            )
            return True

    def keep_conflict(self, origin: str, note: bytes) -> None:
        """Keep a head that the log signed and that its history does not lead to: it convicts the log's keeper."""
        with self._errors(), self._transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO conflict SELECT ?, ? WHERE (SELECT count(*) FROM conflict WHERE origin = ?) < ?",
                (origin, note, origin, CONFLICTS_MAX),
            )

    def conflicts(self, origin: str) -> list[bytes]:
        """The forked heads of a log that were kept, oldest first."""
        with self._errors():
            rows = self._connection.execute("SELECT note FROM conflict WHERE origin = ? ORDER BY rowid", (origin,))
            return [note for (note,) in rows]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE: the lock is taken before the first read, so nobody can change what is compared.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._path}: the witness's memory cannot be used ({error}); check disk and permissions"
            ) from None
