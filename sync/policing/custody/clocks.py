"""A detention, worked out: both clocks, every limit, who may extend, and what does not fit (PACE 1984 Part IV).

`detention` is a function of the set of entries: in any order, any number of times each, with corrections among them, it
gives the same answer on the handheld, the desk and the server. It raises on no entries at all; what contradicts itself
is taken in the detainee's favour and told.
"""

from collections.abc import Iterable

import msgspec

from schemas.ids import Millis
from schemas.kinds.booking import CustodyBooking
from schemas.kinds.detention import DetentionEvent, Step, ref
from schemas.settings import CustodySettings
from sync.policing.custody import bail, limits, reviews
from sync.policing.custody.bail import BailLimit
from sync.policing.custody.events import Contradiction, Held, held, order
from sync.policing.custody.intervals import Clock, clock
from sync.policing.custody.limits import Limits
from sync.policing.custody.relevant import Facts, Relevant, relevant_time, until_now
from sync.policing.custody.reviews import Schedule
from sync.policing.custody.whereabouts import Place, Whereabouts, walk

NOT_CHARGED_STEPS = (Step.EXTENSION, Step.WARRANT_APPLIED, Step.WARRANT, Step.WARRANT_EXTENDED, Step.BAIL_EXTENDED)
"""Steps that are taken only with somebody who has not been charged."""


class Detention(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a booking's entries at a moment.

    Attributes:
        now: the moment (ms since 1970).
        relevant: the relevant time, and by which rule.
        clock: the detention clock.
        counted_ms: what has counted of it.
        running: whether it counts now.
        place: where the person is.
        since: since when (ms since 1970).
        last_word_at: of an absence: the last entry about it (ms since 1970).
        travelling: whether that was about a journey.
        last_entry_at: when the latest of the entries that hold happened; without any, the arrest (ms since 1970).
        charged_at: when they were charged; from then on this clock does not count. None when they are not.
        released_at: when they were released; None when they are not.
        limits: how long they may be held, and who may extend it.
        reviews: the review clock.
        bail: the limit on bail before charge; None once they are charged, or where the force sets none.
        contradictions: what a person must look at; in a fixed order, each once.
    """

    now: Millis
    relevant: Relevant
    clock: Clock
    counted_ms: int
    running: bool
    place: Place
    since: Millis
    last_word_at: Millis
    travelling: bool
    last_entry_at: Millis
    charged_at: Millis | None
    released_at: Millis | None
    limits: Limits
    reviews: Schedule
    bail: BailLimit | None
    contradictions: tuple[Contradiction, ...]


def facts_of(booking: CustodyBooking) -> Facts:
    """What a booking says once."""
    return Facts(
        arrested_at=booking.arrested_at,
        arrived_at=booking.arrived_at,
        relevant_time=booking.relevant_time,
        detention_authorised_at=booking.detention_authorised_at,
    )


def of_booking(booking: CustodyBooking, settings: CustodySettings, now: Millis) -> Detention:
    """The detention of a booking as it stands."""
    return detention(facts_of(booking), booking.detention, now, settings)


def detention(facts: Facts, entries: Iterable[DetentionEvent], now: Millis, settings: CustodySettings) -> Detention:
    """Work out a detention.

    Args:
        facts: what the booking says once.
        entries: all of its entries, in any order, each any number of times.
        now: the moment (ms since 1970); what is said to happen later has not happened.
        settings: the force's.
    """
    standing = held(entries, now)
    facts, ahead = until_now(facts, now)
    relevant, found = relevant_time(facts, standing, settings)
    where = walk(_with_booking(facts, standing), settings)
    charged_at = _charged(standing, relevant, found)
    end = min((at for at in (charged_at, where.released_at) if at is not None), default=None)
    runs = clock(relevant.at, end, where.away, carried_ms=relevant.carried_ms)
    review, review_found = reviews.schedule(
        facts,
        standing,
        relevant,
        away=where.away,
        charged_at=charged_at,
        ended_at=where.released_at,
        on_bail=where.place is Place.ON_BAIL,
        settings=settings,
    )
    allowed, limit_found = limits.limits(
        runs,
        standing,
        [one.done_at for one in review.reviews],
        charged=charged_at is not None,
        held=where.place not in (Place.ON_BAIL, Place.RELEASED),
        now=now,
        settings=settings,
    )
    if where.released_at is not None:
        allowed = msgspec.structs.replace(allowed, binding=None)
    arrest = min([facts.arrested_at, *(one.at for one in standing.of(Step.ARREST, Step.STATION_ARREST))])
    on_bail, bail_found = bail.limit(arrest, standing, settings)
    all_found = [
        *standing.contradictions,
        *ahead,
        *found,
        *where.contradictions,
        *review_found,
        *limit_found,
        *bail_found,
    ]
    return Detention(
        now=now,
        relevant=relevant,
        clock=runs,
        counted_ms=runs.counted_ms(now),
        running=runs.running(now),
        place=where.place,
        since=where.since,
        last_word_at=where.last_word_at,
        travelling=_travelling(where),
        last_entry_at=standing.events[-1].at if standing.events else facts.arrested_at,
        charged_at=charged_at,
        released_at=where.released_at,
        limits=allowed,
        reviews=review,
        bail=None if charged_at is not None else on_bail,
        contradictions=tuple(sorted(set(all_found), key=lambda one: (one.rule, one.refs, one.words))),
    )


def _with_booking(facts: Facts, entries: Held) -> Held:
    """The entries, with an arrival and an authorisation that only the booking tells: an older program's."""
    only = [
        DetentionEvent(what=step, at=at)
        for step, at in ((Step.ARRIVAL, facts.arrived_at), (Step.AUTHORISED, facts.detention_authorised_at))
        if at is not None and not entries.of(step)
    ]
    return msgspec.structs.replace(entries, events=tuple(sorted((*entries.events, *only), key=order)))


def _charged(entries: Held, relevant: Relevant, found: list[Contradiction]) -> Millis | None:
    """When they were charged: from the first charge that nothing contradicts (section 41(1))."""
    uncharged = entries.of(*NOT_CHARGED_STEPS)
    for event in entries.of(Step.CHARGED, Step.CHARGED_BAIL_REFUSED):
        later = [one for one in uncharged if one.at > event.at]
        if event.at < relevant.at:
            words = "They were charged before the detention clock started: the charge does not stop it."
        elif later:
            words = (
                "They were charged, and later dealt with as somebody who was not: the charge does not stop the clock."
            )
        else:
            return event.at
        found.append(Contradiction(rule="custody-charge", words=words, refs=tuple(map(ref, (event, *later)))))
    return None


def _travelling(where: Whereabouts) -> bool:
    return where.travelling or where.place is Place.BAIL_ARREST
