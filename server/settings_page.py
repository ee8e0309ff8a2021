"""Writes `docs/reference/settings.md` from the types of `schemas.settings`.

python -m server.settings_page     write it; a test fails when it is stale
"""

import inspect
import json
import re
import sys
import textwrap
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.settings import DEFAULTS, Settings
from schemas.settings.overriding import struct_of

PAGE: Final = Path(__file__).resolve().parent.parent / "docs/reference/settings.md"
_HEAD: Final = """# Settings of police work

*Written by `python -m server.settings_page` from the types in `schemas/settings/`; change it there.*

Every period, grade, code and rank that forces differ in is a setting with a default. A force overrides what it wants in
the tables of `[policing]` in the server's [configuration file](configuration.md); what the file does not name keeps its
default.

```toml
[policing.custody]
review_warn_ms = [5_400_000, 1_800_000, 0]   # 90 and 30 minutes before a review is due, and then

[policing.incidents]
attendance = [["p1", 600_000], ["p2", 3_600_000], ["scheduled", 172_800_000]]
```

An unknown key, a value of the wrong kind, and what can hold in no force (a review period of 0, warnings that warn
nobody, an unknown rank) is refused with the key and what to write; the settings before stay in force. The server reads
the file when it starts and at SIGHUP, without a restart. It goes by the settings at once and hands them to every
handheld as a record of the kind `settings`, so that one without signal goes by the same figures.

Periods are in milliseconds. A list is given whole: it replaces the default.
"""
_COLUMNS: Final = "| key | takes | default | meaning |\n| --- | --- | --- | --- |"
_UNITS: Final = ((24 * 60 * 60_000, "days"), (60 * 60_000, "h"), (60_000, "min"), (1_000, "s"))
_CELL_CHARS_MAX: Final = 80
"""A default that is longer stands under the table."""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_subject(field.name, getattr(DEFAULTS, field.name)) for field in _fields(Settings))


def shown_below(section: msgspec.Struct) -> Iterator[tuple[str, str]]:
    """(key, its default as TOML) of each key whose default is too long for a table."""
    for field in _fields(type(section)):
        value = getattr(section, field.name)
        if len(_toml(value)) > _CELL_CHARS_MAX:
            yield field.name, _toml(value, deep=True)


def _fields(struct: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(struct)


def _subject(subject: str, section: msgspec.Struct) -> str:
    text = inspect.getdoc(sys.modules[type(section).__module__]) or ""
    told, hints = meanings(type(section)), typing.get_type_hints(type(section), include_extras=True)
    below = dict(shown_below(section))
    rows = [
        f"| `{field.name}` | {_takes(hints[field.name], field.name)} | "
        f"{'below' if field.name in below else _default(field.name, getattr(section, field.name))} | "
        f"{told[field.name]} |"
        for field in _fields(type(section))
    ]
    parts = [f"\n## `[policing.{subject}]`\n\n{text}\n\n{_COLUMNS}", *rows]
    if below:
        parts += [
            "",
            "```toml",
            f"[policing.{subject}]",
            *(f"{name} = {value}" for name, value in below.items()),
            "```",
        ]
    return "\n".join(parts) + "\n"


def meanings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """What a docstring says of each attribute: one entry may be for several, with commas between them."""
    _, _, attributes = (inspect.getdoc(struct) or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", textwrap.dedent(attributes).strip()):
        names, _, text = entry.partition(": ")
        words = " ".join(text.split())
        found |= dict.fromkeys(names.split(", "), words[:1].upper() + words[1:])
    return found


def _takes(hint: Any, name: str) -> str:  # noqa: ANN401  a type form
    bare = hint.__origin__ if hasattr(hint, "__metadata__") else hint
    unit = " (ms)" if name.endswith("_ms") else ""
    struct = struct_of(hint)
    if typing.get_origin(bare) is not tuple:
        return f"table ({_members(struct)})" if struct else _word(bare) + unit
    if struct is None:
        return f"list of {_word(typing.get_args(bare)[0])}s{unit}"
    return f"list of {'lists' if struct.__struct_config__.array_like else 'tables'} ({_members(struct)})"


def _members(struct: type[msgspec.Struct]) -> str:
    return ", ".join(f"`{name}`" for name in struct.__struct_fields__)


def _word(hint: Any) -> str:  # noqa: ANN401  a type form
    bare = hint.__origin__ if hasattr(hint, "__metadata__") else hint
    return {bool: "true or false", int: "whole number", str: "word"}[bare]


def _default(name: str, value: object) -> str:
    text = f"`{_toml(value)}`"
    if name.endswith("_ms"):
        times = value if isinstance(value, tuple) else (value,)
        text += f" ({', '.join(in_units(int(one)) for one in times)})"
    return text


def in_units(ms: int) -> str:
    """A period in the largest unit that it is a whole number of: `6 h`."""
    for size, unit in _UNITS:
        if ms and ms % size == 0 and (abs(ms) > size or unit != "days"):
            return f"{ms // size} {unit}"
    return str(ms)


def _toml(value: object, *, deep: bool = False) -> str:
    """A value as TOML; `deep` puts the entries of a list on lines of their own."""
    match value:
        case bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case int():
            return f"{value:_}"
        case tuple():
            parts = [_toml(each) for each in value]
        case msgspec.Struct() if value.__struct_config__.array_like:
            parts = [_toml(getattr(value, name)) for name in value.__struct_fields__]
        case msgspec.Struct():
            pairs = ((name, getattr(value, name)) for name in value.__struct_fields__)
            return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in pairs if each is not None) + " }"
        case _:
            raise TypeError(f"no TOML for {value!r}")
    return "[\n" + "".join(f"    {part},\n" for part in parts) + "]" if deep else f"[{', '.join(parts)}]"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
