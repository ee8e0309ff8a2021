"""`server.doctor.programs`: each trouble of the program itself, planted."""

import sqlite3
import sys
import zoneinfo
from pathlib import Path

import pytest

from server.doctor import programs
from server.doctor.report import Level
from tests.server.doctor.patients import levels, patient, words


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 10, 9), Level.TROUBLE), ((3, 11, 0), Level.FINE), ((3, 14, 1), Level.FINE), ((3, 15, 0), Level.WARNING)],
)
def test_python_is_of_a_version_that_was_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], level: Level
) -> None:
    """Older than the oldest is trouble; newer than the newest is told."""
    monkeypatch.setattr(sys, "version_info", version)
    assert levels(programs.python, patient(tmp_path)) == [level]


@pytest.mark.parametrize(
    ("version", "level", "said"),
    [((3, 36, 0), Level.TROUBLE, "too old"), ((3, 40, 1), Level.FINE, "no other program write"),
     ((3, 51, 3), Level.FINE, "SQLite")],
)  # fmt: skip
def test_sqlite_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], level: Level, said: str
) -> None:
    """One with the WAL-reset bug can be used as Beatbook uses it, and says what must not be done."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert said in words(programs.sqlite, patient(tmp_path), level)


def test_a_part_that_was_not_built_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is missing here."""
    assert levels(programs.compiled, patient(tmp_path)) == [Level.FINE]
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert "uvloop" in words(programs.compiled, patient(tmp_path), Level.TROUBLE)


def test_missing_time_zones_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without tzdata cannot tell when a shift begins."""
    assert levels(programs.time_zones, patient(tmp_path)) == [Level.FINE]

    def none(name: str) -> object:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(programs, "ZoneInfo", none)
    assert "tzdata" in words(programs.time_zones, patient(tmp_path), Level.TROUBLE)


def test_a_configuration_that_others_write_is_told(tmp_path: Path) -> None:
    """Who writes it says where the data folder is."""
    file = tmp_path / "beatbook.toml"
    file.write_text("", encoding="utf-8")
    file.chmod(0o644)
    assert levels(programs.configuration, patient(tmp_path, file=file)) == [Level.FINE]
    assert levels(programs.configuration, patient(tmp_path)) == [Level.FINE]
    file.chmod(0o666)
    assert "chmod go-w" in words(programs.configuration, patient(tmp_path, file=file), Level.TROUBLE)
    said = words(programs.configuration, patient(tmp_path, file=file, configured="there is no key prot"), Level.TROUBLE)
    assert "there is no key prot" in said
