"""The briefing pack of a shift: what is in it, and in which order."""

from typing import Any

from schemas import scopes
from schemas.ids import Millis, RecordId, named_record_id
from schemas.kinds import Briefing, Hold, Incident, Kind, Suspect
from schemas.kinds.briefing import Priority
from schemas.kinds.common import Marker
from schemas.kinds.incident import Category
from schemas.settings import DEFAULTS
from sync.policing.briefings.markers import Hold as Holds
from sync.policing.briefings.pack import Pack, pack

BEGIN = Millis(1_790_000_000_000)
END = Millis(BEGIN + 8 * 3_600_000)
DOGS = [scopes.team("dogs"), scopes.area("dudley"), scopes.FORCE]


def named(text: str) -> RecordId:
    """A record's id."""
    return named_record_id("pack", text)


def briefing(**more: Any) -> Briefing:  # noqa: ANN401  any field
    """A briefing to the dog handlers."""
    return Briefing(**{"title": "x", "body": "y", "audience": ("team:dogs",), "issued_at": 1, **more})


def assembled(records: dict[str, Kind], *confirmed: str) -> Pack:
    """The dog handlers' pack."""
    held = {named(name): one for name, one in records.items()}
    return pack(held, DOGS, BEGIN, END, DEFAULTS, confirmed={named(name) for name in confirmed})


def items(records: dict[str, Kind], *confirmed: str) -> list[str]:
    """The briefings in it, by name, in order."""
    names = {named(name): name for name in records}
    return [names[item.record] for item in assembled(records, *confirmed).items]


def test_what_is_valid_in_the_shift_and_addressed_to_the_team_is_in_it() -> None:
    """At any moment of the shift, by any audience of the team, and nothing else."""
    inside = {
        "team": briefing(),
        "area": briefing(audience=("area:dudley", "area:walsall")),
        "force": briefing(audience=("force",)),
        "later": briefing(valid_from=END - 1),
        "short": briefing(expires_at=BEGIN + 1),
    }
    outside = {
        "elsewhere": briefing(audience=("area:walsall",)),
        "after": briefing(valid_from=END),
        "over": briefing(expires_at=BEGIN),
        "withdrawn": briefing(withdrawn=True),
        "closed": briefing(audience=("compartment:larch", "team:dogs")),
    }
    assert set(items({**inside, **outside})) == set(inside)


def test_the_unread_come_first_then_officer_safety_then_the_newest() -> None:
    """What was confirmed already is at the end, however much hangs on it."""
    records: dict[str, Kind] = {
        "read": briefing(priority=Priority.OFFICER_SAFETY, issued_at=9),
        "old": briefing(issued_at=1),
        "new": briefing(issued_at=5),
        "urgent": briefing(priority=Priority.URGENT),
        "safety": briefing(urgent=True),
    }
    assert items(records, "read") == ["safety", "urgent", "new", "old", "read"]
    assert [item.unread for item in assembled(records, "read").items] == [True] * 4 + [False]


def test_what_was_replaced_is_out_and_its_replacement_says_so() -> None:
    """Nobody reads the old text at the start of a shift."""
    records: dict[str, Kind] = {"old": briefing(), "new": briefing(replaces=named("old"), issued_at=2)}
    (item,) = assembled(records).items
    assert (item.record, item.replaces) == (named("new"), (named("old"),))


def test_markers_about_to_expire_are_told_with_whom_they_are_about() -> None:
    """Of suspects and of incidents of the team's areas, the first to end first."""
    soon, sooner = (
        Marker(warning="violent", expires_at=Millis(BEGIN + 9)),
        Marker(warning="dog", expires_at=Millis(BEGIN + 3)),
    )
    records: dict[str, Kind] = {
        "person": Suspect(name="Sam Example", wanted_for="x", area="dudley", markers=(soon, Marker(warning="armed"))),
        "house": Incident(
            opened_at=Millis(1), area="dudley", category=Category.CRIME, summary="Shouting", markers=(sooner,)
        ),
        "away": Suspect(name="Kim Example", wanted_for="x", area="walsall", markers=(soon,)),
    }
    found = assembled(records).ending
    assert [(one.kind, one.about, one.marker.warning) for one in found] == [
        ("incident", "Shouting", "dog"),
        ("suspect", "Sam Example", "violent"),
    ]


def test_wanted_suspects_are_told_with_claims_and_every_warning() -> None:
    """Those whom nobody has claimed come first; an expired warning is shown as expired."""
    old = Marker(warning="weapons", source="PNC", expires_at=Millis(BEGIN - 1))
    records: dict[str, Kind] = {
        "a": Suspect(name="A. Example", wanted_for="x", area="dudley", claimed=Hold(holder="WM1")),
        "b": Suspect(name="B. Example", wanted_for="x", area="dudley", markers=(old,)),
        "c": Suspect(name="C. Example", wanted_for="x", area="walsall"),
    }
    found = assembled(records).wanted
    assert [(one.suspect.name, one.claimed_by) for one in found] == [("B. Example", None), ("A. Example", "WM1")]
    assert [(one.marker, one.hold) for one in found[0].warnings] == [(old, Holds.EXPIRED)]
