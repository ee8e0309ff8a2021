"""Rows that come as differences: the same replica as with whole ones, and nothing is ever built on another base."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from schemas.codec import encode
from schemas.differences import check, difference, whole
from schemas.ids import RecordId, Seq, record_bytes
from schemas.limits import DEPTH_MAX
from schemas.ops import Row
from schemas.wire import Difference
from sync import digest
from tests.sync.replica.handhelds import NORTH, SOUTH, A, B, Handheld, batch, durable, refused_with, results, row


def changed(before: msgspec.Raw, after: msgspec.Raw, base: int, record: RecordId = A) -> Difference:
    """What leads from one row to the other."""
    edits = difference(bytes(before), bytes(after))
    assert edits is not None
    return Difference(record_bytes(record), Seq(base), check(bytes(after)), edits)


def held(summary: str = "before") -> tuple[Handheld, msgspec.Raw]:
    """A handheld with one incident in version 11, and its row."""
    handheld, before = Handheld(), row(A, 11, summary)
    handheld.stand(NORTH, SOUTH)
    handheld.replica.batch(batch(NORTH, 10, 11, before))
    return handheld, before


def test_a_difference_brings_what_the_row_would_have_brought() -> None:
    """Row, member, position and digest, byte for byte, beside rows that come whole."""
    handheld, before = held()
    after = row(A, 14, "after")
    good = digest.of([(A, Seq(14)), (B, Seq(14))])
    told = batch(NORTH, 11, 14, row(B, 14), changed=(changed(before, after, 11),), digest=good, count=2)
    outcome = handheld.replica.batch(told)
    assert (outcome.positions, outcome.touched, outcome.differ) == ({NORTH: 14}, {A, B}, [])
    assert handheld.tables.row(A) == bytes(after)
    assert handheld.tables.row_version(A) == 14
    assert handheld.tables.members(NORTH, "", "") == [(A, 14), (B, 14)]
    assert handheld.summary() == "after"


def test_what_another_scope_brought_is_not_rebuilt() -> None:
    """The record is a member in that version; what is held is as new or newer, and stays."""
    for version, summary in ((14, "after"), (16, "later")):
        handheld, before = held()
        handheld.replica.batch(batch(SOUTH, 10, version, row(A, version, summary)))
        told = changed(before, row(A, 14, "after"), 11)
        handheld.replica.batch(batch(NORTH, 11, 14, changed=(told,)))
        assert (handheld.tables.row_version(A), handheld.summary()) == (version, summary)
        assert handheld.tables.members(NORTH, "", "") == [(A, 14)]


def another_version(handheld: Handheld, _before: msgspec.Raw) -> None:
    """What is held is neither the base nor as new as the outcome."""
    handheld.replica.batch(batch(SOUTH, 10, 12, row(A, 12, "in between")))


def other_bytes(handheld: Handheld, before: msgspec.Raw) -> None:
    """The version is right, and one bit is another."""
    handheld.tables.put_row(A, "incident", Seq(11), bytes(before).replace(b"crime", b"crimd"))


def fewer_bytes(handheld: Handheld, before: msgspec.Raw) -> None:
    """The version is right, and the edits lead beyond the row."""
    handheld.tables.put_row(A, "incident", Seq(11), bytes(before)[:20])


def no_row(handheld: Handheld, _before: msgspec.Raw) -> None:
    """There is none."""
    handheld.tables.drop_row(A)


@pytest.mark.parametrize("spoil", [another_version, other_bytes, fewer_bytes, no_row])
def test_on_another_base_nothing_is_built(spoil: Callable[[Handheld, msgspec.Raw], None]) -> None:
    """The batch is refused whole, before anything of it is kept; and whole rows are then taken as ever."""
    handheld, before = held()
    spoil(handheld, before)
    after = row(A, 14, "after")
    told = batch(NORTH, 11, 14, row(B, 14), changed=(changed(before, after, 11),))
    refused_with("base_differs", lambda: handheld.replica.batch(told))
    assert handheld.tables.row(B) is None
    (north, _) = handheld.replica.positions()
    assert (north.scope, north.seq) == (NORTH, 11)
    handheld.replica.batch(batch(NORTH, 11, 14, row(B, 14), after))
    assert handheld.tables.row(A) == bytes(after)


def test_an_outcome_that_is_another_row_is_refused() -> None:
    """Its check fits, and it is of another record, in another version, or no row at all."""
    for after in (row(B, 14, "before"), row(A, 13, "before"), msgspec.Raw(bytes(row(A, 14, "before"))[:-1] + b"\xc1")):
        handheld, before = held()
        told = batch(NORTH, 11, 14, changed=(changed(before, after, 11),))
        refused_with("base_differs", partial(handheld.replica.batch, told))


def test_an_outcome_beyond_the_bounds_of_messages_is_refused() -> None:
    """A difference may bring nothing that a whole row may not: here a value in too many arrays."""
    deep: Any = 1
    for _ in range(DEPTH_MAX):
        deep = [deep]
    handheld, before = held()
    after = encode(Row(id=A, kind="incident", v=Seq(14), stamps=[], cells={"of_tomorrow": [deep, 0]}))  # type: ignore[dict-item]
    told = Difference(record_bytes(A), Seq(11), check(after), whole(after))
    refused_with("base_differs", partial(handheld.replica.batch, batch(NORTH, 11, 14, changed=(told,))))
    assert handheld.tables.row(A) == bytes(before)


def test_what_a_newer_program_wrote_survives() -> None:
    """Fields and stamps that are not known here are in the outcome as they were sent."""
    handheld, _ = held()
    newer = Row(id=A, kind="incident", v=Seq(11), stamps=[], cells={"of_tomorrow": [{"deep": [1, 2, 3] * 40}, 0]})  # type: ignore[dict-item]
    before = msgspec.Raw(encode(newer))
    handheld.tables.put_row(A, "incident", Seq(11), bytes(before))
    after = msgspec.Raw(encode(msgspec.structs.replace(newer, v=Seq(14))))
    handheld.replica.batch(batch(NORTH, 11, 14, changed=(changed(before, after, 11),)))
    assert handheld.tables.row(A) == bytes(after)


def test_an_own_edit_is_settled_by_a_difference() -> None:
    """It is laid over the row until the difference has come, and is in it from then on."""
    handheld, before = held()
    op = handheld.write(A, {"summary": "mine"})
    assert handheld.summary() == "mine"
    handheld.replica.results(results(durable(op, 14, NORTH)))
    handheld.replica.batch(batch(NORTH, 11, 14, changed=(changed(before, row(A, 14, "merged"), 11),)))
    assert handheld.summary() == "merged"
    assert handheld.tables.pending_ops(A) == []
