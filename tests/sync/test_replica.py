"""The replica's rules, one by one: what each message of the server does to rows, members and positions."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.ids import Epoch, Generation, OpNumber, ScopeName, Seq, named_record_id
from schemas.limits import REPAIR_RANGES_MAX
from sync import digest
from sync.outbox import OpState
from tests.sync.replica.handhelds import (
    GEN,
    NORTH,
    RECORDS,
    SOUTH,
    A,
    B,
    C,
    Handheld,
    batch,
    durable,
    page,
    plan,
    refused_with,
    results,
    row,
    welcome,
)


@pytest.fixture
def handheld() -> Handheld:
    """A new handheld."""
    return Handheld()


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
        handheld.tables.put_members(NORTH, [(record, version)])
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
