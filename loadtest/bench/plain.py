"""Plain SQLite, durable and nothing else: the floor under a replica that is encrypted and knows what it holds."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from loadtest.bench.figures import percentile

ROWS_AT_ONCE: Final = 500
"""Of one transaction: some of a page."""
_ROW_BYTES: Final = 300


def rows_per_s(path: Path, rows: int) -> float:
    """Rows a second that a plain database takes, durable (`synchronous=FULL`) with each page of them."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE record (id TEXT PRIMARY KEY, version INTEGER, body BLOB) WITHOUT ROWID")
    body = os.urandom(_ROW_BYTES)
    began = time.perf_counter()
    for start in range(0, rows, ROWS_AT_ONCE):
        connection.execute("BEGIN IMMEDIATE")
        page = [(f"{n:036d}", n, body) for n in range(start, min(rows, start + ROWS_AT_ONCE))]
        connection.executemany("INSERT INTO record VALUES (?, ?, ?)", page)
        connection.execute("COMMIT")
    passed = time.perf_counter() - began
    connection.close()
    return rows / passed


def edit_s(path: Path, edits: int) -> float:
    """How long a transaction takes that adds a row and changes another one, p50 (s)."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, body BLOB)")
    connection.execute("CREATE TABLE op (n INTEGER PRIMARY KEY, body BLOB)")
    body = os.urandom(_ROW_BYTES)
    connection.executemany("INSERT INTO record VALUES (?, ?)", [(n, body) for n in range(edits)])
    taken = []
    for n in range(edits):
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO op VALUES (?, ?)", (n, body))
        connection.execute("UPDATE record SET body = ? WHERE id = ?", (body[::-1], n))
        connection.execute("COMMIT")
        taken.append(time.perf_counter() - began)
    connection.close()
    return percentile(taken, 50)
