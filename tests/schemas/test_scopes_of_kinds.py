"""Where a record of each kind is: a pure function of its fields; and what it is built from."""

from typing import Any

import msgspec
import pytest

from schemas import scopes
from schemas.ids import FieldName
from schemas.kinds import KINDS, InboxItem, Incident, Resource
from schemas.kinds.incident import Category
from tests.examples import BOOKING
from tests.schemas.full_records import FULL, SCOPES, built


def test_the_full_records_fill_every_field() -> None:
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
