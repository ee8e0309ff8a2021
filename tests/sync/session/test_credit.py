"""What a device pushes and is told of it: ops handed on as they came, counted credit, results within a message."""

import msgspec
import pytest

from schemas import wire
from schemas.codec import decode_down, decode_op, encode
from schemas.ids import Millis, OpNumber, ScopeName, Seq
from schemas.limits import CREDIT_BYTES, CREDIT_BYTES_TOTAL_MAX, MESSAGE_BYTES_MAX
from sync.session import Admission, Grant
from sync.session.steps import Commit, Send
from tests.example_messages import UP
from tests.example_ops import OPS
from tests.examples import AREA, EPOCH, OTHER, T0
from tests.sync.session.server_end import EMPTY, GEN, KEY, ended_with, live, own


def test_a_push_is_handed_on_as_it_came() -> None:
    """The bytes of the ops, untouched, the payload's size to be given back, and since when the ops were made."""
    one = live()
    frame = encode(UP["push"])
    push = UP["push"]
    assert isinstance(push, wire.Push)
    assert one.receive(frame, T0) == Commit(push.ops, len(frame), since=_earliest(push))


def test_better_times_are_handed_on_with_the_ops_they_are_about() -> None:
    """What a device tells of when its ops were made goes to whoever commits them, number by number."""
    one = live()
    times = ((OpNumber(1), Millis(T0 - 5)), (OpNumber(2), Millis(T0 + 5)))
    push = msgspec.structs.replace(UP["push"], times=times)
    assert isinstance(push, wire.Push)
    frame = encode(push)
    assert one.receive(frame, T0) == Commit(push.ops, len(frame), dict(times), since=_earliest(push))


def test_the_earliest_reading_counts_wherever_its_op_stands() -> None:
    """By it the server knows what the author was when they wrote the first of them: clocks go back, numbers do not."""
    op = OPS["op-incident-log"]
    ops = [msgspec.structs.replace(op, n=OpNumber(n), hlc=(T0 + at, 0)) for n, at in enumerate((9, 4, 6), 1)]
    demand = live().receive(encode(wire.Push(ops=tuple(map(encode, ops)))), T0)
    assert isinstance(demand, Commit)
    assert demand.since == T0 + 4


def _earliest(push: wire.Push) -> Millis:
    return Millis(min(decode_op(raw).hlc[0] for raw in push.ops))


def test_an_op_of_another_device_ends_the_session() -> None:
    """Nobody writes under another's name, not even among ops of their own."""
    one = live()
    foreign = encode(msgspec.structs.replace(OPS["op-incident-log"], device=OTHER))
    own_op = encode(OPS["op-incident-create"])
    assert one.receive(encode(wire.Push(ops=(own_op, foreign))), T0) is None
    assert ended_with(one) == "foreign_op"


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x80", encode(OPS["op-incident-log"]) + b"\x00"])
def test_a_push_of_what_is_no_op_ends_the_session(raw: bytes) -> None:
    """Each op is decoded before anything is handed on."""
    one = live()
    assert one.receive(encode(wire.Push(ops=(encode(OPS["op-incident-create"]), raw))), T0) is None
    assert ended_with(one) in {"not_msgpack", "bad_value", "wrong_field"}


def test_credit_is_counted_and_given_back_with_the_results() -> None:
    """A device that pushes more than it was granted has stopped counting."""
    one = live()
    frame = encode(wire.Push(ops=(encode(OPS["op-incident-create"]),) * 100))
    whole = CREDIT_BYTES // len(frame)
    for _ in range(whole):
        assert isinstance(one.receive(frame, T0), Commit)
    one.committed((), len(frame))
    assert own(one) == [wire.Results(results=(), credit=len(frame))]
    assert isinstance(one.receive(frame, T0), Commit)
    assert one.receive(frame, T0) is None
    assert ended_with(one) == "credit_exceeded"


@pytest.mark.parametrize(
    "message", [wire.AddCredit(bytes=CREDIT_BYTES_TOTAL_MAX), wire.Ack(credit=CREDIT_BYTES_TOTAL_MAX)]
)
def test_credit_beyond_all_bounds_is_not_believed(message: wire.Up) -> None:
    """A device that could be sent 16 MiB at once is not one of ours."""
    one = live()
    one.receive(encode(message), T0)
    assert ended_with(one) == "credit_overflow"


def test_results_tell_only_scopes_that_this_session_holds() -> None:
    """A device learns of no scope to which it has no right."""
    one = live()
    one.committed((wire.Result(n=OpNumber(1), status="durable", seq=Seq(4), scopes=(AREA, ScopeName("area:x"))),), 10)
    (results,) = own(one)
    assert isinstance(results, wire.Results)
    assert results.results[0].scopes == (AREA,)


def test_results_too_long_for_a_message_come_in_several() -> None:
    """128 ops on a record of many scopes: all results, in order, the credit once, each message inside the bound."""
    names = [ScopeName(f"area:{'x' * 36}-{number:02}:briefing") for number in range(32)]
    one = live(
        Admission(public_key=KEY, grants={name: Grant(GEN, EMPTY) for name in names}, epoch=EPOCH, last_op=OpNumber(0))
    )
    stands = {f"field_{number:034}": "x" * 40 + "/1000000000000000" for number in range(6)}
    results = tuple(
        wire.Result(n=OpNumber(n), status="durable", seq=Seq(1), scopes=tuple(names), stands=stands)  # type: ignore[arg-type]
        for n in range(1, 129)
    )
    assert len(encode(wire.Results(results=results))) > MESSAGE_BYTES_MAX
    one.committed(results, 99)
    frames = []
    while one.waiting:
        step = one.next_step()
        assert isinstance(step, Send)
        frames.append(step.frame)
    assert all(len(frame) <= MESSAGE_BYTES_MAX for frame in frames)
    told = [said for said in map(decode_down, frames) if isinstance(said, wire.Results)]
    assert [result.n for said in told for result in said.results] == list(range(1, 129))
    assert [said.credit for said in told] == [0] * (len(told) - 1) + [99]
