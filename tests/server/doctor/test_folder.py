"""`server.doctor.folder`: each trouble of a data folder, planted; and it is read only."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from schemas.errors import StoreError
from server.backup.taking import TOLD_IN, Taken
from server.doctor import folder
from server.doctor.examining import CHECKS, examine
from server.doctor.report import Level
from server.store.sqlite import SqliteStore
from server.store.sqlite import schema as tables
from tests.server.backup import folders
from tests.server.doctor.patients import NOW, levels, patient, words


def changed(data: Path, statement: str) -> None:
    """Change the database as somebody with SQL would."""
    with closing(sqlite3.connect(data / "beatbook.db")) as connection, connection:
        connection.execute(statement)


def test_a_sound_folder_has_no_trouble(data: Path) -> None:
    """Or the tests below would prove nothing."""
    for check in (folder.permissions, folder.master_keys, folder.database, folder.log_head):
        assert set(levels(check, patient(data))) == {Level.FINE}, check


def test_a_folder_that_is_not_there_yet_is_none(tmp_path: Path) -> None:
    """Before the first start there is nothing to say of it, and nothing is made."""
    subject = patient(tmp_path / "new")
    for check in (folder.permissions, folder.master_keys, folder.database, folder.log_head, folder.backup):
        assert Level.TROUBLE not in levels(check, subject)
    assert list(tmp_path.iterdir()) == []


def test_files_that_others_may_read_are_told(data: Path) -> None:
    """The folder, and each key by its name."""
    data.chmod(0o755)
    (data / "keys" / "log.key").chmod(0o640)
    said = words(folder.permissions, patient(data), Level.TROUBLE)
    assert f"chmod 700 {data}" in said
    assert "log.key" in said


def test_keys_that_do_not_open_the_database_are_told(data: Path, tmp_path: Path) -> None:
    """Gone, or another database's."""
    changed(data, "UPDATE meta SET value = '00112233aabbccdd' WHERE key = 'masters'")
    with pytest.raises(StoreError, match="does not hold that one"):
        list(folder.master_keys(patient(data)))
    (data / "master.key").rename(tmp_path / "elsewhere.key")
    with pytest.raises(StoreError, match="has gone"):
        list(folder.master_keys(patient(data)))
    changed(data, "UPDATE meta SET value = '' WHERE key = 'masters'")
    environment = {"BEATBOOK_MASTER_KEY_FILE": str(tmp_path / "elsewhere.key")}
    assert levels(folder.master_keys, patient(data, environment=environment)) == [Level.FINE]


def test_a_damaged_database_is_told(data: Path) -> None:
    """A page in the middle of it, and a file that is none of ours."""
    path = data / "beatbook.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:8_192] + b"\xff" * 4_096 + whole[12_288:])
    lines = [line for line in examine(patient(data)).lines if line.check == "database"]
    assert [line.level for line in lines] == [Level.TROUBLE]
    path.write_bytes(whole)
    changed(data, "PRAGMA application_id = 5")
    assert "no database of ours" in words(folder.database, patient(data), Level.TROUBLE)


def test_a_database_of_a_newer_program_is_told(data: Path) -> None:
    """It is not damaged."""
    changed(data, f"PRAGMA user_version = {tables.VERSION + 1}")
    assert "newer program" in words(folder.database, patient(data), Level.TROUBLE)


def test_a_large_database_is_not_read_through(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes seconds holds up the checkpoints of a server at work."""
    monkeypatch.setattr(tables, "CHECKED_BYTES_MAX", 1_000)
    assert "too much to read through" in words(folder.database, patient(data), Level.FINE)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM log WHERE n = (SELECT max(n) FROM log)", "UPDATE node SET hash = zeroblob(32)"],
)
def test_a_log_whose_head_is_another_is_told(tmp_path: Path, statement: str) -> None:
    """An entry that was taken away, and a subtree that was changed."""
    data = folders.make(tmp_path / "data", rounds=130)
    assert levels(folder.log_head, patient(data)) == [Level.FINE]
    changed(data, statement)
    assert levels(folder.log_head, patient(data)) == [Level.TROUBLE]


def test_a_folder_that_was_set_back_is_told(data: Path) -> None:
    """The last backup had more of the log than there is."""
    (data / TOLD_IN).write_bytes(msgspec.json.encode(Taken(NOW, 1, 1, 1_000_000)))
    assert "was set back" in words(folder.log_head, patient(data), Level.TROUBLE)


@pytest.mark.parametrize(("hours", "level"), [(1, Level.FINE), (27, Level.WARNING), (-2, Level.WARNING)])
def test_the_age_of_the_last_backup_is_told(data: Path, hours: int, level: Level) -> None:
    """And that there never was one."""
    assert "no backup was ever taken" in words(folder.backup, patient(data), Level.WARNING)
    (data / TOLD_IN).write_bytes(msgspec.json.encode(Taken(NOW - hours * 3_600_000, 5_000, 1, 1)))  # type: ignore[arg-type]
    assert levels(folder.backup, patient(data)) == [level]


def test_no_byte_of_a_stopped_folder_changes(data: Path) -> None:
    """All checks, and no file is made either."""
    before = folders.image(data)
    assert examine(patient(data)).lines
    assert {path.name for path in data.iterdir()} == {name.partition("/")[0] for name in before}
    assert folders.image(data) == before


async def test_no_byte_of_a_folder_in_use_changes(data: Path) -> None:
    """A server holds it, with a write-ahead log that is not folded in."""
    store = await SqliteStore.open(data)
    try:
        before = await asyncio.to_thread(folders.image, data)
        report = await asyncio.to_thread(examine, patient(data))
        assert await asyncio.to_thread(folders.image, data) == before
        assert [line.words for line in report.lines if line.level is Level.TROUBLE] == []
    finally:
        await store.close()


def test_a_check_that_goes_wrong_is_trouble_too(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it said; the others are carried out all the same."""

    def refuse(_subject: object) -> object:
        raise PermissionError(13, "Permission denied", str(data / "keys"))

    monkeypatch.setitem(CHECKS, "permissions", refuse)
    report = examine(patient(data))
    assert not report.well
    (line,) = (line for line in report.lines if line.check == "permissions")
    assert "Permission denied" in line.words
    assert {line.check for line in report.lines} >= CHECKS.keys() - {"witnesses"}
