"""Golden bytes of the present version: what devices in the field and stores on disk hold is read and written alike.

Those of earlier versions are in test_golden_earlier.py.
"""

from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgpack
import pytest

from schemas import codec, wire
from schemas.export import message_schema, part_schema, record_schema
from schemas.kinds import KINDS
from schemas.ops import Op, Row
from sync import merge
from tests import plain_merge
from tests.example_messages import DOWN, GOLDEN, UP, Sent
from tests.example_ops import OPS
from tests.example_rows import ROWS
from tests.golden_make import FOLDER, make, page, readable

NAMES = sorted(GOLDEN)
MAP_16 = 0xDE
"""First byte of a MessagePack map of up to 2^16 pairs."""


def decode(name: str, data: bytes) -> Sent:
    """Decode a golden file with the decoder that its name calls for."""
    family = name.partition("-")[0]
    match family:
        case "up":
            return codec.decode_up(data)
        case "down":
            return codec.decode_down(data)
        case "hello":
            return codec.decode_hello_body(data)
        case "op":
            return codec.decode_op(data)
        case _:
            return codec.decode_row(data)


def golden(name: str) -> bytes:
    """The bytes of a golden file."""
    return (FOLDER / f"{name}.bin").read_bytes()


def schema_behind(name: str) -> dict[str, Any]:
    """The JSON Schema that the readable form of a golden file must fit."""
    example = GOLDEN[name]
    if isinstance(example, wire.HelloBody | Op | Row):
        return part_schema(type(example))
    return message_schema(type(example))


def test_there_is_a_golden_file_for_each_example_and_no_other() -> None:
    """A message without golden bytes could change unnoticed; golden bytes without an example are checked by nobody."""
    expected = {f"{name}.{kind}" for name in GOLDEN for kind in ("bin", "json")}
    assert {path.name for path in FOLDER.iterdir()} == expected


def test_every_message_and_kind_has_an_example() -> None:
    """The closed unions, the kinds and the forms of a cell are all there."""
    either_way = {wire.AddCredit, wire.Error}
    assert {type(message) for message in UP.values()} >= set(get_args(wire.Up)) - either_way
    assert {type(message) for message in DOWN.values()} >= set(get_args(wire.Down)) - either_way
    assert {type(message) for message in (*UP.values(), *DOWN.values())} >= either_way
    # How far the server has counted is written by no op.
    assert {op.kind for op in OPS.values()} == KINDS.keys() - {"number-series"}
    assert {row.kind for row in ROWS.values()} >= {"incident", "custody-booking", "resource", "suspect", "inbox-item"}
    used = {field.policy.name for spec in KINDS.values() for field in spec.fields.values()}
    shown = {KINDS[row.kind].fields[name].policy.name for row in ROWS.values() for name in row.cells}
    assert shown == used


def test_what_is_new_is_told_at_least_once() -> None:
    """Every field of an op, and every part of a row and of a cell, has a value somewhere that is not its default."""
    told = {name for op in OPS.values() for name in msgpack.unpackb(codec.encode(op))}
    assert told == set(Op.__struct_fields__)
    assert {name for row in ROWS.values() for name in msgpack.unpackb(codec.encode(row))} == set(Row.__struct_fields__)
    longest: dict[str, int] = {}
    for row in ROWS.values():
        for name, cell in row.cells.items():
            policy = KINDS[row.kind].fields[name].policy.name
            longest[policy] = max(len(cell), longest.get(policy, 0))
    one_value = {"latest": 2, "highest": 3, "once": 4, "claim": 4, "judged": 4, "state": 5}
    assert {name: length for name, length in longest.items() if name in one_value} == one_value
    assert {stamp.doubt for row in ROWS.values() for stamp in row.stamps} > {0}
    assert {len(kept) for row in ROWS.values() for told in row.trust.values() for kept in told} == {4, 5}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_golden_row_is_a_record(name: str) -> None:
    """It is what the core writes: taken apart and put together again, it is the same."""
    assert merge.to_row(merge.from_row(ROWS[name])) == ROWS[name]


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_client_made_from_the_page_shows_what_the_core_shows(name: str) -> None:
    """The bytes of disputes, decisions and trust, by other people's MessagePack and the rules of docs/protocol.md."""
    record = plain_merge.record_of(msgpack.unpackb(golden(name)))
    state = merge.from_row(codec.decode_row(golden(name)))
    assert record.values() == state.values()
    assert record.upto == state.upto


@pytest.mark.parametrize("name", NAMES)
def test_encoding_gives_exactly_the_golden_bytes(name: str) -> None:
    """A byte that changes here has changed for every device in the field."""
    assert codec.encode(GOLDEN[name]) == golden(name)


@pytest.mark.parametrize("name", NAMES)
def test_golden_bytes_decode_to_the_example(name: str) -> None:
    """Our decoder reads what was written before."""
    decoded = decode(name, golden(name))
    assert decoded == GOLDEN[name]
    assert codec.encode(decoded) == golden(name)


@pytest.mark.parametrize("name", NAMES)
def test_plain_msgpack_reads_the_same_and_writes_the_same(name: str) -> None:
    """The wire needs nothing of ours: an independent implementation agrees in both directions, and with the page."""
    plain = msgpack.unpackb(golden(name))
    assert page(golden(name)) == (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    written = msgpack.packb(plain)
    assert decode(name, written) == GOLDEN[name]
    # Of a map that may have more than 15 keys our encoder writes the longer head, however many there are.
    wide = isinstance(GOLDEN[name], Op) and golden(name)[0] == MAP_16
    assert written == (bytes([0x80 | len(plain)]) + golden(name)[3:] if wide and len(plain) < 16 else golden(name))


@pytest.mark.parametrize("name", NAMES)
def test_golden_values_fit_their_json_schema(name: str) -> None:
    """The published schema allows what is really sent."""
    validator = jsonschema.Draft202012Validator(schema_behind(name))
    assert [error.message for error in validator.iter_errors(readable(msgpack.unpackb(golden(name))))] == []


@pytest.mark.parametrize("name", sorted(OPS))
def test_the_changes_of_golden_ops_fit_their_kind(name: str) -> None:
    """`$defs/Changes` of a kind's schema allows what an op on it really holds, but for what the rules alone make."""
    spec = KINDS[OPS[name].kind]
    schema = record_schema(spec)
    changes = {**schema["$defs"]["Changes"], "$defs": schema["$defs"]}
    plain = readable(msgpack.unpackb(golden(name))["changes"])
    errors = [error.message for error in jsonschema.Draft202012Validator(changes).iter_errors(plain)]
    by_rule = OPS[name].create and spec.by_rule and spec.named is None
    assert bool(errors) is by_rule, errors


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_cells_of_golden_rows_fit_their_kind(name: str) -> None:
    """`$defs/Cells` of a kind's schema allows what a row of it really holds."""
    schema = record_schema(KINDS[ROWS[name].kind])
    cells = {**schema["$defs"]["Cells"], "$defs": schema["$defs"]}
    plain = readable(msgpack.unpackb(golden(name))["cells"])
    assert [error.message for error in jsonschema.Draft202012Validator(cells).iter_errors(plain)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_later_version_may_add_keys(name: str) -> None:
    """An unknown key, with whatever in it, is passed over, so that a newer peer is still understood."""
    plain = msgpack.unpackb(golden(name)) | {"added_later": {"a": [1, None, b"x"]}}
    assert decode(name, msgpack.packb(plain)) == GOLDEN[name]


def test_the_generator_keeps_what_is_there(tmp_path: Path) -> None:
    """Only on purpose are golden bytes overwritten; missing ones are written with their page."""
    assert len(make(tmp_path, overwrite=False)) == 2 * len(GOLDEN)
    kept = tmp_path / "up-ping.bin"
    kept.write_bytes(b"as released")
    (tmp_path / "up-push.bin").unlink()
    assert {path.name for path in make(tmp_path, overwrite=False)} == {"up-push.bin", "up-push.json"}
    assert kept.read_bytes() == b"as released"
    make(tmp_path, overwrite=True)
    assert kept.read_bytes() == golden("up-ping")


def test_make_does_not_run_the_generator() -> None:
    """No target writes the golden files by the way, or the tests above would prove nothing."""
    assert "golden_make" not in (FOLDER.parent.parent.parent / "Makefile").read_text(encoding="utf-8")
