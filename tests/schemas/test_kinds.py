"""The record kinds: which there are, and what policy each field has."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
import pytest

from schemas.ids import FieldName
from schemas.kinds import (
    KINDS,
    Alarm,
    Briefing,
    BriefingReceipt,
    CallBackSample,
    Cohort,
    CustodyBooking,
    DeploymentRequest,
    ForceSettings,
    Handover,
    InboxItem,
    Incident,
    Kind,
    KindSpec,
    Medical,
    NumberSeries,
    ProtectionPlan,
    Resource,
    StopSearch,
    Suspect,
    UseOfForce,
    kind_named,
    registry,
    spec_of,
)
from schemas.kinds.registry import record_kind
from schemas.policies import POLICIES, Policy, claim, grow, highest, judged, latest, once, state, tags
from schemas.retention import RetentionGroup
from schemas.rights import Rights
from schemas.roles import Role
from sync.policies import ENGINE

STRUCTS: list[type[Kind]] = [spec.struct for spec in KINDS.values()]


@pytest.fixture(autouse=True)
def registry_as_it_was() -> Iterator[None]:
    """Put the registry back: a test may declare kinds."""
    kinds, structs = dict(KINDS), dict(registry._BY_STRUCT)
    yield
    for held, kept in ((KINDS, kinds), (registry._BY_STRUCT, structs)):
        held.clear()
        held.update(kept)  # type: ignore[arg-type]  # each gets its own back


def test_the_kinds_are_those_of_the_design() -> None:
    """Incidents, briefings, bookings, what is scarce, who is wanted, what waits, settings, plans, samples, numbers."""
    assert {name: spec.struct for name, spec in KINDS.items()} == {
        "incident": Incident,
        "briefing": Briefing,
        "receipt": BriefingReceipt,
        "cohort": Cohort,
        "stop-search": StopSearch,
        "use-of-force": UseOfForce,
        "deployment-request": DeploymentRequest,
        "handover": Handover,
        "custody-booking": CustodyBooking,
        "resource": Resource,
        "suspect": Suspect,
        "medical": Medical,
        "inbox-item": InboxItem,
        "settings": ForceSettings,
        "alarm": Alarm,
        "protection-plan": ProtectionPlan,
        "call-back-sample": CallBackSample,
        "number-series": NumberSeries,
    }
    by_rule = {"inbox-item", "alarm", "number-series", "settings"}
    assert {name for name, spec in KINDS.items() if spec.by_rule} == by_rule
    assert [name for name, spec in KINDS.items() if spec.named] == ["alarm", "handover"]


@pytest.mark.parametrize("struct", STRUCTS)
def test_every_field_is_read_with_its_policy(struct: type[Kind]) -> None:
    """The spec holds the Struct's fields, in order, each with one policy that is carried out."""
    spec = spec_of(struct)
    assert list(spec.fields) == [field.name for field in msgspec.structs.fields(struct)]
    for name, field in spec.fields.items():
        assert field.name == name
        assert field.policy.name in ENGINE


@pytest.mark.parametrize(
    ("struct", "field", "policy"),
    [
        (CustodyBooking, "arrested_at", once),
        (CustodyBooking, "relevant_time", once),
        (CustodyBooking, "detention_authorised_at", once),
        (CustodyBooking, "detention", grow),
        (CustodyBooking, "checks", grow),
        (CustodyBooking, "log", grow),
        (CustodyBooking, "property_items", grow),
        (CustodyBooking, "risk", highest),
        (CustodyBooking, "observation", highest),
        (CustodyBooking, "status", state),
        (CustodyBooking, "appropriate_adult", judged),
        (CustodyBooking, "medication", judged),
        (CustodyBooking, "allergies", judged),
        (Medical, "medication", judged),
        (Medical, "allergies", judged),
        (Medical, "conditions", judged),
        (Medical, "injuries", grow),
        (Medical, "visits", grow),
        (Incident, "teams", tags),
        (Incident, "missions", tags),
        (Incident, "named", tags),
        (CustodyBooking, "disposal", judged),
        (CustodyBooking, "markers", tags),
        (Incident, "grade", highest),
        (Incident, "status", state),
        (Incident, "log", grow),
        (Incident, "arrests", grow),
        (Incident, "markers", tags),
        (Incident, "summary", latest),
        (Briefing, "receipts", grow),
        (Resource, "hold", claim),
        (Suspect, "claimed", claim),
        (InboxItem, "decision", once),
        (Alarm, "acknowledged", grow),
    ],
)
def test_what_matters_has_the_policy_it_must_have(struct: type[Kind], field: str, policy: Policy) -> None:
    """Clocks of detention are never overwritten, risks not lowered blindly, logs never lose an entry."""
    assert spec_of(struct).fields[FieldName(field)].policy is policy


def test_only_a_persons_word_is_written_by_hand_on_what_the_rules_make() -> None:
    """All else in an inbox item is the rules' account of the disagreement, in an alarm theirs of what is due."""
    assert [name for name, field in KINDS["alarm"].fields.items() if not field.by_rule] == ["acknowledged"]
    assert [name for name, field in KINDS["inbox-item"].fields.items() if not field.by_rule] == ["decision"]
    others = [field for spec in KINDS.values() if not spec.by_rule for field in spec.fields.values()]
    assert [field.name for field in others if field.by_rule] == ["urn", "crime_numbers"]
    for kind in ("number-series", "settings"):
        assert all(field.by_rule for field in KINDS[kind].fields.values())


def test_the_names_and_the_engine_agree() -> None:
    """What may be declared is what `sync.policies` carries out, and every policy is declared somewhere."""
    assert ENGINE.keys() == {policy.name for policy in POLICIES}
    assert {field.policy.name for spec in KINDS.values() for field in spec.fields.values()} == ENGINE.keys()
    assert all(policy.meaning.endswith(".") for policy in POLICIES)


def planted(name: str) -> type[Kind]:
    """A kind of that name with one field, `colour`."""
    fields = [("colour", Annotated[str, latest])]
    struct = msgspec.defstruct("Planted", fields, bases=(Kind,), frozen=True, kw_only=True)
    assert issubclass(struct, Kind)
    rights = Rights(makers=(Role.OFFICER,), writers=(Role.OFFICER,), because="It is planted.")
    return record_kind(name, retention=RetentionGroup.MISCELLANEOUS, rights=rights)(struct)


@pytest.mark.parametrize("struct", KINDS.values(), ids=KINDS)
def test_fields_that_ask_and_fields_that_end_are_known(struct: KindSpec) -> None:
    """They are what the declaration says, asked once or again."""
    for _ in range(2):
        assert list(struct.asking()) == [one for one in struct.fields.values() if one.asks is not None]
        declared = {name: one.flow for name, one in struct.fields.items() if one.flow is not None}
        assert {one.name: ending for one, ending in struct.ending()} == {
            name: flow.ending for name, flow in declared.items() if flow.ending is not None
        }


def test_a_name_is_given_once() -> None:
    """A second kind of a name fails at import, and the first one stays."""
    with pytest.raises(TypeError, match="record kind 'incident' is declared twice: Incident and Planted"):
        planted("incident")
    assert KINDS["incident"].struct is Incident


def test_an_unknown_kind_is_none() -> None:
    """A name off the wire is looked up without an error of ours."""
    assert kind_named("horse") is None
    assert kind_named("incident") is KINDS["incident"]


def test_a_struct_that_is_no_kind_is_refused_clearly() -> None:
    """An application that passes the wrong class is told what there is."""
    with pytest.raises(
        TypeError,
        match="Kind is not a record kind; there are Alarm, Briefing, BriefingReceipt, CallBackSample, Cohort, "
        "CustodyBooking, DeploymentRequest, ForceSettings",
    ):
        spec_of(Kind)


def test_a_kind_must_say_its_scopes() -> None:
    """A record without scopes would replicate to nobody."""
    record = spec_of(planted("planted")).build({FieldName("colour"): "red"})
    for ask in (record.scopes, record.writing_scopes):
        with pytest.raises(TypeError, match="Planted does not say its scopes"):
            ask()
