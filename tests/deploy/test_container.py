"""The container file: what it promises is read from it, and what it does is done, step by step, without an engine."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.rooms import DEPLOY, ROOT, Instruction, Room, stages

FILE = DEPLOY / "container/Containerfile"
STAGES = stages(FILE.read_text(encoding="utf-8"))
EXEC_FORM = ("ENTRYPOINT", "CMD", "VOLUME")
# What an engine does with the stage `run`: its user, nothing that may be gained, and a tree that cannot be written.
AS_SHIPPED = (
    "setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "--no-new-privs", "--bounding-set=-all",
    "--inh-caps=-all", "--",
)  # fmt: skip
# Runs the command that is shipped beside the check that is shipped, then stops it as an engine does.
SERVE = """\
import json, os, signal, subprocess, sys, urllib.request
command, check, prefix = json.loads(sys.argv[1])
early = subprocess.run(check, capture_output=True).returncode
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
said = ""
while "HTTP:" not in said and (line := server.stdout.readline()):
    said += line
healthy = subprocess.run(check).returncode
def refused(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.errno
found = [refused(path) for path in (prefix + "/x", "/etc/beatbook/beatbook.toml", "/usr/bin/x")]
status = dict(line.split(":\\t", 1) for line in open(f"/proc/{server.pid}/status") if ":\\t" in line)
server.send_signal(signal.SIGTERM)
print(json.dumps({
    "early": early, "healthy": healthy, "refused": found, "said": said, "code": server.wait(20),
    "uid": status["Uid"].split()[1], "privileges": status["CapBnd"].strip(), "data": sorted(os.listdir("."))}))
"""


def of(word: str, stage: str = "run") -> Instruction:
    """The one instruction with this word in a stage."""
    (found,) = [each for each in STAGES[stage] if each.word == word]
    return found


def test_what_is_installed_is_what_the_lock_says() -> None:
    """Nothing but what the program needs, each with its hashes, as it is locked."""
    script = ROOT / ".ci/runtime_lock.py"
    if not script.is_file():
        pytest.skip("a source distribution has no .ci")
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = (DEPLOY / "container/requirements.txt").read_text(encoding="utf-8")
    names = set(re.findall(r"^([a-z0-9-]+)==", said, re.MULTILINE))
    assert {"starlette", "uvicorn", "sqlcipher3", "cryptography", "anyio", "opentelemetry-sdk"} <= names
    assert names.isdisjoint({"pytest", "ruff", "mypy", "locust", "hypothesis", "hatchling", "pip"})
    assert said.count("--hash=sha256:") >= len(names)


def test_every_file_that_is_copied_is_there() -> None:
    """A folder or file of this tree, or of a stage before."""
    for name, instructions in STAGES.items():
        for each in instructions:
            if each.word == "COPY" and "from" not in each.flags:
                *sources, target = each.rest.split()
                assert all((ROOT / source).exists() for source in sources), (name, each.rest)
                assert target.startswith("/")
            assert each.flags.get("from", "build") in STAGES


def test_the_base_is_pinned_and_stages_are_two() -> None:
    """What builds is not what runs; a tag that moves by itself is none."""
    (base,) = [each.rest for each in STAGES[""] if each.word == "ARG"]
    assert re.fullmatch(r"BASE=docker\.io/library/python:3\.\d+\.\d+-slim-[a-z]+", base)
    assert [*STAGES] == ["", "build", "run"]
    assert not [each.rest for stage in STAGES.values() for each in stage if each.word == "ADD"]
    pip = [each.rest for each in STAGES["build"] if each.word == "RUN" and "/pip " in each.rest]
    assert len(pip) == 3
    assert all("--require-hashes" in step or "--no-deps" in step for step in pip)


def test_it_runs_as_nobody_without_a_shell() -> None:
    """A user that is a number and not 0; command and check are lists, which no shell reads."""
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", of("USER").rest)
    assert all(isinstance(json.loads(of(word).rest), list) for word in EXEC_FORM)
    assert isinstance(json.loads(of("HEALTHCHECK").rest.removeprefix("CMD ")), list)
    assert not [each.rest for each in STAGES["run"] if each.word == "RUN"]
    assert json.loads(of("VOLUME").rest) == ["/var/lib/beatbook"] == [of("WORKDIR").rest]


def test_the_data_folder_is_its_users_alone() -> None:
    """An engine copies what is in a folder, and makes the folder anew for all to read: so its parent is copied."""
    (made,) = [each.rest for each in STAGES["build"] if each.word == "RUN" and "--owner=10001" in each.rest]
    (copied,) = [each for each in STAGES["run"] if each.word == "COPY" and "chown" in each.flags]
    folder = made.split()[-1]
    assert "--mode=0700" in made
    assert copied.rest.split() == [str(Path(folder).parent), "/var/lib"]
    assert f"/var/lib/{Path(folder).name}" == of("WORKDIR").rest


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_what_it_makes_serves_on_a_tree_that_cannot_be_written(image: Path, tmp_path: Path) -> None:
    """Its steps are run word for word, then its command as its user; its check says no before, and yes meanwhile."""
    prefix = "/usr/local/lib/beatbook"
    command = json.loads(of("ENTRYPOINT").rest) + json.loads(of("CMD").rest)
    check = json.loads(of("HEALTHCHECK").rest.removeprefix("CMD "))
    binds = {image / where: f"/{where}" for where in ("usr/local/lib/beatbook", "etc/beatbook", "var/lib/beatbook")}
    room = Room(tmp_path / "room", binds)
    variables = dict(pair.split("=", 1) for pair in of("ENV").rest.split())
    only_data = "mount -o remount,ro $root && mount -o remount,ro,bind $root/usr/local/lib/beatbook && "
    done = room.run(
        "sh", "-c", f"cd /var/lib/beatbook && exec {' '.join(AS_SHIPPED)} /usr/bin/python3 -c \"$0\" \"$1\"", SERVE,
        json.dumps([command, check, prefix]), before=f"{only_data} mount -o remount,ro,bind $root/etc/beatbook",
        environment=variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["early"], found["healthy"], found["code"]) == (1, 0, 0), done.stderr
    # Nothing may be written there: the tree is read-only (30), whoever's the file is.
    assert found["refused"] == [30, 30, 30]
    assert (found["uid"], int(found["privileges"], 16)) == ("10001", 0)
    assert "/setup#" in found["said"]
    assert {"beatbook.db", "master.key", "keys"} <= set(found["data"])
