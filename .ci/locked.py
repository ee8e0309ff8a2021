"""What requirements.lock says: every release, whatever the platform it is for, and who asks for it."""  # noqa: INP001

import re
import tomllib
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements.lock"
_RELEASE: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_HASH: Final = re.compile(r"--hash=(?P<hash>sha256:[0-9a-f]{64})")
_ASKER: Final = re.compile(r"^ +#(?: via)?(?: +(?P<name>[A-Za-z0-9._-]+).*)?$")


class Release(NamedTuple):
    """One locked release.

    Attributes:
        name, version: which; the name is normalised (PEP 503).
        hashes: of its files, as pip writes them.
        askers: names of those that need it.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    askers: tuple[str, ...]


def normal(name: str) -> str:
    """A project's name in its one form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def releases(text: str) -> list[Release]:
    """Every release of a lock, in its order.

    Raises:
        ValueError: a line is none that a lock has, or a release has no hash: something would go unchecked.
    """
    found: list[Release] = []
    for number, line in enumerate(text.splitlines(), 1):
        if release := _RELEASE.match(line):
            found.append(Release(normal(release["name"]), release["version"], (), ()))
        elif (each := _HASH.search(line)) and found:
            found[-1] = found[-1]._replace(hashes=(*found[-1].hashes, each["hash"]))
        elif (asker := _ASKER.match(line)) and found:
            if asker["name"]:
                found[-1] = found[-1]._replace(askers=(*found[-1].askers, normal(asker["name"])))
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"requirements.lock, line {number}: not understood; write it anew with `make lock`")
    if not found or not all(release.hashes for release in found):
        raise ValueError("requirements.lock: a release without a hash, or none at all; write it anew with `make lock`")
    return found


def runtime_names(pyproject: str) -> set[str]:
    """The names of what the program itself needs, beside what its developers do."""
    needs = tomllib.loads(pyproject)["project"]["dependencies"]
    return {normal(re.split(r"[<>=;!~\[ ]", need, maxsplit=1)[0]) for need in needs}
