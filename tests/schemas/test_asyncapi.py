"""The AsyncAPI description is valid by the official schema, complete, and fits what really travels."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from schemas import asyncapi, wire
from schemas.asyncapi import as_draft_07, document
from schemas.errors import ERRORS
from schemas.export import MESSAGES, PARTS, message_schema, tag_of
from schemas.ops import Op, Row
from schemas.scopes import ALONE, FAMILIES
from server.app import SYNC_PATH
from sync.device import client
from tests.example_messages import GOLDEN
from tests.golden_make import FOLDER

SPECS = Path(__file__).resolve().parents[2] / "build/npm/node_modules/@asyncapi/specs"
OFFICIAL = SPECS / "schemas/3.0.0-without-$id.json"
OFFICIAL_SHA256 = "abe96881dbfaad495ccbb6bd8d3fb43ca18a13b9d7564849ccb66f39d5e5b20f"
NAMES = sorted(GOLDEN)
TAGS = {tag_of(message) for message in MESSAGES}


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """Give the description; no test changes it."""
    return document()


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft7Validator:
    """Give the validator of AsyncAPI's own schema, which its makers publish with npm alone."""
    if not OFFICIAL.exists():
        # The CI script fetches it: there a missing one is a failure.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "no official AsyncAPI schema: `make official` fetches it"
        )
    assert hashlib.sha256(OFFICIAL.read_bytes()).hexdigest() == OFFICIAL_SHA256, "not as its makers gave it"
    return jsonschema.Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))


def payload_validator(whole: dict[str, Any], name: str) -> jsonschema.Draft7Validator:
    """Give the validator of one type in the description."""
    assert name in whole["components"]["schemas"]
    return jsonschema.Draft7Validator(
        {"allOf": [{"$ref": f"#/components/schemas/{name}"}], "components": whole["components"]}
    )


def references(part: object) -> Iterator[str]:
    """Yield every `$ref` in the description."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_the_description_is_valid(whole: dict[str, Any], official: jsonschema.Draft7Validator) -> None:
    """It is AsyncAPI 3.0.0 by the official schema."""
    assert [error.message for error in official.iter_errors(whole)] == []


@pytest.mark.parametrize(
    "path",
    [
        ("info", "title"),
        ("operations", "receive-hello", "action"),
        ("channels", "area-briefing", "messages", "batch", "$ref"),
        ("components", "securitySchemes", "hello", "type"),
        ("servers", "force", "protocol"),
    ],
    ids="/".join,
)
def test_a_broken_description_is_noticed(official: jsonschema.Draft7Validator, path: tuple[str, ...]) -> None:
    """The validator is one that can fail, at each sort of object."""
    broken = part = document()
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = 7
    assert list(official.iter_errors(broken)) != []


def test_every_reference_leads_somewhere(whole: dict[str, Any]) -> None:
    """The official schema does not follow them."""
    found = set(references(whole))
    assert found
    for reference in found:
        assert reference.startswith("#/")
        part = whole
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
        assert part


def test_every_message_is_there_with_its_direction(whole: dict[str, Any]) -> None:
    """What a device sends the server receives, what the server sends comes down, and no message is left out."""
    assert set(whole["components"]["messages"]) == TAGS == set(whole["channels"]["connection"]["messages"])
    received: set[str] = set()
    sent: set[str] = set()
    for operation in whole["operations"].values():
        tags = {each["$ref"].rpartition("/")[2] for each in operation["messages"]}
        (received if operation["action"] == "receive" else sent).update(tags)
    assert received == {tag_of(message) for message in get_args(wire.Up)}
    assert sent == {tag_of(message) for message in get_args(wire.Down)}


def test_an_answer_comes_from_the_other_side(whole: dict[str, Any]) -> None:
    """What is said to answer a message travels the other way."""
    up, down = ({tag_of(message) for message in get_args(side)} for side in (wire.Up, wire.Down))
    answered = {name: each for name, each in whole["operations"].items() if "reply" in each}
    assert {name.partition("-")[2] for name in answered} == set(asyncapi.ANSWERS)
    for name, operation in answered.items():
        other_way = down if name.startswith("receive-") else up
        assert {each["$ref"].rpartition("/")[2] for each in operation["reply"]["messages"]} <= other_way


def test_every_family_of_scopes_is_a_channel_in_each_lane(whole: dict[str, Any]) -> None:
    """Officer safety goes first, then what must be read or decided, then records; those in bulk last."""
    lanes = {("", "normal", "bulk"), ("-briefing", *["briefing"] * 2), ("-safety", *["safety"] * 2)}
    lanes.add(("-inbox", "briefing", "briefing"))
    channels = whole["channels"]
    expected = {"connection"}
    for family in (*FAMILIES, "suite-medical"):
        for suffix, live, bulk in lanes:
            name = f"{family}{suffix}"
            expected.add(name)
            assert (channels[name]["x-lane"], channels[name]["x-lane-of-snapshots"]) == (live, bulk), name
            assert ("parameters" in channels[name]) == (family not in ALONE)
            assert channels[name]["x-within"] == "connection"
    assert set(channels) == expected


def test_a_parameter_is_one_of_its_address(whole: dict[str, Any]) -> None:
    """A reader can fill an address in."""
    for channel in whole["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel.get("parameters", ()))


def test_where_and_how_to_connect_is_what_server_and_device_do(whole: dict[str, Any]) -> None:
    """Path, subprotocol and the proof that is asked for are those of the code."""
    connection = whole["channels"]["connection"]
    assert connection["address"] == SYNC_PATH == client.SYNC_PATH
    headers = connection["bindings"]["ws"]["headers"]
    assert headers["properties"]["Sec-WebSocket-Protocol"]["const"] == wire.SUBPROTOCOL
    assert whole["servers"]["force"]["security"] == [{"$ref": "#/components/securitySchemes/hello"}]
    assert whole["info"]["version"] == f"{wire.PROTO}.{wire.SCHEMA}"


def test_every_error_that_ends_a_connection_is_told(whole: dict[str, Any]) -> None:
    """With its close code and what a device then does."""
    told = whole["components"]["messages"]["error"]["x-codes"]
    assert set(told) == {spec.code for spec in ERRORS.values() if spec.close is not None}
    assert told["text_frame"]["close"] == ERRORS["text_frame"].close


@pytest.mark.parametrize("name", NAMES)
def test_golden_bytes_fit_the_description(whole: dict[str, Any], name: str) -> None:
    """What devices in the field hold is what the description says, message by message."""
    example = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    payload_validator(whole, type(GOLDEN[name]).__name__).validate(example)


@pytest.mark.parametrize("name", [name for name in NAMES if not isinstance(GOLDEN[name], Op | Row | wire.HelloBody)])
def test_a_golden_message_with_another_tag_does_not_fit(whole: dict[str, Any], name: str) -> None:
    """The schemas tell messages apart: references and lists are looked into, not passed over."""
    example = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert not payload_validator(whole, type(GOLDEN[name]).__name__).is_valid(example | {"t": "other"})


@pytest.mark.parametrize(
    ("name", "field", "wrong"),
    [
        ("down-challenge", "nonce", 5),
        ("down-batch", "scope", "Area Birmingham"),
        ("down-batch", "rows", [{"id": 1}]),
        ("down-welcome", "scopes", [{"scope": "force"}]),
        ("up-push", "times", [[1, 2, 3]]),
        ("up-push", "times", [["one", 2]]),
    ],
)
def test_a_wrong_field_does_not_fit(whole: dict[str, Any], name: str, field: str, wrong: object) -> None:
    """A part behind a reference, a position in a list and one too many: each is noticed here as in JSON Schema."""
    example = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) | {field: wrong}
    message = type(GOLDEN[name])
    assert not jsonschema.Draft202012Validator(message_schema(message)).is_valid(example)
    assert not payload_validator(whole, message.__name__).is_valid(example)


def test_a_schema_says_the_same_in_the_older_words() -> None:
    """Positions, what may follow them, references and what stands beside them; names of fields are no keywords."""
    newer = {
        "$id": "urn:x",
        "type": "object",
        "properties": {
            "items": {"type": "array", "prefixItems": [{"type": "integer"}], "items": False},
            "prefixItems": {"$ref": "#/$defs/Row", "description": "One."},
            "plain": {"$ref": "#/$defs/Row"},
        },
        "$defs": {"Row": {}},
    }
    assert as_draft_07(newer) == {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": [{"type": "integer"}], "additionalItems": False},
            "prefixItems": {"allOf": [{"$ref": "#/components/schemas/Row"}], "description": "One."},
            "plain": {"$ref": "#/components/schemas/Row"},
        },
    }


def test_every_part_is_described(whole: dict[str, Any]) -> None:
    """What travels as `bin` inside a message has its schema too."""
    assert {part.__name__ for part in PARTS} <= set(whole["components"]["schemas"])
