"""`server.doctor.machine`: each trouble of the machine and its kernel, planted."""

import os
import resource
from pathlib import Path

import pytest

from server.configuration_sections import Limits
from server.doctor import machine
from server.doctor.report import Level
from tests.server.doctor.patients import kernel, levels, patient, served, words


def test_one_core_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop and the writer want one each."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert levels(machine.cores, patient(tmp_path)) == [Level.WARNING]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert levels(machine.cores, patient(tmp_path)) == [Level.FINE]


def test_too_few_open_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to set; without a limit there is nothing to say."""
    subject = patient(tmp_path, limits=Limits(connections_max=1_000))
    for hard, level in ((1_255, Level.TROUBLE), (1_256, Level.FINE), (resource.RLIM_INFINITY, Level.FINE)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, hard=hard: (100, hard))
        assert levels(machine.open_files, subject) == [level]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 600))
    said = words(machine.open_files, subject, Level.TROUBLE)
    assert "LimitNOFILE=1256" in said
    assert "to 344" in said


def test_of_a_running_server_its_own_limit_counts(tmp_path: Path) -> None:
    """Not that of whoever calls the doctor."""
    told = "Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n"
    proc = kernel(tmp_path, {"4711/limits": told})
    with served(tmp_path, 4711):
        assert "4,096" in words(machine.open_files, patient(tmp_path, proc=proc), Level.TROUBLE)


@pytest.mark.parametrize(("told", "level"), [("128", Level.WARNING), ("2048", Level.FINE), ("", Level.FINE)])
def test_a_short_backlog_is_told(tmp_path: Path, told: str, level: Level) -> None:
    """After a restart all devices come at once."""
    proc = kernel(tmp_path, {"sys/net/core/somaxconn": told})
    assert levels(machine.backlog, patient(tmp_path, proc=proc)) == [level]


@pytest.mark.parametrize(
    ("told", "level"), [("10 20 30", Level.WARNING), ("1 2 9999999", Level.FINE), ("what", Level.FINE)]
)
def test_too_little_memory_for_connections_is_told(tmp_path: Path, told: str, level: Level) -> None:
    """The kernel would drop them where nobody looks."""
    proc = kernel(tmp_path, {"sys/net/ipv4/tcp_mem": told})
    assert levels(machine.tcp_memory, patient(tmp_path, proc=proc)) == [level]


@pytest.mark.parametrize(("state", "level"), [(5, Level.WARNING), (0, Level.FINE), (None, Level.WARNING)])
def test_a_clock_that_nothing_keeps_right_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: int | None, level: Level
) -> None:
    """Evidence bears its times."""
    monkeypatch.setattr(machine, "clock_state", lambda: state)
    assert levels(machine.clock, patient(tmp_path)) == [level]


def test_the_clock_is_asked_and_not_set() -> None:
    """The call is there on Linux and answers one of its states."""
    assert machine.clock_state() in {None, 0, 1, 2, 3, 4, 5}
