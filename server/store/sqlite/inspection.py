"""A database as it lies, for whoever checks it (`server.evidence`): every row, nothing taken for granted.

The store reads what it needs and trusts what it wrote. Here the database may have been edited by somebody who knows
SQL, so rows are handed out one by one as they are, bodies are opened on demand, and without the master keys all that
is not sealed can still be checked. Nothing is written, and no lock is taken: the database of a running server and a
copy on a stick are read alike, in one transaction, so as one state.
"""

import enum
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from schemas.errors import StoreError
from schemas.ids import DeviceId, Millis, OpNumber, RecordId, ScopeName, Seq, op_id
from server.store.masters import MasterKeys
from server.store.sqlite import declared, schema, sealed
from server.store.sqlite.sealed import SealedTables, entry_row, entry_subject
from server.store.sqlite.trouble import store_errors
from server.store.vault import WRAPPED_BYTES, Subject, Vault, master_of
from sync.evidence.chain import ChainHead
from sync.evidence.merkle import Node

_T = TypeVar("_T")
_PROBLEMS_MAX: Final = 20
"""What SQLite says of a damaged file; the rest is more of the same."""
_DESTROYED: Final = bytes(WRAPPED_BYTES)


class Closed(enum.Enum):
    """Why a body is not opened, when that is no damage."""

    NO_MASTERS = "the master keys were not given"
    ERASED = "its key was destroyed"
    NO_KEY = "its key is not there"


Body = bytes | Closed


class OpRow(msgspec.Struct, frozen=True):
    """A row of the table `op`; see `server.store.port.KeptOp`."""

    place: int
    device: DeviceId
    n: OpNumber
    record: RecordId
    seq: Seq
    digest: bytes
    recorded_at: Millis
    leaf: int
    acts: bytes
    result: bytes
    body: bytes
    wrapped: bytes | None

    @property
    def id(self) -> str:
        """The op's name."""
        return op_id(self.device, self.n)


class EntryRow(msgspec.Struct, frozen=True):
    """A row of the table `journal`; see `server.logbook.KeptEntry`."""

    place: int
    what: str
    key: str
    record: RecordId | None
    at: Millis
    seq: Seq
    leaf: int
    body: bytes | None
    wrapped: bytes | None


class RecordRow(msgspec.Struct, frozen=True):
    """A row of the table `record`."""

    id: RecordId
    kind: str
    version: Seq
    about: RecordId | None
    body: bytes
    wrapped: bytes | None


class MemberRow(msgspec.Struct, frozen=True):
    """A row of the table `member`: a record in a scope, or (`gone`) that it left."""

    scope: ScopeName
    record: RecordId
    seq: Seq
    gone: int


class ScopeRow(msgspec.Struct, frozen=True):
    """A row of the table `scope`: where it stands."""

    name: ScopeName
    seq: Seq
    digest: bytes
    count: int


class KeyRow(msgspec.Struct, frozen=True):
    """A row of the table `record_key`."""

    n: int
    subject: Subject
    wrapped: bytes

    @property
    def destroyed(self) -> bool:
        """Whether only zeros are left of it."""
        return self.wrapped == _DESTROYED


class ErasedRow(msgspec.Struct, frozen=True):
    """A row of the table `erased`."""

    record: RecordId
    subject: str
    at: Millis
    seq: Seq
    note: bytes


class Inspection:
    """One database in one state. Iterators read as they go: end one before the next begins."""

    def __init__(self, connection: sqlite3.Connection, masters: MasterKeys | None, where: Path) -> None:
        """Bind it.

        Args:
            connection: on it a transaction is begun, and ended by `close`.
            masters: what opens the bodies; None to check only what lies open.
            where: the database, for messages.
        """
        self.where = where
        self.masters = masters
        self._connection = connection
        self._tables = None if masters is None else SealedTables(connection, Vault(masters, where))
        with store_errors(where):
            connection.execute("BEGIN")
            self.lacking = declared.stand_in(connection)
            """Tables that are not there, or not with our columns: they are read as empty."""

    @classmethod
    def open(cls, path: Path, masters: MasterKeys | None) -> "Inspection":
        """Open a database, or a copy of one with the `-wal` beside it.

        Raises:
            StoreError: there is none, it is not ours, or its tables are not of the version that this program checks.
        """
        with store_errors(path):
            connection = schema.open_reader(path)
            try:
                _check(connection, path)
                return cls(connection, masters, path)
            except BaseException:
                connection.close()
                raise

    def close(self) -> None:
        """End."""
        self._connection.close()

    def problems(self) -> list[str]:
        """What SQLite itself says is wrong: pages, indexes, types; nothing when all is well."""
        try:
            found = self._connection.execute(f"PRAGMA integrity_check({_PROBLEMS_MAX})").fetchall()
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return [text for (text,) in found if text != "ok"]

    def foreign_schema(self) -> list[str]:
        """Names of tables, indexes, triggers and views that are not as this program makes them, or that lack."""
        with store_errors(self.where):
            return declared.foreign(self._connection)

    def meta(self) -> dict[str, object]:
        """What the database says of itself."""
        return dict(self._all("SELECT key, value FROM meta"))

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """(index, leaf) in order."""
        with store_errors(self.where):
            yield from self._connection.execute("SELECT n, leaf FROM log ORDER BY n")

    def leaf(self, index: int) -> bytes | None:
        """One leaf."""
        found = self._all("SELECT leaf FROM log WHERE n = ?", index)
        return found[0][0] if found else None

    def nodes(self) -> Iterator[Node]:
        """The kept subtrees."""
        return self._rows(Node, "SELECT level, n, hash FROM node ORDER BY level, n")

    def edge(self) -> list[bytes]:
        """The tree's right edge as it is kept; there must be one."""
        return [edge for (edge,) in self._all("SELECT edge FROM tree")]

    def ops(self) -> Iterator[OpRow]:
        """Ops, in the order of their leaves."""
        return self._rows(
            OpRow,
            "SELECT place, device, op.n, op.record, seq, digest, recorded_at, leaf, acts, result, body, wrapped FROM op"
            " LEFT JOIN record_key ON record_key.record = op.record ORDER BY leaf, place",
        )

    def entries(self) -> Iterator[EntryRow]:
        """Journal entries, in the order of their leaves."""
        return self._rows(
            EntryRow,
            "SELECT place, what, key, journal.record, at, seq, leaf, body, wrapped FROM journal LEFT JOIN record_key"
            " ON record_key.record = coalesce(journal.record, 'journal:' || what) ORDER BY leaf, place",
        )

    def records(self) -> Iterator[RecordRow]:
        """Records as they stand, by id."""
        return self._rows(
            RecordRow,
            "SELECT id, kind, version, about, body, wrapped FROM record"
            " LEFT JOIN record_key ON record_key.record = record.id ORDER BY id",
        )

    def members(self) -> Iterator[MemberRow]:
        """Which record is in which scope, and which left it, by scope."""
        return self._rows(MemberRow, "SELECT scope, record, seq, gone FROM member ORDER BY scope, record")

    def scopes(self) -> Iterator[ScopeRow]:
        """Where scopes stand."""
        return self._rows(ScopeRow, "SELECT name, seq, digest, count FROM scope ORDER BY name")

    def chains(self) -> dict[str, ChainHead]:
        """Name -> where the chain stands."""
        found = self._all("SELECT device, n, link FROM chain")
        return {name: ChainHead(OpNumber(n), link) for name, n, link in found}

    def covered(self) -> dict[tuple[DeviceId, OpNumber], bytes]:
        """(device, number) -> SHA-256 of an op that a head vouches for, and that was not here then."""
        found = self._all("SELECT device, n, digest FROM covered")
        return {(device, n): digest for device, n, digest in found}

    def wrapped_keys(self) -> Iterator[KeyRow]:
        """Wrapped keys, in the order in which they were made."""
        return self._rows(KeyRow, "SELECT n, record, wrapped FROM record_key ORDER BY n")

    def erased(self) -> Iterator[ErasedRow]:
        """What is said to have been erased."""
        return self._rows(ErasedRow, "SELECT record, subject, at, seq, note FROM erased ORDER BY record")

    def subjects(self) -> set[Subject]:
        """Everything that something sealed is about, or was until its key was destroyed: there must be a key of it."""
        found = self._all(
            "SELECT id FROM record"
            # What came late about a part of an erased record was never kept, and has no key.
            " UNION SELECT record FROM op WHERE body <> x'' OR record IN (SELECT record FROM erased)"
            " UNION SELECT coalesce(record, 'journal:' || what) FROM journal WHERE body IS NOT NULL"
            " UNION SELECT ? FROM secret UNION SELECT ? FROM erased",
            sealed.SECRETS,
            sealed.NOTES,
        )
        return {Subject(subject) for (subject,) in found}

    def secret_names(self) -> list[str]:
        """Names of the secrets."""
        return [name for (name,) in self._all("SELECT name FROM secret ORDER BY name")]

    # --- opening -----------------------------------------------------------------------------------------------------

    def op_body(self, row: OpRow) -> Body:
        """An op as it came.

        Raises:
            StoreError: body or key are damaged, or of another row.
        """
        return self._opened((sealed.OP, row.id), Subject(row.record), row.wrapped, row.body)

    def op_result(self, row: OpRow) -> Body:
        """An op's encoded result; as `op_body`."""
        if row.result[:1] != b"\x01":
            return row.result
        return self._opened((sealed.RESULT, row.id), Subject(row.record), row.wrapped, row.result)

    def entry_body(self, row: EntryRow) -> Body:
        """A journal entry's body; as `op_body`."""
        if row.body is None:
            return Closed.ERASED
        subject = entry_subject(row.what, row.record)
        return self._opened((sealed.ENTRY, entry_row(row.what, row.key)), subject, row.wrapped, row.body)

    def record_body(self, row: RecordRow) -> Body:
        """A record's encoded row; as `op_body`."""
        return self._opened((sealed.RECORD, row.id), Subject(row.id), row.wrapped, row.body)

    def try_key(self, row: KeyRow) -> Closed | None:
        """Unwrap a key; None when it opens. As `op_body`."""
        if self._tables is None:
            return Closed.NO_MASTERS
        if row.destroyed:
            return Closed.ERASED
        self._tables.vault.key(row.subject, row.wrapped)
        return None

    def try_secret(self, name: str) -> Closed | None:
        """Open a secret and let it go again; None when it opens. As `op_body`."""
        ((kept,),) = self._all("SELECT body FROM secret WHERE name = ?", name)
        body = self._opened((sealed.SECRET, name), sealed.SECRETS, self._wrapped(sealed.SECRETS), kept)
        return body if isinstance(body, Closed) else None

    def try_note(self, row: ErasedRow) -> Closed | None:
        """Open what is said where a record was; None when it opens. As `op_body`."""
        body = self._opened((sealed.NOTE, row.record), sealed.NOTES, self._wrapped(sealed.NOTES), row.note)
        return body if isinstance(body, Closed) else None

    def _wrapped(self, subject: Subject) -> bytes | None:
        found = self._all("SELECT wrapped FROM record_key WHERE record = ?", subject)
        return found[0][0] if found else None

    def _opened(self, place: tuple[str, str], subject: Subject, wrapped: bytes | None, kept: bytes) -> Body:
        if wrapped is None:
            return Closed.NO_KEY
        if wrapped == _DESTROYED:
            return Closed.ERASED
        if self._tables is None:
            return Closed.NO_MASTERS
        return self._tables.opened(place, subject, wrapped, kept)

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with store_errors(self.where):
            return self._connection.execute(sql, values).fetchall()

    def _rows(self, kind: type[_T], sql: str) -> Iterator[_T]:
        with store_errors(self.where):
            for row in self._connection.execute(sql):
                yield kind(*row)


def master_named(row: KeyRow) -> bytes:
    """Id of the master key that a key is wrapped under, 8 bytes."""
    return master_of(row.wrapped)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is no database of ours, or that another version of the tables is in."""
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if found != schema.APPLICATION_ID:
        raise StoreError(f"{path}: is not a Beatbook database; name a data folder or a copy of its database")
    if version != schema.VERSION:
        raise StoreError(
            f"{path}: the database has version {version}, this program checks version {schema.VERSION}; "
            "take the program that wrote it, or start the server on it once to bring it up to date"
        )
