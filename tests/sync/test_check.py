"""Every way in which an op cannot be taken has its code, and what can be taken is not refused."""

from typing import Any

import msgspec
import pytest

from schemas import limits
from schemas.codec import encode
from schemas.errors import ERRORS
from schemas.ids import DeviceId, FieldName, OfficerId, OpId, OpNumber, RecordId, named_record_id
from schemas.kinds import KINDS
from schemas.kinds.common import LogEntry, Position
from schemas.kinds.incident import Grade
from schemas.ops import Op, Stamp, stamp_of
from sync import check, inbox, merge
from sync.check import Refusal
from sync.merge import RecordState
from sync.policies import Cell, Entry
from tests.example_ops import OPS
from tests.examples import BOOKING, BRIEFING, INCIDENT, T0, op

CELL = named_record_id("check", "cell")
ITEM = named_record_id("check", "item")

WHOLE: dict[str, Any] = {"opened_at": T0, "area": "birmingham", "category": "crime", "summary": "x"}


def incident(changes: dict[str, Any], **rest: object) -> Op:
    """An op on the incident."""
    return op(7, INCIDENT, "incident", changes, **rest)


def created(made: Op) -> RecordState:
    """The record that an op makes."""
    return merge.apply(merge.new_state(made, KINDS[made.kind]), made)


def outcome(state: RecordState) -> Refusal | None:
    """What is against a record, with its row as it would be kept."""
    row = merge.to_row(state)
    return check.outcome(state, row, len(encode(row)))


def refused(found: object) -> Refusal:
    """The refusal that was found; its code is in the registry and quarantines."""
    assert isinstance(found, Refusal)
    assert ERRORS[found.code].close is None
    return found


@pytest.mark.parametrize("name", sorted(OPS))
def test_good_ops_are_taken(name: str) -> None:
    """Each golden op fits its kind; one that makes a record can be merged and leads to a sound record."""
    made = OPS[name]
    spec = KINDS[made.kind]
    # Nobody makes a record of the rules by hand, unless it is named after what it says; all else is asked of it too.
    by_rule = made.create and spec.by_rule and spec.named is None
    assert check.op_alone(made, by_rule=by_rule) is spec
    if made.create:
        assert check.op_on(None, made, KINDS[made.kind]) is None
        state = created(made)
        assert outcome(state) is None


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
        (incident({"grade": "P1"}), "op_value_wrong", "grade: "),
        (incident({"markers": []}), "op_value_wrong", 'markers: expected a map with the lists "add" and "remove"'),
        (incident({"markers": {}}), "op_value_wrong", "markers: expected a map"),
        (incident({"markers": {"set": [{"warning": "x"}]}}), "op_value_wrong", "markers: expected a map"),
        (incident({"markers": {"add": {"warning": "x"}}}), "op_value_wrong", "markers: add: expected a list of tags"),
        (incident({"markers": {"remove": []}}), "op_value_wrong", "markers: remove: expected a list of tags"),
        (incident({"markers": {"add": [{"warning": ""}]}}), "op_value_wrong", "markers: "),
        (incident({"markers": {"remove": [{"warning": "x"}] * 65}}), "op_value_wrong", "markers: 65 entries, at most"),
        (op(1, CELL, "resource", {"hold": "desk"}), "op_value_wrong", "hold: "),
        (op(1, CELL, "resource", {"hold": {"holder": ""}}), "op_value_wrong", "hold: "),
        (op(1, CELL, "resource", {"hold": {"holder": "x", "until": -1}}), "op_value_wrong", "hold: "),
        (op(1, CELL, "inbox-item", {"due_at": 1}), "op_by_rule_only", "due_at: only the rules write it"),
        (op(1, CELL, "inbox-item", {}, create=True), "op_by_rule_only", "inbox-item: only the rules make"),
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


# --- what the record's policies refuse -------------------------------------------------------------------------------


def made(record: RecordId, kind: str, changes: dict[str, Any]) -> RecordState:
    """A record that holds these values, each said by op 1."""
    return created(op(1, record, kind, changes, create=True))


def saw(field: str, *ops: str) -> dict[FieldName, tuple[OpId, ...]]:
    """What an op says that its author saw in a field."""
    return {FieldName(field): tuple(map(OpId, ops))}


@pytest.mark.parametrize(
    ("field", "before", "value", "code", "about"),
    [
        ("status", "released", "detained", "op_transition", "from released to detained; what may follow released: not"),
        ("status", "hospital", "court", "op_transition", "from hospital to court; what may follow hospital: detained"),
        ("status", "detained", "court", None, ""),
        ("status", "detained", "detained", None, ""),
        ("risk", "high", "standard", None, ""),
        ("appropriate_adult", "needed", None, None, ""),
        ("arrested_at", T0, T0 + 1, None, ""),
    ],
)
def test_a_change_is_refused_for_what_its_author_could_see(
    field: str, before: object, value: object, code: str | None, about: str
) -> None:
    """The policy of the field says so, in words; what its author had not seen is merged and never refused."""
    whole = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": T0} | {field: before}
    state, spec = made(BOOKING, "custody-booking", whole), KINDS["custody-booking"]
    change = op(2, BOOKING, "custody-booking", {field: value}, saw=saw(field, "hh-0042/1"))
    found = check.op_on(state, change, spec)
    assert (None if found is None else refused(found).code) == code
    assert found is None or found.detail.startswith(about)
    assert check.op_on(state, op(2, BOOKING, "custody-booking", {field: value}, saw=saw(field)), spec) is None


def test_an_open_question_is_settled_in_the_inbox_and_nowhere_else() -> None:
    """Who sees that people differ does not pick one on the record itself."""
    field = "appropriate_adult"
    whole = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": T0, field: "needed"}
    state, spec = made(BOOKING, "custody-booking", whole), KINDS["custody-booking"]
    state = merge.apply(state, op(2, BOOKING, "custody-booking", {field: "not-needed"}, saw=saw(field)))
    both = saw(field, "hh-0042/1", "hh-0042/2")
    found = refused(check.op_on(state, op(3, BOOKING, "custody-booking", {field: "needed"}, saw=both), spec))
    assert found == Refusal("op_decision_awaited", "appropriate_adult: 2 different values stand")
    one = saw(field, "hh-0042/2")
    assert check.op_on(state, op(3, BOOKING, "custody-booking", {field: "needed"}, saw=one), spec) is None


def test_what_somebody_is_seen_to_hold_is_not_taken() -> None:
    """The refusal names the holder; a reservation has its longest time."""
    cell = {"category": "cell", "name": "M1", "home": "suite:perry-barr", "hold": {"holder": "booking-7"}}
    state, spec = made(CELL, "resource", cell), KINDS["resource"]
    taken = op(2, CELL, "resource", {"hold": {"holder": "booking-8"}}, saw=saw("hold", "hh-0042/1"))
    found = refused(check.op_on(state, taken, spec))
    assert found.code == "op_claim_held"
    assert "booking-7" in found.detail
    unseen = op(2, CELL, "resource", {"hold": {"holder": "booking-8"}}, saw=saw("hold"))
    assert check.op_on(state, unseen, spec) is None
    free = made(CELL, "resource", cell | {"hold": None})
    at = unseen.hlc[0]
    for over, code in ((0, None), (1, "op_reservation_long")):
        hold = {"holder": "desk", "until": at + limits.RESERVATION_MS_MAX + over}
        found_long = check.op_on(free, op(2, CELL, "resource", {"hold": hold}, saw=saw("hold", "hh-0042/1")), spec)
        assert (None if found_long is None else refused(found_long).code) == code


def item_about(field: str) -> RecordState:
    """An open inbox item about a field of the booking, as the rules make it."""
    whole = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": T0, field: T0}
    subject = made(BOOKING, "custody-booking", whole)
    differs = op(2, BOOKING, "custody-booking", {field: T0 + 1}, saw=saw(field))
    subject = merge.apply(subject, differs)
    found = inbox.follow(
        KINDS["custody-booking"].fields[FieldName(field)], subject, None, stamp_of(differs), lambda _: None
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("decision", "about"),
    [
        ({"value": T0 + 5, "reason": "x"}, None),
        ({"value": T0, "reason": "x", "more": 1}, None),
        (None, "decision: say what is decided"),
        ({"value": "noon", "reason": "x"}, "decision for arrested_at: "),
        ({"value": None, "reason": "x"}, "decision for arrested_at: "),
    ],
)
def test_a_decision_is_a_value_that_the_field_can_have(decision: object, about: str | None) -> None:
    """It is checked against the field that the item is about, with the field's name in the refusal."""
    item = item_about("arrested_at")
    decides = op(3, item.id, "inbox-item", {"decision": decision})
    assert check.op_alone(decides) is KINDS["inbox-item"]
    found = check.op_on(item, decides, KINDS["inbox-item"])
    assert (found is None) == (about is None)
    if found is not None and about is not None:
        assert refused(found).code == "op_value_wrong"
        assert found.detail.startswith(about)


# --- newer programs --------------------------------------------------------------------------------------------------


def test_what_only_a_newer_program_knows_is_named_and_not_refused() -> None:
    """Unknown fields, unknown words and other forms are what cannot be read; the rest of the op can."""
    newer = incident(
        {"colour": 1, "grade": "p0", "status": "open", "log": "x", "markers": {"add": 1}, "area": "solihull"}
    )
    spec = check.op_alone(newer, newer=True)
    assert spec is KINDS["incident"]
    assert check.unread(newer, spec) == {"colour", "grade", "log", "markers"}
    assert check.unread(incident({"grade": "p1"}), spec) == frozenset()


def test_what_cannot_be_read_is_not_asked_of_the_record() -> None:
    """A policy would trip over a value of another form; the op's other fields are checked all the same."""
    state, spec = created(incident(WHOLE | {"status": "closed"}, create=True)), KINDS["incident"]
    seen = {FieldName("status"): (incident({}).id,)}
    strange = incident({"status": ["closed"], "markers": "x"}, saw=seen)
    assert check.op_on(state, strange, spec, None, frozenset({FieldName("status"), FieldName("markers")})) is None
    mixed = incident({"status": "assigned", "markers": "x"}, saw=seen)
    found = check.op_on(state, mixed, spec, None, frozenset({FieldName("markers")}))
    assert refused(found).code == "op_transition"


def test_a_new_record_that_a_newer_program_makes_must_be_one_that_can_be_shown() -> None:
    """What is absent is missing for every version; what cannot be read yet waits for the version that can."""
    less = {name: value for name, value in WHOLE.items() if name != "area"}
    assert refused(check.op_alone(incident(less, create=True), newer=True)) == Refusal("op_field_missing", "area")
    beyond = incident(WHOLE | {"category": "cyber"}, create=True)
    assert refused(check.op_alone(beyond, newer=True)) == Refusal("op_value_newer", "category")
    assert refused(check.op_alone(beyond)).code == "op_value_wrong"


def test_the_rules_may_write_what_nobody_else_may() -> None:
    """The server's own acts escalate an item; a newer device may not, however new."""
    escalates = op(1, CELL, "inbox-item", {"escalations": [{"to": "superintendent", "overdue_ms": 1}]})
    assert check.op_alone(escalates, by_rule=True) is KINDS["inbox-item"]
    for newer in (False, True):
        assert refused(check.op_alone(escalates, newer=newer)).code == "op_by_rule_only"


# --- what the record would become ------------------------------------------------------------------------------------


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
    assert outcome(full) is None
    beyond = grown(limits.ENTRIES_PER_FIELD_MAX + 1)
    assert refused(outcome(beyond)) == Refusal("op_record_full", f"log: at most {limits.ENTRIES_PER_FIELD_MAX} entries")


def test_a_record_has_room_for_so_many_bytes() -> None:
    """A record that is past RECORD_BYTES_MAX could not travel."""
    near = grown(32, "x" * 4_000)
    assert outcome(near) is None
    beyond = grown(33, "x" * 4_000)
    assert refused(outcome(beyond)).code == "op_record_full"


def test_a_record_has_room_for_so_many_ops() -> None:
    """A row with more stamps than an array may have would be refused by every device that it is sent to."""
    state = created(
        op(1, BOOKING, "custody-booking", {"suite": "x", "detainee": "x", "arrested_at": 0}, create=True, author="a")
    )
    entries: dict[str, dict[str, Any]] = {
        "log": {"text": "."},
        "property_items": {"text": "."},
        "checks": {"checked_at": 0, "where": ".", "response": "awake"},
    }

    def of_ops(count: int) -> RecordState:
        """The booking with an entry each of `count` ops, beside the op that made it."""
        cells = dict(state.cells)
        for at, (name, entry) in enumerate(entries.items()):
            numbers = range(2 + at * 1_000, 2 + min((at + 1) * 1_000, count))
            stamps = [Stamp(DeviceId("hh-0042"), OpNumber(n), 0, 0, OfficerId("a"), 0) for n in numbers]
            cells[FieldName(name)] = Cell(entries=tuple(Entry(entry, stamp, 0) for stamp in stamps))
        return msgspec.structs.replace(state, cells=cells)

    full, beyond = of_ops(limits.ARRAY_LEN_MAX - 1), of_ops(limits.ARRAY_LEN_MAX)
    assert outcome(full) is None
    found = refused(outcome(beyond))
    assert found == Refusal("op_record_full", f"at most {limits.ARRAY_LEN_MAX} ops whose values still stand")


@pytest.mark.parametrize("scope", ["moon:base", "area", "force:x", "area:x:y", "area:briefing", "area:x:briefing"])
def test_a_briefing_needs_real_audiences(scope: str) -> None:
    """A scope that nobody can hold would send the briefing to nobody."""
    changes = {"title": "x", "body": "y", "audience": ["force", scope], "issued_at": T0}
    state = created(op(1, BRIEFING, "briefing", changes, create=True))
    found = refused(outcome(state))
    assert found.code == "op_value_wrong"
    assert scope.removesuffix(":briefing") in found.detail


def test_a_record_may_be_in_so_many_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the limit is refused with both numbers."""
    audience = [f"area:a{at}" for at in range(32)]
    changes = {"title": "x", "body": "y", "audience": audience, "issued_at": T0}
    state = created(op(1, BRIEFING, "briefing", changes, create=True))
    assert outcome(state) is None
    monkeypatch.setattr(check, "SCOPES_PER_RECORD_MAX", 31)
    assert refused(outcome(state)) == Refusal("op_scopes_too_many", "32, at most 31")


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
        "op_value_newer",
        "op_by_rule_only",
        "op_record_unknown",
        "op_record_exists",
        "op_record_full",
        "op_scopes_too_many",
        "op_transition",
        "op_decision_awaited",
        "op_claim_held",
        "op_reservation_long",
    }
    at_the_server = {"op_reused", "op_not_permitted", "op_not_entitled", "op_saw_unknown", "op_record_erased"}
    assert {code for code, spec in ERRORS.items() if spec.close is None} == here | at_the_server
