"""The data folder: whose it is, of which format, one at a time."""

import threading
import time
from pathlib import Path

import pytest

from schemas.errors import StoreError
from server.store.sqlite import SqliteStore
from server.store.sqlite.folder import DataFolder
from server.store.sqlite.writer import SqliteWriter
from tests.server.store.support import Device, Keep, area, commit, record_id


def contents(path: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def make(path: Path) -> None:
    """A data folder with nothing in its database."""
    SqliteWriter.open(path).close()


def test_a_new_folder_is_its_owners_only(tmp_path: Path) -> None:
    """Nobody else on the machine reads what it holds: not the folder, not one file, whatever the umask says."""
    data = tmp_path / "force" / "data"
    writer = SqliteWriter.open(data)
    try:
        assert data.stat().st_mode & 0o777 == 0o700
        modes = {file.name: file.stat().st_mode & 0o077 for file in data.iterdir() if file.name != "FORMAT"}
        assert set(modes) == {"beatbook.db", "beatbook.db-wal", "beatbook.db-shm", "lock", "master.key"}
        assert set(modes.values()) == {0}
        assert (data / "FORMAT").read_text() == "beatbook 1\n"
    finally:
        writer.close()


def test_what_the_server_keeps_beside_is_no_stranger(tmp_path: Path) -> None:
    """Devices may be enrolled before the server first starts, and a mounted volume is never quite empty."""
    for name in ("devices", "lost+found", ".snapshots"):
        (tmp_path / name).mkdir()
    (tmp_path / "control.token").write_text("secret")
    make(tmp_path)
    assert (tmp_path / "FORMAT").exists()
    assert (tmp_path / "control.token").read_text() == "secret"


@pytest.mark.parametrize("name", ["notes.txt", "main.db", "src"])
def test_a_folder_of_something_else_is_refused_untouched(tmp_path: Path, name: str) -> None:
    """A mistyped path costs nothing: the error names what was found, and the folder stays as it was."""
    (tmp_path / name).mkdir() if name == "src" else (tmp_path / name).write_text("ours")
    before = sorted(tmp_path.rglob("*")), contents(tmp_path)
    with pytest.raises(StoreError, match=f"not a data folder.*'{name}'"):
        SqliteWriter.open(tmp_path)
    assert (sorted(tmp_path.rglob("*")), contents(tmp_path)) == before


def test_a_file_is_refused(tmp_path: Path) -> None:
    """A path that is no folder is told so."""
    (tmp_path / "data").write_text("x")
    with pytest.raises(StoreError, match="is a file, expected a data folder"):
        SqliteWriter.open(tmp_path / "data")
    with pytest.raises(StoreError, match="Not a directory"):
        SqliteWriter.open(tmp_path / "data" / "below")


def test_a_newer_format_is_refused_untouched(tmp_path: Path) -> None:
    """An older program keeps its hands off a newer one's folder, and says what to do."""
    make(tmp_path)
    (tmp_path / "FORMAT").write_text("beatbook 2\n")
    before = contents(tmp_path)
    with pytest.raises(StoreError, match=r"format 2, from a newer version; this one knows up to 1.*update"):
        SqliteWriter.open(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("text", ["", "1\n", "beatbook\n", "beatbook one\n", "other 1\n", "beatbook 1\nmore\n", "\xff"])
def test_a_format_that_is_not_ours_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever else stands there is not taken for a format."""
    make(tmp_path)
    (tmp_path / "FORMAT").write_text(text, encoding="latin-1")
    with pytest.raises(StoreError, match="expected 'beatbook 1'"):
        SqliteWriter.open(tmp_path)


def test_a_database_that_has_gone_is_not_made_anew(tmp_path: Path) -> None:
    """An empty server in place of a force's records would tell every device to start over: it is refused."""
    make(tmp_path)
    (tmp_path / "beatbook.db").unlink()
    with pytest.raises(StoreError, match=r"beatbook\.db has gone; put it back or restore a backup"):
        SqliteWriter.open(tmp_path)
    assert not (tmp_path / "beatbook.db").exists()


def test_a_folder_cut_off_while_it_was_made_is_made_anew(tmp_path: Path) -> None:
    """A crash before the database was whole leaves nothing to lose and nothing in the way."""
    (tmp_path / "lock").touch()
    (tmp_path / "beatbook.db.new").write_bytes(b"SQLite format 3\0 half of it")
    (tmp_path / "beatbook.db.new-journal").write_bytes(b"half")
    make(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["FORMAT", "beatbook.db", "lock", "master.key"]


async def test_a_folder_cut_off_before_its_format_goes_on(tmp_path: Path, kept: Keep) -> None:
    """A crash between database and FORMAT loses neither: the database is looked at, kept, and FORMAT written."""
    device, epoch = Device(), ""
    for fresh in (True, False):
        store = kept(await SqliteStore.open(tmp_path, inline=True))
        if fresh:
            await commit(store, device.push(device.incident(record_id(1))))
            epoch = store.epoch
        assert (await store.heads())[area("birmingham")].count == 1
        assert store.epoch == epoch
        await store.close()
        assert (tmp_path / "FORMAT").exists()
        (tmp_path / "FORMAT").unlink()


def test_nothing_is_adopted_over_a_database(tmp_path: Path) -> None:
    """The last guard before the rename that could lose everything."""
    make(tmp_path)
    data = DataFolder.claim(tmp_path)
    try:
        before = data.database.read_bytes()
        with pytest.raises(StoreError, match="nothing is created over it"):
            data.adopt(data.clear_unfinished())
        assert data.database.read_bytes() == before
    finally:
        data.release()


@pytest.mark.parametrize("inline", [True, False])
async def test_a_second_server_is_refused_while_the_first_runs(tmp_path: Path, kept: Keep, *, inline: bool) -> None:
    """Two servers never open one folder, in the same process or in two; when the first has gone, the next may."""
    first = kept(await SqliteStore.open(tmp_path / "data", inline=inline))
    for second in (True, False):
        with pytest.raises(StoreError, match="another server uses this data folder"):
            await SqliteStore.open(tmp_path / "data", inline=second, wait_s=0)
    await first.close()
    kept(await SqliteStore.open(tmp_path / "data", inline=inline, wait_s=0))


def test_a_dying_predecessor_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes while the lock is held gets the folder as soon as it is free."""
    make(tmp_path)
    first = DataFolder.claim(tmp_path)
    waiting = threading.Event()
    real_sleep = time.sleep

    def sleep(pause_s: float) -> None:
        waiting.set()
        real_sleep(pause_s)

    monkeypatch.setattr(time, "sleep", sleep)
    got: list[DataFolder] = []
    second = threading.Thread(target=lambda: got.append(DataFolder.claim(tmp_path, wait_s=15)))
    second.start()
    assert waiting.wait(10)
    assert got == []
    first.release()
    second.join(10)
    (taken,) = got
    taken.release()


def test_a_refused_claim_leaves_the_folder_free(tmp_path: Path) -> None:
    """An open that fails gives the lock back: what was wrong can be mended and tried at once."""
    make(tmp_path)
    (tmp_path / "FORMAT").write_text("beatbook 2\n")
    with pytest.raises(StoreError):
        SqliteWriter.open(tmp_path)
    (tmp_path / "FORMAT").write_text("beatbook 1\n")
    SqliteWriter.open(tmp_path, wait_s=0).close()
