"""What a device pushes of its chain: the head behind what it sends, and the hashes of what it does not."""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import decode_up, encode
from schemas.errors import PeerError
from schemas.ids import DeviceId, Generation, Millis, OpNumber
from schemas.limits import MESSAGE_BYTES_MAX, OPS_PER_PUSH_MAX, UNSENT_LEN_MAX
from sync.evidence.chain import ChainHead, behind, genesis, head_words
from sync.session import DeviceSession, HelloFacts
from sync.session.device import NO_DIGESTS
from tests.example_messages import DOWN
from tests.examples import AREA, EPOCH, T0
from tests.sim.server import sign, verify

SEAT: Final = DeviceId("hh-0042")
KEY: Final = b"the handheld's key"
Bodies = Mapping[OpNumber, bytes]


def bodies(count: int, size: int = 40) -> dict[OpNumber, bytes]:
    """So many ops of a seat."""
    return {OpNumber(n): f"op {n} ".encode().ljust(size, b".") for n in range(1, count + 1)}


def digests(of: Bodies) -> dict[OpNumber, bytes]:
    """The hash of each."""
    return {n: hashlib.sha256(body).digest() for n, body in of.items()}


def live(chain: ChainHead | None, credit: int = 10_000_000) -> DeviceSession:
    """A session in which the server has said where it holds the chain."""
    facts = HelloFacts(device=SEAT, epoch=EPOCH, positions=(), next_op=OpNumber(1), chain=genesis(SEAT))
    one = DeviceSession(facts, lambda message: sign(KEY, message), 0)
    one.receive(encode(DOWN["challenge"]), 0, T0)
    place = None if chain is None else wire.ChainPlace(n=chain.n, link=chain.link)
    welcome = DOWN["welcome"]
    assert isinstance(welcome, wire.Welcome)
    one.receive(encode(msgspec.structs.replace(welcome, chain=place, credit=credit)), 0, T0)
    one.outgoing()
    return one


def pushes(one: DeviceSession) -> list[wire.Push]:
    """What it has sent of its ops."""
    return [message for frame in one.outgoing() if isinstance(message := decode_up(frame), wire.Push)]


class Listener:
    """What a server makes of pushes: each op in its place, every number told once, every head signed."""

    def __init__(self, of: Bodies, begin: ChainHead) -> None:
        """Know all that the seat ever made."""
        self.of = of
        self.head = begin
        self.heard: dict[OpNumber, bytes] = {}

    def hear(self, message: wire.Push) -> None:
        """Check one."""
        numbers = {body: n for n, body in self.of.items()}
        sent = {numbers[body]: hashlib.sha256(body).digest() for body in message.ops}
        told = dict(message.unsent)
        assert len(told) == len(message.unsent) <= UNSENT_LEN_MAX
        assert not sent.keys() & told.keys()
        self.heard |= {n: self.of[n] for n in sent}
        new = {n: digest for n, digest in (sent | told).items() if n > self.head.n}
        assert told.keys() <= new.keys()
        if not new:
            assert message.head == b""
            return
        assert sorted(new) == [n for n in self.of if self.head.n < n <= max(new)]
        self.head = behind(self.head, sorted(new.items()))
        assert verify(KEY, head_words(SEAT, self.head), message.head)


def say(one: DeviceSession, of: Bodies, queued: list[OpNumber], listener: Listener) -> None:
    """Push all that is queued, as a shell does."""
    while True:
        waiting = [n for n in queued if n > one.pushed_upto]
        if not waiting:
            return
        after = one.chained_upto
        known = NO_DIGESTS if after is None else {n: d for n, d in digests(of).items() if after < n <= waiting[-1]}
        taken = one.push([(n, of[n]) for n in waiting], digests=known)
        assert taken
        for message in pushes(one):
            listener.hear(message)


def test_a_push_bears_the_head_behind_its_last_op_and_the_hashes_in_between() -> None:
    """What lies before, is not sent, and is beyond the server's head is told; what comes later is not."""
    made = bodies(6)
    one, queued = live(genesis(SEAT)), [OpNumber(2), OpNumber(4)]
    assert one.push([(n, made[n]) for n in queued], digests=digests(made)) == 2
    (message,) = pushes(one)
    assert [n for n, _ in message.unsent] == [1, 3]
    assert verify(KEY, head_words(SEAT, behind(genesis(SEAT), list(digests(made).items())[:4])), message.head)
    assert one.chained_upto == 4


def test_a_server_that_keeps_no_chain_is_told_of_none() -> None:
    """No head, no hashes."""
    made = bodies(3)
    one = live(None)
    one.push([(OpNumber(3), made[OpNumber(3)])])
    (message,) = pushes(one)
    assert (message.head, message.unsent, one.chained_upto) == (b"", (), None)


def test_what_the_server_vouches_for_already_is_pushed_without_a_head() -> None:
    """Ops up to its head are offered again as they are."""
    made = bodies(3)
    one = live(behind(genesis(SEAT), digests(made).items()))
    one.push([(OpNumber(2), made[OpNumber(2)])])
    (message,) = pushes(one)
    assert (message.head, message.unsent) == (b"", ())


@pytest.mark.parametrize("given_up", [UNSENT_LEN_MAX - 1, UNSENT_LEN_MAX, UNSENT_LEN_MAX + 1, 3 * UNSENT_LEN_MAX + 7])
def test_a_long_run_of_what_was_given_up_is_told_in_several(given_up: int) -> None:
    """The chain is brought on by hashes alone until the next op is near."""
    made = bodies(given_up + 2)
    one, listener = live(genesis(SEAT)), Listener(made, genesis(SEAT))
    queued = [OpNumber(given_up + 1), OpNumber(given_up + 2)]
    say(one, made, queued, listener)
    assert sorted(listener.heard) == queued
    assert listener.head.n == given_up + 2


def test_gaps_between_ops_count_too() -> None:
    """However they lie, no message tells of more than it may, and none is longer than a message."""
    made = bodies(5_000)
    queued = [OpNumber(n) for n in range(20, 5_001, 40)]
    one, listener = live(genesis(SEAT)), Listener(made, genesis(SEAT))
    say(one, made, queued, listener)
    assert sorted(listener.heard) == queued


def test_hashes_wait_for_credit_as_ops_do() -> None:
    """Nothing is sent for which there is no credit; it goes out when there is."""
    made = bodies(UNSENT_LEN_MAX + 1)
    one, last = live(genesis(SEAT), credit=1_000), OpNumber(UNSENT_LEN_MAX + 1)
    assert one.push([(last, made[last])], digests=digests(made)) == 0
    assert one.outgoing() == []
    one.receive(encode(wire.AddCredit(bytes=1_000_000)), 0, T0)
    listener = Listener(made, genesis(SEAT))
    say(one, made, [last], listener)
    assert listener.head.n == last


@given(
    count=st.integers(1, 60),
    held=st.integers(0, 60),
    choice=st.randoms(use_true_random=False),
    credit=st.sampled_from([3_000, 20_000, 10_000_000]),
)
def test_whatever_was_given_up_every_head_follows_the_one_before(
    count: int, held: int, choice: object, credit: int
) -> None:
    """Any of the ops may be queued, any part of the chain held: each is sent once, each other told once, in place."""
    made = bodies(count)
    begin = behind(genesis(SEAT), [(n, d) for n, d in digests(made).items() if n <= held])
    queued = [n for n in made if choice.random() < 0.4]  # type: ignore[attr-defined]  # a random.Random
    one, listener = live(begin, credit), Listener(made, begin)
    while waiting := [n for n in queued if n > one.pushed_upto]:
        known = {n: d for n, d in digests(made).items() if n > (one.chained_upto or 0)}
        if not one.push([(n, made[n]) for n in waiting], digests=known):
            one.receive(encode(wire.AddCredit(bytes=10_000)), 0, T0)
        for message in pushes(one):
            listener.hear(message)
    assert sorted(listener.heard) == queued


# --- receipts, reads, sealed edits -----------------------------------------------------------------------------------


def test_a_removal_is_signed_for() -> None:
    """Seat, scope, generation, how many and when are under the signature, and under no other message's."""
    one = live(None)
    one.retracted(AREA, Generation(3), 17, Millis(T0))
    (message,) = [decode_up(frame) for frame in one.outgoing()]
    assert isinstance(message, wire.Retracted)
    said = wire.RECEIPT_CONTEXT + msgspec.msgpack.encode([SEAT, AREA, 3, 17, T0])
    assert (message.scope, message.gen, message.removed, message.at) == (AREA, 3, 17, T0)
    assert verify(KEY, said, message.receipt)


def test_destruction_is_signed_for() -> None:
    """Seat and time, under a context of its own."""
    one = live(None)
    one.wiped(Millis(T0))
    (message,) = [decode_up(frame) for frame in one.outgoing()]
    assert isinstance(message, wire.Wiped)
    assert verify(KEY, wire.WIPED_CONTEXT + msgspec.msgpack.encode([SEAT, T0]), message.receipt)


@pytest.mark.parametrize("size", [100, 3_000])
def test_reads_and_sealed_edits_fill_a_message_and_no_more(size: int) -> None:
    """As many as one message and the credit hold; the caller offers the rest again."""
    one = live(None)
    entries = [bytes([at % 256]) * size for at in range(OPS_PER_PUSH_MAX + 10)]
    taken = one.reads(5, entries)
    kept = one.quarantine(list(enumerate(entries)))
    frames = one.outgoing()
    assert all(len(frame) <= MESSAGE_BYTES_MAX for frame in frames)
    reads, sealed = map(decode_up, frames)
    assert isinstance(reads, wire.Reads)
    assert isinstance(sealed, wire.Quarantine)
    assert (reads.first, reads.entries) == (5, tuple(entries[:taken]))
    assert sealed.edits == tuple(enumerate(entries[:kept]))
    most = min(OPS_PER_PUSH_MAX, MESSAGE_BYTES_MAX // size)
    assert most - 2 <= taken <= most


def test_reads_and_sealed_edits_wait_for_credit() -> None:
    """They count as pushes do, and a message that the server has not granted is never sent."""
    one = live(None, credit=1_000)
    assert one.reads(1, [bytes(400)] * 3) == 2
    assert one.quarantine([(1, bytes(400))]) == 0
    (frame,) = one.outgoing()
    one.receive(encode(wire.AddCredit(bytes=len(frame))), 0, T0)
    assert one.quarantine([(1, bytes(400))]) == 1
    one.fail(PeerError("gap"))
    assert (one.reads(3, [b"x"]), one.quarantine([(2, b"x")])) == (0, 0)
