"""The one connection that writes: loads what a group is about, settles it, and writes each commit in one transaction.

Synchronous on purpose. It runs in a process of its own (`child`) or on a thread of its own (`SqliteStore` inline), and
either way nothing happens between the beginning and the end of a transaction but this.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec

from schemas.codec import decode_row
from schemas.errors import FrameError, StoreError
from schemas.ids import DeviceId, Epoch, Millis, OpNumber, RecordId, ScopeName, Seq, op_id
from schemas.kinds import kind_named
from schemas.wire import Result
from server.commits import KnownOp, Loaded, Needs, NewOp, Settled, Submission, extras, flatten, needs
from server.logbook import NOTHING, EntryKey, Erased, Extras, NewEntry, OpKey, seat_of_head
from server.observing.measures import Took
from server.settle import settle
from server.store import masters
from server.store.masters import MasterKeys
from server.store.sqlite import erasing, log, schema, sealed, sealing
from server.store.sqlite.folder import LOCK_WAIT_S, DataFolder
from server.store.sqlite.remembered import Remembered, Seat
from server.store.sqlite.sealed import SealedTables, entry_row, entry_subject
from server.store.sqlite.transaction import transaction
from server.store.sqlite.trouble import store_error, store_errors
from server.store.vault import Subject, Vault
from sync import merge
from sync.evidence.chain import ChainHead
from sync.evidence.merkle import EMPTY
from sync.merge import RecordState
from sync.session import Head

_log = logging.getLogger(__name__)
_RESULT: Final = msgspec.msgpack.Decoder(Result)

_OP: Final = (
    "SELECT op.digest, op.result, op.body, op.record, record_key.wrapped"
    " FROM op LEFT JOIN record_key ON record_key.record = op.record WHERE op.device = ? AND op.n = ?"
)
_BODY: Final = (
    "SELECT record.body, record_key.wrapped FROM record LEFT JOIN record_key ON record_key.record = record.id"
    " WHERE record.id = ?"
)
_ADD_OP: Final = (
    "INSERT INTO op (place, device, n, record, seq, digest, body, result, recorded_at, acts, leaf)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_ENTRY: Final = "INSERT INTO journal (what, key, record, at, seq, body, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SEAT: Final = (
    "SELECT coalesce((SELECT max(n) FROM op WHERE device = :device), 0),"
    " coalesce((SELECT max(n) FROM covered WHERE device = :device), 0), chain.n, chain.link"
    " FROM (SELECT 1) LEFT JOIN chain ON chain.device = :device"
)
_PUT_CHAIN: Final = (
    "INSERT INTO chain (device, n, link) VALUES (?, ?, ?)"
    " ON CONFLICT (device) DO UPDATE SET n = excluded.n, link = excluded.link"
)
_COVERED: Final = "SELECT digest FROM covered WHERE device = ? AND n = ?"
_PUT_COVERED: Final = "INSERT INTO covered (device, n, digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_ENTRY_KEY: Final = "SELECT 1 FROM journal WHERE what = ? AND key = ?"
_PUT_SECRET: Final = (
    "INSERT INTO secret (name, body) VALUES (?, ?)"  # noqa: S105  a statement
    " ON CONFLICT (name) DO UPDATE SET body = excluded.body"
)
_PUT_RECORD: Final = (
    "INSERT INTO record (id, kind, version, body, about) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET version = excluded.version, body = excluded.body, about = excluded.about"
)
_PUT_MEMBER: Final = (
    "INSERT INTO member (scope, record, seq, gone) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (scope, record) DO UPDATE SET seq = excluded.seq, gone = excluded.gone"
)
_PUT_SCOPE: Final = (
    "INSERT INTO scope (name, seq, digest, count) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, digest = excluded.digest, count = excluded.count"
)


class SqliteWriter:
    """The data folder, locked, and its database, open for writing."""

    def __init__(self, folder: DataFolder, tables: SealedTables) -> None:
        """Use `open`."""
        self._folder = folder
        self._tables = tables
        self._connection = tables.connection
        self._seq = Seq(0)
        self._heads: dict[ScopeName, Head] = {}
        self._tree = EMPTY
        self._places = 0
        self._remembered = Remembered()
        self._sure = False
        """Whether what stands above is what the database says; not so after a failure."""
        self._unclean = False
        """Whether the log may still hold something of what was erased."""
        self.took = Took()
        """How long the last group took."""
        self.epoch = Epoch(str(self._meta("epoch")))
        """The database's unbroken history."""

    @classmethod
    def open(cls, path: Path, wait_s: float = LOCK_WAIT_S) -> "SqliteWriter":
        """Lock the data folder, make it if it is not there, and open its database.

        A new database gets a file of master keys (`server.store.masters`), if there is none yet; one that is there is
        opened with the keys that it names, or not at all.

        Args:
            path: the data folder.
            wait_s: how long to wait for another process that holds it (seconds).

        Raises:
            StoreError: the folder or its database cannot be used; nothing of it was touched.
        """
        folder = DataFolder.claim(path, wait_s)
        try:
            with store_errors(folder.path):
                keys = _prepare(folder)
                connection = schema.open_writer(folder.database, keys)
                try:
                    folder.seal()
                    if folder.is_copy:
                        schema.renew_epoch(connection)
                    tables = SealedTables(connection, Vault(keys, folder.database))
                    sealing.finish(tables)
                    # A server that was killed right after an erasure has left what it overwrote in its log.
                    sealing.fold(connection)
                    return cls(folder, tables)
                except BaseException:
                    connection.close()
                    raise
        except BaseException:
            folder.release()
            raise

    def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        """See `server.store.port.Store.commit`."""
        self.took = Took()
        ops, beside = flatten(group), extras(group)
        done: list[Settled] = []
        while ops or beside:
            settled = self._commit_once(ops, beside, now)
            done.append(settled.told())
            ops = ops[settled.taken :]
            beside = beside if ops else NOTHING
        self._clean(done)
        return done

    def _clean(self, done: Sequence[Settled]) -> None:
        """Leave nothing of what was erased in the log; as often as it takes, since a reader may be in the way."""
        erased = any(one.erased for one in done)
        if erased or self._unclean:
            # Waited for once: while a backup reads, every commit would wait for it in vain.
            wait_ms = erasing.FOLD_WAIT_MS if erased else 0
            with store_errors(self._folder.database):
                self._unclean = not erasing.clean(self._connection, wait_ms)

    def rewrap(self) -> int:
        """Wrap every record key under the newest master key; from then on no older one is needed.

        Returns how many keys were moved. Stopped on the way, the next call goes on.

        Raises:
            StoreError: a key cannot be opened, or the disk refused; what was moved is moved.
        """
        with store_errors(self._folder.database):
            moved = sealing.rewrap(self._tables)
            schema.require_masters_only(self._connection, self._tables.vault.masters.newest)
        return moved

    def close(self) -> None:
        """End: SQLite folds the WAL into the database, and the next process may have the folder."""
        try:
            with store_errors(self._folder.database):
                self._connection.close()
        finally:
            self._folder.release()

    def _commit_once(self, ops: Sequence[tuple[Submission, bytes]], beside: Extras, now: Millis) -> Settled:
        began = settled_at = written_at = perf_counter()
        states: dict[RecordId, RecordState] = {}
        try:
            with transaction(self._connection):
                if not self._sure:
                    self._load_heads()
                settled = settle(ops, self._load(needs(ops, beside)), self._seq, now, beside, states)
                settled_at = perf_counter()
                self._write(settled)
                written_at = perf_counter()
        except (sqlite3.Error, OSError) as error:
            self._sure = False
            raise store_error(error, self._folder.database) from error
        except StoreError:
            self._sure = False
            raise
        except Exception as error:
            self._sure = False
            _log.exception("a group of ops could not be settled")
            raise StoreError(
                f"{self._folder.database}: a group of ops could not be settled ({type(error).__name__}); this is a "
                "defect of the program, its trace is in the log"
            ) from error
        self.took = Took(
            self.took.settle + settled_at - began,
            self.took.write + written_at - settled_at,
            self.took.sync + perf_counter() - written_at,
        )
        self._seq = settled.seq
        self._heads.update((change.scope, change.head) for change in settled.scopes)
        self._tree = settled.written.tree
        self._places += len(settled.ops)
        self._remember(settled, states)
        return settled

    def _remember(self, settled: Settled, states: Mapping[RecordId, RecordState]) -> None:
        if settled.erased:
            # Nothing of it stays in memory either.
            self._forget()
            return
        sizes = {row.record: len(row.body) for row in settled.rows}
        self._remembered.wrote_records(states, sizes)
        written = settled.written
        self._remembered.wrote_seats(((op.device, op.n) for op in settled.ops), written.covered, written.chains)

    def _forget(self) -> None:
        self._remembered.forget()
        self._tables.forget()

    def _meta(self, key: str) -> object:
        with store_errors(self._folder.database):
            (value,) = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return value

    def _load_heads(self) -> None:
        self._forget()
        self._seq = Seq(int(str(self._meta("seq"))))
        found = self._connection.execute("SELECT name, seq, digest, count FROM scope")
        self._heads = {name: Head(seq, digest, count) for name, seq, digest, count in found}
        self._tree = log.read_tree(self._connection)
        (self._places,) = self._connection.execute("SELECT coalesce(max(place), 0) FROM op").fetchone()
        self._sure = True

    def _load(self, wanted: Needs) -> Loaded:
        ops: dict[OpKey, KnownOp] = {}
        covered: dict[OpKey, bytes] = {}
        seats = {device: self._seat(device) for device in wanted.devices}
        for device, n in wanted.ops:
            seat = seats[device]
            found = self._op(device, n) if n <= seat.op else None
            if found is not None:
                ops[device, n] = found[0]
            elif n <= seat.covered:
                told = self._connection.execute(_COVERED, (device, n)).fetchone()
                if told is not None:
                    covered[device, n] = told[0]
        states: dict[RecordId, RecordState] = {}
        for record in wanted.records:
            state = self.state(record)
            if state is not None:
                states[record] = state
        return Loaded(
            ops=ops,
            states=states,
            heads=self._heads,
            archive=self,
            chains={device: seat.chain for device, seat in seats.items() if seat.chain is not None},
            covered=covered,
            entries=frozenset(entry for entry in wanted.entries if self._has_entry(entry, seats)),
            tree=self._tree,
            places=self._places,
            read=wanted.read,
        )

    def _seat(self, device: DeviceId) -> Seat:
        seat = self._remembered.seats.get(device)
        if seat is None:
            op, covered, n, link = self._connection.execute(_SEAT, {"device": device}).fetchone()
            seat = Seat(op, covered, None if n is None else ChainHead(n, link))
            self._remembered.seats.put(device, seat)
        return seat

    def _has_entry(self, key: EntryKey, seats: Mapping[DeviceId, Seat]) -> bool:
        head = seat_of_head(key)
        if head is not None and head[0] in seats and not seats[head[0]].has_head(head[1]):
            return False
        return self.has_entry(key)

    def state(self, record: RecordId) -> RecordState | None:
        """See `server.commits.Archive`."""
        known = self._remembered.records.get(record)
        if known is not None:
            return known
        found = self._connection.execute(_BODY, (record,)).fetchone()
        return None if found is None else self._read_state(record, self._tables.row(record, found[1], found[0]))

    def body(self, device: DeviceId, n: OpNumber) -> bytes | None:
        """See `server.commits.Archive`."""
        found = self._op(device, n)
        if found is None or found[0].result.status != "durable":
            return None
        _, record, wrapped, body = found
        return self._tables.opened((sealed.OP, op_id(device, n)), Subject(record), wrapped, body) if body else None

    def has_entry(self, key: EntryKey) -> bool:
        """See `server.commits.Archive`."""
        return self._connection.execute(_ENTRY_KEY, key).fetchone() is not None

    def parts(self, record: RecordId) -> list[RecordId]:
        """See `server.erasure.Records`."""
        return erasing.parts(self._connection, record)

    def erasure_of(self, record: RecordId) -> Erased | None:
        """See `server.erasure.Records`."""
        return erasing.read_erased(self._tables, record)

    def scopes_ever(self, record: RecordId) -> frozenset[ScopeName]:
        """See `server.erasure.Records`."""
        return erasing.scopes_ever(self._connection, record)

    def _op(self, device: DeviceId, n: OpNumber) -> tuple[KnownOp, RecordId, bytes | None, bytes] | None:
        """(what is known of an op, its record, that one's wrapped key, the op as it rests)."""
        found = self._connection.execute(_OP, (device, n)).fetchone()
        if found is None:
            return None
        digest, result, body, record, wrapped = found
        known = KnownOp(digest, _RESULT.decode(self._tables.result((device, n), record, wrapped, result)))
        return known, record, wrapped, body

    def _read_state(self, record: RecordId, body: bytes) -> RecordState:
        try:
            row = decode_row(body)
            # A newer server has been here. Its record stands in nobody's way, and nobody writes over it.
            return merge.unknown(row) if kind_named(row.kind) is None else merge.from_row(row)
        except (FrameError, ValueError) as error:
            raise StoreError(
                f"{self._folder.database}: record {record} cannot be read ({error}); restore it from a backup"
            ) from error

    def _write(self, settled: Settled) -> None:
        seq = settled.seq
        write = self._connection.executemany
        leaf = settled.written.first_leaf
        write(
            _ADD_OP,
            (
                (
                    *(self._places + i, op.device, op.n, op.record, seq, op.digest),
                    *(*self._sealed(op), settled.recorded_at, op.did, leaf + i - 1),
                )
                for i, op in enumerate(settled.ops, 1)
            ),
        )
        self._write_beside(settled, leaf + len(settled.ops))
        if not settled.rows and not settled.erased:
            return
        rows = ((row, self._tables.key_for(Subject(row.record))) for row in settled.rows)
        write(
            _PUT_RECORD,
            (
                (row.record, row.kind, seq, key.seal(sealed.RECORD, row.record, row.body), row.about)
                for row, key in rows
            ),
        )
        write(
            _PUT_MEMBER,
            (
                (change.scope, record, seq, is_gone)
                for change in settled.scopes
                for is_gone, records in enumerate((change.members, change.gone))
                for record in records
            ),
        )
        heads = ((change.scope, change.head) for change in settled.scopes)
        write(_PUT_SCOPE, ((scope, head.seq, head.digest, head.count) for scope, head in heads))
        self._connection.execute("UPDATE meta SET value = ? WHERE key = 'seq'", (seq,))
        # Last: what this commit has written about them goes as well.
        erasing.erase(self._tables, settled.erased)

    def _sealed(self, op: NewOp) -> tuple[bytes, bytes]:
        """(body, result) of an op as they rest."""
        if not op.body:
            return b"", op.told
        key, name = self._tables.key_for(Subject(op.record)), op_id(op.device, op.n)
        # What a refusal says may hold a value; everything else in a result is numbers, scopes and names of ops.
        return key.seal(sealed.OP, name, op.body), (
            key.seal(sealed.RESULT, name, op.told) if op.result.detail else op.told
        )

    def _sealed_entry(self, new: NewEntry) -> bytes | None:
        entry = new.entry
        if not new.whole:
            return None
        key = self._tables.key_for(entry_subject(entry.what, entry.record))
        return key.seal(sealed.ENTRY, entry_row(*entry.id), entry.body)

    def _write_beside(self, settled: Settled, leaf: int) -> None:
        """Write what comes with the ops; `leaf` is the index of the first entry's leaf."""
        written, write = settled.written, self._connection.executemany
        when = (settled.recorded_at, settled.seq)
        write(
            _ADD_ENTRY,
            (
                (*new.entry.id, new.entry.record, *when, self._sealed_entry(new), leaf + i)
                for i, new in enumerate(written.entries)
            ),
        )
        write(_PUT_CHAIN, ((device, head.n, head.link) for device, head in written.chains.items()))
        write(_PUT_COVERED, written.covered)
        write("DELETE FROM secret WHERE name = ?", ((name,) for name, body in written.secrets.items() if body is None))
        secrets = ((name, body) for name, body in written.secrets.items() if body is not None)
        write(
            _PUT_SECRET,
            ((name, self._tables.key_for(sealed.SECRETS).seal(sealed.SECRET, name, body)) for name, body in secrets),
        )
        log.write(self._connection, written.first_leaf, written.leaves, written.nodes, written.tree)


def _prepare(folder: DataFolder) -> MasterKeys:
    """The master keys of a folder whose database is there afterwards.

    Raises:
        StoreError: the database cannot be used, or its master keys are not here. Nothing was touched then.
    """
    path = masters.key_file(folder.path)
    if not folder.has_database:
        # First, and durable: a database must never be there without the key that opens it.
        made = MasterKeys.make(path)
        unfinished = folder.clear_unfinished()
        schema.create(unfinished, made.newest)
        folder.adopt(unfinished)
        return made
    wanted = schema.examine(folder.database)
    keys = MasterKeys.read(path) if wanted else MasterKeys.make(path)
    for master in wanted:
        keys.require(master, str(folder.database))
    return keys
