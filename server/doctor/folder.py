"""The data folder: who may read it, whether its keys open it, whether database and log are whole, and its backup."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from schemas.errors import StoreError
from server.authority.keys import FOLDER as KEYS
from server.backup.taking import read_taken
from server.doctor.report import Found, Subject, fine, trouble, warning
from server.secret_files import check_private
from server.store.masters import MasterKeys, key_file
from server.store.sqlite import log, schema
from server.store.sqlite.folder import database_of
from server.store.sqlite.trouble import store_errors
from sync.evidence.merkle import root_at

BACKUP_HOURS_MAX: Final = 26
"""A backup a day, and some time to take it."""
_MS_PER_HOUR: Final = 3_600_000


def permissions(subject: Subject) -> Iterator[Found]:
    """Who may read and change the data folder and the keys."""
    if not subject.data.exists():
        yield fine(f"{subject.data} is not there yet; the first start makes it")
        return
    about = subject.data.stat()
    if stat.S_IMODE(about.st_mode) & 0o077:
        yield trouble(
            f"{subject.data}: others than its owner may use it (mode {stat.S_IMODE(about.st_mode):04o})",
            f"chmod 700 {subject.data}",
        )
    elif about.st_uid != os.geteuid() and os.geteuid() != 0:
        yield trouble(f"{subject.data}: belongs to another user", "run this as the user that the server runs as")
    else:
        yield fine(f"{subject.data} is its owner's alone")
    for path in sorted((subject.data / KEYS).glob("*.key")):
        try:
            check_private(path)
        except StoreError as error:
            yield trouble(str(error), f"chmod 600 {path}, and see who has read it")


def master_keys(subject: Subject) -> Iterator[Found]:
    """Whether the keys are here that the database was sealed under."""
    database = database_of(subject.data)
    if not database.exists():
        return
    path = key_file(subject.data, subject.environment)
    keys = MasterKeys.read(path)
    with _reading(subject) as connection:
        found = connection.execute("SELECT value FROM meta WHERE key = 'masters'").fetchone()
    for master in str(found[0] if found else "").split():
        keys.require(bytes.fromhex(master), str(database))
    yield fine(f"{path} opens the database")
    if path.parent.resolve() == subject.data.resolve():
        yield fine("the master keys lie beside the database: a copied disk holds both")


def database(subject: Subject) -> Iterator[Found]:
    """Whether the database is whole, as far as that can be seen in a moment."""
    path = database_of(subject.data)
    if not path.exists():
        yield fine("there is no database yet; the first start makes it")
        return
    size = path.stat().st_size
    with _reading(subject) as connection, store_errors(path):
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != schema.APPLICATION_ID:
            yield trouble(f"{path} is no database of ours", "name the right data folder")
            return
        if version > schema.VERSION:
            yield trouble(f"{path} is of a newer program (version {version})", "update this program")
            return
        if size > schema.CHECKED_BYTES_MAX:
            # A read that takes long would hold up the checkpoints of a server at work.
            yield fine(
                f"{path.name} has {size >> 20} MiB: too much to read through here; restore a backup with --verify"
            )
            return
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        yield trouble(f"{path} is damaged: {verdict}", "keep the folder as it is, and restore a backup into a new one")
    else:
        yield fine(f"{path.name} is whole ({size >> 10} KiB, tables of version {version})")


def log_head(subject: Subject) -> Iterator[Found]:
    """Whether the log's head is that of its entries, and not of fewer than the last backup had."""
    path = database_of(subject.data)
    if not path.exists():
        return
    with _reading(subject) as connection, store_errors(path):
        tree = log.read_tree(connection)
        (count,) = connection.execute("SELECT count(*) FROM log").fetchone()
        # From the kept subtrees and the last entries: some dozen hashes, however long the log is.
        sound = tree.size == count and (not count or root_at(log.StoredHashes(connection), count) == tree.root)
    taken = read_taken(subject.data)
    if not sound:
        yield trouble(
            f"the log's head is of {tree.size} entries and not that of the {count} that are there",
            "keep the folder as it is, run `beatbook verify` on a copy, and tell whoever answers for the evidence",
        )
    elif taken is not None and taken.leaves > tree.size:
        yield trouble(
            f"the log has {tree.size} entries, the last backup had {taken.leaves}: the folder was set back",
            "ask who did it; then take another backup",
        )
    else:
        yield fine(f"the log's head is that of its {tree.size} entries")


def backup(subject: Subject) -> Iterator[Found]:
    """How old the last backup is."""
    if not database_of(subject.data).exists():
        return
    taken = read_taken(subject.data)
    if taken is None:
        yield warning("no backup was ever taken of this folder", "take one each night: docs/howto/backup.md")
        return
    hours = (subject.now - taken.at) / _MS_PER_HOUR
    told = f"the last backup is {hours:.0f} hours old, of {taken.bytes >> 10} KiB"
    if hours > BACKUP_HOURS_MAX:
        yield warning(told, "see why none was taken since: docs/howto/backup.md")
    elif hours < 0:
        yield warning("the last backup is of a time to come", "see to the clock")
    else:
        yield fine(told)


@contextmanager
def _reading(subject: Subject) -> Iterator[sqlite3.Connection]:
    """A connection that leaves no trace: with no server and no log behind the database it does not even lock.

    Raises:
        StoreError: the database cannot be opened.
    """
    path = database_of(subject.data)
    with store_errors(path):
        wal = path.with_name(f"{path.name}-wal")
        if subject.in_use or (wal.exists() and wal.stat().st_size):
            connection = schema.open_reader(path)
        else:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        with closing(connection):
            yield connection
