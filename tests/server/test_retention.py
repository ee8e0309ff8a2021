"""Records are reviewed when they are due, and erased by two officers or not at all."""

from collections.abc import Iterable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId, RecordId
from schemas.limits import SNAPSHOT_ROWS_MAX
from schemas.retention import RETENTION, RetentionGroup
from schemas.roles import Role
from server import retention
from server.registry.acts import RecordErased, RetentionReviewed, RetentionReviewedAt
from server.retention import DAY_MS, Due, Held, ReviewAct, Reviews, Schedule
from server.store.memory import MemoryStore
from tests.server.store.support import HANDSET, NOW, Device, commit, record_id

ONE: Final = record_id("one")
TWO: Final = record_id("two")
SCHEDULE: Final = Schedule.of()
REGISTRAR: Final = frozenset({Role.REGISTRAR})
CHANGED: Final = Millis(1_500_000_000_000)
LATER: Final = Millis(CHANGED + 6 * 365 * DAY_MS)
"""When a record of group 4 that was last changed at CHANGED is due."""


def a_record(record: RecordId = ONE, **more: Any) -> Held:  # noqa: ANN401  fields of Held
    """A record as retention sees it."""
    fields: dict[str, Any] = {"kind": "incident", "group": RetentionGroup.MISCELLANEOUS, "changed_at": CHANGED}
    return Held(record=record, **(fields | more))


def keep(until: int | None, by: str = "WM40001", at: int = LATER, record: RecordId = ONE) -> RetentionReviewed:
    """Someone keeps a record."""
    return RetentionReviewed(
        record=record,
        outcome="keep",
        until=None if until is None else Millis(until),
        by=OfficerId(by),
        at=Millis(at),
        why="still needed",
    )


def propose(by: str = "WM40001", at: int = LATER, record: RecordId = ONE) -> RetentionReviewed:
    """Someone proposes an erasure."""
    return RetentionReviewed(record=record, outcome="erase", by=OfficerId(by), at=Millis(at), why="no longer needed")


def early(at: int) -> RetentionReviewed:
    """Someone proposes an erasure before its time."""
    return RetentionReviewedAt(
        record=ONE,
        outcome="erase",
        by=OfficerId("WM40001"),
        at=Millis(at),
        why="no longer lawful",
        seat=DeviceId("desk-1"),
        early="Order 12 of the court",
    )


def erase(by: str = "WM40002", at: int = LATER + 1, record: RecordId = ONE) -> RecordErased:
    """Someone carries it out."""
    return RecordErased(record=record, by=OfficerId(by), at=Millis(at), why="MoPI group 4, reviewed")


def listed(
    records: Iterable[Held], now: int, acts: Iterable[ReviewAct] = (), schedule: Schedule = SCHEDULE
) -> list[Due]:
    """What is due."""
    return retention.due(records, Millis(now), schedule, Reviews(acts))


def refusal(act: ReviewAct, *, before: Iterable[ReviewAct] = (), **more: Any) -> str:  # noqa: ANN401  of `check`
    """Why an act may not be; "" when it may."""
    given: dict[str, Any] = {"roles": REGISTRAR, "held": a_record(), "schedule": SCHEDULE} | more
    try:
        Reviews(before).check(act, **given)
    except UsageError as error:
        return str(error)
    return ""


# --- what is due ----------------------------------------------------------------------------------------------------


def test_a_record_is_due_when_its_period_has_passed_since_its_last_change() -> None:
    """Not a millisecond before; then with its group, the moment and the reason."""
    assert listed([a_record()], LATER - 1) == []
    (found,) = listed([a_record()], LATER)
    assert (found.record, found.kind, found.group, found.due_at, found.proposed_by) == (
        *(ONE, "incident", "miscellaneous"),
        *(LATER, ""),
    )
    assert found.because == "not changed for 2190 days"


def test_every_group_has_a_period_or_goes_with_its_subject() -> None:
    """No known group is left without an answer."""
    for group in RETENTION:
        days = SCHEDULE.review_days[group]
        about = TWO if days is None else None
        found = listed([a_record(group=group, about=about)], CHANGED + (days or 0) * DAY_MS)
        assert [one.group for one in found] == ([] if days is None else [group.value])


def test_a_force_sets_its_own_periods() -> None:
    """By the name of the group; the others keep their defaults."""
    schedule = Schedule.of({"miscellaneous": 30})
    assert listed([a_record()], CHANGED + 30 * DAY_MS, schedule=schedule) != []
    assert listed([a_record()], CHANGED + 30 * DAY_MS) == []
    assert schedule.review_days[RetentionGroup.CUSTODY] == SCHEDULE.review_days[RetentionGroup.CUSTODY]


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ({"mopi-9": 30}, "no group 'mopi-9'.*there are administrative, briefing"),
        ({"with-subject": 30}, "no group 'with-subject'"),
        ({"custody": 0}, "retention.custody: 0 days; give 1 day to 100 years"),
        ({"custody": 40_000}, "retention.custody: 40000 days; give 1 day to 100 years"),
        ({"custody": 6 * 365 - 1}, "retention.custody: 2189 days is too short; .* asks for 6 years"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(days: dict[str, int], words: str) -> None:
    """The text says which groups and which periods there are."""
    with pytest.raises(UsageError, match=words):
        Schedule.of(days)


def test_a_group_of_a_newer_program_is_put_before_a_person() -> None:
    """Not knowing how long something may be kept is no reason to keep it unseen."""
    (found,) = listed([a_record(group=RetentionGroup("terrorism"))], CHANGED)
    assert found.because == "no period is known for the group 'terrorism'"


def test_parts_are_not_listed_by_themselves() -> None:
    """They are kept and erased with what they are a part of."""
    assert listed([a_record(about=TWO)], LATER * 2) == []


def test_the_one_that_is_due_longest_comes_first() -> None:
    """And of two at the same moment always the same one."""
    records = [a_record(TWO), a_record(record_id("old"), changed_at=Millis(CHANGED - 1)), a_record(ONE)]
    assert [one.record for one in listed(records, LATER)] == [record_id("old"), *sorted((ONE, TWO))]


def test_a_review_puts_the_next_one_to_its_date() -> None:
    """Earlier or later than the period would: whoever looked at the record has said so."""
    for until in (LATER + 5 * DAY_MS, LATER + 900 * DAY_MS):
        assert listed([a_record()], until - 1, [keep(until)]) == []
        (found,) = listed([a_record()], until, [keep(until)])
        assert (found.due_at, found.because) == (until, "kept until then by WM40001")


@given(at=st.integers(0, 10_000), changed=st.integers(0, 10_000), until=st.integers(1, 10_000))
def test_a_change_after_a_review_never_brings_the_next_one_forward(at: int, changed: int, until: int) -> None:
    """A typing error mended the day after must not undo ten years that somebody decided on."""
    now = LATER + at * DAY_MS
    reviewed = keep(now + until * DAY_MS, at=now)
    assert reviewed.until is not None
    record = a_record(changed_at=Millis(now + changed * DAY_MS))
    (found,) = listed([record], now + 10**6 * DAY_MS, [reviewed])
    assert found.due_at >= reviewed.until
    assert found.due_at in {reviewed.until, record.changed_at + 2_190 * DAY_MS}


def test_a_proposal_is_listed_until_somebody_has_decided_it() -> None:
    """Whatever the dates say, with the name of whoever must not be the one."""
    records = [a_record(changed_at=Millis(LATER))]
    (found,) = listed(records, LATER, [propose()])
    assert (found.due_at, found.proposed_by) == (LATER, "WM40001")
    assert "another officer" in found.because
    assert listed(records, LATER, [propose(), keep(LATER + DAY_MS)]) == []


# --- who may do what ------------------------------------------------------------------------------------------------


def test_two_officers_erase_a_record() -> None:
    """One proposes, another one carries it out; what was erased says when, by whom and under what."""
    assert refusal(propose()) == ""
    assert refusal(erase(), before=[propose()]) == ""
    reviews = Reviews([propose(), erase()])
    assert reviews.of(ONE).stage is retention.Stage.ERASED
    told = reviews.of(ONE).erased
    assert told is not None
    assert retention.erased_text(told) == "erased on 2023-07-13T02:40:00Z by WM40002 under: MoPI group 4, reviewed"


def test_nobody_erases_alone() -> None:
    """Not what nobody proposed, and not what they proposed themselves."""
    assert "nobody has proposed" in refusal(erase())
    assert "another officer must carry it out" in refusal(erase(by="WM40001"), before=[propose(by="WM40001")])


def test_a_proposal_is_not_taken_over() -> None:
    """Proposing it again would make the first proposer the second pair of eyes."""
    assert "proposed already" in refusal(propose(by="WM40002"), before=[propose()])


def test_a_withdrawn_proposal_is_none() -> None:
    """Kept since, it takes a new proposal; then it may be erased."""
    withdrawn = [propose(), keep(LATER + DAY_MS, by="WM40003")]
    assert "nobody has proposed" in refusal(erase(), before=withdrawn)
    assert refusal(erase(), before=[*withdrawn, propose()]) == ""


def test_what_was_added_since_is_looked_at_first() -> None:
    """An edit that came after the proposal is not erased with what its reviewer saw."""
    changed = a_record(changed_at=Millis(LATER + 1))
    assert "changed since its erasure was proposed" in refusal(erase(), before=[propose()], held=changed)
    assert refusal(erase(), before=[propose()], held=a_record(changed_at=Millis(LATER))) == ""


@pytest.mark.parametrize("act", [keep(LATER + 1), propose(), erase()])
def test_only_entitled_roles_take_part(act: ReviewAct) -> None:
    """An administrator and an auditor are none of them; the text names who is."""
    before = [propose()] if isinstance(act, RecordErased) else []
    for role in Role:
        words = refusal(act, before=before, roles=frozenset({role}))
        entitled = SCHEDULE.erasers if isinstance(act, RecordErased) else SCHEDULE.reviewers
        assert (words == "") == (role in entitled)
        assert words == "" or "registrar" in words
    assert refusal(act, before=before, roles=frozenset()) != ""


@pytest.mark.parametrize("kept", [[], [keep(LATER + DAY_MS)]], ids=["by its period", "by who kept it"])
def test_what_is_not_due_is_erased_only_early_and_by_those_who_may(kept: list[ReviewAct]) -> None:
    """To the millisecond; the reason is named, by a role that may name one, and only where it is needed."""
    fresh = a_record() if kept else a_record(changed_at=LATER)
    due = LATER + DAY_MS if kept else LATER + 6 * 365 * DAY_MS
    assert "is not erased before" in refusal(propose(at=due - 1), before=kept, held=fresh)
    assert refusal(propose(at=due), before=kept, held=fresh) == ""
    for role in Role:
        words = refusal(early(due - 1), before=kept, held=fresh, roles=frozenset({role, Role.REGISTRAR}))
        assert (words == "") == (role is Role.SUPERINTENDENT)
        assert words == "" or "superintendent" in words
    assert "needs no reason" in refusal(early(due), before=kept, held=fresh, roles=frozenset({Role.SUPERINTENDENT}))


def test_what_is_not_there_or_is_a_part_is_not_reviewed() -> None:
    """The text says what to look at instead."""
    assert "there is no record" in refusal(propose(), held=None)
    assert f"part of {TWO}" in refusal(propose(), held=a_record(about=TWO))


def test_an_erased_record_is_not_touched_again() -> None:
    """Each act on it is answered with what became of it."""
    for act in (keep(LATER + 9), propose(by="WM7"), erase(by="WM7")):
        assert "was erased on 2023-07-13T02:40:00Z by WM40002 under: MoPI" in refusal(
            act, before=[propose(), erase()], held=None
        )
    assert listed([a_record()], LATER * 2, [propose(), erase()]) == []


@pytest.mark.parametrize("until", [None, LATER, LATER - 1])
def test_keeping_takes_a_date_to_come(until: int | None) -> None:
    """For ever is not a date."""
    assert "say until when" in refusal(keep(until))


def test_a_proposal_has_no_date() -> None:
    """A record is not half kept."""
    act = RetentionReviewed(
        record=ONE, outcome="erase", until=LATER, by=OfficerId("WM40001"), at=LATER, why="no longer needed"
    )
    assert "has no date" in refusal(act)


_ACTS: Final = st.lists(
    st.builds(
        lambda what, by, at: {"keep": keep(at + 9, by, at), "propose": propose(by, at), "erase": erase(by, at)}[what],
        st.sampled_from(["keep", "propose", "erase"]),
        st.sampled_from(["WM1", "WM2"]),
        st.integers(LATER, LATER + 9),
    ),
    max_size=12,
)


@given(acts=_ACTS)
def test_whatever_is_tried_an_erasure_was_proposed_by_somebody_else_and_not_withdrawn(acts: list[ReviewAct]) -> None:
    """Over every sequence of attempts, against a plain look back through those that were let through."""
    reviews, done = Reviews(), list[ReviewAct]()
    for act in acts:
        try:
            reviews.check(act, REGISTRAR, a_record(), SCHEDULE)
        except UsageError:
            continue
        reviews.apply(act)
        done.append(act)
    erased = [at for at, act in enumerate(done) if isinstance(act, RecordErased)]
    assert erased in ([], [len(done) - 1])
    if erased:
        before = done[erased[0] - 1] if erased[0] else None
        assert isinstance(before, RetentionReviewed)
        assert before.outcome == "erase"
        assert before.by != done[-1].by


# --- reading a store ------------------------------------------------------------------------------------------------


async def test_a_survey_finds_every_record_of_every_kind_once() -> None:
    """Page by page, with the group that its kind or its own fields give it, and when it was last changed."""
    store = MemoryStore()
    device = Device(HANDSET)
    incidents = [device.incident(record_id(n)) for n in range(SNAPSHOT_ROWS_MAX + 2)]
    for at in range(0, len(incidents), 50):
        await commit(store, device.push(*incidents[at : at + 50]))
    await commit(store, device.push(device.briefing(record_id("bridge"), ["force"])))
    found = [one async for one in retention.survey(store)]
    assert len(found) == len({one.record for one in found}) == SNAPSHOT_ROWS_MAX + 4
    assert {(one.kind, one.group) for one in found} == {
        ("incident", RetentionGroup.OTHER_OFFENCE),
        ("briefing", RetentionGroup.BRIEFING),
        # What counts the numbers of incidents.
        ("number-series", RetentionGroup.ADMINISTRATIVE),
    }
    assert {(one.changed_at, one.about) for one in found} == {(NOW, None)}
