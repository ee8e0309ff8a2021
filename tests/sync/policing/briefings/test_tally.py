"""Receipts, counted: by version and by person, the furthest step of each."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import DeviceId, Millis, OfficerId, named_record_id
from schemas.kinds import Briefing, BriefingReceipt
from schemas.kinds.receipts import edition_of
from sync.policing.briefings.tally import Step, tally

RECORD = named_record_id("briefing")
BRIEFING = Briefing(title="x", body="y", audience=("force",), issued_at=Millis(1))  # type: ignore[arg-type]  # a scope
NOW = edition_of(BRIEFING)
PEOPLE = [OfficerId(f"WM{number}") for number in range(5)]


def receipt(officer: str, device: str = "hh-1", edition: str = NOW, **said: Any) -> BriefingReceipt:  # noqa: ANN401  times
    """What somebody said."""
    return BriefingReceipt(
        briefing=RECORD, edition=edition, officer=OfficerId(officer), device=DeviceId(device), **said
    )


def test_two_devices_of_an_officer_are_one_person() -> None:
    """The furthest step on any of them counts, and the first time."""
    said = [receipt("WM1", on_device_at=9), receipt("WM1", "hh-2", on_device_at=5, opened_at=6)]
    told = tally(RECORD, BRIEFING, said, PEOPLE)
    one = told.versions[0]
    assert (one.on_device, one.opened, one.acknowledged, one.first_at) == (1, 1, 0, 5)
    assert dict(told.waiting)[OfficerId("WM1")] == Step.OPENED


def test_who_is_no_longer_addressed_still_counts_as_a_reader() -> None:
    """They read it; that they went elsewhere since makes nobody wait for them."""
    told = tally(RECORD, BRIEFING, [receipt("WM9", acknowledged_at=3)], PEOPLE)
    assert told.versions[0].acknowledged == 1
    assert told.addressed == len(told.waiting) == len(PEOPLE)


def test_another_version_does_not_count_for_this_one() -> None:
    """It is told behind the one that stands, and its readers are waited for."""
    told = tally(RECORD, BRIEFING, [receipt("WM1", edition="0" * 16, acknowledged_at=3)], PEOPLE)
    assert [(one.current, one.acknowledged) for one in told.versions] == [(True, 0), (False, 1)]
    assert len(told.waiting) == len(PEOPLE)


@given(
    said=st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["hh-1", "hh-2"]), st.integers(1, 3)), max_size=20)
)
def test_it_is_what_a_slow_count_says(said: Sequence[tuple[OfficerId, str, int]]) -> None:
    """Person by person: whoever has come so far on some device is among those counted so far; the rest wait."""
    names = ("on_device_at", "opened_at", "acknowledged_at")
    receipts = [receipt(who, where, NOW, **dict.fromkeys(names[:steps], 7)) for who, where, steps in said]
    told = tally(RECORD, BRIEFING, receipts, PEOPLE)
    reached = {who: max([steps for each, _, steps in said if each == who], default=0) for who in PEOPLE}
    one = told.versions[0]
    assert (one.on_device, one.opened, one.acknowledged) == tuple(
        sum(steps >= least for steps in reached.values()) for least in (1, 2, 3)
    )
    assert dict(told.waiting) == {who: Step(steps) for who, steps in reached.items() if steps < 3}
