"""What is left on a device of what its officer wrote on a record that moved away, though no grant has ended."""

import hashlib
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.ids import Epoch, OpNumber, ScopeName, Seq
from schemas.ops import Op
from sync.outbox import SHUT, OpState
from sync.replica import MemoryTables, Replica
from tests.sim.device import seal, unseal
from tests.sync.replica.handhelds import (
    NORTH,
    SOUTH,
    A,
    B,
    Handheld,
    batch,
    durable,
    page,
    plan,
    results,
    row,
    welcome,
)

EAST: Final = ScopeName("area:east")
WORD: Final = "CORMORANT"
OTHER_HISTORY: Final = Epoch("f" * 16)


@pytest.fixture
def handheld(handheld: Handheld) -> Handheld:
    """It knows to whom to seal."""
    handheld.replica.seal_with(seal)
    return handheld


def settled(handheld: Handheld, *scopes: ScopeName) -> Op:
    """It holds these scopes at 10, and a record in the first of them which its officer made, at 11."""
    handheld.stand(*scopes)
    op = handheld.create(A, summary=WORD)
    handheld.durable(op, 11, scopes[0])
    handheld.replica.batch(batch(scopes[0], 10, 11, row(A, 11)))
    assert handheld.state(op) is OpState.SETTLED
    return op


def moves(handheld: Handheld, scope: ScopeName = NORTH, at: int = 12) -> None:
    """The record leaves a scope by a commit."""
    handheld.replica.batch(batch(scope, at - 1, at, gone=(A,)))


def told_of(handheld: Handheld) -> bool:
    """Whether the word that was written can be read anywhere in the tables."""
    tables = handheld.tables
    everything = repr((tables._meta, tables._rows, tables._ops, tables._members, tables._positions))
    return WORD in everything


def test_what_was_written_is_sealed_as_the_record_moves_away(handheld: Handheld) -> None:
    """In the transaction that removes the row; the server could open it, and the chain goes on as before."""
    op = settled(handheld, NORTH)
    kept = handheld.tables.op(op.n)
    assert kept is not None
    head = handheld.replica.chain
    moves(handheld)
    assert not told_of(handheld)
    now = handheld.tables.op(op.n)
    assert now is not None
    assert (now.state, unseal(now.body)) == (OpState.QUARANTINED, kept.body)
    assert handheld.replica.chain == head
    assert handheld.replica.digests(OpNumber(0), op.n) == {op.n: hashlib.sha256(kept.body).digest()}
    # The server has it among its ops: there is nothing to hand over.
    assert handheld.replica.sealed(OpNumber(0), 10) == []


@pytest.mark.parametrize("repair", [False, True], ids=["a snapshot", "a repair"])
def test_a_page_without_the_record_seals_it_too(handheld: Handheld, *, repair: bool) -> None:
    """However the device learns that it is there no more."""
    settled(handheld, NORTH)
    if not repair:
        handheld.replica.resnapshot(NORTH)
    handheld.replica.page(page(NORTH, at=11 if repair else 0, repair=repair))
    assert not told_of(handheld)


@pytest.mark.parametrize(
    "other", ["area:north:inbox", "force", "force:briefing", "team:operations", "suite:north", "mission:castle"]
)
def test_a_scope_of_another_sort_is_not_waited_for(handheld: Handheld, other: str) -> None:
    """A move takes a record from area to area: what else is held, and perhaps never changes, is not asked."""
    settled(handheld, NORTH, ScopeName(other))
    moves(handheld)
    assert not told_of(handheld)


def test_a_record_that_another_scope_holds_has_not_left(handheld: Handheld) -> None:
    """It is in two scopes, and leaves one; with the second it goes."""
    op = settled(handheld, NORTH, ScopeName("team:operations"))
    handheld.replica.batch(batch(ScopeName("team:operations"), 10, 11, row(A, 11)))
    moves(handheld)
    assert handheld.state(op) is OpState.SETTLED
    moves(handheld, ScopeName("team:operations"))
    assert not told_of(handheld)


def test_between_two_held_scopes_nothing_is_sealed(handheld: Handheld) -> None:
    """The batch of the one comes before that of the other: its officer's edits stay theirs, there and back."""
    op = settled(handheld, NORTH, SOUTH)
    moves(handheld)
    assert handheld.state(op) is OpState.SETTLED
    handheld.replica.batch(batch(SOUTH, 10, 12, row(A, 12)))
    assert handheld.state(op) is OpState.SETTLED
    # It is back, and what is noted of it forgotten: that the other area moves on means nothing.
    handheld.replica.batch(batch(NORTH, 12, 20))
    assert handheld.state(op) is OpState.SETTLED
    handheld.replica.batch(batch(SOUTH, 12, 21, gone=(A,)))
    assert handheld.state(op) is OpState.SETTLED
    handheld.replica.batch(batch(NORTH, 20, 21, row(B, 21)))
    assert not told_of(handheld)


@pytest.mark.parametrize(
    ("left", "other"),
    [
        ("area:north:briefing", "force:briefing"),
        ("area:north:safety", "area:north:briefing"),
        ("area:north:briefing", "force:safety"),
        ("area:north:inbox", "force:inbox"),
        ("suite:one", "suite:two"),
    ],
)
def test_what_goes_to_another_audience_is_waited_for(handheld: Handheld, left: str, other: str) -> None:
    """A briefing to an area becomes one to the whole force: whichever batch comes first, it was here all the time."""
    op = settled(handheld, ScopeName(left), ScopeName(other))
    moves(handheld, ScopeName(left))
    assert handheld.state(op) is OpState.SETTLED
    handheld.replica.batch(batch(ScopeName(other), 10, 12, row(A, 12)))
    assert handheld.state(op) is OpState.SETTLED


def test_it_is_sealed_when_the_other_scope_comes_past_that_commit_without_it(handheld: Handheld) -> None:
    """A batch up to an earlier commit says nothing yet."""
    settled(handheld, NORTH, SOUTH)
    moves(handheld, at=12)
    handheld.replica.batch(batch(SOUTH, 10, 11))
    assert told_of(handheld)
    handheld.replica.batch(batch(SOUTH, 11, 12, row(B, 12)))
    assert not told_of(handheld)


def test_a_scope_in_which_nothing_happens_is_waited_for_until_the_next_session(handheld: Handheld) -> None:
    """WELCOME says that it still stands where it stood, when the one that the record left had moved on."""
    settled(handheld, NORTH, SOUTH)
    moves(handheld)
    handheld.replica.welcome(welcome(plan(NORTH, "resume", 12), plan(SOUTH, "resume", 10)))
    assert not told_of(handheld)


def test_a_scope_that_has_something_to_send_is_waited_for_in_the_next_session_too(handheld: Handheld) -> None:
    """It may be just that record."""
    settled(handheld, NORTH, SOUTH)
    moves(handheld)
    handheld.replica.welcome(welcome(plan(NORTH, "resume", 12), plan(SOUTH, "resume", 11)))
    assert told_of(handheld)
    # Where it stood then is as of a moment after the move.
    handheld.replica.batch(batch(SOUTH, 10, 11))
    assert not told_of(handheld)


def test_where_scopes_stood_is_remembered_for_what_moves_later_in_the_session(handheld: Handheld) -> None:
    """What had happened while the device was away comes batch by batch: the quiet area is known to be up to date."""
    settled(handheld, NORTH, SOUTH)
    handheld.replica.welcome(welcome(plan(NORTH, "resume", 40), plan(SOUTH, "resume", 10)))
    moves(handheld, at=12)
    assert not told_of(handheld)


def test_an_open_snapshot_may_still_bring_it(handheld: Handheld) -> None:
    """Whatever number it is pinned at."""
    op = settled(handheld, NORTH)
    handheld.replica.scope_add(wire.ScopeAdd(plan=plan(SOUTH, "snapshot", 30)))
    moves(handheld)
    assert handheld.state(op) is OpState.SETTLED
    handheld.replica.page(page(SOUTH, row(B, 12), at=30, upto=B, last=False))
    assert handheld.state(op) is OpState.SETTLED
    handheld.replica.page(page(SOUTH, at=30, after=B))
    assert not told_of(handheld)


def test_a_grant_that_ends_brings_nothing_more(handheld: Handheld) -> None:
    """The scope that was waited for is retracted."""
    settled(handheld, NORTH, SOUTH)
    moves(handheld)
    handheld.replica.retract(wire.Retract(scope=SOUTH, gen=handheld.replica.positions()[1].gen))
    assert not told_of(handheld)


def test_what_waits_is_found_again_after_a_restart(handheld: Handheld) -> None:
    """The power went between the two batches."""
    settled(handheld, NORTH, SOUTH)
    moves(handheld)
    again = Replica(handheld.tables, handheld.replica.device)
    again.seal_with(seal)
    again.batch(batch(SOUTH, 10, 12))
    assert not told_of(handheld)


def test_with_nobody_to_seal_to_it_waits(handheld: Handheld) -> None:
    """Nothing is lost; with the server's key it goes."""
    op = settled(handheld, NORTH)
    handheld.replica.seal_with(None)
    moves(handheld)
    assert handheld.state(op) is OpState.SETTLED
    assert told_of(handheld)
    handheld.replica.seal_with(seal)
    handheld.replica.batch(batch(NORTH, 12, 13))
    assert not told_of(handheld)


# --- what is not the server's yet ------------------------------------------------------------------------------------


def test_an_unsent_edit_is_pushed_and_sealed_with_the_rest_once_it_is_taken_in(handheld: Handheld) -> None:
    """The move does not decide about it: the server does."""
    op = settled(handheld, NORTH)
    unsent = handheld.write(A, {"location": WORD})
    moves(handheld)
    assert [kept.n for kept in handheld.replica.queued(OpNumber(0), 10)] == [unsent.n]
    assert (handheld.state(op), told_of(handheld)) == (OpState.SETTLED, True)
    handheld.durable(unsent, 13)
    assert handheld.state(unsent) is OpState.QUARANTINED
    assert not told_of(handheld)


def test_an_unsent_edit_that_is_refused_goes_to_quarantine(handheld: Handheld) -> None:
    """Its officer has no right there any more: it is sealed and handed over, as after the end of a grant."""
    settled(handheld, NORTH)
    unsent = handheld.write(A, {"location": WORD})
    moves(handheld)
    refused = wire.Result(n=unsent.n, status="refused", code="op_not_permitted")
    assert handheld.replica.results(results(refused)).sealed == [unsent.n]
    assert [kept.n for kept in handheld.replica.sealed(OpNumber(0), 10)] == [unsent.n]
    assert not told_of(handheld)


def test_what_is_refused_for_another_reason_is_its_officers_until_they_have_decided(handheld: Handheld) -> None:
    """They can still read it and what it builds on; once they give it up, all of it goes."""
    op = settled(handheld, NORTH)
    unsent = handheld.write(A, {"location": WORD})
    moves(handheld)
    refused = wire.Result(n=unsent.n, status="refused", code="op_value_wrong")
    assert handheld.replica.results(results(refused)).held == [unsent.n]
    assert handheld.state(op) is OpState.SETTLED
    handheld.replica.withdraw(unsent.n, f"It was {WORD}.")
    assert (handheld.state(op), handheld.state(unsent)) == (OpState.QUARANTINED, OpState.WITHDRAWN)
    assert not told_of(handheld)


@pytest.mark.parametrize("result_first", [True, False])
def test_the_edit_that_moves_it_away_is_sealed_with_it(handheld: Handheld, *, result_first: bool) -> None:
    """The officer sent it to another area themselves: in whichever order they hear of it."""
    settled(handheld, NORTH)
    away = handheld.write(A, {"area": "south", "location": WORD})
    if result_first:
        handheld.durable(away, 12)
    moves(handheld)
    if not result_first:
        handheld.durable(away, 12)
    assert handheld.state(away) is OpState.QUARANTINED
    assert not told_of(handheld)


def test_the_edit_that_moves_it_to_another_held_scope_waits_for_its_row(handheld: Handheld) -> None:
    """The server has said where it is to come."""
    op = settled(handheld, NORTH, SOUTH)
    there = handheld.write(A, {"area": "south"})
    handheld.durable(there, 12, SOUTH)
    moves(handheld)
    assert (handheld.state(op), handheld.state(there)) == (OpState.SETTLED, OpState.DURABLE)
    handheld.replica.batch(batch(SOUTH, 10, 12, row(A, 12)))
    assert (handheld.state(op), handheld.state(there)) == (OpState.SETTLED, OpState.SETTLED)


@pytest.mark.parametrize("told", [(), (NORTH,)], ids=["the result says so", "a batch passes without it"])
def test_a_record_whose_row_never_comes_has_left_too(handheld: Handheld, told: tuple[ScopeName, ...]) -> None:
    """Its officer made it, the server took it in, and it was moved away at that very moment."""
    handheld.stand(NORTH)
    made = handheld.create(A, summary=WORD)
    handheld.durable(made, 11, *told)
    handheld.replica.batch(batch(NORTH, 10, 12, row(B, 12)))
    assert handheld.state(made) is OpState.QUARANTINED
    assert not told_of(handheld)


def test_a_record_that_is_only_here_is_not_taken_for_one_that_left(handheld: Handheld) -> None:
    """Nobody else has it: what its author gave up stays theirs, as before."""
    handheld.stand(NORTH)
    made = handheld.create(A, summary=WORD)
    handheld.replica.results(results(wire.Result(n=made.n, status="refused", code="op_value_wrong")))
    handheld.replica.withdraw(made.n, "A mistake.")
    handheld.replica.batch(batch(NORTH, 10, 12))
    assert told_of(handheld)


def test_a_server_that_was_set_back_is_offered_what_waits(handheld: Handheld) -> None:
    """What was not sealed yet is pushed again; its history decides, and the old one's numbers mean nothing."""
    op = settled(handheld, NORTH, SOUTH)
    moves(handheld, at=12)
    back = welcome(plan(NORTH, "snapshot", 3), plan(SOUTH, "snapshot", 3), epoch=OTHER_HISTORY)
    handheld.replica.welcome(back)
    assert handheld.state(op) is OpState.QUEUED
    handheld.replica.page(page(NORTH, at=3))
    handheld.replica.results(results(durable(op, 2)))
    assert handheld.state(op) is OpState.SETTLED
    handheld.replica.page(page(SOUTH, at=3))
    assert not told_of(handheld)


# --- whatever the order ----------------------------------------------------------------------------------------------

AREAS: Final = (NORTH, SOUTH, EAST, ScopeName("area:west"))


class Force:
    """A server's log of where one record is, and a handheld that holds some areas and hears of it as it is drawn."""

    def __init__(self, held: frozenset[ScopeName]) -> None:
        """The record is in the north, which the handheld holds; its officer has written on it."""
        self.held = held
        self.handheld = Handheld()
        self.handheld.replica.seal_with(seal)
        self.op = settled(self.handheld, NORTH, *sorted(held - {NORTH}))
        self.seq = 11
        self.where: dict[int, ScopeName] = {0: NORTH}
        self.heads = {scope: 11 if scope == NORTH else 10 for scope in held}
        self.stayed = True
        """Whether the record was in a held area all the time."""

    def commit(self, *scopes: ScopeName) -> None:
        """Something changes in these areas."""
        self.seq += 1
        self.heads |= {scope: self.seq for scope in scopes if scope in self.held}

    def place(self, at: int) -> ScopeName:
        """Where the record was as of a commit."""
        return self.where[max(seq for seq in self.where if seq <= at)]

    def position(self, scope: ScopeName) -> int:
        """Where the handheld stands."""
        held = self.handheld.tables.position(scope)
        assert held is not None
        return held.seq

    def move(self, to: ScopeName) -> None:
        """The record goes to an area, once the handheld has heard of how it went before."""
        last = max(self.where)
        at_rest = all(
            self.position(scope) == head or self.position(scope) >= last for scope, head in self.heads.items()
        )
        if to != self.where[last] and at_rest:
            self.commit(self.where[last], to)
            self.where[self.seq] = to
            self.stayed = self.stayed and to in self.held

    def deliver(self, scope: ScopeName, upto: int | None = None) -> None:
        """The handheld gets a batch, up to a commit of that area."""
        frm, to = self.position(scope), self.heads[scope] if upto is None else upto
        if frm < to:
            was, now = self.place(frm) == scope, self.place(to) == scope
            rows, gone = ((row(A, to),) if now else ()), ((A,) if was and not now else ())
            self.handheld.replica.batch(batch(scope, frm, to, *rows, gone=gone))

    def session(self) -> None:
        """The link is cut, and comes back."""
        plans = [plan(scope, "resume", head) for scope, head in sorted(self.heads.items())]
        self.handheld.replica.welcome(welcome(*plans, last_op=self.op.n))

    def readable(self) -> bool:
        """Whether its officer's op can be read on the handheld."""
        return self.handheld.state(self.op) not in SHUT


@given(
    st.sets(st.sampled_from([SOUTH, EAST])),
    st.lists(st.tuples(st.sampled_from(["move", "touch", "deliver", "session"]), st.sampled_from(AREAS)), max_size=25),
)
def test_it_is_readable_as_long_as_the_record_is_here_or_on_its_way(
    others: set[ScopeName], course: list[tuple[str, ScopeName]]
) -> None:
    """Wherever it moves, in whatever order batches come: never sealed on the way, always sealed once it has left."""
    force = Force(frozenset({NORTH, *others}))
    for what, scope in course:
        match what:
            case "move":
                force.move(scope)
            case "touch":
                force.commit(scope)
            case "deliver" if scope in force.held:
                force.deliver(scope)
            case _:
                force.session()
        here = force.handheld.tables.row_version(A) is not None
        assert force.readable() or not force.stayed
        assert not force.readable() or here or others
    for scope in sorted(force.held):
        force.deliver(scope)
    force.session()
    here = force.handheld.tables.row_version(A) is not None
    assert here == (force.where[max(force.where)] in force.held)
    assert force.readable() or not force.stayed
    # It may be here again before the handheld could tell that it had left.
    assert here or not force.readable()


def test_the_tables_know_nothing_of_it_when_all_has_come_to_rest() -> None:
    """What is noted of a record goes with what it is noted for."""
    force = Force(frozenset({NORTH, SOUTH}))
    for to in (SOUTH, NORTH, AREAS[3]):
        force.move(to)
        force.deliver(SOUTH)
        force.deliver(NORTH)
    force.session()
    assert A not in _meta_text(force.handheld.tables)


def _meta_text(tables: MemoryTables) -> str:
    return repr(tables._meta)


def test_the_first_commit_of_a_scope_counts_as_any_other(handheld: Handheld) -> None:
    """A handheld whose second area has never had a record."""
    handheld.replica.welcome(welcome(plan(NORTH, "snapshot", 0), plan(SOUTH, "snapshot", 0)))
    handheld.replica.page(page(NORTH, at=0))
    handheld.replica.page(page(SOUTH, at=0))
    op = handheld.create(A, summary=WORD)
    handheld.durable(op, 1, NORTH)
    handheld.replica.batch(batch(NORTH, 0, 1, row(A, 1)))
    handheld.replica.batch(batch(NORTH, 1, 2, gone=(A,)))
    assert handheld.replica.positions()[1].seq == Seq(0)
    assert handheld.state(op) is OpState.SETTLED
    handheld.replica.welcome(welcome(plan(NORTH, "resume", 2), plan(SOUTH, "resume", 0)))
    assert not told_of(handheld)
