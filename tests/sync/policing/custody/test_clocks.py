"""Both clocks over histories nobody thought of: right for true stories, never too long for any heap of entries."""

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ids import Millis, RecordId
from schemas.kinds.booking import CustodyBooking
from schemas.kinds.detention import DetentionEvent, Rank, Step, ref
from schemas.settings import DEFAULTS
from schemas.settings.custody import HOUR_MS
from sync.policing.custody.clocks import Detention, detention
from sync.policing.custody.dues import AWAY, dues
from sync.policing.custody.events import held
from sync.policing.custody.relevant import Facts
from sync.policing.custody.to_come import next_to_count
from sync.policing.custody.whereabouts import Place
from sync.policing.custody.words import lines
from sync.policing.due import LATE_MS_MAX, Due, Moment, What, come, moments, next_moment
from tests.examples import BOOKING
from tests.sync.policing.custody.drawing import OFTEN, TICK_MS, TICKS, Story, facts, heap, story, tick

CUSTODY = DEFAULTS.custody
LATER_START = (
    Step.STATION_ARREST,
    Step.STREET_BAIL_RETURN,
    Step.ENTERED_COUNTRY,
    Step.ARREST,
    Step.TRANSFER_LEFT,
    Step.BAIL_RETURN,
    Step.BAIL_ARREST,
)
"""With one of these the clock may by law start later than the first arrival."""
BACK = (Step.BACK_FROM_HOSPITAL, Step.ARRIVAL, Step.TRANSFER_ARRIVED, Step.TRANSFER_LEFT, Step.STATION_ARREST)
IN_SUITE = (Step.REVIEW, Step.AUTHORISED, Step.LEFT_FOR_HOSPITAL, Step.BACK_FROM_HOSPITAL, Step.EXTENSION, *BACK)


def booking(once: Facts, entries: Sequence[DetentionEvent]) -> CustodyBooking:
    """A booking that holds this."""
    return CustodyBooking(
        suite="perry-barr", detainee="Robin Example", detention=tuple(entries), **msgspec.structs.asdict(once)
    )


def due_of(found: Sequence[Due], what: What, key: str = "") -> Due | None:
    """The one due of a kind."""
    return next((one for one in found if (one.what, one.key) == (what, key)), None)


@given(once=facts(), entries=heap(), now=st.integers(0, TICKS), data=st.data())
def test_the_order_of_arrival_and_repetition_change_nothing(
    once: Facts, entries: list[DetentionEvent], now: int, data: st.DataObject
) -> None:
    """Whatever is recorded, both clocks are worked out, and the same from every order and with every entry twice."""
    found = detention(once, entries, tick(now), CUSTODY)
    other = data.draw(st.permutations([*entries, *entries]))
    assert detention(once, other, tick(now), CUSTODY) == found
    assert all(lines(found))


@given(told=story(), data=st.data())
def test_a_true_story_is_told_right_however_it_was_recorded(told: Story, data: st.DataObject) -> None:
    """Some entries are first recorded with a wrong time and corrected, some withdrawn: what counted is what was so."""
    entries: list[DetentionEvent] = []
    for one in told.entries:
        kind = data.draw(st.sampled_from(["right", "right", "corrected", "stray"]))
        if kind == "corrected":
            wrong = msgspec.structs.replace(one, at=tick(data.draw(st.integers(0, told.end))), by="mistaken")
            entries += [wrong, msgspec.structs.replace(one, corrects=ref(wrong))]
            continue
        if kind == "stray":
            stray = DetentionEvent(what=Step.LEFT_FOR_HOSPITAL, at=one.at, by="the wrong detainee")
            entries += [stray, DetentionEvent(what=Step.WITHDRAWN, at=one.at, corrects=ref(stray))]
        entries.append(one)
    found = detention(told.facts, data.draw(st.permutations(entries)), tick(told.end), CUSTODY)
    assert found.contradictions == ()
    assert found.counted_ms == told.counted * TICK_MS
    assert found.reviews.next_due == (None if told.review_due is None else tick(told.review_due))


@settings(max_examples=200)
@given(once=facts(), entries=heap(OFTEN, most=9))
def test_time_is_left_out_only_where_an_entry_attests_it(once: Facts, entries: list[DetentionEvent]) -> None:
    """Every half hour that does not count lies behind a departure, bail or an arrest on bail that nothing undoes."""
    found = detention(once, entries, tick(TICKS), CUSTODY)
    standing = list(held(entries, tick(TICKS)).events)
    if once.arrived_at is not None and not any(one.what is Step.ARRIVAL for one in standing):
        standing.append(DetentionEvent(what=Step.ARRIVAL, at=once.arrived_at))
    for one in found.clock.spans:
        if one.counts:
            continue
        for at in range(one.start, min(one.until, tick(TICKS)), TICK_MS):
            assert hospital(standing, at) or bail(standing, at) or pause(standing, at)


def hospital(events: Sequence[DetentionEvent], at: int) -> bool:
    """Whether somebody left for hospital, for treatment, by then, and nothing since shows them back."""
    left = [
        one.at
        for one in events
        if one.what in (Step.LEFT_FOR_HOSPITAL, Step.AT_HOSPITAL) and one.treatment is not False and one.at <= at
    ]
    return bool(left) and not any(one.what in BACK and max(left) < one.at <= at for one in events)


def bail(events: Sequence[DetentionEvent], at: int) -> bool:
    """Whether somebody was bailed by then, and nothing since shows them in the suite."""
    bailed = [one.at for one in events if one.what is Step.BAILED and one.at <= at]
    return bool(bailed) and not any(one.what in IN_SUITE and max(bailed) < one.at <= at for one in events)


def pause(events: Sequence[DetentionEvent], at: int) -> bool:
    """Whether it is on the way after an arrest on bail, or within the pause from the arrest or an arrival after it."""
    arrests = [one.at for one in events if one.what is Step.BAIL_ARREST and one.at <= at]
    if not arrests:
        return False
    came = [one.at for one in events if one.what in (*BACK, Step.BAIL_RETURN, Step.STREET_BAIL_RETURN)]
    for arrest in arrests:
        arrived = min((one for one in came if one >= arrest), default=arrest)
        journey_end = min(arrived, arrest + CUSTODY.arrest_to_station_ms)
        if arrest <= at < journey_end + CUSTODY.bail_arrest_pause_ms:
            return True
    return False


@given(once=facts(), entries=heap())
def test_the_clock_starts_no_later_than_the_law_lets_it(once: Facts, entries: list[DetentionEvent]) -> None:
    """Without a step that moves the relevant time on, no arrival, authorisation or record of it comes before it."""
    found = detention(once, entries, tick(TICKS), CUSTODY)
    standing = held(entries, tick(TICKS)).events
    if once.relevant_time is not None:
        assert found.relevant.at <= once.relevant_time
    if any(one.what in LATER_START for one in standing):
        return
    told = [one.at for one in standing if one.what in (Step.ARRIVAL, Step.TRANSFER_ARRIVED, Step.AUTHORISED)]
    told += [at for at in (once.arrived_at, once.detention_authorised_at) if at is not None]
    assert found.relevant.at <= min(told, default=once.arrested_at)
    assert found.relevant.at <= once.arrested_at + CUSTODY.arrest_to_station_ms


@given(once=facts(), entries=heap())
def test_more_than_a_day_takes_an_authority_and_nothing_takes_more_than_four(
    once: Facts, entries: list[DetentionEvent]
) -> None:
    """The binding limit is 24 hours but for a superintendent or a court, and never beyond 96."""
    found = detention(once, entries, tick(TICKS), CUSTODY)
    binding = found.limits.binding
    standing = held(entries, tick(TICKS)).events
    if binding is None:
        assert found.charged_at is not None or found.released_at is not None
        return
    ranks = [one.rank for one in standing if one.what is Step.EXTENSION]
    warrants = [one for one in standing if one.what is Step.WARRANT and one.hours]
    superior = {Rank.SUPERINTENDENT, Rank.CHIEF_SUPERINTENDENT, Rank.ASSISTANT_CHIEF_CONSTABLE}
    allowed = 24 * HOUR_MS
    if superior & {*ranks}:
        allowed = 36 * HOUR_MS
        if any(one.what is Step.WARRANT_APPLIED for one in standing):
            allowed = 42 * HOUR_MS
    if warrants:
        allowed = 96 * HOUR_MS
    assert 24 * HOUR_MS <= binding.counted_ms <= allowed


@settings(max_examples=200)
@given(
    once=facts(),
    entries=heap(OFTEN, most=10),
    late=st.lists(st.integers(0, 30), min_size=20, max_size=20),
    looks=st.lists(st.integers(0, TICKS), max_size=8),
)
def test_no_clock_passes_its_limit_without_a_warning(
    once: Facts, entries: list[DetentionEvent], late: list[int], looks: list[int]
) -> None:
    """Whenever something was recorded, and in between, what is due is told, before and after it falls due.

    Entries are recorded up to 15 hours late, corrections before what they correct. A clock that runs tells the moment
    at which its limit is reached; one that stands still has somebody asked; one that is over has an alarm at once.
    """
    recorded = [(Millis(one.at + wait * TICK_MS), one) for one, wait in zip(entries, late, strict=False)]
    for now in sorted({*(when for when, _ in recorded), *map(tick, looks)}):
        known = [one for when, one in recorded if when <= now]
        found = detention(once, known, now, CUSTODY)
        told = list(dues(booking(once, known), DEFAULTS, now))
        require_limit(found, told, now)
        require_review(found, told, now)


def require_limit(found: Detention, told: Sequence[Due], now: Millis) -> None:
    """The end of detention without charge is told."""
    binding = found.limits.binding
    if binding is None or found.place is Place.ON_BAIL:
        return
    due = due_of(told, What.DETENTION_LIMIT)
    left = binding.counted_ms - found.clock.counted_ms(now)
    if left <= 0:
        assert due is not None
        assert due.at <= now
    elif found.running:
        assert due is not None
        assert now < due.at
        assert found.clock.counted_ms(due.at) == binding.counted_ms
        assert max(due.warn_ms) >= HOUR_MS
    else:
        assert due is not None or due_of(told, What.DETENTION_LIMIT, AWAY) is not None


def require_review(found: Detention, told: Sequence[Due], now: Millis) -> None:
    """The next review is told, and never for later than a plain count from the last one gives."""
    if found.released_at is not None or found.place is Place.ON_BAIL:
        return
    due = due_of(told, What.REVIEW)
    assert due is not None
    assert due.warn_ms == (HOUR_MS, HOUR_MS // 2, 0)
    away = sum(max(0, min(one.until, due.at) - one.start) for one in found.reviews.clock.spans if not one.counts)
    start = found.relevant.at if found.reviews.authorised_at is None else found.reviews.authorised_at
    latest = start + 6 * HOUR_MS + 9 * HOUR_MS * len(found.reviews.reviews)
    assert due.at <= latest + away


Raised = dict[RecordId, tuple[Moment, Millis]]
"""Alarm -> the warning, and when it was given."""


def raised_by(once: Facts, recorded: Sequence[tuple[Millis, DetentionEvent]], end: Millis) -> Raised:
    """The alarms that timers raise, which look when something is recorded and when they said they would look again."""
    raised: Raised = {}
    news = sorted(when for when, _ in recorded)
    now: Millis | None = tick(0)
    while now is not None and now <= end:
        held = booking(once, [one for when, one in recorded if when <= now])
        found = moments(BOOKING, dues(held, DEFAULTS, now))
        raised |= {one.alarm: (one, now) for one in come(found, now, raised)}
        ahead = (next_moment(found, now), next_to_count(held, now), *(when for when in news if when > now))
        now = min((at for at in ahead if at is not None), default=None)
    return raised


@settings(max_examples=100)
@given(
    once=facts(),
    entries=heap(OFTEN, most=8),
    late=st.lists(st.integers(-3, 30), min_size=16, max_size=16),
    looks=st.lists(st.integers(0, TICKS), min_size=6, max_size=12),
)
def test_whatever_is_over_has_been_warned_of(
    once: Facts, entries: list[DetentionEvent], late: list[int], looks: list[int]
) -> None:
    """At any moment, of every limit and review that has passed somebody was told: ahead, or with the news of it.

    Entries are recorded up to 15 hours late, or by a watch that stands up to an hour and a half fast; some correct or
    withdraw others. The timers look only when they would.
    """
    recorded = [(Millis(max(tick(0), one.at + wait * TICK_MS)), one) for one, wait in zip(entries, late, strict=False)]
    raised = raised_by(once, recorded, tick(TICKS))
    for now in map(tick, looks):
        known = [one for when, one in recorded if when <= now]
        for due in dues(booking(once, known), DEFAULTS, now):
            if due.at <= now < due.at + LATE_MS_MAX:
                given_at = [
                    when
                    for moment, when in raised.values()
                    if (moment.due.what, moment.due.key, moment.due.at) == (due.what, due.key, due.at)
                ]
                assert given_at
                assert min(given_at) <= now
    news = {tick(0), *(when for when, _ in recorded), *(one.at for one in entries), *filter(None, map(ended, entries))}
    news |= {at for at in msgspec.structs.astuple(once) if at is not None}
    first: dict[tuple[What, str, Millis], Millis] = {}
    for moment, when in raised.values():
        of = (moment.due.what, moment.due.key, moment.due.at)
        first[of] = min(when, first.get(of, when))
    for (what, key, due_at), when in first.items():
        warned = max(one.due.warn_ms[0] for one, _ in raised.values() if one.due.what is what and one.due.key == key)
        assert when <= max(tick(0), due_at - warned) or when in news


def ended(entry: DetentionEvent) -> Millis | None:
    """When what an entry tells of ended, where it says so."""
    return None if entry.until is None else Millis(entry.until)
