"""The record kinds: which there are, what policy each field has, and that scopes are a pure function of the fields."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest

from schemas import scopes
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
from schemas.kinds.incident import Category
from schemas.kinds.registry import record_kind
from schemas.policies import POLICIES, Policy, claim, grow, highest, judged, latest, once, state, tags
from schemas.retention import RetentionGroup
from schemas.rights import Rights
from schemas.roles import Role
from sync.policies import ENGINE
from tests.examples import BOOKING, LEAST

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


FULL: dict[str, dict[str, Any]] = {
    "incident": {
        "opened_at": 1,
        "area": "birmingham",
        "category": "crime",
        "summary": "x",
        "location": "solihull",
        "position": {"longitude": -1.9, "latitude": 52.4},
        "grade": "p1",
        "status": "closed",
        "outcome": "solihull",
        "units": ["BW31"],
        "source": "solihull",
        "log": [{"text": "solihull"}],
        "arrests": [{"person": "Robin Example", "arrested_at": 2, "offence": "theft"}],
        "markers": [{"warning": "dog at address", "source": "solihull", "expires_at": 9}],
        "teams": ["operations"],
        "missions": ["castle"],
        "named": ["wm30012"],
        "compartment": None,
        "retention": "serious",
        "urn": "20261122-0147",
        "uprn": "10009876543",
        "people": [{"part": "caller", "name": "Robin Example", "born": "1984-05-17", "telephone": "0121 496 0000"}],
        "first_contact": [
            {"person": "Robin Example", "answers": [{"question": "alone", "reply": "yes"}], "asked_at": 3}
        ],
        "gradings": [
            {
                **dict.fromkeys(("threat", "harm", "risk", "investigation", "vulnerability", "engagement"), "solihull"),
                "grade": "p1",
                "graded_at": 3,
            }
        ],
        "deployments": [{"call_sign": "BW31", "step": "at-scene", "at": 4}],
        "methane": [
            {
                **dict.fromkeys(
                    ("major", "exact_location", "type", "hazards", "access", "casualties", "emergency_services"),
                    "solihull",
                ),
                "at": 4,
            }
        ],
        "qualifiers": ["domestic-abuse"],
        "links": [{"to": "0199c8a1-7c00-7a11-8b22-0000000000a2", "how": "series"}],
        "closing_code": "resolved",
        "investigator": "WM30012",
        "crimes": [{"crime": "theft", "type": "theft", "offence": "theft", "by": "WM30012", "decided_at": 4}],
        "not_crimes": [{"reason": "solihull", "by": "WM30012", "decided_at": 4}],
        "crime_numbers": [{"crime": "theft", "number": "20261122-CR-0003"}],
        "cancellations": [
            {"crime": "theft", "code": "c3", "information": "solihull", "source": "film", "decided_at": 5}
        ],
        "registrar_cancellations": [
            {"crime": "theft", "code": "c2", "information": "solihull", "source": "film", "decided_at": 5}
        ],
        "victims_told": [{"person": "Robin Example", "outcome": "recorded", "told_at": 5}],
        "abuse_victims": [{"name": "Robin Example", "born": "1984-05-17", "relation": "son"}],
        "assessments": [
            {
                "name": "Robin Example",
                "born": "1984-05-17",
                "question_set": "dara",
                "version": "1",
                "answers": [{"question": "afraid", "reply": "yes"}],
                "risk": "high",
                "judgement": "solihull",
                "assessed_at": 5,
            }
        ],
        "confirmations": [{"op": "hh-0042/7", "note": "solihull"}],
        "passing": [
            {"step": "offered", "giver": "response-a", "to": "cid", "offered_at": 5, "at": 5, "why": "solihull"},
        ],
    },
    "custody-booking": {
        "suite": "perry-barr",
        "detainee": "Robin Example",
        "arrested_at": 1,
        "arrived_at": 2,
        "relevant_time": 3,
        "detention_authorised_at": 4,
        "offence": "theft",
        "arresting_officer": "WM30012",
        "status": "hospital",
        "cell": "m7",
        "risk": "high",
        "observation": "l4",
        "detention": [{"what": "arrival", "at": 2, "suite": "perry-barr"}],
        "checks": [{"checked_at": 5, "where": "m7", "response": "awake"}],
        "property_items": [{"text": "a watch"}],
        "log": [{"text": "m7"}],
        "appropriate_adult": "needed",
        "medication": ["insulin"],
        "allergies": ["nuts"],
        "disposal": "bail",
        "markers": [{"warning": "violent"}],
        "basis": "arrest",
        "incident": "0199c8a1-7c00-7a11-8b22-0000000000a1",
        "suspect": "0199c8a1-7c00-7a11-8b22-0000000000e5",
        "born": "2010-05-17",
        "juvenile": "under-18",
        "needs": ["pregnant"],
        "interpreter": "needed",
        "language": "Tigrinya",
        "interpreting": [{"at": 6, "step": "asked", "language": "Tigrinya"}],
        "rights": [{"at": 6, "right": "legal-advice", "step": "given"}],
        "adults": [{"at": 6, "step": "arrived", "name": "oldbury"}],
        "risk_assessments": [{"at": 6, "level": "high", "answers": [{"question": "q1", "answer": "oldbury"}]}],
        "care": [{"at": 6, "what": "main-meal"}],
        "belongings": [{"at": 6, "step": "taken", "item": "a watch", "bag": "oldbury"}],
        "searches": [{"at": 6, "extent": "outer-clothing", "place": "oldbury"}],
        "place_of_safety": [{"at": 6, "step": "arrived"}],
        "release_assessments": [{"at": 6, "level": "standard", "plan": "Home by bus to Oldbury."}],
        "placements": [{"at": 6, "outcome": "local-authority", "asked": "Sandwell"}],
        "court_handovers": [{"at": 6, "court": "solihull", "escort_record": "PER 1"}],
        "retention": "serious",
    },
    "briefing": {
        "title": "x",
        "body": "y",
        "audience": ["area:birmingham", "force", "area:birmingham"],
        "issued_at": 1,
        "classification": "official-sensitive",
        "handling": "team:operations",
        "urgent": False,
        "priority": "urgent",
        "valid_from": 2,
        "expires_at": 3,
        "review_at": 4,
        "withdrawn": True,
        "replaces": BOOKING,
        "also_replaces": [BOOKING],
        "topic": "burglary",
        "receipts": [{"read_at": 5}],
    },
    "cohort": {
        "mission": "birmingham",
        "title": "area:solihull",
        "members": [{"name": "Robin Example", "born": "1984-05-17"}],
        "log": [{"text": "solihull"}],
    },
    "use-of-force": {
        "used_at": 1,
        "area": "birmingham",
        "officer": "WM30012",
        "account": "solihull",
        "subject": "subject-2",
        "incident": BOOKING,
        "search": BOOKING,
        "booking": BOOKING,
        "setting": "street",
        "location": "solihull",
        "position": {"longitude": -1.9, "latitude": 52.4},
        "conduct": "aggressive-resistance",
        "assaulted": True,
        "threatened_with_weapon": True,
        "assaulted_with_weapon": False,
        "factors": ["alcohol", "crowd"],
        "reasons": ["protect-self"],
        "single_crewed": True,
        "taser_trained": True,
        "taser_carried": True,
        "tactics": [{"n": 1, "tactic": "taser-fired", "effective": True}],
        "taser": {"cycles": 1, "beyond_5_s": False},
        "age_band": "18-34",
        "gender": "male",
        "ethnicity": "white",
        "physical_disability": False,
        "mental_disability": False,
        "officer_injury": "minor",
        "officer_injury_meant": True,
        "officer_treated": True,
        "subject_injury": "severe",
        "subject_help_offered": True,
        "subject_treated": True,
        "outcomes": ["arrested", "hospitalised"],
        "reviews": [{"reviewed_at": 5, "necessary": True, "finding": "solihull"}],
        "log": [{"text": "solihull"}],
        "compartment": None,
    },
    "stop-search": {
        "searched_at": 1,
        "area": "birmingham",
        "officer": "WM30012",
        "searched": "person-and-vehicle",
        "power": "public-order-60",
        "object": "offensive-weapons",
        "grounds": "solihull",
        "authority": "solihull",
        "location": "solihull",
        "position": {"longitude": -1.9, "latitude": 52.4},
        "operation": "solihull",
        "gender": "other",
        "age_range": "18-24",
        "self_ethnicity": "b9",
        "officer_ethnicity": "black",
        "told": ["grounds", "detained"],
        "clothing": {"extent": "more-than-outer", "why": "solihull", "authority": "WM30013", "out_of_view": True},
        "outcome": "arrest",
        "linked": True,
        "incident": "0199c8a1-7c00-7a11-8b22-0000000000a1",
        "reviews": [{"reviewed_at": 5, "reasonable": True, "finding": "solihull"}],
        "log": [{"text": "solihull"}],
        "compartment": None,
    },
    "deployment-request": {
        "asking": "birmingham",
        "lending": "coventry",
        "what": "solihull",
        "how_many": 2,
        "purpose": "solihull",
        "asked_at": 1,
        "until": 9,
        "incident": "0199c8a1-7c00-7a11-8b22-0000000000a1",
        "status": "agreed",
        "lent": [{"officer": "wm30012", "called": "solihull"}, {"officer": "wm30013", "called": "Kim", "back": True}],
        "refused_because": "solihull",
        "ended_because": "solihull",
        "log": [{"text": "solihull"}],
    },
    "handover": {
        "audience": "team:response-a",
        "ends_at": 1,
        "items": [{"record": BOOKING, "kind": "custody-booking", "part": "booking", "words": "solihull"}],
        "answers": [{"item": "solihull", "taken": True, "at": 2}],
    },
    "receipt": {
        "briefing": BOOKING,
        "edition": "0123456789abcdef",
        "officer": "WM20417",
        "device": "hh-0042",
        "closed": [],
        "on_device_at": 1,
        "opened_at": 2,
        "acknowledged_at": 3,
    },
    "resource": {
        "category": "vehicle",
        "name": "BX-21",
        "home": "area:birmingham",
        "hold": {"holder": "area:solihull", "until": 5},
        "service": "out-of-service",
        "note": "area:solihull",
        "log": [{"text": "area:solihull"}],
        "duty": {"code": 6, "at": 5, "incident": "0199c8a1-7c00-7a11-8b22-0000000000a1"},
        "loan": {"area": "coventry", "until": 9, "request": "0199c8a1-7c00-7a11-8b22-0000000000a1"},
    },
    "suspect": {
        "name": "Robin Example",
        "wanted_for": "theft",
        "area": "birmingham",
        "claimed": {"holder": "WM20417"},
        "markers": [{"warning": "violent"}],
        "log": [{"text": "solihull"}],
    },
    "settings": {"body": "{}"},
    "alarm": {**LEAST["alarm"], "acknowledged": [], "escalations": [], "over_at": None},
    "protection-plan": {
        "child": "Robin Example",
        "born": "2019-05-17",
        "concern": "solihull",
        "team": "public-protection",
        "begun_at": 1,
        "review_at": 2,
        "incident": "0199c8a1-7c00-7a11-8b22-0000000000a1",
        "status": "ended",
        "ended_because": "solihull",
        "guided": [
            {
                "question_set": "child",
                "version": "1",
                "answers": [{"question": "seen", "reply": "yes"}],
                "asked_at": 1,
            }
        ],
        "actions": [{"text": "solihull"}],
        "reviews": [{"reviewed_at": 2, "finding": "solihull", "next_at": 3}],
        "named": ["wm30012"],
        "compartment": None,
    },
    "call-back-sample": {
        "title": "x",
        "area": "solihull",
        "from_at": 1,
        "until_at": 2,
        "per_thousand": 20,
        "seed": "solihull",
        "calls": [{"incident": "0199c8a1-7c00-7a11-8b22-0000000000a1", "called_at": 3, "reached": True}],
        "log": [{"text": "solihull"}],
    },
    "number-series": {"series": "incidents", "day": "2026-11-22", "last": 147},
    "medical": {
        "booking": "0199c8a1-7c00-7a11-8b22-0000000000a1",
        "suite": "perry-barr",
        "medication": ["insulin"],
        "allergies": ["nuts"],
        "conditions": ["epilepsy"],
        "injuries": [{"text": "solihull"}],
        "visits": [{"seen_at": 5, "by": "N. Salter", "note": "solihull"}],
        "given": [{"text": "solihull"}],
        "triage": [{"at": 5, "by": "N. Salter", "outcome": "assessment"}],
        "log": [{"text": "solihull"}],
    },
    "inbox-item": {
        **LEAST["inbox-item"],
        "shown": 3,
        "candidates": [{"value": 3}, {"value": 4, "base": 2, "saw": ["hh-1/4"], "why": "x", "wall": 5}],
        "escalations": [],
        "decision": None,
        "ended_by": None,
    },
}
SCOPES = {
    "incident": {"area:birmingham", "team:operations", "mission:castle", "officer:wm30012"}
    | {"team:response-a", "team:cid"},
    "custody-booking": {"suite:perry-barr"},
    "briefing": {"area:birmingham:briefing", "force:briefing"},
    "resource": {"area:birmingham", "area:coventry"},
    "deployment-request": {"area:birmingham", "area:coventry", "officer:wm30012"},
    "handover": {"team:response-a"},
    "suspect": {"area:birmingham"},
    "medical": {"suite:perry-barr:medical"},
    "settings": {"force"},
    "alarm": {"suite:perry-barr", "suite:perry-barr:inbox"},
    "protection-plan": {"team:public-protection", "officer:wm30012"},
    "call-back-sample": {"compartment:call-backs"},
    "number-series": set(),
    "cohort": {"mission:birmingham"},
    "stop-search": {"area:birmingham"},
    "use-of-force": {"area:birmingham"},
    "receipt": {"force:receipts", "officer:wm20417"},
    "inbox-item": {"suite:perry-barr", "suite:perry-barr:inbox"},
}


def built(kind: str, *, required_only: bool = False) -> Kind:
    """A record with a value in every field, or in the required ones only."""
    spec = KINDS[kind]
    values = {name: FULL[kind][name] for name, field in spec.fields.items() if field.required or not required_only}
    return spec.build(values)


def test_the_records_below_fill_every_field() -> None:
    """A field that is added is tried too."""
    assert {kind: set(values) for kind, values in FULL.items()} == {
        kind: set(spec.fields) for kind, spec in KINDS.items()
    }


@pytest.mark.parametrize("kind", sorted(FULL))
def test_scopes_are_a_pure_function_of_the_fields(kind: str) -> None:
    """Equal records have equal scopes, asking changes nothing, and a record cannot be changed in place."""
    record = built(kind)
    before = msgspec.msgpack.encode(record)
    assert record.scopes() == SCOPES[kind]
    assert built(kind) == record
    assert built(kind).scopes() == record.scopes() == SCOPES[kind]
    assert msgspec.msgpack.encode(record) == before
    for field in msgspec.structs.fields(record):
        with pytest.raises(AttributeError):
            setattr(record, field.name, None)


@pytest.mark.parametrize("kind", sorted(set(FULL) - {"number-series"}))
def test_a_new_record_always_has_scopes(kind: str) -> None:
    """What every record must have puts it somewhere, what it may have elsewhere too; a count stays in the server."""
    found = built(kind, required_only=True).scopes()
    assert found
    assert found <= SCOPES[kind]


def test_a_record_is_built_from_plain_values() -> None:
    """Text becomes an enum, lists become tuples, absent fields their defaults; what does not fit is an error."""
    plain: dict[FieldName, Any] = {
        FieldName("opened_at"): 5,
        FieldName("area"): "birmingham",
        FieldName("category"): "crime",
        FieldName("summary"): "x",
        FieldName("log"): [{"text": "a"}],
    }
    made = KINDS["incident"].build(plain)
    assert isinstance(made, Incident)
    assert made.category is Category.CRIME
    assert [entry.text for entry in made.log] == ["a"]
    assert made.units == ()
    with pytest.raises(msgspec.ValidationError):
        KINDS["incident"].build(plain | {FieldName("area"): "Birmingham"})


def test_a_kind_is_data() -> None:
    """A spec cannot be changed by who reads it."""
    spec = KINDS["incident"]
    with pytest.raises(TypeError):
        spec.fields[FieldName("colour")] = spec.fields[FieldName("area")]  # type: ignore[index]
    with pytest.raises(AttributeError):
        spec.name = "other"  # type: ignore[misc]


def named(values: dict[str, Any]) -> dict[FieldName, Any]:
    """Plain values by field."""
    return {FieldName(name): value for name, value in values.items()}


def item(**changes: object) -> InboxItem:
    """An inbox item."""
    made = KINDS["inbox-item"].build(named(FULL["inbox-item"] | changes))
    assert isinstance(made, InboxItem)
    return made


DECISION = {"value": 3, "reason": "Seen on the film."}


def test_an_open_item_is_in_the_inboxes_of_its_places() -> None:
    """Who may decide finds it there; the place itself shows that something is open."""
    found = item(places=["suite:perry-barr", "force"])
    assert found.open
    assert found.scopes() == {"suite:perry-barr", "suite:perry-barr:inbox", "force", "force:inbox"}
    assert found.writing_scopes() == {"suite:perry-barr:inbox", "force:inbox"}


@pytest.mark.parametrize("end", [{"decision": DECISION}, {"ended_by": "hh-1/4"}], ids=["decided", "ended"])
def test_an_item_that_is_settled_leaves_the_inbox(end: dict[str, Any]) -> None:
    """It stays with its subject; a late decision by somebody entitled still comes in, to be seen as late."""
    found = item(**end)
    assert not found.open
    assert found.scopes() == {"suite:perry-barr"}
    assert found.writing_scopes() == {"suite:perry-barr:inbox"}


def test_an_overdue_item_is_in_the_inbox_of_the_force_too() -> None:
    """Escalation asks more people, and they may decide."""
    found = item(escalations=[{"to": "superintendent", "overdue_ms": 5}])
    assert found.scopes() == {"suite:perry-barr", "suite:perry-barr:inbox", "force:inbox"}
    assert found.writing_scopes() == {"suite:perry-barr:inbox", "force:inbox"}


@pytest.mark.parametrize("kind", sorted(set(FULL) - {"inbox-item", "receipt"}))
def test_who_may_see_a_record_may_write_it(kind: str) -> None:
    """Only an inbox item asks for more, and a receipt to be its author."""
    record = built(kind)
    assert record.writing_scopes() == record.scopes()


@pytest.mark.parametrize(
    ("closed", "counted", "own"),
    [
        ([], "force:receipts", "officer:wm20417"),
        (["compartment:larch"], "compartment:larch:receipts", "compartment:larch:of-wm20417"),
    ],
)
def test_a_receipt_is_counted_and_comes_back_to_its_author(closed: list[str], counted: str, own: str) -> None:
    """In no scope that anybody else holds; of a closed briefing in no open one; nobody else adds a word."""
    found = KINDS["receipt"].build(named(FULL["receipt"] | {"closed": closed}))
    assert found.scopes() == {counted, own}
    assert found.writing_scopes() == {own}
    unnamed = KINDS["receipt"].build(named(FULL["receipt"] | {"closed": closed, "officer": "WM.2"}))
    assert unnamed.scopes() == {counted}


def test_officer_safety_takes_a_briefing_into_its_own_lane() -> None:
    """Whichever program says so: as a priority, or as urgent, which an older one calls it."""
    safety = {"area:birmingham:safety", "force:safety"}
    assert KINDS["briefing"].build(named(FULL["briefing"] | {"priority": "officer-safety"})).scopes() == safety
    assert KINDS["briefing"].build(named(FULL["briefing"] | {"urgent": True})).scopes() == safety
    newer = KINDS["briefing"].build(named(FULL["briefing"] | {"priority": "whispered"}))
    assert newer.scopes() == SCOPES["briefing"]


def test_a_cell_is_known_to_every_custody_desk() -> None:
    """One suite that is full finds a free cell in another; vehicles and call signs stay at home."""
    values = FULL["resource"] | {"home": "suite:perry-barr"}
    assert KINDS["resource"].build(named(values | {"category": "cell"})).scopes() == {"suite:perry-barr", "custody"}
    assert KINDS["resource"].build(named(values | {"category": "call-sign", "loan": None})).scopes() == {
        "suite:perry-barr"
    }


def test_a_record_with_an_unknown_word_is_built_all_the_same() -> None:
    """An older program shows what a newer one wrote, in its scopes, with the word as it is."""
    values = FULL["resource"] | {"category": "drone", "service": "charging", "loan": None}
    record = KINDS["resource"].build(named(values))
    assert isinstance(record, Resource)
    assert (record.category.value, record.category.known, record.service.value) == ("drone", False, "charging")
    assert record.scopes() == {"area:birmingham"}
    assert item(roles=["custody-officer", "duty-governor"]).roles[1].value == "duty-governor"


def test_every_scope_of_a_record_belongs_to_an_audience() -> None:
    """What a kind makes of its fields can be granted, as itself or along with its audience."""
    for kind in FULL:
        for scope in built(kind).scopes():
            assert scopes.problem(scopes.audience(scope)) is None


def test_the_record_of_an_item_is_named_like_any_other() -> None:
    """The subject of the item above is a record id."""
    assert item().subject == BOOKING
