"""docs/protocol.md says what the code does, and the vectors in it hold by other people's libraries alone."""

import hashlib
import re
import typing
import zlib
from pathlib import Path
from typing import Any

import msgpack
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas import limits, ops, wire
from schemas.codec import decode_down, decode_hello_body, decode_op, decode_row, decode_up, encode
from schemas.declared import declared, words
from schemas.differences import rebuilt
from schemas.errors import ERRORS, FrameError, Recovery
from schemas.ids import Millis, new_record_id
from schemas.kinds import KINDS
from schemas.policies import POLICIES
from schemas.rights import Writes
from sync import clock
from sync.session.table import DEVICE_TABLE, SERVER_TABLE
from tests import protocol_doc as doc
from tests import protocol_examples as shown
from tests import protocol_messages as messages
from tests import protocol_scopes
from tests.plain_merge import FIELDS

TEXT = doc.PAGE.read_text(encoding="utf-8")
DOWN: tuple[type, ...] = typing.get_args(wire.Down)
UP: tuple[type, ...] = typing.get_args(wire.Up)
PARTS: tuple[type, ...] = (
    wire.HelloBody,
    wire.Position,
    wire.Plan,
    wire.Result,
    wire.Range,
    wire.Difference,
    wire.ShortChange,
    wire.ShortDone,
    wire.ChainPlace,
    wire.Lease,
    ops.Op,
    ops.Row,
    ops.Stamp,
)
STRUCTS: list[type] = sorted({*DOWN, *UP, *PARTS}, key=lambda each: each.__name__)
HEX_BLOCK = re.compile(r"```hex\n(.*?)```", re.DOTALL)


def section(heading: str) -> str:
    """The text under a heading, to the next heading of the same or a higher level."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", TEXT, re.MULTILINE)
    assert found is not None, f"no heading {heading!r}"
    after = TEXT[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", after, re.MULTILINE)
    return after[: end.start()] if end else after


def table(text: str) -> list[list[str]]:
    """The cells of the first table in a text, without its head."""
    found = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert found is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()[2:]]


def values(text: str) -> dict[str, str]:
    """`name: value` and `name = value` lines of the first text block."""
    found = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return dict(re.split(r": | = ", line, maxsplit=1) for line in found[1].splitlines())


def hex_blocks(text: str) -> list[bytes]:
    """Every message shown in a text."""
    return [bytes.fromhex(block) for block in HEX_BLOCK.findall(text)]


def test_the_scopes_of_every_kind_are_told_and_shown() -> None:
    """No kind is without a rule in words and a case; no case is in a scope of which its rule says nothing."""
    assert set(protocol_scopes.RULES) == set(KINDS)
    bare = {name: found for name, fields, found in protocol_scopes.cases() if not fields}
    assert set(bare) == set(KINDS)
    for name, fields, found in protocol_scopes.cases():
        for scope in found:
            told = {scope, f"{scope.partition(':')[0]}:"}
            by_value = {"`audience`", "`places`", "`home`", "`closed`"}
            rule = protocol_scopes.RULES[name]
            assert any(f"`{one}" in rule for one in told) or any(word in rule for word in by_value), (name, fields)


def test_the_generated_parts_are_those_of_the_code() -> None:
    """Tables, diagrams and examples are what the code gives today; `python -m tests.protocol_doc` writes them anew."""
    assert set(doc.PARTS) <= {name for name, _ in doc.MARKED.findall(TEXT)}
    assert doc.renewed(TEXT) == TEXT


def test_a_stale_part_is_noticed() -> None:
    """The comparison above sees a changed arrow, a changed number and a changed byte."""
    for old, new in (
        ("live --> closed: error, fault", "live --> live: error"),
        ("| 262144 (", "| 262145 ("),
        ("c4 20 ", "c4 21 "),
    ):
        assert old in TEXT
        assert doc.renewed(TEXT.replace(old, new, 1)) == TEXT


@pytest.mark.parametrize("struct", STRUCTS, ids=[each.__name__ for each in STRUCTS])
def test_every_field_is_in_its_section_with_type_and_default(struct: type) -> None:
    """Each message and part has a section whose table names every field, in order, as it is on the wire."""
    heading = struct.__name__ if struct in PARTS else f"`{shown.tag_of(struct)}`"
    rows = table(section(heading))
    expected = [
        [f"`{field.encode_name}`", doc.type_text(field.type), doc.default_text(field)]
        for field in doc.struct_fields(struct)
    ]
    assert [row[:3] for row in rows] == expected
    assert all(row[3] for row in rows)


def test_messages_stand_under_the_side_that_sends_them() -> None:
    """What both sides send is described once, and the other side's chapter says so."""
    down, up = section("Messages of the server"), section("Messages of the device")
    assert re.findall(r"^### `(\w+)`$", down, re.MULTILINE) == [shown.tag_of(each) for each in DOWN]
    own = [shown.tag_of(each) for each in UP if each not in DOWN]
    assert re.findall(r"^### `(\w+)`$", up, re.MULTILINE) == own
    assert all(f"`{shown.tag_of(each)}`" in up.split("###", 1)[0] for each in UP if each in DOWN)


@pytest.mark.parametrize("tag", sorted(messages.examples()))
def test_every_example_is_one_message_for_two_libraries(tag: str) -> None:
    """Plain MessagePack reads the shown bytes as the type they stand under, and so does our codec, byte for byte."""
    (data,) = hex_blocks(section(f"`{tag}`"))
    assert msgpack.unpackb(data)["t"] == tag
    kinds = {shown.tag_of(each) for each in DOWN}
    assert encode(decode_down(data) if tag in kinds else decode_up(data)) == data


def test_packed_parts_of_the_examples_are_what_they_say() -> None:
    """The body of HELLO, the ops of PUSH and the rows of BATCH are values of their own types."""
    (hello,), (push,), (batch,) = (hex_blocks(section(tag)) for tag in ("`hello`", "`push`", "`batch`"))
    assert decode_hello_body(msgpack.unpackb(hello)["body"]).device == shown.DEVICE
    assert [decode_op(raw).record for raw in msgpack.unpackb(push)["ops"]] == [shown.RECORD]
    (row,) = msgpack.unpackb(batch)["rows"]
    assert decode_row(msgpack.packb(row)).v == 9
    assert {len(stamp) for stamp in row["stamps"]} == {len(doc.struct_fields(ops.Stamp))}


def test_every_error_code_and_recovery_is_told() -> None:
    """The table has each code once, with the close code and recovery of the registry."""
    rows = table(section("Errors"))
    assert [row[0].strip("`") for row in rows] == list(ERRORS)
    for code, close, recovery, *_ in rows:
        spec = ERRORS[code.strip("`")]
        assert (close, recovery.strip("`")) == (str(spec.close or "stays open"), spec.recovery.value)
    assert all(f"| `{each.value}` |" in section("Errors") for each in Recovery)


def test_every_code_that_the_page_names_exists() -> None:
    """A word in code marks that looks like a limit, an error code, a message or a field is one."""
    prose = re.sub(r"<!-- begin.*?<!-- end: \S+ -->", "", TEXT, flags=re.DOTALL)
    for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", prose):
        assert hasattr(limits, name) or name in ops.Doubt.__members__, name
    structs = {*STRUCTS, *(spec.struct for spec in KINDS.values())}
    known = {field.encode_name for each in structs for field in doc.struct_fields(each)}
    known |= {shown.tag_of(each) for each in {*DOWN, *UP}} | ERRORS.keys()
    known |= {key for told in FIELDS.values() for field in told.values() for key in field}
    known |= set(Writes.__struct_fields__) | set(typing.get_args(typing.get_type_hints(wire.Notice)["code"]))
    for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", prose):
        assert word in known, word


def without_reason(writes: dict[str, Any]) -> dict[str, Any]:
    """Who may write a field, without why: the reasons are for people, in the reference of record kinds."""
    return {part: told for part, told in writes.items() if part != "because"}


def test_rights_are_told() -> None:
    """Whoever builds a device learns of each kind who may make and change its records."""
    told = {row[0].strip("`"): row[1:] for row in table(section("Who may write"))}
    assert told == {
        name: [", ".join(f"`{role.value}`" for role in roles) for roles in (spec.rights.makers, spec.rights.writers)]
        for name, spec in KINDS.items()
        if not spec.by_rule
    }


def test_every_field_is_told_with_what_it_declares() -> None:
    """The JSON of the page has the kinds, their fields and all that a device must know of them, each key explained."""
    assert {kind: list(told) for kind, told in FIELDS.items()} == {
        name: list(spec.fields) for name, spec in KINDS.items()
    }
    for name, spec in KINDS.items():
        for field in spec.fields.values():
            told = FIELDS[name][field.name]
            without = {key: value for key, value in declared(field).items() if key != "decides"}
            without |= {key: without_reason(value) for key, value in without.items() if key == "writes"}
            assert {key: told[key] for key in without} == without
            assert told.get("required", False) is field.required
            assert told.get("values") == words(field.type).get("values")
    keys = {key for told in FIELDS.values() for field in told.values() for key in field} - {"policy"}
    text = section("Merge") + section("What the author saw")
    assert [key for key in keys if f"`{key}`" not in text] == []


def test_every_policy_is_explained_and_its_cell_told() -> None:
    """A device that does not know how a policy merges, or reads its cell, shows something else than the others."""
    explained = re.findall(r"^- (\*\*`.*?):", section("Policies"), re.MULTILINE)
    names = {policy.name for policy in POLICIES}
    assert {name for each in explained for name in re.findall(r"`(\w+)`", each)} == names
    cells = [re.findall(r"`(\w+)`", row[0]) for row in table(section("Cells"))]
    assert sorted(name for row in cells for name in row) == sorted(names)


def test_every_bit_of_doubt_is_told() -> None:
    """Bit, name and meaning of each."""
    rows = table(section("Clock").partition("begin: doubt")[2])
    assert [(int(bit), name.strip("`")) for bit, name, _ in rows] == [(each.value, each.name) for each in ops.Doubt]


def test_every_recoverable_refusal_of_a_change_is_foretold() -> None:
    """What a policy refuses stands in the table of what to look at before an op is written."""
    policies = Path(shown.__file__).parent.parent / "sync" / "policies"
    given = {
        code for module in policies.glob("*.py") for code in re.findall(r'Refusal\("(\w+)"', module.read_text("utf-8"))
    }
    told = {code for row in table(section("Before an op is written")) for code in re.findall(r"`(op_\w+)`", row[1])}
    assert len(given) > 3
    assert given <= told <= ERRORS.keys()


def test_every_version_that_the_page_names_is_the_code_s() -> None:
    """Whoever raises the version of the kinds changes the page, and its examples show the window."""
    assert f"this page is of version {wire.SCHEMA}." in " ".join(section("Versions").split())
    (welcome,) = hex_blocks(section("`welcome`"))
    shown_window = [msgpack.unpackb(welcome)[key] for key in ("schema_min", "schema_max")]
    assert shown_window == [wire.SCHEMA_MIN, wire.SCHEMA_MAX]


def test_the_page_is_written_from_its_fields_on(tmp_path: Path) -> None:
    """A page whose fields are stale is brought up to date in one go, the session that leans on them included."""
    page = tmp_path / "protocol.md"
    kept = dict(FIELDS)
    page.write_text(re.sub(r'    "status": \{"policy": "state".*\n', "", TEXT), encoding="utf-8")
    assert page.read_text(encoding="utf-8") != TEXT
    doc.write(page)
    assert page.read_text(encoding="utf-8") == TEXT
    assert kept == FIELDS


def test_every_limit_is_told_with_its_number() -> None:
    """Whoever changes a limit changes the page."""
    told = {row[0].strip("`"): row[1].split(" ")[0] for row in table(section("Limits"))}
    expected = {name: value for name, value in vars(limits).items() if name.isupper() and name != "KIB"}
    assert told == {name: "2^53" if name == "INT_MAX" else str(value) for name, value in expected.items()}


def test_the_diagrams_hold_every_transition() -> None:
    """No arrow of either table is missing from the page, whatever wrote it."""
    for heading, transitions in (("device-states", DEVICE_TABLE), ("server-states", SERVER_TABLE)):
        text = dict(doc.MARKED.findall(TEXT))[heading]
        drawn = {
            (here, event, there)
            for here, there, events in re.findall(r"^    (\w+) --> (\w+): (.*)$", text, re.MULTILINE)
            for event in events.split(", ")
        }
        assert len(drawn) == len(transitions)


def test_the_proof_vector_recomputes() -> None:
    """Ed25519 over context, nonce and body gives the shown signature; over anything else it does not fit."""
    told = values(dict(doc.MARKED.findall(TEXT))["proof-vector"])
    seed, public, context, nonce, body, signature = (
        bytes.fromhex(told[name])
        for name in ("private key (seed)", "public key", "context", "nonce", "body", "signature")
    )
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert context == b"beatbook.v1 hello\0"
    assert key.public_key().public_bytes_raw() == public
    assert key.sign(context + nonce + body) == signature
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(signature, nonce + body)
    challenge, hello, *_ = (msgpack.unpackb(data) for data in hex_blocks(section("A whole session, byte by byte")))
    assert (challenge["nonce"], hello["body"], hello["proof"]) == (nonce, body, signature)


def test_the_digest_vector_recomputes() -> None:
    """SHA-256 of id, space, version, summed modulo 2^256."""
    *elements, (_, total) = values(dict(doc.MARKED.findall(TEXT))["digest-vector"]).items()
    found = 0
    for name, value in elements:
        element = hashlib.sha256(name.removeprefix('SHA-256("').removesuffix('")').encode()).digest()
        assert element.hex() == value
        found += int.from_bytes(element, "big")
    assert len(elements) == 2
    assert (found % 2**256).to_bytes(32, "big").hex() == total


def test_the_difference_vector_recomputes() -> None:
    """The shown edits make the shown outcome of the shown base, part by part as the text says."""
    told = values(section("Rows by difference"))
    base, edits = told["base"].encode(), bytes.fromhex(told["edits"])
    outcome, place, at = bytearray(), 0, 0
    while at < len(edits):
        fresh, ahead = divmod(edits[at], 16)
        assert max(fresh, ahead) < 15, "the vector needs no longer numbers"
        outcome += edits[at + 1 : at + 1 + fresh]
        at += 1 + fresh
        if at < len(edits):
            place = (place + ahead) % len(base)
            outcome += base[place : place + edits[at]]
            place += edits[at]
            at += 1
    assert outcome.decode() == told["outcome"]
    assert rebuilt(base, edits, len(outcome)) == outcome
    assert zlib.crc32(outcome) == int(told["CRC-32 of the outcome"])


def test_the_record_id_example_recomputes() -> None:
    """The moment and random bytes in the prose make the id in the prose."""
    text = " ".join(section("Ids, scopes, times").split())
    found = re.search(r"Moment `(\d+)` and random bytes `([0-9a-f ]+)` give `([0-9a-f-]+)`", text)
    assert found is not None
    assert new_record_id(Millis(int(found[1])), bytes.fromhex(found[2])) == found[3]


def test_the_clock_examples_recompute() -> None:
    """Each line of the clock's table is what sync.clock gives."""
    rows = [[tuple(map(int, re.findall(r"\d+", cell))) for cell in row] for row in table(section("Clock"))]
    assert len(rows) == 4
    for (now,), seen, told in rows:
        assert tuple(clock.next_hlc(Millis(now), ops.Hlc(*seen))) == told


def test_the_credit_example_adds_up() -> None:
    """Each line of the credit example leaves what it says, and the server waits when a whole message no longer fits."""
    left = 0
    rows = table(section("Credit"))
    for message, change, rest in rows:
        waits = "the server waits" in message
        assert waits == (change == "0")
        assert not waits or left < limits.MESSAGE_BYTES_MAX
        assert not change.startswith("-") or left >= limits.MESSAGE_BYTES_MAX
        left += int(change)
        assert left == int(rest)
    assert len(rows) == 6


def test_every_state_and_part_is_named_in_the_contents() -> None:
    """The list at the top is the list of chapters."""
    listed = re.findall(r"^\d+\. \[(.+?)\]", TEXT, re.MULTILINE)
    assert listed == re.findall(r"^## (.+)$", TEXT, re.MULTILINE)


async def test_the_shown_session_is_what_both_ends_say() -> None:
    """The bytes in the page are those of a session between the plain client and the server's own session."""
    lines = await shown.session()
    assert hex_blocks(section("A whole session, byte by byte")) == [frame for _, frame in lines]
    wanted = [
        "challenge",
        "hello",
        "welcome",
        "snapshot",
        "ack",
        "batch",
        "ack",
        "push",
        "results",
        "batch",
        "ack",
        "error",
    ]
    assert [msgpack.unpackb(frame)["t"] for _, frame in lines] == wanted


def ping(value: object) -> bytes:
    """A PING whose id is that value."""
    data: bytes = msgpack.packb({"t": "ping", "id": value})
    return data


NESTED: list[object] = []
for _ in range(limits.DEPTH_MAX):
    NESTED = [NESTED]

BREACHES = {
    "Map keys are text": [msgpack.packb({1: 2}), bytes.fromhex("82a174a470696e67a174a470696e67")],
    "Text (`str`) is UTF-8": [bytes.fromhex("81a174a1ff"), ping("x" * (limits.TEXT_BYTES_MAX + 1))],
    "Integers lie in": [ping(2**53 + 1), ping(-(2**53) - 1)],
    "Where a field is an integer": [ping(1.0), ping("1"), ping(True)],
    "Floats are finite": [ping(float("nan")), ping(float("-inf"))],
    "No extension type": [ping(msgpack.Timestamp(1)), ping(msgpack.ExtType(5, b""))],
    "Bytes are `bin`": [
        msgpack.packb({"t": "hello", "body": "", "proof": "x" * 64}),
        msgpack.packb({"t": "error", "code": b"gap", "recovery": "retry"}),
    ],
    "At most `DEPTH_MAX`": [ping(NESTED)],
    "At most `ARRAY_LEN_MAX`": [
        ping([0] * (limits.ARRAY_LEN_MAX + 1)),
        ping({str(n): 0 for n in range(limits.MAP_LEN_MAX + 1)}),
    ],
    "At most `ELEMENTS_UP_MAX`": [ping([[0] * 2_000] * 9)],
    "At most `MESSAGE_BYTES_MAX`": [ping(bytes(limits.MESSAGE_BYTES_MAX))],
}


@pytest.mark.parametrize("rule", BREACHES)
def test_every_messagepack_rule_is_the_one_that_is_kept(rule: str) -> None:
    """What the table forbids is refused with a code that its row names."""
    (codes,) = (set(re.findall(r"`(\w+)`", row[1])) for row in table(section("MessagePack")) if row[0].startswith(rule))
    for data in BREACHES[rule]:
        with pytest.raises(FrameError) as caught:
            decode_up(data)
        assert caught.value.spec.code in codes


def test_no_messagepack_rule_is_left_untried() -> None:
    """A row that is added to the table needs its breach above."""
    assert [row[0] for row in table(section("MessagePack")) if not row[0].startswith(tuple(BREACHES))] == []


def test_unknown_keys_are_ignored() -> None:
    """The promise that lets a later version add keys."""
    assert decode_up(msgpack.packb({"t": "ping", "id": 1, "later": {"x": [1]}})) == wire.Ping(id=1)
