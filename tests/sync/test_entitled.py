"""Who may do what: the declared rights, applied to one op, whatever has come before it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ERRORS
from schemas.ids import FieldName, Seq
from schemas.kinds import KINDS, Alarm, FieldSpec, InboxItem, KindSpec
from schemas.policies import MANY
from schemas.rights import POLICE, SUPERVISING
from schemas.roles import Role
from sync import entitled, merge
from sync.merge import RecordState
from tests.example_rows import ROWS
from tests.examples import BOOKING, INCIDENT, ITEM, LEAST, T0, op

WATCHING = (Role.AUDITOR, Role.ADMINISTRATOR)
"""Those who read or keep the machine, and do no police work."""
NEW = {kind: values for kind, values in LEAST.items() if not KINDS[kind].by_rule}
"""What people make; inbox items and alarms are made by the rules."""


def asked(kind: str, changes: dict[str, Any], *roles: Role, **rest: object) -> str | None:
    """Why somebody with these roles may not make a change; None when they may."""
    made = op(1, INCIDENT, kind, changes, **rest)
    found = entitled.refusal(made, KINDS[kind], None, frozenset(roles))
    if found is None:
        return None
    assert found.code == "op_not_entitled"
    assert found.code in ERRORS
    return found.detail


@pytest.mark.parametrize(
    ("kind", "changes", "may"),
    [
        ("incident", {"status": "closed"}, set(SUPERVISING)),
        ("incident", {"status": "open"}, set(SUPERVISING)),
        ("incident", {"status": "attended"}, set(POLICE)),
        ("incident", {"log": [{"text": "x"}]}, {*POLICE, Role.REGISTRAR}),
        ("incident", {"summary": "x"}, set(POLICE)),
        ("incident", {"area": "solihull"}, set(SUPERVISING)),
        ("incident", {"compartment": "larch"}, {Role.SUPERINTENDENT}),
        ("incident", {"compartment": None}, {Role.SUPERINTENDENT}),
        ("incident", {"named": {"add": ["wm30012"]}}, set(SUPERVISING)),
        ("custody-booking", {"detention_authorised_at": T0}, {Role.CUSTODY_OFFICER}),
        ("custody-booking", {"status": "detained"}, {Role.CUSTODY_OFFICER}),
        ("custody-booking", {"status": "released"}, {Role.CUSTODY_OFFICER}),
        (
            "custody-booking",
            {"status": "hospital"},
            {Role.CUSTODY_OFFICER, Role.OFFICER, Role.SUPERVISOR, Role.REVIEWING_OFFICER, Role.SUPERINTENDENT},
        ),
        ("custody-booking", {"disposal": "bail"}, {Role.CUSTODY_OFFICER}),
        ("custody-booking", {"appropriate_adult": "not-needed"}, {Role.CUSTODY_OFFICER}),
        ("custody-booking", {"risk": "standard"}, {Role.CUSTODY_OFFICER}),
        ("custody-booking", {"cell": "M7"}, {Role.CUSTODY_OFFICER}),
        ("medical", {"allergies": ["nuts"]}, {Role.CUSTODY_OFFICER, Role.OFFICER}),
        ("medical", {"suite": "oldbury"}, {Role.CUSTODY_OFFICER}),
        ("briefing", {"body": "x"}, set(SUPERVISING)),
        ("briefing", {"receipts": [{"read_at": T0}]}, set(Role)),
        ("resource", {"service": "in-service"}, {*SUPERVISING, Role.CUSTODY_OFFICER, Role.ADMINISTRATOR}),
        ("resource", {"service": "out-of-service"}, {*POLICE, Role.ADMINISTRATOR}),
        ("resource", {"hold": None}, set(POLICE)),
        ("suspect", {"claimed": {"holder": "WM1"}}, set(POLICE)),
    ],
    # Not a set's own words: their order differs between the processes that share the tests.
    ids=lambda given: "-".join(sorted(map(str, given))) if isinstance(given, set) else str(given),
)
def test_each_role_may_do_what_is_declared_and_nothing_else(kind: str, changes: dict[str, Any], may: set[Role]) -> None:
    """Of all roles, exactly those of the declaration are let through."""
    assert {role for role in Role if asked(kind, changes, role) is None} == may


@pytest.mark.parametrize("changes", [{"risk": "high"}, {"observation": "l4"}, {"appropriate_adult": "needed"}], ids=str)
def test_an_alarm_in_custody_is_raised_by_whoever_sees_the_need(changes: dict[str, Any]) -> None:
    """The safe side of a choice waits for nobody; the control room is not there to see."""
    assert asked("custody-booking", changes, Role.OFFICER) is None
    assert asked("custody-booking", changes, Role.CONTROL_ROOM) is not None


@pytest.mark.parametrize(
    ("kind", "may"),
    [
        ("incident", set(POLICE)),
        ("suspect", set(POLICE)),
        ("custody-booking", {Role.CUSTODY_OFFICER}),
        ("medical", {Role.CUSTODY_OFFICER, Role.OFFICER}),
        ("briefing", set(SUPERVISING)),
        ("resource", {*SUPERVISING, Role.CUSTODY_OFFICER, Role.ADMINISTRATOR}),
    ],
)
def test_a_record_is_made_by_its_makers(kind: str, may: set[Role]) -> None:
    """They write what a new record must have with it, also what they may not change later."""
    assert {role for role in Role if asked(kind, NEW[kind], role, create=True) is None} == may


def test_a_maker_says_what_nobody_could_say_later() -> None:
    """A report is shared, or closed off, at its making; a value that holds anyway is no step; a closed one is."""
    shared = {"teams": {"add": ["operations"]}, "compartment": "larch", "status": "open"}
    assert asked("incident", NEW["incident"] | shared, Role.OFFICER, create=True) is None
    assert asked("incident", shared, Role.OFFICER) is not None
    assert asked("incident", NEW["incident"] | {"status": "closed"}, Role.OFFICER, create=True) is not None
    assert asked("incident", NEW["incident"] | {"retention": "serious"}, Role.OFFICER, create=True) is not None


def test_one_of_several_roles_is_enough() -> None:
    """A sergeant who is custody officer tonight may do what either may; nobody without a role may do anything."""
    assert asked("custody-booking", {"status": "released"}, Role.SUPERVISOR, Role.CUSTODY_OFFICER) is None
    assert asked("incident", {"log": [{"text": "x"}]}) is not None


def test_every_field_of_an_op_is_asked_about() -> None:
    """What may not be done is not carried in by what may."""
    changes = {"log": [{"text": "x"}], "units": ["BW31"], "status": "closed"}
    assert asked("incident", changes, Role.OFFICER) is not None
    assert asked("incident", {name: changes[name] for name in ("log", "units")}, Role.OFFICER) is None


def test_a_correction_is_for_those_who_decide() -> None:
    """The roles that the field asks, at once or later; whoever may write the field otherwise may not for that."""
    arrested = {"arrested_at": T0}
    assert {role for role in Role if asked("custody-booking", arrested, role, correct=True) is None} == {
        Role.CUSTODY_OFFICER,
        Role.REVIEWING_OFFICER,
    }
    opened = {"opened_at": T0}
    assert asked("incident", opened, Role.OFFICER) is None
    assert asked("incident", opened, Role.OFFICER, correct=True) is not None
    assert asked("incident", {"summary": "x"}, Role.OFFICER, correct=True) is not None


@pytest.mark.parametrize("create", [True, False])
def test_nobody_signs_for_somebody_else(*, create: bool) -> None:
    """A receipt names its author, at its making and for ever: not even a superintendent reads for an officer."""
    own = LEAST["receipt"] | {"officer": "WM21877"}
    changes = own if create else {"officer": "WM21877"}
    assert asked("receipt", changes, Role.OFFICER, create=create) is None
    other = asked("receipt", changes | {"officer": "WM30012"}, *Role, create=create)
    assert other is not None
    assert "only for the officer whom it names" in other
    assert "WM30012" not in other


def test_the_rules_may_do_everything() -> None:
    """What the server writes by its own rules has no role to show."""
    for kind, values in NEW.items():
        assert entitled.refusal(op(1, INCIDENT, kind, values, create=True), KINDS[kind], None, None) is None


def test_a_refusal_says_whose_it_is_and_why() -> None:
    """In words for the officer, with the law where it is law, and short enough to travel whole."""
    told = asked("custody-booking", {"status": "released"}, Role.OFFICER)
    assert told is not None
    assert told.startswith(
        "status to released: only for whoever is custody officer. A custody officer authorises detention (PACE"
    )
    assert asked("incident", {"area": "solihull"}, Role.OFFICER) == (
        "area: only for whoever is supervisor or reviewing officer or superintendent or control room. Another area "
        "takes the incident out of the sight of those who work on it now."
    )
    assert (asked("briefing", NEW["briefing"], Role.OFFICER, create=True) or "").startswith(
        "a new briefing: only for w"
    )
    assert (asked("custody-booking", {"arrested_at": 1}, Role.OFFICER, correct=True) or "").startswith(
        "a correction of arrested_at: only for whoever is custody officer or reviewing officer. "
    )


def test_a_field_that_is_not_known_is_for_those_who_may_change_the_kind() -> None:
    """An older server keeps it in trust; it does not keep there what an outsider wrote."""
    assert asked("incident", {"threat": "severe"}, Role.OFFICER) is None
    assert asked("incident", {"threat": "severe"}, Role.AUDITOR) is not None


def item_state(**changes: object) -> RecordState:
    """The open inbox item of the examples, with other values in some cells."""
    row = ROWS["row-inbox-item"]
    cells = row.cells | {FieldName(name): value for name, value in changes.items()}
    return merge.from_row(msgspec.structs.replace(row, cells=cells))


DECIDE = op(14, ITEM, "inbox-item", {"decision": {"value": T0, "reason": "It is on film."}})


def deciding(state: RecordState | None) -> set[Role]:
    """The roles that may decide an item."""
    spec = KINDS["inbox-item"]
    return {role for role in Role if entitled.refusal(DECIDE, spec, state, frozenset({role})) is None}


def test_an_item_is_decided_by_those_whom_it_names() -> None:
    """Whoever holds its inbox but has another role is told whose decision it is; nobody decides what is not there."""
    assert deciding(item_state()) == {Role.CUSTODY_OFFICER}
    assert deciding(item_state(roles=[["registrar", "superintendent"], 0])) == {Role.REGISTRAR, Role.SUPERINTENDENT}
    assert deciding(None) == set()
    refused = entitled.refusal(DECIDE, KINDS["inbox-item"], item_state(), frozenset({Role.OFFICER}))
    assert refused is not None
    assert refused.detail.startswith("decision: only for whoever is custody officer. ")


def test_an_overdue_item_is_decided_by_those_who_were_asked_as_well() -> None:
    """Escalation adds people and takes away none."""
    state = item_state(escalations=[[{"to": "superintendent", "overdue_ms": 5}, 0, 0]])
    assert deciding(state) == {Role.CUSTODY_OFFICER, Role.SUPERINTENDENT}


def every_right() -> list[tuple[KindSpec, FieldSpec, Any]]:
    """(kind, field, value) of each right that is told apart: a field, and each of its values that has its own."""
    return [
        (spec, field, value)
        for spec in KINDS.values()
        for field in spec.fields.values()
        if not field.by_rule
        for value in (None, *(field.writes.to if field.writes is not None else ()))
    ]


def test_nothing_is_left_to_nobody_and_no_record_to_those_who_watch() -> None:
    """Each field has somebody who may write it; auditors and administrators touch nothing that tells of people."""
    for spec, field, value in every_right():
        by_rule = {
            "inbox-item": item_state().build(),
            "alarm": KINDS["alarm"].build({FieldName(name): value for name, value in LEAST["alarm"].items()}),
        }
        item = by_rule.get(spec.name)
        who = entitled.who_may(spec, field, value, item=item if isinstance(item, (InboxItem, Alarm)) else None)
        assert who, (spec.name, field.name)
        if spec.name not in ("resource", "briefing", "settings"):
            assert set(who).isdisjoint(WATCHING), (spec.name, field.name)


@given(
    kind=st.sampled_from(sorted(NEW)),
    roles=st.frozensets(st.sampled_from(Role)),
    more=st.frozensets(st.sampled_from(Role)),
    data=st.data(),
)
def test_another_role_never_takes_a_right_away(
    kind: str, roles: frozenset[Role], more: frozenset[Role], data: st.DataObject
) -> None:
    """Whoever may do something may do it when they are something else besides; and the record decides nothing."""
    spec = KINDS[kind]
    names = data.draw(st.frozensets(st.sampled_from(sorted(spec.fields)), min_size=1))
    changes: dict[str, Any] = {}
    for name in sorted(names):
        field = spec.fields[name]
        steps = sorted(field.writes.to) if field.writes is not None else []
        changes[name] = [] if field.policy in MANY else data.draw(st.sampled_from([None, "other", *steps]))
    create, correct = data.draw(st.booleans()), data.draw(st.booleans())
    made = op(2, BOOKING, kind, changes, create=create, correct=correct)
    before = merge.apply(merge.new_state(made, spec), op(1, BOOKING, kind, NEW[kind], create=True), T0, Seq(1))
    found = entitled.refusal(made, spec, None, roles)
    assert entitled.refusal(made, spec, before, roles) == found
    if found is None:
        assert entitled.refusal(made, spec, None, roles | more) is None
