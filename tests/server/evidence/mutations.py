"""What an insider may do to a database with SQL: seeded, on a copy in memory, each one a change that means something.

What is left out means nothing: the epoch (a restore gives another one, and no log bears it), a share or a count of
tries that is taken away (they come and go, and no act tells of them), the order of wrapped keys, and the result of an
op that was erased, of which only its hash was to stay.
"""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.ids import Millis
from server.evidence.story import VERIFIER
from server.logbook import grown
from sync.evidence import leaf as leaves
from sync.evidence.merkle import EMPTY

Mutation = Callable[[sqlite3.Connection, random.Random], str]
_KEYS: Final = {
    "meta": ("key",),
    "record": ("id",),
    "op": ("place",),
    "member": ("scope", "record"),
    "scope": ("name",),
    "journal": ("place",),
    "chain": ("device",),
    "covered": ("device", "n"),
    "secret": ("name",),
    "log": ("n",),
    "node": ("level", "n"),
    "tree": ("one",),
    "record_key": ("n",),
    "erased": ("record",),
}
TABLES: Final = tuple(_KEYS)
"""Every table."""
_ORDERLESS: Final = {("record_key", "n")}
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


class NothingToDoError(Exception):
    """This try would have changed nothing of meaning, or what SQLite itself refuses: draw again."""


def image_of(path: Path) -> bytes:
    """A database, with what its log of writes holds, as bytes to open in memory."""
    with sqlite3.connect(path) as source, sqlite3.connect(":memory:") as copy:
        source.backup(copy)
        image = bytearray(copy.serialize())
    source.close()
    copy.close()
    # Bytes 18 and 19 say whether there is a write-ahead log (sqlite.org/fileformat2.html); in memory there is none.
    image[18:20] = b"\x01\x01"
    return bytes(image)


def opened(image: bytes) -> sqlite3.Connection:
    """A copy in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(image)
    return connection


def _rows(connection: sqlite3.Connection, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    found = connection.execute(f"SELECT * FROM {table} ORDER BY {', '.join(_KEYS[table])}")  # noqa: S608
    return [column[0] for column in found.description], found.fetchall()


def _where(table: str, columns: list[str], row: tuple[Any, ...]) -> tuple[str, list[Any]]:
    keys = _KEYS[table]
    return " AND ".join(f"{key} = ?" for key in keys), [row[columns.index(key)] for key in keys]


def _table(draw: random.Random, connection: sqlite3.Connection, least: int = 1) -> tuple[str, list[str], list[Any]]:
    table = draw.choice(list(_KEYS))
    columns, rows = _rows(connection, table)
    if len(rows) < least:
        raise NothingToDoError
    return table, columns, rows


def _meaningless(connection: sqlite3.Connection, table: str, column: str, row: dict[str, Any]) -> bool:
    if table == "op" and column in {"result", "record"}:
        # Of an erased op only the hash stays, and what it was about only in its place.
        return bool(connection.execute("SELECT 1 FROM erased WHERE record = ?", (row["record"],)).fetchone())
    return table == "meta" and row["key"] == "epoch" and column == "value"


def other(value: Any, draw: random.Random) -> Any:  # noqa: ANN401  whatever a column holds
    """Another value of the same type: a bit of bytes, a letter of a text, a number near by."""
    if isinstance(value, bytes):
        if not value:
            return b"\x00"
        at, bit = draw.randrange(len(value)), draw.randrange(8)
        return value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :]
    if isinstance(value, int):
        return draw.choice([value + 1, value - 1, value ^ (1 << draw.randrange(12)), 0, -1])
    if value is None:
        return draw.choice(["x", "0ac8ed86-4b8c-8717-bccc-abd80bab6d53"])
    text = str(value)
    at = draw.randrange(len(text)) if text else 0
    return text[:at] + draw.choice(_ALPHABET) + text[at + 1 :]


def flip(connection: sqlite3.Connection, draw: random.Random) -> str:
    """Change one value of one row."""
    table, columns, rows = _table(draw, connection)
    row, column = draw.choice(rows), draw.choice(columns)
    was = row[columns.index(column)]
    value = other(was, draw)
    if was is None and table in {"journal", "record"} and column == "body":
        value = b"\x01" + draw.randbytes(60)
    if value == was or _meaningless(connection, table, column, dict(zip(columns, row, strict=True))):
        raise NothingToDoError
    where, keys = _where(table, columns, row)
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [value, *keys])  # noqa: S608
    return f"{table}.{column} of {keys}: {was!r} -> {value!r}"


def delete(connection: sqlite3.Connection, draw: random.Random) -> str:
    """Take one row out."""
    table, columns, rows = _table(draw, connection)
    row = draw.choice(rows)
    if table == "secret" and not str(row[columns.index("name")]).startswith(VERIFIER):
        raise NothingToDoError
    where, keys = _where(table, columns, row)
    connection.execute(f"DELETE FROM {table} WHERE {where}", keys)  # noqa: S608
    return f"{table} {keys}: deleted"


def insert(connection: sqlite3.Connection, draw: random.Random) -> str:
    """Put a row in that looks like one that is there."""
    table, columns, rows = _table(draw, connection)
    row = list(draw.choice(rows))
    unique = {"op": ("place", "n"), "journal": ("place", "key"), "record_key": ("n", "record")}.get(table, _KEYS[table])
    for name in unique:
        at = columns.index(name)
        last = max(each[at] for each in rows) if isinstance(row[at], int) else ""
        row[at] = last + 1 if isinstance(last, int) else other(row[at], draw)
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608
    return f"{table}: inserted {row!r}"[:300]


def swap(connection: sqlite3.Connection, draw: random.Random) -> str:
    """Exchange one value of two rows."""
    table, columns, rows = _table(draw, connection, least=2)
    one, two = draw.sample(rows, 2)
    column = draw.choice(columns)
    at = columns.index(column)
    if one[at] == two[at] or (table, column) in _ORDERLESS or column in _KEYS[table]:
        raise NothingToDoError
    for row in (one, two):
        if _meaningless(connection, table, column, dict(zip(columns, row, strict=True))):
            raise NothingToDoError
    (first, mine), (second, theirs) = (_where(table, columns, row) for row in (one, two))
    _exchange(connection, table, column, (first, mine, two[at]), (second, theirs, one[at]))
    return f"{table}.{column}: {mine} and {theirs} exchanged"


def _exchange(connection: sqlite3.Connection, table: str, column: str, *sides: tuple[str, list[Any], Any]) -> None:
    """Set a column of rows at once, around what is unique: all indexes are checked row by row."""
    (where, keys, value), (other_where, other_keys, other_value) = sides
    try:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [value, *keys])  # noqa: S608
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {other_where}", [other_value, *other_keys])  # noqa: S608
    except sqlite3.IntegrityError as error:
        raise NothingToDoError from error


def reorder(connection: sqlite3.Connection, draw: random.Random) -> str:
    """Exchange the places of two ops, entries or leaves."""
    table, column = draw.choice(
        [("op", "place"), ("journal", "place"), ("log", "n"), ("op", "leaf"), ("journal", "leaf")]
    )
    columns, rows = _rows(connection, table)
    one, two = (row[columns.index(column)] for row in draw.sample(rows, 2))
    for was, now in ((one, -7), (two, one), (-7, two)):
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (now, was))  # noqa: S608
    return f"{table}.{column}: {one} and {two} exchanged"


def backdate(connection: sqlite3.Connection, draw: random.Random) -> str:
    """Give an op, an entry or an erasure an earlier time, in its row or in its leaf too."""
    table, column = draw.choice([("op", "recorded_at"), ("journal", "at"), ("erased", "at")])
    columns, rows = _rows(connection, table)
    row = draw.choice(rows)
    where, keys = _where(table, columns, row)
    by = draw.randrange(1, 86_400_000)
    connection.execute(f"UPDATE {table} SET {column} = {column} - ? WHERE {where}", [by, *keys])  # noqa: S608
    if table != "erased" and draw.random() < 0.5:
        index = row[columns.index("leaf")]
        (raw,) = connection.execute("SELECT leaf FROM log WHERE n = ?", (index,)).fetchone()
        told = leaves.decode(raw)
        earlier = msgspec.structs.replace(told, at=Millis(told.at - by))
        connection.execute("UPDATE log SET leaf = ? WHERE n = ?", (leaves.encode(earlier), index))
    return f"{table} {keys}: backdated by {by} ms"


def truncate(connection: sqlite3.Connection, draw: random.Random) -> str:
    """Cut the log's end off, with the ops and entries there, and build the tree anew."""
    (size,) = connection.execute("SELECT count(*) FROM log").fetchone()
    keep = draw.randrange(size)
    for table, column in (("log", "n"), ("op", "leaf"), ("journal", "leaf")):
        connection.execute(f"DELETE FROM {table} WHERE {column} >= ?", (keep,))  # noqa: S608
    rebuild(connection)
    return f"log: cut to {keep} of {size}"


def fork(connection: sqlite3.Connection, draw: random.Random) -> str:
    """Rewrite an op's or an entry's time in its row and its leaf, and build the tree anew: all but the signature."""
    table, column = draw.choice([("op", "recorded_at"), ("journal", "at")])
    columns, rows = _rows(connection, table)
    index = draw.choice(rows)[columns.index("leaf")]
    (raw,) = connection.execute("SELECT leaf FROM log WHERE n = ?", (index,)).fetchone()
    told = leaves.decode(raw)
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE leaf = ?", (told.at - 1, index))  # noqa: S608
    earlier = leaves.encode(msgspec.structs.replace(told, at=Millis(told.at - 1)))
    connection.execute("UPDATE log SET leaf = ? WHERE n = ?", (earlier, index))
    rebuild(connection)
    return f"{table}: entry {index} of the log rewritten"


def rebuild(connection: sqlite3.Connection) -> None:
    """The tree that the leaves give, as somebody would build it who knows how."""
    kept = [raw for (raw,) in connection.execute("SELECT leaf FROM log ORDER BY n")]
    tree, nodes = grown(EMPTY, kept)
    connection.execute("DELETE FROM node")
    connection.executemany("INSERT INTO node VALUES (?, ?, ?)", [(one.level, one.index, one.hash) for one in nodes])
    connection.execute("UPDATE tree SET edge = ?", (msgspec.msgpack.encode(tree),))


BARE: Final[dict[str, Mutation]] = {
    "flip": flip,
    "delete": delete,
    "insert": insert,
    "swap": swap,
    "reorder": reorder,
    "backdate": backdate,
}
"""Found out with nothing but the database."""
PINNED: Final[dict[str, Mutation]] = {"truncate": truncate, "fork": fork}
"""Found out by whoever kept a checkpoint."""


def mutated(image: bytes, mutation: Mutation, seed: int) -> tuple[sqlite3.Connection, str]:
    """(the changed copy, what was changed)."""
    draw = random.Random(seed)
    while True:
        connection = opened(image)
        try:
            return connection, mutation(connection, draw)
        except (NothingToDoError, sqlite3.IntegrityError):
            connection.close()
