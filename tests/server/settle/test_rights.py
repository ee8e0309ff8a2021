"""Who may correct, and what no person writes: the server asks, whatever the device's program let through."""

from typing import Any

import pytest

from schemas.ids import DeviceId, FieldName, OfficerId, ScopeName
from sync import inbox
from tests.server.settle.desk import BOOKING, NOW, SUITE, SUITE_INBOX, Desk, name, op, record

ARRESTED: FieldName = FieldName("arrested_at")
DESK_ONLY = frozenset({SUITE})
DECIDER = frozenset({SUITE, SUITE_INBOX})


def booking(n: int, changes: dict[str, Any] | None = None, **more: Any) -> bytes:  # noqa: ANN401  fields of Op
    """An op on the booking."""
    return op(n, 1, changes, kind="custody-booking", **more)


@pytest.fixture
def desk() -> Desk:
    """A store with one booking."""
    desk = Desk()
    desk.one(booking(1))
    return desk


def correction(n: int, device: str = "desk-2", saw: tuple[str, ...] = ("hh-1/1",)) -> bytes:
    """An op that puts another time of arrest in place."""
    return booking(n, {"arrested_at": 90}, device=device, correct=True, saw={ARRESTED: saw}, why="read the log")


def test_a_correction_by_those_who_decide_takes_effect(desk: Desk) -> None:
    """The entitled value stands, nobody is asked, and what it replaced is linked."""
    result = desk.one(correction(1), scopes=DECIDER)
    assert (result.status, result.stands) == ("durable", {})
    assert desk.values(1)["arrested_at"] == 90
    assert desk.item(1, "arrested_at") is None
    assert [act.over for act in desk.acts("desk-2", 1)] == [(name("hh-1", 1),)]
    assert desk.lost() == []


def test_a_correction_without_the_inbox_of_the_record_is_refused(desk: Desk) -> None:
    """A grant of the suite alone, or of another suite's inbox, entitles nobody to move a clock of the detention."""
    elsewhere = DESK_ONLY | {ScopeName("suite:oldbury:inbox"), ScopeName("suite:perry-barr:briefing")}
    for n, scopes in enumerate([DESK_ONLY, elsewhere], 1):
        result = desk.one(correction(n), scopes=scopes)
        assert (result.status, result.code) == ("refused", "op_not_entitled")
    assert desk.values(1)["arrested_at"] == BOOKING["arrested_at"]
    assert desk.one(correction(3), scopes=frozenset({SUITE_INBOX})).code == "op_not_permitted"


def test_a_correction_that_had_not_seen_what_stands_asks(desk: Desk) -> None:
    """Of two corrections made apart the first stands; the second is no licence to overwrite it unseen."""
    desk.one(correction(1), scopes=DECIDER)
    other = booking(
        1, {"arrested_at": 70}, device="desk-3", correct=True, saw={ARRESTED: ("hh-1/1",)}, author=OfficerId("WM3")
    )
    assert desk.one(other, scopes=DECIDER).stands == {"arrested_at": "desk-2/1"}
    item = desk.item(1, "arrested_at", name("desk-2", 1))
    assert item is not None
    assert item.open
    assert [candidate.value for candidate in item.candidates] == [90, 70]


def test_marking_a_change_of_another_field_as_a_correction_gives_it_no_power(desk: Desk) -> None:
    """Only what `once` protects is corrected: a lowering marked so still counts only for what it saw."""
    desk.one(booking(2, {"risk": "high"}))
    lowered = booking(1, {"risk": "standard"}, device="desk-2", correct=True, saw={FieldName("risk"): ()})
    assert desk.one(lowered, scopes=DECIDER).stands == {"risk": "hh-1/2"}
    assert desk.values(1)["risk"] == "high"


def test_an_inbox_item_is_made_by_the_rules_alone(desk: Desk) -> None:
    """A device cannot ask a question in the rules' name."""
    made = {
        "subject": record(1),
        "subject_kind": "custody-booking",
        "field": "risk",
        "policy": "judged",
        "places": ["suite:perry-barr"],
        "roles": ["custody-officer"],
        "opened_at": NOW,
        "due_at": NOW,
        "safe_because": "x",
    }
    result = desk.one(op(2, 2, made, kind="inbox-item", create=True), scopes=DECIDER)
    assert (result.status, result.code) == ("refused", "op_by_rule_only")
    assert desk.row(2) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("due_at", 0),
        ("places", ["suite:oldbury"]),
        ("candidates", [{"value": 7}]),
        ("escalations", [{"to": "supervisor", "overdue_ms": 1}]),
        ("ended_by", "hh-1/1"),
        ("shown", 7),
    ],
)
def test_what_only_the_rules_write_no_device_writes(desk: Desk, field: str, value: object) -> None:
    """Nobody postpones a deadline, moves a question or adds to what was said; the server's own acts may."""
    desk.one(booking(2, {"arrested_at": 9}))
    item = inbox.item_id(record(1), ARRESTED, "")
    before = desk.row(item)
    result = desk.one(op(3, item, {field: value}, kind="inbox-item"), scopes=DECIDER)
    assert (result.status, result.code) == ("refused", "op_by_rule_only")
    assert field in result.detail
    assert desk.row(item) == before
    by_rule = op(1, item, {field: value}, kind="inbox-item", device=DeviceId("control-room"))
    assert desk.one(by_rule, scopes=None).status == "durable"


def test_deciding_needs_the_inbox_and_not_only_the_record(desk: Desk) -> None:
    """Whoever sees the booking sees the question; only the holder of the suite's inbox answers it."""
    desk.one(booking(2, {"arrested_at": 9}))
    item = inbox.item_id(record(1), ARRESTED, "")
    decision = {"decision": {"value": 9, "reason": "the camera shows it"}}
    assert desk.one(op(3, item, decision, kind="inbox-item"), scopes=DESK_ONLY).code == "op_not_permitted"
    assert desk.one(op(4, item, decision, kind="inbox-item"), scopes=frozenset({SUITE_INBOX})).status == "durable"
    assert desk.values(1)["arrested_at"] == 9


@pytest.mark.parametrize(
    ("decision", "about"),
    [
        (None, "decision: say what is decided"),
        ({"value": "noon", "reason": "x"}, "decision for arrested_at: "),
        ({"value": None, "reason": "x"}, "decision for arrested_at: "),
        ({"value": 9, "reason": ""}, "decision: "),
        ({"value": 9}, "decision: "),
    ],
)
def test_a_decision_must_be_a_value_of_the_field(desk: Desk, decision: object, about: str) -> None:
    """What the field cannot hold is refused with its name, and the question stays open."""
    desk.one(booking(2, {"arrested_at": 9}))
    item = inbox.item_id(record(1), ARRESTED, "")
    result = desk.one(op(3, item, {"decision": decision}, kind="inbox-item"), scopes=DECIDER)
    assert (result.status, result.code) == ("refused", "op_value_wrong")
    assert result.detail.startswith(about)
    found = desk.item(1, "arrested_at")
    assert found is not None
    assert found.open


def test_a_retired_field_is_still_taken_from_an_older_program(desk: Desk) -> None:
    """A desk that was not updated yet goes on writing the cell as it knows it, and it is shown."""
    assert desk.one(booking(2, {"cell": "M7"}), schema=1).status == "durable"
    assert desk.values(1)["cell"] == "M7"
