"""The image in a container engine: `python -m tests.deploy.engine FOLDER IMAGE`, called by `.ci/image`.

It is in a network of its own, where the server's port is free. The image is started as compose.yaml says, read-only
and without a privilege, on a new volume. One device writes; the server is stopped and started; another device has what
the first one wrote.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import yaml

from schemas.kinds import Incident
from server.demo.kit import Kit
from server.demo.people import Administration, Person
from server.demo.stage import link_in
from tests.deploy.rooms import DEPLOY
from tests.e2e.conftest import at_rest, report
from tests.server.people import WORKING

NAME: Final = "beatbook-checked"
BASE: Final = "http://127.0.0.1:8700"
AREA: Final = ("area:birmingham",)
PATIENCE_S: Final = 60.0
LOOK: Final = """\
import os
def refused(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status") if ":\\t" in line)
print([refused(path) for path in ("/x", "/etc/beatbook/x", "/usr/local/lib/beatbook/x")], os.getuid(),
      int(status["CapBnd"], 16), status["NoNewPrivs"].strip(), oct(os.stat("/var/lib/beatbook").st_mode & 0o777))
"""
LOCKED: Final = f"{['Read-only file system'] * 3} 10001 0 1 0o700"


class Engine:
    """podman, on a store of its own."""

    def __init__(self, folder: Path) -> None:
        """Bind it; others than whoever runs this must find what is mounted from there."""
        folder.chmod(0o755)
        store = ("--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "overlay")
        self._podman = ("podman", *store, "--runtime", "crun", "--cgroup-manager", "cgroupfs")

    def __call__(self, *arguments: str) -> str:
        """Run a command; what it said. It must succeed."""
        done = self.tried(*arguments)
        if done.returncode:
            sys.exit(f"podman {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def tried(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command, whatever comes of it."""
        return subprocess.run(
            [*self._podman, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )

    def healthy(self) -> None:
        """Wait until the image's own check says yes."""
        ends = time.monotonic() + PATIENCE_S
        while self.tried("healthcheck", "run", NAME).returncode:
            if time.monotonic() > ends:
                sys.exit(f"it does not become healthy: {self.tried('logs', NAME)}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop it as an engine does; it must end by itself."""
        self("stop", "--time", "20", NAME)
        (found,) = json.loads(self("inspect", NAME))
        if found["State"]["ExitCode"]:
            sys.exit(f"it ended with {found['State']['ExitCode']}: {self.tried('logs', NAME)}")


def options(service: dict[str, Any]) -> list[str]:
    """What compose.yaml asks of an engine, but for networks and what only control groups can bound."""
    asked = ["--read-only"] if service["read_only"] else []
    asked += [f"--cap-drop={each}" for each in service["cap_drop"]]
    asked += [f"--security-opt={each.removesuffix(':true')}" for each in service["security_opt"]]
    asked += [f"--tmpfs={each}" for each in service["tmpfs"]]
    # As many open files as whoever runs this may have: no engine can give more.
    return [*asked, "--cgroups=disabled", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]


def configured(folder: Path) -> Path:
    """The configuration in the image, for a server that devices reach without a proxy."""
    told = (DEPLOY / "container/beatbook.toml").read_text(encoding="utf-8")
    lines = [line for line in told.splitlines() if not line.startswith("trusted_proxies")]
    path = folder / "beatbook.toml"
    text = re.sub(r'^host = "[0-9.]+"', 'host = "127.0.0.1"', "\n".join(lines), flags=re.MULTILINE)
    path.write_text(f"{text}\n", encoding="utf-8")
    path.chmod(0o644)
    return path


async def main(folder: Path, image: str) -> None:
    """Start it, look at it, use it, start it again."""
    engine = Engine(folder)
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["server"]
    volumes = ("--volume=checked:/var/lib/beatbook", f"--volume={configured(folder)}:/etc/beatbook/beatbook.toml:ro")
    try:
        seen = await _tried(engine, ("--network=host", *options(service), *volumes, image), folder)
    finally:
        # Also of a server that did not do what it should, nothing runs on.
        engine.tried("rm", "--force", "--time", "0", NAME)
    print(f"{image}: healthy, locked up ({seen}), one device in, another out, a restart between")  # noqa: T201  it is a command


async def _tried(engine: Engine, arguments: tuple[str, ...], folder: Path) -> str:
    """One server, started with these arguments; what can be seen from inside of how it is locked up."""
    engine("run", "--detach", "--name", NAME, *arguments)
    engine.healthy()
    seen = engine("exec", NAME, "/usr/local/lib/beatbook/bin/python", "-c", LOOK).strip()
    if seen != LOCKED:
        sys.exit(f"it is not locked up: {seen}, expected {LOCKED}")
    administration = Administration(BASE, link_in(engine("logs", NAME)), folder / "admin")
    people = [Person(f"hh-{n}", f"WM{n}", AREA, WORKING, named=AREA) for n in (1, 2)]
    administration.take_in(people)
    kits = [await Kit.issue(administration, one, folder / one.device, BASE) for one in people]
    async with kits[0].open(justify=False) as first:
        made = await first.create(report())
        await first.wait_until(at_rest)
    engine.stop()
    engine("start", NAME)
    engine.healthy()
    async with kits[1].open(justify=False) as second:
        await second.wait_until(at_rest)
        if await second.get(Incident, made.record) is None:
            sys.exit("what one device wrote before the restart did not come to the other")
    for kit in kits:
        await kit.close()
    engine.stop()
    return seen


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
