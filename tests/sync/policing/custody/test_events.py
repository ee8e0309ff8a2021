"""Which entries hold: corrections, withdrawals, duplicates, names."""

import hashlib
from typing import Any

import msgpack
import pytest

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, Step, ref
from sync.policing.custody.events import held

LATE = Millis(10_000_000)


def entry(what: Step, at: int, **rest: Any) -> DetentionEvent:  # noqa: ANN401  a fact of any type
    """An entry."""
    return DetentionEvent(what=what, at=Millis(at), **rest)


ARRIVAL = entry(Step.ARRIVAL, 1_000)


def test_an_entry_has_the_name_that_was_given_to_it_once_and_for_all() -> None:
    """Names are in records: they never change, and do not depend on what a later program may add to an entry."""
    assert ref(ARRIVAL) == "982cb27e07cede4f"
    assert ref(ARRIVAL) == hashlib.sha256(msgpack.packb(["arrival", 1_000, None, None])).hexdigest()[:16]
    assert ref(entry(Step.ARRIVAL, 1_000, suite="oldbury", reason="brought in by car")) == ref(ARRIVAL)


@pytest.mark.parametrize(
    "other",
    [
        entry(Step.ARRIVAL, 1_001),
        entry(Step.AUTHORISED, 1_000),
        entry(Step.ARRIVAL, 1_000, by="SGT Hale"),
        entry(Step.ARRIVAL, 1_000, corrects=ref(ARRIVAL)),
    ],
)
def test_what_an_entry_says_names_it(other: DetentionEvent) -> None:
    """Another step, time, author of the decision, or correction is another entry."""
    assert ref(other) != ref(ARRIVAL)


def test_one_step_recorded_twice_is_one() -> None:
    """Two desks without sight of each other recorded the same arrival."""
    assert held([ARRIVAL, entry(Step.ARRIVAL, 1_000)], LATE).events == (ARRIVAL,)


def test_a_correction_takes_the_place_of_what_it_corrects() -> None:
    """In whichever order they come."""
    later = entry(Step.ARRIVAL, 900, corrects=ref(ARRIVAL))
    assert held([later, ARRIVAL], LATE).events == held([ARRIVAL, later], LATE).events == (later,)


def test_a_withdrawn_correction_gives_back_what_it_corrected() -> None:
    """The wrong record was corrected: withdrawing that leaves no hole."""
    later = entry(Step.ARRIVAL, 900, corrects=ref(ARRIVAL))
    gone = entry(Step.WITHDRAWN, 2_000, corrects=ref(later))
    assert held([gone, ARRIVAL, later], LATE).events == (ARRIVAL,)


def test_a_correction_of_nothing_known_counts_by_itself() -> None:
    """What it corrects has not come yet, from a device without signal."""
    later = entry(Step.ARRIVAL, 900, corrects="0123456789abcdef")
    assert held([later], LATE).events == (later,)


def test_a_long_chain_of_corrections_ends_at_the_last() -> None:
    """As many as a field may hold: each corrects the one before."""
    chain = [ARRIVAL]
    for n in range(1_023):
        chain.append(entry(Step.ARRIVAL, 2_000 + n, corrects=ref(chain[-1])))
    assert held(reversed(chain), LATE).events == (chain[-1],)
    back = [*chain, entry(Step.WITHDRAWN, 5_000, corrects=ref(chain[-1]))]
    assert held(back, LATE).events == (chain[-2],)


def test_what_is_still_to_come_is_told_and_left_out() -> None:
    """A device's clock ran ahead, or somebody mistyped the day."""
    found = held([ARRIVAL], Millis(999))
    assert found.events == ()
    assert [one.rule for one in found.contradictions] == ["custody-time-to-come"]
    assert held([ARRIVAL], Millis(1_000)).events == (ARRIVAL,)


def test_a_newer_programs_step_is_told_and_left_out() -> None:
    """Nobody can say what it does to the clocks, so a person must look."""
    newer = entry(Step("moved-by-helicopter"), 500)
    found = held([newer, ARRIVAL], LATE)
    assert found.events == (ARRIVAL,)
    assert [(one.rule, one.refs) for one in found.contradictions] == [("custody-step-unknown", (ref(newer),))]


def test_steps_of_one_moment_stand_in_the_order_of_a_detention() -> None:
    """An arrival and its authorisation in one minute are not turned round."""
    both = [entry(Step.AUTHORISED, 1_000), ARRIVAL]
    assert [one.what for one in held(both, LATE).events] == [Step.ARRIVAL, Step.AUTHORISED]
