"""What docs/protocol.md says, for tests to hold a device to: its vectors, its session byte by byte, its tables."""

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[3] / "docs" / "protocol.md"
TEXT = PAGE.read_text(encoding="utf-8")


def block(name: str) -> str:
    """What stands between two marks of the page."""
    found = re.search(rf"<!-- begin: {name} -->\n(.*?)<!-- end: {name} -->", TEXT, re.DOTALL)
    assert found is not None, name
    return found.group(1)


def vector(name: str) -> dict[str, str]:
    """A block of `what: hex` lines."""
    return dict(line.split(": ", 1) for line in block(name).splitlines() if ": " in line)


def session() -> list[tuple[str, str, bytes]]:
    """The whole session: (side, message, bytes), in order."""
    found = re.findall(r"\*\*\d+\. (server|device): `(\w+)`\*\*.*?```hex\n(.*?)```", block("session"), re.DOTALL)
    return [(side, name, bytes.fromhex(text)) for side, name, text in found]


def fields() -> dict[str, dict[str, dict[str, Any]]]:
    """Kind -> field -> what it declares."""
    found = re.search(r"```json\n(.*?)```", block("fields"), re.DOTALL)
    assert found is not None
    told: dict[str, dict[str, dict[str, Any]]] = json.loads(found.group(1))
    return told
