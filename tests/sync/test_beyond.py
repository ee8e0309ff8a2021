"""Cells of fields that only a newer program knows, carried through this one."""

from typing import Any

import pytest

from schemas.codec import decode_row, encode
from schemas.ids import DeviceId, FieldName, OfficerId, OpNumber, RecordId, Seq, named_record_id
from schemas.kinds import Incident, spec_of
from schemas.ops import Op, Row, Stamp
from sync import merge
from sync.beyond import Beyond, Stamps

RECORD: RecordId = named_record_id("test", "beyond")


def stamp(n: int) -> Stamp:
    """The stamp of op `n`."""
    return Stamp(DeviceId("hh-1"), OpNumber(n), 1_000 + n, 0, OfficerId("WM1"), 1_000 + n, 2_000, n)


def row(unknown: dict[str, list[Any]], places: int) -> Row:
    """A row with the fields that an incident must have, written by op 1, and `unknown` ones."""
    known: dict[str, list[Any]] = {
        "opened_at": [5, 0],
        "area": ["birmingham", 0],
        "category": ["crime", 0],
        "summary": ["x", 0],
    }
    return Row(
        id=RECORD,
        kind="incident",
        v=Seq(places),
        stamps=[stamp(n) for n in range(1, places + 1)],
        cells={FieldName(name): cell for name, cell in {**known, **unknown}.items()},
        upto={DeviceId("hh-1"): OpNumber(places)},
    )


def edited(before: Row, n: int) -> Row:
    """The row after op `n` has changed the summary, as it comes from a store."""
    op = Op(
        device=DeviceId("hh-1"), n=n, record=RECORD, kind="incident", author=OfficerId("WM1"),  # type: ignore[arg-type]
        hlc=(1_000 + n, 0), occurred_at=1_000 + n, wall=1_000 + n, changes={FieldName("summary"): f"by op {n}"},  # type: ignore[arg-type]
    )  # fmt: skip
    return decode_row(encode(merge.to_row(merge.apply(merge.from_row(before), op, seq=Seq(n)))))


@pytest.mark.parametrize(
    ("cell", "places"),
    [
        (["severe", 2], [2]),
        (["severe", 2, [["low", 1]], "hh-1/2", [["hh-1/3", "hh-1/2"]]], [1, 2]),
        ([[{"text": "x"}, 1, 0], [{"text": "y"}, 2, 0]], [1, 2]),
        ([{"depth": [1, 1_790_000_000_000]}, 2], [2]),
    ],
)
def test_a_cell_of_any_form_points_at_the_same_stamps_after_many_edits(cell: list[Any], places: list[int]) -> None:
    """Whatever its policy: the cell is as it came, and each number in it that was a place names the same op."""
    now = before = row({"threat": cell}, places=3)
    for n in range(4, 12):
        now = edited(now, n)
    assert now.cells[FieldName("threat")] == cell
    assert merge.from_row(now).values()[FieldName("summary")] == "by op 11"
    assert [now.stamps[at].op for at in places] == [before.stamps[at].op for at in places]


def test_a_record_does_not_grow_by_being_carried() -> None:
    """Places that no unknown cell names are used again: a hundred edits leave as many stamps as one does."""
    now = edited(row({"threat": ["severe", 2]}, places=3), 4)
    length = len(now.stamps)
    for n in range(5, 105):
        now = edited(now, n)
    assert len(now.stamps) == length


def test_nothing_is_carried_where_nothing_is_unknown() -> None:
    """A row of known fields is made anew: only the stamps whose values stand are in it."""
    now = edited(row({}, places=3), 4)
    assert [one.n for one in now.stamps] == [1, 4]


def test_the_record_shows_nothing_of_it() -> None:
    """It is no value of the record, for a program that does not know the field."""
    state = merge.from_row(row({"threat": ["severe", 2]}, places=3))
    assert FieldName("threat") not in state.values()
    assert isinstance(state.build(), Incident)


def test_a_kind_that_is_not_known_is_there_and_cannot_be_read() -> None:
    """Its record has a version and no fields, so that nothing takes its id or writes over it."""
    before = row({}, places=3)
    state = merge.unknown(before)
    assert (state.id, state.version, dict(state.cells)) == (RECORD, 3, {})
    assert state.spec is not spec_of(Incident)


def test_a_stamp_that_has_a_place_keeps_it() -> None:
    """An op whose stamp an unknown cell names is not put a second time."""
    stamps = Stamps(Beyond({FieldName("threat"): ["severe", 1]}, (stamp(1), stamp(2))))
    assert [stamps.place(stamp(n)) for n in (2, 3, 4)] == [1, 0, 2]
    assert [one.n for one in stamps.listed()] == [3, 2, 4]


def test_no_stamps_make_an_empty_list() -> None:
    """A record of nothing has none."""
    assert Stamps(Beyond()).listed() == []
