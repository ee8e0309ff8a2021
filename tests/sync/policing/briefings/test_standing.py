"""How a briefing stands: by its own times, by what its author did, and by what stands in its place, told both ways."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis, RecordId, named_record_id
from schemas.kinds import Briefing
from schemas.kinds.briefing import Priority
from sync.policing.briefings.standing import Standing, order, places, standing

NOW = Millis(1_000)
A, B, C = (named_record_id("briefing", name) for name in "abc")


def briefing(**more: Any) -> Briefing:  # noqa: ANN401  any field
    """A briefing, valid unless told otherwise."""
    return Briefing(**{"title": "x", "body": "y", "audience": ("force",), "issued_at": 1, **more})


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ({}, Standing.VALID),
        ({"valid_from": 1_000}, Standing.VALID),
        ({"valid_from": 1_001}, Standing.TO_COME),
        ({"expires_at": 1_001}, Standing.VALID),
        ({"expires_at": 1_000}, Standing.EXPIRED),
        ({"withdrawn": True, "expires_at": 5}, Standing.WITHDRAWN),
        ({"review_at": 5}, Standing.VALID),
    ],
)
def test_its_times_and_its_author_decide(says: dict[str, Any], expected: Standing) -> None:
    """From `valid_from` on and up to `expires_at`; what was withdrawn is called so, whatever its times say."""
    assert standing(briefing(**says), NOW) == expected


def test_what_replaces_what_is_told_both_ways() -> None:
    """The old one says what stands in its place, the new one what it stands for, through as many steps as there are."""
    told = places({A: briefing(), B: briefing(replaces=A, issued_at=2), C: briefing(replaces=B, issued_at=3)}, NOW)
    assert (told[A].standing, told[A].replaced_by, told[A].replaces) == (Standing.REPLACED, B, ())
    assert (told[B].standing, told[B].replaced_by, told[B].replaces) == (Standing.REPLACED, C, (A,))
    assert (told[C].standing, told[C].replaced_by, told[C].replaces) == (Standing.VALID, None, (B, A))


def test_one_stands_in_the_place_of_several() -> None:
    """Whoever never held the one in between is told all the same that the first no longer stands."""
    last = briefing(replaces=B, also_replaces=(A, B), issued_at=3)
    for held in ({A: briefing(), B: briefing(replaces=A, issued_at=2), C: last}, {A: briefing(), C: last}):
        told = places(held, NOW)
        assert (told[A].standing, told[A].replaced_by) == (Standing.REPLACED, C)
        assert (told[C].standing, told[C].replaces) == (Standing.VALID, (B, A))


def test_the_newest_of_several_replacements_is_named() -> None:
    """Two people replaced it without sight of each other: both stand, and the reader is led to the later one."""
    told = places({A: briefing(), B: briefing(replaces=A, issued_at=3), C: briefing(replaces=A, issued_at=2)}, NOW)
    assert told[A].replaced_by == B
    assert told[B].standing == told[C].standing == Standing.VALID


@pytest.mark.parametrize(
    "says",
    [{"withdrawn": True}, {"valid_from": 2_000}, {"issued_at": 0}],
    ids=["withdrawn", "to come", "issued before it"],
)
def test_what_does_not_stand_replaces_nothing(says: dict[str, Any]) -> None:
    """A replacement that was withdrawn, or is not valid yet, leaves the one before in force."""
    told = places({A: briefing(), B: briefing(**{"replaces": A, "issued_at": 2, **says})}, NOW)
    assert (told[A].standing, told[A].replaced_by) == (Standing.VALID, None)


def test_a_replacement_that_has_run_out_brings_nothing_back() -> None:
    """What it replaced was overtaken: its readers must not be told the old text again."""
    told = places({A: briefing(), B: briefing(replaces=A, issued_at=2, expires_at=900)}, NOW)
    assert (told[A].standing, told[B].standing) == (Standing.REPLACED, Standing.EXPIRED)


@pytest.mark.parametrize("around", [{A: A}, {A: B, B: A}, {A: B, B: C, C: A}], ids=["itself", "two", "three"])
def test_what_comes_back_to_itself_replaces_nothing(around: dict[RecordId, RecordId]) -> None:
    """Whatever people typed, no briefing disappears behind itself."""
    held = {record: briefing(replaces=old) for record, old in around.items()}
    assert {place.standing for place in places(held, NOW).values()} == {Standing.VALID}
    assert {place.replaces for place in places(held, NOW).values()} == {()}


def test_what_is_not_here_is_named_all_the_same() -> None:
    """A new briefing tells what it replaced, though its reader never held that one."""
    assert places({B: briefing(replaces=A)}, NOW)[B].replaces == (A,)


@given(
    olds=st.lists(st.none() | st.integers(0, 5), min_size=6, max_size=6),
    others=st.lists(st.lists(st.integers(0, 5), max_size=2), min_size=6, max_size=6),
    issued=st.lists(st.integers(0, 4), min_size=6, max_size=6),
)
def test_one_of_a_chain_always_stands(olds: list[int | None], others: list[list[int]], issued: list[int]) -> None:
    """Whatever replaces whatever, something that was issued is still told, and both ways agree."""
    records = [named_record_id("briefing", str(number)) for number in range(6)]
    held = {
        record: briefing(
            replaces=None if old is None else records[old], also_replaces=tuple(records[n] for n in also), issued_at=at
        )
        for record, old, also, at in zip(records, olds, others, issued, strict=True)
    }
    told = places(held, NOW)
    assert any(place.standing == Standing.VALID for place in told.values())
    for record, place in told.items():
        if place.replaced_by is not None:
            newer = held[place.replaced_by]
            assert record in {newer.replaces, *newer.also_replaces}
            assert record in told[place.replaced_by].replaces


def test_officer_safety_is_told_first_and_of_a_priority_the_newest() -> None:
    """The order of every list of briefings."""
    held = [
        (A, briefing(issued_at=9)),
        (B, briefing(priority=Priority.URGENT, issued_at=1)),
        (C, briefing(priority=Priority.OFFICER_SAFETY)),
        (named_record_id("d"), briefing(urgent=True, issued_at=2)),
    ]
    assert [record for record, _ in order(held)] == [named_record_id("d"), C, B, A]
