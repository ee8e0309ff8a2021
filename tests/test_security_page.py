"""docs/security.md cannot lie: its tests exist, every control has an end, its numbers and files are the code's."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.errors import UsageError
from server.authority.keys import FOLDER, ServerKeys
from server.store.masters import FILE_NAME
from server.witness.serving import HEADS, KEY
from sync.device.slotfile import SLOTS_FILE
from sync.device.wiping import KEPT_IN_STORE

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ENFORCERS = {"cryptography", "server", "client", "people"}
UNITS = {
    "ms": {"s": 1_000, "min": 60_000, "h": 3_600_000, "day": 86_400_000, "days": 86_400_000},
    "kib": {"KiB": 1, "MiB": 1_024},
}
"""The part of a constant's name that tells its unit -> what the page's units are in that."""


def table(text: str, *columns: str) -> list[list[str]]:
    """The rows of the tables whose header begins with these columns."""
    found: list[list[str]] = []
    rows: list[list[str]] | None = None
    for line in text.splitlines():
        if not line.startswith("|"):
            rows = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if rows is None:
            rows = found if tuple(cells[: len(columns)]) == columns else []
        elif not set(line) <= set("|-: "):
            rows.append(cells)
    return found


def collected_in(path: Path) -> set[str]:
    """The names that pytest collects from a module."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in found if name.startswith(("test_", "Test"))}


def gone(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    missing = []
    for path, name in NAMED_TEST.findall(text):
        file = ROOT / path
        if not file.is_file() or name not in collected_in(file):
            missing.append(f"{path}::{name}")
    return missing


def constant(dotted: str) -> Any:  # noqa: ANN401  whatever the code holds there
    """The value that a dotted name stands for; a Struct's field is what it is by default."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if isinstance(found, type) and issubclass(found, msgspec.Struct):
                found = found()
            found = getattr(found, part)
        return found
    raise UsageError(f"there is no module in {dotted!r}")


def told(value: str, name: str) -> float:
    """A value on the page, in the unit that the constant's name ends in."""
    number, _, unit = value.partition(" ")
    factors = [UNITS[part] for part in name.rsplit(".", 1)[-1].lower().split("_") if part in UNITS]
    return float(number) * (factors[0][unit] if factors else 1)


def controls_of(cell: str) -> list[str]:
    """The controls that a cell names."""
    return [name.strip() for name in cell.split(";")]


def test_every_named_test_exists() -> None:
    """Whoever wants to see a control at work finds the test under the name that the page gives."""
    assert len(NAMED_TEST.findall(TEXT)) > 50
    assert gone(TEXT) == []


def test_a_test_that_is_not_there_is_noticed() -> None:
    """The search is not content with a file, or with a function that is no test."""
    here = "tests/test_security_page.py"
    assert gone(f"`{here}::test_every_named_test_exists`") == []
    assert gone(f"`{here}::test_none` `{here}::table` `tests/none.py::test_x`") == [
        f"{here}::test_none",
        f"{here}::table",
        "tests/none.py::test_x",
    ]


def test_every_threat_names_its_control_and_shows_it() -> None:
    """No row of the threats is a wish: it names an attacker, controls that are explained, and tests."""
    explained = {row[0] for row in table(TEXT, "control", "enforced by")}
    threats = table(TEXT, "asset", "attacker", "control", "tests")
    assert len(threats) > 20
    for asset, attacker, control, tests in threats:
        assert asset
        assert attacker
        assert set(controls_of(control)) <= explained, asset
        assert NAMED_TEST.search(tests), asset


def test_every_control_says_who_enforces_it_and_what_it_does_not_do() -> None:
    """A reader can tell what holds against an altered program from what does not, and where each control ends."""
    used = {name for row in table(TEXT, "asset", "attacker", "control") for name in controls_of(row[2])}
    controls = table(TEXT, "control", "enforced by", "how", "what it does not do")
    assert {row[0] for row in controls} == used
    for name, enforcers, how, ends in controls:
        assert {each.strip() for each in enforcers.split(",")} <= ENFORCERS, name
        assert how, name
        assert ends, name


def parameters() -> Iterator[tuple[str, str]]:
    """(value, constant) of each row of the parameters."""
    for _, value, name in table(TEXT, "what", "value", "constant"):
        yield value, name.strip("`")


@pytest.mark.parametrize(("value", "name"), list(parameters()), ids=lambda word: word.rsplit(".", 1)[-1])
def test_every_parameter_is_the_codes(value: str, name: str) -> None:
    """A number on the page is the number in the code."""
    assert told(value, name) == constant(name)


def test_a_parameter_that_differs_is_noticed() -> None:
    """Units are reckoned with, and a field of a Struct is found by its default."""
    assert told("12 h", "server.registry.rules.SHIFT_MS") == constant("server.registry.rules.SHIFT_MS")
    assert told("12 min", "server.registry.rules.SHIFT_MS") != constant("server.registry.rules.SHIFT_MS")
    assert told("64 MiB", "sync.device.pins.LEAST.memory_kib") == constant("sync.device.pins.LEAST.memory_kib")
    assert told("4", "sync.device.pins.TryLimits.free") != constant("sync.device.pins.TryLimits.free")


def test_every_key_file_is_in_the_inventory(tmp_path: Path) -> None:
    """Whoever plans backups by the page forgets no key, and looks for none that is not there."""
    ServerKeys.open(tmp_path / FOLDER)
    made = {f"{FOLDER}/{path.name}" for path in (tmp_path / FOLDER).iterdir()} | {FILE_NAME}
    assert {row[0].strip("`") for row in table(TEXT, "file", "what it does")} == made
    for name in (SLOTS_FILE, KEY, HEADS, *(f"SEAT.{what}" for what in KEPT_IN_STORE)):
        assert name in TEXT
