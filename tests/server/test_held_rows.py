"""The rows that differences start from: always those of the version before, few enough, and nothing erased."""

import msgspec
import pytest

from schemas.codec import encode
from schemas.differences import rebuilt
from schemas.ids import Millis, RecordId, ScopeName, Seq, named_record_id, record_id
from schemas.limits import RECORD_BYTES_MAX
from schemas.ops import Row
from server import held_rows as module
from server.commits import ScopeChange, Settled
from server.held_rows import HeldRows
from server.logbook import Erased
from sync import digest
from sync.session import Head

NORTH, SOUTH = ScopeName("area:north"), ScopeName("area:south")
A, B = (named_record_id("held", name) for name in "ab")


def row(record: RecordId, version: int) -> bytes:
    """A row of that version."""
    upto = {"hh-1": version}
    made = Row(id=record, kind="incident", v=Seq(version), stamps=[], cells={}, upto=upto)  # type: ignore[arg-type]
    return encode(msgspec.structs.replace(made, kind="incident-" + "x" * 60))


def change(seq: int, stood: dict[RecordId, int], scope: ScopeName = NORTH) -> ScopeChange:
    """A scope's part of a commit that changed these records, which stood in these versions."""
    return ScopeChange(
        scope=scope,
        frm=Seq(seq - 1),
        rows=tuple(row(record, seq) for record in stood),
        members=tuple(stood),
        gone=(),
        head=Head(Seq(seq), digest.EMPTY, len(stood)),
        stood=tuple(map(Seq, stood.values())),
    )


def commit(*changes: ScopeChange, erased: tuple[RecordId, ...] = ()) -> Settled:
    """A commit of these parts."""
    seq = changes[0].head.seq
    gone = tuple(Erased(record, record, Millis(0), seq, "") for record in erased)
    return Settled(seq, Millis(0), 1, (), (), (), changes, erased=gone)


def test_the_second_commit_is_told_by_what_changed() -> None:
    """The first one goes whole; from then on each difference leads from the row before to the row itself."""
    held = HeldRows()
    first, second = change(5, {A: 0, B: 0}), change(6, {A: 5, B: 5})
    assert held.took(commit(first)).split(first) == (list(first.rows), ())
    whole, changed = held.took(commit(second)).split(second)
    assert whole == []
    assert [(record_id(one.record), one.base) for one in changed] == [(A, 5), (B, 5)]
    assert [rebuilt(row(A, 5), changed[0].edits, RECORD_BYTES_MAX), changed[1].base] == [row(A, 6), 5]


@pytest.mark.parametrize("stood", [0, 4, 6], ids=["it came in", "older than held", "a commit was missed"])
def test_without_the_row_of_that_version_it_goes_whole(stood: int) -> None:
    """Those who are told hold another row, or none."""
    held = HeldRows()
    held.took(commit(change(5, {A: 0})))
    later = change(7, {A: stood})
    changed = held.took(commit(later))
    assert changed.among(later) is False
    assert changed.split(later) == (list(later.rows), ())


def test_a_record_of_two_scopes_is_compared_once() -> None:
    """Whoever holds it in either gets the same difference; who gets it new gets the row."""
    held = HeldRows()
    held.took(commit(change(5, {A: 0})))
    north, south = change(6, {A: 5}), change(6, {A: 0}, SOUTH)
    changed = held.took(commit(north, south))
    assert changed.among(north)
    assert not changed.among(south)
    ((one,), again) = (changed.split(north)[1], changed.split(north)[1])
    assert again == (one,)
    assert again[0] is one
    assert changed.split(south) == (list(south.rows), ())


def test_a_change_that_does_not_tell_how_it_stood_goes_whole() -> None:
    """Nothing is assumed of it."""
    held = HeldRows()
    held.took(commit(change(5, {A: 0})))
    silent = msgspec.structs.replace(change(6, {A: 5}), stood=())
    changed = held.took(commit(silent))
    assert not changed.among(silent)
    assert changed.split(silent) == (list(silent.rows), ())


def test_only_so_much_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest unchanged go first."""
    held = HeldRows()
    for seq in range(1, 40):
        held.took(commit(change(seq, {named_record_id(str(seq)): 0})))
    monkeypatch.setattr(module, "HELD_BYTES_MAX", held._bytes)
    held.took(commit(change(40, {A: 0})))
    assert len(held) == 39
    kept, gone = change(41, {named_record_id("39"): 39}), change(41, {named_record_id("1"): 1})
    changed = held.took(commit(kept, gone))
    assert (changed.among(kept), changed.among(gone)) == (True, False)
    assert held._bytes == sum(len(body) + module._ENTRY_BYTES for _, body in held._rows.values())


def test_what_is_erased_is_not_held() -> None:
    """Nothing of it stays in memory for the sake of a difference."""
    held = HeldRows()
    held.took(commit(change(5, {A: 0, B: 0})))
    held.took(commit(msgspec.structs.replace(change(6, {}), gone=(A,)), erased=(A,)))
    assert len(held) == 1
