"""Which scopes a record is in: for every record there can be, pure, grantable, and closed where it must be."""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import scopes
from schemas.ids import FieldName, ScopeName
from schemas.kinds import KINDS, BriefingReceipt, InboxItem, Kind
from schemas.policies import MANY
from tests.examples import BOOKING

SLUGS: Final = st.sampled_from(["a", "0", "birmingham", "perry-barr", "medical-row", "inbox-1", "x" * 40])
OPEN: Final = st.one_of(
    SLUGS.map(scopes.area),
    SLUGS.map(scopes.suite),
    SLUGS.map(scopes.team),
    SLUGS.map(scopes.mission),
    SLUGS.map(scopes.officer),
    st.sampled_from([scopes.FORCE, scopes.CUSTODY, scopes.CONTROL]),
)
CLOSED: Final = st.one_of(SLUGS.map(scopes.compartment), SLUGS.map(scopes.medical))
AUDIENCES: Final = st.one_of(OPEN, CLOSED)


STEPS: Final = st.sampled_from(["offered", "accepted", "refused", "withdrawn"])


def _passing(step: str, giver: str, to: str, at: int) -> dict[str, Any]:
    return {"step": step, "giver": giver, "to": to, "offered_at": at, "at": at}


WHERE: Final[dict[str, dict[str, st.SearchStrategy[Any]]]] = {
    "incident": {
        "area": SLUGS,
        "teams": st.lists(SLUGS, max_size=4),
        "missions": st.lists(SLUGS, max_size=4),
        "named": st.lists(SLUGS, max_size=4),
        "compartment": st.none() | SLUGS,
        "passing": st.lists(st.builds(_passing, STEPS, SLUGS, SLUGS, st.integers(0, 2)), max_size=4),
    },
    "custody-booking": {"suite": SLUGS},
    "medical": {"suite": SLUGS},
    "settings": {},
    "alarm": {
        "places": st.lists(AUDIENCES, min_size=1, max_size=6),
        "acknowledged": st.just([]) | st.just([{}]),
        "over_at": st.none() | st.just(5),
        "escalations": st.lists(st.just({"to": "superintendent", "overdue_ms": 5}), max_size=2),
    },
    "briefing": {
        "audience": st.lists(AUDIENCES, min_size=1, max_size=6),
        "priority": st.sampled_from([None, "routine", "urgent", "officer-safety"]),
        "urgent": st.booleans(),
    },
    "cohort": {"mission": SLUGS},
    "stop-search": {"area": SLUGS, "compartment": st.none() | SLUGS},
    "use-of-force": {"area": SLUGS, "compartment": st.none() | SLUGS},
    "receipt": {"officer": st.sampled_from(["WM1", "WM.2"]), "closed": st.lists(CLOSED, max_size=3)},
    "resource": {
        "home": AUDIENCES,
        "category": st.sampled_from(["cell", "vehicle", "call-sign"]),
        "loan": st.none() | SLUGS.map(lambda slug: {"area": slug, "until": 5}),
    },
    "deployment-request": {
        "asking": SLUGS,
        "lending": SLUGS,
        "status": st.sampled_from(["requested", "agreed", "refused", "ended"]),
        "lent": st.lists(st.just({"officer": "wm30012", "called": "x"}), max_size=1),
    },
    "handover": {"audience": AUDIENCES},
    "suspect": {"area": SLUGS},
    "call-back-sample": {},
    "protection-plan": {
        "team": SLUGS,
        "named": st.lists(st.sampled_from(["wm30012", "wm1"]), max_size=2),
        "compartment": st.none() | SLUGS,
    },
    "inbox-item": {
        "places": st.lists(AUDIENCES, min_size=1, max_size=6),
        "decision": st.none() | st.just({"value": 1, "reason": "It is on film."}),
        "ended_by": st.none() | st.just("hh-1/4"),
        "escalations": st.lists(st.just({"to": "superintendent", "overdue_ms": 5}), max_size=2),
    },
}
"""Kind -> the fields that its scopes may depend on, and what may be in them."""
PLAIN: Final[dict[str, Any]] = {
    "how_many": 1,
    "purpose": "x",
    "asked_at": 1,
    "until": 2,
    "ends_at": 1,
    "searched_at": 1,
    "used_at": 1,
    "account": "x",
    "searched": "person",
    "power": "x",
    "object": "x",
    "grounds": "x",
    "opened_at": 1,
    "category": "crime",
    "summary": "x",
    "detainee": "Robin Example",
    "arrested_at": 1,
    "booking": BOOKING,
    "title": "x",
    "body": "x",
    "issued_at": 1,
    "briefing": BOOKING,
    "edition": "0123456789abcdef",
    "device": "hh-1",
    "officer": "WM1",
    "name": "x",
    "wanted_for": "x",
    "subject": BOOKING,
    "subject_kind": "incident",
    "field": "opened_at",
    "policy": "once",
    "roles": [],
    "due_at": 2,
    "safe_because": "x",
    "what": "review",
    "key": "",
    "warn_ms": 0,
    "then": [],
    "within_ms": 0,
    "words": "x",
    "source": "x",
    "raised_at": 2,
    "child": "x",
    "concern": "x",
    "begun_at": 1,
    "review_at": 2,
    "from_at": 1,
    "until_at": 2,
    "per_thousand": 5,
    "seed": "x",
}
"""What the other required fields hold."""


@st.composite
def records(draw: st.DrawFn, kind: str) -> Kind:
    """A record of a kind with anything in the fields that decide where it is."""
    required = {name: PLAIN[name] for name, field in KINDS[kind].fields.items() if field.required and name in PLAIN}
    return build(kind, required | {name: draw(values) for name, values in WHERE[kind].items()})


def build(kind: str, values: dict[str, Any]) -> Kind:
    """The record with these plain values."""
    return KINDS[kind].build({FieldName(name): value for name, value in values.items()})


ANY: Final = st.sampled_from(sorted(WHERE)).flatmap(records)


def test_every_kind_is_drawn() -> None:
    """A kind that is added is tried below too, and each field that is named here is one of it."""
    # How far the server has counted is in no scope at all.
    assert WHERE.keys() == KINDS.keys() - {"number-series"}
    assert all(values.keys() <= KINDS[kind].fields.keys() for kind, values in WHERE.items())


@given(record=ANY)
def test_asking_twice_gives_the_same_and_changes_nothing(record: Kind) -> None:
    """Every device and the server come to one answer, from the fields alone."""
    before = msgspec.msgpack.encode(record)
    again = msgspec.msgpack.decode(before, type=type(record))
    assert record.scopes() == record.scopes() == again.scopes()
    assert msgspec.msgpack.encode(record) == before


@given(record=ANY, other=ANY)
def test_only_the_declared_fields_decide(record: Kind, other: Kind) -> None:
    """Whatever else two records of a kind say, the fields above put both into the same scopes."""
    kind = next(name for name, spec in KINDS.items() if spec.struct is type(record))
    if type(other) is not type(record):
        return
    moved = msgspec.structs.replace(other, **{name: getattr(record, name) for name in WHERE[kind]})
    assert moved.scopes() == record.scopes()


@pytest.mark.parametrize("kind", sorted(WHERE))
def test_no_other_field_decides(kind: str) -> None:
    """A value in every other field that can be told apart moves the record nowhere."""
    required = {name: PLAIN[name] for name, field in KINDS[kind].fields.items() if field.required and name in PLAIN}
    where: dict[str, Any] = {
        "area": "a", "mission": "m", "suite": "s", "audience": ["force"], "home": "force", "places": ["force"],
        "category": "crime", "team": "t", "asking": "a", "lending": "b",
    }  # fmt: skip
    if kind == "resource":
        where["category"] = "vehicle"
    if kind == "handover":
        where["audience"] = "force"
    plain = required | {name: value for name, value in where.items() if name in KINDS[kind].fields}
    here = build(kind, plain)
    for name, field in KINDS[kind].fields.items():
        if name in WHERE[kind] or field.required or field.policy in MANY:
            continue
        for value in (1, "x", "high", "closed", ["x"], {"holder": "x"}, True, BOOKING):
            if field.problem(value) is None:
                assert build(kind, plain | {name: value}).scopes() == here.scopes(), name


@given(record=ANY)
def test_every_scope_is_well_formed_and_can_be_granted(record: Kind) -> None:
    """A record is always somewhere, and somebody can be given a right to wherever it is."""
    found = record.scopes()
    assert found
    for scope in found:
        assert scopes.problem(scopes.audience(scope)) is None
        given_along = scopes.with_briefings(frozenset({scopes.audience(scope), scopes.inbox(scopes.audience(scope))}))
        audience = scopes.audience(scope)
        if isinstance(record, BriefingReceipt):
            # Where receipts are counted nobody may be; and an officer's own part comes with what it is a part of.
            own = {scopes.personal(record.officer, each) for each in record.closed or (None,)}
            assert scope == scopes.receipts(audience) or scope in own
            continue
        assert scope in given_along
        lanes = (scopes.briefing(audience), scopes.safety(audience))
        assert scopes.grant_problem(scope) is None or scope in lanes


@given(record=ANY)
def test_a_closed_scope_excludes_every_open_one(record: Kind) -> None:
    """Nobody outside learns of what is closed: neither the record, nor an item about it, nor that there is one."""
    found = record.scopes()
    assert len(set(map(scopes.closed, found))) == 1
    assert len(set(map(scopes.closed, record.writing_scopes()))) == 1


@given(record=records("incident"))
def test_a_compartment_is_the_only_scope_of_its_incident(record: Any) -> None:  # noqa: ANN401  an Incident
    """Area, teams, missions and named officers count for nothing as long as it is closed."""
    if record.compartment is None:
        assert scopes.area(record.area) in record.scopes()
        assert not any(map(scopes.closed, record.scopes()))
    else:
        assert record.scopes() == {scopes.compartment(record.compartment)}


@given(place=CLOSED, other=OPEN, escalated=st.booleans())
def test_an_item_of_a_closed_record_stays_in_that_scopes_own_inbox(
    place: ScopeName, other: ScopeName, *, escalated: bool
) -> None:
    """An overdue decision asks more people who may see the record, and nobody in the rest of the force."""
    escalations = [{"to": "superintendent", "overdue_ms": 5}] if escalated else []
    values = {name: PLAIN[name] for name in KINDS["inbox-item"].fields if name in PLAIN}
    item = build("inbox-item", values | {"places": [place], "escalations": escalations})
    assert item.scopes() == {place, scopes.inbox(place)}
    assert item.writing_scopes() == {scopes.inbox(place)}
    beside = build("inbox-item", values | {"places": [place, other], "escalations": escalations})
    assert isinstance(beside, InboxItem)
    assert all(map(scopes.closed, beside.scopes()))
