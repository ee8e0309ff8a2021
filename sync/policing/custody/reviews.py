"""The review clock: when detention must be reviewed, by whom, and which reviews counted (PACE 1984 section 40).

It counts from when detention was first authorised, never from the relevant time: the first review within 6 hours, the
second within 9 hours of the first, then every 9. A review that comes late does not move the next (section 40(6)); one
that comes early brings it forward, because the interval runs from it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, Manner, Rank, Step, ref
from schemas.settings import CustodySettings
from sync.policing.custody.events import Contradiction, Held
from sync.policing.custody.intervals import Clock, Span, Why, clock
from sync.policing.custody.ranks import at_least, in_words
from sync.policing.custody.relevant import Facts, Relevant

SOURCE: Final = "PACE 1984 s.40(3)"
_ENDED: Final = (Step.RELEASED, Step.HANDED_TO_COURT, Step.CHARGED, Step.CHARGED_BAIL_REFUSED)
"""What ends a detention that was refused."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One review that counts.

    Attributes:
        number: 1 for the first.
        due_at: the latest time for it (ms since 1970).
        done_at: when it was carried out (ms since 1970).
        late_ms: how late (ms); 0 when it was in time.
        manner: how, when that is recorded.
        postponed: the reasons recorded for a postponement (section 40(7)).
    """

    number: int
    due_at: Millis
    done_at: Millis
    late_ms: int
    manner: Manner | None
    postponed: tuple[str, ...]


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The review clock.

    Attributes:
        authorised_at: when detention was first authorised (ms since 1970); None before the clock has a start.
        provisional: whether no authorisation is recorded, so that it counts from the relevant time.
        clock: what counts.
        reviews: those that counted, in order.
        next_due: the latest time for the next (ms since 1970); None when none is due: on bail, released.
        next_number: its number.
        postponed: the reasons recorded for postponing the next.
        who: the rank that may carry it out, at least.
        unless: who may not.
        source: where that is laid down.
    """

    authorised_at: Millis | None
    provisional: bool
    clock: Clock
    reviews: tuple[Review, ...]
    next_due: Millis | None
    next_number: int
    postponed: tuple[str, ...]
    who: Rank
    unless: str
    source: str


def schedule(
    facts: Facts,
    entries: Held,
    relevant: Relevant,
    *,
    away: Sequence[Span],
    charged_at: Millis | None,
    ended_at: Millis | None,
    on_bail: bool,
    settings: CustodySettings,
) -> tuple[Schedule, list[Contradiction]]:
    """The reviews of a detention, and what is wrong with those that did not count.

    Args:
        facts: what the booking says once.
        entries: the entries that hold.
        relevant: the relevant time: from then it counts while no authorisation is recorded.
        away: where the person was when not at a station.
        charged_at: when they were charged; None when they are not.
        ended_at: when they were released; None when they are not.
        on_bail: whether they are on bail now: nobody reviews what is no detention.
        settings: the force's.
    """
    found: list[Contradiction] = []
    authorised = _authorised(facts, entries, settings, found)
    start = relevant.at if authorised is None else authorised
    runs = clock(start, ended_at, [one for one in away if _stops(one, settings)])
    counted: list[Review] = []
    target, last = settings.review_first_ms, Millis(start)
    for event in _that_count(entries, start, charged_at, settings, found):
        due = runs.reaches(target)
        due_at = event.at if due is None else due
        late = max(0, event.at - due_at)
        reasons = _reasons(entries, last, event)
        if late >= settings.same_time_ms and not reasons:
            found.append(
                _against(
                    "custody-review-late",
                    "A review was carried out late, and no reason for postponing it is recorded (PACE 1984 s.40(7)).",
                    event,
                )
            )
        counted.append(
            Review(
                number=len(counted) + 1,
                due_at=due_at,
                done_at=event.at,
                late_ms=late,
                manner=event.manner,
                postponed=reasons,
            )
        )
        # Section 40(6): a late review leaves the next where it was.
        target = min(runs.counted_ms(event.at), target) + settings.review_then_ms
        last = event.at
    waiting = [one.reason for one in entries.of(Step.REVIEW_POSTPONED) if one.at > last and one.reason is not None]
    return Schedule(
        authorised_at=authorised,
        provisional=authorised is None,
        clock=runs,
        reviews=tuple(counted),
        next_due=None if on_bail or ended_at is not None else runs.reaches(target),
        next_number=len(counted) + 1,
        postponed=tuple(waiting),
        who=Rank(settings.review_rank if charged_at is None else settings.review_rank_charged),
        unless="not by anybody directly involved in the investigation"
        if charged_at is None
        else "only by the custody officer",
        source="PACE 1984 s.40(1)(b)" if charged_at is None else "PACE 1984 s.40(1)(a)",
    ), found


def _authorised(facts: Facts, entries: Held, settings: CustodySettings, found: list[Contradiction]) -> Millis | None:
    """When detention was first authorised: the earliest that anybody says, so that no review falls later."""
    told = entries.of(Step.AUTHORISED)
    once = () if facts.detention_authorised_at is None else (facts.detention_authorised_at,)
    at = min([*once, *(one.at for one in told)], default=None)
    # Detention is authorised anew after bail, so only what comes before it can contradict.
    close = min((one.at for one in entries.of(Step.BAILED, Step.BAIL_RETURN, Step.BAIL_ARREST)), default=None)
    early = [each for each in (*once, *(one.at for one in told)) if close is None or each <= close]
    if early and max(early) - min(early) >= settings.same_time_ms:
        found.append(
            Contradiction(
                rule="custody-two-authorisations",
                words="The authorisation of detention has two times: reviews count from the earlier.",
                refs=tuple(map(ref, told)),
            )
        )
    refused = entries.of(Step.REFUSED)
    if refused:
        later = [one for one in told if one.at >= refused[0].at]
        words = (
            "Detention was refused, and authorised as well: both are recorded, and the clocks go on."
            if told or once
            else "Detention was refused: they must be released or charged. The clocks go on until that is recorded."
        )
        if told or once or not entries.of(*_ENDED):
            found.append(Contradiction(rule="custody-refused", words=words, refs=tuple(map(ref, (*refused, *later)))))
    return None if at is None else Millis(at)


def _stops(one: Span, settings: CustodySettings) -> bool:
    """Nobody on bail is in detention; hospital only where the force goes by the wider reading of section 41(6)."""
    if one.why in (Why.ON_BAIL, Why.BAIL_ARREST_JOURNEY):
        return True
    return settings.reviews_stop_in_hospital and one.why in (Why.HOSPITAL, Why.QUESTIONED_IN_HOSPITAL)


def _that_count(
    entries: Held,
    start: Millis,
    charged_at: Millis | None,
    settings: CustodySettings,
    found: list[Contradiction],
) -> list[DetentionEvent]:
    counted: list[DetentionEvent] = []
    for event in entries.of(Step.REVIEW):
        wrong = _wrong(event, start, charged_at, settings)
        if wrong is not None:
            found.append(_against("custody-review-not-counted", f"A review does not count: {wrong}", event))
        elif counted and event.at - counted[-1].at < settings.same_step_ms:
            found.append(
                _against("custody-review-twice", "Two entries tell of one review: it counts once, as the first.", event)
            )
        else:
            counted.append(event)
    return counted


def _wrong(event: DetentionEvent, start: Millis, charged_at: Millis | None, settings: CustodySettings) -> str | None:
    """Why a review is none (section 40(1)); None when it is one."""
    if start - event.at >= settings.same_time_ms:
        return "it was before detention was authorised."
    charged = charged_at is not None and event.at >= charged_at
    needed = Rank(settings.review_rank_charged if charged else settings.review_rank)
    if not at_least(event.rank, needed):
        return f"it takes {in_words(needed)} or above, and the entry does not say so. Correct it, or review again."
    if not charged and event.involved:
        return "whoever carried it out is directly involved in the investigation. Another officer must review."
    return None


def _reasons(entries: Held, last: Millis, event: DetentionEvent) -> tuple[str, ...]:
    told = [one.reason for one in entries.of(Step.REVIEW_POSTPONED) if last < one.at <= event.at]
    return tuple(one for one in (*told, event.reason) if one is not None)


def _against(rule: str, words: str, event: DetentionEvent) -> Contradiction:
    return Contradiction(rule=rule, words=words, refs=(ref(event),))
