"""The JSON Schemas say what the types say, in full, and so do the pages of docs/reference."""

import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest

from schemas import reference
from schemas.errors import ERRORS
from schemas.export import MESSAGES, PARTS, described, message_schema, record_schema, schema_files, tag_of
from schemas.kinds import KINDS
from schemas.policies import POLICIES
from schemas.wire import Hello, Push, Range

FILES = schema_files()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_is_a_valid_schema_that_stands_alone(name: str) -> None:
    """It follows the 2020-12 dialect, names no host, and every reference leads inside the file."""
    schema = FILES[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert re.fullmatch(r"urn:beatbook:v1:(message|part|record):[a-z_-]+", schema["$id"])
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
    """Each property bears its policy; an op's changes and a row's cells have every field and no other."""
    schema = record_schema(KINDS[kind])
    declared = {name: field.policy.name for name, field in KINDS[kind].fields.items()}
    assert {name: each["x-merge-policy"] for name, each in schema["properties"].items()} == declared
    assert set(schema["$defs"]["Changes"]["properties"]) == set(declared)
    assert set(schema["$defs"]["Cells"]["properties"]) == set(declared)
    assert set(schema["required"]) == {name for name, field in KINDS[kind].fields.items() if field.required}


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


@pytest.mark.parametrize(
    ("cells", "fits"),
    [
        ({"area": ["birmingham", 0]}, True),
        ({"area": ["birmingham"]}, False),
        ({"area": ["birmingham", 0, []]}, False),
        ({"area": ["Birmingham", 0]}, False),
        ({"opened_at": [5, 0]}, True),
        ({"opened_at": [5, 0, [[6, 1]]]}, True),
        ({"opened_at": [5, 0, []]}, False),
        ({"opened_at": [5, 0, [[6]]]}, False),
        ({"opened_at": [5, 0, [["six", 1]]]}, False),
        ({"log": []}, True),
        ({"log": [[{"text": "x"}, 0, 0]]}, True),
        ({"log": [[{"text": "x"}, 0]]}, False),
        ({"log": [[{"text": "x"}, 0, -1]]}, False),
        ({"log": [[{}, 0, 0]]}, False),
    ],
    ids=str,
)
def test_the_shape_of_a_cell_is_its_policys(cells: dict[str, Any], fits: bool) -> None:  # noqa: FBT001 - a parameter
    """A kind's `Cells` takes the three shapes, each where it belongs."""
    schema = record_schema(KINDS["incident"])
    validator = jsonschema.Draft202012Validator({**schema["$defs"]["Cells"], "$defs": schema["$defs"]})
    assert validator.is_valid(cells) is fits


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
    for policy in POLICIES:
        assert f"| `{policy.name}` | {policy.meaning} |" in page


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
