"""The file with the master keys: made once, never written over, refused with a reason when it is not what it was."""

import os
import stat
from pathlib import Path

import pytest

from schemas.errors import StoreError, UsageError
from server.store import masters
from server.store.masters import MasterKeys
from tests.server.owners import NOBODY_HERE, owned_by


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file goes."""
    return tmp_path / "data" / "master.key"


def test_the_file_is_made_once_for_its_owner_only(path: Path) -> None:
    """The second start finds the same key; nobody else can read it."""
    made = MasterKeys.make(path)
    before = path.read_bytes()
    assert MasterKeys.make(path).newest == made.newest
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_two_files_hold_different_keys(tmp_path: Path) -> None:
    """The keys are drawn, not fixed."""
    assert MasterKeys.make(tmp_path / "a").newest != MasterKeys.make(tmp_path / "b").newest


def test_of_two_that_make_it_at_once_one_wins(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both go on with the same keys: a second file over the first would lose what was sealed in between."""
    fsync = os.fsync

    def beaten(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        won.append(MasterKeys.make(path).newest)
        fsync(descriptor)

    won: list[bytes] = []
    monkeypatch.setattr(os, "fsync", beaten)
    assert MasterKeys.make(path).newest == won[0]
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_it_lies_in_the_folder_or_where_the_environment_says(tmp_path: Path) -> None:
    """A force keeps it on another disk; an empty variable is none."""
    assert masters.key_file(tmp_path, {}) == tmp_path / "master.key"
    assert masters.key_file(tmp_path, {"BEATBOOK_MASTER_KEY_FILE": ""}) == tmp_path / "master.key"
    assert masters.key_file(tmp_path, {"BEATBOOK_MASTER_KEY_FILE": "/run/keys/beat"}) == Path("/run/keys/beat")


def test_reading_makes_nothing(path: Path) -> None:
    """A database whose key file has gone is not given a new one, which would open nothing."""
    with pytest.raises(StoreError, match="has gone") as told:
        MasterKeys.read(path)
    assert str(path) in str(told.value)
    assert "put it back" in str(told.value)
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_may_use_is_refused(path: Path, mode: int) -> None:
    """The text says what to type."""
    MasterKeys.make(path)
    path.chmod(mode)
    with pytest.raises(StoreError, match=f"mode {mode:04o}.*chmod 600"):
        MasterKeys.read(path)


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns it could exchange it at any time; root may."""
    MasterKeys.make(path)
    owned_by(monkeypatch, 0)
    assert MasterKeys.read(path).newest
    owned_by(monkeypatch, NOBODY_HERE)
    with pytest.raises(StoreError, match="belongs to another user"):
        MasterKeys.read(path)


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    """With a reason, not a traceback."""
    path.mkdir(parents=True, mode=0o700)
    with pytest.raises(StoreError, match=r"master\.key"):
        MasterKeys.read(path)


def test_every_damage_of_the_file_is_refused(path: Path) -> None:
    """Each flipped digit, each cut, each missing end of line but the last: never another key, never a traceback."""
    keys = MasterKeys.make(path).rotated()
    whole = path.read_text()
    damaged = {whole[:at] + ("0" if whole[at] != "0" else "1") + whole[at + 1 :] for at in range(len(whole) - 1)}
    damaged |= {whole[:at] for at in range(len(whole) - 1)}
    damaged |= {whole + "more\n", "\n" + whole, whole * 20, whole.replace("\n", ""), "\x00" * 90}
    for text in damaged:
        path.write_text(text)
        try:
            found = MasterKeys.read(path).ids
        except StoreError as error:
            assert str(path) in str(error)  # noqa: PT017  most texts are refused, one cut leaves a whole older file
        else:
            assert found == keys.ids[:1]
    path.write_bytes(b"\xff\xfe" * 300)
    with pytest.raises(StoreError, match="no master keys"):
        MasterKeys.read(path)


def test_no_message_and_no_repr_shows_a_key(path: Path) -> None:
    """A key that is in a log is a key that is stolen."""
    keys = MasterKeys.make(path)
    line = path.read_text().splitlines()[1]
    secret = line.split()[1]
    path.write_text(path.read_text().replace(line.split()[0], "0" * 16))
    with pytest.raises(StoreError) as told:
        MasterKeys.read(path)
    assert secret[:8] not in str(told.value)
    assert told.value.__suppress_context__ or told.value.__context__ is None
    assert secret[:8] not in repr(keys)


def test_a_new_key_comes_beside_the_old_ones(path: Path) -> None:
    """The newest wraps, the older ones still open; a later start sees the same."""
    first = MasterKeys.make(path)
    second = first.rotated()
    assert second.ids == (*first.ids, second.newest)
    assert second.newest != first.newest
    assert MasterKeys.read(path).ids == second.ids
    assert second.cipher(first.newest) is not None
    assert first.cipher(second.newest) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_is_not_there_is_asked_for_by_name(path: Path) -> None:
    """The text says which key and which file."""
    keys = MasterKeys.make(path)
    with pytest.raises(StoreError, match=f"{'ab' * 8}.*{path}"):
        keys.require(b"\xab" * 8, "beatbook.db")


def test_old_keys_are_retired_and_leave_the_file(path: Path) -> None:
    """Not a digit of them stays behind, in it or beside it."""
    first = MasterKeys.make(path)
    secret = path.read_text().splitlines()[1].split()[1]
    second = first.rotated()
    after = second.retired(first.ids)
    assert after.ids == MasterKeys.read(path).ids == (second.newest,)
    assert secret not in "".join(entry.read_text() for entry in path.parent.iterdir())


def test_the_key_that_wraps_is_not_retired(path: Path) -> None:
    """Nor one that is not there; the file stays as it is."""
    keys = MasterKeys.make(path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is the newest"):
        keys.retired([keys.newest])
    with pytest.raises(UsageError, match="holds no master key"):
        keys.retired([b"\xab" * 8])
    assert path.read_bytes() == before


def test_keys_do_not_pile_up(path: Path) -> None:
    """At the limit the text says what to do first."""
    keys = MasterKeys.make(path)
    for _ in range(masters.MASTERS_MAX - 1):
        keys = keys.rotated()
    with pytest.raises(StoreError, match="retire the old ones"):
        keys.rotated()
    assert MasterKeys.read(path).ids == keys.ids


def test_a_write_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of a rotation costs nothing, and leaves nothing behind."""
    keys = MasterKeys.make(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="cannot be written"):
            keys.rotated()
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_what_a_crash_left_beside_the_file_goes(path: Path) -> None:
    """A torn attempt is neither read nor in the way of the next one."""
    keys = MasterKeys.make(path)
    torn = path.with_name(".master.key.0f0f0f0f.new")
    torn.write_text("beatbook master keys 1\n5f")
    assert MasterKeys.read(path).ids == keys.ids
    keys.rotated()
    assert not torn.exists()
