"""`server.backup.restoring` and `placing`: a folder is there whole or not at all, and known for one set back."""

import errno
import fcntl
import io
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import StoreError, UsageError
from server.backup import placing, restoring
from server.backup.keys import BackupKey
from server.backup.restoring import restore
from server.backup.stream import CHUNK_BYTES
from server.backup.taking import take_erasures
from server.backup.unpacking import Folder
from server.store.sqlite.folder import PLACE, place_of
from server.store.sqlite.writer import SqliteWriter
from tests.server.backup import folders

TABLES = (
    "record",
    "op",
    "journal",
    "member",
    "scope",
    "chain",
    "secret",
    "log",
    "node",
    "tree",
    "record_key",
    "erased",
)


def epoch_of(folder: Path) -> str:
    """The history that a server which opens it now begins or goes on with."""
    writer = SqliteWriter.open(folder)
    writer.close()
    return writer.epoch


def test_everything_comes_back(whole: Path, raw: bytes, tmp_path: Path) -> None:
    """Every row of every table, the keys, and nothing but its owner may read any of it."""
    done = restore(folders.to_read(raw), tmp_path / "new", check=True)
    assert done.report is not None
    assert done.report.sound
    assert any("signed checkpoint of the backup" in words for words in done.report.proven)
    assert done.aside is None
    for table in TABLES:
        assert folders.rows(tmp_path / "new", table) == folders.rows(whole, table)
    for name in ("master.key", "keys/log.key", "keys/pepper.key", "FORMAT"):
        assert (tmp_path / "new" / name).read_bytes() == (whole / name).read_bytes()
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "new").rglob("*.key")} == {0}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_the_epoch_changes_and_the_next_server_knows(whole: Path, raw: bytes, tmp_path: Path) -> None:
    """It is another history, also where the folder happened to have the numbers of the one before."""
    restore(folders.to_read(raw), tmp_path / "new")
    (before,) = (value for key, value in folders.rows(whole, "meta") if key == "epoch")
    (now,) = (value for key, value in folders.rows(tmp_path / "new", "meta") if key == "epoch")
    assert before != now
    told = (tmp_path / "new" / PLACE).read_text(encoding="ascii")
    assert told.startswith("restored from a backup of ")
    assert told.partition("\n")[0] != place_of(tmp_path / "new")
    assert epoch_of(tmp_path / "new") not in {before, now}


def test_a_key_that_is_kept_elsewhere_is_not_asked_for(
    raw: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine that kept it is gone; what came with the archive opens it, and the variable is as before."""
    monkeypatch.setenv("BEATBOOK_MASTER_KEY_FILE", str(tmp_path / "gone.key"))
    done = restore(folders.to_read(raw), tmp_path / "new", check=True)
    assert done.report is not None
    assert os.environ["BEATBOOK_MASTER_KEY_FILE"] == str(tmp_path / "gone.key")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in the middle": lambda raw: raw[: len(raw) // 2],
    "last byte gone": lambda raw: raw[:-1],
    "a bit flipped": lambda raw: raw[:-500] + bytes([raw[-500] ^ 4]) + raw[-499:],
    "empty": lambda raw: raw[:0],
    "something else": lambda raw: b"PK\x03\x04" + raw,
    "two of them": lambda raw: raw + raw,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_leaves_nothing(raw: bytes, tmp_path: Path, damage: str) -> None:
    """The text says what is wrong; the folder that was to be replaced is as it was."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "kept").write_text("x", encoding="ascii")
    with pytest.raises(StoreError, match=r"the\.bbk"):
        restore(folders.to_read(DAMAGES[damage](raw)), tmp_path / "old", replace=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["old", "kept"]


def test_another_key_opens_nothing(raw: bytes, tmp_path: Path) -> None:
    """And the text says whose it takes."""
    other = BackupKey.make()
    with pytest.raises(StoreError, match=f"made for key {folders.KEY.recipient.id}"):
        restore(folders.to_read(raw, other), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_restored_over_what_is_there(raw: bytes, tmp_path: Path) -> None:
    """An empty folder is taken; a used one, a file and a place without a folder above are refused."""
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "kept").write_text("x", encoding="ascii")
    (tmp_path / "file").write_text("x", encoding="ascii")
    (tmp_path / "empty").mkdir()
    for name, said in (("used", "is not empty"), ("file", "is no folder"), ("no/where", "there is no such folder")):
        with pytest.raises(UsageError, match=said):
            restore(folders.to_read(raw), tmp_path / name)
    restore(folders.to_read(raw), tmp_path / "empty")
    assert (tmp_path / "empty" / "FORMAT").exists()
    assert (tmp_path / "used" / "kept").exists()


@pytest.mark.parametrize("atomic", [True, False])
def test_a_folder_that_is_replaced_is_moved_aside(
    data: Path, raw: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, atomic: bool
) -> None:
    """It is never removed, on systems that cannot exchange two folders as well."""
    if not atomic:
        monkeypatch.setattr(placing, "_exchange", lambda *_: False)
    before = folders.image(data)
    done = restore(folders.to_read(raw), data, replace=True)
    assert done.aside is not None
    assert done.aside.name.startswith("data.before-")
    assert folders.image(done.aside) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", done.aside.name]


def test_a_folder_in_use_is_not_replaced(data: Path, raw: bytes) -> None:
    """A server would go on writing into what was moved away."""
    writer = SqliteWriter.open(data)
    try:
        with pytest.raises(StoreError, match="a server uses this data folder"):
            restore(folders.to_read(raw), data, replace=True)
    finally:
        writer.close()


class Killed(BaseException):
    """The process ends here: nothing after this line of it is carried out."""


STEPS = (
    (restoring, "read_files"), (restoring, "mark"), (restoring, "carry_out"), (restoring, "_checked"),
    (restoring, "put_in_place"), (placing, "_replace"), (placing, "_exchange"), (placing, "sync_folder"),
)  # fmt: skip


@pytest.mark.parametrize("late", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize(("module", "step"), STEPS, ids=[name for _, name in STEPS])
def test_killed_anywhere_a_restore_loses_nothing(
    data: Path, raw: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, module: object, step: str, late: bool
) -> None:
    """Before or behind each step: in its place is the old folder or the new one, whole, and the old one is somewhere.

    The same restore again succeeds.
    """
    before = folders.image(data)
    real = getattr(module, step)

    def killed(*arguments: object, **more: object) -> None:
        if late:
            real(*arguments, **more)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, step, killed)
        # A killed process tidies nothing up.
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            restore(folders.to_read(raw), data, check=True, replace=True)
    whole = folders.image(data)
    assert whole == before or (data / PLACE).read_text(encoding="ascii").startswith("restored")
    assert "beatbook.db" in whole
    assert any(folders.image(path) == before for path in tmp_path.iterdir() if path.is_dir())
    done = restore(folders.to_read(raw), data, check=True, replace=True)
    assert done.aside is not None
    assert any(folders.image(path) == before for path in tmp_path.iterdir() if path.is_dir())
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_told_and_leaves_nothing(raw: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the file that found no room."""

    def full(_self: Folder, _data: bytes) -> None:
        raise StoreError(f"beatbook.db: {os.strerror(errno.ENOSPC)}")

    monkeypatch.setattr(Folder, "piece", full)
    with pytest.raises(StoreError, match="No space left"):
        restore(folders.to_read(raw), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_half_of_another_restore_is_left_alone(raw: bytes, tmp_path: Path) -> None:
    """Only what nobody builds any more is removed."""
    other, left = tmp_path / ".new.00000000.restoring", tmp_path / ".new.11111111.restoring"
    other.mkdir()
    left.mkdir()
    descriptor = os.open(other, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        restore(folders.to_read(raw), tmp_path / "new")
        assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "new"]
    finally:
        os.close(descriptor)


def test_what_is_not_sound_is_not_put_in_place(data: Path, tmp_path: Path) -> None:
    """An insider's change was backed up: with --verify it is told, without it comes back as it was."""
    with closing(sqlite3.connect(data / "beatbook.db")) as connection, connection:
        connection.execute("UPDATE op SET recorded_at = recorded_at + 1 WHERE place = 3")
    raw = folders.archive_of(data, tmp_path / "a.bbk")
    with pytest.raises(StoreError, match="things are wrong with what was restored, and it was not put in place"):
        restore(folders.to_read(raw), tmp_path / "new", check=True)
    assert not (tmp_path / "new").exists()
    restore(folders.to_read(raw), tmp_path / "new")
    assert (tmp_path / "new").exists()


def test_a_list_of_erasures_is_no_backup(data: Path, tmp_path: Path) -> None:
    """It says what it is for."""
    take_erasures(data, tmp_path / "e.bbk", folders.FOR_KEY)
    with pytest.raises(UsageError, match="give it as --erasures"):
        restore(folders.to_read((tmp_path / "e.bbk").read_bytes()), tmp_path / "new")


def test_an_archive_may_come_in_pieces(raw: bytes, tmp_path: Path) -> None:
    """A pipe gives what it has: less than what was asked for is not the end."""

    class Pipe(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, CHUNK_BYTES // 7))

    restore(restoring.Archive(Pipe(raw), folders.KEY, "-"), tmp_path / "new")
    assert (tmp_path / "new" / "FORMAT").exists()
