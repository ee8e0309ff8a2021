"""`server.backup.taking` and `target`: a backup is there whole or not at all, and nothing is lost on the way."""

import errno
import fcntl
import io
import json
import os
from pathlib import Path

import msgspec
import pytest

from schemas.errors import StoreError, UsageError
from schemas.ids import Millis
from server.backup import archive, stream, taking, target
from server.backup.archive import read_description
from server.backup.keys import BackupKey
from server.backup.restoring import restore
from server.backup.stream import OpeningStream
from server.backup.taking import TOLD_IN, Readers, Taken, read_taken, take, take_erasures
from server.store.sqlite.trouble import store_errors
from sync.evidence.note import VerifierKey
from sync.evidence.policy import Policy
from tests.server.backup import folders


def test_it_tells_what_is_in_it(data: Path, tmp_path: Path) -> None:
    """Commit, size of the log and a head of it that the log signed: what a restore is held against."""
    taken = take(data, tmp_path / "a.bbk", folders.FOR_KEY, lambda: Millis(1_790_000_000_000))
    with (tmp_path / "a.bbk").open("rb") as file:
        found = read_description(OpeningStream(file, folders.KEY, "a"), "a")
    assert (found.at, found.seq, found.leaves) == (taken.at, taken.seq, taken.leaves)
    assert taken.bytes == (tmp_path / "a.bbk").stat().st_size
    head = Policy.of([VerifierKey.parse(found.log_key)]).open(found.checkpoint.encode()).checkpoint
    assert head.size == taken.leaves > 0


def test_the_data_folder_says_when_it_was_backed_up(data: Path, tmp_path: Path) -> None:
    """In the words that whoever watches the server reads; and nothing else of it is changed."""
    before = folders.image(data)
    taken = take(data, tmp_path / "a.bbk", folders.FOR_KEY)
    after = folders.image(data)
    assert json.loads(after.pop(TOLD_IN)) == msgspec.structs.asdict(taken)
    assert {name: body for name, body in after.items() if not name.endswith("-wal")} == before
    assert read_taken(data) == taken
    (data / TOLD_IN).write_bytes(b"{")
    assert read_taken(data) is None


def test_it_reaches_the_disk_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sync of all of it at the end would hold up those that edits wait for."""
    sizes: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(target, "SYNC_BYTES", 50_000)
    monkeypatch.setattr(os, "fsync", fsync)
    with target.opened(tmp_path / "a.bbk") as file:
        for _ in range(5):
            file.write(bytes(30_000))
    assert sizes[:3] == [60_000, 120_000, 150_000]


def test_a_backup_can_be_read_by_its_owner_only(data: Path, tmp_path: Path) -> None:
    """It is encrypted; and nobody else's all the same."""
    take(data, tmp_path / "a.bbk", folders.FOR_KEY)
    assert (tmp_path / "a.bbk").stat().st_mode & 0o777 == 0o600


def test_nobody_to_open_it_is_no_backup(data: Path, tmp_path: Path) -> None:
    """It is refused, and no file is left."""
    with pytest.raises(UsageError, match="say who can open the backup"):
        take(data, tmp_path / "a.bbk", Readers(()))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("after", [0, 1])
def test_a_full_disk_leaves_the_backup_that_was_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Wherever it fills: the text names the file, the half is gone, and the folder does not claim a backup."""
    path = tmp_path / "a.bbk"
    path.write_bytes(b"the one before")
    writes = 0
    real = target.Target.write

    def write(self: target.Target, content: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes > after:
            with store_errors(self._name):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, content)

    monkeypatch.setattr(target.Target, "write", write)
    with pytest.raises(StoreError, match=r"a\.bbk: No space left on device"):
        take(data, path, folders.FOR_KEY)
    assert path.read_bytes() == b"the one before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.bbk", "data"]
    assert not (data / TOLD_IN).exists()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_cannot_be_made_durable_is_no_backup(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The disk refuses at the very end: the one before stays."""
    path = tmp_path / "a.bbk"
    path.write_bytes(b"the one before")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr({"fsync": os, "replace": Path}[step], step, refuse)
        with pytest.raises(StoreError, match=r"a\.bbk: Input/output error"):
            take(data, path, folders.FOR_KEY)
    assert path.read_bytes() == b"the one before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.bbk", "data"]


class Killed(BaseException):
    """The process ends here: nothing after this line of it is carried out."""


STEPS: tuple[tuple[object, str], ...] = (
    (taking, "_erasures_of"), (taking, "_described"), (target.Target, "write"), (archive.ArchiveWriter, "end"),
    (stream.SealingStream, "finish"), (Path, "replace"), (target, "sync_folder"), (taking, "_tell"),
)  # fmt: skip


@pytest.mark.parametrize("late", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize(("where", "step"), STEPS, ids=[step for _, step in STEPS])
def test_killed_anywhere_a_backup_is_whole_or_the_one_before(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, where: object, step: str, late: bool
) -> None:
    """Before or behind each step; the next backup succeeds and leaves nothing of the half."""
    path = tmp_path / "a.bbk"
    take(data, path, folders.FOR_KEY)
    before = path.read_bytes()
    real = getattr(where, step)

    def killed(*arguments: object, **more: object) -> None:
        if late:
            real(*arguments, **more)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(where, step, killed)
        # A killed process tidies nothing up.
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(Killed):
            take(data, path, folders.FOR_KEY)
    found = path.read_bytes()
    if found != before:
        restore(folders.to_read(found), tmp_path / "new", check=True)
    take(data, path, folders.FOR_KEY)
    restore(folders.to_read(path.read_bytes()), tmp_path / "newer", check=True)
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_cannot_say_it_has_a_backup_all_the_same(data: Path, tmp_path: Path) -> None:
    """The text says that the backup is whole, and it is."""
    (data / f"{TOLD_IN}.new").mkdir()
    with pytest.raises(StoreError, match="the backup is whole, and the data folder cannot say so"):
        take(data, tmp_path / "a.bbk", folders.FOR_KEY)
    restore(folders.to_read((tmp_path / "a.bbk").read_bytes()), tmp_path / "new", check=True)


def test_what_a_killed_backup_left_goes_with_the_next(data: Path, tmp_path: Path) -> None:
    """But not the half that another process is writing at this moment."""
    left, written = tmp_path / ".a.bbk.0badcafe.new", tmp_path / ".a.bbk.11111111.new"
    left.write_bytes(b"half")
    with written.open("wb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        take(data, tmp_path / "a.bbk", folders.FOR_KEY)
        assert sorted(path.name for path in tmp_path.iterdir()) == [".a.bbk.11111111.new", "a.bbk", "data"]


def test_backups_of_a_folder_are_kept_by_their_age(data: Path, tmp_path: Path) -> None:
    """The newest stay; a file that bears no name of ours is never removed."""
    backups = tmp_path / "backups"
    backups.mkdir()
    (backups / "beatbook-of-last-year.bbk").write_bytes(b"")
    for minute in range(4):
        take(data, backups, folders.FOR_KEY, lambda minute=minute: Millis(1_790_000_000_000 + minute * 60_000))  # type: ignore[misc]
    removed = target.pruned(backups, 2)
    assert [path.name for path in removed] == ["beatbook-20260921T141320000Z.bbk", "beatbook-20260921T141420000Z.bbk"]
    assert sorted(path.name for path in backups.iterdir()) == [
        "beatbook-20260921T141520000Z.bbk", "beatbook-20260921T141620000Z.bbk", "beatbook-of-last-year.bbk",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["missing/a.bbk", "missing/"])
def test_a_target_that_is_none_is_told(data: Path, tmp_path: Path, name: str) -> None:
    """Before anything is read."""
    with pytest.raises(UsageError, match="there is no such folder"):
        take(data, tmp_path / "nowhere" / name, folders.FOR_KEY)


def test_erasures_alone_are_small_and_hold_no_record(data: Path, tmp_path: Path) -> None:
    """They can leave the machine every few minutes; a restore takes them as a list and not as a backup."""
    assert take_erasures(data, tmp_path / "e.bbk", folders.FOR_KEY) == 1
    raw = (tmp_path / "e.bbk").read_bytes()
    assert len(raw) < 5_000
    found = read_description(OpeningStream(io.BytesIO(raw), folders.KEY, "e"), "e")
    assert (found.holds, len(found.erasures)) == ("erasures", 1)
    assert not (data / TOLD_IN).exists()


def test_recipients_are_each_enough(data: Path, tmp_path: Path) -> None:
    """Two officers keep a key each, and either restores."""
    other = BackupKey.make()
    take(data, tmp_path / "a.bbk", Readers((folders.KEY.recipient, other.recipient)))
    for key in (folders.KEY, other):
        with (tmp_path / "a.bbk").open("rb") as file:
            assert OpeningStream(file, key, "a").read(1) == b"D"


def test_taken_is_what_others_read() -> None:
    """The names in the file are settled with whoever reads it."""
    assert msgspec.json.encode(Taken(Millis(1), 2, 3, 4)) == b'{"at":1,"bytes":2,"seq":3,"leaves":4}'
