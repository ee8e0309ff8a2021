"""A word that only a newer program knows, in a record that a newer server holds: it stands over every known one."""

import pytest

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, RecordId, Seq, named_record_id
from schemas.kinds import KINDS
from schemas.ops import Op, Row, Stamp
from schemas.tokens import Token
from sync import check, merge
from tests.evolution.support import BOOKING, INCIDENT

RECORD: RecordId = named_record_id("test", "words")


def row(kind: str, values: dict[str, object]) -> Row:
    """A record as the newer server sends it, all of it written by one op."""
    stamp = Stamp(DeviceId("hh-new"), OpNumber(1), 1_000, 0, OfficerId("WM1"), 1_000, 2_000, 7)
    cells = {FieldName(name): [value, 0] for name, value in values.items()}
    return Row(id=RECORD, kind=kind, v=Seq(7), stamps=[stamp], cells=cells, upto={DeviceId("hh-new"): OpNumber(1)})


def written(kind: str, field: str, value: str) -> Op:
    """A change by somebody who had not seen the newer one's."""
    return Op(
        device=DeviceId("hh-01"), n=OpNumber(1), record=RECORD, kind=kind, author=OfficerId("WM2"), hlc=(9_000, 0),
        occurred_at=Millis(9_000), wall=Millis(9_000), changes={FieldName(field): value}, base=Seq(3),
        saw={FieldName(field): ()},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "base", "field", "unknown", "known"),
    [
        ("incident", INCIDENT, "grade", "p0", "p1"),
        ("incident", INCIDENT, "status", "on-hold", "attended"),
        ("custody-booking", BOOKING, "appropriate_adult", "needed-at-once", "needed"),
    ],
)
def test_it_stands_over_a_known_one_that_was_written_without_sight_of_it(
    kind: str, base: dict[str, object], field: str, unknown: str, known: str
) -> None:
    """It may be graver, or safer, than anything known here; it is shown as such, and the other is kept beside it."""
    op = written(kind, field, known)
    state = merge.apply(merge.from_row(row(kind, {**base, field: unknown})), op)
    shown = getattr(state.build(), field)
    assert isinstance(shown, Token)
    assert (shown.name, shown.known) == (f"unknown: {unknown}", False)
    assert {one.value for one in state.cells[FieldName(field)].standing()} == {unknown, known}


def test_what_may_follow_an_unknown_state_is_left_to_those_who_know_it() -> None:
    """The step is not refused here: the server that knows the state looks whether it is declared."""
    state = merge.from_row(row("incident", {**INCIDENT, "status": "on-hold"}))
    field = FieldName("status")
    op = Op(
        device=DeviceId("hh-01"), n=OpNumber(1), record=RECORD, kind="incident", author=OfficerId("WM2"),
        hlc=(9_000, 0), occurred_at=Millis(9_000), wall=Millis(9_000), changes={field: "closed"}, base=Seq(7),
        saw={field: (state.cells[field].standing()[0].stamp.op,), FieldName("arrests"): ()},
    )  # fmt: skip
    assert check.op_on(state, op, KINDS["incident"]) is None
    assert merge.apply(state, op).values()[field] == "closed"
