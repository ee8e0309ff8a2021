"""The log's tables: leaves, complete subtrees, and the tree's right edge, which is all that appending needs."""

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.errors import StoreError
from schemas.ids import Millis, Seq, op_id
from server import logbook
from sync.evidence import leaf, merkle
from sync.evidence.leaf import OpLeaf, RowsLeaf
from sync.evidence.merkle import Frontier, Node

_AT_ONCE: Final = 1_000
_ADD_LEAF: Final = "INSERT INTO log (n, leaf) VALUES (?, ?)"
_ADD_NODE: Final = "INSERT INTO node (level, n, hash) VALUES (?, ?, ?)"
_OLD_OPS: Final = (
    "SELECT place, device, n, digest, result, acts, seq, recorded_at FROM op WHERE place > ? ORDER BY place LIMIT ?"
)
_OLD_ROWS: Final = "SELECT id, body FROM record WHERE id > ? ORDER BY id LIMIT ?"
_ENCODER: Final = msgspec.msgpack.Encoder()
_FRONTIER: Final = msgspec.msgpack.Decoder(Frontier)


def begin(connection: sqlite3.Connection) -> None:
    """Begin the log of a database that has none, with the ops and rows that it holds already.

    What was changed in them before cannot be found out by it; what is changed from now on can.
    """
    connection.execute("INSERT INTO tree VALUES (1, ?)", (_ENCODER.encode(merkle.EMPTY),))
    place = 0
    while rows := connection.execute(_OLD_OPS, (place, _AT_ONCE)).fetchall():
        first = read_tree(connection).size
        append(
            connection,
            [
                leaf.encode(
                    OpLeaf(
                        id=op_id(device, n),
                        digest=digest,
                        outcome=logbook.outcome_digest(result, acts),
                        seq=seq,
                        at=at,
                        place=place,
                    )
                )
                for place, device, n, digest, result, acts, seq, at in rows
            ],
        )
        connection.executemany(
            "UPDATE op SET leaf = ? WHERE place = ?", ((first + i, row[0]) for i, row in enumerate(rows))
        )
        place = rows[-1][0]
    (seq,) = connection.execute("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'seq'").fetchone()
    (at,) = connection.execute("SELECT coalesce(max(recorded_at), 0) FROM op").fetchone()
    record = ""
    while rows := connection.execute(_OLD_ROWS, (record, _AT_ONCE)).fetchall():
        digests = tuple((record, hashlib.sha256(body).digest()) for record, body in rows)
        append(connection, [leaf.encode(RowsLeaf(seq=Seq(seq), at=Millis(at), rows=digests))])
        record = rows[-1][0]


def read_tree(connection: sqlite3.Connection) -> Frontier:
    """The tree's right edge.

    Raises:
        StoreError: the database does not say it.
    """
    found = connection.execute("SELECT edge FROM tree").fetchone()
    if found is None:
        raise StoreError("the database does not say where its log ends; keep it as it is and restore a backup")
    return _FRONTIER.decode(found[0])


def append(connection: sqlite3.Connection, leaves: Sequence[bytes]) -> None:
    """Write leaves behind the last one."""
    before = read_tree(connection)
    tree, nodes = logbook.grown(before, leaves)
    write(connection, before.size, leaves, nodes, tree)


def write(
    connection: sqlite3.Connection, first: int, leaves: Sequence[bytes], nodes: Sequence[Node], tree: Frontier
) -> None:
    """Write leaves from index `first` on, the subtrees that they complete, and the right edge behind them."""
    if not leaves:
        return
    connection.executemany(_ADD_LEAF, enumerate(leaves, first))
    connection.executemany(_ADD_NODE, ((node.level, node.index, node.hash) for node in nodes))
    connection.execute("UPDATE tree SET edge = ?", (_ENCODER.encode(tree),))


def read_leaves(connection: sqlite3.Connection, first: int, count: int) -> list[bytes]:
    """The leaves from index `first` on, as they were hashed."""
    found = connection.execute("SELECT leaf FROM log WHERE n >= ? AND n < ? ORDER BY n", (first, first + count))
    return [body for (body,) in found.fetchall()]


class StoredHashes:
    """The tree's hashes as a reader finds them (`sync.evidence.merkle.Hashes`)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Bind it to one read's connection."""
        self._connection = connection

    def leaves(self, first: int, count: int) -> list[bytes]:
        """See `sync.evidence.merkle.Hashes`."""
        return [merkle.leaf_hash(body) for body in read_leaves(self._connection, first, count)]

    def node(self, level: int, index: int) -> bytes:
        """See `sync.evidence.merkle.Hashes`.

        Raises:
            StoreError: it is not there.
        """
        sql = "SELECT hash FROM node WHERE level = ? AND n = ?"
        found = self._connection.execute(sql, (level, index)).fetchone()
        if found is None:
            raise StoreError(f"the log lacks its node {index} of level {level}; restore a backup into a new folder")
        return bytes(found[0])
