"""The generated files in the tree are those that the types give, and the check of that can fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def run(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the generator on a tree, as `make schemas` does."""
    command = [sys.executable, "-m", "schemas.jsonschema", "--root", str(root), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy what the generator reads and writes to where it can be spoilt."""
    for name in ("pyproject.toml", "schemas/limits.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("schemas/json", "docs/reference"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_generated_files_are_up_to_date() -> None:
    """Nobody reads a schema or a page that the code has left behind; `make schemas` writes them."""
    result = run(ROOT, "--check")
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("name", ["schemas/json/message-batch.json", "docs/reference/errors.md"])
def test_a_changed_file_is_noticed_and_mended(tree: Path, name: str) -> None:
    """One byte is enough; --check names the file and leaves it, the plain run writes it again."""
    spoilt = tree / name
    good = spoilt.read_text(encoding="utf-8")
    spoilt.write_text(good.replace("digest", "digets", 1) + " ", encoding="utf-8")
    result = run(tree, "--check")
    assert result.returncode == 1
    assert result.stdout == f"stale: {name}\n"
    assert "make schemas" in result.stderr
    assert spoilt.read_text(encoding="utf-8") != good
    assert run(tree).stdout == f"written: {name}\n"
    assert spoilt.read_text(encoding="utf-8") == good
    assert run(tree, "--check").returncode == 0


def test_a_missing_and_a_left_over_file_are_noticed(tree: Path) -> None:
    """A message without a schema, and a schema without a message."""
    (tree / "schemas/json/message-ping.json").unlink()
    (tree / "schemas/json/message-pang.json").write_text("{}", encoding="utf-8")
    result = run(tree, "--check")
    assert result.returncode == 1
    assert result.stdout == "stale: schemas/json/message-pang.json\nstale: schemas/json/message-ping.json\n"
    assert run(tree).returncode == 0
    assert not (tree / "schemas/json/message-pang.json").exists()
    assert run(tree, "--check").returncode == 0


def test_a_folder_that_is_no_tree_is_refused(tmp_path: Path) -> None:
    """Run in the wrong place, it says so and writes nothing."""
    result = run(tmp_path)
    assert result.returncode == 1
    assert "no source tree of Beatbook" in result.stderr
    assert list(tmp_path.iterdir()) == []
