"""What devices send beside ops: read logs without gaps, sealed edits once each, receipts, alarms."""

import hashlib

import msgspec
import pytest

from schemas import wire
from schemas.errors import PeerError
from schemas.ids import DeviceId, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName, named_record_id
from schemas.reads import NO_LINK, Read
from server import alarms, intake
from server.alarms import Alarm
from server.commits import Submission
from server.intake import KeptReceipt, ReadBatch, SealedEdit
from server.logbook import QUARANTINE, READS, RECEIPT
from sync.evidence.chain import ChainHead

SEAT = DeviceId("hh-1")
OTHER = DeviceId("hh-2")
OFFICER = OfficerId("WM1")
RECORD: RecordId = named_record_id("intake")
AT = Millis(1_700_000_000_000)


def log(count: int, author: str = OFFICER) -> list[bytes]:
    """Entries of a read log, from the first."""
    entries: list[bytes] = []
    link = NO_LINK
    for n in range(1, count + 1):
        read = Read(
            n=n, link=link, what="consultation", author=OfficerId(author), records=(RECORD,), at=AT, wall=AT, why="duty"
        )
        entries.append(msgspec.msgpack.encode(read))
        link = hashlib.sha256(entries[-1]).digest()
    return entries


def head(entries: list[bytes]) -> ChainHead:
    """Where a log of these entries stands."""
    return ChainHead(OpNumber(len(entries)), hashlib.sha256(entries[-1]).digest())


def body(submission: Submission) -> bytes:
    """The one entry that is to be committed."""
    (entry,) = submission.entries
    return entry.body


def refused(held: ChainHead | None, first: int, entries: list[bytes]) -> str:
    """The code with which entries are refused."""
    with pytest.raises(PeerError) as caught:
        intake.take_reads(SEAT, OFFICER, held, first, entries)
    return caught.value.spec.code


# --- read logs -------------------------------------------------------------------------------------------------------


def test_a_read_log_is_kept_as_it_came() -> None:
    """Its bytes, whose it is, and where it stands now, in one commit."""
    entries = log(3)
    submission, reached = intake.take_reads(SEAT, OFFICER, None, 1, entries)
    assert submission is not None
    assert submission.entries[0].id == (READS, "hh-1:1")
    assert submission.reached == {intake.reads_chain(SEAT): head(entries)} == {"reads/hh-1": reached}
    batch = msgspec.msgpack.decode(body(submission), type=ReadBatch)
    assert (batch.seat, batch.officer, batch.first, batch.entries) == (SEAT, OFFICER, 1, tuple(entries))
    assert [read.n for read in batch.reads()] == [1, 2, 3]


def test_what_is_held_already_is_not_kept_again() -> None:
    """A message that came twice, or only in part anew: the rest is what is new."""
    entries = log(4)
    assert intake.take_reads(SEAT, OFFICER, head(entries), 1, entries) == (None, head(entries))
    submission, reached = intake.take_reads(SEAT, OFFICER, head(entries[:2]), 1, entries)
    assert submission is not None
    batch = msgspec.msgpack.decode(body(submission), type=ReadBatch)
    assert (batch.first, batch.entries, reached) == (3, tuple(entries[2:]), head(entries))


def test_a_log_with_a_gap_is_refused() -> None:
    """Whether entries are left out before it, within it, or it begins anew."""
    entries = log(4)
    assert refused(head(entries[:1]), 3, entries[2:]) == "chain_broken"
    assert refused(None, 1, [entries[0], entries[2]]) == "chain_broken"
    assert refused(head(entries[:2]), 3, [entries[0]]) == "chain_broken"


def test_the_missing_entries_are_named() -> None:
    """Whoever reads the log of the server learns what to ask the device for."""
    entries = log(6)
    with pytest.raises(PeerError, match="lacks entries 3 to 4"):
        intake.take_reads(SEAT, OFFICER, head(entries[:2]), 5, entries[4:])


@pytest.mark.parametrize("number", [2, 4])
def test_a_number_out_of_turn_is_refused_though_the_link_fits(number: int) -> None:
    """A device that lets one fall and links over it has left a gap all the same; nor may a number stand twice."""
    entries = log(2)
    third = msgspec.msgpack.decode(log(3)[2], type=Read)
    assert third.link == head(entries).link
    wrong = msgspec.msgpack.encode(msgspec.structs.replace(third, n=number))
    assert refused(head(entries), 3, [wrong]) == "chain_broken"


def test_a_log_that_was_written_anew_is_refused() -> None:
    """Entries of the right numbers that do not follow those that are held."""
    entries = log(2)
    assert refused(head(log(2, "WM2")), 3, log(3)[2:]) == "chain_broken"
    assert refused(head(entries), 3, [entries[1]]) == "chain_broken"


def test_a_log_of_the_right_length_with_another_last_entry_is_refused() -> None:
    """Nothing is new in it by its numbers: what is held already must be what is held."""
    entries = log(2)
    other = msgspec.structs.replace(msgspec.msgpack.decode(entries[1], type=Read), why="something else")
    assert refused(head(entries), 1, [entries[0], msgspec.msgpack.encode(other)]) == "chain_broken"


def test_a_log_by_somebody_else_is_refused() -> None:
    """A seat is one officer's; where nobody asks for an officer, whoever wrote it may be kept."""
    assert refused(None, 1, log(1, "WM2")) == "foreign_op"
    submission, _ = intake.take_reads(SEAT, None, None, 1, log(1, "WM2"))
    assert submission is not None


@pytest.mark.parametrize("entry", [b"", b"\xc1", b"\x81\xa1n\x01", msgspec.msgpack.encode("x")])
def test_what_is_no_entry_is_refused(entry: bytes) -> None:
    """By its number, and never with a traceback."""
    assert refused(None, 1, [entry]) == "wrong_field"


# --- sealed edits ----------------------------------------------------------------------------------------------------


def test_sealed_edits_are_kept_with_whose_they_are() -> None:
    """Each an entry of its own, opened by nobody on the way."""
    submission = intake.sealed_entries(SEAT, OFFICER, [(7, b"sealed seven"), (9, b"sealed nine")])
    assert [entry.what for entry in submission.entries] == [QUARANTINE, QUARANTINE]
    found = [msgspec.msgpack.decode(entry.body, type=SealedEdit) for entry in submission.entries]
    assert found == [SealedEdit(SEAT, OFFICER, 7, b"sealed seven"), SealedEdit(SEAT, OFFICER, 9, b"sealed nine")]


def test_a_sealed_edit_has_one_name_for_ever() -> None:
    """Sent again it is the same entry; of another seat, another number or other bytes it is another."""

    def name(seat: DeviceId, number: int, sealed: bytes) -> tuple[str, str]:
        return intake.sealed_entries(seat, OFFICER, [(number, sealed)]).entries[0].id

    assert name(SEAT, 7, b"sealed") == name(SEAT, 7, b"sealed")
    others = {name(OTHER, 7, b"sealed"), name(SEAT, 8, b"sealed"), name(SEAT, 7, b"sealed anew")}
    assert len(others | {name(SEAT, 7, b"sealed")}) == 4


# --- receipts and alarms ---------------------------------------------------------------------------------------------


def test_receipts_are_kept_with_their_signature() -> None:
    """Of a scope, and of everything; each generation has its own."""
    scope, gen = ScopeName("area:birmingham"), Generation(3)
    removed = wire.Retracted(scope=scope, gen=gen, removed=12, at=AT, receipt=bytes(64))
    entry = intake.receipt_entry(SEAT, removed).entries[0]
    assert entry.what == RECEIPT
    assert msgspec.msgpack.decode(entry.body, type=KeptReceipt) == KeptReceipt(SEAT, scope, 3, 12, AT, bytes(64))
    again = wire.Retracted(scope=scope, gen=Generation(4), removed=12, at=AT, receipt=bytes(64))
    assert intake.receipt_entry(SEAT, again).entries[0].id != entry.id
    wiped = intake.receipt_entry(SEAT, wire.Wiped(at=AT, receipt=bytes(64))).entries[0]
    assert msgspec.msgpack.decode(wiped.body, type=KeptReceipt) == KeptReceipt(SEAT, "", 0, 0, AT, bytes(64))


def test_an_alarm_is_kept_in_the_name_of_its_seat() -> None:
    """As `server.alarms` writes it, with no op and for no scope."""
    alarm = Alarm("chain_differs", SEAT, "in words", AT)
    submission = intake.alarm_entry(alarm)
    assert (submission.device, submission.ops, submission.scopes) == (SEAT, (), frozenset())
    assert submission.entries == (alarms.entry(alarm),)
