"""Alarms in a commit: a person may be ahead of the rules, it is one record, and where its subject is."""

import itertools
from typing import Any, Final

import pytest

from schemas.ids import DeviceId, FieldName, RecordId, ScopeName
from schemas.kinds import Alarm
from schemas.kinds.alarm import alarm_id
from schemas.roles import Role
from server.roles import Roles
from tests.server.settle.desk import BOTH, INCIDENT, NORTH, NOW, Desk, op, record

SUBJECT: Final = record(1)
ROLES: Final = Roles(frozenset({Role.SUPERVISOR}))
SERVER: Final = DeviceId("control-room")
LARCH: Final = ScopeName("compartment:larch")
SAID: Final[dict[str, Any]] = {
    "subject": SUBJECT,
    "subject_kind": "incident",
    "what": "crime-decision",
    "key": "",
    "due_at": NOW,
    "warn_ms": 0,
    "roles": ["supervisor"],
    "then": [],
    "within_ms": 60_000,
    "words": "Decide whether it is a crime.",
    "source": "an invented rule",
    "places": ["area:north"],
    "raised_at": NOW,
}
ALARM: Final = alarm_id(SUBJECT, "crime-decision", "", NOW, 0, ("supervisor",))


def raised(n: int = 1, **changes: Any) -> bytes:  # noqa: ANN401  values of fields
    """The rules' own op."""
    return op(n, ALARM, SAID | changes, kind="alarm", create=True, device=SERVER)


def acknowledged(n: int, device: str, note: str, *, on: RecordId = ALARM, **changes: Any) -> bytes:  # noqa: ANN401  as above
    """The op of a person whose handheld has not heard of the record."""
    said = SAID | {"raised_at": NOW + 5, "acknowledged": [{"note": note}]} | changes
    return op(n, on, said, kind="alarm", create=True, device=DeviceId(device))


@pytest.fixture
def desk() -> Desk:
    """A desk with an incident in the north."""
    desk = Desk()
    assert desk.one(op(1, 1, INCIDENT, create=True, device=DeviceId("hh-9")), scopes=BOTH).status == "durable"
    return desk


def alarm(desk: Desk, name: RecordId = ALARM) -> Alarm:
    """The alarm as it stands."""
    built = desk.held(name).build()
    assert isinstance(built, Alarm)
    return built


def test_whoever_comes_first_makes_it_and_the_others_edit_it() -> None:
    """The rules and two handhelds, in every order: one record, both acknowledgements, the same values."""
    ends = set()
    for order in itertools.permutations(("rules", "hh-1", "hh-2")):
        desk = Desk()
        desk.one(op(1, 1, INCIDENT, create=True, device=DeviceId("hh-9")), scopes=BOTH)
        for who in order:
            if who == "rules":
                result = desk.one(raised(), scopes=None)
            else:
                result = desk.one(acknowledged(1, who, f"By {who}."), scopes=BOTH, roles=ROLES)
            assert result.status == "durable", (order, who, result)
        ends.add(repr(sorted((name, repr(value)) for name, value in desk.values(ALARM).items())))
        assert sorted(entry.note or "" for entry in alarm(desk).acknowledged) == ["By hh-1.", "By hh-2."]
    assert len(ends) == 1


def test_the_same_op_again_changes_nothing(desk: Desk) -> None:
    """An op that makes what is there is applied once, like any other."""
    desk.one(raised(), scopes=None)
    first = desk.one(acknowledged(1, "hh-1", "Mine."), scopes=BOTH, roles=ROLES)
    assert desk.one(acknowledged(1, "hh-1", "Mine."), scopes=BOTH, roles=ROLES) == first
    assert len(alarm(desk).acknowledged) == 1


@pytest.mark.parametrize("ahead", [True, False], ids=["ahead of the rules", "after them"])
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (acknowledged(1, "hh-1", "x", on=record(7)), "op_value_wrong"),
        (acknowledged(1, "hh-1", "x", due_at=NOW + 1), "op_value_wrong"),
        (acknowledged(1, "hh-1", "x", roles=["officer"]), "op_value_wrong"),
        (acknowledged(1, "hh-1", "x", over_at=NOW), "op_by_rule_only"),
        (acknowledged(1, "hh-1", "x", escalations=[{"to": "superintendent", "overdue_ms": 1}]), "op_by_rule_only"),
        (op(1, ALARM, SAID, kind="alarm", create=True), "op_by_rule_only"),
        (op(1, ALARM, {"acknowledged": [{}]}, kind="alarm", create=True), "op_field_missing"),
    ],
    ids=["another's id", "another time", "another's role", "over", "escalated", "nothing said", "half"],
)
def test_a_person_writes_only_their_word_and_only_on_what_the_rules_would_make(
    desk: Desk, raw: bytes, code: str, *, ahead: bool
) -> None:
    """Whatever else they say is refused, whether the rules have made the record already or not."""
    if not ahead:
        desk.one(raised(), scopes=None)
    result = desk.one(raw, scopes=BOTH, roles=Roles(frozenset(Role)))
    assert (result.status, result.code) == ("refused", code)


def test_by_hand_nothing_else_of_an_alarm_is_edited(desk: Desk) -> None:
    """Neither when it is due nor that it is over."""
    desk.one(raised(), scopes=None)
    tries: list[dict[str, Any]] = [{"due_at": NOW + 1}, {"over_at": NOW}, {"roles": ["officer"]}]
    for n, changes in enumerate(tries, 1):
        result = desk.one(op(n, ALARM, changes, kind="alarm"), scopes=BOTH, roles=Roles(frozenset(Role)))
        assert (result.status, result.code) == ("refused", "op_by_rule_only")


@pytest.mark.parametrize("ahead", [True, False], ids=["ahead of the rules", "after them"])
def test_it_is_taken_up_by_one_of_those_who_are_warned(desk: Desk, *, ahead: bool) -> None:
    """The same whether the record is there or not: the order of arrival decides nothing."""
    if not ahead:
        desk.one(raised(), scopes=None)
    result = desk.one(acknowledged(1, "hh-1", "x"), scopes=BOTH, roles=Roles(frozenset({Role.OFFICER})))
    assert (result.status, result.code) == ("refused", "op_not_entitled")
    assert desk.one(acknowledged(2, "hh-1", "x"), scopes=BOTH, roles=ROLES).status == "durable"


def test_whoever_was_warned_as_well_may_take_it_up_too(desk: Desk) -> None:
    """An escalation names them."""
    desk.one(raised(), scopes=None)
    edit = op(1, ALARM, {"acknowledged": [{}]}, kind="alarm")
    force = frozenset({ScopeName("force:inbox")})
    chief = Roles(frozenset({Role.SUPERINTENDENT}))
    assert desk.one(edit, scopes=force, roles=chief).code == "op_not_permitted"
    level = {"escalations": [{"to": "superintendent", "overdue_ms": 0}]}
    assert desk.one(op(2, ALARM, level, kind="alarm", device=SERVER), scopes=None).status == "durable"
    again = op(2, ALARM, {"acknowledged": [{}]}, kind="alarm")
    assert desk.one(again, scopes=force, roles=chief).status == "durable"


def test_one_about_a_record_that_has_not_come_waits() -> None:
    """It is neither lost nor kept where nobody could say who may see it; it is taken once the record is there."""
    desk = Desk()
    raw = acknowledged(1, "hh-1", "x")
    first = desk.one(raw, scopes=BOTH, roles=ROLES)
    assert (first.status, first.code) == ("waiting", "op_record_unknown")
    desk.one(op(1, 1, INCIDENT, create=True, device=DeviceId("hh-9")), scopes=BOTH)
    assert desk.one(raw, scopes=BOTH, roles=ROLES).status == "durable"


def test_nobody_makes_one_about_what_they_have_no_right_to(desk: Desk) -> None:
    """Whoever may not write to the record has nothing to say of its alarms."""
    elsewhere = frozenset({ScopeName("area:west")})
    result = desk.one(acknowledged(1, "hh-1", "x", places=["area:west"]), scopes=elsewhere, roles=ROLES)
    assert (result.status, result.code) == ("refused", "op_not_permitted")
    inbox_only = frozenset({ScopeName("area:north:inbox")})
    assert desk.one(acknowledged(2, "hh-1", "x"), scopes=inbox_only, roles=ROLES).status == "durable"


@pytest.mark.parametrize("ahead", [True, False], ids=["ahead of the rules", "after them"])
def test_it_is_where_its_subject_is_now_whatever_a_handheld_says(desk: Desk, *, ahead: bool) -> None:
    """The incident was closed in a compartment while the handheld was out of reach: nothing of it is told outside."""
    if not ahead:
        desk.one(raised(), scopes=None)
    closed = op(2, 1, {"compartment": "larch"}, device=DeviceId("hh-9"))
    assert desk.one(closed, scopes=BOTH).status == "durable"
    if not ahead:
        assert alarm(desk).scopes() == {LARCH, ScopeName(f"{LARCH}:inbox")}
    cleared = BOTH | {LARCH}
    late = acknowledged(1, "hh-1", "x", raised_at=NOW + 9)
    assert desk.one(late, scopes=cleared, roles=ROLES).status == "durable"
    assert alarm(desk).scopes() == {LARCH}
    assert ALARM not in desk.members(NORTH)
    assert ALARM not in desk.members(ScopeName(f"{NORTH}:inbox"))


def test_one_about_an_inbox_item_goes_along_with_that(desk: Desk) -> None:
    """The item moves with its incident, and what is about the item with it."""
    for n, source in enumerate(("101", "999"), 2):
        raw = op(n, 1, {"source": source}, device=DeviceId(f"hh-{n}"), base=0, saw={FieldName("source"): ()})
        assert desk.one(raw, scopes=BOTH).status == "durable"
    (item,) = desk.items()
    name = alarm_id(item, "inbox", "", NOW, 0, ("supervisor",))
    said = SAID | {"subject": item, "subject_kind": "inbox-item", "what": "inbox"}
    assert desk.one(op(1, name, said, kind="alarm", create=True, device=SERVER), scopes=None).status == "durable"
    assert alarm(desk, name).scopes() == {NORTH, ScopeName(f"{NORTH}:inbox")}
    desk.one(op(2, 1, {"compartment": "larch"}, device=DeviceId("hh-9")), scopes=BOTH)
    assert alarm(desk, name).scopes() == {LARCH, ScopeName(f"{LARCH}:inbox")}
