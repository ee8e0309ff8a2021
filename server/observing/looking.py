"""What is looked at when somebody scrapes, because nobody counts it: files, processes, and how far devices are behind.

Files are read on a thread, since a disk may hang. Of 8,000 sessions a few hundred are looked at in one turn of the
loop: all at once would keep an officer's edit waiting for tens of milliseconds, every fifteen seconds.
"""

import asyncio
import contextlib
import functools
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509

from schemas import scopes
from schemas.ids import DeviceId, Millis, ScopeName
from server.hub import Hub
from server.store.sqlite.folder import database_of
from sync.session import ServerSession

BACKUP: Final = "backup.json"
"""In the data folder: what was last backed up."""
SESSIONS_AT_ONCE: Final = 128
"""In one turn of the loop: a scrape of 8,000 sessions takes 17 ms of a core in all, and stops it for a part of that."""
SORTS_KEPT: Final = 16_384
"""Scopes whose sort is known: a force has a few hundred, and one for each officer."""
STALLED_MS: Final = 30_000
"""A device that is behind and has not moved for so long is stalled: its radio is gone, or its reader."""
_SUFFIXES: Final = frozenset({scopes.BRIEFING, scopes.SAFETY, scopes.INBOX, scopes.RECEIPTS})
_PROC: Final = Path("/proc")


class Process(msgspec.Struct, frozen=True):
    """One process of ours: processor time (seconds), resident memory (bytes), open files and how many it may have."""

    cpu_s: float
    resident_bytes: int
    open_files: int
    open_files_max: int


class Backup(msgspec.Struct, frozen=True):
    """The last backup: when it was begun (ms since 1970) and how large it is."""

    at: int
    bytes: int


class Files(msgspec.Struct, frozen=True):
    """What lies in the data folder, and its disk; bytes. None for what is not there or cannot be read."""

    database_bytes: int | None = None
    wal_bytes: int | None = None
    disk_bytes: int | None = None
    disk_free_bytes: int | None = None
    disk_free_files: int | None = None
    backup: Backup | None = None
    certificate_end_s: float | None = None


class Lag(msgspec.Struct):
    """The scopes of one sort: how many are behind at somebody, at how many devices, and by how much at most.

    Attributes:
        scopes: scopes that some connected device does not hold up to the head.
        devices: such devices.
        stalled: those of them that have not moved for `STALLED_MS`.
        commits: by how many of the server's commits the one that is furthest behind is.
    """

    scopes: int = 0
    devices: int = 0
    stalled: int = 0
    commits: int = 0


@functools.lru_cache(maxsize=SORTS_KEPT)
def sort_of(scope: ScopeName) -> str | None:
    """The sort of a scope: its family, and what it is for where that is not its records: `area`, `area:inbox`.

    None of what is closed: whoever may see figures may not learn from them how much there is in a compartment. The
    name of a scope is never told: there is one for every officer.
    """
    if scopes.closed(scope):
        return None
    family, *names = scope.split(":")
    return f"{family}:{names[-1]}" if names and names[-1] in _SUFFIXES else family


SORTS: Final = (
    *(family for family in sorted(scopes.FAMILIES) if family != "compartment"),
    *(
        f"{family}:{suffix}"
        for family in sorted(scopes.FAMILIES)
        if family not in {"compartment", "officer"}
        for suffix in sorted(_SUFFIXES - {scopes.RECEIPTS})
    ),
)
"""Every sort that a device may hold; each has a figure from the start, so that a panel is never empty."""


class Lags:
    """How far connected devices are behind. It remembers who was behind where, to tell slow from stalled."""

    def __init__(self, hub: Hub, now: Callable[[], Millis]) -> None:
        """Bind it; `look` begins."""
        self._hub = hub
        self._now = now
        self._standing: dict[DeviceId, tuple[int, Millis]] = {}
        """Of each device that is behind: where it stood, and since when it has stood there."""
        self.by_sort: dict[str, Lag] = {sort: Lag() for sort in SORTS}

    async def look(self) -> None:
        """Look at all sessions, some in each turn of the loop."""
        found: defaultdict[str, Lag] = defaultdict(Lag, {sort: Lag() for sort in SORTS})
        behind: defaultdict[str, set[ScopeName]] = defaultdict(set)
        standing: dict[DeviceId, tuple[int, Millis]] = {}
        sessions = self._hub.sessions()
        for start in range(0, len(sessions), SESSIONS_AT_ONCE):
            for device, session in sessions[start : start + SESSIONS_AT_ONCE]:
                self._look_at(device, session, found, behind, standing)
            await asyncio.sleep(0)
        for sort, names in behind.items():
            found[sort].scopes = len(names)
        self._standing, self.by_sort = standing, dict(found)

    def _look_at(
        self,
        device: DeviceId,
        session: ServerSession,
        found: dict[str, Lag],
        behind: dict[str, set[ScopeName]],
        standing: dict[DeviceId, tuple[int, Millis]],
    ) -> None:
        at = 0
        sorts: set[str] = set()
        for scope, commits, place in session.behind():
            at = hash((at, scope, place))
            sort = sort_of(scope)
            if sort is not None:
                sorts.add(sort)
                behind[sort].add(scope)
                found[sort].commits = max(found[sort].commits, commits)
        if not sorts:
            return
        before = self._standing.get(device)
        since = before[1] if before is not None and before[0] == at else self._now()
        standing[device] = (at, since)
        for sort in sorts:
            found[sort].devices += 1
            found[sort].stalled += self._now() - since >= STALLED_MS


def look_at_files(data: Path, certificate: Path | None) -> Files:
    """Read sizes and dates; whatever cannot be read is None."""
    disk: shutil._ntuple_diskusage | None = None
    free_files: int | None = None
    with contextlib.suppress(OSError):
        disk = shutil.disk_usage(data)
        # Nothing can be made without an inode either. File systems that do not count them say 0 of 0.
        inodes = os.statvfs(data)
        free_files = inodes.f_favail if inodes.f_files else None
    database = database_of(data)
    return Files(
        database_bytes=_size(database),
        wal_bytes=_size(database.with_name(f"{database.name}-wal")),
        disk_bytes=None if disk is None else disk.total,
        disk_free_bytes=None if disk is None else disk.free,
        disk_free_files=free_files,
        backup=_backup(data / BACKUP),
        certificate_end_s=None if certificate is None else _end_of(certificate),
    )


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _backup(path: Path) -> Backup | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Backup)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _end_of(certificate: Path) -> float | None:
    """When the first certificate of a file ends (seconds since 1970)."""
    try:
        found = x509.load_pem_x509_certificates(certificate.read_bytes())
        return found[0].not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None


def look_at_process(pid: int) -> Process | None:
    """One process; None when it has gone, or where there is no /proc."""
    folder = _PROC / str(pid)
    try:
        # Behind the name, which is in brackets and may hold anything: utime and stime are fields 14 and 15 of proc(5).
        fields = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        pages = int((folder / "statm").read_text("ascii").split()[1])
        open_files = sum(1 for _ in (folder / "fd").iterdir())
        limits = (folder / "limits").read_text("ascii")
    except (OSError, ValueError, IndexError):
        return None
    bound = next((line.split()[3] for line in limits.splitlines() if line.startswith("Max open files")), "0")
    return Process(
        cpu_s=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        resident_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
        open_files=open_files,
        open_files_max=int(bound) if bound.isdigit() else sys.maxsize,
    )


def look_at_processes(pids: Iterable[tuple[str, int | None]]) -> dict[str, Process]:
    """Those of the processes that run, by name."""
    found = ((name, None if pid is None else look_at_process(pid)) for name, pid in pids)
    return {name: process for name, process in found if process is not None}
