"""One transaction of a connection that writes: all of it on the disk, or nothing of it."""

import contextlib
import sqlite3
from collections.abc import Iterator


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """What is written inside is durable when this ends; whatever is raised inside undoes it.

    Args:
        connection: in autocommit mode (`isolation_level=None`), with no transaction open.
    """
    # Deferred, it would fail as "locked" at its first write, busy timeout or not.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some errors SQLite has rolled back itself; what counts is that no transaction stays open.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
