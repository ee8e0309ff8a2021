"""Writes what is generated from the types: `schemas/json/` and the pages of `docs/reference/`. Never imported.

python -m schemas.jsonschema            write what has changed, remove schemas of what is no more
python -m schemas.jsonschema --check    write nothing; exit 1 and name the files when any is stale
"""

import json
import sys
from pathlib import Path
from typing import Final

import click

from schemas import asyncapi
from schemas.export import schema_files
from schemas.reference import pages

ROOT: Final = Path(__file__).resolve().parent.parent
SCHEMAS: Final = "schemas/json"
PAGES: Final = "docs/reference"


def expected(root: Path) -> dict[Path, str]:
    """Path -> text, of every generated file of the source tree at `root`."""
    limits_source = (root / "schemas/limits.py").read_text(encoding="utf-8")
    files = {
        root / SCHEMAS / name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schema_files().items()
    }
    files[root / PAGES / "asyncapi.json"] = json.dumps(asyncapi.document(), indent=2, ensure_ascii=False) + "\n"
    return files | {root / PAGES / name: text for name, text in pages(limits_source).items()}


def stale(root: Path) -> list[Path]:
    """The generated files that are missing, differ from what the types say, or describe what is no more."""
    files = expected(root)
    wrong = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    return sorted([*wrong, *(path for path in (root / SCHEMAS).glob("*.json") if path not in files)])


def write(root: Path) -> list[Path]:
    """Bring every generated file up to date; returns those that were not."""
    files = expected(root)
    changed = stale(root)
    for path in changed:
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8", newline="\n")
        else:
            path.unlink()
    return changed


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file is stale.")
@click.option(
    "--root", type=click.Path(exists=True, file_okay=False, path_type=Path), default=ROOT, help="Source tree."
)
def main(*, check: bool, root: Path) -> None:
    """Write the JSON Schemas and the reference pages."""
    if not (root / "pyproject.toml").is_file():
        raise click.ClickException(f"{root} is no source tree of Beatbook (no pyproject.toml): run it in a clone")
    changed = stale(root) if check else write(root)
    for path in changed:
        click.echo(f"{'stale' if check else 'written'}: {path.relative_to(root)}")
    if check and changed:
        click.echo("Run `make schemas` and commit what it writes.", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
