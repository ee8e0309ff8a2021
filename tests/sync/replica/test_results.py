"""What becomes of an op once the server has judged it: until its row has come, it stays in sight."""

from collections.abc import Callable

import pytest

from schemas import wire
from schemas.ids import Generation, OpNumber, Seq
from sync.outbox import OpState
from tests.sync.replica.handhelds import (
    GEN,
    NORTH,
    SOUTH,
    A,
    B,
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
