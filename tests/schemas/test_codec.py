"""Bytes to messages: every wrong message gets the code that says what is wrong with it, and nothing else leaves."""

from collections.abc import Callable
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, limits
from schemas.codec import decode_down, decode_hello_body, decode_op, decode_row, decode_up, encode, error_message
from schemas.errors import FrameError, PeerError
from schemas.export import MESSAGES, message_schema, tag_of
from schemas.ids import ScopeName
from tests.example_messages import DOWN, HELLO_BODY, UP, Sent
from tests.example_ops import OPS
from tests.example_rows import ROWS
from tests.examples import AREA

DECODERS: dict[str, Callable[[bytes], Sent]] = {
    "up": decode_up,
    "down": decode_down,
    "hello-body": decode_hello_body,
    "op": decode_op,
    "row": decode_row,
}
WHOLE: dict[str, tuple[str, Sent]] = {
    **{f"up-{name}": ("up", message) for name, message in UP.items()},
    **{f"down-{name}": ("down", message) for name, message in DOWN.items()},
    "hello-body": ("hello-body", HELLO_BODY),
    "op": ("op", OPS["op-incident-log"]),
    "row": ("row", ROWS["row-latest"]),
}
REQUIRED = [
    (name, field.encode_name)
    for name, (_, message) in WHOLE.items()
    for field in msgspec.structs.fields(message)
    if field.required
]
FIELDS = [
    (name, field.encode_name)
    for name, (_, message) in WHOLE.items()
    for field in msgspec.structs.fields(message)
    if field.encode_name in msgpack.unpackb(encode(message))
]


def plain(name: str) -> dict[str, Any]:
    """An example as plain MessagePack has it."""
    unpacked = msgpack.unpackb(encode(WHOLE[name][1]))
    assert isinstance(unpacked, dict)
    return unpacked


def refusal(name: str, value: object) -> PeerError:
    """The error that decoding `value` in the place of an example ends in."""
    with pytest.raises(FrameError) as caught:
        DECODERS[WHOLE[name][0]](msgpack.packb(value))
    return caught.value


@pytest.mark.parametrize("decoder", ["up", "down"])
@pytest.mark.parametrize(
    "value",
    [
        {},
        {"id": 1},
        {"t": "shout"},
        {"t": ""},
        {"t": None},
        {"t": 7},
        {"t": ["ping"]},
        [],
        ["ping", 1],
        None,
        True,
        1,
        "ping",
        b"ping",
    ],
    ids=repr,
)
def test_a_message_without_a_known_type_is_told_so(decoder: str, value: object) -> None:
    """`t` absent, unknown or of another type, and a message that is no map at all: `unknown_type`."""
    with pytest.raises(FrameError) as caught:
        DECODERS[decoder](msgpack.packb(value))
    assert caught.value.spec.code == "unknown_type"


@pytest.mark.parametrize("name", [name for name in DOWN if name != "error"])
def test_a_servers_message_is_no_devices_message(name: str) -> None:
    """Each side takes only its own messages, ERROR and CREDIT apart."""
    with pytest.raises(FrameError) as caught:
        decode_up(encode(DOWN[name]))
    assert caught.value.spec.code == "unknown_type"


@pytest.mark.parametrize("name", [name for name in UP if name != "credit"])
def test_a_devices_message_is_no_servers_message(name: str) -> None:
    """The same the other way."""
    with pytest.raises(FrameError) as caught:
        decode_down(encode(UP[name]))
    assert caught.value.spec.code == "unknown_type"


@pytest.mark.parametrize(("name", "field"), REQUIRED)
def test_a_missing_field_is_told(name: str, field: str) -> None:
    """Every required field of everything that travels, left out: `wrong_field`, with its name."""
    value = plain(name)
    del value[field]
    error = refusal(name, value)
    assert error.spec.code == "wrong_field"
    assert f"`{field}`" in error.detail


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_field_of_the_wrong_type_is_told(name: str, field: str) -> None:
    """Every field, holding a type that it never has: `wrong_field`, with the place."""
    value = plain(name)
    wrong: object = "x" if not isinstance(value[field], str) else 7
    error = refusal(name, value | {field: wrong})
    assert error.spec.code == "wrong_field"
    assert f"$.{field}" in error.detail


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("up-hello", ["proof"], bytes(63)),
        ("up-hello", ["proof"], bytes(65)),
        ("up-hello", ["body"], bytes(128 * 1024 + 1)),
        ("up-push", ["ops"], [b""] * (limits.OPS_PER_PUSH_MAX + 1)),
        ("up-push", ["ops", 0], bytes(limits.OP_BYTES_MAX + 1)),
        ("up-ack", ["credit"], -1),
        ("up-ack", ["credit"], limits.CREDIT_BYTES_TOTAL_MAX + 1),
        ("up-ack", ["scopes"], {"area birmingham": 1}),
        ("up-ack", ["scopes"], {"area:birmingham": -1}),
        ("up-retracted", ["gen"], 0),
        ("up-retracted", ["scope"], "area:birmingham\n"),
        ("up-retracted", ["removed"], -1),
        ("up-credit", ["bytes"], 1.5),
        ("up-ping", ["id"], -1),
        ("up-ping", ["id"], True),
        ("up-repair", ["ranges"], []),
        ("up-repair", ["ranges", 0, "digest"], bytes(31)),
        ("up-repair", ["ranges", 0, "after"], "a"),
        ("down-challenge", ["nonce"], bytes(31)),
        ("down-challenge", ["proto_min"], 0),
        ("down-welcome", ["epoch"], "00C0FFEE00C0FFEE"),
        ("down-welcome", ["last_op"], -1),
        ("down-welcome", ["scopes", 0, "action"], "resync"),
        ("down-batch", ["from"], -1),
        ("down-batch", ["gone"], ["not-an-id"]),
        ("down-batch", ["digest"], bytes(33)),
        ("down-snapshot", ["upto"], "zz"),
        ("down-results", ["results", 0, "status"], "lost"),
        ("down-results", ["results", 0, "n"], 0),
        ("down-results", ["results", 0, "stands"], {"location": "hh-0117"}),
        ("down-results", ["results", 1, "detail"], "x" * 501),
        ("down-notice", ["code"], "weather"),
        ("down-error", ["recovery"], "panic"),
        ("down-error", ["code"], "x" * 41),
        ("down-error", ["detail"], "x" * 501),
        ("hello-body", ["credit"], limits.MESSAGE_BYTES_MAX - 1),
        ("hello-body", ["device"], "HH-0042"),
        ("hello-body", ["scopes", 1, "after"], "yesterday"),
        ("op", ["n"], 0),
        ("op", ["record"], "0199C8A1-7C00-7A11-8B22-0000000000A1"),
        ("op", ["kind"], "Incident"),
        ("op", ["author"], ""),
        ("op", ["hlc"], [1]),
        ("op", ["hlc"], [1, -1]),
        ("op", ["occurred_at"], -1),
        ("op", ["changes"], {"Summary": "x"}),
        ("op", ["changes"], {f"f{at}": 1 for at in range(limits.FIELDS_PER_OP_MAX + 1)}),
        ("op", ["why"], "x" * 1_001),
        ("row", ["v"], -1),
        ("row", ["stamps", 0], ["hh-0042", 1, 0, 0]),
        ("row", ["stamps", 0, 1], 0),
        ("row", ["stamps", 0, 2], -1),
        ("row", ["cells", "area"], "birmingham"),
    ],
    ids=str,
)
def test_a_field_out_of_its_range_is_told(name: str, path: list[str | int], value: object) -> None:
    """What is outside a field's own bounds: `wrong_field`."""
    whole = plain(name)
    inner: Any = whole
    for step in path[:-1]:
        inner = inner[step]
    assert inner[path[-1]] is not None
    inner[path[-1]] = value
    assert refusal(name, whole).spec.code == "wrong_field"


@pytest.mark.parametrize("decoder", ["up", "down", "hello-body", "op"])
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_msgpack"),
        (b"\x81\xa1t", "not_msgpack"),
        (b"\x80\x80", "not_msgpack"),
        (b"\xc6\x00\x04\x00\x01" + bytes(256 * 1024), "too_long"),
        (b"\x91" * 17 + b"\xc0", "too_deep"),
        (b"\xdc\xff\xff", "too_many"),
        (b"\xc1", "bad_value"),
        (b"\x81\x01\x01", "bad_value"),
    ],
    ids=["nothing", "cut", "two", "long", "deep", "many", "reserved", "key"],
)
def test_bounds_come_before_types(decoder: str, data: bytes, code: str) -> None:
    """Every decoder of foreign bytes looks at the bounds first."""
    with pytest.raises(FrameError) as caught:
        DECODERS[decoder](data)
    assert caught.value.spec.code == code


@pytest.mark.parametrize(
    ("decoder", "whole"), [("up", UP["ping"]), ("hello-body", HELLO_BODY), ("op", OPS["op-incident-log"])]
)
def test_a_device_may_send_few_values_at_once(decoder: str, whole: Sent) -> None:
    """Keys of a later version are passed over, but not thousands of values under them."""
    value = msgpack.unpackb(encode(whole))
    DECODERS[decoder](msgpack.packb(value | {"later": [None] * 1_000}))
    with pytest.raises(FrameError) as caught:
        DECODERS[decoder](msgpack.packb(value | {f"later{at}": [None] * 1_000 for at in range(17)}))
    assert caught.value.spec.code == "too_many"


def test_an_op_has_a_bound_of_its_own() -> None:
    """An op of OP_BYTES_MAX passes and one byte more does not, whatever the message around it could hold."""
    empty = len(msgpack.packb(plain("op") | {"later": bytes(256)})) - 256
    largest = msgpack.packb(plain("op") | {"later": bytes(limits.OP_BYTES_MAX - empty)})
    assert len(largest) == limits.OP_BYTES_MAX
    assert decode_op(largest) == OPS["op-incident-log"]
    with pytest.raises(FrameError) as caught:
        decode_op(msgpack.packb(plain("op") | {"later": bytes(limits.OP_BYTES_MAX - empty + 1)}))
    assert caught.value.spec.code == "too_long"


def test_what_is_said_of_a_wrong_message_shows_no_content() -> None:
    """The detail names place and expectation; what the message held is not repeated to logs and peers."""
    error = refusal("op", plain("op") | {"record": "Robin Example, Newhall Street"})
    assert "Robin" not in str(error)
    assert "$.record" in error.detail


def test_our_own_bytes_are_read_without_bounds_but_typed() -> None:
    """What a store or a process of ours kept was bounded when it came; damage is still found."""
    raw = encode(OPS["op-incident-log"])
    assert codec.reread_op(raw) == OPS["op-incident-log"]
    for broken in (raw[:-1], raw + b"\x00", b"", b"\xc1"):
        with pytest.raises(FrameError):
            codec.reread_op(broken)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", b"\x91" * 5_000 + b"\xc0", b"\xff" * 40])
def test_a_damaged_row_is_a_frame_error(data: bytes) -> None:
    """A store's or a server's broken row gives a coded error, never a decoder's own."""
    with pytest.raises(FrameError):
        decode_row(data)


def test_an_error_becomes_a_message() -> None:
    """ERROR carries the registry's code and recovery, when to come back, and at most 500 characters of detail."""
    message = error_message(PeerError("server_busy", "x" * 600, retry_after_ms=2_500), scope=AREA)
    assert (message.code, message.recovery, message.retry_after_ms) == ("server_busy", "retry", 2_500)
    assert (message.scope, message.detail) == (ScopeName("area:birmingham"), "x" * 500)
    assert decode_down(encode(message)) == message == decode_up(encode(message))


@pytest.mark.parametrize("message", MESSAGES, ids=tag_of)
def test_the_schema_names_the_same_required_fields(message: type[msgspec.Struct]) -> None:
    """What the decoder asks for and what the published schema asks for are the same."""
    required = {field.encode_name for field in msgspec.structs.fields(message) if field.required}
    assert set(message_schema(message)["required"]) == required | {"t"}


@pytest.mark.parametrize("decoder", sorted(DECODERS))
@given(data=st.binary(max_size=120))
def test_arbitrary_bytes_raise_nothing_but_frame_error(decoder: str, data: bytes) -> None:
    """Hostile bytes get a code from every decoder."""
    try:
        DECODERS[decoder](data)
    except FrameError:
        return


@given(
    message=st.fixed_dictionaries(
        {"t": st.sampled_from([tag_of(message) for message in MESSAGES])},
        optional=dict.fromkeys(
            [
                "id",
                "scope",
                "gen",
                "seq",
                "ops",
                "body",
                "proof",
                "ranges",
                "rows",
                "from",
                "to",
                "credit",
                "plan",
                "code",
            ],
            st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.lists(st.none(), max_size=3),
        ),
    )
)
def test_messages_with_arbitrary_fields_raise_nothing_but_frame_error(message: dict[str, Any]) -> None:
    """A known type with any fields is decoded or refused with a code of the registry."""
    try:
        data = msgpack.packb(message)
    except OverflowError:
        return
    for decode in (decode_up, decode_down):
        try:
            decode(data)
        except FrameError:
            continue
