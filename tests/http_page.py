"""Writes the part of docs/reference/http.md that tells of identity and administration, from the operations themselves.

`python -m tests.http_page` brings the page up to date; tests/server/test_openapi.py holds it against the code.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.rights import in_words
from server.http import (
    act_drafts,
    administration,
    devices,
    events,
    evidence,
    exports,
    federation,
    importing,
    orders,
    organisation,
    oversight,
    packs,
    quality,
    retention,
    security_keys,
    signing,
    status,
)
from server.http.administration import GrantActs, OrganisationActs, PeopleActs, SeatActs
from server.http.operations import ANYBODY, KEY_HOLDER, Operation

PAGE: Final = Path(__file__).resolve().parents[1] / "docs/reference/http.md"
BEGIN: Final = "<!-- from the operations: `python -m tests.http_page` -->\n"
END: Final = "<!-- end of what is from the operations -->\n"
FAMILIES: Final = {kind.__name__ for kind in (OrganisationActs, PeopleActs, GrantActs, SeatActs)}


def told() -> str:
    """The part of the page."""
    parts: list[str] = []
    for heading, operations in (
        ("Signing in", signing.OPERATIONS),
        ("Signing in elsewhere", federation.OPERATIONS),
        ("Security keys", security_keys.OPERATIONS),
        ("What a device is ordered", orders.OPERATIONS),
        ("Devices", devices.OPERATIONS),
        ("Files of other systems", importing.OPERATIONS),
        ("Publishing", exports.OPERATIONS),
        ("Briefing packs and neighbourhoods", packs.OPERATIONS),
        ("Administration", administration.OPERATIONS),
        ("The organisation as files", organisation.OPERATIONS),
        ("Oversight", oversight.OPERATIONS),
        ("Quality of recording", quality.OPERATIONS),
        ("Retention", retention.OPERATIONS),
        ("The log", evidence.OPERATIONS),
        ("Events out", events.OPERATIONS),
        ("What a victim sees", status.OPERATIONS),
    ):
        parts.append(f"## {heading}\n")
        parts += [_section(operation) for operation in operations]
    return "\n".join(parts)


def _section(operation: Operation) -> str:
    lines = [f"### `{operation.method} {operation.path}`\n", f"{operation.summary} For {_who(operation)}.\n"]
    if operation.query:
        lines.append("| parameter | meaning |\n| --- | --- |")
        lines += [f"| `{name}` | {meaning} |" for name, meaning in operation.query.items()]
        lines.append("")
    if operation.raw:
        lines.append(f"Takes the file itself, as `{operation.raw}`.\n")
    for word, body in (("Takes", operation.takes), ("Gives", operation.gives)):
        if body is not None and msgspec.structs.fields(body):
            lines += [f"{word}:\n", *_bodies(body)]
    return "\n".join(lines)


def _who(operation: Operation) -> str:
    if isinstance(operation.who, tuple):
        return f"whoever is {in_words(operation.who)}"
    return {ANYBODY: "anybody", KEY_HOLDER: "whoever proves a device's key"}.get(operation.who, "whoever is signed in")


def _bodies(body: Any) -> Iterator[str]:  # noqa: ANN401  a Struct
    if body.__name__ in FAMILIES:
        yield "`acts`, a list of the following, each with its `t`. What begins or ends does so now where a call does"
        yield "not say when, and what can be ended gets a `span` of its own.\n"
        yield "| `t` | fields |\n| --- | --- |"
        for draft, _ in act_drafts.drafts_of(body):
            fields = ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(draft))
            yield f"| `{draft.__struct_config__.tag}` | {fields} |"
        yield ""
        return
    meanings = _meanings(body.__doc__ or "")
    yield "| field | meaning |\n| --- | --- |"
    for field in msgspec.structs.fields(body):
        yield f"| `{field.encode_name}` | {meanings.get(field.encode_name, _first(body))} |"
    yield ""
    for inner in _inner(body):
        yield f"Each of those ({_first(inner).rstrip('.').lower()}):\n"
        yield from _bodies(inner)


def _inner(body: Any) -> list[Any]:  # noqa: ANN401  as above
    types = [field.type for field in msgspec.structs.fields(body)]
    parts = [part for each in types for part in (each, *getattr(each, "__args__", ()))]
    return [part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)]


def _first(body: Any) -> str:  # noqa: ANN401  as above
    return (body.__doc__ or "").strip().splitlines()[0]


def _meanings(text: str) -> dict[str, str]:
    """Field -> meaning, as a docstring's Attributes have them."""
    _, _, listed = text.partition("Attributes:\n")
    found: dict[str, str] = {}
    for names, meaning in re.findall(r"^ {8}([\w, ]+): ((?:.|\n {9,})+)", listed, re.MULTILINE):
        whole = " ".join(meaning.split()).replace("|", "\\|")
        found.update(dict.fromkeys(names.split(", "), whole))
    return found


def main() -> None:
    """Bring the page up to date."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{told()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
