"""What the record of a stop and search must say, and who is asked what (scrutiny of powers export)."""

from typing import Any

import pytest

from schemas.ids import DeviceId, FieldName, Millis, OfficerId
from schemas.kinds import KINDS, StopSearch, spec_of
from schemas.kinds.powers import Told
from schemas.settings import DEFAULTS, Settings
from schemas.settings.powers import PowerSettings
from sync.policing.guards import Look, breaches
from sync.policing.powers.guards import GUARDS
from sync.policing.rulebook import RuleError
from sync.replica import MemoryTables, Replica, WriteFacts
from tests.examples import LEAST, SEARCH, T0

ALL_TOLD = [one.value for one in Told]
MORE: dict[str, Any] = {
    "extent": "more-than-outer",
    "why": "A knife could be felt under the shirt.",
    "authority": "WM30099",
    "out_of_view": True,
    "same_sex": True,
    "place": "Police van",
}


def built(values: dict[str, Any]) -> StopSearch:
    """A search of plain values beside the least."""
    found = KINDS["stop-search"].build(
        {FieldName(name): value for name, value in (LEAST["stop-search"] | values).items()}
    )
    assert isinstance(found, StopSearch)
    return found


def rules(
    changes: dict[str, Any],
    *,
    author: str = "WM30012",
    new: bool = False,
    settings: Settings = DEFAULTS,
    said: dict[str, Any] | None = None,
) -> list[str]:
    """The rules that are against a change; `said` is what the record said before."""
    rest = said or {}
    look = Look(
        before=None if new else built(rest),
        after=built(rest | changes),
        changes={FieldName(name): value for name, value in changes.items()},
        author=OfficerId(author),
        roles=None,
        now=Millis(1),
        occurred_at=Millis(1),
        settings=settings,
    )
    return [one.rule for one in breaches(GUARDS, look)]


@pytest.mark.parametrize("field", ["power", "object", "outcome"])
def test_codes_are_those_of_the_force(field: str) -> None:
    """What is in no list could be neither published nor counted."""
    assert rules({field: "by-instinct"}) == [f"search-{field}"]
    assert rules({"location": "New Street"}, said={field: "by-instinct"}) == []


@pytest.mark.parametrize(
    ("changes", "against"),
    [
        ({"power": "public-order-60"}, ["search-authority"]),
        ({"power": "public-order-60", "authority": "Insp Example, until 23:00"}, []),
        ({"power": "pace-1"}, []),
        ({"outcome": "arrest", "linked": True}, []),
        ({"outcome": "no-further-action", "linked": True}, ["search-linked"]),
        ({"outcome": "no-further-action", "linked": False}, []),
        ({"linked": True}, ["search-linked"]),
        ({"clothing": {"extent": "outer-clothing"}}, []),
        ({"clothing": MORE}, []),
        ({"clothing": MORE | {"why": None}}, ["search-clothing"]),
        ({"clothing": MORE | {"place": None}}, ["search-clothing"]),
        ({"clothing": MORE | {"same_sex": False}}, ["search-clothing-privacy"]),
        ({"clothing": MORE | {"out_of_view": None}}, ["search-clothing-privacy"]),
        ({"clothing": MORE | {"authority": None}}, ["search-clothing-authority"]),
        ({"clothing": MORE | {"authority": "WM30012"}}, ["search-clothing-authority"]),
        ({"clothing": MORE | {"authority": None, "extent": "intimate-parts-exposed"}}, ["search-clothing-authority"]),
    ],
)
def test_what_a_search_must_say(changes: dict[str, Any], against: list[str]) -> None:
    """Each rule of Code A on its own: the authorisation, the outcome, and how far the search went."""
    assert rules(changes) == against


def test_a_force_may_ask_for_no_authority_over_clothing() -> None:
    """That somebody agrees is the force's rule, and not the Code's."""
    settings = Settings(powers=PowerSettings(clothing_authority=False))
    assert rules({"clothing": MORE | {"authority": None}}, settings=settings) == []


@pytest.mark.parametrize("left_out", ALL_TOLD)
def test_each_of_gowisely_is_asked_for(left_out: str) -> None:
    """Whatever of the eight is left out is named, at the making; a reason lets it pass."""
    told = [one for one in ALL_TOLD if one != left_out]
    assert rules({"told": told}, new=True) == ["search-told"]
    why = [{"text": "She ran off while I spoke.", "overrides": "search-told"}]
    assert rules({"told": told, "log": why}, new=True) == []


def test_who_was_told_everything_is_asked_nothing() -> None:
    """And a later change of something else is not asked again."""
    assert rules({"told": ALL_TOLD}, new=True) == []
    assert rules({"outcome": "arrest"}) == []


@pytest.mark.parametrize(("author", "against"), [("wm30012", ["search-review-own"]), ("WM30099", [])])
def test_nobody_reviews_their_own_search(author: str, against: list[str]) -> None:
    """A supervisor who searched is not their own reviewer, however the collar number is written."""
    review = [{"reviewed_at": 5, "reasonable": True, "finding": "Clear grounds."}]
    assert rules({"reviews": review}, author=author) == against


def test_the_rulebook_asks_them_where_a_search_is_written() -> None:
    """It is refused on the device with the rule, its source and how to go on, and nothing is kept."""
    replica = Replica(MemoryTables(), DeviceId("hh-0042"))
    changes = {FieldName(name): value for name, value in LEAST["stop-search"].items()}
    facts = WriteFacts(author=OfficerId("WM30012"), now=T0, wall=T0, occurred_at=T0)
    with pytest.raises(RuleError, match=r"Not told before the search: grounds.*search-told: PACE 1984 section 2\(3\)"):
        replica.write(SEARCH, spec_of(StopSearch), changes, facts, create=True)
    assert replica.view(SEARCH) is None
    told = {FieldName("told"): {"add": ALL_TOLD}}
    replica.write(SEARCH, spec_of(StopSearch), changes | told, facts, create=True)
    assert replica.view(SEARCH) is not None
