"""The table of PACE cases (`pace_cases.toml`): each row's events give the clocks, limits and authorities it says."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from sync.policing.custody.clocks import Detention, detention
from sync.policing.custody.intervals import FOR_EVER
from sync.policing.custody.words import lines
from tests.sync.policing.custody.pace import Case, amount, read

CASES = read()
AT_LEAST = 60


def read_excluded(case: Case, text: str) -> tuple[int, int, str]:
    """`11:00 to 13:00 hospital`; without an end it goes on."""
    span, _, why = text.rpartition(" ")
    start, _, end = span.partition(" to")
    return (case.ms(start), case.ms(end.strip()) if end.strip() else FOR_EVER, why)


def limit(found: Detention) -> Any:  # noqa: ANN401  a value of the table
    """When detention without charge ends."""
    binding = found.limits.binding
    return None if binding is None else binding.at or "stopped"


def next_by(found: Detention) -> str:
    """Who may extend bail next."""
    by = None if found.bail is None else found.bail.next_by
    return "none" if by is None else by.value


TOLD: dict[str, Callable[[Detention], Any]] = {
    "relevant": lambda found: found.relevant.at,
    "rule": lambda found: found.relevant.rule.value,
    "provisional": lambda found: found.relevant.provisional,
    "counted": lambda found: found.counted_ms,
    "left": lambda found: found.limits.binding and found.limits.binding.left_ms,
    "limit": limit,
    "by": lambda found: found.limits.binding and found.limits.binding.by.value,
    "running": lambda found: found.running,
    "place": lambda found: found.place.value,
    "excluded": lambda found: [(one.start, one.until, one.why.value) for one in found.clock.spans if not one.counts],
    "review": lambda found: found.reviews.next_due,
    "reviewer": lambda found: found.reviews.who.value,
    "reviewed": lambda found: len(found.reviews.reviews),
    "late": lambda found: [one.late_ms for one in found.reviews.reviews],
    "may": lambda found: [one.by.value for one in found.limits.authorities if one.may],
    "bail": lambda found: found.bail and found.bail.last_day.isoformat(),
    "bail_ends": lambda found: found.bail and found.bail.ends_at,
    "bail_next": next_by,
    "contradictions": lambda found: sorted({one.rule for one in found.contradictions}),
}
"""The table's words for what is worked out."""


def meant(case: Case, key: str, value: Any) -> Any:  # noqa: ANN401  a value of the table
    """What the table says, as it is worked out."""
    match key:
        case "relevant" | "bail_ends":
            return case.ms(value)
        case "limit" | "review":
            return {"none": None, "stopped": "stopped"}[value] if value in ("none", "stopped") else case.ms(value)
        case "counted" | "left":
            return None if value == "none" else amount(value)
        case "by" | "bail":
            return None if value == "none" else value
        case "excluded":
            return [read_excluded(case, one) for one in value]
        case "late":
            return [amount(one) for one in value]
        case _:
            return value


@pytest.mark.parametrize("case", CASES, ids=[one.title for one in CASES])
def test_the_clocks_are_those_of_the_table(case: Case) -> None:
    """A row's events, in any order and however often each comes, give what the row says and no other contradiction."""
    entries = [*case.entries, *case.entries]
    random.Random(case.title).shuffle(entries)
    found = detention(case.facts, entries, case.now, case.settings)
    expect = {"contradictions": [], **case.expect}
    assert {key: TOLD[key](found) for key in expect} == {key: meant(case, key, value) for key, value in expect.items()}
    assert all(lines(found))


def test_the_table_is_whole() -> None:
    """There are at least sixty rows; each has a title of its own and says where it is laid down."""
    assert len(CASES) >= AT_LEAST
    assert len({one.title for one in CASES}) == len(CASES)
    assert all(one.source and one.expect for one in CASES)
