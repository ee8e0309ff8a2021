"""A role that covers one unit makes nobody that in another, whatever else they see; and in whatever order ops come."""

from typing import Any

import pytest

from schemas.ids import DeviceId, ScopeName
from schemas.roles import Role
from schemas.wire import Result
from server.commits import Submission
from server.roles import Roles
from tests.server.settle.desk import CUSTODY, OLDBURY, SUITE, Desk, op

BOTH = CUSTODY | {ScopeName("suite:bournville")}
HERE = Roles(frozenset({Role.OFFICER}), {Role.CUSTODY_OFFICER: frozenset({SUITE})})
"""Custody officer of Perry Barr, and an officer wherever they are posted."""
THERE = Roles(frozenset({Role.OFFICER}), {Role.CUSTODY_OFFICER: frozenset({OLDBURY})})
ANYWHERE = Roles(frozenset({Role.CUSTODY_OFFICER}))


def booking(n: int, changes: dict[str, Any] | None = None, **more: Any) -> bytes:  # noqa: ANN401  fields of Op
    """An op on the booking, which is made at Perry Barr."""
    return op(n, 1, changes, kind="custody-booking", **more)


def transfer(suite: str, saw: str, device: str) -> bytes:
    """The first op of a device, by which the booking goes on to another suite."""
    return booking(1, {"suite": suite}, device=device, saw={"suite": (saw,)})


def by(roles: Roles, *ops: bytes, device: str = "hh-1") -> Submission:
    """What somebody pushes who sees both suites."""
    return Submission(DeviceId(device), BOTH, ops, roles=roles)


def outcome(desk: Desk, *group: Submission) -> list[Result]:
    """What became of a group's ops."""
    return list(desk.decide(*group).results)


@pytest.fixture
def desk() -> Desk:
    """A store with one booking at Perry Barr."""
    desk = Desk()
    desk.decide(by(ANYWHERE, booking(1)))
    return desk


def test_a_custody_officer_of_another_suite_is_none_here(desk: Desk) -> None:
    """They see the booking, and may do to it what every officer may; what is a custody officer's to do is refused."""
    (theirs,) = outcome(desk, by(THERE, booking(2, {"relevant_time": 7})))
    assert (theirs.status, theirs.code) == ("refused", "op_not_entitled")
    assert "counts for another unit" in theirs.detail
    (mine,) = outcome(desk, by(HERE, booking(3, {"relevant_time": 7})))
    assert mine.status == "durable"


def test_nobody_makes_a_booking_in_a_suite_that_is_not_theirs() -> None:
    """A new record is where it says that it is."""
    desk = Desk()
    (refused,) = outcome(desk, by(THERE, booking(1)))
    assert (refused.status, refused.code) == ("refused", "op_not_entitled")
    assert desk.row(1) is None
    (made,) = outcome(desk, by(HERE, booking(2)))
    assert made.status == "durable"


@pytest.mark.parametrize("together", [False, True], ids=["commit by commit", "in one group"])
@pytest.mark.parametrize("late_at", range(3))
def test_no_transfer_that_comes_first_takes_an_op_away(desk: Desk, late_at: int, *, together: bool) -> None:
    """What the custody officer wrote before the person left is taken in, whenever it comes: it was theirs to write."""
    late = by(HERE, booking(1, {"relevant_time": 7}, device="hh-2"), device="hh-2")
    pushed = [
        by(ANYWHERE, transfer("oldbury", "hh-1/1", "hh-3"), device="hh-3"),
        by(ANYWHERE, transfer("bournville", "hh-3/1", "hh-4"), device="hh-4"),
    ]
    pushed.insert(late_at, late)
    groups = [pushed] if together else [[one] for one in pushed]
    assert [one.status for group in groups for one in outcome(desk, *group)] == ["durable"] * 3
    assert desk.values(1)["suite"] == "bournville"


def test_a_server_that_lost_the_transfer_refuses_nothing_for_good(desk: Desk) -> None:
    """Set back to a backup, it waits until the transfer is offered again, by whichever device."""
    ahead = by(THERE, booking(1, {"relevant_time": 7}, base=99, device="hh-2"), device="hh-2")
    (waits,) = outcome(desk, ahead)
    assert (waits.status, waits.code) == ("waiting", "op_not_entitled")
    outcome(desk, by(ANYWHERE, transfer("oldbury", "hh-1/1", "hh-3"), device="hh-3"))
    assert desk.values(1)["suite"] == "oldbury"
    (again,) = outcome(desk, ahead)
    assert again.status == "durable", again
