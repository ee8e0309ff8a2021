"""The contract of `sync.replica.tables.Tables`, run on every adapter: in memory and in SQLCipher."""

from collections.abc import Iterator
from typing import Final

import msgspec
import pytest
from sqlcipher3 import dbapi2

from schemas.ids import Generation, OpNumber, RecordId, ScopeName, Seq
from schemas.limits import INT_MAX
from sync.device.sqlcipher import SqlTables, make_tables
from sync.outbox import PENDING, OpState, Untaken
from sync.replica.tables import MemoryTables, PlacedRow, StoredOp, StoredPosition, Tables

BIRMINGHAM: Final = ScopeName("area:birmingham")
WALSALL: Final = ScopeName("area:walsall")


def record(number: int) -> RecordId:
    """The number-th record id, in order."""
    return RecordId(f"00000000-0000-7000-8000-{number:012x}")


def op(n: int, on: int, state: OpState = OpState.QUEUED, kind: str = "incident") -> StoredOp:
    """An op of number n on a record."""
    return StoredOp(n=OpNumber(n), record=record(on), kind=kind, state=state, body=f"op {n}".encode())


@pytest.fixture(params=["memory", "sqlcipher"])
def tables(request: pytest.FixtureRequest) -> Iterator[Tables]:
    """Empty tables of one adapter."""
    if request.param == "memory":
        yield MemoryTables()
        return
    connection = dbapi2.connect(":memory:", isolation_level=None)
    make_tables(connection)
    yield SqlTables(connection)
    connection.close()


def test_meta_is_kept_and_replaced(tables: Tables) -> None:
    """A value by name is absent until it is set, and the last one set is the one there is."""
    assert tables.meta("epoch") is None
    tables.set_meta("epoch", b"one")
    tables.set_meta("epoch", b"two")
    tables.set_meta("other", b"")
    assert (tables.meta("epoch"), tables.meta("other")) == (b"two", b"")


def test_a_row_is_kept_replaced_and_forgotten(tables: Tables) -> None:
    """A row goes in with its version, is replaced whole, and leaves no trace when it is dropped."""
    assert (tables.row(record(1)), tables.row_version(record(1))) == (None, None)
    tables.put_row(record(1), "incident", Seq(3), b"first")
    tables.put_row(record(1), "incident", Seq(INT_MAX), b"\x00second\xff")
    assert (tables.row(record(1)), tables.row_version(record(1))) == (b"\x00second\xff", INT_MAX)
    tables.drop_row(record(1))
    tables.drop_row(record(1))
    assert (tables.row(record(1)), tables.row_version(record(1)), tables.records_of_kind("incident")) == (
        None,
        None,
        [],
    )


def test_records_of_a_kind_are_those_with_a_row_or_a_pending_op_in_order_of_id(tables: Tables) -> None:
    """A record made here and not yet on the server is found; one whose row left and whose ops are settled is not."""
    tables.put_row(record(5), "incident", Seq(1), b"")
    tables.put_row(record(2), "briefing", Seq(1), b"")
    tables.put_op(op(1, on=9))
    tables.put_op(op(2, on=1, state=OpState.HELD))
    tables.put_op(op(3, on=3, state=OpState.DURABLE))
    tables.put_op(op(4, on=4, state=OpState.SETTLED))
    tables.put_op(op(5, on=5))
    tables.put_op(op(6, on=6, kind="briefing"))
    assert tables.records_of_kind("incident") == [record(1), record(3), record(5), record(9)]
    assert tables.records_of_kind("briefing") == [record(2), record(6)]
    assert tables.records_of_kind("custody-booking") == []


def test_members_are_per_scope(tables: Tables) -> None:
    """Each scope tells of the record in its own version, and one scope's loss is not another's."""
    tables.put_members(BIRMINGHAM, [(record(1), Seq(4))])
    tables.put_members(WALSALL, [(record(1), Seq(4))])
    tables.put_members(WALSALL, [(record(1), Seq(6))])
    assert (tables.member(BIRMINGHAM, record(1)), tables.member(WALSALL, record(1))) == (4, 6)
    tables.drop_member(BIRMINGHAM, record(1))
    tables.drop_member(BIRMINGHAM, record(1))
    assert tables.member(BIRMINGHAM, record(1)) is None
    assert tables.is_member_of_any(record(1))
    tables.drop_member(WALSALL, record(1))
    assert not tables.is_member_of_any(record(1))


def test_many_rows_are_kept_as_one_by_one(tables: Tables) -> None:
    """Rows that are put together replace what is there and add what is not; asked for together they are found again."""
    tables.put_row(record(1), "incident", Seq(1), b"first")
    tables.put_op(op(1, on=3))
    tables.put_rows(
        [
            PlacedRow(record(1), "incident", Seq(4), b"one"),
            PlacedRow(record(2), "briefing", Seq(5), b"two"),
            PlacedRow(record(3), "incident", Seq(6), b"three"),
        ]
    )
    assert [tables.row(record(n)) for n in (1, 2, 3)] == [b"one", b"two", b"three"]
    assert [tables.row_version(record(n)) for n in (1, 2, 3)] == [4, 5, 6]
    assert tables.row_versions([record(3), record(1), record(9)]) == {record(1): 4, record(3): 6}
    assert tables.records_of_kind("incident") == [record(1), record(3)]
    assert tables.pending_ops(record(3)) == [op(1, on=3)]
    tables.put_rows([])
    assert tables.row_versions([]) == {}


def test_many_members_are_kept_as_one_by_one(tables: Tables) -> None:
    """Memberships that are put together are of their scope alone; asked for together they are found again."""
    tables.put_members(WALSALL, [(record(2), Seq(1))])
    tables.put_members(BIRMINGHAM, [(record(1), Seq(4)), (record(2), Seq(5))])
    tables.put_members(BIRMINGHAM, [(record(2), Seq(6)), (record(3), Seq(7))])
    tables.put_members(BIRMINGHAM, [])
    assert tables.members(BIRMINGHAM, "", "") == [(record(1), 4), (record(2), 6), (record(3), 7)]
    assert tables.members_among(BIRMINGHAM, [record(3), record(2), record(9)]) == {record(2): 6, record(3): 7}
    assert tables.members_among(WALSALL, [record(1), record(2)]) == {record(2): 1}


def test_members_come_in_order_between_open_and_closed_ends(tables: Tables) -> None:
    """A stretch excludes its lower end, includes its upper one, and "" has no end."""
    for number in (4, 1, 3, 2):
        tables.put_members(BIRMINGHAM, [(record(number), Seq(number))])
    tables.put_members(WALSALL, [(record(5), Seq(5))])
    assert tables.members(BIRMINGHAM, "", "") == [(record(n), n) for n in (1, 2, 3, 4)]
    assert tables.members(BIRMINGHAM, record(1), record(3)) == [(record(2), 2), (record(3), 3)]
    assert tables.members(BIRMINGHAM, record(3), "") == [(record(4), 4)]
    assert tables.members(ScopeName("force"), "", "") == []


def test_positions_are_kept_whole(tables: Tables) -> None:
    """Every part of a position comes back as it went in, also an open snapshot's empty and absent mark."""
    open_snapshot = StoredPosition(gen=Generation(2), seq=Seq(7), after="", digest=bytes(32), count=0)
    resting = StoredPosition(gen=Generation(1), seq=Seq(INT_MAX), after=None, digest=b"\xff" * 32, count=3)
    tables.put_position(BIRMINGHAM, resting)
    tables.put_position(BIRMINGHAM, open_snapshot)
    tables.put_position(WALSALL, resting)
    assert tables.position(BIRMINGHAM) == open_snapshot
    assert tables.positions() == {BIRMINGHAM: open_snapshot, WALSALL: resting}
    tables.drop_position(WALSALL)
    tables.drop_position(WALSALL)
    assert (tables.position(WALSALL), tables.positions()) == (None, {BIRMINGHAM: open_snapshot})


def test_an_op_is_kept_whole_and_replaced_by_number(tables: Tables) -> None:
    """The outbox never holds two ops of one number, and forgets nothing of the one it holds."""
    held = StoredOp(
        n=OpNumber(1), record=record(1), kind="incident", state=OpState.HELD, body=b"\x81\x00",
        seq=Seq(0), code="op_not_permitted", detail="Perry Barr", untaken=Untaken.EVER,
    )  # fmt: skip
    durable = msgspec.structs.replace(
        held, state=OpState.DURABLE, seq=Seq(7), scopes=(BIRMINGHAM, WALSALL), code="", detail=""
    )
    assert tables.op(OpNumber(1)) is None
    tables.put_op(durable)
    assert tables.op(OpNumber(1)) == durable
    tables.put_op(op(1, on=1))
    tables.put_op(held)
    assert tables.op(OpNumber(1)) == held
    assert tables.pending_ops(record(1)) == [held]


@pytest.mark.parametrize("state", OpState)
def test_an_op_is_pending_exactly_in_the_states_that_the_outbox_says(tables: Tables, state: OpState) -> None:
    """By record and by kind alike; and in every state it is found by that state."""
    tables.put_op(op(1, on=1, state=state))
    pending = state in PENDING
    assert [kept.n for kept in tables.pending_ops(record(1))] == ([1] if pending else [])
    assert tables.records_of_kind("incident") == ([record(1)] if pending else [])
    assert [kept.n for kept in tables.ops_in([state], OpNumber(0), 10)] == [1]


def test_an_op_points_to_the_one_in_its_place(tables: Tables) -> None:
    """With what its author said of it."""
    mended = msgspec.structs.replace(
        op(1, on=1, state=OpState.MENDED), code="op_value_wrong", became=OpNumber(7), why="a slip of the pen"
    )
    tables.put_op(mended)
    assert tables.op(OpNumber(1)) == mended
    assert tables.ops_in([OpState.MENDED], OpNumber(0), 10) == [mended]


def test_pending_ops_are_all_but_the_settled_in_order_of_number(tables: Tables) -> None:
    """What is laid over a row is every op of that record that the row may not hold."""
    for n, state in ((12, OpState.QUEUED), (3, OpState.HELD), (2, OpState.SETTLED), (7, OpState.DURABLE)):
        tables.put_op(op(n, on=1, state=state))
    tables.put_op(op(4, on=2))
    assert [kept.n for kept in tables.pending_ops(record(1))] == [3, 7, 12]
    tables.put_op(op(7, on=1, state=OpState.SETTLED))
    assert [kept.n for kept in tables.pending_ops(record(1))] == [3, 12]


def test_ops_are_found_by_state_from_a_number_on(tables: Tables) -> None:
    """A page of the outbox starts above the number given, is in order, and no longer than asked for."""
    for n in (10, 9, 2, 1):
        tables.put_op(op(n, on=n))
    tables.put_op(op(3, on=3, state=OpState.HELD))
    tables.put_op(op(4, on=4, state=OpState.SETTLED))
    assert [kept.n for kept in tables.ops_in([OpState.QUEUED], OpNumber(1), 2)] == [2, 9]
    assert [kept.n for kept in tables.ops_in([OpState.HELD, OpState.SETTLED], OpNumber(0), 10)] == [3, 4]
    assert tables.ops_in([OpState.DURABLE], OpNumber(0), 10) == []
    assert tables.ops_in([], OpNumber(0), 10) == []
    assert {state: count for state in OpState if (count := tables.count_ops(state))} == {
        OpState.QUEUED: 4,
        OpState.HELD: 1,
        OpState.SETTLED: 1,
    }
