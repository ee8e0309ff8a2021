"""The tree is what the design says, and the rules that keep it so can still fail."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("schemas", "sync", "server", "loadtest")
FOLDERS = {*PACKAGES, "deploy", "docs", "tests"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# What reaches the machine without an import that import-linter could see, or through a harmless-looking one.
IO_NAMES = {"open", "print", "input", "breakpoint", "__import__"}
IO_ATTRIBUTES = {"now", "utcnow", "today", "uuid1", "uuid4", "uuid6", "uuid7"}


def core_modules() -> Iterator[Path]:
    """Yield every module that must be pure: schemas and sync, but for the generator and the engine."""
    for path in sorted([*(ROOT / "schemas").rglob("*.py"), *(ROOT / "sync").rglob("*.py")]):
        if path != ROOT / "schemas/jsonschema.py" and ROOT / "sync/device" not in path.parents:
            yield path


def impurities(source: str) -> list[str]:
    """Name each call in `source` that does I/O or asks the machine for time or ids."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IO_NAMES:
                found.append(f"{node.lineno}: {name}()")
            case ast.Call(func=ast.Attribute(attr=name)) if name in IO_ATTRIBUTES:
                found.append(f"{node.lineno}: .{name}()")
    return found


def test_top_level_folders_are_those_of_the_design() -> None:
    """Code in a folder beside these is code that no rule holds for."""
    present = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert present >= FOLDERS
    strays = present - FOLDERS - {"build", "dist"}
    assert [name for name in strays if any((ROOT / name).rglob("*.py"))] == []


def test_every_tool_is_told_of_every_package() -> None:
    """A package that a tool does not know is a package that it does not check."""
    tool = PROJECT["tool"]
    assert tool["hatch"]["build"]["targets"]["wheel"]["packages"] == list(PACKAGES)
    assert tool["importlinter"]["root_packages"] == list(PACKAGES)
    assert tool["mypy"]["files"] == [*PACKAGES, "tests"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_with_modules_is_a_package(package: str) -> None:
    """import-linter does not look into a folder that has no __init__.py."""
    for module in (ROOT / package).rglob("*.py"):
        assert (module.parent / "__init__.py").is_file(), module.parent.relative_to(ROOT)


def test_the_core_calls_nothing_of_the_machine() -> None:
    """Time, ids and files come in as arguments: what import-linter cannot see, this does."""
    found = {
        str(path.relative_to(ROOT)): calls
        for path in core_modules()
        if (calls := impurities(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_impure_calls_are_recognised() -> None:
    """The search above finds what it is for."""
    source = "open('x')\nprint(1)\ndatetime.now(UTC)\nuuid.uuid4()\nstore.read()\n"
    assert impurities(source) == ["1: open()", "2: print()", "3: .now()", "4: .uuid4()"]


def test_direct_dependencies_are_locked_with_hashes_and_without_addresses() -> None:
    """The lock names what to install and how to recognise it, and leaves to each machine where to get it."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *extras["dev"], *extras["load"]]:
        name = re.split(r"[<>=;!~ ]", requirement, maxsplit=1)[0]
        assert re.search(rf"^{name}==\S+ [^\n]*\\\n    --hash=sha256:", lock, re.MULTILINE), name
    for word in ("://", "--index", "--extra-index", "--find-links", "file:", " @ ", "(/"):
        assert word not in lock


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages in `tree`."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the packages and their contracts to where a violation can be planted."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_the_import_contracts_are_kept(tree: Path) -> None:
    """Without a violation there is no complaint, or the tests below would prove nothing."""
    result = lint_imports(tree)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("schemas.planted", "sync"),
        ("schemas.planted", "server"),
        ("schemas.planted", "pathlib"),
        ("schemas.planted", "schemas.jsonschema"),
        ("sync.planted", "server"),
        ("sync.planted", "loadtest"),
        ("sync.planted", "asyncio"),
        ("sync.planted", "time"),
        ("sync.planted", "random"),
        ("sync.planted", "sqlite3"),
        ("sync.planted", "socket"),
        ("sync.planted", "sync.device"),
        ("sync.device.planted", "server"),
        ("server.planted", "loadtest"),
        ("server.planted", "deploy"),
        ("loadtest.planted", "server"),
        ("loadtest.locust.planted", "schemas"),
        ("loadtest.locust.planted", "sync"),
    ],
)
def test_a_planted_import_breaks_a_contract(tree: Path, module: str, imported: str) -> None:
    """Each contract fails on the import that it forbids, and names both ends."""
    planted = tree / f"{module.replace('.', '/')}.py"
    planted.write_text(f"import {imported}\n", encoding="utf-8")
    try:
        result = lint_imports(tree)
    finally:
        planted.unlink()
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout
    assert f"{module} -> {imported}" in result.stdout


def test_the_engine_around_the_core_may_do_io(tree: Path) -> None:
    """sync.device is where sockets, files and tasks belong."""
    planted = tree / "sync/device/planted.py"
    planted.write_text("import asyncio, sqlite3, time\n", encoding="utf-8")
    try:
        result = lint_imports(tree)
    finally:
        planted.unlink()
    assert result.returncode == 0, result.stdout + result.stderr
