"""What is installed once and used by every test here that runs the shipped thing."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.rooms import DEPLOY, ROOT, Instruction, Room, refusal, stages

PREFIX = "/usr/local/lib/beatbook"
SOURCES = "/var/sources/"
PIP_SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "PIP_CERT", "HTTPS_PROXY", "HTTP_PROXY")
INSTALL_TIMEOUT_S = 300.0


@pytest.fixture(scope="session")
def rooms() -> None:
    """Skip where no room can be made, and say why; in CI that is a failure."""
    why = refusal()
    if why is not None and os.environ.get("CI"):
        pytest.fail(f"CI must run this: {why}")
    if why is not None:
        pytest.skip(why)


@pytest.fixture(scope="session")
def image(rooms: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the container file's stage `run` takes from `build`, whose steps are run word for word.

    What is copied in is what git knows, as it is now.
    """
    if not (ROOT / ".git").exists():
        pytest.skip("a source distribution does not say which of its files git knows")
    base = tmp_path_factory.mktemp("image")
    sources, taken = base / "sources", base / "taken"
    taken.mkdir()
    known = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in map(os.fsdecode, known.split(b"\0")):
        if name and (ROOT / name).is_file():
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, sources / name)
    script = ["set -eu"]
    text = (DEPLOY / "container/Containerfile").read_text(encoding="utf-8")
    for each in stages(text)["build"]:
        script += _shell(each, SOURCES)
    for each in stages(text)["run"]:
        script += _shell(each, "" if each.flags.get("from") else SOURCES, "/taken") if each.word == "COPY" else []
    room = Room(base / "room", {sources: SOURCES.rstrip("/"), taken: "/taken"}, network=True)
    settings = {name: os.environ[name] for name in PIP_SETTINGS if name in os.environ}
    done = room.run(
        "sh", "-c", "\n".join(script), environment={"HOME": os.environ.get("HOME", "/root"), **settings},
        timeout_s=INSTALL_TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    return taken


def _shell(each: Instruction, sources: str, root: str = "") -> list[str]:
    """What an instruction does, for a shell; a copy of a folder is of what is in it."""
    match each.word:
        case "RUN":
            return [f"sh -c {shlex.quote(each.rest)}"]
        case "WORKDIR":
            return [f"mkdir -p {each.rest} && cd {each.rest}"]
        case "COPY":
            *what, where = each.rest.split()
            to, owner = f"{root}{where}", each.flags.get("chown", "0:0")
            copies = [f"if [ -d {sources}{one} ]; then mkdir -p {to} && cp -a {sources}{one}/. {to}; "
                      f"else mkdir -p $(dirname {to}x) && cp -a {sources}{one} {to}; fi" for one in what]  # fmt: skip
            return [*copies, f"chown -R {owner} {to}"]
        case _:
            return []
