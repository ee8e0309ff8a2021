"""What changed records do to scopes: who came, who stayed, who left, and the digest that a replica must come to."""

import pytest

from schemas.ids import ScopeName, Seq
from server.commits import Needs, NewRow, ScopeChange
from server.scope_changes import scope_changes
from sync import digest
from sync.session import Head
from tests.server.settle.desk import NORTH, SOUTH, Desk, op, record


@pytest.fixture
def desk() -> Desk:
    """A store with two incidents in the north, from commits 1 and 2."""
    desk = Desk()
    desk.submit(op(1, 1))
    desk.submit(op(2, 2))
    return desk


def changes(desk: Desk, *rows: NewRow) -> dict[ScopeName, ScopeChange]:
    """What a third commit of these rows does."""
    before = {row.record: desk.state(row.record) for row in rows}
    found = scope_changes(rows, before, desk._load(Needs(frozenset(), frozenset())), Seq(3))
    assert [change.scope for change in found] == sorted(change.scope for change in found)
    return {change.scope: change for change in found}


def row(number: int, *scopes: ScopeName, before: int = 0, body: bytes = b"row") -> NewRow:
    """A changed record."""
    return NewRow(record(number), "incident", body, frozenset(scopes), Seq(before))


def head(*held: tuple[int, int]) -> Head:
    """The head of a scope at the third commit that holds these (record, version)."""
    return Head(Seq(3), digest.of([(record(number), Seq(version)) for number, version in held]), len(held))


def test_a_new_record_comes_into_its_scopes(desk: Desk) -> None:
    """Behind what stood there; where nothing did, it begins."""
    found = changes(desk, row(3, NORTH, SOUTH))
    assert {scope: (change.frm, change.members, change.gone) for scope, change in found.items()} == {
        NORTH: (2, (record(3),), ()),
        SOUTH: (0, (record(3),), ()),
    }
    assert found[NORTH].head == head((1, 1), (2, 2), (3, 3))
    assert found[SOUTH].head == head((3, 3))


def test_a_record_that_stays_counts_once(desk: Desk) -> None:
    """Its old version leaves the digest as the new one comes in."""
    found = changes(desk, row(1, NORTH, before=1))
    assert found[NORTH].rows == (b"row",)
    assert found[NORTH].head == head((1, 3), (2, 2))


def test_a_record_that_moves_leaves_one_scope_for_the_other(desk: Desk) -> None:
    """It is gone in the one, without its row, and a member of the other."""
    found = changes(desk, row(1, SOUTH, before=1))
    assert (found[NORTH].rows, found[NORTH].gone) == ((), (record(1),))
    assert found[NORTH].head == head((2, 2))
    assert (found[SOUTH].rows, found[SOUTH].gone) == ((b"row",), ())


def test_an_erased_record_is_gone_wherever_it_ever_was(desk: Desk) -> None:
    """A scope that it had left long ago is told as well, and its count does not change by it."""
    desk.submit(op(3, 1, {"area": "south"}))
    found = changes(desk, row(1, before=3, body=b""))
    assert {scope: change.gone for scope, change in found.items()} == {NORTH: (record(1),), SOUTH: (record(1),)}
    assert (found[NORTH].head.count, found[SOUTH].head.count) == (1, 0)
    assert found[SOUTH].head.digest == digest.EMPTY
