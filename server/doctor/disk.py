"""The disk under the data folder: of which kind it is, what room it has, and what a sync to it costs."""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from server.doctor.report import Found, Subject, fine, trouble, warning
from server.store.sqlite.folder import database_of

FREE_BYTES_MIN: Final = 1_024**3
"""Less is trouble: the write-ahead log alone may grow to this behind a slow backup."""
FREE_SHARE_MIN: Final = 0.1
INODES_SHARE_MIN: Final = 0.02
SYNC_MS_MAX: Final = 20.0
"""Above this the slowest edits wait for tenths of a second."""
SYNC_MS_MIN: Final = 0.01
"""Below this nothing was written anywhere."""
_SYNCS: Final = 16
_PAGE: Final = b"\0" * 4_096
_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"})
_FLEETING: Final = frozenset({"tmpfs", "ramfs"})
_LAYERED: Final = frozenset({"overlay", "aufs"})


def file_system(subject: Subject) -> Iterator[Found]:
    """Of which kind the file system is."""
    where = _there(subject.data)
    kind = _kind_of(where, subject.told("mounts") or "")
    if kind in _REMOTE:
        yield trouble(
            f"{where} is on a network file system ({kind}), which neither locks nor syncs as a database needs",
            "put the data folder on a disk of this machine",
        )
    elif kind in _FLEETING:
        yield trouble(f"{where} is in memory ({kind}): a restart of the machine loses all", "put it on a disk")
    elif kind in _LAYERED:
        yield warning(f"{where} is in a container's own layer ({kind}) and goes with it", "mount a volume there")
    else:
        yield fine(f"{where} is on {kind or 'a file system that the system does not name'}")


def space(subject: Subject) -> Iterator[Found]:
    """What room is left, for bytes and for files."""
    where = _there(subject.data)
    found = os.statvfs(where)
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    told = f"{free / 1024**3:.1f} of {whole / 1024**3:.1f} GiB are free at {where}"
    if free < FREE_BYTES_MIN:
        yield trouble(told, "free some space, or give it a larger disk: a full one refuses every edit")
    elif free < whole * FREE_SHARE_MIN:
        yield warning(told, "give it a larger disk before it is full")
    else:
        yield fine(told)
    if found.f_files and found.f_favail < found.f_files * INODES_SHARE_MIN:
        yield trouble(
            f"{found.f_favail:,} of {found.f_files:,} inodes are free", "remove files, or give it another disk"
        )


def sync_cost(subject: Subject) -> Iterator[Found]:
    """What it costs to have a page on the disk: every edit waits for it."""
    where = _there(subject.data)
    costs = sync_costs_ms(where)
    if not costs:
        yield fine("this system cannot measure what a sync costs without leaving a file")
        return
    middle, worst = statistics.median(costs), max(costs)
    told = f"a sync costs {middle:.2f} ms, at worst {worst:.1f} ms of {len(costs)}"
    if middle > SYNC_MS_MAX:
        yield warning(told, "every edit waits that long: use an SSD, and see what else writes to this disk")
    elif middle < SYNC_MS_MIN:
        yield warning(f"{told}: nothing can have been written", "see that this disk does not say done before it is")
    else:
        yield fine(told)


def sync_costs_ms(folder: Path) -> list[float]:
    """What some syncs cost, each of one page, into a file that has no name; none where there is no such thing."""
    flag = getattr(os, "O_TMPFILE", 0)
    if not flag:
        return []
    try:
        descriptor = os.open(folder, os.O_RDWR | flag | os.O_CLOEXEC, 0o600)
    except OSError:
        return []
    costs = []
    with closing(os.fdopen(descriptor, "wb", buffering=0)) as file, suppress(OSError):
        for _ in range(_SYNCS):
            file.write(_PAGE)
            began = time.perf_counter()
            os.fsync(descriptor)
            costs.append((time.perf_counter() - began) * 1_000)
    return costs


def write_ahead_log(subject: Subject) -> Iterator[Found]:
    """How long the write-ahead log is: it is cut when nobody reads."""
    path = database_of(subject.data)
    wal = path.with_name(f"{path.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size > FREE_BYTES_MIN // 2:
        yield warning(
            f"{wal.name} has {size >> 20} MiB: something reads the database and does not end",
            "look with `fuser` who has it open: a backup, or a program that is none of ours",
        )
    else:
        yield fine(f"{wal.name} has {size >> 10} KiB")


def _there(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def _kind_of(path: Path, mounts: str) -> str:
    """The type of the file system that a path is on, by the kernel's list; the last mount over a place counts."""
    best, kind = -1, ""
    real = path.resolve()
    for line in mounts.splitlines():
        parts = line.split()
        place = Path(parts[1].replace("\\040", " ")) if len(parts) > 2 else None  # noqa: PLR2004  device, place, type
        if place is not None and (real == place or place in real.parents) and len(place.parts) >= best:
            best, kind = len(place.parts), parts[2]
    return kind
