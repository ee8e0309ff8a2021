"""JSON Schema (2020-12) of every message, every part of one and every record kind, built from the types themselves.

`schemas/json/` holds what this gives, written by `python -m schemas.jsonschema`. The schemas describe the JSON form of
a MessagePack value: `bin` becomes base64 text, marked with `x-msgpack-type: bin` and its length in bytes. What the
types cannot say of a `Row` (a cell's shape is its field's policy) is added here from the kinds' declarations, and what
a field declares is told in `x-` annotations (`schemas.declared`).
"""

import enum
import inspect
import re
from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from schemas import wire
from schemas.declared import annotations, rights
from schemas.ids import OP_PATTERN
from schemas.kinds import KINDS, FieldSpec, KindSpec, Token
from schemas.limits import ARRAY_LEN_MAX, ENTRIES_PER_OP_MAX, FIELDS_PER_OP_MAX, INT_MAX, SEEN_OPS_MAX
from schemas.ops import Op, Row, Stamp
from schemas.policies import MANY, POLICIES, Policy, claim, grow, highest, judged, latest, once, state

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MESSAGES: Final[tuple[type[msgspec.Struct], ...]] = tuple(
    sorted({*get_args(wire.Up), *get_args(wire.Down)}, key=lambda message: str(message.__struct_config__.tag))
)
"""Every message, either way."""
PARTS: Final[tuple[type[msgspec.Struct], ...]] = (
    wire.HelloBody,
    Op,
    Row,
    Stamp,
    wire.Position,
    wire.Plan,
    wire.Result,
    wire.Difference,
    wire.ShortChange,
    wire.ShortDone,
    wire.Range,
)
"""What messages are made of, or carry as `bin`."""

_REF: Final = "#/$defs/{name}"
_INDEX: Final[Schema] = {"type": "integer", "minimum": 0, "description": "Index into the row's `stamps`."}
_ENTRY_NUMBER: Final[Schema] = {
    "type": "integer",
    "minimum": 0,
    "description": "The entry's place in its op; (op, k) names it for ever.",
}
_OP: Final[Schema] = {"type": "string", "pattern": OP_PATTERN}
_NO_OP: Final[Schema] = {"const": ""}
_TRUSTED: Final[Schema] = {
    "type": "array",
    "prefixItems": [
        {"description": "The change as it came."},
        _INDEX,
        {
            "description": "What its author saw in the field, if the op says so.",
            "anyOf": [{"type": "array", "items": _OP, "maxItems": SEEN_OPS_MAX}, {"type": "null"}],
        },
        {"type": "integer", "minimum": 0, "maximum": INT_MAX, "description": "The version that its author looked at."},
        {"const": True, "description": "There when it is a correction."},
    ],
    "minItems": 4,
    "items": False,
}
_PARTS_OF_CELL: Final = {
    latest.name: 2,
    highest.name: 3,
    once.name: 4,
    claim.name: 4,
    judged.name: 4,
    state.name: 5,
}
"""How many elements a cell of a policy with one value has at most; trailing empty ones are left out."""
_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*)$")


def schema_files() -> dict[str, Schema]:
    """File name -> JSON Schema, of everything that travels."""
    files = {f"message-{tag_of(message)}.json": message_schema(message) for message in MESSAGES}
    files |= {f"part-{_dashed(part.__name__)}.json": part_schema(part) for part in PARTS}
    files |= {f"record-{spec.name}.json": record_schema(spec) for spec in KINDS.values()}
    return files


def message_schema(message: type[msgspec.Struct]) -> Schema:
    """The schema of one message."""
    return _document(f"v{wire.PROTO}:message:{tag_of(message)}", message)


def part_schema(part: type[msgspec.Struct]) -> Schema:
    """The schema of one part of the messages."""
    return _document(f"v{wire.PROTO}:part:{_dashed(part.__name__)}", part)


def record_schema(spec: KindSpec) -> Schema:
    """The schema of one record kind's values; `$defs` tells what an op may change and what a row's cells hold."""
    schema = _document(f"v{wire.SCHEMA}:record:{spec.name}", spec.struct)
    schema["x-schema-version"] = wire.SCHEMA
    schema["x-retention"] = spec.retention.value
    if spec.by_rule:
        schema["x-by-rule"] = True
    else:
        schema["x-rights"] = rights(spec)
    schema |= {"x-named": True} if spec.named is not None else {}
    schema |= {"x-sided": sorted(spec.struct.SIDED)} if spec.struct.SIDED else {}
    changes: Schema = {}
    cells: Schema = {}
    for name, field in spec.fields.items():
        value = {key: kept for key, kept in schema["properties"][name].items() if key not in ("default", "description")}
        schema["properties"][name] |= annotations(field)
        if field.retired is not None:
            schema["properties"][name]["deprecated"] = True
        # Whoever makes a record that is named after what it says, says all of that, ahead of the rules.
        if not field.by_rule or (spec.named is not None and field.required):
            changes[name] = change_schema(field, value)
        cells[name] = cell_schema(field.policy, value["items"] if field.policy in MANY else value)
    schema["$defs"]["Changes"] = {
        "title": "Changes",
        "description": "What `changes` of an op on this kind may hold: field -> new value, the entries to append, or "
        "the tags to add and to remove. An op that makes the record sets every required field.",
        "type": "object",
        "properties": changes,
        "additionalProperties": False,
        "maxProperties": FIELDS_PER_OP_MAX,
    }
    schema["$defs"]["Cells"] = {
        "title": "Cells",
        "description": "What `cells` of a row of this kind holds; a field that was never set has no cell.",
        "type": "object",
        "properties": cells,
    }
    return schema


def change_schema(field: FieldSpec, value: Schema) -> Schema:
    """The schema of what an op holds for a field, around the schema of the field's value."""
    if field.policy not in MANY:
        return value
    entries = {"type": "array", "items": value["items"], "minItems": 1, "maxItems": ENTRIES_PER_OP_MAX}
    if field.policy is grow:
        return entries
    return {
        "type": "object",
        "properties": {"add": entries, "remove": entries},
        "additionalProperties": False,
        "minProperties": 1,
    }


def cell_schema(policy: Policy, value: Schema) -> Schema:
    """The schema of a row's cell under `policy`, around the schema of its value (of `grow` and `tags`: of an entry)."""
    if policy in MANY:
        entry = _tuple(value, _INDEX, _ENTRY_NUMBER)
        return {"type": "array", "items": entry, "maxItems": ARRAY_LEN_MAX}
    other = _tuple(value, _INDEX)
    beside: Schema = {"type": "array", "items": other, "description": "What was said besides, by whom."}
    against: Schema = {"type": "array", "items": _tuple(_OP, _OP), "minItems": 1, "description": "[ending, entry] ops."}
    # Each form ends with something that is not empty: trailing empty elements are left out.
    forms = [
        _tuple(value, _INDEX),
        _tuple(value, _INDEX, {**beside, "minItems": 1}),
        _tuple(value, _INDEX, beside, _OP),
        _tuple(value, _INDEX, beside, {"anyOf": [_OP, _NO_OP]}, against),
    ]
    fitting = forms[: _PARTS_OF_CELL[policy.name] - 1]
    return fitting[0] if len(fitting) == 1 else {"anyOf": fitting}


def _tuple(*items: Schema) -> Schema:
    return {"type": "array", "prefixItems": list(items), "minItems": len(items), "items": False}


def described(struct: type) -> tuple[str, dict[str, str]]:
    """A class's docstring as (text before `Attributes:`, attribute -> text), each on one line.

    What it inherits is told where it is declared.
    """
    text, _, attributes = inspect.cleandoc(struct.__doc__ or "").partition("\nAttributes:\n")
    found = {name: told for base in reversed(struct.__mro__[1:-1]) for name, told in described(base)[1].items()}
    names: list[str] = []
    for line in attributes.splitlines():
        start = _ATTRIBUTE.match(line)
        if start is not None:
            names = start[1].split(", ")
            found |= dict.fromkeys(names, start[2][:1].upper() + start[2][1:])
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in names if line.strip()}
    return " ".join(text.split()), found


def tag_of(message: type[msgspec.Struct]) -> str:
    """The value of `t` that names a message."""
    return str(message.__struct_config__.tag)


def _document(name: str, root: type[msgspec.Struct]) -> Schema:
    """One file: the root type, with every type it leans on under `$defs`."""
    roots: list[type[msgspec.Struct]] = [root, Row] if _holds_rows(root) else [root]
    _, components = msgspec.json.schema_components(roots, ref_template=_REF)
    structs = _types_behind(roots)
    defs = {title: _completed(schema, structs[title]) for title, schema in sorted(components.items())}
    body = defs.pop(root.__name__)
    return {"$schema": DIALECT, "$id": f"urn:beatbook:{name}", **body, "$defs": defs}


def _completed(schema: Schema, described_type: type) -> Schema:
    """A component with what msgspec leaves out: descriptions, byte lengths, rows and their cells."""
    text, attributes = described(described_type)
    schema["description"] = text
    if issubclass(described_type, enum.Enum):
        schema["enum"] = [member.value for member in described_type]
        if issubclass(described_type, Token):
            # A newer program may send another one, to be kept and shown as it is.
            schema["x-open"] = True
        return schema
    info = msgspec.inspect.type_info(described_type)
    if not isinstance(info, msgspec.inspect.StructType):
        raise TypeError(f"{described_type.__name__} is neither a Struct nor an enum, so it cannot be exported")
    for at, field in enumerate(info.fields):
        part = schema["prefixItems"][at] if info.array_like else schema["properties"][field.encode_name]
        _mark_binary(part, field.type)
        if field.name in attributes:
            part["description"] = attributes[field.name]
        if info.array_like:
            part["title"] = field.name
    if described_type is Row:
        anything: Schema = {}
        schema["properties"]["cells"]["additionalProperties"] = {
            "anyOf": [{"title": policy.name, **cell_schema(policy, anything)} for policy in POLICIES]
        }
        schema["properties"]["trust"]["additionalProperties"] = {"type": "array", "items": _TRUSTED}
    return schema


def _mark_binary(schema: Schema, info: msgspec.inspect.Type) -> None:
    """Tell `bin` from text, and a row that is kept as received from a value of any kind."""
    match info:
        case msgspec.inspect.BytesType():
            schema["x-msgpack-type"] = "bin"
            lengths = {"x-bytes-min": info.min_length, "x-bytes-max": info.max_length}
            schema |= {key: length for key, length in lengths.items() if length is not None}
        case msgspec.inspect.RawType():
            schema["$ref"] = _REF.format(name=Row.__name__)
        case msgspec.inspect.UnionType():
            for option in schema["anyOf"]:
                for inner in info.types:
                    if isinstance(inner, msgspec.inspect.BytesType) and "contentEncoding" in option:
                        _mark_binary(option, inner)
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
            _mark_binary(schema["items"], info.item_type)
        case msgspec.inspect.TupleType():
            for part, inner in zip(schema["prefixItems"], info.item_types, strict=True):
                _mark_binary(part, inner)
        case _:
            return


def _holds_rows(root: type[msgspec.Struct]) -> bool:
    fields = msgspec.structs.fields(root)
    return any(msgspec.Raw in get_args(inner) for field in fields for inner in (field.type, *get_args(field.type)))


def _types_behind(roots: Iterable[type[msgspec.Struct]]) -> dict[str, type]:
    """Name -> Struct or enum, of the roots and everything inside them."""
    found: dict[str, type] = {}

    def visit(info: object) -> None:
        match info:
            case msgspec.inspect.StructType():
                if info.cls.__name__ not in found:
                    found[info.cls.__name__] = info.cls
                    visit([field.type for field in info.fields])
            case msgspec.inspect.EnumType():
                found[info.cls.__name__] = info.cls
            case msgspec.inspect.UnionType():
                visit(info.types)
            case msgspec.inspect.TupleType():
                visit(info.item_types)
            case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
                visit(info.item_type)
            case msgspec.inspect.DictType():
                visit([info.key_type, info.value_type])
            case list() | tuple():
                for each in info:
                    visit(each)
            case _:
                return

    visit([msgspec.inspect.type_info(root) for root in roots])
    return found


def _dashed(name: str) -> str:
    """`HelloBody` -> `hello-body`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
