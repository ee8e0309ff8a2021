"""Devices one schema version ahead: what this server cannot read is kept for a program that can, and harms nothing."""

from typing import Any

import pytest

from schemas.ids import FieldName
from schemas.wire import SCHEMA
from sync import inbox
from tests.server.settle.desk import BOOKING, CELL, INCIDENT, Desk, name, op, record

NEWER = SCHEMA + 1


@pytest.fixture
def desk() -> Desk:
    """A store with an incident that has a value in every sort of field."""
    desk = Desk()
    tags = {"markers": {"add": [{"warning": "dog at address"}]}, "grade": "p2", "log": [{"text": "x"}]}
    desk.one(op(1, 1, INCIDENT | tags | {"status": "open"}, create=True))
    return desk


def trusted(desk: Desk, field: str) -> list[Any]:
    """What is kept in trust for a field."""
    return [one.value for one in desk.held(1).trust.get(FieldName(field), ())]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("colour", {"hue": [1, 2]}),
        ("summary", {"text": "x", "language": "cy"}),
        ("grade", "p0"),
        ("grade", 5),
        ("status", "paused"),
        ("opened_at", "yesterday"),
        ("log", {"add": ["x"]}),
        ("markers", "weird"),
        ("markers", {"remove": 5}),
        ("markers", {"add": [{"warning": "x"}], "replace": []}),
    ],
)
def test_what_cannot_be_read_is_kept_in_trust_and_shown_by_nobody(desk: Desk, field: str, value: object) -> None:
    """Whatever its form: the op is durable, the record shows what it showed, and the value is in the row as it came."""
    before = desk.values(1)
    result = desk.one(op(2, 1, {field: value, "location": "Mill Lane"}), schema=NEWER)
    assert (result.status, result.stands) == ("durable", {})
    assert desk.values(1) == before | {"location": "Mill Lane"}
    assert trusted(desk, field) == [value]
    assert desk.held(1).trust[FieldName(field)][0].stamp.op == name("hh-1", 2)
    assert desk.lost() == []


def test_a_hold_of_another_form_neither_takes_nor_frees_the_cell() -> None:
    """A claim that this server cannot read leaves the holder it knows."""
    desk = Desk()
    desk.one(op(1, 1, CELL | {"hold": {"holder": "a"}}, kind="resource", create=True))
    assert desk.one(op(2, 1, {"hold": "b"}, kind="resource"), schema=NEWER).status == "durable"
    assert desk.values(1)["hold"] == {"holder": "a"}


def test_what_is_kept_in_trust_outlives_what_others_write(desk: Desk) -> None:
    """An older device's change to the same record, and to the same field, never erases what it does not know."""
    desk.one(op(2, 1, {"colour": "red", "summary": {"text": "x"}}), schema=NEWER)
    for n, changes in enumerate([{"location": "Mill Lane"}, {"summary": "older program"}], 1):
        assert desk.one(op(n, 1, changes, device="hh-2"), schema=1).status == "durable"
    assert (trusted(desk, "colour"), trusted(desk, "summary")) == (["red"], [{"text": "x"}])
    assert desk.values(1)["summary"] == "older program"


def test_the_same_op_of_a_newer_program_again_is_kept_once(desk: Desk) -> None:
    """Its stored result is given again."""
    raw = op(2, 1, {"colour": "red"})
    first = desk.one(raw, schema=NEWER)
    assert desk.one(raw, schema=NEWER) == first
    assert trusted(desk, "colour") == ["red"]


def test_a_kind_that_only_a_newer_server_knows_waits(desk: Desk) -> None:
    """It is not refused for good: the same op is taken by the server of the next version, so its device keeps it."""
    made = op(2, 2, {"name": "x"}, kind="drone-flight", create=True)
    result = desk.one(made, schema=NEWER)
    assert (result.status, result.code) == ("waiting", "op_kind_unknown")
    assert "drone-flight" in result.detail
    again = desk.one(made, schema=NEWER)
    assert again.status == "waiting", "a waiting op is not stored, or it could never be taken later"


@pytest.mark.parametrize("schema", [1, SCHEMA])
def test_of_a_device_that_is_not_newer_what_cannot_be_read_is_refused(desk: Desk, schema: int) -> None:
    """A program of this version or an older one has no business with fields and values that do not exist."""
    assert desk.one(op(2, 1, {"colour": "red"}), schema=schema).code == "op_field_unknown"
    assert desk.one(op(3, 1, {"grade": "p0"}), schema=schema).code == "op_value_wrong"
    made = op(4, 2, {"name": "x"}, kind="drone-flight", create=True)
    result = desk.one(made, schema=schema)
    assert (result.status, result.code) == ("refused", "op_kind_unknown")


def test_a_new_record_that_needs_a_newer_value_waits(desk: Desk) -> None:
    """Without its category it could be shown to nobody, so it stays on its device until this server is updated."""
    result = desk.one(op(2, 2, INCIDENT | {"category": "cyber"}, create=True), schema=NEWER)
    assert (result.status, result.code) == ("waiting", "op_value_newer")
    assert result.detail.startswith("category")
    assert desk.row(2) is None


def test_a_newer_program_too_must_say_what_a_record_needs(desk: Desk) -> None:
    """A required field that is absent will be absent for the next server as well: refused for good."""
    less = {key: value for key, value in INCIDENT.items() if key != "category"}
    result = desk.one(op(2, 2, less, create=True), schema=NEWER)
    assert (result.status, result.code, result.detail) == ("refused", "op_field_missing", "category")


def test_a_value_in_trust_that_its_successor_saw_does_not_come_back(desk: Desk) -> None:
    """Lowered by someone who had it before their eyes, it is gone, and linked; by anyone else, it stays."""
    desk.one(op(2, 1, {"grade": "p0"}, saw={FieldName("grade"): (name("hh-1", 1),)}), schema=NEWER)
    desk.one(op(1, 1, {"grade": "scheduled"}, device="hh-2", saw={FieldName("grade"): (name("hh-1", 1),)}))
    assert trusted(desk, "grade") == ["p0"]
    desk.one(op(1, 1, {"grade": "p1"}, device="hh-3", saw={FieldName("grade"): (name("hh-1", 2),)}))
    assert trusted(desk, "grade") == []
    assert desk.lost() == []


def test_what_a_newer_program_may_not_do_is_refused_all_the_same(desk: Desk) -> None:
    """Being newer gives no right to what only the rules write, nor to records outside the grants."""
    desk.one(op(2, 2, BOOKING, kind="custody-booking", create=True))
    desk.one(op(3, 2, {"arrested_at": 9}, kind="custody-booking"))
    item = inbox.item_id(record(2), FieldName("arrested_at"), "")
    assert desk.one(op(4, item, {"due_at": 1}, kind="inbox-item"), schema=NEWER).code == "op_by_rule_only"
    assert desk.one(op(5, 1, {"colour": 1}), schema=NEWER, scopes=frozenset()).code == "op_not_permitted"


@pytest.mark.parametrize("decision", ["x", {"value": 3}, {"reason": "no value"}, 7, ["list"]])
def test_a_decision_of_another_form_decides_nothing(desk: Desk, decision: object) -> None:
    """It is kept in trust, the question stays open, and the subject stays as it was."""
    desk.one(op(2, 2, BOOKING, kind="custody-booking", create=True))
    desk.one(op(3, 2, {"arrested_at": 9}, kind="custody-booking"))
    item = inbox.item_id(record(2), FieldName("arrested_at"), "")
    assert desk.one(op(4, item, {"decision": decision}, kind="inbox-item"), schema=NEWER).status == "durable"
    found = desk.item(2, "arrested_at")
    assert found is not None
    assert found.open
    assert desk.values(2)["arrested_at"] == BOOKING["arrested_at"]
    assert [one.value for one in desk.held(item).trust[FieldName("decision")]] == [decision]
