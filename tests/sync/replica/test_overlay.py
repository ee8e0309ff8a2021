"""What is remembered of what an officer sees: the same, in every history, as if it were made anew each time."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlcipher3 import dbapi2

from schemas.codec import encode
from schemas.errors import ReplicaError
from schemas.ids import OpNumber, RecordId, Seq
from schemas.ops import Row
from sync.device.ring import Ring
from sync.device.sqlcipher import SqlTables, make_tables
from sync.outbox import OpState, Untaken
from sync.replica.overlay import OVERLAYS_MAX, Overlays
from sync.replica.tables import StoredOp
from tests.examples import HANDHELD, INCIDENT, OTHER, op
from tests.sync.test_replay import CREATE, ROW, changes, taken_in

OTHER_KIND = msgspec.structs.replace(ROW, kind="of-tomorrow")
STATES = (OpState.QUEUED, OpState.WAITING, OpState.HELD, OpState.DURABLE)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), changes),
        st.tuples(st.just("state"), st.integers(0, 9), st.sampled_from(STATES), st.sampled_from(list(Untaken))),
        st.tuples(st.just("settle"), st.integers(0, 9)),
        st.tuples(st.just("row"), st.integers(0, 9)),
        st.tuples(st.just("version"), st.integers(0, 9)),
        st.tuples(st.just("other row"), st.sampled_from([None, ROW, OTHER_KIND])),
        st.tuples(st.just("undo"), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=14,
)


class Story:
    """One record's row and its pending ops, as they change."""

    def __init__(self, row: Row | None) -> None:
        """Begin with a row, or with the op that makes the record."""
        self.row = row
        self.version = None if row is None else row.v
        self.ops = [self._stored(CREATE)] if row is None else []

    def _stored(self, made: Any) -> StoredOp:  # noqa: ANN401  an op
        return StoredOp(n=made.n, record=INCIDENT, kind="incident", state=OpState.QUEUED, body=encode(made))

    def take(self, step: tuple[Any, ...]) -> None:
        """Let one thing happen."""
        match step:
            case ("write", changed):
                n = max([one.n for one in self.ops], default=1) + 1
                self.ops.append(self._stored(op(n, INCIDENT, "incident", changed)))
            case ("state", at, state, untaken) if self.ops:
                at %= len(self.ops)
                self.ops[at] = msgspec.structs.replace(self.ops[at], state=state, untaken=untaken, seq=Seq(3))
            case ("settle", at) if self.ops:
                del self.ops[at % len(self.ops)]
            case ("row", count) if self.row is not None and self.row.kind == "incident":
                made = [msgspec.msgpack.decode(one.body, type=type(CREATE)) for one in self.ops[:count]]
                self.row = taken_in(self.row, [one for one in made if not one.create])
                self.version = self.row.v
            case ("version", version) if self.row is not None:
                self.version = Seq(version)
            case ("other row", row):
                self.row, self.version = row, None if row is None else row.v
            case ("undo", count):
                self.ops = self.ops[:-count]
            case _:
                pass


@given(st.sampled_from([None, ROW]), steps)
@example(
    # A number that the row counts is used again.
    ROW,
    [*(("write", {"summary": one}) for one in "ab"), ("row", 9), ("undo", 2), ("write", {"location": "a"})],
)
@example(
    # Another op stands where one was.
    None,
    [("write", {"location": "a"}), ("undo", 1), ("write", {"summary": "b"}), ("write", {"summary": "c"})],
)
def test_what_is_remembered_is_what_would_be_made_anew(row: Row | None, story: list[tuple[Any, ...]]) -> None:
    """Writes, results, rows, set-back versions and undone transactions, looked at after each step or after some."""
    told = Story(row)
    remembering, seldom = Overlays(HANDHELD), Overlays(HANDHELD)
    for at, step in enumerate(story):
        told.take(step)
        raw = None if told.row is None else encode(told.row)
        anew = Overlays(HANDHELD).shown(INCIDENT, raw, told.version, told.ops)
        assert remembering.shown(INCIDENT, raw, told.version, told.ops) == anew
        if at % 3 == 0:
            assert seldom.shown(INCIDENT, raw, told.version, told.ops) == anew


def test_another_devices_numbers_are_none_of_this_ones() -> None:
    """How far a row counts another device's ops says nothing of this device's."""
    row = msgspec.structs.replace(ROW, upto={OTHER: OpNumber(9)})
    overlays = Overlays(HANDHELD)
    first = op(2, INCIDENT, "incident", {"summary": "b"})
    stored = StoredOp(n=first.n, record=INCIDENT, kind="incident", state=OpState.QUEUED, body=encode(first))
    overlays.shown(INCIDENT, encode(row), row.v, [])
    state = overlays.shown(INCIDENT, encode(row), row.v, [stored])
    assert state is not None
    assert state.build().summary == "b"  # type: ignore[attr-defined]  # an incident


def test_only_so_many_records_are_remembered() -> None:
    """Whoever looks through a whole force's records does not hold them all in memory."""
    overlays = Overlays(HANDHELD)
    for n in range(OVERLAYS_MAX + 5):
        overlays.shown(RecordId(f"record {n}"), None, None, [])
    assert len(overlays._kept) == OVERLAYS_MAX


pending = st.lists(
    st.tuples(
        st.sampled_from(["put", "read", "undo"]),
        st.integers(1, 6),
        st.sampled_from([*STATES, OpState.SETTLED, OpState.SEALED]),
    ),
    max_size=25,
)


@given(pending)
def test_remembered_pending_ops_are_those_in_the_database(story: list[tuple[str, int, OpState]]) -> None:
    """Put, changed, settled, sealed or undone: what is told of a record's ops is what the database would tell."""
    with contextlib.closing(dbapi2.connect(":memory:", isolation_level=None)) as connection:
        make_tables(connection)
        tables = SqlTables(connection)
        for what, n, state in story:
            record = RecordId(f"record {n % 2}")
            one = StoredOp(n=OpNumber(n), record=record, kind="incident", state=state, body=b"%d" % n)
            if what == "undo":
                connection.execute("BEGIN")
                tables.put_op(one)
                connection.execute("ROLLBACK")
                tables.undone()
            elif what == "put":
                tables.put_op(one)
            assert tables.pending_ops(record) == SqlTables(connection).pending_ops(record)


def test_nothing_that_is_remembered_outlives_the_ring() -> None:
    """When the keys are wiped, ops that were opened before are told no more."""
    with contextlib.closing(dbapi2.connect(":memory:", isolation_level=None)) as connection:
        make_tables(connection)
        ring = Ring(bytes(32))
        tables = SqlTables(connection, ring)
        tables.put_op(StoredOp(n=OpNumber(1), record=INCIDENT, kind="incident", state=OpState.QUEUED, body=b"op"))
        assert len(tables.pending_ops(INCIDENT)) == 1
        ring.wipe()
        with pytest.raises(ReplicaError, match="locked"):
            tables.pending_ops(INCIDENT)
