"""The short forms: each says exactly what the long one says, and is used for nothing that it cannot say."""

from typing import Any, cast

import msgspec
import pytest

from schemas import wire
from schemas.codec import decode_down, encode
from schemas.ids import OpNumber, Seq
from schemas.limits import CREDIT_BYTES
from sync.session import DeviceSession
from sync.session.short_forms import long_batch, long_results, short_batch, short_results
from tests.example_messages import DOWN
from tests.examples import AREA, GEN, SUITE, T0
from tests.sync.session.server_end import BRIEFING_SCOPE, batch, live, past_snapshots
from tests.sync.session.test_op_differences import Pair

CHANGED = cast("wire.Batch", DOWN["batch-changed"])
DURABLE = tuple(wire.Result(n=OpNumber(n), status="durable", seq=Seq(46), scopes=(AREA,)) for n in (7, 8, 9))


def test_a_short_batch_says_what_the_long_one_says() -> None:
    """All but the front of its digest, in half the bytes and fewer."""
    short = short_batch(CHANGED)
    assert short is not None
    assert CHANGED.digest is not None
    assert long_batch(short) == msgspec.structs.replace(CHANGED, digest=CHANGED.digest[-8:])
    assert decode_down(encode(short)) == short
    assert len(encode(short)) * 3 < len(encode(CHANGED)) * 2


@pytest.mark.parametrize(
    "more",
    [
        {"rows": (msgspec.Raw(b"\x80"),)}, {"gone": ("019c8a11-7c00-7a11-8b22-0c3000000001",)}, {"digest": None},
        {"count": None}, {"changed": ()},
    ],
    ids=["rows", "gone", "no digest", "no count", "nothing changed"],
)  # fmt: skip
def test_what_a_short_batch_cannot_say_is_said_long(more: dict[str, Any]) -> None:
    """Nothing is left out to be short."""
    assert short_batch(msgspec.structs.replace(CHANGED, **more)) is None


def test_short_results_say_what_the_long_ones_say() -> None:
    """Of one op and of several; with their credit."""
    for some in (DURABLE[:1], DURABLE):
        told = wire.Results(results=some, credit=412)
        short = short_results(told)
        assert short is not None
        assert decode_down(encode(short)) == short
        assert long_results(short) == told


@pytest.mark.parametrize(
    "results",
    [
        (),
        (DURABLE[0], DURABLE[2]),
        (DURABLE[0], msgspec.structs.replace(DURABLE[1], seq=Seq(47))),
        (DURABLE[0], msgspec.structs.replace(DURABLE[1], scopes=(AREA, SUITE))),
        (msgspec.structs.replace(DURABLE[0], stands={"grade": "hh-0007/12"}),),
        (DURABLE[0], wire.Result(n=OpNumber(8), status="waiting")),
        (wire.Result(n=OpNumber(7), status="refused", code="op_reused"), DURABLE[1]),
    ],
    ids=["none", "a gap", "two commits", "other scopes", "not all took effect", "one waits", "one was refused"],
)
def test_what_short_results_cannot_say_is_said_long(results: tuple[wire.Result, ...]) -> None:
    """Whoever hears them learns of each op what became of it."""
    assert short_results(wire.Results(results=results, credit=1)) is None


def test_the_shell_hears_of_no_short_form() -> None:
    """A session hands on the long one, and counts what came."""
    for name, long in (("short-batch", wire.Batch), ("short-results", wire.Results)):
        one = Pair().device
        message = DOWN[name]
        given = one._given.bytes
        if isinstance(message, wire.ShortResults):
            message = msgspec.structs.replace(message, c=msgspec.structs.replace(message.c, credit=0))
        assert isinstance(one.receive(encode(message), 0, T0), long)
        assert given - one._given.bytes == (len(encode(message)) if long is wire.Batch else 0)


def test_only_who_agreed_on_it_is_answered_short() -> None:
    """Results to a device that names no `diff` are as they were."""
    for packs, form in ((("diff",), wire.ShortResults), ((), wire.Results)):
        pair = Pair(packs)
        pair.server.committed(DURABLE, 0)
        assert [type(said) for said in pair.down()] == [form]


def acknowledged(one: DeviceSession) -> list[type]:
    """In which forms it said what is on its disk."""
    return [type(wire_up) for wire_up in map(decode_up_of, one.outgoing())]


def decode_up_of(frame: bytes) -> object:
    """A message of the device."""
    return msgspec.msgpack.decode(frame, type=wire.Up)


def test_a_short_ack_stands_for_all_that_came() -> None:
    """It is said only once everything that came is dealt with; until then scopes are named."""
    one = Pair().device
    frame = encode(wire.Batch(scope=AREA, gen=GEN, frm=Seq(0), to=Seq(1)))
    for _ in range(2):
        one.receive(frame, 0, T0)
    one.applied({AREA: Seq(1)}, len(frame))
    assert acknowledged(one) == [wire.Ack]
    one.applied({AREA: Seq(1)}, len(frame))
    assert acknowledged(one) == [wire.ShortAck]
    assert one._given.bytes == CREDIT_BYTES
    one.receive(frame, 0, T0)
    one.applied({}, len(frame))
    assert acknowledged(one) == [wire.Ack]
    old = Pair(packs=()).device
    old.receive(frame, 0, T0)
    old.applied({AREA: Seq(1)}, len(frame))
    assert acknowledged(old) == [wire.Ack]


def test_the_server_takes_it_for_what_it_has_sent() -> None:
    """Each scope counts as held where it was sent to, once all of it is given back and not before."""
    one = live()
    past_snapshots(one)
    spent = CREDIT_BYTES - one._credit.bytes
    one.head_moved(AREA, Seq(5))
    sent = len(encode(batch(one, 5)))
    one.receive(encode(wire.ShortAck(c=spent)), T0)
    assert one.acked == {}
    one.receive(encode(wire.ShortAck(c=sent)), T0)
    assert one.acked == {AREA: 5, BRIEFING_SCOPE: 0, SUITE: 0}
    one.regrant(AREA, None)
    del one.acked[AREA]
    one.receive(encode(wire.ShortAck(c=0)), T0)
    assert AREA not in one.acked
