"""A server that comes back from an older copy gets back what it had taken in, and nothing before its causes."""

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import given

from schemas.codec import decode_row, reread_op
from schemas.ids import FieldName, OpNumber, RecordId
from schemas.kinds import KINDS
from sync import merge
from sync.outbox import OpState
from tests.sim.test_order import EDITS, EVERYONE, ORDERS, Edits, begin
from tests.sim.world import World

BOOKING: Final = KINDS["custody-booking"]
WHEN: Final = 1_700_000_000_000
FIRST, SECOND, THIRD = EVERYONE


@given(before=EDITS, after=EDITS, order=ORDERS)
def test_a_restored_server_gets_everything_back(before: Edits, after: Edits, order: Sequence[int]) -> None:
    """What was durable after the backup is offered again and taken in, whoever comes back first (promise 1)."""
    with World() as world:
        begin(world)
        for who, which, what, _ in before:
            world.edit(who, which, what)
        world.back_up()
        world.create(1, 2, 1)
        for who, which, what, _ in after:
            world.edit(who, which, what)
        world.come_to_rest()
        durable = {accepted.op.id for accepted in world.server.store.history}
        for who in EVERYONE:
            world.cut(who, 1)
        world.restore()
        for who in order:
            world.come_back(who)
        world.come_to_rest()
        assert {accepted.op.id for accepted in world.server.store.history} >= durable


def _booking(world: World) -> RecordId:
    """A booking that everybody holds."""
    begin(world)
    world.create(FIRST, sorted(KINDS).index("custody-booking"), 0)
    world.come_to_rest()
    return next(record for record, spec in reversed(world.records) if spec is BOOKING)


def _says(world: World, who: int, record: RecordId, **changes: object) -> OpNumber:
    """An officer changes the booking. Returns the op's number."""
    op = world.devices[who].write(record, BOOKING, changes, occurred_at=WHEN)
    assert op is not None
    return op.n


def _shown(world: World, who: int, record: RecordId, field: str) -> Any:  # noqa: ANN401  of each field another
    """What a device shows of a booking."""
    state = world.devices[who].replica.view(record)
    assert state is not None
    return state.values()[FieldName(field)]


def _states(world: World, who: int, *ops: OpNumber) -> list[OpState]:
    return [kept.state for n in ops if (kept := world.devices[who].tables.op(n)) is not None]


def test_what_saw_a_lost_op_waits_until_that_is_offered_again() -> None:
    """A lowering of a risk does not come before the risk that it lowers, in whatever order the two are offered again.

    Taken in alone it would stand, and the risk that its author had seen would contest it afterwards.
    """
    with World() as world:
        record = _booking(world)
        world.back_up()
        raised = _says(world, FIRST, record, risk="high")
        world.come_to_rest()
        lowered = _says(world, SECOND, record, risk="standard")
        then = _says(world, SECOND, record, detainee="renamed")
        world.come_to_rest()
        assert _shown(world, THIRD, record, "risk") == "standard"
        for who in EVERYONE:
            world.cut(who, 1)
        world.restore()
        world.come_back(SECOND)
        assert _states(world, SECOND, lowered) == [OpState.WAITING]
        kept = world.devices[SECOND].tables.op(lowered)
        assert kept is not None
        assert kept.code == "op_saw_unknown"
        taken = [one.op.id for one in world.server.store.history]
        assert reread_op(kept.body).id not in taken
        world.come_back(FIRST)
        assert _states(world, FIRST, raised) == [OpState.SETTLED]
        # Its row has come to the waiting device, which has offered the lowering again by itself.
        assert _states(world, SECOND, lowered, then) == [OpState.SETTLED, OpState.SETTLED]
        world.come_to_rest()
        assert [_shown(world, who, record, "risk") for who in EVERYONE] == ["standard"] * 3


def test_a_decision_waits_for_the_question_that_it_answers() -> None:
    """The question follows from two ops that are lost: until both are offered again there is nothing to decide."""
    with World() as world:
        record = _booking(world)
        world.back_up()
        _says(world, FIRST, record, appropriate_adult="needed")
        _says(world, SECOND, record, appropriate_adult="not-needed")
        world.come_to_rest()
        item = world.devices[THIRD].tables.records_of_kind("inbox-item")[-1]
        world.decide(THIRD, 0, 1)
        world.come_to_rest()
        settled = _shown(world, FIRST, record, "appropriate_adult")
        for who in EVERYONE:
            world.cut(who, 1)
        world.restore()
        world.come_back(THIRD)
        decision = world.devices[THIRD].tables.pending_ops(item)
        assert [op.state for op in decision] == [OpState.WAITING]
        world.come_back(FIRST)
        world.come_back(SECOND)
        world.come_to_rest()
        assert not world.devices[THIRD].tables.pending_ops(item)
        assert [_shown(world, who, record, "appropriate_adult") for who in EVERYONE] == [settled] * 3
        assert not world.audit.ledgers[world.server.store.epoch].open_items()


def test_what_saw_a_decision_waits_for_it_though_a_later_op_of_the_same_device_is_here() -> None:
    """Numbers say nothing of it: the decision waits for its question, and what came after it on the record does not."""
    with World() as world:
        record = _booking(world)
        world.back_up()
        _says(world, FIRST, record, appropriate_adult="needed")
        _says(world, SECOND, record, appropriate_adult="not-needed")
        world.come_to_rest()
        world.decide(THIRD, 0, 1)
        world.come_to_rest()
        later = _says(world, THIRD, record, detainee="renamed")
        changed = _says(world, SECOND, record, appropriate_adult="not-needed")
        world.come_to_rest()
        for who in EVERYONE:
            world.cut(who, 1)
        world.restore()
        world.come_back(THIRD)
        assert _states(world, THIRD, later) == [OpState.SETTLED]
        world.come_back(SECOND)
        assert _states(world, SECOND, changed) == [OpState.WAITING]
        world.come_back(FIRST)
        world.come_to_rest()
        assert _states(world, SECOND, changed) == [OpState.SETTLED]
        assert [_shown(world, who, record, "appropriate_adult") for who in EVERYONE] == ["not-needed"] * 3
        assert not world.audit.ledgers[world.server.store.epoch].open_items()


def test_a_question_that_nobody_has_decided_holds_no_op() -> None:
    """Its row names the ops that differ, which are on another record: no pending decision is taken for one of them."""
    with World() as world:
        record = _booking(world)
        _says(world, FIRST, record, appropriate_adult="needed")
        _says(world, SECOND, record, appropriate_adult="not-needed")
        world.come_to_rest()
        tables = world.devices[THIRD].tables
        raw = tables.row(tables.records_of_kind("inbox-item")[-1])
        assert raw is not None
        item = decode_row(raw)
        assert item.stamps
        assert merge.from_row(item).upto == {}
