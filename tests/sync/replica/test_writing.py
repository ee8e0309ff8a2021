"""What a replica writes: numbered ops that say what their author saw, or nothing at all."""

import msgspec
import pytest

from schemas.codec import decode_op, decode_row, encode
from schemas.errors import UsageError
from schemas.ids import DeviceId
from sync.outbox import OpState
from sync.replica import Replica
from tests.examples import HANDHELD, T0
from tests.sync.replica.handhelds import NORTH, A, B, Handheld, batch, row


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
