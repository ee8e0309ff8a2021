"""What the disk and SQLite say, as a `StoreError` that tells an operator what, where, and what to do."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.errors import StoreError

_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space, nothing that was acknowledged is lost",
    sqlite3.SQLITE_READONLY: "it cannot be written; check who owns it and whether the disk is mounted read-only",
    sqlite3.SQLITE_PERM: "it may not be opened; check who owns it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it is there, who owns it and how many files may be open",
    sqlite3.SQLITE_CORRUPT: "the database is damaged; keep the folder as it is and restore a backup into a new one",
    sqlite3.SQLITE_NOTADB: "the file is no database, or its head is damaged; keep it as it is and restore a backup",
    sqlite3.SQLITE_BUSY: "another program holds the database; stop it, only one server may use a data folder",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write; look at the system's log before going on",
}
_PRIMARY: Final = 0xFF
"""An extended result code holds the primary one in its lowest byte (sqlite.org/rescode.html)."""


def store_error(error: OSError | sqlite3.Error, where: Path) -> StoreError:
    """The error to tell.

    Args:
        error: what happened.
        where: the file or folder it happened to.
    """
    if isinstance(error, OSError):
        return StoreError(f"{error.filename or where}: {error.strerror or error}; check space and permissions")
    # Errors of Python's own module have no code.
    code = getattr(error, "sqlite_errorcode", None)
    advice = _ADVICE.get(code & _PRIMARY) if code is not None else None
    return StoreError(f"{where}: {advice} ({error})" if advice else f"{where}: {error}")


@contextlib.contextmanager
def store_errors(where: Path) -> Iterator[None]:
    """Turn errors of the disk and of SQLite that happen inside into `StoreError`."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise store_error(error, where) from error
