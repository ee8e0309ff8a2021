"""Every way in which an op cannot be taken has its code, and what can be taken is not refused."""

from typing import Any

import pytest

from schemas import limits
from schemas.errors import ERRORS
from schemas.ids import FieldName
from schemas.kinds import KINDS
from schemas.kinds.common import LogEntry, Position
from schemas.kinds.incident import Grade
from schemas.ops import Op
from sync import check, merge
from sync.check import Refusal
from sync.merge import RecordState
from tests.examples import BOOKING, BRIEFING, INCIDENT, OPS, T0, op

WHOLE: dict[str, Any] = {"opened_at": T0, "area": "birmingham", "category": "crime", "summary": "x"}


def incident(changes: dict[str, Any], **rest: object) -> Op:
    """An op on the incident."""
    return op(7, INCIDENT, "incident", changes, **rest)


def created(made: Op) -> RecordState:
    """The record that an op makes."""
    return merge.apply(merge.new_state(made, KINDS[made.kind]), made)


def refused(found: object) -> Refusal:
    """The refusal that was found; its code is in the registry and quarantines."""
    assert isinstance(found, Refusal)
    assert ERRORS[found.code].close is None
    return found


@pytest.mark.parametrize("name", sorted(OPS))
def test_good_ops_are_taken(name: str) -> None:
    """Each golden op fits its kind; one that makes a record can be merged and leads to a sound record."""
    made = OPS[name]
    assert check.op_alone(made) is KINDS[made.kind]
    if made.create:
        assert check.op_on(None, made, KINDS[made.kind]) is None
        state = created(made)
        assert check.outcome(state, merge.to_row(state)) is None


@pytest.mark.parametrize(
    ("made", "code", "about"),
    [
        (op(1, INCIDENT, "horse", {}), "op_kind_unknown", "horse"),
        (incident({"colour": "red"}), "op_field_unknown", "colour"),
        (incident({"scopes": []}), "op_field_unknown", "scopes"),
        (incident({"t": "x"}), "op_field_unknown", "t"),
        (incident({}, create=True), "op_field_missing", "opened_at, area, category, summary"),
        (incident({**WHOLE, "grade": "p1"} | {"area": "Solihull"}, create=True), "op_value_wrong", "area: "),
        (incident({"summary": None}), "op_value_wrong", "summary: "),
        (incident({"summary": ""}), "op_value_wrong", "summary: "),
        (incident({"summary": "x" * 4_001}), "op_value_wrong", "summary: "),
        (incident({"grade": "p9"}), "op_value_wrong", "grade: "),
        (incident({"opened_at": -1}), "op_value_wrong", "opened_at: "),
        (incident({"opened_at": 2**53 + 1}), "op_value_wrong", "opened_at: "),
        (incident({"opened_at": True}), "op_value_wrong", "opened_at: "),
        (incident({"position": {"longitude": 181, "latitude": 0}}), "op_value_wrong", "position: "),
        (incident({"position": {"longitude": 1}}), "op_value_wrong", "position: "),
        (incident({"units": ["BW31"] * 65}), "op_value_wrong", "units: "),
        (incident({"log": []}), "op_value_wrong", "log: expected a list of entries to append"),
        (incident({"log": None}), "op_value_wrong", "log: expected a list of entries to append"),
        (incident({"log": {"text": "x"}}), "op_value_wrong", "log: expected a list of entries to append"),
        (incident({"log": "x"}), "op_value_wrong", "log: expected a list of entries to append"),
        (incident({"log": [{"text": "x"}] * 65}), "op_value_wrong", "log: 65 entries, at most 64 at once"),
        (incident({"log": [{"text": "x"}, {"text": ""}]}), "op_value_wrong", "log: "),
        (incident({"log": [{"text": "x", "corrects": ["hh-0117", 0]}]}), "op_value_wrong", "log: "),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_needs_no_record_is_refused_alone(made: Op, code: str, about: str) -> None:
    """Kind, fields, values and entries, each with its code and what in the op it is about."""
    found = refused(check.op_alone(made))
    assert found.code == code
    assert found.detail.startswith(about)


def test_an_op_that_makes_a_record_needs_only_what_is_required() -> None:
    """Fields with a default may be left out, and a required one may not; an edit may hold one field."""
    assert check.op_alone(incident(WHOLE, create=True)) is KINDS["incident"]
    assert check.op_alone(incident({"location": None})) is KINDS["incident"]
    for name in WHOLE:
        less = {key: value for key, value in WHOLE.items() if key != name}
        assert refused(check.op_alone(incident(less, create=True))) == Refusal("op_field_missing", name)


def test_the_most_entries_at_once_are_taken() -> None:
    """ENTRIES_PER_OP_MAX entries pass."""
    assert check.op_alone(incident({"log": [{"text": "x"}] * limits.ENTRIES_PER_OP_MAX})) is KINDS["incident"]


def test_an_op_must_fit_the_record_it_is_about() -> None:
    """No record to change, one already there, one of another kind: each has its code."""
    spec = KINDS["incident"]
    state = created(incident(WHOLE, create=True))
    assert check.op_on(state, incident({"summary": "y"}), spec) is None
    assert refused(check.op_on(None, incident({"summary": "y"}), spec)) == Refusal("op_record_unknown", INCIDENT)
    assert refused(check.op_on(state, incident(WHOLE, create=True), spec)) == Refusal("op_record_exists", INCIDENT)
    found = refused(check.op_on(state, op(8, INCIDENT, "briefing", {"title": "x"}), KINDS["briefing"]))
    assert found == Refusal("op_kind_differs", "the record is of kind incident")


def grown(entries: int, text: str = "x", per_op: int = limits.ENTRIES_PER_OP_MAX) -> RecordState:
    """An incident with a log of that many entries."""
    state = created(incident(WHOLE, create=True))
    for at in range(0, entries, per_op):
        log = [{"text": text}] * min(per_op, entries - at)
        state = merge.apply(state, op(100 + at, INCIDENT, "incident", {"log": log}))
    return state


def test_a_field_has_room_for_so_many_entries() -> None:
    """ENTRIES_PER_FIELD_MAX pass, one more does not."""
    full = grown(limits.ENTRIES_PER_FIELD_MAX)
    assert check.outcome(full, merge.to_row(full)) is None
    beyond = grown(limits.ENTRIES_PER_FIELD_MAX + 1)
    assert refused(check.outcome(beyond, merge.to_row(beyond))) == Refusal(
        "op_record_full", f"log: at most {limits.ENTRIES_PER_FIELD_MAX} entries"
    )


def test_a_record_has_room_for_so_many_bytes() -> None:
    """A record that is past RECORD_BYTES_MAX could not travel."""
    near = grown(32, "x" * 4_000)
    assert check.outcome(near, merge.to_row(near)) is None
    beyond = grown(33, "x" * 4_000)
    assert refused(check.outcome(beyond, merge.to_row(beyond))).code == "op_record_full"


def test_a_record_has_room_for_so_many_ops() -> None:
    """A row with more stamps than an array may have would be refused by every device that it is sent to."""
    state = created(
        op(1, BOOKING, "custody-booking", {"suite": "x", "detainee": "x", "arrested_at": 0}, create=True, author="a")
    )
    facts: dict[str, object] = {"author": "a", "hlc": (0, 0), "occurred_at": 0, "wall": 0}
    entries: list[tuple[str, dict[str, Any]]] = [
        ("log", {"text": "."}),
        ("property_items", {"text": "."}),
        ("checks", {"checked_at": 0, "where": ".", "response": "awake"}),
    ]
    for at in range(limits.ARRAY_LEN_MAX):
        name, entry = entries[at // 1_000]
        state = merge.apply(state, op(at + 2, BOOKING, "custody-booking", {name: [entry]}, **facts))
        if at == limits.ARRAY_LEN_MAX - 2:
            assert check.outcome(state, merge.to_row(state)) is None
    found = refused(check.outcome(state, merge.to_row(state)))
    assert found == Refusal("op_record_full", f"at most {limits.ARRAY_LEN_MAX} ops whose values still stand")


@pytest.mark.parametrize("scope", ["moon:base", "area", "force:x", "area:x:y", "area:briefing", "area:x:briefing"])
def test_a_briefing_needs_real_audiences(scope: str) -> None:
    """A scope that nobody can hold would send the briefing to nobody."""
    changes = {"title": "x", "body": "y", "audience": ["force", scope], "issued_at": T0}
    state = created(op(1, BRIEFING, "briefing", changes, create=True))
    found = refused(check.outcome(state, merge.to_row(state)))
    assert found.code == "op_value_wrong"
    assert scope.removesuffix(":briefing") in found.detail


def test_a_record_may_be_in_so_many_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the limit is refused with both numbers."""
    audience = [f"area:a{at}" for at in range(32)]
    changes = {"title": "x", "body": "y", "audience": audience, "issued_at": T0}
    state = created(op(1, BRIEFING, "briefing", changes, create=True))
    assert check.outcome(state, merge.to_row(state)) is None
    monkeypatch.setattr(check, "SCOPES_PER_RECORD_MAX", 31)
    assert refused(check.outcome(state, merge.to_row(state))) == Refusal("op_scopes_too_many", "32, at most 31")


def test_typed_values_become_plain_ones() -> None:
    """What an application hands over travels as maps, text and lists, and is then taken."""
    plain = check.changed_fields(
        {
            FieldName("grade"): Grade.P1,
            FieldName("position"): Position(longitude=-1.9, latitude=52.4),
            FieldName("log"): (LogEntry(text="x"),),
            FieldName("units"): ("BW31",),
        }
    )
    assert plain == {
        "grade": "p1",
        "position": {"longitude": -1.9, "latitude": 52.4},
        "log": [{"text": "x"}],
        "units": ["BW31"],
    }
    assert check.op_alone(incident({str(name): value for name, value in plain.items()})) is KINDS["incident"]


def test_every_code_of_an_op_is_met_here_or_at_the_server() -> None:
    """What this module refuses and what only the server can know make up the registry's codes of ops."""
    here = {
        "op_kind_unknown",
        "op_kind_differs",
        "op_field_unknown",
        "op_field_missing",
        "op_value_wrong",
        "op_record_unknown",
        "op_record_exists",
        "op_record_full",
        "op_scopes_too_many",
    }
    at_the_server = {"op_reused", "op_not_permitted"}
    assert {code for code, spec in ERRORS.items() if spec.close is None} == here | at_the_server
