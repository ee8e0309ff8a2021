"""Writes `docs/reference/configuration.md` from the types of `server.configuration`.

python -m server.configuration_page     write it; a test fails when it is stale
"""

import typing
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from server.configuration import Configuration, keys, variable_of

PAGE: Final = Path(__file__).resolve().parent.parent / "docs/reference/configuration.md"
_HEAD: Final = """# Configuration

*Written by `python -m server.configuration_page` from the types in `server/configuration.py`; change it there.*

`beatbook serve --config beatbook.toml` reads one TOML file. Every key has a default, and an unknown one is refused.
What the command line says stands over the file. Paths are relative to the file's folder.

Nothing secret stands in the file: a key that ends in `_file` names a file that its owner alone can read (`chmod 600`),
and the variable beside it, where it is set, stands over the key. No level of the log shows a secret.
"""


def page() -> str:
    """The whole page."""
    sections: dict[str, list[str]] = {}
    for key, hint, default in keys():
        section, _, name = key.rpartition(".")
        sections.setdefault(section, []).append(_row(key, name, hint, default))
    hints = typing.get_type_hints(Configuration)
    parts = [_HEAD]
    for section, rows in sections.items():
        title = f"## `[{section}]`" if section else "## At the top"
        told = f"\n{(hints[section].__doc__ or '').strip()}\n" if section else ""
        parts.append(
            f"{title}\n{told}\n| key | takes | default | unit | meaning |\n| --- | --- | --- | --- | --- |\n"
            + "\n".join(rows)
            + "\n"
        )
    return "\n".join(parts)


def _row(key: str, name: str, hint: Any, default: object) -> str:  # noqa: ANN401  a type form
    meta = next(each for each in hint.__metadata__ if isinstance(each, msgspec.Meta))
    unit = (meta.extra or {}).get("unit", "")
    variable = variable_of(key)
    told = meta.description or ""
    if variable is not None:
        told += f" Variable: `{variable}`."
    return f"| `{name}` | {_takes(hint.__origin__, meta)} | {_shown(default)} | {unit} | {told} |"


def _takes(kind: Any, meta: msgspec.Meta) -> str:  # noqa: ANN401  a type form
    if typing.get_origin(kind) is Literal:
        return " or ".join(f"`{each}`" for each in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "list of texts"
    bounds = [
        f"{sign} {bound:,}" for sign, bound in (("≥", meta.ge), (">", meta.gt), ("≤", meta.le)) if bound is not None
    ]
    names = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`"}
    return ", ".join([names.get(kind, "path"), *bounds])


def _shown(default: object) -> str:
    match default:
        case None:
            return "none"
        case ():
            return "`[]`"
        case str() | Path():
            return f'`"{default}"`'
        case _:
            return f"`{default}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
