"""What an op may hold, every device can read: no op that is taken makes a batch that is refused."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from schemas.codec import decode_down, decode_op, encode
from schemas.errors import FrameError
from schemas.ids import Seq
from schemas.kinds import kind_named
from schemas.limits import OP_DEPTH_MAX, RECORD_BYTES_MAX
from schemas.ops import Op
from schemas.wire import Batch
from sync import check, merge
from tests.examples import AREA, GEN, INCIDENT, op

INCIDENT_NOW: Final = {"opened_at": 1, "area": "birmingham", "category": "crime", "summary": "A window was forced"}


def nested(levels: int) -> object:
    """Lists inside each other."""
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return value


def is_taken(one: Op) -> bool:
    """Whether the server would take the op's bytes."""
    try:
        decode_op(encode(one))
    except FrameError:
        return False
    return True


def batch_of(*ops: Op) -> bytes:
    """The batch of a commit in which these ops make a record."""
    spec = kind_named("incident")
    assert spec is not None
    state = merge.new_state(ops[0], spec)
    for one in ops:
        state = merge.apply(state, one)
    row = msgspec.Raw(encode(merge.to_row(state)))
    return encode(Batch(scope=AREA, gen=GEN, frm=Seq(0), to=Seq(1), rows=(row,)))


@pytest.mark.parametrize(
    "changes",
    [
        lambda extra: {"log": [{"text": "x", "extra": extra}]},
        lambda extra: {"position": {"longitude": 1.0, "latitude": 1.0, "extra": extra}},
    ],
    ids=["grow", "latest"],
)
def test_the_deepest_op_that_is_taken_makes_a_batch_that_is_read(
    changes: Callable[[object], dict[str, Any]],
) -> None:
    """A value stands deeper in a batch than in its op; unknown keys inside a value may be as deep as the op allows."""
    made = op(1, INCIDENT, "incident", INCIDENT_NOW, create=True)
    taken = 0
    for levels in range(OP_DEPTH_MAX + 2):
        deep = op(2, INCIDENT, "incident", changes(nested(levels)))
        assert not isinstance(check.op_alone(deep), check.Refusal)
        if is_taken(deep):
            decode_down(batch_of(made, deep))
            taken += 1
    assert 5 < taken < OP_DEPTH_MAX


def test_a_value_that_is_contested_is_read_at_its_deepest() -> None:
    """What was said differently of a `once` field stands deepest of all."""
    made = op(1, INCIDENT, "incident", INCIDENT_NOW | {"source": "the first"}, create=True)
    deep = op(2, INCIDENT, "incident", {"source": nested(OP_DEPTH_MAX - 2)})
    decode_op(encode(deep))
    decode_down(batch_of(made, deep))


def test_the_densest_ops_that_are_taken_make_a_batch_that_is_read() -> None:
    """Ops full of one-byte values, as many as a record holds: the batch is read all the same."""
    made = op(1, INCIDENT, "incident", INCIDENT_NOW, create=True)
    wide = [0] * 1_800
    ops = [op(n, INCIDENT, "incident", {"log": [{"text": "x", "a": wide, "b": wide}]}) for n in range(2, 36)]
    decode_op(encode(ops[0]))
    data = batch_of(made, *ops)
    assert len(data) > RECORD_BYTES_MAX * 9 // 10
    decode_down(data)
