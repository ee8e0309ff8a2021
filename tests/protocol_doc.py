"""What docs/protocol.md takes from the code: tables, diagrams and examples, each between two marks.

    <!-- begin: errors -->
    ... this module's text ...
    <!-- end: errors -->

`python -m tests.protocol_doc` writes them anew; test_protocol_doc.py fails when the page differs from the code. What
stands outside the marks is written by hand, and the same test checks it against the code where it can.
"""

import ast
import enum
import json
import re
import types
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.inspect import (
    AnyType,
    BoolType,
    BytesType,
    DictType,
    Field,
    IntType,
    ListType,
    LiteralType,
    NoneType,
    RawType,
    StrType,
    StructType,
    TupleType,
    UnionType,
    VarTupleType,
)

from schemas import ids, limits, ops, scopes
from schemas.declared import declared, words
from schemas.errors import ERRORS, RECOVERY_MEANING
from schemas.kinds import KINDS, FieldSpec
from schemas.limits import INT_MAX
from schemas.policies import MANY
from sync import outbox
from sync.session import table
from sync.session.table import DEVICE_TABLE, SERVER_TABLE, Local
from tests import plain_merge, protocol_examples, protocol_messages, protocol_scopes

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "protocol.md"
MARKED: Final = re.compile(r"<!-- begin: ([a-z-]+) -->\n(.*?)<!-- end: \1 -->", re.DOTALL)

PATTERN_NAMES: Final = {
    ids.DEVICE_PATTERN: "device id",
    ids.OFFICER_PATTERN: "officer id",
    ids.RECORD_PATTERN: "record id",
    ids.EDGE_PATTERN: 'record id or ""',
    ids.SCOPE_PATTERN: "scope",
    ids.SLUG_PATTERN: "slug",
    ids.EPOCH_PATTERN: "epoch",
    ids.FIELD_PATTERN: "field name",
    ids.OP_PATTERN: "op id",
}
PLAIN_WORDS: Final = {RawType: "Row", BoolType: "bool", NoneType: "nil", AnyType: "any"}


# --- types as the page writes them -------------------------------------------------------------------------------


def type_text(kind: msgspec.inspect.Type) -> str:
    """A field's type as the page's tables write it."""
    match kind:
        case UnionType(types=some):
            return " or ".join(type_text(each) for each in some)
        case VarTupleType(item_type=item) | ListType(item_type=item):
            return f"array of {type_text(item)}{_length_text(kind)}"
        case TupleType(item_types=items):
            return f"array of {len(items)}: {', '.join(type_text(item) for item in items)}"
        case DictType(key_type=key, value_type=value):
            return f"map of {type_text(key)} to {type_text(value)}{_length_text(kind)}"
        case StructType(cls=cls):
            return cls.__name__
        case _:
            return _plain_text(kind)


def _plain_text(kind: msgspec.inspect.Type) -> str:
    match kind:
        case StrType():
            return _str_text(kind)
        case IntType(ge=low, le=high):
            return f"int {_number(low)}..{_number(high)}"
        case BytesType(min_length=low, max_length=high):
            return f"bin, {low} bytes" if low == high else f"bin, at most {high} bytes"
        case LiteralType(values=values):
            return " or ".join(f'"{value}"' for value in values)
        case _:
            return PLAIN_WORDS[type(kind)]


def _str_text(kind: StrType) -> str:
    if kind.pattern is not None:
        return PATTERN_NAMES[kind.pattern]
    if kind.max_length is None:
        return "text"
    low = f"{kind.min_length} to " if kind.min_length else "at most "
    return f"text, {low}{kind.max_length} characters"


def _length_text(kind: VarTupleType | ListType | DictType) -> str:
    if kind.max_length is None:
        return ""
    low = f"{kind.min_length} to " if kind.min_length else "at most "
    return f", {low}{kind.max_length}"


def _number(value: object) -> str:
    return {INT_MAX: "2^53", -INT_MAX: "-2^53"}.get(value, str(value)) if isinstance(value, int) else str(value)


def struct_fields(struct: type) -> tuple[Field, ...]:
    """The fields of a Struct, as they are on the wire."""
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, StructType)
    return info.fields


def default_text(field: Field) -> str:
    """What the page's tables say of a field that is left out."""
    if field.required:
        return "required"
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    match value:
        case None:
            return "absent"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case bytes():
            return "no bytes"
        case tuple() | list():
            return "[]"
        case dict():
            return "{}"
        case _:
            return str(value)


# --- the marked parts --------------------------------------------------------------------------------------------


def rows_text(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def diagram(states: type[enum.Enum], transitions: Mapping[Any, Any], start: enum.Enum) -> str:
    """A session's table as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {start.value}"]
    lines += [f"    {state.value}: {state.name}" for state in states]
    grouped: dict[tuple[str, str], list[str]] = {}
    for (state, event), target in transitions.items():
        name = event.value if isinstance(event, Local) else protocol_examples.tag_of(event)
        grouped.setdefault((state.value, target.value), []).append(name)
    lines += [f"    {here} --> {there}: {', '.join(names)}" for (here, there), names in grouped.items()]
    ends = [state for state in states if all(here is not state for here, _ in transitions)]
    lines += [f"    {state.value} --> [*]" for state in ends]
    return "\n".join([*lines, "```", ""])


def meanings(module: types.ModuleType, wanted: str | None = None) -> dict[str, str]:
    """Name -> the text under its assignment, in a module or in one of its classes."""
    tree: ast.Module | ast.ClassDef = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    if wanted is not None:
        tree = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == wanted)
    found = {}
    for node, after in zip(tree.body, tree.body[1:], strict=False):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[target.id] = " ".join(str(after.value.value).split())
    return found


def _states(module: types.ModuleType, states: type[enum.Enum]) -> str:
    said = meanings(module, states.__name__)
    return rows_text(["state", "meaning"], ([f"`{state.value}`", said[state.name]] for state in states))


def _device_states() -> str:
    return (
        diagram(table.DeviceState, DEVICE_TABLE, table.DeviceState.CONNECTED) + "\n" + _states(table, table.DeviceState)
    )


def _server_states() -> str:
    return (
        diagram(table.ServerState, SERVER_TABLE, table.ServerState.CHALLENGED)
        + "\n"
        + _states(table, table.ServerState)
    )


def _outbox() -> str:
    moves = (
        [f"`{state.value}`", event.value, f"`{target.value}`"] for (state, event), target in outbox.TRANSITIONS.items()
    )
    return _states(outbox, outbox.OpState) + "\n" + rows_text(["state", "what happens", "state after"], moves)


def _errors() -> str:
    return rows_text(
        ["code", "close code", "recovery", "what happened"],
        (
            [f"`{spec.code}`", str(spec.close or "stays open"), f"`{spec.recovery.value}`", spec.meaning]
            for spec in ERRORS.values()
        ),
    )


def _recoveries() -> str:
    return rows_text(["recovery", "meaning"], ([f"`{each.value}`", text] for each, text in RECOVERY_MEANING.items()))


def _limits() -> str:
    said = meanings(limits)
    return rows_text(["limit", "value", "meaning"], ([f"`{name}`", _amount(name), said[name]] for name in said))


def _amount(name: str) -> str:
    value = int(getattr(limits, name))
    if name == "INT_MAX":
        return "2^53"
    kib = f" ({value // limits.KIB} KiB)" if "BYTES" in name and value % limits.KIB == 0 else ""
    return f"{value}{kib}"


def _fields() -> str:
    kinds = []
    for spec in KINDS.values():
        lines = [f'    "{name}": {json.dumps(_field(field))}' for name, field in spec.fields.items()]
        kinds.append(f'  "{spec.name}": {{\n' + ",\n".join(lines) + "\n  }")
    return "```json\n{\n" + ",\n".join(kinds) + "\n}\n```\n"


def _field(field: FieldSpec) -> dict[str, Any]:
    """What a device must know of a field. Who decides, and by when, comes with the inbox item.

    The reasons of its rights are left out: they are for people.
    """
    found = declared(field) | words(field.type)
    found.pop("decides", None)
    if "writes" in found:
        found["writes"] = {part: told for part, told in found["writes"].items() if part != "because"}
    if field.required:
        found["required"] = True
    if field.default is not None and field.policy not in MANY:
        found["default"] = field.default
    return found


def _rights() -> str:
    """Who may make and change records of each kind; why is told in docs/reference/records.md."""
    told = ((spec.name, spec.rights.makers, spec.rights.writers) for spec in KINDS.values() if not spec.by_rule)
    return rows_text(
        ["kind", "`makers`", "`writers`"],
        (
            [f"`{name}`", *(", ".join(f"`{role.value}`" for role in roles) for roles in (makers, writers))]
            for name, makers, writers in told
        ),
    )


def _doubt() -> str:
    said = meanings(ops, ops.Doubt.__name__)
    return rows_text(
        ["bit", "name", "meaning"],
        ([str(each.value), f"`{each.name}`", said[each.name]] for each in ops.Doubt if each.name),
    )


def _families() -> str:
    return rows_text(["family", "meaning"], ([f"`{name}`", text] for name, text in scopes.FAMILIES.items()))


def _patterns() -> str:
    # The lookahead only keeps Python's `$` from matching before a final newline; the page says so in words.
    named = ((name, pattern.removesuffix("$(?!\\n)") + "$") for pattern, name in PATTERN_NAMES.items())
    return rows_text(["id", "pattern"], ([name, f"`{pattern}`"] for name, pattern in named))


PARTS: Final[dict[str, Callable[[], str]]] = {
    "patterns": _patterns,
    "families": _families,
    "fields": _fields,
    "rights": _rights,
    "scopes": protocol_scopes.rules_text,
    "scope-cases": protocol_scopes.cases_text,
    "doubt": _doubt,
    "device-states": _device_states,
    "server-states": _server_states,
    "outbox": _outbox,
    "errors": _errors,
    "recoveries": _recoveries,
    "limits": _limits,
    "proof-vector": protocol_messages.proof_vector,
    "digest-vector": protocol_messages.digest_vector,
    "chain-vector": protocol_messages.chain_vector,
    "receipt-vector": protocol_messages.receipt_vector,
    "session": protocol_examples.session_text,
}


def part(name: str) -> str:
    """The text between the marks of that name.

    Raises:
        KeyError: no part has that name.
    """
    if name.startswith("example-"):
        return protocol_messages.example_text(name.removeprefix("example-"))
    return PARTS[name]()


def renewed(text: str, names: Container[str] | None = None) -> str:
    """The page with every marked part written anew, or only those of these names."""

    def write(found: re.Match[str]) -> str:
        body = part(found[1]) if names is None or found[1] in names else found[2]
        return f"<!-- begin: {found[1]} -->\n{body}<!-- end: {found[1]} -->"

    return MARKED.sub(write, text)


def write(page: Path) -> None:
    """Write the page anew; its fields first, for the plain client that speaks in the session is made from the page."""
    text = renewed(page.read_text(encoding="utf-8"), {"fields"})
    plain_merge.FIELDS.clear()
    plain_merge.FIELDS.update(plain_merge.told_in(text))
    page.write_text(renewed(text), encoding="utf-8")


if __name__ == "__main__":
    write(PAGE)
