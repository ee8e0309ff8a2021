"""The program itself: what it is run by, what it was built with, and what it was told."""

import importlib
import importlib.util
import sqlite3
import stat
import sys
from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from server.doctor.report import Found, Subject, fine, trouble, warning
from server.store.sqlite.schema import SQLITE_MIN, WAL_RESET_FIXED

PYTHON_MIN: Final = (3, 11)
PYTHON_TESTED: Final = (3, 14)
COMPILED: Final = ("msgspec._core", "httptools", "uvloop", "zstandard.backend_c", "sqlcipher3")
"""What is compiled, and does the work: without them a server is several times as slow, or does not start."""
HOME: Final = "Europe/London"


def python(_subject: Subject) -> Iterator[Found]:
    """The interpreter."""
    version, told = sys.version_info[:2], f"Python {sys.version.split()[0]}"
    if version < PYTHON_MIN:
        yield trouble(told, f"Beatbook needs {_dotted(PYTHON_MIN)} or newer")
    elif version > PYTHON_TESTED:
        yield warning(f"{told} is newer than any that Beatbook was tested with", f"use {_dotted(PYTHON_TESTED)}")
    else:
        yield fine(told)


def sqlite(_subject: Subject) -> Iterator[Found]:
    """The library under the database (sqlite.org/wal.html, the WAL-reset bug)."""
    library, told = sqlite3.sqlite_version_info, f"SQLite {sqlite3.sqlite_version}"
    if library < SQLITE_MIN:
        yield trouble(
            f"{told} is too old", f"Beatbook needs {_dotted(SQLITE_MIN)} or newer: update Python or its SQLite"
        )
    elif library < WAL_RESET_FIXED:
        yield fine(
            f"{told}: two programs that write can damage a database; Beatbook writes with one alone, so let no other "
            "program write to it"
        )
    else:
        yield fine(told)


def compiled(_subject: Subject) -> Iterator[Found]:
    """What is compiled."""
    missing = []
    for name in COMPILED:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        yield trouble(
            f"not there, or not for this machine: {', '.join(missing)}", "install again from requirements.lock"
        )
    else:
        yield fine(f"{len(COMPILED)} compiled parts are there")


def time_zones(_subject: Subject) -> Iterator[Found]:
    """Time zone data: times of an organisation's files are told by it."""
    try:
        ZoneInfo(HOME)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        yield trouble(f"there is no time zone {HOME} here", "install the system's tzdata")
    else:
        yield fine("time zones are known")


def configuration(subject: Subject) -> Iterator[Found]:
    """The configuration: every key is known, every value can be, and nobody else writes it."""
    if subject.configured:
        yield trouble(subject.configured, "correct the file; the rest was examined with what is set by default")
        return
    if subject.file is None:
        yield fine("no configuration file; what is set by default holds")
        return
    found = subject.file.stat()
    if stat.S_IMODE(found.st_mode) & 0o022:
        yield trouble(f"{subject.file}: others may change it", f"chmod go-w {subject.file}")
    else:
        yield fine(f"{subject.file}: every key of it is known")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
