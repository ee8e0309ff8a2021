"""One transaction: all of it is in the database when it ends, or nothing; and none is left open."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from server.store.sqlite.transaction import transaction


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A database with an empty table."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE kept (n INTEGER PRIMARY KEY) STRICT")
        yield connection


def kept(connection: sqlite3.Connection) -> list[int]:
    """What the table holds."""
    assert not connection.in_transaction
    return [n for (n,) in connection.execute("SELECT n FROM kept ORDER BY n")]


def test_what_is_written_inside_is_there_afterwards(connection: sqlite3.Connection) -> None:
    """All of it, and the next transaction can begin."""
    for first in (1, 3):
        with transaction(connection):
            connection.execute("INSERT INTO kept VALUES (?), (?)", (first, first + 1))
    assert kept(connection) == [1, 2, 3, 4]


@pytest.mark.parametrize("error", [ValueError("said inside"), KeyboardInterrupt()])
def test_what_is_raised_inside_undoes_it(connection: sqlite3.Connection, error: BaseException) -> None:
    """Whatever it is; and it goes on to whoever called."""

    def write() -> None:
        with transaction(connection):
            connection.execute("INSERT INTO kept VALUES (1)")
            raise error

    with pytest.raises(type(error)):
        write()
    assert kept(connection) == []


def test_an_error_after_which_sqlite_has_rolled_back_itself_is_the_one_that_is_told(
    connection: sqlite3.Connection,
) -> None:
    """There is nothing to roll back then, and no second error hides the first."""

    def write() -> None:
        with transaction(connection):
            connection.execute("INSERT INTO kept VALUES (1)")
            connection.execute("INSERT OR ROLLBACK INTO kept VALUES (1)")

    with pytest.raises(sqlite3.IntegrityError):
        write()
    assert kept(connection) == []


def test_the_lock_is_taken_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever else would write is told at its own beginning, and not when its first write has been prepared."""
    path = tmp_path_factory.mktemp("locked") / "kept.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as first,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as second,
        transaction(first),
    ):
        with pytest.raises(sqlite3.OperationalError, match="locked"), transaction(second):
            pytest.fail("two have begun")
        assert not second.in_transaction
