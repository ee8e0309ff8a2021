"""Whether tables are declared as this program declares them, and empty ones in place of those that cannot be read.

Whoever edits a database may take away a table whole, or a column of one. A check that reads must go on then and tell
what the rest shows, so what is not there is read as empty; that it was not there is told apart (`Inspection.lacking`).
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from server.store.sqlite import schema

_TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
_STRICT = "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name = ? AND type = 'table' AND strict"
# By these the queries name their columns and trust the types of what they get (sqlite.org/stricttables.html).
_COLUMNS = 'SELECT name, type, "notnull", pk FROM pragma_table_info(?, ?)'


def foreign(connection: sqlite3.Connection) -> list[str]:
    """Names of tables, indexes, triggers and views that are not as this program makes them, or that lack.

    Raises:
        sqlite3.Error: what is declared cannot be read.
    """
    with _fresh() as fresh:
        wanted = _declared(fresh)
    return sorted(name for _, name, _ in wanted ^ _declared(connection))


def stand_in(connection: sqlite3.Connection) -> list[str]:
    """Make an empty table, for this connection alone, in place of each that is not there or cannot be read as ours.

    Columns that were added do no harm to who reads: such a table is read as it is. Returns the names of the others.

    Raises:
        sqlite3.Error: what is declared cannot be read.
    """
    with _fresh() as fresh:
        wanted = {name: (sql, _columns(fresh, name)) for name, sql in fresh.execute(_TABLES)}
    lacking = {name: sql for name, (sql, columns) in wanted.items() if not _readable(connection, name, columns)}
    if lacking:
        # What is made is the connection's own and goes with it; the file stays open for reading only.
        (only,) = connection.execute("PRAGMA query_only").fetchone()
        connection.execute("PRAGMA query_only = OFF")
        for sql in lacking.values():
            connection.execute(sql.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
        connection.execute(f"PRAGMA query_only = {only}")
    return sorted(lacking)


def _readable(connection: sqlite3.Connection, table: str, columns: set[tuple[Any, ...]]) -> bool:
    strict = connection.execute(_STRICT, (table,)).fetchone() == (1,)
    return strict and columns <= _columns(connection, table)


def _columns(connection: sqlite3.Connection, table: str) -> set[tuple[Any, ...]]:
    return set(connection.execute(_COLUMNS, (table, "main")))


@contextlib.contextmanager
def _fresh() -> Iterator[sqlite3.Connection]:
    """An empty database of today's version."""
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        for statements in schema.MIGRATIONS:
            for statement in statements:
                fresh.execute(statement)
        yield fresh


def _declared(connection: sqlite3.Connection) -> set[tuple[Any, ...]]:
    """(type, name, SQL) of everything that was declared."""
    return set(connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'"))
