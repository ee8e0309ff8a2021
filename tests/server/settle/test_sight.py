"""What an op says its author saw, and the op it says it stands behind: neither is taken in before what it names."""

import hashlib

import pytest

from schemas.ids import FieldName, OpNumber, Seq
from tests.server.settle.desk import INCIDENT, Desk, name, op, statuses

GRADE = FieldName("grade")


@pytest.fixture
def desk() -> Desk:
    """A store with one incident of grade P2."""
    desk = Desk()
    desk.one(op(1, 1, INCIDENT | {"grade": "p2"}, create=True))
    return desk


# --- saw -------------------------------------------------------------------------------------------------------------


def test_an_op_that_saw_what_has_not_come_waits_and_is_taken_once_it_has(desk: Desk) -> None:
    """Taken in before, it would be laid beneath what it was written over. Waiting, it is not stored."""
    raised = op(1, 1, {"grade": "p1"}, device="hh-2", saw={GRADE: (name("hh-1", 1),)})
    lowered = op(1, 1, {"grade": "scheduled"}, device="hh-3", saw={GRADE: (name("hh-2", 1),)})
    result = desk.one(lowered)
    assert (result.status, result.code) == ("waiting", "op_saw_unknown")
    assert "hh-2/1" in result.detail
    assert desk.values(1)["grade"] == "p2"
    assert desk.one(raised).status == "durable"
    assert desk.one(lowered).status == "durable"
    assert desk.values(1)["grade"] == "scheduled"


def test_what_came_earlier_in_the_same_group_has_come(desk: Desk) -> None:
    """Two ops of one push may see each other without a commit in between."""
    settled = desk.submit(
        op(1, 1, {"grade": "p1"}, device="hh-2", saw={GRADE: (name("hh-1", 1),)}),
        op(2, 1, {"grade": "scheduled"}, device="hh-2", saw={GRADE: (name("hh-2", 1),)}),
        device="hh-2",
    )
    assert statuses(settled) == [("durable", ""), ("durable", "")]
    assert desk.values(1)["grade"] == "scheduled"


def test_what_was_superseded_since_has_come_all_the_same(desk: Desk) -> None:
    """An op long overwritten no longer stands in the record; the one that saw it does not wait for ever."""
    desk.one(op(1, 1, {"grade": "p1"}, device="hh-2", saw={GRADE: (name("hh-1", 1),)}))
    late = op(1, 1, {"grade": "no-deployment"}, device="hh-3", saw={GRADE: (name("hh-1", 1),)})
    result = desk.one(late)
    assert (result.status, dict(result.stands)) == ("durable", {"grade": "hh-2/1"})
    assert desk.values(1)["grade"] == "p1"


def test_having_seen_a_refused_op_waits_for_ever(desk: Desk) -> None:
    """A refused op stands nowhere: whoever says that they saw it invents it, or saw another server."""
    assert desk.one(op(1, 2, {"grade": "p1"}, device="hh-2")).status == "refused"
    result = desk.one(op(1, 1, {"grade": "p1"}, device="hh-3", saw={GRADE: (name("hh-2", 1),)}))
    assert (result.status, result.code) == ("waiting", "op_saw_unknown")


def test_what_the_server_itself_lost_is_not_waited_for(desk: Desk) -> None:
    """After a restore no device offers again what the control room wrote: who saw it is taken in all the same."""
    lowered = op(1, 1, {"grade": "scheduled"}, device="hh-3", saw={GRADE: (name("control-room", 977),)})
    assert desk.one(lowered).status == "durable"
    assert desk.values(1)["grade"] == "p2"


def test_an_op_of_an_older_program_saw_what_its_base_held(desk: Desk) -> None:
    """It names nothing: what stood up to its base it lowers, what came since it does not."""
    desk.one(op(1, 1, {"grade": "p1"}, device="hh-2", saw={GRADE: (name("hh-1", 1),)}))
    before = desk.one(op(1, 1, {"grade": "scheduled"}, device="hh-3", base=Seq(1)), schema=1)
    assert before.stands == {"grade": "hh-2/1"}
    after = desk.one(op(1, 1, {"grade": "scheduled"}, device="hh-4", base=Seq(desk.held(1).version)), schema=1)
    assert after.stands == {}
    assert desk.values(1)["grade"] == "scheduled"


def test_a_refusal_goes_before_waiting(desk: Desk) -> None:
    """A device without the right is told so at once, and learns nothing of what has come."""
    far = op(1, 1, {"grade": "p1"}, device="hh-3", saw={GRADE: (name("hh-9", 7),)})
    assert desk.one(far, scopes=frozenset()).code == "op_not_permitted"


# --- after -----------------------------------------------------------------------------------------------------------


def test_an_op_behind_another_op_of_that_number_waits(desk: Desk) -> None:
    """A copy of the device used the number: what the author wrote on is still to come, under a new number."""
    other, mine = op(2, 1, {"summary": "of the copy"}), op(2, 1, {"summary": "of this device"})
    digest = hashlib.sha256(mine).digest()[:16]
    desk.one(other)
    result = desk.one(op(3, 1, {"location": "Mill Lane"}, after=OpNumber(2), after_digest=digest))
    assert (result.status, result.code) == ("waiting", "op_reused")
    assert "location" not in desk.values(1)
    renumbered = op(4, 1, {"summary": "of this device"})
    digest = hashlib.sha256(renumbered).digest()[:16]
    settled = desk.submit(renumbered, op(5, 1, {"location": "Mill Lane"}, after=OpNumber(4), after_digest=digest))
    assert statuses(settled) == [("durable", ""), ("durable", "")]


@pytest.mark.parametrize("told", [True, False])
def test_an_op_behind_the_very_op_it_means_goes_on(desk: Desk, *, told: bool) -> None:
    """With the digest of the op before it, or, from an older program, with none."""
    first = op(2, 1, {"summary": "first"})
    digest = hashlib.sha256(first).digest()[:16] if told else b""
    settled = desk.submit(first, op(3, 1, {"summary": "second"}, after=OpNumber(2), after_digest=digest))
    assert statuses(settled) == [("durable", ""), ("durable", "")]


def test_a_step_from_a_state_that_has_not_come_waits_and_is_not_refused() -> None:
    """A server set back to before that state knows no such step yet: refused, the officer's change would be lost."""
    desk, status = Desk(), FieldName("status")
    desk.one(op(1, 1, kind="custody-booking"))
    first = op(1, 1, {status: "detained"}, kind="custody-booking", device="hh-2", saw={status: ()})
    then = op(1, 1, {status: "court"}, kind="custody-booking", device="hh-3", saw={status: (name("hh-2", 1),)})
    result = desk.one(then)
    assert (result.status, result.code) == ("waiting", "op_saw_unknown")
    assert [desk.one(raw).status for raw in (first, then)] == ["durable", "durable"]
    assert desk.values(1)[status] == "court"
