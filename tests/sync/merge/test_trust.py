"""What a newer program wrote and this one cannot read: kept in the row, and merged by the program that can read it."""

from typing import Any

import msgspec
import pytest

from schemas import policies
from schemas.codec import decode_row, encode
from schemas.ids import FieldName, Seq, named_record_id
from schemas.kinds import FieldSpec
from schemas.ops import Row
from schemas.policies import latest
from sync import check, merge
from sync.merge import RecordState
from tests.sync.merge.incident import KIND, RECORD, T0, committed, made, op, value

GRADE, COLOUR = FieldName("grade"), FieldName("colour")
FIRST = "desk-1/1"
BASE = made(grade="p2")


def there_and_back(state: RecordState) -> RecordState:
    """The record as it comes from its row."""
    return merge.from_row(decode_row(encode(merge.to_row(state))))


def trusted(state: RecordState, field: str) -> list[Any]:
    """What is kept in trust for a field."""
    return [one.value for one in state.trust.get(FieldName(field), ())]


@pytest.mark.parametrize(
    ("changes", "saw"),
    [
        ({"colour": {"hue": [1, 2]}}, None),
        ({"grade": "p0"}, {"grade": [FIRST]}),
        ({"grade": "p0"}, {"grade": []}),
        ({"log": {"add": [1]}, "markers": "x", "summary": "read"}, None),
    ],
)
def test_the_row_keeps_it_as_it_came(changes: dict[str, Any], saw: dict[str, list[str]] | None) -> None:
    """With its author, what they had seen and the version they looked at, through as many rows as there are."""
    newer = op("hh-1", 1, changes, saw, base=Seq(1))
    state = committed(BASE, newer, newer=True)
    again = there_and_back(there_and_back(state))
    assert again == state
    unread = check.unread(newer, KIND)
    assert again.trust.keys() == unread
    for name in unread:
        (kept,) = again.trust[name]
        assert (kept.value, kept.stamp.op, kept.base) == (newer.changes[name], newer.id, 1)
        assert kept.saw == newer.saw.get(name)
    assert state.holds(newer)
    assert merge.displaced(state, newer) == {}


def test_it_is_kept_once_and_each_op_for_itself() -> None:
    """The same op again adds nothing; another op's value is another one."""
    first, second = op("hh-1", 1, {"colour": "red"}), op("hh-2", 1, {"colour": "red"})
    state = committed(BASE, first, second, first, newer=True)
    assert sorted(one.stamp.op for one in state.trust[COLOUR]) == ["hh-1/1", "hh-2/1"]


def with_field(monkeypatch: pytest.MonkeyPatch, field: FieldSpec) -> None:
    """As if this program were the next one, whose incident has that field as well, or reads more of it."""
    newer = msgspec.structs.replace(KIND, fields={**KIND.fields, field.name: field})
    monkeypatch.setattr(merge, "kind_named", lambda name: newer if name == newer.name else None)


def test_a_program_that_can_read_it_merges_it_by_its_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The field's own policy decides among what was kept, as if the server had known it from the start."""
    early, late = op("hh-1", 1, {"colour": "red"}), op("hh-2", 2, {"colour": "blue"})
    row = merge.to_row(committed(BASE, late, early, newer=True))
    with_field(monkeypatch, FieldSpec(name=COLOUR, policy=latest, type=str, required=False))
    state = merge.from_row(row)
    said = state.cells[COLOUR].said
    assert said is not None
    assert (said.value, said.stamp.op) == ("blue", late.id)
    assert state.trust == {}
    assert merge.from_row(decode_row(encode(merge.to_row(state)))).cells == state.cells


def test_what_even_that_program_cannot_read_stays_in_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """One value of a form from yet another version does not hold up the others."""
    row = merge.to_row(committed(BASE, op("hh-1", 1, {"colour": 7}), op("hh-2", 1, {"colour": "blue"}), newer=True))
    with_field(monkeypatch, FieldSpec(name=COLOUR, policy=latest, type=str, required=False))
    state = merge.from_row(row)
    said = state.cells[COLOUR].said
    assert said is not None
    assert (said.value, trusted(state, "colour")) == ("blue", [7])


def reads_p0(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this program knew the grade P0, above P1."""
    ranks = policies.Ranks(("no-deployment", "scheduled", "p2", "p1", "p0"))
    grade = msgspec.structs.replace(KIND.fields[GRADE], type=str, ranks=ranks, tokens=False)
    with_field(monkeypatch, grade)


def test_a_raise_kept_in_trust_counts_on_the_day_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others lowered what they knew meanwhile: nobody who had not seen it undid it."""
    raised = op("hh-1", 1, {"grade": "p0"}, {"grade": [FIRST]})
    state = committed(BASE, raised, newer=True)
    assert value(state, "grade") == "p2"
    state = committed(state, op("hh-2", 2, {"grade": "scheduled"}, {"grade": [FIRST]}))
    assert value(state, "grade") == "scheduled"
    row = merge.to_row(state)
    reads_p0(monkeypatch)
    assert value(merge.from_row(row), "grade") == "p0"


def test_a_value_in_trust_that_was_superseded_with_sight_of_it_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A newer device lowered the raise that it could see; the older server between the two could not read it."""
    raised = op("hh-1", 1, {"grade": "p0"}, {"grade": [FIRST]})
    lowered = op("hh-3", 3, {"grade": "scheduled"}, {"grade": [raised.id]})
    state = committed(committed(BASE, raised, newer=True), lowered)
    assert (value(state, "grade"), trusted(state, "grade")) == ("scheduled", [])
    row = merge.to_row(state)
    reads_p0(monkeypatch)
    assert value(merge.from_row(row), "grade") == "scheduled"


@pytest.mark.parametrize("trust", [[["red"]], [["red", 9, None, 0]], ["red"], [["red", 0, 5, 0]], 7])
def test_trust_of_another_form_is_told(trust: Any) -> None:  # noqa: ANN401  whatever a damaged row holds
    """A damaged row names the record, and nothing but ValueError leaves."""
    row = merge.to_row(BASE)
    damaged = msgspec.structs.replace(row, trust={COLOUR: trust})
    with pytest.raises(ValueError, match=f"record {BASE.id}: what is kept in trust"):
        merge.from_row(damaged)


# --- what a row says that it holds -----------------------------------------------------------------------------------


def test_a_row_says_up_to_which_op_of_each_device_it_goes() -> None:
    """Superseded ops included: of them no stamp is left."""
    state = committed(
        BASE, op("hh-1", 3, {"summary": "a"}), op("hh-2", 2, {"summary": "b"}), op("hh-1", 7, {"summary": "c"})
    )
    row = decode_row(encode(merge.to_row(state)))
    assert row.upto == {"desk-1": 1, "hh-1": 7, "hh-2": 2}
    assert {stamp.op for stamp in row.stamps} == {"desk-1/1", "hh-1/7"}
    again = merge.from_row(row)
    assert [again.holds(op("hh-1", n, {})) for n in (3, 7, 8)] == [True, True, False]
    assert not again.holds(op("hh-3", 1, {}))


def test_of_a_row_of_the_first_version_its_stamps_tell_it() -> None:
    """Each device's latest op that still stands; what was superseded then is laid over it once more, as it was then."""
    state = committed(
        BASE, op("hh-1", 3, {"summary": "a"}), op("hh-2", 2, {"location": "b"}), op("hh-1", 7, {"log": [{"text": "x"}]})
    )
    first_version = Row(
        id=state.id,
        kind="incident",
        v=state.version,
        stamps=merge.to_row(state).stamps,
        cells=merge.to_row(state).cells,
    )
    again = merge.from_row(decode_row(encode(first_version)))
    assert again.upto == {"desk-1": 1, "hh-1": 7, "hh-2": 2}
    assert again == state
    assert merge.to_row(committed(again, op("hh-2", 5, {"summary": "z"}))).upto == {"desk-1": 1, "hh-1": 7, "hh-2": 5}


def test_what_the_rules_wrote_in_an_item_is_no_op_of_a_device_on_it() -> None:
    """An item's stamps are those of the ops on its subject: a device whose decision comes later has not made it yet."""
    values: dict[str, Any] = {
        "subject": RECORD,
        "subject_kind": "incident",
        "field": "grade",
        "policy": "once",
        "places": ["area:x"],
    }
    values |= {"roles": ["supervisor"], "opened_at": T0, "due_at": T0, "safe_because": "x"}
    stamp = merge.to_row(committed(BASE, op("hh-1", 7, {"summary": "a"}))).stamps[-1]
    cells = {FieldName(name): [each, 0] for name, each in values.items()}
    item = merge.from_row(Row(id=named_record_id("item"), kind="inbox-item", v=Seq(2), stamps=[stamp], cells=cells))
    assert item.upto == {}
    assert not item.holds(op("hh-1", 3, {}))
