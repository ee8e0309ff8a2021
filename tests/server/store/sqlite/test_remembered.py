"""What the writer remembers: bounded, as the tables have it, and gone when they may have something else."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.errors import StoreError
from schemas.ids import DeviceId, FieldName, OpNumber, Seq
from schemas.kinds import InboxItem, spec_of
from schemas.ops import Stamp
from server.commits import Submission, extras, flatten, needs
from server.logbook import OFFICE, Erasure, head_key
from server.store.sqlite.remembered import Recent, Remembered, Seat, is_as_read
from server.store.sqlite.writer import SqliteWriter
from server.store.vault import Subject
from sync.beyond import Beyond
from sync.evidence.chain import SignedHead, genesis
from sync.merge import RecordState, Trusted
from tests.server.store.support import HANDSET, NOW, Device, record_id, results_of, statuses

STAMP = Stamp(HANDSET, OpNumber(1), 1, 0, "WM2187", 1)  # type: ignore[arg-type]  # a literal is no NewType


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SqliteWriter]:
    """A writer on a new data folder."""
    opened = SqliteWriter.open(tmp_path / "data")
    yield opened
    opened.close()


def selects(writer: SqliteWriter) -> list[str]:
    """Statements that look for something from here on."""
    found: list[str] = []
    writer._connection.set_trace_callback(lambda sql: found.append(sql) if sql.startswith("SELECT") else None)
    return found


def signed(raw: bytes, n: int, before: bytes) -> SignedHead:
    """A head over one op; the store takes the session's word for its signature."""
    return SignedHead(HANDSET, before, ((OpNumber(n), hashlib.sha256(raw).digest()),), b"signature")


def test_what_was_used_longest_ago_gives_way() -> None:
    """Sizes never come to more than the bound; what was asked for counts as used."""
    recent: Recent[str, int] = Recent(10)
    recent.put("a", 1, 4)
    recent.put("b", 2, 4)
    assert recent.get("a") == 1
    recent.put("c", 3, 4)
    assert [recent.get(name) for name in "abc"] == [1, None, 3]
    recent.put("c", 4, 1)
    recent.put("d", 5, 5)
    assert [recent.get(name) for name in "acd"] == [1, 4, 5]
    recent.put("e", 6, 11)
    assert len(recent) == 0


def test_nothing_is_kept_of_what_was_dropped() -> None:
    """Neither the thing nor its size."""
    recent: Recent[str, int] = Recent(4)
    recent.put("a", 1, 4)
    recent.drop("a")
    recent.drop("a")
    recent.put("b", 2, 4)
    assert (recent.get("a"), recent.get("b")) == (None, 2)
    recent.clear()
    recent.put("c", 3, 4)
    assert (recent.get("b"), recent.get("c")) == (None, 3)


def test_an_edit_that_follows_another_looks_for_nothing(writer: SqliteWriter) -> None:
    """Of a seat and a record that the writer has just written it asks the tables nothing."""
    device, before, looked = Device(scopes=None), genesis(HANDSET), ["nothing was asked"]
    for text in ("first", "second", "third"):
        made = device.incident(record_id(1)) if text == "first" else device.note(record_id(1), text)
        head = signed(made, device.n, before.link)
        before = head.head
        looked = selects(writer)
        (settled,) = writer.commit([msgspec.structs.replace(device.push(made), head=head)], NOW)
        assert statuses(settled.results) == ["durable"]
    assert looked == []


def test_a_record_is_remembered_as_it_would_be_read(writer: SqliteWriter) -> None:
    """The state in memory is that of the row, value for value."""
    device = Device()
    writer.commit([device.push(device.incident(record_id(1)), device.note(record_id(1)))], NOW)
    known = writer._remembered.records.get(record_id(1))
    writer._remembered.forget()
    assert known == writer.state(record_id(1))


def test_what_would_be_read_otherwise_is_not_remembered() -> None:
    """Records of the rules, what is kept in trust, and what a newer program wrote."""
    remembered = Remembered()
    spec = spec_of(InboxItem)
    ruled = RecordState(id=record_id(1), spec=spec, version=Seq(1), cells={})
    plain = msgspec.structs.replace(ruled, spec=msgspec.structs.replace(spec, by_rule=False))
    trusting = msgspec.structs.replace(plain, trust={FieldName("new"): (Trusted(1, STAMP, None, Seq(0)),)})
    beyond = msgspec.structs.replace(plain, beyond=Beyond({FieldName("new"): [1, 0]}, (STAMP,)))
    assert [is_as_read(state) for state in (plain, ruled, trusting, beyond)] == [True, False, False, False]
    remembered.wrote_records({record_id(1): plain}, {record_id(1): 10})
    remembered.wrote_records({record_id(1): trusting}, {record_id(1): 10})
    assert remembered.records.get(record_id(1)) is None


def test_a_seat_goes_on_with_what_is_written() -> None:
    """Its highest numbers and its chain; of a seat that nobody asked about nothing is made up."""
    remembered, other = Remembered(), DeviceId("desk-01")
    remembered.seats.put(HANDSET, Seat(OpNumber(3), OpNumber(0), None))
    chain = genesis(HANDSET)
    covered = [(HANDSET, OpNumber(7), b""), (other, OpNumber(9), b"")]
    remembered.wrote_seats(
        [(HANDSET, OpNumber(2)), (HANDSET, OpNumber(5)), (other, OpNumber(1))], covered, {HANDSET: chain}
    )
    assert remembered.seats.get(HANDSET) == Seat(OpNumber(5), OpNumber(7), chain)
    assert remembered.seats.get(other) is None


def test_an_op_that_comes_again_is_found(writer: SqliteWriter) -> None:
    """It gives its stored result, and another one of its number is refused, as if nothing were remembered."""
    device = Device()
    made, noted = device.incident(record_id(1)), device.note(record_id(1))
    first = results_of(writer.commit([device.push(made, noted)], NOW))
    impostor = Device()
    other = impostor.incident(record_id(2))
    again = results_of(writer.commit([device.push(made, noted), impostor.push(other)], NOW))
    assert again[:2] == first
    assert (again[2].status, again[2].code) == ("refused", "op_reused")


def test_a_head_that_the_journal_has_is_found(writer: SqliteWriter) -> None:
    """It is looked for unless its number is beyond the chain, and known where it is."""
    device = Device()
    first, second = device.incident(record_id(1)), device.note(record_id(1))
    head = signed(first, 1, genesis(HANDSET).link)
    writer.commit([msgspec.structs.replace(device.push(first), head=head)], NOW)
    later = signed(second, 2, head.head.link)
    asked = [msgspec.structs.replace(device.push(), head=one) for one in (head, later)]
    assert writer._load(needs(flatten(asked), extras(asked))).entries == {head_key(head)}


def test_a_failure_forgets_everything(writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed commit wrote is not there: keys that it made are made anew, records are read again."""
    device = Device()
    writer.commit([device.push(device.incident(record_id(1)))], NOW)
    both = device.push(device.note(record_id(1)), device.incident(record_id(2)))

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as planted:
        planted.setattr("server.store.sqlite.log.write", fails)
        with pytest.raises(StoreError, match="Input/output error"):
            writer.commit([both], NOW)
    (settled,) = writer.commit([both], NOW)
    assert statuses(settled.results) == ["durable", "durable"]
    writer._remembered.forget()
    states = [writer.state(record_id(n)) for n in (1, 2)]
    assert [None if state is None else state.version for state in states] == [2, 2]


def test_nothing_of_what_was_erased_stays_in_memory(writer: SqliteWriter) -> None:
    """Neither the record nor its opened key."""
    device = Device()
    writer.commit([device.push(device.incident(record_id(1)))], NOW)
    erasure = Submission(OFFICE, None, (), erasure=Erasure(record_id(1), Seq(1), "erased"))
    (settled,) = writer.commit([erasure], NOW)
    assert [one.record for one in settled.erased] == [record_id(1)]
    assert len(writer._remembered.records) == 0
    assert not writer._tables._written
    with pytest.raises(StoreError, match="was destroyed"):
        writer._tables.key_for(Subject(record_id(1)))
    assert writer.state(record_id(1)) is None
