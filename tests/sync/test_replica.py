"""The replica's rules, one by one: what each message of the server does to rows, members, positions and ops."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import decode_op, decode_row, encode
from schemas.errors import PeerError, UsageError
from schemas.ids import (
    DeviceId,
    Epoch,
    FieldName,
    Generation,
    Millis,
    OfficerId,
    OpNumber,
    RecordId,
    ScopeName,
    Seq,
    named_record_id,
)
from schemas.kinds import KINDS
from schemas.limits import REPAIR_RANGES_MAX
from schemas.ops import Op, Row, Stamp
from sync import digest
from sync.outbox import OpState
from sync.replica import MemoryTables, Replica
from sync.replica.facts import WriteFacts
from tests.examples import EPOCH, HANDHELD, OTHER, T0

NORTH, SOUTH = ScopeName("area:north"), ScopeName("area:south")
GEN: Final = Generation(1)
SUMMARY: Final = FieldName("summary")
RECORDS: Final = tuple(sorted(named_record_id("replica", str(number)) for number in range(6)))
A, B, C = RECORDS[:3]
FACTS: Final = WriteFacts(author=OfficerId("WM21877"), now=Millis(T0), wall=Millis(T0 - 5), occurred_at=Millis(T0 - 9))


class Handheld:
    """A replica and its tables."""

    def __init__(self) -> None:
        """Begin empty."""
        self.tables = MemoryTables()
        self.replica = Replica(self.tables, HANDHELD)

    def stand(self, *scopes: ScopeName, seq: int = 10) -> None:
        """Hold these scopes, whole and without records, at a position."""
        self.replica.welcome(welcome(*(plan(scope, "snapshot", seq) for scope in scopes)))
        for scope in scopes:
            self.replica.page(page(scope, at=seq))

    def create(self, record: RecordId = A, area: str = "north", **more: Any) -> Op:  # noqa: ANN401  field values
        """Make an incident."""
        values = {"opened_at": 1, "area": area, "category": "crime", "summary": "made"} | more
        return self.write(record, values, create=True)

    def write(self, record: RecordId, values: dict[str, Any], *, create: bool = False) -> Op:
        """Make or change an incident."""
        changes = {FieldName(name): value for name, value in values.items()}
        return self.replica.write(record, KINDS["incident"], changes, FACTS, create=create)

    def durable(self, op: Op, seq: int, *scopes: ScopeName) -> list[OpNumber]:
        """Hear that an op is durable."""
        return self.replica.results(results(durable(op, seq, *scopes))).durable

    def state(self, op: Op) -> OpState:
        """Where an op stands."""
        kept = self.tables.op(op.n)
        assert kept is not None
        return kept.state

    def summary(self, record: RecordId = A) -> object:
        """What the officer sees of a record."""
        state = self.replica.view(record)
        return None if state is None else state.values()[SUMMARY]


@pytest.fixture
def handheld() -> Handheld:
    """A new handheld."""
    return Handheld()


def row(record: RecordId = A, version: int = 11, summary: str = "theirs") -> msgspec.Raw:
    """An incident as another device has made and the server kept it."""
    stamp = Stamp(OTHER, OpNumber(version), T0 - 1_000, version, OfficerId("WM30008"), T0, T0, version)
    values = {"opened_at": 1, "area": "north", "category": "crime", "summary": summary}
    cells: dict[FieldName, list[Any]] = {FieldName(name): [value, 0] for name, value in values.items()}
    return msgspec.Raw(encode(Row(id=record, kind="incident", v=Seq(version), stamps=[stamp], cells=cells)))


def plan(scope: ScopeName, action: str, seq: int = 10, **more: Any) -> wire.Plan:  # noqa: ANN401  fields of Plan
    """A plan of WELCOME or SCOPE_ADD."""
    return wire.Plan(scope=scope, gen=more.pop("gen", GEN), action=action, seq=Seq(seq), **more)  # type: ignore[arg-type]


def welcome(*plans: wire.Plan, epoch: Epoch = EPOCH, last_op: int = 0) -> wire.Welcome:
    """A WELCOME."""
    return wire.Welcome(
        proto=1,
        schema_min=1,
        schema_max=1,
        epoch=epoch,
        server_time=T0,
        last_op=OpNumber(last_op),
        credit=1,
        scopes=plans,
    )


def page(scope: ScopeName, *rows: msgspec.Raw, at: int = 10, **more: Any) -> wire.Snapshot:  # noqa: ANN401  fields
    """A SNAPSHOT; the only page, unless told otherwise."""
    fields: dict[str, Any] = {"gen": GEN, "after": "", "upto": "", "last": True} | more
    return wire.Snapshot(scope=scope, at=Seq(at), rows=rows, **fields)


def batch(scope: ScopeName, frm: int, to: int, *rows: msgspec.Raw, **more: Any) -> wire.Batch:  # noqa: ANN401  fields
    """A BATCH."""
    fields: dict[str, Any] = {"gen": GEN} | more
    return wire.Batch(scope=scope, frm=Seq(frm), to=Seq(to), rows=rows, **fields)


def durable(op: Op, seq: int, *scopes: ScopeName) -> wire.Result:
    """A good result."""
    return wire.Result(n=op.n, status="durable", seq=Seq(seq), scopes=scopes)


def results(*told: wire.Result) -> wire.Results:
    """A RESULTS."""
    return wire.Results(results=told)


def refused_with(code: str, act: Callable[[], object]) -> None:
    """The act is refused with that code, as the server's fault."""
    with pytest.raises(PeerError) as caught:
        act()
    assert caught.value.spec.code == code


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_replica_belongs_to_one_device(handheld: Handheld) -> None:
    """Another device's identity over these tables would give two ops one number."""
    with pytest.raises(UsageError, match="hh-0042"):
        Replica(handheld.tables, DeviceId("hh-9999"))


def test_ops_are_numbered_and_say_what_their_author_saw(handheld: Handheld) -> None:
    """Number, base, the op before on the same record, a clock reading later than all that was seen."""
    handheld.stand(NORTH)
    handheld.replica.batch(batch(NORTH, 10, 11, row(version=11)))
    first = handheld.write(A, {"summary": "mine"})
    second = handheld.write(A, {"summary": "mine again"})
    other = handheld.create(B)
    assert [op.n for op in (first, second, other)] == [1, 2, 3]
    assert [op.base for op in (first, second, other)] == [11, 11, 0]
    assert [op.after for op in (first, second, other)] == [0, 1, 0]
    assert (T0 - 1_000, 11) < first.hlc < second.hlc
    assert (first.wall, first.occurred_at) == (T0 - 5, T0 - 9)
    assert handheld.replica.next_op == 4
    assert Replica(handheld.tables, HANDHELD).next_op == 4
    kept = handheld.tables.op(first.n)
    assert kept is not None
    assert (decode_op(kept.body), kept.state) == (first, OpState.QUEUED)


def test_an_op_on_a_durable_one_does_not_wait_for_it(handheld: Handheld) -> None:
    """`after` names only what the server may still refuse: queued and held ops."""
    handheld.stand(NORTH)
    first = handheld.create()
    handheld.durable(first, 11, NORTH)
    assert handheld.write(A, {"summary": "x"}).after == 0


def test_a_change_that_cannot_be_made_leaves_no_trace(handheld: Handheld) -> None:
    """No op, no number used."""
    with pytest.raises(UsageError, match="op_record_unknown"):
        handheld.write(A, {"summary": "x"})
    with pytest.raises(UsageError, match="op_field_missing"):
        handheld.write(A, {"summary": "x"}, create=True)
    handheld.create()
    with pytest.raises(UsageError, match="op_record_exists"):
        handheld.create()
    assert handheld.replica.next_op == 2


def test_a_clock_that_runs_behind_still_writes_later_than_what_it_saw(handheld: Handheld) -> None:
    """Causality first: the officer who saw a value and changed it means the change."""
    handheld.stand(NORTH)
    ahead = decode_row(row())
    stamp = msgspec.structs.replace(ahead.stamps[0], ms=T0 + 3_600_000)
    handheld.replica.batch(batch(NORTH, 10, 11, msgspec.Raw(encode(msgspec.structs.replace(ahead, stamps=[stamp])))))
    handheld.write(A, {"summary": "mine"})
    assert handheld.summary() == "mine"


# --- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_moves_rows_members_and_position_together(handheld: Handheld) -> None:
    """What came, what left, where it leads, and the digest of what is there now."""
    handheld.stand(NORTH)
    handheld.replica.batch(batch(NORTH, 10, 11, row(A, 11), row(B, 11)))
    outcome = handheld.replica.batch(batch(NORTH, 11, 14, row(A, 14), gone=(B,)))
    assert (outcome.positions, outcome.touched, outcome.differ) == ({NORTH: 14}, {A, B}, [])
    assert handheld.tables.members(NORTH, "", "") == [(A, 14)]
    assert (handheld.tables.row_version(A), handheld.tables.row(B)) == (14, None)
    (position,) = handheld.replica.positions()
    assert (position.seq, position.after, position.digest) == (14, None, digest.of([(A, Seq(14))]))


@pytest.mark.parametrize(("frm", "to"), [(9, 12), (11, 12), (10, 9)], ids=["too early", "too late", "backwards"])
def test_a_batch_that_does_not_fit_is_a_gap(handheld: Handheld, frm: int, to: int) -> None:
    """Something is missing in between, or comes twice: the device resumes, it never guesses."""
    handheld.stand(NORTH)
    refused_with("gap", lambda: handheld.replica.batch(batch(NORTH, frm, to, row())))


def test_a_batch_inside_a_snapshot_is_a_gap(handheld: Handheld) -> None:
    """The position counts only once the last page is in."""
    handheld.replica.welcome(welcome(plan(NORTH, "snapshot")))
    refused_with("gap", lambda: handheld.replica.batch(batch(NORTH, 10, 11, row())))


@pytest.mark.parametrize("scope", [NORTH, SOUTH], ids=["other generation", "not held"])
def test_what_comes_late_for_a_grant_that_has_ended_is_dropped(handheld: Handheld, scope: ScopeName) -> None:
    """It was on its way when the grant changed: nothing of it is kept, and nobody is to blame."""
    handheld.stand(NORTH)
    for outcome in (
        handheld.replica.batch(batch(scope, 10, 11, row(), gen=Generation(7))),
        handheld.replica.page(page(scope, row(), gen=Generation(7))),
    ):
        assert (outcome.positions, outcome.touched) == ({}, set())
    assert handheld.tables.row(A) is None


def test_a_digest_that_differs_is_told(handheld: Handheld) -> None:
    """By batch and by plan, digest or count; and only where the records really differ."""
    handheld.stand(NORTH)
    good = digest.of([(A, Seq(11))])
    assert handheld.replica.batch(batch(NORTH, 10, 11, row(), digest=good, count=1)).differ == []
    assert handheld.replica.batch(batch(NORTH, 11, 11, digest=good, count=2)).differ == [NORTH]
    assert handheld.replica.batch(batch(NORTH, 11, 11, digest=bytes(32), count=1)).differ == [NORTH]
    assert handheld.replica.welcome(welcome(plan(NORTH, "resume", 11, digest=good, count=1))).differ == []
    assert handheld.replica.welcome(welcome(plan(NORTH, "resume", 11, digest=bytes(32), count=1))).differ == [NORTH]
    assert handheld.replica.welcome(welcome(plan(NORTH, "resume", 12, digest=bytes(32), count=1))).differ == []


def test_a_digest_that_drifted_is_counted_afresh(handheld: Handheld) -> None:
    """A defect of the running digest is no defect of the records."""
    handheld.stand(NORTH)
    handheld.replica.batch(batch(NORTH, 10, 11, row()))
    held = handheld.tables.position(NORTH)
    assert held is not None
    handheld.tables.put_position(NORTH, msgspec.structs.replace(held, digest=b"\x01" * 32, count=5))
    good = digest.of([(A, Seq(11))])
    assert handheld.replica.batch(batch(NORTH, 11, 11, digest=good, count=1)).differ == []
    assert handheld.tables.position(NORTH) == held


def test_a_record_stays_until_its_last_scope_lets_it_go(handheld: Handheld) -> None:
    """Whichever goes first; and its row is the newest that any scope has brought."""
    handheld.stand(NORTH, SOUTH)
    handheld.replica.batch(batch(NORTH, 10, 12, row(version=12, summary="newer")))
    handheld.replica.batch(batch(SOUTH, 10, 11, row(version=11, summary="older")))
    assert handheld.summary() == "newer"
    assert handheld.tables.members(SOUTH, "", "") == [(A, 11)]
    handheld.replica.batch(batch(NORTH, 12, 13, gone=(A,)))
    assert handheld.summary() == "newer"
    handheld.replica.batch(batch(SOUTH, 11, 13, gone=(A,)))
    assert handheld.summary() is None
    assert handheld.tables.records_of_kind("incident") == []


# --- snapshots -------------------------------------------------------------------------------------------------------


def test_a_page_makes_its_stretch_hold_exactly_its_rows(handheld: Handheld) -> None:
    """What it does not name goes, inside the stretch only; what it names replaces, whatever its version."""
    handheld.stand(NORTH)
    handheld.replica.batch(batch(NORTH, 10, 11, *(row(record, 11) for record in RECORDS)))
    handheld.replica.welcome(welcome(plan(NORTH, "snapshot", 20, gen=Generation(2))))
    first = page(NORTH, row(B, 9), at=20, gen=Generation(2), upto=C, last=False)
    outcome = handheld.replica.page(first)
    assert (outcome.touched, outcome.positions) == ({A, B, C}, {})
    assert handheld.tables.members(NORTH, "", "") == [(B, 9), *((record, 11) for record in RECORDS[3:])]
    assert (handheld.tables.row_version(B), handheld.tables.row(C)) == (9, None)
    (position,) = handheld.replica.positions()
    assert (position.seq, position.after, position.digest) == (20, C, None)
    final = handheld.replica.page(page(NORTH, at=20, gen=Generation(2), after=C))
    assert final.positions == {NORTH: 20}
    assert handheld.tables.members(NORTH, "", "") == [(B, 9)]


@pytest.mark.parametrize(
    "wrong",
    [page(NORTH, at=11), page(NORTH, after=A), page(NORTH, repair=True)],
    ids=["other pin", "other place", "a repair"],
)
def test_a_page_that_does_not_follow_is_a_gap(handheld: Handheld, wrong: wire.Snapshot) -> None:
    """Pages come in order, of one pin; a repair waits until the snapshot is over."""
    handheld.replica.welcome(welcome(plan(NORTH, "snapshot")))
    refused_with("gap", lambda: handheld.replica.page(wrong))


def test_a_page_without_an_open_snapshot_is_a_gap(handheld: Handheld) -> None:
    """It would undo what batches have brought since."""
    handheld.stand(NORTH)
    refused_with("gap", lambda: handheld.replica.page(page(NORTH)))


def test_an_open_snapshot_goes_on_in_the_next_session(handheld: Handheld) -> None:
    """HELLO says where it stood; the same pin goes on from there, another one begins anew."""
    handheld.replica.welcome(welcome(plan(NORTH, "snapshot")))
    handheld.replica.page(page(NORTH, row(A, 9), upto=A, last=False))
    assert [(one.seq, one.after) for one in handheld.replica.positions()] == [(10, A)]
    handheld.replica.welcome(welcome(plan(NORTH, "snapshot")))
    assert [(one.seq, one.after) for one in handheld.replica.positions()] == [(10, A)]
    handheld.replica.welcome(welcome(plan(NORTH, "snapshot", 15)))
    assert [(one.seq, one.after) for one in handheld.replica.positions()] == [(15, "")]
    assert handheld.tables.row(A) is not None


def test_a_repair_leaves_the_position_alone(handheld: Handheld) -> None:
    """It replaces one stretch and nothing else."""
    handheld.stand(NORTH)
    handheld.replica.batch(batch(NORTH, 10, 11, row(A, 11), row(C, 11)))
    outcome = handheld.replica.page(page(NORTH, row(B, 11), at=11, upto=B, repair=True))
    assert outcome.positions == {}
    assert handheld.tables.members(NORTH, "", "") == [(B, 11), (C, 11)]
    assert [(one.seq, one.after) for one in handheld.replica.positions()] == [(11, None)]


def test_a_scope_can_be_asked_for_anew(handheld: Handheld) -> None:
    """Its records stay in sight until the pages replace them; its digest is counted afresh."""
    handheld.stand(NORTH)
    handheld.replica.batch(batch(NORTH, 10, 11, row()))
    handheld.replica.resnapshot(NORTH)
    handheld.replica.resnapshot(SOUTH)
    assert [(one.scope, one.seq, one.after) for one in handheld.replica.positions()] == [(NORTH, 0, "")]
    assert handheld.summary() == "theirs"


@given(count=st.integers(0, 3_000))
def test_repair_ranges_cover_every_record_once(count: int) -> None:
    """From before the first to behind the last, each beginning where the one before ended, and not too many."""
    handheld = Handheld()
    handheld.stand(NORTH)
    members = sorted((named_record_id("range", str(number)), Seq(number + 1)) for number in range(count))
    for record, version in members:
        handheld.tables.put_member(NORTH, record, version)
    ranges = handheld.replica.repair_ranges(NORTH)
    assert 1 <= len(ranges) <= REPAIR_RANGES_MAX
    assert (ranges[0].after, ranges[-1].upto) == ("", "")
    assert [one.upto for one in ranges[:-1]] == [one.after for one in ranges[1:]]
    assert sum(one.count for one in ranges) == count
    for one in ranges:
        assert one.digest == digest.of(handheld.tables.members(NORTH, one.after, one.upto))


# --- grants ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["welcome", "retract"])
def test_a_scope_whose_grant_has_ended_leaves_at_once(handheld: Handheld, by: str) -> None:
    """Rows that no other scope holds go with it; the receipt counts them."""
    handheld.stand(NORTH, SOUTH)
    handheld.replica.batch(batch(NORTH, 10, 11, row(A, 11), row(B, 11)))
    handheld.replica.batch(batch(SOUTH, 10, 11, row(B, 11)))
    if by == "welcome":
        outcome = handheld.replica.welcome(welcome(plan(NORTH, "drop"), plan(SOUTH, "resume", 11)))
    else:
        outcome = handheld.replica.retract(wire.Retract(scope=NORTH, gen=GEN))
    assert outcome.removed == [(NORTH, GEN, 1)]
    assert [one.scope for one in handheld.replica.positions()] == [SOUTH]
    assert (handheld.summary(A), handheld.summary(B)) == (None, "theirs")


def test_a_scope_that_was_never_held_is_retracted_without_fuss(handheld: Handheld) -> None:
    """The receipt says that nothing left."""
    assert handheld.replica.retract(wire.Retract(scope=NORTH, gen=GEN)).removed == [(NORTH, GEN, 0)]


def test_a_scope_that_is_added_begins_a_snapshot(handheld: Handheld) -> None:
    """While the session runs, as in WELCOME."""
    handheld.stand(NORTH)
    handheld.replica.scope_add(wire.ScopeAdd(plan=plan(SOUTH, "snapshot", 12)))
    assert [(one.scope, one.seq, one.after) for one in handheld.replica.positions()] == [
        (NORTH, 10, None),
        (SOUTH, 12, ""),
    ]


def test_a_plan_to_resume_what_is_not_held_is_the_servers_fault(handheld: Handheld) -> None:
    """It would leave a scope that is never filled."""
    refused_with("not_welcome", lambda: handheld.replica.welcome(welcome(plan(NORTH, "resume"))))
    handheld.stand(NORTH)
    refused_with("not_welcome", lambda: handheld.replica.welcome(welcome(plan(NORTH, "resume", gen=Generation(2)))))


def test_a_number_that_the_server_knows_is_never_given_again(handheld: Handheld) -> None:
    """A replica that was set back goes on behind the highest number the server has seen."""
    handheld.replica.welcome(welcome(last_op=41))
    assert handheld.create().n == 42
    handheld.replica.welcome(welcome(last_op=7))
    assert handheld.create(B).n == 43


# --- results ---------------------------------------------------------------------------------------------------------


def test_an_edit_does_not_flicker(handheld: Handheld) -> None:
    """Queued, durable, and in the row: the officer sees the same at every moment."""
    handheld.stand(NORTH)
    handheld.replica.batch(batch(NORTH, 10, 11, row(version=11)))
    op = handheld.write(A, {"summary": "mine"})
    assert (handheld.state(op), handheld.summary()) == (OpState.QUEUED, "mine")
    assert handheld.durable(op, 12, NORTH) == [op.n]
    assert (handheld.state(op), handheld.summary()) == (OpState.DURABLE, "mine")
    handheld.replica.batch(batch(NORTH, 11, 12, row(version=12, summary="mine")))
    assert (handheld.state(op), handheld.summary()) == (OpState.SETTLED, "mine")


def test_the_row_may_come_before_the_result(handheld: Handheld) -> None:
    """After a cut the device hears of its op from the log first; the result then settles it at once."""
    handheld.stand(NORTH)
    op = handheld.create()
    handheld.replica.batch(batch(NORTH, 10, 12, row(version=12)))
    assert handheld.state(op) is OpState.QUEUED
    handheld.durable(op, 12, NORTH)
    assert handheld.state(op) is OpState.SETTLED


def test_an_op_whose_record_is_in_no_scope_of_the_device_is_settled_at_once(handheld: Handheld) -> None:
    """The record was made for others: it leaves the officer's sight."""
    handheld.stand(NORTH)
    op = handheld.create(area="south")
    handheld.durable(op, 11)
    assert (handheld.state(op), handheld.summary()) == (OpState.SETTLED, None)


def leave_by_batch(handheld: Handheld) -> None:
    """The record came into the scope and left it between two batches."""
    handheld.replica.batch(batch(NORTH, 10, 13, gone=(A,)))


def leave_by_retract(handheld: Handheld) -> None:
    """The grant ended before the row came."""
    handheld.replica.retract(wire.Retract(scope=NORTH, gen=GEN))


def leave_by_drop(handheld: Handheld) -> None:
    """The same, while the device was away."""
    handheld.replica.welcome(welcome(plan(NORTH, "drop")))


def leave_by_snapshot(handheld: Handheld) -> None:
    """The scope was sent anew, and the record was no longer in it."""
    handheld.replica.welcome(welcome(plan(NORTH, "snapshot", 13, gen=Generation(2))))
    handheld.replica.page(page(NORTH, at=13, gen=Generation(2)))


@pytest.mark.parametrize("leave", [leave_by_batch, leave_by_retract, leave_by_drop, leave_by_snapshot])
def test_an_op_does_not_wait_for_a_row_that_cannot_come(handheld: Handheld, leave: Callable[[Handheld], None]) -> None:
    """The record left the device before its row came: nothing of it stays in sight (promise 7)."""
    handheld.stand(NORTH)
    op = handheld.create()
    handheld.durable(op, 11, NORTH)
    assert (handheld.state(op), handheld.summary()) == (OpState.DURABLE, "made")
    leave(handheld)
    assert (handheld.state(op), handheld.summary()) == (OpState.SETTLED, None)


def test_a_result_that_comes_after_the_record_left_settles_its_op(handheld: Handheld) -> None:
    """The log has told already that the record has gone; the stored result still names the scope."""
    handheld.stand(NORTH)
    op = handheld.create()
    handheld.replica.batch(batch(NORTH, 10, 13, gone=(A,)))
    handheld.durable(op, 11, NORTH)
    assert (handheld.state(op), handheld.summary()) == (OpState.SETTLED, None)


def test_an_op_waits_for_the_scope_that_is_still_behind(handheld: Handheld) -> None:
    """One scope of the record has passed its commit without it; the other is yet to bring the row."""
    handheld.stand(NORTH, SOUTH)
    op = handheld.create()
    handheld.durable(op, 11, NORTH, SOUTH)
    handheld.replica.batch(batch(NORTH, 10, 12, gone=(A,)))
    assert (handheld.state(op), handheld.summary()) == (OpState.DURABLE, "made")
    handheld.replica.batch(batch(SOUTH, 10, 12, row(version=12)))
    assert handheld.state(op) is OpState.SETTLED


def test_an_op_is_not_settled_before_one_that_it_was_laid_over(handheld: Handheld) -> None:
    """A record is made here and then moved away: until the log tells of it, the officer sees it as it was left."""
    handheld.stand(NORTH)
    made = handheld.create()
    moved = handheld.write(A, {"area": "south", "summary": "moved"})
    handheld.replica.results(results(durable(made, 11, NORTH), durable(moved, 12)))
    assert (handheld.state(moved), handheld.summary()) == (OpState.DURABLE, "moved")
    handheld.replica.batch(batch(NORTH, 10, 12, gone=(A,)))
    assert [handheld.state(op) for op in (made, moved)] == [OpState.SETTLED] * 2
    assert handheld.summary() is None


def test_each_op_waits_for_the_commit_of_its_own(handheld: Handheld) -> None:
    """A record wanders through two scopes and away; the first one's log ends before the last op's commit."""
    handheld.stand(NORTH, SOUTH)
    ops = [handheld.create(), handheld.write(A, {"area": "south"}), handheld.write(A, {"area": "elsewhere"})]
    handheld.durable(ops[0], 11, NORTH)
    handheld.durable(ops[1], 12, SOUTH)
    handheld.durable(ops[2], 13)
    handheld.replica.batch(batch(SOUTH, 10, 13, gone=(A,)))
    assert {handheld.state(op) for op in ops} == {OpState.DURABLE}
    handheld.replica.batch(batch(NORTH, 10, 12, gone=(A,)))
    assert {handheld.state(op) for op in ops} == {OpState.SETTLED}
    assert handheld.summary() is None


def test_a_refused_op_is_held_in_sight_and_the_rest_goes_on(handheld: Handheld) -> None:
    """With its reason; what was built on it waits in the outbox; another record's op is not touched."""
    handheld.stand(NORTH)
    first, behind, other = handheld.create(), handheld.write(A, {"summary": "x"}), handheld.create(B)
    outcome = handheld.replica.results(
        results(
            wire.Result(n=first.n, status="refused", code="op_not_permitted", detail="why"),
            wire.Result(n=behind.n, status="waiting", code="op_not_permitted", detail="behind"),
            durable(other, 11, NORTH),
        )
    )
    assert (outcome.held, outcome.durable) == ([first.n], [other.n])
    (held,) = handheld.replica.held(10)
    assert (held.n, held.code, held.detail) == (first.n, "op_not_permitted", "why")
    assert handheld.state(behind) is OpState.WAITING
    assert handheld.summary() == "x"
    assert handheld.write(A, {"summary": "y"}).after == behind.n


@pytest.mark.parametrize("status", ["refused", "waiting"])
def test_a_word_once_given_is_not_taken_back(handheld: Handheld, status: str) -> None:
    """Durable is for good: a server that says otherwise has broken the protocol."""
    handheld.stand(NORTH)
    op = handheld.create()
    handheld.durable(op, 11, NORTH)
    back = wire.Result(n=op.n, status=status, code="op_value_wrong")  # type: ignore[arg-type]  # one of the two
    refused_with("not_welcome", lambda: handheld.replica.results(results(back)))


def test_a_result_for_an_op_that_was_never_made_is_the_servers_fault(handheld: Handheld) -> None:
    """It belongs to another device, or to a replica that is not this one any more."""
    one = wire.Result(n=OpNumber(5), status="durable", seq=Seq(1))
    refused_with("not_welcome", lambda: handheld.replica.results(results(one)))


def test_a_result_may_be_said_again(handheld: Handheld) -> None:
    """An op that was pushed twice is told once to the officer."""
    handheld.stand(NORTH)
    op = handheld.create()
    assert handheld.durable(op, 11, NORTH) == [op.n]
    assert handheld.durable(op, 11, NORTH) == []
    handheld.replica.batch(batch(NORTH, 10, 11, row()))
    assert handheld.durable(op, 11, NORTH) == []
    assert handheld.state(op) is OpState.SETTLED


# --- another history -------------------------------------------------------------------------------------------------


def test_a_server_of_another_history_is_offered_everything_again(handheld: Handheld) -> None:
    """Durable, settled and held ops alike, in their order; what the officer sees stays the same meanwhile."""
    handheld.stand(NORTH)
    settled, refused, mine = handheld.create(), handheld.create(B), handheld.create(C)
    handheld.replica.results(
        results(
            durable(settled, 11, NORTH),
            wire.Result(n=refused.n, status="refused", code="op_not_permitted"),
            durable(mine, 11, NORTH),
        )
    )
    handheld.replica.batch(batch(NORTH, 10, 11, row(A, 11, "made"), row(C, 11, "made")))
    handheld.replica.welcome(welcome(plan(NORTH, "snapshot", 4), epoch=Epoch("1" * 16)))
    assert [op.n for op in handheld.replica.queued(OpNumber(0), 10)] == [settled.n, refused.n, mine.n]
    assert [handheld.summary(record) for record in (A, B, C)] == ["made"] * 3
    assert handheld.replica.epoch == "1" * 16


def test_the_same_history_is_offered_nothing_again(handheld: Handheld) -> None:
    """A reconnect is no restore."""
    handheld.stand(NORTH)
    op = handheld.create()
    handheld.durable(op, 11, NORTH)
    handheld.replica.welcome(welcome(plan(NORTH, "resume", 11)))
    assert handheld.replica.queued(OpNumber(0), 10) == []
    assert handheld.replica.count(OpState.DURABLE) == 1


def test_a_scope_that_goes_back_in_the_same_history_is_taken_anew(handheld: Handheld) -> None:
    """The server's memory lagged behind its disk: ops are offered again, and other scopes stay as they are."""
    handheld.stand(NORTH, SOUTH)
    op = handheld.create()
    handheld.durable(op, 12, NORTH)
    handheld.replica.batch(batch(NORTH, 10, 12, row(version=12)))
    handheld.replica.batch(batch(SOUTH, 10, 13))
    handheld.replica.welcome(welcome(plan(NORTH, "resume", 12), plan(SOUTH, "snapshot", 11)))
    assert [queued.n for queued in handheld.replica.queued(OpNumber(0), 10)] == [op.n]
    handheld.durable(op, 12, NORTH)
    assert handheld.state(op) is OpState.SETTLED
