"""Who and where was met before, and what belongs together: from the incidents in the replica alone."""

from typing import Any

import pytest

from schemas.kinds import Incident
from schemas.settings import DEFAULTS
from sync.policing.incidents.repeats import keys_of, linked, repeats
from tests.sync.policing.incidents.cases import DAY, KIM, ROBIN, T0, incident, number

SETTINGS = DEFAULTS.incidents
VICTIM = {"people": [{"part": "victim", **ROBIN}]}


def met(now: dict[str, Any], then: dict[str, Any], days: int = 30) -> set[str]:
    """What is the same in an incident and one of so many days before."""
    earlier = incident(**then, opened_at=T0 - days * DAY)
    found = repeats(number(1), incident(**now), {number(1): incident(**now), number(2): earlier}, SETTINGS)
    assert all(one.incident == number(2) for one in found)
    return {one.met for one in found}


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        (VICTIM, VICTIM, {"victim"}),
        (VICTIM, {"abuse_victims": [{"name": "ROBIN  Example", "born": "1984-05-17"}]}, {"victim"}),
        (VICTIM, {"abuse_victims": [{**ROBIN, "withdrawn": "It was another."}]}, set()),
        (VICTIM, {"people": [{"part": "victim", **ROBIN, "born": "1954-05-17"}]}, set()),
        (VICTIM, {"people": [{"part": "victim", "name": "Robin Example"}]}, set()),
        (VICTIM, {"people": [{"part": "witness", **ROBIN}]}, set()),
        (VICTIM, {"people": [{"part": "victim", **KIM}]}, set()),
        (
            {"people": [{"part": "caller", "name": "R", "telephone": "+44 121 496 0000"}]},
            {"people": [{"part": "caller", "name": "Other", "telephone": "0121 4960000"}]},
            {"caller"},
        ),
        (
            {"people": [{"part": "caller", "name": "R", "telephone": "999"}]},
            {"people": [{"part": "caller", "name": "R", "telephone": "999"}]},
            set(),
        ),
        ({"uprn": "010009876543"}, {"uprn": "10009876543", "location": "Elsewhere"}, {"address"}),
        ({"location": "12 Larch Row"}, {"location": "12  LARCH row"}, {"address"}),
        ({"location": "12 Larch Row"}, {"location": "12 Larch Row", "area": "dudley"}, set()),
        ({}, {}, set()),
    ],
)
def test_a_repeat_victim_is_found_offline(now: dict[str, Any], then: dict[str, Any], expected: set[str]) -> None:
    """Repeat victim found offline: by name and birth date together; a caller by number, a place by UPRN or words."""
    assert met(now, then) == expected


@pytest.mark.parametrize(("days", "found"), [(0, True), (360, True), (370, False), (-1, False)])
def test_only_so_far_back(days: int, *, found: bool) -> None:
    """Twelve months unless the force says otherwise; what came later is no repeat of this one."""
    assert bool(met(VICTIM, VICTIM, days)) is found


def test_the_newest_is_first() -> None:
    """An officer looks at what happened last."""
    held: dict[Any, Incident] = {number(n): incident(**VICTIM, opened_at=T0 - n * DAY) for n in range(5)}
    assert [one.incident for one in repeats(number(0), held[number(0)], held, SETTINGS)] == [
        number(n) for n in (1, 2, 3, 4)
    ]


def test_what_is_in_a_compartment_shows_to_nobody_outside() -> None:
    """Compartmented handling: only what is in the replica is looked at; a link to what is not leads nowhere."""
    inside, outside = incident(**VICTIM, compartment="larch"), incident(**VICTIM, links=[{"to": number(1)}])
    assert inside.scopes() == {"compartment:larch"}
    held = {number(2): outside}
    assert repeats(number(2), outside, held, SETTINGS) == ()
    assert linked(number(2), held) == frozenset()


def test_a_link_shows_on_both_sides() -> None:
    """Written on one, computed on the other; nothing is linked with itself."""
    held = {
        number(1): incident(links=[{"to": number(2)}, {"to": number(1)}]),
        number(2): incident(),
        number(3): incident(links=[{"to": number(2), "how": "series"}]),
    }
    assert [linked(number(n), held) for n in (1, 2, 3)] == [{number(2)}, {number(1), number(3)}, {number(2)}]


def test_what_says_nothing_is_no_key() -> None:
    """An incident without people or place is like no other."""
    assert keys_of(incident()) == frozenset()
