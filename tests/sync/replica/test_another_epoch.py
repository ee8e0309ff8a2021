"""A server that was set back: nothing of its lost history survives in a replica because its numbers were higher."""

import msgspec

from schemas import wire
from schemas.codec import decode_row, encode
from schemas.ids import DeviceId, Epoch, FieldName, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq
from schemas.ops import Row, Stamp
from sync.replica import MemoryTables, Replica

HERE = ScopeName("area:aston:briefing")
THERE = ScopeName("area:perry-barr:briefing")
RECORD = RecordId("019b796c-eba0-7000-8000-0000000000a1")
TITLE = FieldName("title")
OLD, NEW = Epoch("00" * 8), Epoch("11" * 8)
GEN = Generation(1)


def welcome(epoch: Epoch, seq: int) -> wire.Welcome:
    """Both scopes come as snapshots pinned at `seq`."""
    plans = tuple(wire.Plan(scope=scope, gen=GEN, action="snapshot", seq=Seq(seq)) for scope in (HERE, THERE))
    return wire.Welcome(
        proto=1,
        schema_min=1,
        schema_max=1,
        epoch=epoch,
        server_time=Millis(1),
        last_op=OpNumber(0),
        credit=1_048_576,
        scopes=plans,
    )


def page(scope: ScopeName, seq: int, *rows: msgspec.Raw) -> wire.Snapshot:
    """A scope's only page."""
    return wire.Snapshot(scope=scope, gen=GEN, at=Seq(seq), after="", upto="", rows=rows, last=True)


def row(version: int, title: str) -> msgspec.Raw:
    """The briefing in some version."""
    stamp = Stamp(DeviceId("desk-1"), OpNumber(1), 1, 0, OfficerId("WM30008"), 1)
    return msgspec.Raw(
        encode(Row(id=RECORD, kind="briefing", v=Seq(version), stamps=[stamp], cells={TITLE: [title, 0]}))
    )


def test_a_row_of_the_lost_history_gives_way_to_a_lower_version() -> None:
    """The record is made anew in one scope while the other still holds the old row: the new one stays."""
    tables = MemoryTables()
    replica = Replica(tables, DeviceId("hh-0042"))
    replica.welcome(welcome(OLD, 9))
    for scope in (HERE, THERE):
        replica.page(page(scope, 9, row(9, "before the restore")))
    replica.welcome(welcome(NEW, 2))
    replica.page(page(HERE, 2))
    made = wire.Batch(scope=HERE, gen=GEN, frm=Seq(2), to=Seq(3), rows=(row(3, "after the restore"),))
    replica.batch(made)
    replica.page(page(THERE, 2))
    kept = tables.row(RECORD)
    assert kept is not None
    assert decode_row(kept).cells[TITLE] == ["after the restore", 0]
    assert tables.row_version(RECORD) == 3


def test_an_open_snapshot_of_the_lost_history_is_not_gone_on_with() -> None:
    """The server begins anew even when the pinned seq is by chance the same; so does the replica."""
    replica = Replica(MemoryTables(), DeviceId("hh-0042"))
    replica.welcome(welcome(OLD, 7))
    replica.page(wire.Snapshot(scope=HERE, gen=GEN, at=Seq(7), after="", upto=RECORD))
    replica.welcome(welcome(NEW, 7))
    outcome = replica.page(page(HERE, 7))
    assert outcome.positions == {HERE: Seq(7)}
