"""The generated pages of docs/reference, as text: record kinds, errors and limits, read from their declarations.

A page is written by `python -m schemas.jsonschema`, and a test fails when it is stale: what the docs say of a field, an
error or a bound is what the code does.
"""

import ast
import re
from collections.abc import Iterable
from typing import Final

from schemas import ids, limits
from schemas.declared import Declared, declared
from schemas.errors import ERRORS, RECOVERY_MEANING, ErrorSpec
from schemas.export import Schema, record_schema
from schemas.kinds import KINDS, FieldSpec, KindSpec
from schemas.kinds.common import DATE_PATTERN
from schemas.kinds.incident import UPRN_PATTERN
from schemas.kinds.receipts import EDITION_PATTERN
from schemas.policies import POLICIES
from schemas.retention import DAYS_A_YEAR, RETENTION, Retention, RetentionGroup

_GENERATED: Final = "*Written by `make schemas` from `{source}`; change it there.*\n"
_PATTERN_WORDS: Final = {
    ids.RECORD_PATTERN: "record id",
    ids.SCOPE_PATTERN: "scope name",
    ids.SLUG_PATTERN: "slug (`a-z`, `0-9`, `-`; up to 40 characters)",
    ids.OP_PATTERN: "op id (`device/number`)",
    DATE_PATTERN: "day (`1984-05-17`)",
    UPRN_PATTERN: "up to 12 digits",
    ids.OFFICER_PATTERN: "collar number",
    ids.DEVICE_PATTERN: "seat id",
    EDITION_PATTERN: "16 hexadecimal digits",
}
_RECORDS_INTRO: Final = (
    "How a record travels and is stored is in the JSON Schemas (`schemas/json/record-*.json`): `Changes` there is what "
    "an op may hold, `Cells` what a row holds.\n"
)
_POLICIES_INTRO: Final = (
    "Two changes are concurrent when neither author saw the other's. What a policy needs beside its name, and who "
    "decides what it leaves open, is told below each kind.\n"
)
_RIGHTS_INTRO: Final = (
    "Below each kind stands who may make and change its records, and below a field who may write it, where that is not "
    "the same. Whoever makes a record also writes what a new one must have. What is recorded once is corrected by "
    "those who decide about it. Where each side writes its own word, its author also holds the scope of the team or "
    "the area whose word it is, and what they are counts there: an agreement is the lending area's, an acceptance the "
    "receiving team's. The device asks before it writes, the server asks again; what is refused so is "
    "`op_not_entitled`.\n"
)
_RETENTION_INTRO: Final = (
    "Why a record is kept, and how long after its last change somebody looks at it again. Nothing is erased by the "
    "passing of time: a person decides. The periods are defaults, to be set by the force's own schedule.\n"
)
_BESIDE_INTRO: Final = "What the fields declare beside their policy:\n"
_WAYS: Final = {
    "together": "all that was said",
    "nothing": "nothing",
}
_UNITS: Final = {
    "BYTES": "bytes",
    "MS": "ms",
    "CHARS": "characters",
    "FRAGMENTS": "frames",
    "FRAMES": "frames",
    "DEPTH": "levels",
    "ARRAY": "elements",
    "MAP": "pairs",
    "ELEMENTS": "values",
    "INT": "magnitude",
    "ENTRIES": "entries",
    "FIELDS": "fields",
    "OPS": "ops",
    "ROWS": "rows",
    "SCOPES": "scopes",
    "RANGES": "ranges",
    "LEN": "elements",
}
_SECTION: Final = re.compile(r"^# --- (.+?) -+$", re.MULTILINE)


def pages(limits_source: str) -> dict[str, str]:
    """File name -> Markdown, of every page.

    Args:
        limits_source: the text of schemas/limits.py; the reason of a bound is the string behind it, which the
            imported module no longer has.
    """
    return {"records.md": records_page(), "errors.md": errors_page(), "limits.md": limits_page(limits_source)}


def records_page() -> str:
    """Every record kind with its fields, their types and merge policies."""
    schemas = {spec.name: record_schema(spec) for spec in KINDS.values()}
    parts: dict[str, tuple[Schema, dict[str, Schema]]] = {}
    for schema in schemas.values():
        defs = schema["$defs"]
        parts |= {name: (each, defs) for name, each in defs.items() if _is_part(name, each)}
    policies = ((f"`{policy.name}`", policy.meaning) for policy in POLICIES)
    return "\n".join(
        [
            "# Record kinds\n",
            _GENERATED.format(source="schemas/kinds/"),
            _RECORDS_INTRO,
            "## Merge policies\n",
            _POLICIES_INTRO,
            _table(("policy", "what concurrent changes lead to"), policies),
            "## Who may write\n",
            _RIGHTS_INTRO,
            "## Retention groups\n",
            _RETENTION_INTRO,
            _table(("group", "reviewed after", "what is in it"), map(_retention_row, RETENTION.items())),
            *(_kind_section(KINDS[name], schemas[name]) for name in sorted(schemas)),
            "## Parts of fields\n",
            *(_part_section(name, *parts[name]) for name in sorted(parts)),
        ]
    )


def errors_page() -> str:
    """The registry of errors."""
    ending = [spec for spec in ERRORS.values() if spec.close is not None]
    of_an_op = [spec for spec in ERRORS.values() if spec.close is None]
    head = ("code", "close", "recovery", "what happened", "what to do")
    return "\n".join(
        [
            "# Errors\n",
            _GENERATED.format(source="schemas/errors.py"),
            "A code is for ever: it is never given another meaning, and a retired one is not used again.\n",
            "## Recoveries\n",
            _table(
                ("recovery", "what a device does"),
                ((f"`{recovery.value}`", meaning) for recovery, meaning in RECOVERY_MEANING.items()),
            ),
            "## Errors that end a connection\n",
            "Sent as ERROR; then the WebSocket is closed with the close code.\n",
            _table(head, map(_error_row, ending)),
            "## Errors of one op\n",
            "Told in RESULTS; the connection stays open and everything else goes on.\n",
            _table((head[0], *head[2:]), ((row[0], *row[2:]) for row in map(_error_row, of_an_op))),
        ]
    )


def limits_page(source: str) -> str:
    """Every bound with its value, unit and reason.

    Args:
        source: the text of schemas/limits.py.

    Raises:
        ValueError: a constant there has no reason behind it.
    """
    sections = [(source.count("\n", 0, found.start()), found[1]) for found in _SECTION.finditer(source)]
    lines = ["# Limits\n", _GENERATED.format(source="schemas/limits.py")]
    reasons = _reasons(ast.parse(source))
    for number, (start, title) in enumerate(sections):
        end = sections[number + 1][0] if number + 1 < len(sections) else len(source)
        rows = [
            (f"`{name}`", *_measure(name, getattr(limits, name)), reason)
            for name, (line, reason) in reasons.items()
            if start < line <= end
        ]
        lines += [f"## {title[0].upper()}{title[1:]}\n", _table(("limit", "value", "unit", "why"), rows)]
    return "\n".join(lines)


def in_words(schema: Schema, defs: dict[str, Schema]) -> str:
    """A field's type for a reader, from its JSON Schema."""
    match schema:
        case {"$ref": str() as ref}:
            name = ref.rpartition("/")[2]
            values = defs[name].get("enum")
            return _either(values) if values else f"[{name}](#{name.lower()})"
        case {"anyOf": [first, {"type": "null"}]}:
            return f"{in_words(first, defs)}, or nothing"
        case {} if _is_anything(schema):
            return "any value"
        case {"type": "array", "prefixItems": list() as items}:
            return f"[{'; '.join(in_words(item, defs) for item in items)}]"
        case {"type": "array"}:
            return f"list of {in_words(schema['items'], defs)}{_range(schema, 'minItems', 'maxItems')}"
        case _:
            return _scalar_in_words(schema)


def _scalar_in_words(schema: Schema) -> str:
    match schema:
        case {"type": "string", "pattern": str() as pattern}:
            return _PATTERN_WORDS[pattern]
        case {"type": "string"}:
            return f"text{_range(schema, 'minLength', 'maxLength', ' characters')}"
        case {"type": "integer"}:
            return f"whole number{_range(schema, 'minimum', 'maximum')}"
        case {"type": "number"}:
            return f"number{_range(schema, 'minimum', 'maximum')}"
        case {"type": "boolean"}:
            return "true or false"
        case _:
            raise ValueError(f"no words for the schema {schema}: add them to schemas/reference.py")


def _is_anything(schema: Schema) -> bool:
    return not schema.keys() & {"type", "anyOf", "$ref"}


def _is_part(name: str, schema: Schema) -> bool:
    return name not in ("Changes", "Cells") and schema.get("type") == "object"


def _kind_section(spec: KindSpec, schema: Schema) -> str:
    rows = []
    for name, field in spec.fields.items():
        each = schema["properties"][name]
        default = "required" if field.required else _default(each["default"])
        words = in_words(each, schema["$defs"])
        rows.append((f"`{name}`", words, f"`{field.policy.name}`", default, each["description"]))
    head = ("field", "type", "policy", "when absent", "meaning")
    made = _made_by_rule(spec) if spec.by_rule else _rights_in_words(spec)
    kept = f"Retention group: `{spec.retention.value}`."
    intro = f"## {spec.name}\n\n{schema['description']}\n\n{made}\n\n{kept}\n\n"
    return f"{intro}{_table(head, rows)}{_beside_section(spec)}"


def _made_by_rule(spec: KindSpec) -> str:
    if spec.named is None:
        return "Only the rules make such records."
    said = _listed(name for name, field in spec.fields.items() if not field.by_rule)
    return (
        "The rules make such records. The id of one follows from what it says, so an op that makes it with something "
        f"in {said} may come ahead of them; where the record is there already, the op edits it."
    )


def _rights_in_words(spec: KindSpec) -> str:
    """Who may make and change records of a kind, for a reader."""
    makers, writers = _listed(role.value for role in spec.rights.makers), _listed(r.value for r in spec.rights.writers)
    who = f"Made and changed by {makers}." if makers == writers else f"Made by {makers}; changed by {writers}."
    named = " The id of one follows from what it says: made twice, it is edited once." if spec.named else ""
    sided = f" In {_listed(sorted(spec.struct.SIDED))} each side writes its own word." if spec.struct.SIDED else ""
    return f"{who} {spec.rights.because}{named}{sided}"


def _beside_section(spec: KindSpec) -> str:
    """What a kind's fields declare beside their policy, as a list of lists; "" when it is nothing."""
    lines = []
    for name, field in spec.fields.items():
        told = beside_in_words(field)
        lines += [f"- `{name}`\n", *(f"  - {text}\n" for text in told)] if told else []
    by_rule = [name for name, field in spec.fields.items() if field.by_rule]
    lines += [f"- Only the rules write {_listed(by_rule)}.\n"] if by_rule else []
    return f"\n{_BESIDE_INTRO}\n{''.join(lines)}" if lines else ""


def beside_in_words(field: FieldSpec) -> list[str]:
    """What a field declares beside its policy, a sentence each, for a reader."""
    says = declared(field)
    told = []
    if "ranks" in says:
        told.append(f"From the lowest to the highest: {_listed(says['ranks'])}; no value is below them all.")
    if "transitions" in says:
        told += _flow_in_words(says)
    if "safe" in says:
        told.append(f"Shown while people differ: {_safe_in_words(says['safe'])}.")
    if "decides" in says:
        told += _asks_in_words(says["decides"])
    if "sees" in says:
        told.append(f"A change also says what its author saw of {_listed(says['sees'])}.")
    if "means" in says:
        told.append(f"Two people say the same when these agree: {_listed(says['means'])}.")
    if "retired" in says:
        retired = says["retired"]
        told.append(f"No longer written since version {retired['since']} of the kinds. Instead: {retired['instead']}.")
    if "writes" in says:
        told.append(_writes_in_words(says["writes"]))
    return told


def _writes_in_words(writes: Declared) -> str:
    """Who may write a field, for a reader."""
    if "named_in" in writes:
        return f"Written by those whom `{writes['named_in']}` names. {writes['because']}"
    told = [f"Written by {_listed(writes['roles'])}"]
    told += [f"`{value}` by {_listed(roles)}" for value, roles in writes.get("to", {}).items()]
    told += ["when the record is made, by whoever makes it"] if "maker" in writes else []
    told += ["only as the collar number of whoever writes it"] if "own" in writes else []
    return f"{'; '.join(told)}. {writes['because']}"


def _flow_in_words(says: Declared) -> list[str]:
    moves = (f"`{one}` to {_listed(after) if after else 'nothing'}" for one, after in says["transitions"].items())
    told = [
        f"Steps: {'; '.join(moves)}.",
        f"Of concurrent states the one further on stands: {_listed(says['precedence'])}.",
    ]
    if "asks_when" in says:
        told.append(f"Concurrent with another state, {_listed(says['asks_when'])} asks a person.")
    if "ending" in says:
        ending = says["ending"]
        told.append(
            f"A person is asked about {_listed(ending['states'])} when its author had not seen an entry of "
            f"{_listed(ending['unless'])}; meanwhile `{ending['shown']}` is shown."
        )
        told += [
            f"Refused while its author sees an entry of `{needs['each']}` and none of `{needs['has']}` with the same "
            f"{_listed(needs['same'], ' and ')}. {needs['because']}"
            for needs in ending.get("needs", ())
        ]
    return told


def _safe_in_words(safe: Declared) -> str:
    if safe["way"] != "first":
        return _WAYS[safe["way"]]
    order = ", ".join("nothing" if value is None else f"`{value}`" for value in safe["order"])
    return f"what comes first among {order}"


def _asks_in_words(asks: Declared) -> list[str]:
    first, then = _listed(asks["roles"], " or "), _listed(asks["then"], " or ")
    time = _time_in_words(asks["within_ms"])
    return [
        f"What is left open is decided by {first} within {time}; then {then} is asked as well.",
        f"What is shown meanwhile is safe: {asks['safe_because']}",
    ]


def _time_in_words(ms: int) -> str:
    minutes = ms // 60_000
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _listed(values: Iterable[str], joint: str = ", ") -> str:
    return joint.join(f"`{value}`" for value in values)


def _retention_row(group: tuple[RetentionGroup, Retention]) -> tuple[str, str, str]:
    name, kept = group
    years = "" if kept.review_days is None else str(kept.review_days // DAYS_A_YEAR)
    period = {"": "with its subject", "1": "1 year"}.get(years, f"{years} years")
    return f"`{name.value}`", period, kept.meaning


def _part_section(name: str, schema: Schema, defs: dict[str, Schema]) -> str:
    rows = []
    for field, each in schema["properties"].items():
        default = "required" if field in schema["required"] else _default(each["default"])
        rows.append((f"`{field}`", in_words(each, defs), default, each["description"]))
    return f"### {name}\n\n{schema['description']}\n\n{_table(('field', 'type', 'when absent', 'meaning'), rows)}"


def _default(value: object) -> str:
    if value is None:
        return "nothing"
    if value in ([], ()):
        return "empty"
    return f"`{str(value).lower()}`"


def _either(values: Iterable[str]) -> str:
    return "one of " + ", ".join(f"`{value}`" for value in values)


def _range(schema: Schema, low: str, high: str, unit: str = "") -> str:
    least, most = schema.get(low), schema.get(high)
    if most == limits.INT_MAX:
        most = "2^53"
    if least is not None and most is not None:
        return f", {least} to {most}{unit}"
    if most is not None:
        return f", at most {most}{unit}"
    return ""


def _error_row(spec: ErrorSpec) -> tuple[str, str, str, str, str]:
    return (f"`{spec.code}`", str(spec.close), f"`{spec.recovery.value}`", spec.meaning, spec.action)


def _reasons(tree: ast.Module) -> dict[str, tuple[int, str]]:
    """Constant -> (line, the string behind it)."""
    found: dict[str, tuple[int, str]] = {}
    for at, node in enumerate(tree.body):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)) or node.target.id == "KIB":
            continue
        match tree.body[at + 1 : at + 2]:
            case [ast.Expr(value=ast.Constant(value=str() as reason))]:
                found[node.target.id] = (node.lineno, " ".join(reason.split()))
            case _:
                raise ValueError(f"schemas/limits.py: {node.target.id} has no reason in a string behind it")
    return found


def _measure(name: str, value: int) -> tuple[str, str]:
    """A bound's value and unit for a reader; the unit is in its name."""
    units = [_UNITS[word] for word in name.split("_") if word in _UNITS]
    if not units:
        raise ValueError(f"schemas/limits.py: the name {name} has no unit that schemas/reference.py knows")
    unit = f"{units[0]} a second" if "_PER_S_" in name else units[0]
    if value == limits.INT_MAX:
        return "2^53", unit
    if unit == "bytes" and value % limits.KIB == 0:
        return f"{value:,} ({value // limits.KIB:,} KiB)", unit
    return f"{value:,}", unit


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [[*head], *([*row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
