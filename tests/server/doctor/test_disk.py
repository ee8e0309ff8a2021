"""`server.doctor.disk`: each trouble of the disk, planted."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from server.doctor import disk
from server.doctor.report import Level
from tests.server.doctor.patients import kernel, levels, patient, words


@pytest.mark.parametrize(
    ("kind", "level"),
    [("ext4", Level.FINE), ("nfs4", Level.TROUBLE), ("tmpfs", Level.TROUBLE), ("overlay", Level.WARNING)],
)
def test_a_file_system_that_does_not_do_is_told(tmp_path: Path, kind: str, level: Level) -> None:
    """The mount nearest to the folder counts, also where the folder is not there yet."""
    mounts = f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\nother /elsewhere nfs rw 0 0\n"
    proc = kernel(tmp_path, {"mounts": mounts})
    assert levels(disk.file_system, patient(tmp_path / "not" / "yet", proc=proc)) == [level]


def volume(free: float, inodes: float) -> SimpleNamespace:
    """What statvfs says of a disk of 100 GiB."""
    blocks = 100 * 1024**3 // 4_096
    return SimpleNamespace(
        f_frsize=4_096, f_blocks=blocks, f_bavail=int(blocks * free), f_files=1_000, f_favail=int(1_000 * inodes)
    )


@pytest.mark.parametrize(
    ("free", "inodes", "expected"),
    [
        (0.5, 0.5, [Level.FINE]),
        (0.05, 0.5, [Level.WARNING]),
        (0.005, 0.5, [Level.TROUBLE]),
        (0.5, 0.01, [Level.FINE, Level.TROUBLE]),
    ],
)
def test_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, inodes: float, expected: list[Level]
) -> None:
    """Bytes and inodes, each by itself."""
    monkeypatch.setattr(os, "statvfs", lambda _: volume(free, inodes))
    assert levels(disk.space, patient(tmp_path)) == expected


@pytest.mark.parametrize(
    ("costs", "level"),
    [([0.2, 4.0], Level.FINE), ([35.0, 40.0], Level.WARNING), ([0.001, 0.002], Level.WARNING), ([], Level.FINE)],
)
def test_what_a_sync_costs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, costs: list[float], level: Level
) -> None:
    """One that is slow, and one that cannot have happened."""
    monkeypatch.setattr(disk, "sync_costs_ms", lambda _: costs)
    assert levels(disk.sync_cost, patient(tmp_path)) == [level]


def test_measuring_leaves_no_file(tmp_path: Path) -> None:
    """It is a file without a name."""
    disk.sync_costs_ms(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert disk.sync_costs_ms(tmp_path / "missing") == []


def test_a_log_that_is_never_cut_is_told(data: Path) -> None:
    """Something reads and does not end."""
    assert levels(disk.write_ahead_log, patient(data)) == [Level.FINE]
    with (data / "beatbook.db-wal").open("wb") as file:
        file.truncate(disk.FREE_BYTES_MIN)
    assert "1024 MiB" in words(disk.write_ahead_log, patient(data), Level.WARNING)
