"""Draws detentions: true stories as they happen, and heaps of entries as no story would have them."""

from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, Rank, Step, ref
from sync.policing.custody.relevant import Facts

T0: Final = 1_760_000_400_000
"""A moment on a whole minute, at which these detentions begin."""
TICK_MS: Final = 30 * 60_000
HOUR_TICKS: Final = 2
DAYS: Final = 6
TICKS: Final = DAYS * 24 * HOUR_TICKS
"""How many ticks a heap spreads over: longer than the longest lawful detention."""


MOVES: Final = (
    Step.ARRIVAL,
    Step.LEFT_FOR_HOSPITAL,
    Step.AT_HOSPITAL,
    Step.BACK_FROM_HOSPITAL,
    Step.BAILED,
    Step.BAIL_RETURN,
    Step.BAIL_ARREST,
    Step.REVIEW,
    Step.EXTENSION,
    Step.WARRANT,
)
"""What stops a clock, starts it again or lets it run on."""
OFTEN: Final = (*Step, *MOVES * 4)
"""Steps to draw from where clocks are to stand still as often as they run: of all alike, hardly one heap stops one."""


def tick(n: int) -> Millis:
    """The n-th half hour."""
    return Millis(T0 + n * TICK_MS)


def _flags() -> st.SearchStrategy[bool | None]:
    return st.sampled_from([True, True, None, False])


@st.composite
def one_entry(draw: st.DrawFn, steps: tuple[Step, ...] = tuple(Step)) -> DetentionEvent:
    """Any step at any half hour, with any of the facts that steps have."""
    step = draw(st.sampled_from(steps))
    at = draw(st.integers(0, TICKS))
    rest: dict[str, Any] = {}
    if draw(st.booleans()):
        rest["rank"] = draw(st.sampled_from(tuple(Rank)))
    if step is Step.QUESTIONED_IN_HOSPITAL and draw(st.booleans()):
        rest["until"] = tick(draw(st.integers(-1, 4)) + at)
    if step in (Step.WARRANT, Step.WARRANT_EXTENDED, Step.EXTENSION) and draw(st.booleans()):
        rest["hours"] = draw(st.sampled_from([0, 12, 30, 36, 72]))
    if step is Step.BAIL_EXTENDED:
        rest["months"] = draw(st.sampled_from([None, 3, 6, 9, 12, 18, 50]))
    if step in (Step.ARREST, Step.ARRIVAL, Step.TRANSFER_LEFT, Step.TRANSFER_ARRIVED, Step.QUESTIONED_ELSEWHERE):
        rest["area"] = draw(st.sampled_from([None, None, "west-midlands", "northumbria"]))
        rest["sought_in"] = draw(st.sampled_from([None, None, "west-midlands", "northumbria"]))
    rest |= {"indictable": draw(_flags()), "represented": draw(_flags()), "court_cannot_sit": draw(_flags())}
    rest |= {"treatment": draw(_flags()), "by": draw(st.sampled_from([None, "SGT Hale", "INS Marlow"]))}
    return DetentionEvent(what=step, at=tick(at), **rest)


@st.composite
def heap(draw: st.DrawFn, steps: tuple[Step, ...] = tuple(Step), most: int = 14) -> list[DetentionEvent]:
    """Entries that no story ties together, with corrections and withdrawals of one another among them."""
    found: list[DetentionEvent] = []
    for one in draw(st.lists(one_entry(steps), max_size=most)):
        if found and draw(st.integers(0, 3)) == 0:
            target = ref(draw(st.sampled_from(found)))
            found.append(msgspec.structs.replace(one, corrects=target))
        elif one.what is Step.WITHDRAWN:
            continue
        else:
            found.append(one)
    return found


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """What a booking says once: an arrest, and perhaps the rest."""
    near = st.one_of(st.none(), st.integers(0, 12).map(tick))
    return Facts(
        arrested_at=tick(draw(st.integers(0, 6))),
        arrived_at=draw(near),
        relevant_time=draw(st.one_of(st.none(), st.none(), near)),
        detention_authorised_at=draw(near),
    )


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A detention as it truly went.

    Attributes:
        facts: what the booking says once.
        entries: what happened, in order.
        counted: how many half hours counted by the end.
        review_due: the half hour by which the next review is due; None when the person is on bail.
        end: the half hour at which the story ends.
    """

    facts: Facts
    entries: tuple[DetentionEvent, ...]
    counted: int
    review_due: int | None
    end: int


@st.composite
def story(draw: st.DrawFn) -> Story:
    """Arrival and authorisation, then stays in hospital, bail, transfers, reviews and time passing, tallied as told."""
    now, counted = 1, 0
    in_review: list[int] = []
    target = 6 * HOUR_TICKS
    told = [DetentionEvent(what=Step.ARRIVAL, at=tick(1)), DetentionEvent(what=Step.AUTHORISED, at=tick(1))]

    def passes(least: int, *, counts: bool, reviews: bool) -> None:
        nonlocal now, counted
        ticks = draw(st.integers(least, 9))
        in_review.extend(range(now, now + ticks) if reviews else ())
        now, counted = now + ticks, counted + ticks * counts

    def tell(step: Step, **rest: Any) -> None:  # noqa: ANN401  a fact of any type
        told.append(DetentionEvent(what=step, at=tick(now), **rest))

    on_bail = False
    for what in draw(st.lists(st.sampled_from(["wait", "hospital", "bail", "review", "transfer"]), max_size=9)):
        if what == "hospital":
            passes(1, counts=True, reviews=True)
            tell(Step.LEFT_FOR_HOSPITAL)
            passes(1, counts=False, reviews=True)
            if draw(st.booleans()):
                start = now
                passes(1, counts=True, reviews=True)
                told.append(DetentionEvent(what=Step.QUESTIONED_IN_HOSPITAL, at=tick(start), until=tick(now)))
                passes(1, counts=False, reviews=True)
            tell(Step.BACK_FROM_HOSPITAL)
        elif what == "bail":
            passes(1, counts=True, reviews=True)
            tell(Step.BAILED)
            passes(1, counts=False, reviews=False)
            tell(Step.BAIL_RETURN)
        elif what == "review":
            passes(1, counts=True, reviews=True)
            tell(Step.REVIEW, rank=Rank.INSPECTOR, reason="as the desk was told")
            target = min(len(in_review), target) + 9 * HOUR_TICKS
        elif what == "transfer":
            passes(1, counts=True, reviews=True)
            tell(Step.TRANSFER_LEFT)
            passes(1, counts=True, reviews=True)
            tell(Step.TRANSFER_ARRIVED)
        passes(1, counts=True, reviews=True)
    if draw(st.booleans()):
        tell(Step.BAILED)
        on_bail = True
        passes(1, counts=False, reviews=False)
    left = target - len(in_review)
    due = now + left if left > 0 else in_review[target - 1] + 1
    return Story(
        facts=Facts(arrested_at=tick(0)),
        entries=tuple(told),
        counted=counted,
        review_due=None if on_bail else due,
        end=now,
    )
