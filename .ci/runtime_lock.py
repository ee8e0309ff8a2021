"""Writes what an image installs: the part of requirements.lock that the program needs, and the part that builds it.

python .ci/runtime_lock.py           write deploy/container/*.txt; a test fails when they are stale
python .ci/runtime_lock.py --check   say whether they are what the lock says

Everything stays as it is locked: version, hashes, and for which platform. The tools of developers stay out: what is not
in an image cannot be used against it.
"""  # noqa: INP001

import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import locked

FOLDER: Final = locked.ROOT / "deploy/container"
_HEAD: Final = "# Written by `make lock` from requirements.lock; change it there.\n"
_EXTRAS: Final = ("otel",)
"""An image cannot be added to, so it has what the configuration can switch on."""


def blocks(text: str) -> dict[str, str]:
    """Each release's lines in a lock, without who asks for it, by normalised name."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#") or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            name = locked.normal(line.partition("==")[0].partition("[")[0])
        found[name] = found.get(name, "") + line + "\n"
    return found


def needed(roots: Iterable[str], releases: Iterable[locked.Release]) -> set[str]:
    """The names of these releases and of all that they ask for, directly or not."""
    every = list(releases)
    found = set(roots)
    while more := {one.name for one in every if found.intersection(one.askers)} - found:
        found |= more
    return found


def pages(lock: str, pyproject: str) -> dict[str, str]:
    """File name -> text.

    Raises:
        ValueError: as `locked.releases` does; or a root is not locked at all.
    """
    releases = locked.releases(lock)
    extras = tomllib.loads(pyproject)["project"]["optional-dependencies"]
    asked = {locked.normal(need.partition(">")[0]) for extra in _EXTRAS for need in extras[extra]}
    text = blocks(lock)
    found = {}
    for name, roots in (
        ("requirements.txt", locked.runtime_names(pyproject) | asked),
        ("build-requirements.txt", {"hatchling"}),
    ):
        if missing := roots - text.keys():
            raise ValueError(f"requirements.lock: without {', '.join(sorted(missing))}; write it anew with `make lock`")
        wanted = needed(roots, releases)
        found[name] = _HEAD + "".join(text[each] for each in text if each in wanted)
    return found


def main() -> int:
    """Write or check the files; 1 when one is stale."""
    told = pages(locked.LOCK.read_text("utf-8"), Path(locked.ROOT / "pyproject.toml").read_text("utf-8"))
    check = sys.argv[1:] == ["--check"]
    stale = [name for name, text in told.items() if not _same(FOLDER / name, text)]
    for name in stale:
        if not check:
            (FOLDER / name).write_text(told[name], "utf-8")
        sys.stdout.write(f"{'stale, run `make lock`' if check else 'written'}: deploy/container/{name}\n")
    return 1 if check and stale else 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
