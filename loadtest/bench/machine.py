"""The machine: its cores, what it is, and how much of a core a process used."""

import contextlib
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

PACKAGES: Final = (
    "cryptography", "msgspec", "sqlcipher3", "starlette", "uvicorn", "uvloop", "websockets", "zstandard",
)  # fmt: skip


_CPUCLOCK_SCHED: Final = 2
"""Of a clock's number: what the scheduler counts, and not ticks."""


class Cores(msgspec.Struct, frozen=True):
    """Which core the server has, and which the load; the same where there is only one.

    Attributes:
        server, load: numbers of cores.
        apart: whether they are two.
    """

    server: int
    load: int

    @property
    def apart(self) -> bool:
        """Whether neither takes time from the other."""
        return self.server != self.load


def cores() -> Cores:
    """The first two cores that this process may use."""
    found = sorted(os.sched_getaffinity(0))
    return Cores(found[0], found[min(1, len(found) - 1)])


def pin(pid: int, core: int) -> None:
    """Keep a process, and what it starts from now on, on one core. `pid` 0 is this process."""
    os.sched_setaffinity(pid, {core})


def pin_all(pid: int, on: Iterable[int]) -> None:
    """Keep a process that runs, with its children, on some cores: every thread that they have now."""
    for each in (pid, *children(pid)):
        for thread in Path(f"/proc/{each}/task").iterdir():
            # A thread may have ended since it was listed.
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(thread.name), on)


def facts() -> dict[str, object]:
    """What a reader must know to compare."""
    return {
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        # What else ran: on a machine that is not alone, only ratios say something.
        "load_average": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "versions": {**_installed(), "SQLite": sqlite3.sqlite_version},
    }


def _installed() -> dict[str, str]:
    """What of PACKAGES is there: an extra may be left out."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


class Usage:
    """How much of a core a process used between two moments."""

    def __init__(self, pid: int, *, alone: bool = False) -> None:
        """Begin to measure one, and the children that it has now; or it `alone`, whose children are measured apart."""
        self._pids = [pid] if alone else [pid, *children(pid)]
        self._at = time.perf_counter()
        self._used = self._now()

    def _now(self) -> float:
        return sum(map(_cpu_s, self._pids))

    def seconds(self) -> float:
        """Seconds of processor time since the beginning."""
        return self._now() - self._used

    def share(self) -> float:
        """Seconds of processor time for each second since the beginning."""
        passed = time.perf_counter() - self._at
        return self.seconds() / passed if passed else 0.0


def memory_kb(pid: int, *, alone: bool = False) -> float:
    """What a process and its children, or it `alone`, hold of memory (kB): a shared page counts in part (PSS)."""
    return sum(map(_pss_kb, (pid,) if alone else (pid, *children(pid))))


def _pss_kb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("Pss:"))


def children(pid: int) -> list[int]:
    """The processes that a process has started, by whichever of its threads, and that still run."""
    found: list[int] = []
    for told in Path(f"/proc/{pid}/task").glob("*/children"):
        # A thread, or the whole process, may have ended since it was listed.
        with contextlib.suppress(OSError):
            found += map(int, told.read_text("ascii").split())
    return found


def _cpu_s(pid: int) -> float:
    # The clock of another process's processor time, all threads of it, in nanoseconds (Linux's clock_getcpuclockid(3)):
    # /proc tells hundredths of a second, in which a server does twenty edits.
    try:
        return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
    except OSError:
        return 0.0
