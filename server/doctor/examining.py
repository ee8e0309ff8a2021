"""The table of checks, and one that goes wrong itself is trouble too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import BeatbookError
from server.doctor import disk, folder, machine, network, programs
from server.doctor.report import Check, Found, Level, Subject, trouble

CHECKS: Final[dict[str, Check]] = {
    "python": programs.python,
    "sqlite": programs.sqlite,
    "compiled": programs.compiled,
    "time zones": programs.time_zones,
    "configuration": programs.configuration,
    "cores": machine.cores,
    "open files": machine.open_files,
    "backlog": machine.backlog,
    "tcp memory": machine.tcp_memory,
    "clock": machine.clock,
    "file system": disk.file_system,
    "space": disk.space,
    "sync": disk.sync_cost,
    "write-ahead log": disk.write_ahead_log,
    "permissions": folder.permissions,
    "master keys": folder.master_keys,
    "database": folder.database,
    "log": folder.log_head,
    "backup": folder.backup,
    "port": network.port,
    "certificate": network.certificate,
    "witnesses": network.witnesses,
}
"""What is looked at, in the order in which it is told."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was found, with the check that found it; see `Found`."""

    check: str
    level: Level
    words: str
    advice: str = ""


class Report(msgspec.Struct, frozen=True):
    """All that was found."""

    lines: tuple[Line, ...]

    @property
    def well(self) -> bool:
        """Whether nothing is trouble; a warning is none."""
        return all(line.level is not Level.TROUBLE for line in self.lines)


def examine(subject: Subject) -> Report:
    """Carry out every check."""
    return Report(
        tuple(
            Line(check=name, level=one.level, words=one.words, advice=one.advice)
            for name, check in CHECKS.items()
            for one in _carried_out(check, subject)
        )
    )


def _carried_out(check: Check, subject: Subject) -> Sequence[Found]:
    found: list[Found] = []
    try:
        found.extend(check(subject))
    except BeatbookError as error:
        found.append(trouble(str(error), "do what it says, and look again"))
    except OSError as error:
        where = Path(error.filename) if error.filename else subject.data
        found.append(trouble(f"{where}: {error.strerror}", "run this as the user that the server runs as"))
    return found
