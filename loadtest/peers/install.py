"""Fetches the peers with their registries' own clients, in the versions that `pins.toml` names, into a folder of ours.

Each group has a folder and dependencies of its own, so that one that cannot be had keeps no other from being measured.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

HERE: Final = Path(__file__).resolve().parent
HOME: Final = HERE.parents[1] / "build" / "peers"
"""Where they are put: git ignores it, and `make clean` removes it."""
_PATIENCE_S: Final = 900
_TOLD_CHARS: Final = 600
_DONE: Final = "installed.json"
_PROGRAMS_TOO: Final = ("/usr/sbin", "/usr/local/sbin")


class Pins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one group is made of.

    Attributes:
        npm, pip: package -> exact version.
        programs: what must be on the machine.
        apt: the Debian package that has them.
    """

    npm: Mapping[str, str] = {}
    pip: Mapping[str, str] = {}
    programs: tuple[str, ...] = ()
    apt: str = ""


def pins(path: Path = HERE / "pins.toml") -> dict[str, Pins]:
    """Every group, by name."""
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), dict[str, Pins])


def program(name: str) -> str | None:
    """Where a program is: on PATH, where servers are kept, or, of PostgreSQL, in the folder of its newest version."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_PROGRAMS_TOO])
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: each.parent.name.zfill(4))
    return shutil.which(name, path=os.pathsep.join([path, *map(str, reversed(versions))]))


def program_version(name: str) -> str:
    """The version that a program tells of itself; "" when it is not there."""
    found = program(name)
    if found is None:
        return ""
    flag = "-h" if name == "mosquitto" else "--version"
    said = subprocess.run([found, flag], capture_output=True, text=True, timeout=10, check=False).stdout
    version = re.search(r"\d+\.\d[\w.]*", said)
    return "" if version is None else version.group()


def missing(group: str, home: Path, known: Mapping[str, Pins]) -> str | None:
    """What a group lacks to be run, and what to do about it; None when it is all there."""
    wanted = known[group]
    if wanted.npm and shutil.which("node") is None:
        return "not installed: there is no node on PATH"
    for name in wanted.programs:
        if program(name) is None:
            return f"not installed: there is no {name} on this machine (apt-get install {wanted.apt})"
    if _recorded(home / group) != recorded_as(wanted):
        return "not installed: python -m loadtest.peers --install"
    return None


def install(groups: list[str], home: Path, say: Callable[[str], object]) -> bool:
    """Install groups; whether all of them are there now. What fails is told, and the others go on."""
    known, well = pins(), True
    for group in groups:
        if missing(group, home, known) is None:
            say(f"{group}: is there")
            continue
        problem = _install(home / group, known[group])
        say(f"{group}: {problem or 'installed'}")
        well = well and problem is None
    return well


def _install(folder: Path, wanted: Pins) -> str | None:
    """Install one group; what went wrong."""
    for name in wanted.programs:
        if program(name) is None:
            return f"there is no {name} on this machine: apt-get install {wanted.apt}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    commands: list[list[str]] = []
    if wanted.npm:
        npm = shutil.which("npm")
        if npm is None:
            return "there is no npm on PATH"
        listed = {"private": True, "dependencies": dict(wanted.npm)}
        (folder / "package.json").write_text(json.dumps(listed, indent=2) + "\n", "utf-8")
        commands.append([npm, "install", "--no-audit", "--no-fund", "--loglevel=error"])
    if wanted.pip:
        commands.append([sys.executable, "-m", "venv", "venv"])
        packages = [f"{name}=={version}" for name, version in wanted.pip.items()]
        commands.append(
            ["venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        )
    for command in commands:
        problem = _run(command, folder)
        if problem is not None:
            return problem
    (folder / _DONE).write_text(recorded_as(wanted), "utf-8")
    return None


def _run(command: list[str], folder: Path) -> str | None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{Path(command[0]).name} took longer than {_PATIENCE_S} s"
    said = (done.stderr or done.stdout).strip()[-_TOLD_CHARS:]
    return None if done.returncode == 0 else f"{Path(command[0]).name} ended with {done.returncode}: {said}"


def recorded_as(wanted: Pins) -> str:
    """What tells an installation of these versions from one of others."""
    return json.dumps({"npm": dict(wanted.npm), "pip": dict(wanted.pip)}, sort_keys=True)


def _recorded(folder: Path) -> str | None:
    if not any(folder.iterdir()) if folder.is_dir() else True:
        return None
    try:
        return (folder / _DONE).read_text("utf-8")
    except FileNotFoundError:
        return None
