"""Where a read ends."""

from collections.abc import Iterator

import pytest

from schemas.errors import UsageError
from schemas.ids import OpId, OpNumber, RecordId, Seq
from schemas.limits import PAGE_BYTES_MAX, PAGE_ROWS_MAX, SNAPSHOT_ROWS_MAX
from schemas.wire import Result
from server.store import paging
from server.store.port import KeptOp, Page
from tests.server.store.support import NOW, record_id


def log(*commits: tuple[int, int | None]) -> Iterator[paging.LogEntry]:
    """A log of commits: (entries, bytes of each row; None for tombstones)."""
    for seq, (entries, size) in enumerate(commits, start=1):
        for i in range(entries):
            yield Seq(seq), record_id(f"{seq}.{i}"), None if size is None else bytes(size)


def test_a_stretch_of_nothing_leads_nowhere() -> None:
    """No entries, no position."""
    assert paging.stretch([]) == paging.Stretch(to=None, rows=(), gone=(), more=False)


def test_a_stretch_ends_before_the_commit_that_does_not_fit() -> None:
    """By bytes, by rows and by tombstones: whole commits up to the bound, and not one entry of the next."""
    half = PAGE_BYTES_MAX // 8
    found = paging.stretch(log((4, half), (4, half), (1, 1)))
    assert (found.to, len(found.rows), found.more) == (2, 8, True)
    found = paging.stretch(log((512, 1), (512, 1), (1, 1)))
    assert (found.to, len(found.rows), found.more) == (2, PAGE_ROWS_MAX, True)
    found = paging.stretch(log((512, None), (511, 1), (2, None), (1, 1)))
    assert (found.to, len(found.gone), len(found.rows), found.more) == (2, 512, 511, True)


def test_a_stretch_counts_the_bytes_of_tombstones() -> None:
    """An id costs bytes too, twice where it was erased: rows that alone would fit do not fit beside many of them."""
    gone = 500
    room = PAGE_BYTES_MAX - gone * 2 * 38
    assert not paging.stretch(log((gone, None), (1, room))).more
    assert paging.stretch(log((gone, None), (1, room + 1))).more


def test_a_stretch_always_gets_on() -> None:
    """The first commit is taken whatever its size, or whoever asks would ask for ever."""
    found = paging.stretch(log((3, PAGE_BYTES_MAX), (1, 1)))
    assert (found.to, len(found.rows), found.more) == (1, 3, True)


def test_what_lies_behind_a_page_is_not_read() -> None:
    """A bounded read is bounded in what it asks of the disk, too."""
    asked = 0

    def entries() -> Iterator[tuple[RecordId, bytes]]:
        nonlocal asked
        for i in range(100_000):
            asked += 1
            yield record_id(i), bytes(4_000)

    page = paging.page(entries())
    assert len(page.rows) == PAGE_BYTES_MAX // 4_000
    assert asked == len(page.rows) + 1


def test_a_page_always_gets_on() -> None:
    """One row larger than a page is a page."""
    rows = [(record_id("a"), bytes(PAGE_BYTES_MAX + 1)), (record_id("b"), b"")]
    page = paging.page(rows)
    assert (len(page.rows), page.upto) == (1, record_id("a"))


def test_a_page_that_is_just_full_is_the_last() -> None:
    """Nothing behind it: it says so, and nobody asks for an empty page."""
    rows = [(record_id(i), b"x") for i in range(PAGE_ROWS_MAX)]
    assert paging.page(rows[:SNAPSHOT_ROWS_MAX]).upto == ""
    assert paging.page(rows).upto == record_id(SNAPSHOT_ROWS_MAX - 1)
    assert paging.page(rows, rows_max=PAGE_ROWS_MAX).upto == ""
    assert paging.page(rows, rows_max=10).upto == record_id(9)


def test_a_page_names_what_was_erased_and_ends_by_it_too() -> None:
    """By ids and by their bytes; it ends behind the last of them, so that the next goes on from there."""
    gone = [(record_id(i), None) for i in range(PAGE_ROWS_MAX + 1)]
    first = paging.page(gone)
    assert (len(first.erased), first.rows, first.upto) == (PAGE_ROWS_MAX, (), record_id(PAGE_ROWS_MAX - 1))
    assert paging.page(gone[:PAGE_ROWS_MAX]).upto == ""
    room = PAGE_BYTES_MAX - 2 * 38
    mixed = [*gone[:2], (record_id("row"), bytes(room))]
    assert paging.page(mixed) == Page(rows=(bytes(room),), upto="", erased=(record_id(0), record_id(1)))
    cut = paging.page([*gone[:2], (record_id("row"), bytes(room + 1))])
    assert (cut.rows, cut.upto, cut.erased) == ((), record_id(1), (record_id(0), record_id(1)))


def test_erased_records_take_no_row_s_place() -> None:
    """A page's rows are bounded for what applying them costs; an id costs next to nothing."""
    rows = [(record_id(i), b"x") for i in range(SNAPSHOT_ROWS_MAX)]
    page = paging.page([*rows, (record_id("gone"), None)])
    assert (len(page.rows), page.erased, page.upto) == (SNAPSHOT_ROWS_MAX, (record_id("gone"),), "")


def kept(place: int, size: int) -> KeptOp:
    """An op of that many bytes at that place."""
    result = Result(n=OpNumber(place), status="durable")
    return KeptOp(place, OpId(f"hh-1/{place}"), record_id(1), Seq(1), NOW, bytes(size), result, ())


def test_a_read_of_ops_ends_at_whichever_bound_comes_first() -> None:
    """At what was asked for, at the most rows of a page, at its bytes; and what lies behind is not read."""
    small = [kept(place, 10) for place in range(1, PAGE_ROWS_MAX + 2)]
    assert paging.kept(small, 3) == small[:3]
    assert paging.kept(small, 2 * PAGE_ROWS_MAX) == small[:PAGE_ROWS_MAX]
    large = iter([kept(1, PAGE_BYTES_MAX - 10), kept(2, 10), kept(3, 1), kept(4, 1)])
    assert [one.place for one in paging.kept(large, 100)] == [1, 2]
    assert next(large).place == 4, "one op behind the end was looked at, to see that it does not fit"


def test_a_read_of_ops_always_gets_on() -> None:
    """One op larger than a page is a page, or whoever asks would take it for the end."""
    assert [one.place for one in paging.kept([kept(1, PAGE_BYTES_MAX + 1), kept(2, 1)], 9)] == [1]
    assert paging.kept([], 9) == []


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_of_nothing_is_refused(limit: int) -> None:
    """The figure is named."""
    with pytest.raises(UsageError, match=f"the limit is {limit}; ask for at least 1"):
        paging.require_limit(limit)
    paging.require_limit(1)
