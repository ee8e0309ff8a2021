"""Ops that are told as differences: the same bytes arrive, they count as whole, and nothing else is taken for them."""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import decode_down, decode_up, encode
from schemas.differences import whole
from schemas.errors import FrameError
from schemas.ids import DeviceId, Epoch, FieldName, Millis, OfficerId, OpNumber, named_record_id
from schemas.limits import CREDIT_BYTES, MESSAGE_BYTES_MAX, OP_BASE_BYTES_MAX, OP_BYTES_MAX, OPS_PER_PUSH_MAX
from schemas.ops import Op
from sync.evidence.chain import behind, genesis, head_words, link_after
from sync.session import Admission, DeviceSession, HelloFacts, ServerSession
from sync.session.op_differences import OpsBefore
from sync.session.steps import CheckHello, Commit
from tests.sim.server import sign, verify

SEAT: Final = DeviceId("hh-0042")
KEY: Final = b"the handheld's key"
NOW: Final = Millis(1_760_000_000_000)


def made(texts: Sequence[str]) -> list[bytes]:
    """A seat's ops with these texts, each behind the one before."""
    link, ops = genesis(SEAT).link, []
    for n, text in enumerate(texts, 1):
        op = Op(
            device=SEAT,
            n=OpNumber(n),
            record=named_record_id("op", str(n % 3)),
            kind="incident",
            author=OfficerId("WM21877"),
            hlc=(NOW + n * 977, n),
            occurred_at=Millis(NOW + n * 977),
            wall=Millis(NOW + n * 977),
            changes={FieldName("summary"): text},
            link=link,
            salt=hashlib.sha256(text.encode()).digest()[:16],
        )
        ops.append(encode(op))
        link = link_after(link, op.n, hashlib.sha256(ops[-1]).digest())
    return ops


class Pair:
    """Both ends of a session, and what goes between them."""

    def __init__(self, packs: tuple[str, ...] = ("diff",)) -> None:
        """Let the device in, which says that it takes these."""
        facts = HelloFacts(device=SEAT, epoch=None, positions=(), next_op=OpNumber(1), chain=genesis(SEAT))
        self.server = ServerSession(bytes(32), verify, NOW)
        self.device = DeviceSession(facts, lambda message: sign(KEY, message), 0)
        self.down()
        (said,) = self.device.outgoing()
        hello = decode_up(said)
        assert isinstance(hello, wire.Hello)
        demand = self.server.receive(encode(msgspec.structs.replace(hello, packs=packs)), NOW)
        assert isinstance(demand, CheckHello)
        epoch = Epoch("00c0ffee00c0ffee")
        admission = Admission(public_key=KEY, grants={}, epoch=epoch, last_op=OpNumber(0), chain=genesis(SEAT))
        self.server.admit(admission, NOW)
        self.welcome = self.down()[-1]

    def down(self) -> list[wire.Down]:
        """What the server says, to the device."""
        said = []
        while (step := self.server.next_step()) is not None:
            frame = getattr(step, "frame", b"")
            said.append(decode_down(frame))
            self.device.receive(frame, 0, NOW)
        return said

    def push(self, ops: Sequence[bytes], upto: int = OPS_PER_PUSH_MAX) -> tuple[list[bytes], int]:
        """Push them, in as many messages as it takes; what the server wants committed, and the bytes on the wire."""
        digests = {OpNumber(n): hashlib.sha256(op).digest() for n, op in enumerate(ops, 1)}
        arrived: list[bytes] = []
        size = 0
        while len(arrived) < len(ops):
            after = self.device.pushed_upto
            some = [(OpNumber(n), op) for n, op in enumerate(ops, 1) if n > after][:upto]
            assert self.device.push(some, digests={n: d for n, d in digests.items() if n <= some[-1][0]})
            (frame,) = self.device.outgoing()
            size += len(frame)
            demand = self.server.receive(frame, NOW)
            assert self.server.ending is None, self.server.ending
            assert isinstance(demand, Commit)
            arrived += demand.ops
            results = tuple(
                wire.Result(n=OpNumber(after + i), status="refused", code="op_kind_unknown")
                for i in range(1, len(demand.ops) + 1)
            )
            self.server.committed(results, demand.size)
            self.down()
        return arrived, size


@settings(max_examples=40)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=12), st.integers(1, 5))
def test_what_arrives_is_what_was_signed(texts: list[str], at_once: int) -> None:
    """Byte for byte, in one PUSH or several; afterwards both ends have given each other all their credit back."""
    pair, ops = Pair(), made(texts)
    arrived, _ = pair.push(ops, at_once)
    assert arrived == ops
    assert pair.device._credit.bytes == pair.server._given.bytes == CREDIT_BYTES


def test_a_second_op_costs_less_than_half() -> None:
    """What the first one has said is not said again: device, author, kind, link, names of fields."""
    one, other = made(["first", "another"])
    pair = Pair()
    before = pair.push([one])[1]
    told = OpsBefore()
    told.sent([one])
    (edits,) = told.edits([other])
    assert len(edits) * 2 < len(other)
    assert before > len(one)


def test_an_op_that_came_whole_is_what_the_next_one_differs_from() -> None:
    """Both forms may follow each other in one session."""
    first, second, third = made(["first", "second", "third"])
    pair, teller = Pair(), OpsBefore()
    teller.sent([first])
    edits = teller.edits([second, third])
    links = [hashlib.sha256(op).digest() for op in (first, second, third)]
    head = behind(genesis(SEAT), [(OpNumber(1), links[0])])
    whole_one = wire.Push(ops=(first,), head=sign(KEY, head_words(SEAT, head)))
    assert isinstance(pair.server.receive(encode(whole_one), NOW), Commit)
    head = behind(head, [(OpNumber(2), links[1]), (OpNumber(3), links[2])])
    told = wire.Push(ops=(), edits=edits, head=sign(KEY, head_words(SEAT, head)))
    demand = pair.server.receive(encode(told), NOW)
    assert isinstance(demand, Commit)
    assert demand.ops == (second, third)


def test_who_does_not_name_it_gets_and_sends_ops_whole() -> None:
    """A device that names no `diff` is told of none, and its ops travel as they are."""
    pair, ops = Pair(packs=()), made(["first", "second"])
    assert isinstance(pair.welcome, wire.Welcome)
    assert pair.welcome.packs == ()
    arrived, size = pair.push(ops)
    assert arrived == ops
    assert size > sum(map(len, ops))
    told = Pair().welcome
    assert isinstance(told, wire.Welcome)
    assert told.packs == ("diff",)


@pytest.mark.parametrize(
    ("packs", "message"),
    [
        ((), wire.Push(ops=(), edits=(whole(made(["first"])[0]),))),
        (("diff",), wire.Push(ops=(made(["first"])[0],), edits=(whole(made(["first"])[0]),))),
        (("diff",), wire.Push(ops=(), edits=(b"\x00\x05",))),
    ],
    ids=["not agreed on", "beside ops", "from an op that was never sent"],
)
def test_what_may_not_come_so_ends_the_session(packs: tuple[str, ...], message: wire.Push) -> None:
    """With the code of a message that is not well formed; nothing of it is committed."""
    pair = Pair(packs)
    assert pair.server.receive(encode(message), NOW) is None
    assert pair.server.ending is not None
    assert pair.server.ending.spec.code == "wrong_field"


def test_another_op_than_the_signed_one_does_not_fit() -> None:
    """What is rebuilt of changed edits is checked like any op: it stands behind another link, or nobody signed it."""
    one, other = made(["first", "second"])
    for at in (len(other) - 4, other.index(b"summary") + 9):
        pair = Pair()
        pair.push([one])
        spoilt = other[:at] + bytes([other[at] ^ 1]) + other[at + 1 :]
        digests = {OpNumber(n): hashlib.sha256(op).digest() for n, op in enumerate((one, other), 1)}
        pair.device.push([(OpNumber(2), other)], digests=digests)
        (frame,) = pair.device.outgoing()
        push = decode_up(frame)
        assert isinstance(push, wire.Push)
        message = encode(msgspec.structs.replace(push, edits=(whole(spoilt),)))
        assert pair.server.receive(message, NOW) is None
        assert pair.server.ending is not None
        assert pair.server.ending.spec.code == "chain_broken"


def test_what_is_rebuilt_counts_as_if_it_had_come_whole() -> None:
    """A few bytes that say a great deal spend the credit of a great deal, and lead to no more than a message holds."""
    (op,) = made(["x" * 3_000])
    again = b"\x0f\x11" + bytes([len(op) % 128 | 128, len(op) // 128])
    sender = OpsBefore()
    sender.sent([op])
    assert sender.rebuilt([again]) == (op,)
    with pytest.raises(FrameError):
        OpsBefore().rebuilt([whole(op), *[again] * (MESSAGE_BYTES_MAX // len(op))])
    pair = Pair()
    size = len(pair.device._facts.device)
    ops = made(["x" * 3_000] * 60)
    pair.server.receive(encode(wire.Push(ops=(), edits=OpsBefore().edits(ops))), NOW)
    assert pair.server._given.bytes < CREDIT_BYTES - sum(map(len, ops)) + size


def test_no_op_beyond_its_own_bound_is_rebuilt() -> None:
    """However it was told."""
    with pytest.raises(FrameError):
        OpsBefore().rebuilt([whole(bytes(OP_BYTES_MAX + 1))])


def test_a_large_op_is_no_base() -> None:
    """It is not kept for each connection: what follows it is told whole, at both ends alike."""
    large, small = made(["x" * OP_BASE_BYTES_MAX, "y"])
    sender, receiver = OpsBefore(), OpsBefore()
    told = sender.edits([large, small])
    assert told[1] == whole(small)
    assert receiver.rebuilt(told) == (large, small)
    assert len(receiver._last) == len(small)
