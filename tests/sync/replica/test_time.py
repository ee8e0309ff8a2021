"""The time of an op: what is doubtful is said with it, and what its device's clocks said is kept to tell it better."""

from typing import Any

import pytest

from schemas.ids import DeviceId, FieldName, Millis, OfficerId
from schemas.kinds import KINDS
from schemas.ops import Doubt
from sync.clock import SET_BACK_MS, Made
from sync.replica import MemoryTables, Replica, WriteFacts
from tests.examples import INCIDENT, T0

SURE = Doubt(0)
WHOLE: dict[FieldName, Any] = {
    FieldName("opened_at"): T0,
    FieldName("area"): "birmingham",
    FieldName("category"): "crime",
    FieldName("summary"): "x",
}
NOTE: dict[FieldName, Any] = {FieldName("log"): [{"text": "on scene"}]}


def facts(now: int = T0, *, wall: int = T0, doubt: Doubt = SURE, made: Made | None = None) -> WriteFacts:
    """An officer's, with these clocks."""
    return WriteFacts(
        author=OfficerId("WM21877"),
        now=Millis(now),
        wall=Millis(wall),
        occurred_at=Millis(T0),
        doubt=doubt,
        made=made or Made(wall, 1_000, "boot-1"),
    )


@pytest.fixture
def replica() -> Replica:
    """A device that has written one incident, at T0 by every clock."""
    made = Replica(MemoryTables(), DeviceId("hh-0042"))
    made.write(INCIDENT, KINDS["incident"], WHOLE, facts(), create=True)
    return made


def test_an_op_of_a_sure_clock_bears_no_doubt_and_keeps_no_readings(replica: Replica) -> None:
    """The common case costs nothing."""
    op = replica.write(INCIDENT, KINDS["incident"], NOTE, facts(T0 + 1))
    assert (op.doubt, replica.made(op.n)) == (0, None)


def test_a_doubted_op_says_so_and_keeps_what_the_clocks_said(replica: Replica) -> None:
    """Once the device meets the server, its time can be told from that."""
    made = Made(T0 + 5, 77, "boot-2")
    op = replica.write(INCIDENT, KINDS["incident"], NOTE, facts(T0 + 5, doubt=Doubt.NEVER_SET, made=made))
    assert (op.doubt, replica.made(op.n)) == (Doubt.NEVER_SET, made)


def test_an_op_lifted_over_a_clock_that_ran_ahead_keeps_its_readings_too(replica: Replica) -> None:
    """It follows what its author saw, days ahead; its own time was never in doubt and can be told."""
    ahead = facts(T0 + 9 * 86_400_000, doubt=Doubt.NEVER_SET)
    replica.write(INCIDENT, KINDS["incident"], NOTE, ahead)
    op = replica.write(INCIDENT, KINDS["incident"], NOTE, facts(T0 + 10, made=Made(T0 + 10, 88, "boot-1")))
    assert op.hlc == (T0 + 9 * 86_400_000, 1)
    assert (op.doubt, replica.made(op.n)) == (0, Made(T0 + 10, 88, "boot-1"))


def test_a_wall_clock_that_was_set_back_is_told(replica: Replica) -> None:
    """It stands clearly before what it said at the op before; a small correction is nothing."""
    small = replica.write(INCIDENT, KINDS["incident"], NOTE, facts(T0, wall=T0 - SET_BACK_MS))
    assert small.doubt == 0
    back = replica.write(INCIDENT, KINDS["incident"], NOTE, facts(T0, wall=T0 - 3 * SET_BACK_MS))
    assert back.doubt == Doubt.SET_BACK
    after = replica.write(INCIDENT, KINDS["incident"], NOTE, facts(T0 + 1, wall=T0 - 3 * SET_BACK_MS))
    assert after.doubt == 0


def test_what_is_seen_is_followed_whatever_the_clock_says(replica: Replica) -> None:
    """An op on a clock set back by a year is still later than the one before it on the same record."""
    first = replica.write(INCIDENT, KINDS["incident"], NOTE, facts(T0 + 50))
    second = replica.write(INCIDENT, KINDS["incident"], NOTE, facts(T0 - 31_536_000_000, wall=T0 - 31_536_000_000))
    assert second.hlc > first.hlc
    assert second.wall == T0 - 31_536_000_000
