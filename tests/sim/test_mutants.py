"""The oracles can fail: under each planted bug some course of events breaks the promise that the bug is about."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.sim import driver, mutants
from tests.sim.faults import PromiseBroken

SEEDS = 60


def rough() -> None:
    """Courses with crashes and restores."""
    for seed in range(SEEDS):
        driver.drive(seed, 100, driver.ROUGH)


def calm() -> None:
    """Courses without: whatever breaks here is no crash's fault."""
    for seed in range(SEEDS):
        driver.drive(seed, 100, driver.CALM)


def disputes() -> None:
    """Courses without crashes, full of people who differ."""
    for seed in range(SEEDS):
        driver.drive(seed, 100, driver.DISPUTES)


def roaming() -> None:
    """Courses without crashes, in which records wander between scopes."""
    for seed in range(SEEDS):
        driver.drive(seed, 100, driver.ROAMING)


def everywhere() -> None:
    """Short courses with a crash at every point; in these the bugs show early."""
    for seed in (9, 7, 31):
        list(driver.crash_everywhere(seed, 20))


HUNTS: Final[list[tuple[Callable[[], mutants.Planted], Callable[[], None], set[int]]]] = [
    (mutants.durable_before_the_commit, everywhere, {1}),
    (mutants.nothing_offered_again, rough, {1}),
    (mutants.number_given_twice, calm, {0, 1, 2}),  # The chain no longer fits, and sessions end with that.
    (mutants.refusals_forgotten, disputes, {1, 4}),
    (mutants.applied_as_often_as_pushed, rough, {2}),
    (mutants.batches_applied_in_pieces, everywhere, {0, 1, 2, 4}),
    (mutants.last_to_arrive_wins, calm, {3, 4}),
    (mutants.once_overwritten, calm, {3, 4}),
    (mutants.differing_dropped, disputes, {3, 4}),
    (mutants.displaced_claim_dropped, disputes, {3, 4}),
    (mutants.lowered_blindly, disputes, {3, 4}),
    (mutants.warning_removed_unseen, disputes, {3, 4}),
    (mutants.arrest_overlooked, disputes, {3, 4}),
    (mutants.question_not_asked, disputes, {3}),
    (mutants.decided_over_the_unseen, disputes, {3}),
    (mutants.late_answer_ends_the_question, disputes, {3}),
    (mutants.unknown_sight_accepted, rough, {3}),
    (mutants.told_time_overtakes, disputes, {3, 4}),
    (mutants.superseded_value_comes_back, disputes, {4}),
    (mutants.gone_ignored, calm, {4}),
    (mutants.absent_from_a_page_kept, roaming, {4}),
    (mutants.ghosts_stay, calm, {4}),
    (mutants.settled_by_the_result, calm, {4}),
    (mutants.older_row_wins, roaming, {0, 4}),  # A difference no longer fits what is kept.
    (mutants.row_outlives_its_scopes, calm, {4}),
    (mutants.scopes_told_too_early, roaming, {4}),
    (mutants.recent_frames_always, roaming, {4}),
    (mutants.told_by_difference_to_all, roaming, {0}),
    (mutants.rebuilt_on_any_base, calm, {4}),
    (mutants.left_in_clear, roaming, {7}),
    (mutants.sealed_in_name_only, roaming, {7}),
    (mutants.quarantine_taken_for_granted, roaming, {1}),
    (mutants.hashes_shredded, roaming, {0, 8}),
    (mutants.heads_not_kept, calm, {8}),
]


@pytest.mark.parametrize(
    ("planted", "hunt", "promises"),
    HUNTS,
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_planted_bug_is_caught(
    planted: Callable[[], mutants.Planted], hunt: Callable[[], None], promises: set[int]
) -> None:
    """The bug breaks one of the promises that it is about, within a bounded hunt that finds nothing without it."""
    with planted(), pytest.raises(PromiseBroken) as caught:
        hunt()
    assert caught.value.promise in promises, caught.value


def test_every_planted_bug_is_told_and_hunted() -> None:
    """docs/testing.md names each mutant, and the hunt above leaves none out."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    planted = {
        name
        for name, value in vars(mutants).items()
        if inspect.isfunction(value) and value.__module__ == mutants.__name__
    }
    hunted = {planted.__name__ for planted, _, _ in HUNTS}
    assert planted == hunted
    assert {name for name in planted if f"`{name}`" not in page} == set()
