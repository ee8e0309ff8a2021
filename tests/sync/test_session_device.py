"""The device's end of a session: its table, its credit, its clockwork, and what hostile bytes do to it."""

from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import decode_hello_body, decode_up, encode
from schemas.errors import ERRORS, PeerError, Recovery
from schemas.ids import Millis, OpNumber, Seq
from schemas.limits import (
    CREDIT_BYTES,
    CREDIT_BYTES_TOTAL_MAX,
    HELLO_TIMEOUT_MS,
    MESSAGE_BYTES_MAX,
    OPS_PER_PUSH_MAX,
    PING_INTERVAL_MS,
    PONG_TIMEOUT_MS,
)
from sync.session import DeviceSession, HelloFacts
from sync.session.table import DEVICE_TABLE, DeviceState
from tests.example_messages import DOWN, HELLO_BODY, UP
from tests.example_rows import ROWS
from tests.examples import AREA, EPOCH, GEN, HANDHELD, T0

MONO: Final = 5_000
DOWN_BY_TYPE: Final = {type(message): message for message in DOWN.values()} | {
    wire.AddCredit: wire.AddCredit(bytes=100),
    # Answers that fit what a session of these tests has sent and been granted.
    wire.Results: wire.Results(results=(), credit=0),
}


def sign(message: bytes) -> bytes:
    """A signature that shows what was signed."""
    return (b"signed" + message[:2] + message[-56:])[:64].ljust(64, b".")


def session() -> DeviceSession:
    """A session on an open socket."""
    facts = HelloFacts(device=HANDHELD, epoch=EPOCH, positions=HELLO_BODY.scopes, next_op=OpNumber(7))
    return DeviceSession(facts, sign, MONO)


def in_state(state: DeviceState) -> DeviceSession:
    """A session that has come to a state in the usual way, with nothing left to send."""
    one = session()
    if state is not DeviceState.CONNECTED:
        one.receive(encode(DOWN["challenge"]), MONO, T0)
    if state in {DeviceState.LIVE, DeviceState.CLOSED}:
        one.receive(encode(DOWN["welcome"]), MONO, T0)
    if state is DeviceState.CLOSED:
        one.fail(PeerError("gap"))
    one.outgoing()
    return one


def ended_with(one: DeviceSession) -> str | None:
    """The code it ended with, if it did."""
    return None if one.ending is None else one.ending.spec.code


def sent(one: DeviceSession) -> list[wire.Up]:
    """What it has to say."""
    return [decode_up(frame) for frame in one.outgoing()]


# --- packed pages ----------------------------------------------------------------------------------------------------


def test_a_packed_page_is_handed_on_as_if_it_had_come_in_plain() -> None:
    """The replica sees rows; the credit that the page cost is that of the bytes that came."""
    one = in_state(DeviceState.LIVE)
    packed = encode(DOWN["snapshot-packed"])
    found = one.receive(packed, MONO, T0)
    assert isinstance(found, wire.Snapshot)
    assert [bytes(row) for row in found.rows] == [encode(ROWS["row-once-differing"])]
    assert found.packed == b""
    one.applied({}, len(packed))
    (ack,) = sent(one)
    assert isinstance(ack, wire.Ack)
    assert ack.credit == len(packed)


def test_a_page_that_is_packed_and_plain_is_refused() -> None:
    """Nobody could say which of the two was meant."""
    one = in_state(DeviceState.LIVE)
    plain, packed = DOWN["snapshot"], DOWN["snapshot-packed"]
    assert isinstance(plain, wire.Snapshot)
    assert isinstance(packed, wire.Snapshot)
    one.receive(encode(msgspec.structs.replace(packed, rows=plain.rows)), MONO, T0)
    assert ended_with(one) == "wrong_field"


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", DeviceState)
@pytest.mark.parametrize("message", DOWN_BY_TYPE.values(), ids=lambda message: type(message).__name__.lower())
def test_every_message_in_every_state_does_what_the_table_says(state: DeviceState, message: wire.Down) -> None:
    """A pair in the table moves the session; any other ends it with out_of_order; a closed one hears nothing."""
    one = in_state(state)
    event = one.receive(encode(message), MONO, T0)
    target = DEVICE_TABLE.get((state, type(message)))
    if state is DeviceState.CLOSED:
        assert (event, one.state, one.outgoing()) == (None, DeviceState.CLOSED, [])
    elif target is None:
        assert (event, one.state) == (None, DeviceState.CLOSED)
        assert ended_with(one) == "out_of_order"
        (said,) = sent(one)
        assert isinstance(said, wire.Error)
        assert (said.code, said.recovery) == ("out_of_order", "stop")
    else:
        assert one.state is target
        assert (one.ending is not None) == isinstance(message, wire.Error)


def test_events_reach_the_shell_as_they_came() -> None:
    """What the replica must act on comes out whole; heartbeats and credit stay inside."""
    for name in ("batch", "snapshot", "retract", "scope_add", "notice", "error"):
        assert in_state(DeviceState.LIVE).receive(encode(DOWN[name]), MONO, T0) == DOWN[name]
    for message in (DOWN["pong"], wire.AddCredit(bytes=1)):
        assert in_state(DeviceState.LIVE).receive(encode(message), MONO, T0) is None


# --- the greeting ----------------------------------------------------------------------------------------------------


def test_the_greeting_proves_who_it_is_over_nonce_and_body() -> None:
    """HELLO holds what the replica says of itself, and a signature that is good for this nonce alone."""
    one = session()
    challenge = DOWN["challenge"]
    assert isinstance(challenge, wire.Challenge)
    one.receive(encode(challenge), MONO + 7, T0 - 99)
    (hello,) = sent(one)
    assert isinstance(hello, wire.Hello)
    body = decode_hello_body(hello.body)
    assert body == msgspec.structs.replace(HELLO_BODY, wall=Millis(T0 - 99), mono=MONO + 7, credit=CREDIT_BYTES)
    assert hello.proof == sign(wire.PROOF_CONTEXT + challenge.nonce + hello.body)
    assert hello.packs == ("zstd", "diff")


@pytest.mark.parametrize(("low", "high"), [(wire.PROTO + 1, wire.PROTO + 3)])
def test_a_server_of_another_protocol_is_left(low: int, high: int) -> None:
    """The device says why and does not greet."""
    one = session()
    challenge = DOWN["challenge"]
    one.receive(encode(msgspec.structs.replace(challenge, proto_min=low, proto_max=high)), MONO, T0)
    (said,) = sent(one)
    assert isinstance(said, wire.Error)
    assert (said.code, said.recovery) == ("upgrade_required", "upgrade")


def test_the_offset_is_learned_at_welcome_and_at_every_pong() -> None:
    """The server's clock against the monotonic one; the wall clock has no part in it."""
    one = in_state(DeviceState.GREETED)
    one.receive(encode(DOWN["welcome"]), MONO + 10, 0)
    assert one.offset is not None
    assert (one.offset.server_ms, one.offset.mono_ms) == (T0, MONO + 10)
    one.receive(encode(DOWN["pong"]), MONO + 500, 0)
    assert (one.offset.server_ms, one.offset.mono_ms) == (T0 + 25, MONO + 500)


# --- pushing ---------------------------------------------------------------------------------------------------------


def ops(count: int, size: int, first: int = 1) -> list[tuple[OpNumber, bytes]]:
    """So many op bodies of a size; the session does not look into them."""
    return [(OpNumber(n), bytes(size)) for n in range(first, first + count)]


@pytest.mark.parametrize("state", [state for state in DeviceState if state is not DeviceState.LIVE])
def test_nothing_is_pushed_or_told_outside_a_live_session(state: DeviceState) -> None:
    """Every call that sends is silent before WELCOME and after the end."""
    one = in_state(state)
    assert one.push(ops(1, 10)) == 0
    one.applied({AREA: Seq(1)}, 10)
    one.retracted(AREA, GEN, 1, T0)
    one.wiped(T0)
    assert (one.reads(1, [b"entry"]), one.quarantine([(1, b"sealed")])) == (0, 0)
    one.repair(AREA, GEN, (wire.Range(after="", upto="", digest=bytes(32), count=0),))
    assert one.outgoing() == []
    assert one.pushed_upto == 0


def test_a_push_takes_what_one_message_holds() -> None:
    """At most OPS_PER_PUSH_MAX ops and MESSAGE_BYTES_MAX bytes; the caller offers the rest again."""
    one = in_state(DeviceState.LIVE)
    assert one.push(ops(OPS_PER_PUSH_MAX + 5, 10)) == OPS_PER_PUSH_MAX
    assert one.pushed_upto == OPS_PER_PUSH_MAX
    taken = one.push(ops(OPS_PER_PUSH_MAX, 40_000, first=OPS_PER_PUSH_MAX + 1))
    assert taken == 6
    assert all(len(frame) <= MESSAGE_BYTES_MAX for frame in one.outgoing())
    assert one.pushed_upto == OPS_PER_PUSH_MAX + 6


def test_a_push_waits_for_credit_and_results_give_it_back() -> None:
    """The device never sends more than the server granted, counted in whole payloads."""
    one = in_state(DeviceState.GREETED)
    welcome = msgspec.structs.replace(DOWN["welcome"], credit=1_000)
    one.receive(encode(welcome), MONO, T0)
    one.outgoing()
    assert one.push(ops(3, 400)) == 2
    (frame,) = one.outgoing()
    assert one.push(ops(1, 400, first=3)) == 0
    assert one.pushed_upto == 2
    one.receive(encode(wire.Results(results=(), credit=len(frame))), MONO, T0)
    assert one.push(ops(1, 850, first=3)) == 1


def test_what_was_sent_to_wait_is_offered_again() -> None:
    """From the lowest on, in order; what lies between and was answered is the caller's to leave out."""
    one = in_state(DeviceState.LIVE)
    one.push(ops(6, 10))
    one.outgoing()
    answered = tuple(wire.Result(n=OpNumber(n), status="waiting") for n in range(1, 7))
    one.receive(encode(wire.Results(results=answered)), MONO, T0)
    one.offer_again([])
    assert one.pushed_upto == 6
    one.offer_again([OpNumber(4), OpNumber(2)])
    assert one.pushed_upto == 1
    assert one.push([ops(1, 11, first=2)[0], ops(1, 12, first=4)[0]]) == 2
    (push,) = sent(one)
    assert isinstance(push, wire.Push)
    assert [len(body) for body in push.ops] == [11, 12]
    one.offer_again([OpNumber(7)])
    assert one.pushed_upto == 4


def test_what_is_on_its_way_is_not_sent_twice() -> None:
    """An op whose result has not come is passed over, and what lies behind it goes on."""
    one = in_state(DeviceState.LIVE)
    one.push(ops(4, 10))
    one.receive(encode(wire.Results(results=(wire.Result(n=OpNumber(2), status="waiting"),))), MONO, T0)
    one.outgoing()
    one.offer_again([OpNumber(2)])
    assert one.push([(n, bytes(20 + n)) for n, _ in ops(4, 0, first=2)]) == 4
    (push,) = sent(one)
    assert isinstance(push, wire.Push)
    assert [len(body) for body in push.ops] == [22, 25]
    assert one.pushed_upto == 5
    one.offer_again([OpNumber(2)])
    assert one.push(ops(4, 10, first=2)) == 4
    assert sent(one) == []
    assert one.pushed_upto == 5


# --- credit of what comes down ---------------------------------------------------------------------------------------


def test_a_server_that_sends_more_than_was_granted_is_left() -> None:
    """BATCH and SNAPSHOT payloads count until the replica has dealt with them."""
    one = in_state(DeviceState.LIVE)
    frame = encode(msgspec.structs.replace(DOWN["batch-unfinished"], rows=(msgspec.Raw(encode(ROWS["row-grow"])),) * 4))
    whole = CREDIT_BYTES // len(frame)
    for _ in range(whole):
        one.receive(frame, MONO, T0)
        assert ended_with(one) is None
    one.receive(frame, MONO, T0)
    assert ended_with(one) == "credit_exceeded"


def test_what_was_applied_is_acknowledged_and_may_come_again() -> None:
    """ACK tells positions and gives the bytes back, on both sides' count."""
    one = in_state(DeviceState.LIVE)
    frame = encode(DOWN["batch"])
    for _ in range(2 * CREDIT_BYTES // len(frame)):
        one.receive(frame, MONO, T0)
        one.applied({AREA: Seq(45)}, len(frame))
    assert one.state is DeviceState.LIVE
    assert sent(one)[-1] == wire.Ack(scopes={AREA: Seq(45)}, credit=len(frame))
    one.applied({}, 0)
    assert one.outgoing() == []


@pytest.mark.parametrize(
    "message", [wire.AddCredit(bytes=CREDIT_BYTES_TOTAL_MAX), wire.Results(results=(), credit=CREDIT_BYTES_TOTAL_MAX)]
)
def test_credit_beyond_all_bounds_is_not_believed(message: wire.Down) -> None:
    """A server that grants more than anyone may hold has lost count."""
    one = in_state(DeviceState.LIVE)
    one.receive(encode(message), MONO, T0)
    assert ended_with(one) == "credit_overflow"


# --- the clockwork ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [DeviceState.CONNECTED, DeviceState.GREETED])
def test_a_server_that_does_not_answer_at_first_is_left(state: DeviceState) -> None:
    """CHALLENGE and WELCOME must come in time."""
    one = in_state(state)
    assert one.deadline() == MONO + HELLO_TIMEOUT_MS
    one.tick(MONO + HELLO_TIMEOUT_MS - 1)
    assert ended_with(one) is None
    one.tick(MONO + HELLO_TIMEOUT_MS)
    assert ended_with(one) == "server_silent"
    assert one.deadline() is None


def test_silence_is_answered_with_a_heartbeat_and_then_with_the_end() -> None:
    """The socket may say that all is well; only an answer counts."""
    one = in_state(DeviceState.LIVE)
    due = MONO + PING_INTERVAL_MS
    assert one.deadline() == due
    one.tick(due - 1)
    assert one.outgoing() == []
    one.tick(due)
    assert sent(one) == [wire.Ping(id=1)]
    assert one.deadline() == due + PONG_TIMEOUT_MS
    one.tick(due + PONG_TIMEOUT_MS)
    assert ended_with(one) == "server_silent"


def test_an_answer_begins_the_wait_anew() -> None:
    """After PONG the next heartbeat is a whole interval away, with a new id."""
    one = in_state(DeviceState.LIVE)
    one.tick(MONO + PING_INTERVAL_MS)
    at = MONO + PING_INTERVAL_MS + 100
    one.receive(encode(wire.Pong(id=1, server_time=T0)), at, T0)
    assert one.deadline() == at + PING_INTERVAL_MS
    one.outgoing()
    one.tick(at + PING_INTERVAL_MS)
    assert sent(one) == [wire.Ping(id=2)]


def test_anything_that_comes_after_a_heartbeat_puts_the_end_off() -> None:
    """A pong behind a long batch on a slow link is late, not missing; and it must still come."""
    one = in_state(DeviceState.LIVE)
    asked = MONO + PING_INTERVAL_MS
    one.tick(asked)
    one.receive(encode(DOWN["notice"]), asked + PONG_TIMEOUT_MS - 1, T0)
    one.tick(asked + PONG_TIMEOUT_MS)
    assert ended_with(one) is None
    assert one.deadline() == asked + PONG_TIMEOUT_MS - 1 + PONG_TIMEOUT_MS
    one.tick(asked + 2 * PONG_TIMEOUT_MS)
    assert one.ending is not None


# --- the end ---------------------------------------------------------------------------------------------------------


def test_an_error_of_the_server_is_the_end_and_is_not_answered() -> None:
    """The device keeps the code, the recovery and when to come back."""
    one = in_state(DeviceState.LIVE)
    one.receive(encode(DOWN["error"]), MONO, T0)
    assert one.ending is not None
    assert (one.ending.spec.code, one.ending.retry_after_ms) == ("server_busy", 2_500)
    assert one.outgoing() == []


def test_an_error_of_a_later_version_keeps_its_recovery() -> None:
    """A code that this program does not know still says what to do; the registry itself stays as it is."""
    one = in_state(DeviceState.LIVE)
    one.receive(encode(wire.Error(code="comet_strike", recovery="reauth", detail="?")), MONO, T0)
    assert one.ending is not None
    assert one.ending.spec.recovery is Recovery.REAUTH
    assert ERRORS["not_welcome"].recovery is Recovery.STOP


def test_an_end_is_said_once() -> None:
    """The first reason stands."""
    one = in_state(DeviceState.LIVE)
    one.fail(PeerError("gap", "area:birmingham"))
    one.fail(PeerError("internal"))
    assert [said.code for said in sent(one) if isinstance(said, wire.Error)] == ["gap"]
    assert ended_with(one) == "gap"


# --- hostile bytes ---------------------------------------------------------------------------------------------------

_FRAMES: Final = [encode(message) for message in (*DOWN.values(), *UP.values())]


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A real message with some of its bytes changed, cut off or doubled."""
    frame = bytearray(draw(st.sampled_from(_FRAMES)))
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(frame) - 1), st.integers(0, 255)), max_size=4)):
        frame[at] = byte
    start = draw(st.integers(0, len(frame)))
    return draw(st.sampled_from([bytes(frame), bytes(frame[:start]), bytes(frame) + bytes(frame[start:])]))


@given(state=st.sampled_from(DeviceState), frames=st.lists(st.binary(max_size=80) | mangled(), max_size=4))
def test_no_bytes_raise_out_of_the_session(state: DeviceState, frames: list[bytes]) -> None:
    """Whatever comes, the session is in a state of its table, and ends with a coded ERROR at the most."""
    one = in_state(state)
    for frame in frames:
        one.receive(frame, MONO, T0)
    if one.state is DeviceState.CLOSED:
        assert one.ending is not None
    for said in sent(one):
        if isinstance(said, wire.Error):
            assert ERRORS[said.code].close is not None
