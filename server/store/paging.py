"""Where a read ends: pure rules, shared by every adapter, so that none of them draws a page's bounds its own way.

Entries come lazily and in order; what lies behind the end of a page is never read. A read of a scope's log ends between
two commits: half a commit would show a device a state that never was.
"""

import itertools
from collections.abc import Iterable
from operator import itemgetter
from typing import Final, TypeVar

import msgspec

from schemas.errors import UsageError
from schemas.ids import RecordId, Seq
from schemas.limits import PAGE_BYTES_MAX, PAGE_ROWS_MAX, SNAPSHOT_ROWS_MAX
from server.logbook import KeptEntry
from server.store.port import KeptOp, Page

_Kept = TypeVar("_Kept", KeptOp, KeptEntry)
LogEntry = tuple[Seq, RecordId, bytes | None]
"""(commit, record, its encoded row; None when the commit took it out of the scope)."""

_ID_BYTES: Final = 38
"""A record id in MessagePack: two bytes of head and 36 of text."""
_GONE_BYTES: Final = 2 * _ID_BYTES
"""Of a record that left: its id, and once more where it was erased."""


class Stretch(msgspec.Struct, frozen=True):
    """Whole commits from the front of a scope's log.

    Attributes:
        to: the last commit in it, or None when there was none.
        rows: encoded rows of the records that are in the scope.
        gone: records that left it.
        more: whether the log goes on.
    """

    to: Seq | None
    rows: tuple[bytes, ...]
    gone: tuple[RecordId, ...]
    more: bool


def stretch(entries: Iterable[LogEntry]) -> Stretch:
    """As many whole commits as a page holds, and at least one.

    Args:
        entries: the log in order of seq. One commit's entries always fit in a page (`server.settle` sees to that).
    """
    taken: list[LogEntry] = []
    size = 0
    more = False
    for _, group in itertools.groupby(entries, key=itemgetter(0)):
        commit = list(group)
        cost = sum(_GONE_BYTES if body is None else len(body) for _, _, body in commit)
        if taken and (len(taken) + len(commit) > PAGE_ROWS_MAX or size + cost > PAGE_BYTES_MAX):
            more = True
            break
        taken += commit
        size += cost
    return Stretch(
        to=taken[-1][0] if taken else None,
        rows=tuple(body for _, _, body in taken if body is not None),
        gone=tuple(record for _, record, body in taken if body is None),
        more=more,
    )


def page(entries: Iterable[tuple[RecordId, bytes | None]], rows_max: int = SNAPSHOT_ROWS_MAX) -> Page:
    """As many records as a page holds, and at least one.

    Args:
        entries: (record, its encoded row; None of one that was erased) in order of id.
        rows_max: at most so many rows, of a snapshot by default; of all together at most PAGE_ROWS_MAX.
    """
    rows: list[bytes] = []
    erased: list[RecordId] = []
    size = 0
    last = ""
    for record, body in entries:
        cost = _ID_BYTES if body is None else len(body)
        full = len(rows) + len(erased) >= PAGE_ROWS_MAX or (body is not None and len(rows) >= rows_max)
        if last and (full or size + cost > PAGE_BYTES_MAX):
            return Page(rows=tuple(rows), upto=last, erased=tuple(erased))
        if body is None:
            erased.append(record)
        else:
            rows.append(body)
        size += cost
        last = record
    return Page(rows=tuple(rows), upto="", erased=tuple(erased))


def kept(ones: Iterable[_Kept], limit: int) -> list[_Kept]:
    """As many ops, or entries of the journal, as a page holds, and at least one.

    Args:
        ones: in order of place.
        limit: at most so many; PAGE_ROWS_MAX holds all the same.
    """
    found: list[_Kept] = []
    size = 0
    for one in ones:
        cost = len(one.body or b"")
        if found and (len(found) >= min(limit, PAGE_ROWS_MAX) or size + cost > PAGE_BYTES_MAX):
            break
        found.append(one)
        size += cost
    return found


def erased_note(body: bytes, note: str | None) -> str:
    """What is said where an op's content was; "" while it is there.

    Args:
        body: the op's bytes, or nothing.
        note: what is said where its record was; None when that was not erased.
    """
    if body:
        return ""
    return "the record that it was a part of was erased before it came" if note is None else note


def require_limit(limit: int) -> None:
    """Refuse a limit that asks for nothing.

    Raises:
        UsageError: it is below 1.
    """
    if limit < 1:
        raise UsageError(f"the limit is {limit}; ask for at least 1")
