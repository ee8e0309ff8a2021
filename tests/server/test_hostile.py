"""Hostile messages over real sockets: a coded ERROR, the registry's close code, and no cost to the others.

One server serves the whole module. A well-behaved handheld stays connected through all of it; after every test it gets
an answer and a briefing, so whatever a test did to the server shows at once.
"""

import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas import wire
from schemas.codec import encode
from schemas.errors import ERRORS, Recovery
from schemas.ids import DeviceId, Generation, Millis
from schemas.limits import (
    ARRAY_LEN_MAX,
    DEPTH_MAX,
    ELEMENTS_UP_MAX,
    MAP_LEN_MAX,
    OP_BYTES_MAX,
    OPS_PER_PUSH_MAX,
    TEXT_BYTES_MAX,
)
from tests.server.handheld import Handheld
from tests.server.hostile import PIECES, op_of, refused
from tests.server.rawsocket import BINARY, frame
from tests.server.running import NOW, Running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("others_lose_nothing")]

# --- messages --------------------------------------------------------------------------------------------------------

# MessagePack by hand: what an encoder of ours would never write.
PING_HEAD = b"\x83\xa1t\xa4ping\xa2id\x01\xa1x"
"""A PING with an unknown third key, whose value is to follow."""


def text(value: str) -> bytes:
    """A MessagePack text of up to 65,535 bytes."""
    raw = value.encode()
    return b"\xda" + len(raw).to_bytes(2, "big") + raw


def array(count: int) -> bytes:
    """The head of an array."""
    return b"\xdc" + count.to_bytes(2, "big")


MESSAGES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not_msgpack"),
    "JSON": (b'{"t":"ping","id":1}', "not_msgpack"),
    "cut short": (b"\x82\xa1t\xa4pin", "not_msgpack"),
    "head without value": (PING_HEAD, "not_msgpack"),
    "a second value": (b"\x82\xa1t\xa4ping\xa2id\x01\xc0", "not_msgpack"),
    "never used": (b"\xc1", "bad_value"),
    "text longer than the message": (PING_HEAD + b"\xdb\x00\x00\x7f\xff", "not_msgpack"),
    "an unknown type": (b"\x81\xa1t\xa8nonsense", "unknown_type"),
    "no type": (b"\x81\xa2id\x01", "unknown_type"),
    "a type that is no text": (b"\x82\xa1t\x05\xa2id\x01", "unknown_type"),
    "a server's message": (b"\x82\xa1t\xa4pong\xa2id\x01", "unknown_type"),
    "a number": (b"\x05", "unknown_type"),
    "an array": (b"\x92\xa4ping\x01", "unknown_type"),
    "too deep": (PING_HEAD + b"\x91" * DEPTH_MAX + b"\xc0", "too_deep"),
    "too deep in maps": (PING_HEAD + b"\x81\xa1a" * DEPTH_MAX + b"\xc0", "too_deep"),
    "a long array": (PING_HEAD + array(ARRAY_LEN_MAX + 1) + b"\xc0" * (ARRAY_LEN_MAX + 1), "too_many"),
    "an array that is announced": (PING_HEAD + b"\xdd\xff\xff\xff\xff", "too_many"),
    "a map that is announced": (PING_HEAD + b"\xdf\xff\xff\xff\xff", "too_many"),
    "a wide map": (
        PING_HEAD + b"\xde" + (MAP_LEN_MAX + 1).to_bytes(2, "big") + b"\xa1a\xc0" * (MAP_LEN_MAX + 1),
        "too_many",
    ),
    "many values": (
        PING_HEAD + b"\x94" + (array(ELEMENTS_UP_MAX // 4) + b"\xc0" * (ELEMENTS_UP_MAX // 4)) * 4,
        "too_many",
    ),
    "a long text": (PING_HEAD + text("x" * (TEXT_BYTES_MAX + 1)), "too_long"),
    "text that is not UTF-8": (PING_HEAD + b"\xa2\xc3\x28", "bad_value"),
    "an extension": (PING_HEAD + b"\xd4\x01\x00", "bad_value"),
    "a timestamp": (PING_HEAD + b"\xd6\xff\x00\x00\x00\x00", "bad_value"),
    "a wide integer": (PING_HEAD + b"\xcf" + (2**53 + 1).to_bytes(8, "big"), "bad_value"),
    "NaN": (PING_HEAD + b"\xcb" + struct.pack(">d", float("nan")), "bad_value"),
    "infinity": (PING_HEAD + b"\xca" + struct.pack(">f", float("inf")), "bad_value"),
    "a number as key": (b"\x82\xa1t\xa4ping\x01\x01", "bad_value"),
    "a key twice": (b"\x83\xa1t\xa4ping\xa2id\x01\xa2id\x02", "bad_value"),
    "a field missing": (b"\x81\xa1t\xa4ping", "wrong_field"),
    "a field of another type": (b"\x82\xa1t\xa4ping\xa2id\xa11", "wrong_field"),
    "a field out of range": (b"\x82\xa1t\xa4ping\xa2id\xff", "wrong_field"),
    "a float for an integer": (b"\x82\xa1t\xa4ping\xa2id\xcb" + struct.pack(">d", 1.5), "wrong_field"),
    "a short proof": (b"\x83\xa1t\xa5hello\xa4body\xc4\x00\xa5proof\xc4\x3f" + bytes(63), "wrong_field"),
    "too many ops": (
        b"\x82\xa1t\xa4push\xa3ops" + array(OPS_PER_PUSH_MAX + 1) + b"\xc4\x00" * (OPS_PER_PUSH_MAX + 1),
        "wrong_field",
    ),
    "a long op": (
        b"\x82\xa1t\xa4push\xa3ops\x91\xc6" + (OP_BYTES_MAX + 1).to_bytes(4, "big") + bytes(OP_BYTES_MAX + 1),
        "wrong_field",
    ),
    "a scope that is none": (b"\x84\xa1t\xa9retracted\xa5scope\xa3A b\xa3gen\x01\xa7removed\x00", "wrong_field"),
}


@PIECES
@pytest.mark.parametrize("state", ["challenged", "live"])
@pytest.mark.parametrize("name", MESSAGES)
async def test_a_malformed_message_is_told_and_ends_the_connection(
    shared: Running, name: str, state: str, piece: int | None
) -> None:
    """Bytes that are no message get the code that fits them, before and after the proof, however they arrive."""
    payload, code = MESSAGES[name]
    raw = (await shared.challenged())[0] if state == "challenged" else await shared.live("bad")
    data = frame(BINARY, payload)
    # Of a long one the beginning and the end come byte by byte, or the test would be about system calls.
    await raw.send(data[:200], piece)
    await raw.send(data[200:-50])
    await raw.send(data[max(200, len(data) - 50) :], piece)
    error = await refused(raw, code)
    assert "Traceback" not in error.detail
    assert ".py" not in error.detail


async def test_every_cut_of_a_message_is_refused(shared: Running) -> None:
    """A HELLO that ends early, at whichever byte, is told as what it is and harms nobody."""
    raw, nonce = await shared.challenged()
    whole = encode(shared.hello("bad", nonce))
    raw.close()
    for end in range(0, len(whole), 7):
        raw, _ = await shared.challenged()
        await raw.send(frame(BINARY, whole[:end]))
        await refused(raw, "not_msgpack")


@PIECES
async def test_ops_inside_a_push_are_looked_at_too(shared: Running, piece: int | None) -> None:
    """An op travels as bytes: what is wrong inside them is found before anything is committed."""
    groups = len(shared.store.groups)
    for body, code in (
        (b"", "not_msgpack"),
        (b"\xc1", "bad_value"),
        (b"\x81\xa6device\x01", "wrong_field"),
        (b"\x91" * 17 + b"\xc0", "too_deep"),
        (PING_HEAD + text("x" * (TEXT_BYTES_MAX + 1)), "too_long"),
    ):
        raw = await shared.live("bad")
        await raw.send(frame(BINARY, encode(wire.Push(ops=(encode(op_of("bad", 1)), body)))[:40]), piece)
        raw.close()
        raw = await shared.live("bad")
        await raw.send_message(wire.Push(ops=(encode(op_of("bad", 1)), body)))
        await refused(raw, code)
    assert len(shared.store.groups) == groups


# --- order and state -------------------------------------------------------------------------------------------------

UP: dict[str, wire.Up] = {
    "hello": wire.Hello(body=b"\x80", proof=bytes(64)),
    "push": wire.Push(ops=(b"\x80",)),
    "ack": wire.Ack(),
    "retracted": wire.Retracted(scope="force", gen=1, removed=0),  # type: ignore[arg-type]  # plain values
    "credit": wire.AddCredit(bytes=1),
    "ping": wire.Ping(id=1),
    "repair": wire.Repair(
        scope="force",  # type: ignore[arg-type]  # plain values
        gen=1,  # type: ignore[arg-type]
        ranges=(wire.Range(after="", upto="", digest=bytes(32), count=0),),
    ),
}


@PIECES
@pytest.mark.parametrize("name", [name for name in UP if name != "hello"])
async def test_nothing_but_hello_may_come_first(shared: Running, name: str, piece: int | None) -> None:
    """Before the proof every other message is out of order."""
    raw, _ = await shared.challenged()
    await raw.send_message(UP[name], piece)
    await refused(raw, "out_of_order")


@PIECES
async def test_a_second_hello_is_out_of_order(shared: Running, piece: int | None) -> None:
    """A session has one HELLO, even when both come in one write."""
    raw, nonce = await shared.challenged()
    hello = shared.hello("bad", nonce)
    await raw.send_message(hello, piece)
    await raw.send_message(hello, piece)
    assert isinstance(await raw.message(), wire.Welcome)
    await refused(raw, "out_of_order")


@pytest.mark.parametrize(
    "ends",
    [[("", ""), ("", "")], [("", "5"), ("4", "")], [("1", "")], [("", "5")]],
    ids=["the whole twice", "overlapping", "not from the first", "not to the last"],
)
async def test_ranges_of_a_repair_must_follow_each_other(shared: Running, ends: list[tuple[str, str]]) -> None:
    """Each range is read for itself, so that a device may not have the same records read again and again."""
    raw = await shared.live("bad")
    scope = next(iter(shared.gate.grants(DeviceId("bad"))))
    edges = [tuple(f"{at * 8}-0000-7000-8000-000000000000" if at else "" for at in pair) for pair in ends]
    ranges = tuple(wire.Range(after=after, upto=upto, digest=bytes(32), count=0) for after, upto in edges)
    await raw.send_message(wire.Repair(scope=scope, gen=Generation(1), ranges=ranges))
    await refused(raw, "wrong_field")


async def test_what_comes_while_the_proof_is_looked_up_waits(shared: Running, good: Handheld) -> None:
    """A message behind HELLO is read when the device is let in; a socket that goes meanwhile leaves nothing behind."""
    shared.store.admits.clear()
    shared.store.asked.clear()
    raw, nonce = await shared.challenged()
    await raw.send_message(shared.hello("bad", nonce))
    await raw.send_message(wire.Ping(id=7))
    gone, its_nonce = await shared.challenged()
    await gone.send_message(shared.hello("other", its_nonce))
    await shared.store.asked.wait()
    gone.reset()
    shared.store.admits.set()
    assert isinstance(await raw.message(), wire.Welcome)
    assert (await raw.until(wire.Pong)).id == 7
    while DeviceId("other") in shared.beatbook.hub.connected():
        await good.ping()
    raw.close()


@pytest.mark.parametrize("code", ["gap", "not_welcome", "op_reused", "no_such_code"])
async def test_an_error_of_the_device_ends_the_connection_without_another(shared: Running, code: str) -> None:
    """The server closes with the code that the device told, and does not answer an ERROR with one."""
    raw = await shared.live("bad")
    await raw.send_message(wire.Error(code=code, recovery="stop"))
    error, close = await raw.ending()
    assert error is None
    expected = ERRORS[code].close or 1000 if code in ERRORS else ERRORS["not_welcome"].close
    assert close == expected
    raw.close()


# --- proof and identity ----------------------------------------------------------------------------------------------


async def test_one_flipped_bit_of_the_proof_is_noticed(shared: Running) -> None:
    """Whichever byte of the signature is damaged, the device is not let in."""
    for at in range(64):
        raw, nonce = await shared.challenged()
        hello = shared.hello("bad", nonce)
        proof = bytearray(hello.proof)
        proof[at] ^= 1 << at % 8
        await raw.send_message(wire.Hello(body=hello.body, proof=bytes(proof)))
        await refused(raw, "bad_proof")


@PIECES
async def test_a_wrong_proof_is_refused(shared: Running, piece: int | None) -> None:
    """Another key, another body, or the signature of another purpose does not let a device in."""
    raw, nonce = await shared.challenged()
    body = shared.hello("bad", nonce).body
    key = shared.key("bad")
    signed_for_another = shared.hello("bad", nonce, mono=1).proof
    hellos = [
        Running.prove(body, nonce, Ed25519PrivateKey.generate()),
        Running.prove(body, nonce, shared.key("other")),
        wire.Hello(body=body, proof=signed_for_another),
        wire.Hello(body=body, proof=key.sign(nonce + body)),
        wire.Hello(body=body, proof=bytes(64)),
    ]
    raw.close()
    for hello in hellos:
        raw, nonce = await shared.challenged()
        await raw.send_message(hello, piece)
        error = await refused(raw, "bad_proof")
        assert error.recovery == Recovery.REAUTH.value


@PIECES
async def test_a_recorded_hello_is_worth_nothing(shared: Running, piece: int | None) -> None:
    """Bytes that were let in once are refused on every later connection: its nonce is another."""
    raw, nonce = await shared.challenged()
    recorded = frame(BINARY, encode(shared.hello("bad", nonce)))
    await raw.send(recorded)
    assert isinstance(await raw.message(), wire.Welcome)
    replay, later_nonce = await shared.challenged()
    assert later_nonce != nonce
    await replay.send(recorded, piece)
    await refused(replay, "bad_proof")
    # The session that was let in is not disturbed by the attempt.
    await raw.send_message(wire.Ping(id=1))
    await raw.until(wire.Pong)
    raw.close()


@PIECES
async def test_an_unknown_device_is_refused(shared: Running, piece: int | None) -> None:
    """A device that nobody enrolled is told so, whatever its proof."""
    raw, nonce = await shared.challenged()
    body = shared.hello("bad", nonce).body.replace(b"\xa3bad", b"\xa3bat")
    await raw.send_message(Running.prove(body, nonce, shared.key("bad")), piece)
    await refused(raw, "unknown_device")


@pytest.mark.parametrize(("field", "version"), [("proto", wire.PROTO + 1), ("schema", wire.SCHEMA_MAX + 1)])
async def test_another_version_is_told_to_upgrade(shared: Running, field: str, version: int) -> None:
    """A protocol or a schema that the server does not speak is refused before anything is looked up."""
    raw, nonce = await shared.challenged()
    await raw.send_message(shared.hello("bad", nonce, **{field: version}))
    await refused(raw, "upgrade_required")


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x80", b"\x91" * 17 + b"\xc0"])
async def test_a_hello_body_is_bounded_and_checked(shared: Running, body: bytes) -> None:
    """The bytes inside HELLO are as untrusted as the message around them."""
    raw, nonce = await shared.challenged()
    await raw.send_message(Running.prove(body, nonce, shared.key("bad")))
    error, close = await raw.ending()
    raw.close()
    assert error is not None
    assert error.code in {"not_msgpack", "bad_value", "wrong_field", "too_deep"}
    assert close == ERRORS[error.code].close


async def test_an_op_of_another_device_is_refused_whole(shared: Running) -> None:
    """A PUSH with one foreign op commits none of its ops."""
    groups = len(shared.store.groups)
    raw = await shared.live("bad")
    await raw.send_message(wire.Push(ops=(encode(op_of("bad", 1)), encode(op_of("other", 2)))))
    await refused(raw, "foreign_op")
    assert len(shared.store.groups) == groups


async def test_scopes_that_are_not_granted_are_refused(shared: Running) -> None:
    """Neither ACK nor REPAIR may name a scope that the session does not hold."""
    for message in (wire.Ack(scopes={"suite:perry-barr": 1}), UP["repair"]):  # type: ignore[dict-item]
        raw = await shared.live("bad")
        await raw.send_message(message)
        await refused(raw, "not_granted")


async def test_every_connection_of_the_module_has_gone(shared: Running, good: Handheld) -> None:
    """Whatever was done above, only the well-behaved device still has a socket."""
    while len(shared.beatbook.hub) > 1:
        await good.ping()
    assert list(shared.beatbook.hub.connected()) == [good.device]
    assert shared.clock.now >= Millis(NOW)
