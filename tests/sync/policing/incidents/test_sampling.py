"""Calling back: the same seed draws the same incidents, and nobody who is looked at can see it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kinds import KINDS, CallBackSample
from schemas.roles import Role
from schemas.scopes import closed
from sync.entitled import who_may
from sync.policing.guards import Look, breaches
from sync.policing.incidents.sampling import agreement, drawn, is_drawn
from sync.policing.rulebook import GUARDS
from tests.sync.policing.incidents.cases import DAY, T0, incident, look, made, number

HELD = {number(n): incident(opened_at=T0 + n) for n in range(2_000)}


def sample(**values: Any) -> CallBackSample:  # noqa: ANN401  plain values
    """A sample of fifty in a thousand."""
    least = {"title": "Spring", "from_at": T0, "until_at": T0 + DAY, "per_thousand": 50, "seed": "kept apart"}
    built = made(CallBackSample, least | values)
    assert isinstance(built, CallBackSample)
    return built


def test_call_back_sampling_is_reproducible_by_its_seed() -> None:
    """Call-back sampling: the same seed, the same incidents, in number about what was asked for; another, others."""
    first = drawn(sample(), HELD)
    assert first == drawn(sample(), dict(reversed(HELD.items())))
    assert first != drawn(sample(seed="another"), HELD)
    assert 60 <= len(first) <= 140


@given(st.sets(st.integers(0, 1_999)))
def test_what_comes_late_changes_nothing_for_the_others(missing: set[int]) -> None:
    """Whichever reports have not come yet: of those that have, the same are drawn."""
    there = {record: one for record, one in HELD.items() if record not in {number(n) for n in missing}}
    assert drawn(sample(), there) == tuple(record for record in drawn(sample(), HELD) if record in there)


@pytest.mark.parametrize(("per_thousand", "count"), [(1_000, 2_000), (1, 2)])
def test_all_or_hardly_any_are_drawn(per_thousand: int, count: int) -> None:
    """The share is that of the whole, to within chance."""
    assert abs(sum(is_drawn(record, "s", per_thousand) for record in HELD) - count) <= 6


def test_only_its_time_and_its_area_and_nothing_closed() -> None:
    """From the first moment to before the last; a closed matter is nobody's to call back about."""
    held = {
        number(1): incident(opened_at=T0),
        number(2): incident(opened_at=T0 + DAY),
        number(3): incident(opened_at=T0 - 1),
        number(4): incident(area="dudley"),
        number(5): incident(compartment="larch"),
    }
    assert drawn(sample(per_thousand=1_000, area="birmingham"), held) == (number(1),)


def test_a_sample_is_hidden_from_the_officers() -> None:
    """It is in a compartment of its own, and nobody who deals with calls may make or change one."""
    assert all(map(closed, sample().scopes()))
    spec = KINDS["call-back-sample"]
    dealing = {Role.OFFICER, Role.SUPERVISOR, Role.CONTROL_ROOM}
    assert dealing.isdisjoint(spec.rights.makers)
    assert all(dealing.isdisjoint(who_may(spec, field)) for field in spec.fields.values())


def test_what_calling_back_has_shown() -> None:
    """Of those drawn: who was called, who was reached, who said what was recorded; a second call counts anew."""
    first, second, third, *_ = drawn(sample(), HELD)
    strange = next(record for record in HELD if record not in drawn(sample(), HELD))
    calls = [
        {"incident": first, "called_at": T0, "reached": True, "agrees": False},
        {"incident": first, "called_at": T0 + 1, "reached": True, "agrees": True},
        {"incident": second, "called_at": T0, "reached": True, "agrees": False},
        {"incident": third, "called_at": T0, "reached": False},
        {"incident": strange, "called_at": T0, "reached": True, "agrees": True},
    ]
    found = agreement(sample(calls=calls), HELD)
    assert (found.drawn, found.called, found.reached, found.agreeing) == (len(drawn(sample(), HELD)), 3, 2, 1)


@pytest.mark.parametrize(("until_at", "expected"), [(T0 + 1, []), (T0, ["sample-time"]), (T0 - DAY, ["sample-time"])])
def test_a_sample_is_drawn_from_some_time(until_at: int, expected: list[str]) -> None:
    """What was settled first stands, so one that would draw nobody is not made."""
    values = {"from_at": T0, "until_at": until_at}
    assert rules(look(None, sample(**values), values)) == expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"reached": True, "agrees": False}, []),
        ({"reached": False}, []),
        ({"reached": False, "agrees": True}, ["call-back-reached"]),
        ({"reached": True, "called_at": T0 + 2 * DAY}, ["call-back-to-come"]),
    ],
)
def test_an_answer_is_of_somebody_who_was_reached(call: dict[str, Any], expected: list[str]) -> None:
    """Nobody's word is counted who gave none, or has not been called yet."""
    entry = {"incident": str(number(1)), "called_at": T0, **call}
    assert rules(look(sample(), sample(calls=[entry]), {"calls": [entry]})) == expected


def rules(seen: Look) -> list[str]:
    """The rules that are against it, as the rulebook asks them."""
    return [breach.rule for breach in breaches(GUARDS["call-back-sample"], seen)]
