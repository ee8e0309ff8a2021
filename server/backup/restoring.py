"""The way back: an archive becomes a data folder that the server takes for what it is, one that was set back.

The folder is built beside its place and takes it when it is whole (`server.backup.placing`). Before that its epoch is
changed, and `place`, by which a server knows its folder, says something that is true of no folder: so the next start
begins another epoch once more, devices offer again what they had acknowledged after the backup, and the numbers of that
day bear the time (`server.restored`).
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import StoreError, UsageError
from schemas.ids import Millis
from server.backup.archive import Description, read_description, read_files
from server.backup.erasures import Carried, carry_out, joined
from server.backup.keys import Opener
from server.backup.placing import put_in_place, require_free, workshop
from server.backup.stream import OpeningStream, Source
from server.backup.taking import wall_clock
from server.backup.target import SUFFIX
from server.backup.unpacking import Folder
from server.evidence.findings import Report
from server.evidence.tree import Pinned
from server.evidence.whole import verify
from server.store.masters import FILE_NAME, VARIABLE, MasterKeys, sync_folder
from server.store.sqlite.folder import PLACE, database_of
from server.store.sqlite.inspection import Inspection
from server.store.sqlite.trouble import store_errors
from server.store.sqlite.writer import SqliteWriter
from sync.evidence.note import VerifierKey
from sync.evidence.policy import Policy

TOLD_MAX: Final = 5
"""Findings that an error tells; `beatbook verify` tells all."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that was restored.

    Attributes:
        description: what the archive said of itself.
        aside: where the folder is now that was there before; None when none was.
        erasures: what became of the lists of erasures.
        report: what the check has found; None when none was asked for.
    """

    description: Description
    aside: Path | None
    erasures: Carried
    report: Report | None


class Archive(msgspec.Struct, frozen=True):
    """An archive to read: its bytes, what opens it, and what it is called."""

    source: Source
    opener: Opener
    name: str


def description_of(archive: Archive) -> Description:
    """What an archive of any sort says of itself, the erasures among it. Only its beginning is read.

    Raises:
        StoreError: it cannot be opened or read.
    """
    return read_description(OpeningStream(archive.source, archive.opener, archive.name), archive.name)


class Beside(msgspec.Struct, frozen=True):
    """What lies in the folder of a backup and is younger.

    Attributes:
        descriptions: of the archives of the same log, the oldest first.
        closed: names of those that could not be read with the key that opens the backup.
    """

    descriptions: tuple[Description, ...] = ()
    closed: tuple[str, ...] = ()


def beside(path: Path, opener: Opener) -> Beside:
    """The younger archives beside a backup: they know what was erased since, whether anybody thinks of that or not.

    Args:
        path: the backup.
        opener: what opens it.

    Raises:
        StoreError: the backup itself cannot be opened or read.
    """
    with path.open("rb") as file:
        own = description_of(Archive(file, opener, str(path)))
    found: list[Description] = []
    closed: list[str] = []
    for other in sorted(path.parent.glob(f"*{SUFFIX}")):
        if not other.is_file() or other.samefile(path):
            continue
        try:
            with other.open("rb") as file:
                one = description_of(Archive(file, opener, str(other)))
        except (StoreError, OSError):
            closed.append(other.name)
            continue
        if one.at > own.at and one.log_key == own.log_key:
            found.append(one)
    return Beside(tuple(sorted(found, key=lambda one: one.at)), tuple(closed))


def restore(
    archive: Archive,
    to: Path,
    now: Callable[[], Millis] = wall_clock,
    *,
    check: bool = False,
    replace: bool = False,
    erasures: Sequence[Description] = (),
) -> Restored:
    """Make a data folder of an archive.

    Args:
        archive: the backup.
        to: the folder; it is empty or not there, unless `replace` is given.
        now: the clock.
        check: whether everything in it is checked first, as `beatbook verify` does.
        replace: whether a folder that is there is moved aside.
        erasures: of younger archives: what was erased by then is erased again.

    Raises:
        UsageError: it cannot be restored there, the archive holds no folder, or a list is of another server's log.
        StoreError: the archive is damaged or does not open, the disk refused, or what came out is not sound. What was
            there is there.
    """
    require_free(to, replace=replace)
    stream = OpeningStream(archive.source, archive.opener, archive.name)
    description = read_description(stream, archive.name)
    if description.holds != "folder":
        raise UsageError(f"{archive.name}: holds a list of erasures, and no data; give it as --erasures")
    if any(one.log_key != description.log_key for one in erasures):
        raise UsageError(
            f"{archive.name}: a list of erasures is not of the same server: its log has another key; give one that "
            "`beatbook backup erasures` made there"
        )
    lists = [description.erasures, *(one.erasures for one in erasures)]
    with workshop(to) as work, _keys_of_the_archive():
        _unpack(stream, archive.name, work)
        mark(work, description)
        # Folds the write-ahead log into the database, and begins another epoch.
        SqliteWriter.open(work).close()
        carried = carry_out(work, joined(lists), now())
        report = _checked(work, archive.name, description) if check else None
        with store_errors(work):
            sync_folder(work)
        return Restored(description=description, aside=put_in_place(work, to, now()), erasures=carried, report=report)


def mark(folder: Path, description: Description) -> None:
    """Say in a data folder that it was restored: the next server that opens it begins another history.

    Raises:
        StoreError: it cannot be written.
    """
    path = folder / PLACE
    with store_errors(path):
        # Where a folder is told is a number and a time (`server.store.sqlite.folder`); this is neither.
        path.write_text(f"restored from a backup of {description.at}\n{description.epoch}\n", encoding="ascii")
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _unpack(stream: OpeningStream, name: str, work: Path) -> None:
    files = Folder(work)
    try:
        read_files(stream, name, files)
        files.close()
    finally:
        files.abandon()


def _checked(work: Path, name: str, description: Description) -> Report:
    inspection = Inspection.open(database_of(work), MasterKeys.read(work / FILE_NAME))
    try:
        report = verify(inspection, _pinned(name, description))
    finally:
        inspection.close()
    if not report.sound:
        told = "; ".join(one.words for one in report.findings[:TOLD_MAX])
        raise StoreError(
            f"{name}: {report.findings_total} things are wrong with what was restored, and it was not put in place: "
            f"{told}. Take an older backup; without --verify this one is restored as it is"
        )
    return report


def _pinned(name: str, description: Description) -> list[Pinned]:
    if not description.checkpoint:
        return []
    policy = Policy.of([VerifierKey.parse(description.log_key)])
    head = policy.open(description.checkpoint.encode()).checkpoint
    return [Pinned(f"of the backup {name}", head, trusted=True)]


@contextlib.contextmanager
def _keys_of_the_archive() -> Iterator[None]:
    """Open what is built with the keys that came with it, wherever this machine's server keeps its own."""
    elsewhere = os.environ.pop(VARIABLE, None)
    try:
        yield
    finally:
        if elsewhere is not None:
            os.environ[VARIABLE] = elsewhere
