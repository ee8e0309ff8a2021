"""What was erased must not come back with a backup that is older than the erasure.

A backup holds the keys of its time, so it opens what has been erased since. Every archive therefore bears the erasures
that were carried out until then, with the two acts of each: who proposed it, who carried it out, and why; and an
archive may be made of these alone, small enough to be made every few minutes. A restore of an older archive that is
given a younger list carries each erasure out again, as the same two acts in the log that goes on from there. A record
that came after the backup is not in it, and a device may still have it: it is erased ahead, so that nothing of it is
taken (`server.erasure`).
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import StoreError
from schemas.ids import Millis, RecordId, Seq
from server.commits import Submission
from server.logbook import ACT, OFFICE, Entry, Erasure
from server.registry.acts import RecordErased, RetentionReviewed, decode
from server.store.sqlite.erasing import read_erased
from server.store.sqlite.folder import LOCK_WAIT_S, database_of
from server.store.sqlite.reader import read_journal
from server.store.sqlite.schema import open_reader
from server.store.sqlite.sealed import SealedTables
from server.store.sqlite.trouble import store_errors
from server.store.sqlite.writer import SqliteWriter

_PAGE: Final = 500


class KeptErasure(msgspec.Struct, frozen=True):
    """One erasure, as it was decided.

    Attributes:
        record: which; what is a part of it goes with it.
        proposal, act: the two acts, as the journal keeps them.
        note: what is said where the record was.
    """

    record: RecordId
    proposal: bytes
    act: bytes
    note: str


class Carried(msgspec.Struct, frozen=True):
    """What became of a list of erasures in a folder that was restored.

    Attributes:
        done: erased now.
        before: were erased in the backup already.
        ahead: records that came after the backup, and are not taken where a device offers one.
    """

    done: tuple[RecordId, ...] = ()
    before: tuple[RecordId, ...] = ()
    ahead: tuple[RecordId, ...] = ()


def read_erasures(tables: SealedTables) -> tuple[KeptErasure, ...]:
    """Every erasure that a database knows of, in order. Reads in bounded pages, each a transaction of its own.

    Raises:
        StoreError: the journal cannot be read.
    """
    found: dict[RecordId, KeptErasure] = {}
    if tables.connection.execute("SELECT 1 FROM erased LIMIT 1").fetchone() is None:
        # Nobody reads through years of acts for nothing.
        return ()
    proposals: dict[RecordId, bytes] = {}
    place = 0
    while page := read_journal(tables, ACT, place, _PAGE):
        for entry in page:
            place = entry.place
            act = None if entry.body is None else decode(entry.body)
            if isinstance(act, RetentionReviewed) and entry.body is not None:
                proposals[act.record] = entry.body
            elif isinstance(act, RecordErased) and entry.body is not None:
                gone = read_erased(tables, act.record)
                if gone is not None and act.record in proposals:
                    found[act.record] = KeptErasure(act.record, proposals[act.record], entry.body, gone.note)
    return tuple(found.values())


def joined(lists: Iterable[Sequence[KeptErasure]]) -> tuple[KeptErasure, ...]:
    """Several lists as one, each record once."""
    return tuple({one.record: one for each in lists for one in each}.values())


def carry_out(folder: Path, erasures: Sequence[KeptErasure], now: Millis) -> Carried:
    """Erase again what was erased. Stopped on the way, the same call goes on.

    Args:
        folder: a data folder that nothing else uses.
        erasures: what had been erased, as far as is known.
        now: the clock (ms since 1970).

    Raises:
        StoreError: the folder cannot be used, or an erasure was not carried out.
    """
    if not erasures:
        return Carried()
    seq, acts = _seq_and_acts(database_of(folder))
    done: list[RecordId] = []
    before: list[RecordId] = []
    ahead: list[RecordId] = []
    writer = SqliteWriter.open(folder, LOCK_WAIT_S)
    try:
        for one in erasures:
            if writer.erasure_of(one.record) is not None:
                before.append(one.record)
                continue
            (ahead if writer.state(one.record) is None else done).append(one.record)
            _erase(writer, one, seq, acts, now)
            acts += 2
    finally:
        writer.close()
    return Carried(tuple(done), tuple(before), tuple(ahead))


def _erase(writer: SqliteWriter, one: KeptErasure, seq: Seq, acts: int, now: Millis) -> None:
    entries = (Entry(ACT, f"{acts + 1:012d}", one.proposal), Entry(ACT, f"{acts + 2:012d}", one.act))
    # Whoever proposed it had seen more than the backup holds.
    erasure = Erasure(one.record, seq, one.note, ahead=True)
    writer.commit([Submission(OFFICE, frozenset(), (), entries=entries, erasure=erasure)], now)
    if writer.erasure_of(one.record) is None:
        raise StoreError(f"record {one.record} was erased after the backup, and could not be erased again")


def _seq_and_acts(database: Path) -> tuple[Seq, int]:
    with store_errors(database), closing(open_reader(database)) as connection:
        return _seq(connection), connection.execute("SELECT count(*) FROM journal WHERE what = ?", (ACT,)).fetchone()[0]


def _seq(connection: sqlite3.Connection) -> Seq:
    return Seq(int(connection.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone()[0]))
