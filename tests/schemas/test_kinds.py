"""A record kind's declaration is read once and whole, and one that could not be carried out fails at import."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest

from schemas.ids import FieldName
from schemas.kinds import KINDS, Briefing, CustodyBooking, Incident, Kind, KindSpec, base, kind_named, spec_of
from schemas.kinds.base import record_kind
from schemas.kinds.incident import Category
from schemas.policies import IMPLEMENTED, POLICIES, Policy, grow, highest, latest, once
from sync.policies import ENGINE

STRUCTS: list[type[Kind]] = [Incident, Briefing, CustodyBooking]
NOT_YET = [policy for policy in POLICIES if policy.name not in IMPLEMENTED]


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Put the registry back as it was: a test may declare kinds."""
    kinds, structs = dict(KINDS), dict(base._BY_STRUCT)
    yield
    for held, kept in ((KINDS, kinds), (base._BY_STRUCT, structs)):
        held.clear()
        held.update(kept)  # type: ignore[arg-type]  # each gets its own back


def declare(annotation: object, default: object = msgspec.NODEFAULT, name: str = "planted") -> KindSpec:
    """Declare a kind with one field, `colour`, of that annotation."""
    field = ("colour", annotation) if default is msgspec.NODEFAULT else ("colour", annotation, default)
    struct = msgspec.defstruct("Planted", [field], bases=(Kind,), frozen=True, kw_only=True)
    assert issubclass(struct, Kind)
    return spec_of(record_kind(name)(struct))


def test_the_kinds_are_those_of_the_design() -> None:
    """Incidents, briefings and custody bookings, by their names on the wire."""
    assert {name: spec.struct for name, spec in KINDS.items()} == {
        "incident": Incident,
        "briefing": Briefing,
        "custody-booking": CustodyBooking,
    }


@pytest.mark.parametrize("struct", STRUCTS)
def test_every_field_is_read_with_its_policy(struct: type[Kind]) -> None:
    """The spec holds the Struct's fields, in order, each with one policy that is carried out."""
    spec = spec_of(struct)
    assert list(spec.fields) == [field.name for field in msgspec.structs.fields(struct)]
    for name, field in spec.fields.items():
        assert field.name == name
        assert field.policy.name in IMPLEMENTED


@pytest.mark.parametrize(
    ("struct", "field", "policy"),
    [
        (CustodyBooking, "arrested_at", once),
        (CustodyBooking, "relevant_time", once),
        (CustodyBooking, "detention_authorised_at", once),
        (CustodyBooking, "checks", grow),
        (CustodyBooking, "log", grow),
        (Incident, "log", grow),
        (Incident, "summary", latest),
        (Briefing, "receipts", grow),
    ],
)
def test_what_liberty_hangs_on_has_the_policy_it_must_have(struct: type[Kind], field: str, policy: Policy) -> None:
    """Clocks of detention are never overwritten, logs never lose an entry."""
    assert spec_of(struct).fields[FieldName(field)].policy is policy


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (str, "none"),
        (Annotated[str, msgspec.Meta(max_length=9)], "none"),
        (Annotated[str, "latest"], "none"),
        (Annotated[str, latest, once], "latest, once"),
        (Annotated[str, latest, latest], "latest, latest"),
    ],
    ids=["bare", "only-a-bound", "a-word", "two", "the-same-twice"],
)
def test_a_field_declares_exactly_one_policy(annotation: object, found: str) -> None:
    """None or two fails at import; the text names kind, field, what was found and what to write."""
    with pytest.raises(TypeError) as caught:
        declare(annotation)
    assert str(caught.value) == (
        "field 'colour' of record kind 'planted' must declare exactly one merge policy in its type, "
        f"as in Annotated[str, latest]; found {found}"
    )
    assert "planted" not in KINDS


@pytest.mark.parametrize("policy", NOT_YET, ids=lambda policy: policy.name)
def test_a_policy_that_is_not_carried_out_cannot_be_declared(policy: Policy) -> None:
    """Nothing pretends: `highest` and its like fail at import, and the text names what there is."""
    with pytest.raises(TypeError) as caught:
        declare(Annotated[str, policy])
    assert str(caught.value) == (
        f"field 'colour' of record kind 'planted' declares the policy {policy.name!r}, which the merge engine does not "
        "carry out yet; it carries out grow, latest, once"
    )
    assert "planted" not in KINDS


def test_highest_is_not_carried_out_yet() -> None:
    """The test above meets the policy that grades and risks will need first."""
    assert highest in NOT_YET


def test_the_names_and_the_engine_agree() -> None:
    """What may be declared is what `sync.policies` carries out, and every name is known."""
    assert ENGINE.keys() == IMPLEMENTED
    assert {policy.name for policy in POLICIES} >= IMPLEMENTED
    assert all(policy.meaning.endswith(".") for policy in POLICIES)


@pytest.mark.parametrize("inner", [list[str], str, tuple[str], tuple[str, str], tuple[str, ...] | None, frozenset[str]])
def test_grow_needs_a_tuple_of_entries(inner: object) -> None:
    """A growing field of another type fails at import."""
    with pytest.raises(TypeError, match=r"'colour' of record kind 'planted' declares `grow`.* tuple\[Entry, \.\.\.\]"):
        declare(Annotated[inner, grow], None)


def test_grow_needs_its_default() -> None:
    """A growing field cannot be required: a new record has no entries."""
    with pytest.raises(TypeError, match=r"'colour' of record kind 'planted' declares `grow`.* default \(\)"):
        declare(Annotated[tuple[str, ...], grow])


def test_a_growing_field_takes_entries() -> None:
    """Its spec tells the type of one entry, and it is never required."""
    spec = declare(Annotated[tuple[int, ...], grow], ())
    field = spec.fields[FieldName("colour")]
    assert (field.type, field.required, field.policy) == (int, False, grow)


def test_bounds_beside_the_policy_are_kept() -> None:
    """The policy is taken out of the type; a bound next to it still holds for every change."""
    field = declare(Annotated[str, msgspec.Meta(max_length=3), latest]).fields[FieldName("colour")]
    assert msgspec.convert("red", field.type) == "red"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert("green", field.type)
    assert field.required


def test_a_name_is_given_once() -> None:
    """A second kind of a name fails at import, and the first one stays."""
    with pytest.raises(TypeError, match="record kind 'incident' is declared twice: Incident and Planted"):
        declare(Annotated[str, latest], name="incident")
    assert KINDS["incident"].struct is Incident


def test_an_unknown_kind_is_none() -> None:
    """A name off the wire is looked up without an error of ours."""
    assert kind_named("horse") is None
    assert kind_named("incident") is KINDS["incident"]


def test_a_struct_that_is_no_kind_is_refused_clearly() -> None:
    """An application that passes the wrong class is told what there is."""
    with pytest.raises(TypeError, match="Kind is not a record kind; there are Briefing, CustodyBooking, Incident"):
        spec_of(Kind)


def test_a_kind_must_say_its_scopes() -> None:
    """A record without scopes would replicate to nobody."""
    spec = declare(Annotated[str, latest])
    with pytest.raises(TypeError, match="Planted does not say its scopes"):
        spec.build({FieldName("colour"): "red"}).scopes()


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
        "checks": [{"checked_at": 5, "where": "m7", "response": "awake"}],
        "property_items": [{"text": "a watch"}],
        "log": [{"text": "m7"}],
    },
    "briefing": {
        "title": "x",
        "body": "y",
        "audience": ["area:birmingham", "force", "area:birmingham"],
        "issued_at": 1,
        "classification": "official-sensitive",
        "handling": "team:operations",
        "urgent": True,
        "valid_from": 2,
        "expires_at": 3,
        "review_at": 4,
        "withdrawn": True,
        "receipts": [{"read_at": 5}],
    },
}
SCOPES = {
    "incident": {"area:birmingham"},
    "custody-booking": {"suite:perry-barr"},
    "briefing": {"area:birmingham:briefing", "force:briefing"},
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


@pytest.mark.parametrize("kind", sorted(FULL))
def test_scopes_depend_on_required_fields_only(kind: str) -> None:
    """A new record always has its scopes: nothing optional decides who may see it."""
    assert built(kind, required_only=True).scopes() == SCOPES[kind]


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
