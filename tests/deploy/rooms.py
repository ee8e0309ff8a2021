"""Rooms: a machine of one's own for a few commands, made of namespaces, where what is shipped runs as it is shipped.

A room sees this machine's files through a layer that takes all writing and goes with the room. In it a container file's
steps can be run and systemd can be process 1, with no container engine and no virtual machine. It needs root and a
Linux that lets root make namespaces; `refusal` says what is missing.
"""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
DEPLOY: Final = ROOT / "deploy"
_TOOLS: Final = ("unshare", "setpriv", "ip", "chroot", "mount", "pivot_root")
_PYTHON: Final = "/usr/bin/python3"
"""Stands for the Python of a base image: one that any user can read."""
_MAKE: Final = """\
set -eu
mount --make-rprivate /
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs {room}
mkdir {room}/up {room}/work {room}/root
mount -t overlay overlay -o lowerdir=/,upperdir={room}/up,workdir={room}/work {room}/root
mount -t proc proc {room}/root/proc
for each in dev sys; do mount --rbind /$each {room}/root/$each; done
mount -t tmpfs -o mode=755 tmpfs {room}/root/run
mount -t tmpfs -o mode=1777 tmpfs {room}/root/tmp
mkdir -p {room}/root/run/lock {room}/root/outside
ln -sf {python} {room}/root/usr/local/bin/python
{binds}
{before}
# Not chroot alone: whoever is in one may make no namespace of users, which a locked-up service wants.
cd {room}/root
pivot_root . outside
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin {environment} chroot . \
    sh -c 'umount -l /outside && cd / && exec "$@"' sh {command}
"""


@functools.cache
def refusal() -> str | None:
    """Why no room can be made here; None when one can."""
    if sys.platform != "linux":
        return "rooms need Linux"
    if os.geteuid() != 0:
        return "rooms need root"
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        return f"not installed: {', '.join(missing)}"
    probe = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    if subprocess.run([_PYTHON, "-c", probe], capture_output=True, check=False).returncode:
        return f"{_PYTHON} is none of 3.11 or newer with venv (python3-venv)"
    try_it = ["unshare", "--mount", "--pid", "--net", "--fork", "mount", "--make-rprivate", "/"]
    tried = subprocess.run(try_it, capture_output=True, text=True, check=False)
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else None


class Room:
    """Where to put a command that must have a machine of its own.

    Attributes:
        folder: of the room, on this machine.
    """

    def __init__(self, folder: Path, binds: Mapping[Path, str], *, network: bool = False) -> None:
        """Bind it; nothing is made yet.

        Args:
            folder: an empty one.
            binds: this machine's folder or file -> where it is seen in the room, to be read and written.
            network: whether it has this machine's network; else it has a loopback of its own.
        """
        self.folder = folder
        self._binds = binds
        self._network = network

    def run(
        self, *command: str, before: str = "", environment: Mapping[str, str] | None = None, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the room to its end; whatever it started ends with it.

        Args:
            command: the program and its arguments, as they are found in the room.
            before: shell text that is run before it, outside; `$root` is the room's root.
            environment: all variables that it has, but PATH.
            timeout_s: after this it is killed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        root = self.folder / "root"
        binds = [_bind(source, f"{root}{target}") for source, target in self._binds.items()]
        given = " ".join(shlex.quote(f"{name}={value}") for name, value in (environment or {}).items())
        script = _MAKE.format(
            room=shlex.quote(str(self.folder)), python=_PYTHON, binds="\n".join(binds), environment=given,
            before=f"root={shlex.quote(str(root))}\n{before}", command=shlex.join(command),
        )  # fmt: skip
        namespaces = ["--mount", "--pid", "--ipc", "--uts", *([] if self._network else ["--net"])]
        return subprocess.run(
            ["unshare", *namespaces, "--fork", "--kill-child", "bash", "-c", script],
            capture_output=True, text=True, check=False, timeout=timeout_s, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def _bind(source: Path, target: str) -> str:
    make = f"mkdir -p {shlex.quote(target)}" if source.is_dir() else f"install -D /dev/null {shlex.quote(target)}"
    return f"{make} && mount --bind {shlex.quote(str(source))} {shlex.quote(target)}"


class Instruction:
    """One instruction of a container file: its word, its flags, and the rest."""

    def __init__(self, text: str) -> None:
        """Take it apart."""
        self.word, _, rest = text.partition(" ")
        flags = re.match(r"(?:--\S+\s+)*", rest)
        self.flags = dict(flag[2:].partition("=")[::2] for flag in (flags[0].split() if flags else ()))
        self.rest = rest[flags.end() if flags else 0 :].strip()


def stages(text: str) -> dict[str, list[Instruction]]:
    """The stages of a container file by name, each with its instructions in order; "" holds what stands before them."""
    found: dict[str, list[Instruction]] = {"": []}
    name = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        each = Instruction(line.strip())
        if each.word == "FROM":
            name = each.rest.rpartition(" AS ")[2]
            found[name] = []
        found[name].append(each)
    return found
