"""`server.backup.snapshot`: one committed state, whatever is written, folded in and begun anew while it is copied."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import StoreError
from server.backup import snapshot as module
from server.backup.snapshot import snapshot
from server.store.masters import MasterKeys, key_file

PAGE = 4_096
CELLS = 16
EVENTS_MAX = 60


class Tally:
    """A writer that changes many pages in each commit: a state in which they differ never was.

    Its rows are too large for one page, so a copy that mixes two commits shows.
    """

    def __init__(self, data: Path) -> None:
        """Begin at 0."""
        self.count = 0
        self._connection = sqlite3.connect(data / "beatbook.db", isolation_level=None)
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("PRAGMA busy_timeout = 0")
        self.commit()

    def commit(self) -> None:
        """One more commit."""
        self.count += 1
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            cells = [(f"cell{i:03d}", self.count.to_bytes(4, "big") * (PAGE // 8)) for i in range(CELLS)]
            connection.executemany(
                "INSERT INTO secret VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body", cells
            )

    def fold(self, how: str) -> None:
        """A checkpoint; one that a reader is in the way of does what it can."""
        self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()

    def abandon(self) -> None:
        """Write much and take it back: frames that were never committed lie in the log."""
        connection = self._connection
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO secret VALUES (?, ?)", [(f"x{i}", bytes(PAGE)) for i in range(40)])
        connection.execute("ROLLBACK")

    def close(self) -> None:
        """End."""
        self._connection.close()


@pytest.fixture
def tally(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tally]:
    """The writer, and a copier that takes a page at a time."""
    monkeypatch.setattr(module, "PIECE_BYTES_MAX", 2 * PAGE)
    writer = Tally(data)
    yield writer
    writer.close()


def state_of(copy: Path) -> int:
    """The commit that a copied database is of; it is checked to be one state."""
    with closing(sqlite3.connect(copy / "beatbook.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        bodies = {body for (body,) in connection.execute("SELECT body FROM secret WHERE name LIKE 'cell%'")}
        (count,) = connection.execute("SELECT count(*) FROM secret WHERE name LIKE 'cell%'").fetchone()
        assert connection.execute("SELECT count(*) FROM secret WHERE name LIKE 'x%'").fetchone() == (0,)
    assert len(bodies) == 1, "pages of several commits"
    assert count == CELLS
    return int.from_bytes(next(iter(bodies))[:4], "big")


def write_out(files: Iterator[tuple[str, Iterator[bytes]]], copy: Path, meanwhile: object = None) -> None:
    """Copy a folder, with something that happens after each piece."""
    for name, pieces in files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        with (copy / name).open("wb") as file:
            (copy / name).chmod(0o600)
            for piece in pieces:
                file.write(piece)
                if callable(meanwhile):
                    meanwhile()


@pytest.mark.parametrize("seed", range(6))
def test_it_is_one_state_whatever_is_written_meanwhile(data: Path, tmp_path: Path, tally: Tally, seed: int) -> None:
    """Between any two pages commits, checkpoints of every sort and writes that are taken back.

    All that was said durable before the copy began is in it.
    """
    dice, events = random.Random(seed), iter(range(EVENTS_MAX))
    if seed % 3 == 0:
        # The reader then begins behind an empty log, and the log is begun anew under it.
        tally.fold("TRUNCATE")

    def meanwhile() -> None:
        if next(events, None) is None:
            return
        for _ in range(dice.randrange(3)):
            tally.commit()
        if dice.random() < 0.5:
            tally.fold(dice.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"]))
        if dice.random() < 0.1:
            tally.abandon()

    before = tally.count
    with snapshot(data) as state:
        write_out(state.files(), tmp_path / "copy", meanwhile)
    assert before <= state_of(tmp_path / "copy") <= tally.count
    assert tally.count > before


def test_the_log_can_be_cut_once_the_copy_is_made(data: Path, tmp_path: Path, tally: Tally) -> None:
    """Nothing holds up the server's checkpoints afterwards."""
    with snapshot(data) as state:
        write_out(state.files(), tmp_path / "copy")
        tally.commit()
    tally.fold("TRUNCATE")
    assert (data / "beatbook.db-wal").stat().st_size == 0


def test_it_gives_up_before_the_log_has_grown_too_far(data: Path, tmp_path: Path, tally: Tally) -> None:
    """Whoever takes the backup slowly does not fill the server's disk."""
    with (
        pytest.raises(StoreError, match="has grown by more than 0 MiB"),
        snapshot(data, growth_max=100_000) as state,
    ):
        write_out(state.files(), tmp_path / "copy", tally.commit)
    tally.commit()


def test_a_log_that_a_killed_server_left_is_in_it(data: Path, tmp_path: Path, tally: Tally) -> None:
    """With no server on the folder: what was committed and never folded in."""
    tally.fold("TRUNCATE")
    tally.commit()
    killed = tmp_path / "killed"
    killed.mkdir()
    write_out(snapshot_of(data), killed)
    assert (killed / "beatbook.db-wal").stat().st_size > 0
    again = tmp_path / "again"
    write_out(snapshot_of(killed), again)
    assert state_of(again) == tally.count


def snapshot_of(data: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """All files of a folder."""
    with snapshot(data) as state:
        yield from state.files()


def test_every_file_that_a_restore_needs_is_in_it(data: Path) -> None:
    """Keys, format and what somebody else keeps there; not what is of this machine and this run."""
    for name in ("control.token", "place", "address.json", "backup.json", "lock", "address.json.new", ".hidden"):
        (data / name).write_text("x", encoding="ascii")
    names = [name for name, pieces in snapshot_of(data) if list(pieces) is not None]
    keys = [f"keys/{name}.key" for name in ("devices", "log", "pepper", "quarantine", "token")]
    assert names == ["beatbook.db", "beatbook.db-wal", "FORMAT", "control.token", *keys, "master.key"]


def test_master_keys_are_found_where_they_are_kept(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another disk, by the variable; in the archive they are in their first place."""
    elsewhere = tmp_path / "elsewhere.key"
    (data / "master.key").rename(elsewhere)
    with pytest.raises(StoreError, match="the master key file has gone"):
        list(snapshot_of(data))
    monkeypatch.setenv("BEATBOOK_MASTER_KEY_FILE", str(elsewhere))
    found = {name: b"".join(pieces) for name, pieces in snapshot_of(data)}
    assert found["master.key"] == elsewhere.read_bytes()


def test_keys_that_change_meanwhile_are_noticed(data: Path) -> None:
    """An archive must open with the keys that are in it."""
    files = snapshot_of(data)
    next(files)
    MasterKeys.read(key_file(data)).rotated()
    with pytest.raises(StoreError, match="the master keys were changed meanwhile"):
        list(files)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("PRAGMA user_version = 3", "has version 3, this program backs up version"),
        ("UPDATE meta SET value = '00112233aabbccdd' WHERE key = 'masters'", "does not hold that one"),
    ],
)
def test_what_could_not_be_restored_is_not_backed_up(data: Path, change: str, said: str) -> None:
    """Tables of another version, or keys that do not open the database: told today, and not on the worst day."""
    with closing(sqlite3.connect(data / "beatbook.db")) as connection, connection:
        connection.execute(change)
    with pytest.raises(StoreError, match=said):
        list(snapshot_of(data))


def test_a_folder_without_a_database_is_refused(tmp_path: Path) -> None:
    """And nothing is made there."""
    with pytest.raises(StoreError, match="there is no database in it"):
        list(snapshot_of(tmp_path))
    assert list(tmp_path.iterdir()) == []
