"""What a device writes, a server can read: nothing that would end every session gets into the outbox."""

from typing import Any

import pytest

from schemas import limits
from schemas.codec import decode_op
from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, RecordId
from schemas.kinds import KINDS
from sync.outbox import OpState
from sync.replica import MemoryTables, Replica, WriteFacts
from tests.examples import BOOKING, INCIDENT, T0

WHOLE: dict[str, Any] = {"opened_at": T0, "area": "birmingham", "category": "crime", "summary": "x"}


def facts(**rest: Any) -> WriteFacts:  # noqa: ANN401 - whatever WriteFacts takes
    """An officer's, at T0."""
    given: dict[str, Any] = {"author": OfficerId("WM21877"), "now": T0, "wall": T0, "occurred_at": T0}
    return WriteFacts(**given | rest)


def named(changes: dict[str, Any]) -> dict[FieldName, Any]:
    """Changes by field."""
    return {FieldName(name): value for name, value in changes.items()}


@pytest.fixture
def replica() -> Replica:
    """A device that has written one incident."""
    made = Replica(MemoryTables(), DeviceId("hh-0042"))
    made.write(INCIDENT, KINDS["incident"], named(WHOLE), facts(), create=True)
    return made


@pytest.mark.parametrize(
    ("changes", "rest", "wrong"),
    [
        ({"log": [{"text": "x" * 4_000}] * 13}, {}, "too_long"),
        ({"log": [{"text": "\N{POLICE CAR}" * 4_000}] * 4}, {}, "too_long"),
        ({"summary": "y"}, {"why": "x" * (limits.REASON_CHARS_MAX + 1)}, "wrong_field"),
        ({"summary": "y"}, {"author": OfficerId("")}, "wrong_field"),
        ({"summary": "y"}, {"occurred_at": Millis(-1)}, "wrong_field"),
        ({"summary": "y"}, {"wall": Millis(2**60)}, "bad_value"),
        ({"position": {"longitude": -1.9, "latitude": 52.4, "altitude": 2**60}}, {}, "bad_value"),
    ],
    ids=["bytes", "utf-8", "reason", "author", "before-1970", "wall", "unknown-key"],
)
def test_a_change_that_no_server_could_read_is_not_written(
    replica: Replica, changes: dict[str, Any], rest: dict[str, Any], wrong: str
) -> None:
    """The author is told at once, the outbox stays as it was, and the next number is not used up."""
    with pytest.raises(UsageError, match=f"this change to incident {INCIDENT} cannot be sent: {wrong}: "):
        replica.write(INCIDENT, KINDS["incident"], named(changes), facts(**rest))
    assert replica.next_op == 2
    assert replica.count(OpState.QUEUED) == 1


def test_what_is_written_is_readable(replica: Replica) -> None:
    """The largest change that is taken passes the server's decoder as it is kept."""
    replica.write(INCIDENT, KINDS["incident"], named({"log": [{"text": "x" * 4_000}] * 11}), facts(why="x" * 1_000))
    assert [decode_op(op.body).n for op in replica.pending(INCIDENT)] == [1, 2]


def test_a_record_id_of_another_form_is_not_written() -> None:
    """An application that makes its own ids is told before anything is kept."""
    replica = Replica(MemoryTables(), DeviceId("hh-0042"))
    with pytest.raises(UsageError, match="cannot be sent: wrong_field"):
        replica.write(RecordId("incident-1"), KINDS["incident"], named(WHOLE), facts(), create=True)
    assert replica.next_op == 1


@pytest.mark.parametrize("value", [T0 + 1, None])
def test_what_is_recorded_once_is_neither_changed_nor_cleared(value: int | None) -> None:
    """An arrest time stands: another one, or none, is refused with what to do instead; the same one confirms."""
    replica = Replica(MemoryTables(), DeviceId("hh-0042"))
    booking = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": T0, "arrived_at": T0}
    spec = KINDS["custody-booking"]
    replica.write(BOOKING, spec, named(booking), facts(), create=True)
    with pytest.raises(UsageError, match="arrived_at of this custody-booking is already recorded and stands"):
        replica.write(BOOKING, spec, named({"arrived_at": value}), facts())
    replica.write(BOOKING, spec, named({"arrived_at": T0, "relevant_time": None}), facts())
    replica.write(BOOKING, spec, named({"relevant_time": T0 + 9}), facts())
    view = replica.view(BOOKING)
    assert view is not None
    assert view.values()[FieldName("relevant_time")] == T0 + 9
