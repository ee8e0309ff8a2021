"""A witness's memory: one head of each log, replaced by comparison, on the disk before anyone hears of it."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from schemas.errors import StoreError
from server.witness.heads import CONFLICTS_MAX, NEVER_SEEN, Head, Heads

ORIGIN = "log.force.example/custody"
ONE = Head(5, b"\x01" * 32, b"one")
OTHER = Head(5, b"\x02" * 32, b"other")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the memory is."""
    return tmp_path / "heads.sqlite"


@pytest.fixture
def heads(path: Path) -> Iterator[Heads]:
    """A fresh memory."""
    with closing(Heads.open(path)) as heads:
        yield heads


def test_a_head_is_remembered_by_its_log(heads: Heads, path: Path) -> None:
    """Each log's own, over the end of the process."""
    assert heads.latest(ORIGIN) == NEVER_SEEN
    assert heads.advance(ORIGIN, NEVER_SEEN, ONE)
    assert heads.latest("log.other.example") == NEVER_SEEN
    heads.close()
    with closing(Heads.open(path)) as again:
        assert again.latest(ORIGIN) == ONE


def test_a_head_is_replaced_by_comparison_only(heads: Heads) -> None:
    """Whoever compared with what no longer stands changes nothing, whatever differs."""
    assert heads.advance(ORIGIN, NEVER_SEEN, ONE)
    for old in (NEVER_SEEN, OTHER, Head(6, ONE.root, ONE.note), Head(5, ONE.root, b"")):
        assert not heads.advance(ORIGIN, old, OTHER)
    assert heads.latest(ORIGIN) == ONE
    assert heads.advance(ORIGIN, ONE, Head(6, b"\x03" * 32, b"six"))


def test_of_two_processes_one_wins(path: Path) -> None:
    """Two memories on one file at the same moment: exactly one head stands, and its advance was told so."""
    start = Barrier(2)

    def advance(new: Head) -> bool:
        with closing(Heads.open(path)) as heads:
            start.wait()
            return heads.advance(ORIGIN, NEVER_SEEN, new)

    Heads.open(path).close()
    with ThreadPoolExecutor(2) as threads:
        won = list(threads.map(advance, (ONE, OTHER)))
    assert sorted(won) == [False, True]
    with closing(Heads.open(path)) as heads:
        assert heads.latest(ORIGIN) == (ONE if won[0] else OTHER)


def test_a_commit_is_on_the_disk(heads: Heads) -> None:
    """EXTRA: with less, the journal that undoes a commit can come back after a power cut."""
    assert heads.synchronous == 3


def test_a_failed_write_leaves_what_stood(heads: Heads, path: Path) -> None:
    """An error of the disk is an error, not an answer; the head before it still stands."""
    assert heads.advance(ORIGIN, NEVER_SEEN, ONE)
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("CREATE TRIGGER broken BEFORE UPDATE ON head BEGIN SELECT raise(ABORT, 'disk full'); END")
        with pytest.raises(StoreError, match="disk full"):
            heads.advance(ORIGIN, ONE, OTHER)
        foreign.execute("DROP TRIGGER broken")
    assert heads.latest(ORIGIN) == ONE
    assert heads.advance(ORIGIN, ONE, OTHER)


def test_forked_heads_are_kept_within_bounds(heads: Heads) -> None:
    """Each once, the first ones, and a log gone wrong does not take the place of another's."""
    for number in [0, 0, *range(CONFLICTS_MAX + 5)]:
        heads.keep_conflict(ORIGIN, f"fork {number}".encode())
    heads.keep_conflict("log.other.example", b"fork")
    assert heads.conflicts(ORIGIN) == [f"fork {number}".encode() for number in range(CONFLICTS_MAX)]
    assert heads.conflicts("log.other.example") == [b"fork"]


def test_a_memory_belongs_to_one_witness(heads: Heads) -> None:
    """Under another name or key it would vouch for what it has not seen."""
    assert heads.name() is None
    heads.bind("w.example", b"k" * 32)
    heads.bind("w.example", b"k" * 32)
    assert heads.name() == "w.example"
    with pytest.raises(StoreError, match=r"belongs to the witness 'w\.example'"):
        heads.bind("v.example", b"k" * 32)
    with pytest.raises(StoreError, match="another key"):
        heads.bind("w.example", b"x" * 32)


def test_a_file_of_something_else_is_left_alone(path: Path, tmp_path: Path) -> None:
    """Another program's database, a text, a folder: refused with its path, and not a byte changed."""
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE tea (leaf TEXT)")
        foreign.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"heads\.sqlite: is not the memory of a witness"):
        Heads.open(path)
    assert path.read_bytes() == before
    text = tmp_path / "text"
    text.write_text("a shopping list\n" * 100)
    for wrong in (text, tmp_path, tmp_path / "no" / "such"):
        with pytest.raises(StoreError, match=str(wrong)):
            Heads.open(wrong)
