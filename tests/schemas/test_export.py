"""The JSON Schemas say what the types say, in full, and so do the pages of docs/reference."""

import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest

from schemas import reference, wire
from schemas.declared import ANNOTATIONS, declared, words
from schemas.errors import ERRORS
from schemas.export import MESSAGES, PARTS, described, message_schema, part_schema, record_schema, schema_files, tag_of
from schemas.ids import FieldName
from schemas.kinds import KINDS
from schemas.ops import Row
from schemas.policies import POLICIES
from schemas.wire import Hello, Push, Range

FILES = schema_files()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_is_a_valid_schema_that_stands_alone(name: str) -> None:
    """It follows the 2020-12 dialect, names no host, and every reference leads inside the file."""
    schema = FILES[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    version = wire.SCHEMA if name.startswith("record") else wire.PROTO
    assert re.fullmatch(rf"urn:beatbook:v{version}:(message|part|record):[a-z_-]+", schema["$id"])
    text = json.dumps(schema)
    assert text.count("://") == 1
    assert set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', text)) <= set(schema["$defs"])
    assert text.count('"$ref"') == len(re.findall(r'"\$ref": "#/\$defs/\w+"', text))


def test_there_is_a_file_for_everything() -> None:
    """Every message, part and kind, each under an id of its own."""
    assert len(FILES) == len(MESSAGES) + len(PARTS) + len(KINDS)
    assert len({schema["$id"] for schema in FILES.values()}) == len(FILES)
    assert {f"message-{tag_of(message)}.json" for message in MESSAGES} <= set(FILES)
    assert {"part-hello-body.json", "part-op.json", "part-row.json", "record-custody-booking.json"} <= set(FILES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_field_is_explained(name: str) -> None:
    """A field that a docstring forgot has no description, and whoever reads the schema would have to guess."""
    silent = []
    for title, each in ({name: FILES[name]} | FILES[name]["$defs"]).items():
        assert each["description"], title
        if title in ("Changes", "Cells"):
            continue
        for field, schema in each.get("properties", {}).items():
            if field != "t" and not schema.get("description"):
                silent.append(f"{title}.{field}")
        silent += [f"{title}.{item['title']}" for item in each.get("prefixItems", []) if not item.get("description")]
    assert silent == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_tells_its_policies(kind: str) -> None:
    """Each property bears its policy and all that is declared beside it; changes and cells have the kind's fields.

    What only the rules write is in no op, unless whoever makes the record has to say it.
    """
    fields = KINDS[kind].fields
    schema = record_schema(KINDS[kind])
    for name, field in fields.items():
        each = schema["properties"][name]
        told = {key: value for key, value in each.items() if key.startswith("x-")}
        assert told == {ANNOTATIONS[key]: value for key, value in declared(field).items()}
        assert each["x-merge-policy"] == field.policy.name
        assert each.get("deprecated", False) is (field.retired is not None)
    assert set(schema["$defs"]["Changes"]["properties"]) == {
        name for name, field in fields.items() if not field.by_rule or (KINDS[kind].named and field.required)
    }
    assert set(schema["$defs"]["Cells"]["properties"]) == set(fields)
    assert set(schema["required"]) == {name for name, field in fields.items() if field.required}
    assert schema.get("x-by-rule", False) is KINDS[kind].by_rule
    assert schema.get("x-named", False) is (KINDS[kind].named is not None)
    assert schema.get("x-sided", []) == sorted(KINDS[kind].struct.SIDED)
    assert schema["x-schema-version"] == wire.SCHEMA


def test_an_enumeration_of_a_record_is_open() -> None:
    """Whoever reads the schema learns that a newer program may send another word."""
    enums = [
        each for name in FILES if name.startswith("record") for each in FILES[name]["$defs"].values() if "enum" in each
    ]
    assert len(enums) > len(KINDS)
    assert all(each["x-open"] for each in enums)


def test_binary_is_told_from_text() -> None:
    """A field that is `bin` on the wire says so, with its length in bytes, in whatever it is wrapped."""
    proof = message_schema(Hello)["properties"]["proof"]
    assert (proof["x-msgpack-type"], proof["x-bytes-min"], proof["x-bytes-max"]) == ("bin", 64, 64)
    assert proof["contentEncoding"] == "base64"
    assert message_schema(Push)["properties"]["ops"]["items"]["x-msgpack-type"] == "bin"
    digest = FILES["part-position.json"]["properties"]["digest"]["anyOf"][0]
    assert (digest["x-msgpack-type"], digest["x-bytes-min"]) == ("bin", 32)
    marked = json.dumps(FILES).count('"x-msgpack-type": "bin"')
    assert marked == json.dumps(FILES).count('"contentEncoding": "base64"') > 0


STATUS = ["closed", 0, [["attended", 1]], "", [["hh-1/4", "hh-2/9"]]]


@pytest.mark.parametrize(
    ("kind", "cells", "fits"),
    [
        ("incident", {"area": ["birmingham", 0]}, True),
        ("incident", {"area": ["birmingham"]}, False),
        ("incident", {"area": ["birmingham", 0, []]}, False),
        ("incident", {"area": ["Birmingham", 0]}, False),
        ("incident", {"opened_at": [5, 0]}, True),
        ("incident", {"opened_at": [5, 0, [[6, 1]]]}, True),
        ("incident", {"opened_at": [5, 0, [], "hh-1/4"]}, True),
        ("incident", {"opened_at": [5, 0, []]}, False),
        ("incident", {"opened_at": [5, 0, [[6]]]}, False),
        ("incident", {"opened_at": [5, 0, [["six", 1]]]}, False),
        ("incident", {"opened_at": [5, 0, [[6, 1]], ""]}, False),
        ("incident", {"opened_at": [5, 0, [], "hh-1/4", []]}, False),
        ("incident", {"grade": ["p1", 0]}, True),
        ("incident", {"grade": ["p1", 0, [["p2", 1]]]}, True),
        ("incident", {"grade": ["p1", 0, [], "hh-1/4"]}, False),
        ("incident", {"status": ["open", 0]}, True),
        ("incident", {"status": STATUS}, True),
        ("incident", {"status": [*STATUS[:3], "hh-1/4", *STATUS[4:]]}, True),
        ("incident", {"status": [*STATUS[:4], []]}, False),
        ("incident", {"status": [*STATUS[:4], [["hh-1/4"]]]}, False),
        ("custody-booking", {"allergies": [["nuts"], 0, [[None, 1]], "hh-1/4"]}, True),
        ("custody-booking", {"allergies": ["nuts", 0]}, False),
        ("resource", {"hold": [{"holder": "x"}, 0, [[{"holder": "y"}, 1]]]}, True),
        ("resource", {"hold": [None, 0]}, True),
        ("resource", {"hold": ["x", 0]}, False),
        ("incident", {"log": []}, True),
        ("incident", {"log": [[{"text": "x"}, 0, 0]]}, True),
        ("incident", {"log": [[{"text": "x"}, 0]]}, False),
        ("incident", {"log": [[{"text": "x"}, 0, -1]]}, False),
        ("incident", {"log": [[{}, 0, 0]]}, False),
        ("incident", {"markers": [[{"warning": "x"}, 0, 0]]}, True),
        ("incident", {"markers": {"add": [{"warning": "x"}]}}, False),
    ],
    ids=str,
)
def test_the_shape_of_a_cell_is_its_policys(kind: str, cells: dict[str, Any], fits: bool) -> None:  # noqa: FBT001 - a parameter
    """A kind's `Cells` takes each policy's shapes where they belong, without trailing empty elements."""
    schema = record_schema(KINDS[kind])
    validator = jsonschema.Draft202012Validator({**schema["$defs"]["Cells"], "$defs": schema["$defs"]})
    assert validator.is_valid(cells) is fits


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({"markers": {"add": [{"warning": "x"}]}}, True),
        ({"markers": {"remove": [{"warning": "x"}], "add": [{"warning": "y"}]}}, True),
        ({"markers": {}}, False),
        ({"markers": {"add": []}}, False),
        ({"markers": {"set": [{"warning": "x"}]}}, False),
        ({"markers": [{"warning": "x"}]}, False),
        ({"log": [{"text": "x"}]}, True),
        ({"log": []}, False),
        ({"claimed": {"holder": "WM20417", "until": 5}}, True),
        ({"claimed": None}, True),
        ({"claimed": {"until": 5}}, False),
        ({"colour": "red"}, False),
    ],
    ids=str,
)
def test_a_change_has_the_form_of_its_policy(changes: dict[str, Any], fits: bool) -> None:  # noqa: FBT001 - a parameter
    """Tags are added and removed, entries are appended, everything else is set."""
    schema = record_schema(KINDS["suspect"])
    validator = jsonschema.Draft202012Validator({**schema["$defs"]["Changes"], "$defs": schema["$defs"]})
    assert validator.is_valid(changes) is fits


@pytest.mark.parametrize(
    ("trusted", "fits"),
    [
        (["x", 0, None, 0], True),
        ([{"any": 1}, 3, ["hh-1/4"], 7], True),
        (["x", 0, None, 0, True], True),
        (["x", 0, None, 0, False], False),
        (["x", 0, None], False),
        (["x", 0, ["not an op"], 0], False),
        (["x", -1, None, 0], False),
    ],
    ids=str,
)
def test_what_is_kept_in_trust_has_one_form(trusted: list[Any], fits: bool) -> None:  # noqa: FBT001 - a parameter
    """Whatever the value is, its stamp, what its author saw and the base are told in the same way."""
    row = {"id": "0199c8a1-7c00-7a11-8b22-0000000000a1", "kind": "incident", "v": 1, "stamps": [], "cells": {}}
    validator = jsonschema.Draft202012Validator(part_schema(Row))
    assert validator.is_valid({**row, "upto": {"hh-1": 4}, "trust": {"colour": [trusted]}}) is fits


def test_a_docstring_is_taken_apart() -> None:
    """Names that share a line share its text, lines that go on are joined, sections end up on one line."""

    class Example(msgspec.Struct):
        """First line.

        More of it,
        over two lines.

        Attributes:
            a, b: the first two
                that go on.
            c: `x`: not a name of its own.
        """

    assert described(Example) == (
        "First line. More of it, over two lines.",
        {"a": "The first two that go on.", "b": "The first two that go on.", "c": "`x`: not a name of its own."},
    )
    assert described(Range)[1].keys() == {"after", "upto", "digest", "count"}


def test_the_page_of_kinds_tells_every_field() -> None:
    """Name, type, policy and meaning of each field, and every policy with what it means."""
    page = reference.records_page()
    for spec in KINDS.values():
        assert f"\n## {spec.name}\n" in page
        for name, field in spec.fields.items():
            assert re.search(
                rf"^\| `{name}` \| [^|]+ \| `{field.policy.name}` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE
            )
            for text in reference.beside_in_words(field):
                assert f"\n- `{name}`\n  - " in page
                assert f"\n  - {text}\n" in page
    for policy in POLICIES:
        assert f"| `{policy.name}` | {policy.meaning} |" in page


@pytest.mark.parametrize(
    ("kind", "field", "told"),
    [
        ("custody-booking", "risk", ["From the lowest to the highest: `standard`, `medium`, `high`"]),
        (
            "custody-booking",
            "status",
            [
                "`arrived` to `detained`, `hospital`, `released`;",
                "`released` to nothing.",
                "the one further on stands: `released`, `arrived`, `detained`, `court`, `hospital`.",
                "Concurrent with another state, `released` asks a person.",
                "by `custody-officer` within 15 min; then `reviewing-officer`",
                "is safe: The person counts as detained",
            ],
        ),
        (
            "incident",
            "status",
            [
                "author had not seen an entry of `arrests`, `abuse_victims`, `assessments`; meanwhile `attended` is",
                "Refused while its author sees an entry of `abuse_victims` and none of `assessments` with the same",
                "A change also says what its author saw of `arrests`, `abuse_victims`, `assessments`.",
                "by `supervisor` or `control-room` within 1 h; then `control-room`",
            ],
        ),
        ("incident", "arrests", ["A change also says what its author saw of `status`."]),
        ("custody-booking", "appropriate_adult", ["what comes first among `needed`, nothing, `not-needed`."]),
        ("custody-booking", "allergies", ["Shown while people differ: all that was said."]),
        ("custody-booking", "disposal", ["Shown while people differ: nothing."]),
        ("custody-booking", "cell", ["since version 2 of the kinds. Instead: claim the cell's own record"]),
        ("inbox-item", "decision", ["Two people say the same when these agree: `value`.", "saw of `candidates`."]),
        ("custody-booking", "suite", []),
    ],
)
def test_what_a_field_declares_is_told_in_words(kind: str, field: str, told: list[str]) -> None:
    """Ranks, steps, precedence, the safe value, who decides and by when, what is seen, what is retired."""
    text = "\n".join(reference.beside_in_words(KINDS[kind].fields[FieldName(field)]))
    assert [each for each in told if each not in text] == []
    assert bool(text) is bool(told)


def test_the_words_of_an_enumeration_are_told() -> None:
    """Of a value, of each in a list, and of the parts of an entry."""
    kinds = {name: spec.fields for name, spec in KINDS.items()}
    assert words(kinds["custody-booking"][FieldName("risk")].type) == {"values": ["standard", "medium", "high"]}
    assert "custody-officer" in words(kinds["inbox-item"][FieldName("roles")].type)["values"]
    checks = words(kinds["custody-booking"][FieldName("checks")].type)
    places = ["cell", "suite", "hospital", "court", "vehicle"]
    assert checks == {"parts": {"response": ["awake", "roused", "asleep", "no-response"], "place": places}}
    assert words(kinds["incident"][FieldName("position")].type) == {}


def test_what_only_the_rules_write_is_told() -> None:
    """Nobody looks for a way to write an inbox item by hand."""
    page = reference.records_page().partition("\n## inbox-item\n")[2].partition("\n## ")[0]
    assert "\nOnly the rules make such records.\n" in page
    assert "\n- Only the rules write `subject`, `subject_kind`, `field`, " in page


def test_the_page_of_errors_tells_every_code() -> None:
    """Code, close code, recovery, meaning and action of each entry."""
    page = reference.errors_page()
    for spec in ERRORS.values():
        close = "" if spec.close is None else f" {spec.close} |"
        row = f"| `{spec.code}` |{close} `{spec.recovery.value}` | {spec.meaning} | {spec.action} |"
        assert f"\n{row}\n" in page, spec.code


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 9}, "text, 1 to 9 characters"),
        ({"type": "string"}, "text"),
        ({"type": "integer", "minimum": 0, "maximum": 2**53}, "whole number, 0 to 2^53"),
        ({"type": "number", "minimum": -90, "maximum": 90}, "number, -90 to 90"),
        ({"type": "boolean"}, "true or false"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "true or false, or nothing"),
        ({"type": "array", "items": {"type": "boolean"}, "maxItems": 3}, "list of true or false, at most 3"),
        ({"$ref": "#/$defs/Colour"}, "one of `red`, `blue`"),
        ({"$ref": "#/$defs/Entry"}, "[Entry](#entry)"),
        ({"default": None, "description": "x"}, "any value"),
    ],
    ids=str,
)
def test_types_are_told_in_words(schema: dict[str, Any], words: str) -> None:
    """A reader of the docs needs no JSON Schema."""
    assert reference.in_words(schema, {"Colour": {"enum": ["red", "blue"]}, "Entry": {"type": "object"}}) == words


def test_a_type_without_words_is_noticed() -> None:
    """A new form of type is not passed over in silence."""
    with pytest.raises(ValueError, match="no words for the schema"):
        reference.in_words({"type": "null"}, {})
