"""Writes `docs/reference/configuration.md` from the types of `server.configuration`.

python -m server.configuration_page     write it; a test fails when it is stale
"""

import inspect
import json
import re
import typing
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from schemas.retention import Period
from server.configuration import WEBHOOKS, Configuration, keys, section_of, variable_of

PAGE: Final = Path(__file__).resolve().parent.parent / "docs/reference/configuration.md"
_HEAD: Final = """# Configuration

*Written by `python -m server.configuration_page` from the types behind `server/configuration.py`; change it there.*

`beatbook serve --config beatbook.toml` reads one TOML file. Every key has a default, and an unknown one is refused.
What the command line says stands over the file. Paths are relative to the file's folder. What a force
sets for police work, under `[policing]`, stands on [a page of its own](settings.md).

Nothing secret stands in the file: a key that ends in `_file` names a file that its owner alone can read (`chmod 600`),
and the variable beside it, where it is set, stands over the key. A provider's secret may also be the value of
`BEATBOOK_OIDC_CLIENT_SECRET`. No level of the log shows a secret.
"""
_COLUMNS: Final = "| key | takes | default | unit | meaning |\n| --- | --- | --- | --- | --- |"


def page() -> str:
    """The whole page."""
    rows: dict[str, list[str]] = {}
    for key, hint, default in keys():
        section, _, name = key.rpartition(".")
        rows.setdefault(section, []).append(_row(key, name, hint, default, _told(section)))
    return _HEAD + "".join(
        f"\n{_title(section)}\n{_COLUMNS}\n" + "\n".join(lines) + "\n" for section, lines in rows.items()
    )


def _struct(section: str) -> type[msgspec.Struct]:
    found = section_of(typing.get_type_hints(Configuration)[section]) if section else None
    return found or Configuration


def _title(section: str) -> str:
    if not section:
        return "## At the top\n"
    if section == WEBHOOKS:
        shown, off = f"[[{section}]]", ""
    else:
        whole = typing.get_type_hints(Configuration)[section] is _struct(section)
        shown, off = f"[{section}]", "" if whole else " Off unless the section is there."
    summary = inspect.getdoc(_struct(section)) or ""
    return f"## `{shown}`\n\n{summary.partition(chr(10))[0]}{off}\n"


def _told(section: str) -> dict[str, str]:
    """What the docstring of a section says of each key."""
    _, _, attributes = (inspect.getdoc(_struct(section)) or "").partition("Attributes:\n")
    entries = re.split(r"\n(?=    \w+: )", attributes.rstrip())
    pairs = (entry.strip().partition(": ") for entry in entries if entry)
    return {name: " ".join(text.split()) for name, _, text in pairs}


def _row(key: str, name: str, hint: Any, default: object, told: dict[str, str]) -> str:  # noqa: ANN401  a type form
    meta = next((each for each in typing.get_args(hint) if isinstance(each, msgspec.Meta)), msgspec.Meta())
    kind = hint.__origin__ if hasattr(hint, "__metadata__") else hint
    unit = (meta.extra or {}).get("unit", "ms" if name.endswith("_ms") else "")
    meaning = meta.description or told[name]
    meaning = meaning[0].upper() + meaning[1:].rstrip(".") + "."
    variable = variable_of(key)
    if variable is not None:
        meaning += f" Variable: `{variable}`."
    return f"| `{name}` | {_takes(kind, meta)} | {_shown(default)} | {unit} | {meaning} |"


def _takes(kind: Any, meta: msgspec.Meta) -> str:  # noqa: ANN401  a type form
    options = [each for each in typing.get_args(kind) if each is not type(None)]
    if type(None) in typing.get_args(kind) and len(options) == 1:
        # What may be left out.
        (kind,) = options
    origin = typing.get_origin(kind)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in typing.get_args(kind))
    names = {
        bool: "true or false", int: "whole number", float: "number", str: "text", tuple: "list of texts",
        dict: "table of texts", Period: "period",
    }  # fmt: skip
    signs = (("≥", meta.ge), (">", meta.gt), ("≤", meta.le))
    bounds = [f"{sign} {bound:,}" for sign, bound in signs if bound is not None]
    return ", ".join([names.get(origin or kind, "path"), *bounds])


def _shown(default: object) -> str:
    match default:
        case None | "":
            return "none"
        case bool():
            return f"`{json.dumps(default)}`"
        case _ if default is msgspec.NODEFAULT:
            return "must be given"
        case tuple():
            return f"`{json.dumps(default)}`"
        case dict():
            return "`{}`"
        case str() | Path() | Period():
            return f'`"{default}"`'
        case _:
            return f"`{default}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
