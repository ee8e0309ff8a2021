"""What falls due in a detention: the next review, the end of lawful detention or of bail, and word from outside.

An absence that stops the detention clock and is not heard of again would stop it for ever. So while somebody is in
hospital, or arrested on bail and not brought in, a person is asked; the answer is an entry, and the clock goes by it.
"""

from collections.abc import Iterator
from typing import Final

from schemas.ids import Millis
from schemas.kinds import Kind
from schemas.kinds.booking import BookingStatus, CustodyBooking
from schemas.roles import Role
from schemas.settings import Settings
from sync.policing.custody import clocks, words
from sync.policing.custody.clocks import Detention
from sync.policing.custody.ranks import in_words
from sync.policing.custody.whereabouts import Place
from sync.policing.due import LATE_MS_MAX, Due, What

AWAY: Final = "away"
"""Key of the due that asks after somebody in hospital, or arrested on bail."""
_REASON_CHARS_MAX: Final = 200
"""Of a reason in an alarm; the record has all of it."""
_DESK: Final = (Role.CUSTODY_OFFICER,)
_REVIEWERS: Final = (Role.REVIEWING_OFFICER, Role.CUSTODY_OFFICER)
_ABOVE: Final = (Role.SUPERINTENDENT,)


def dues(record: Kind, settings: Settings, now: Millis) -> Iterator[Due]:
    """What is still to come, or is overdue, in a custody booking; nothing once the person was released.

    A booking that says it is over, of a program that records no steps, is taken at its word.
    """
    if not isinstance(record, CustodyBooking):
        return
    found = clocks.of_booking(record, settings.custody, now)
    if found.released_at is not None or record.status == BookingStatus.RELEASED:
        return
    if found.place is Place.ON_BAIL:
        yield from _bail(found, settings)
        return
    yield from _review(found, settings)
    yield from _limit(found, settings)
    yield from _away(found, settings)


def _review(found: Detention, settings: Settings) -> Iterator[Due]:
    review = found.reviews
    if review.next_due is None:
        return
    again = f" It was postponed: {review.postponed[-1][:_REASON_CHARS_MAX]}" if review.postponed else ""
    yield Due(
        what=What.REVIEW,
        at=_told(review.next_due, found),
        warn_ms=settings.custody.review_warn_ms,
        roles=_REVIEWERS if found.charged_at is None else _DESK,
        then=_ABOVE if found.charged_at is None else (Role.REVIEWING_OFFICER,),
        within_ms=settings.custody.acknowledge_ms,
        words=f"Review {review.next_number} of the detention, by {in_words(review.who)} or above; "
        f"{review.unless}.{again}",
        source=f"{review.source}; s.40(3)",
    )


def _limit(found: Detention, settings: Settings) -> Iterator[Due]:
    binding = found.limits.binding
    if binding is None or binding.at is None:
        return
    yield Due(
        what=What.DETENTION_LIMIT,
        at=_told(binding.at, found),
        warn_ms=settings.custody.limit_warn_ms,
        roles=(*_DESK, Role.REVIEWING_OFFICER),
        then=_ABOVE,
        within_ms=settings.custody.acknowledge_ms,
        words=f"Detention without charge ends after {words.duration(binding.counted_ms)}: charge, release, or "
        f"{words.may_extend(found)}.",
        source=binding.source,
    )


def _told(at: Millis, found: Detention) -> Millis:
    """When something fell due, or, if that is so long past that no alarm would be raised, the latest entry.

    A clock that an entry shows to have run for weeks (a person is reviewed, and no return on bail was ever recorded)
    was not overdue on anybody's screen before that entry.
    """
    return found.last_entry_at if found.last_entry_at - at >= LATE_MS_MAX else at


def _away(found: Detention, settings: Settings) -> Iterator[Due]:
    if found.place is Place.HOSPITAL and found.charged_at is None:
        after = settings.custody.journey_prompt_ms if found.travelling else settings.custody.away_prompt_ms
        told = "Still in hospital, or on the way? If they are back, record when: the detention clock stands still."
        source = "PACE 1984 s.41(6)"
    elif found.place is Place.BAIL_ARREST:
        after = settings.custody.journey_prompt_ms
        told = "Arrested on bail and not at a station? Record the arrival: the clock goes by it."
        source = "PACE 1984 s.46A"
    else:
        return
    yield Due(
        what=What.DETENTION_LIMIT,
        key=AWAY,
        at=Millis(found.last_word_at + after),
        roles=_DESK,
        then=(Role.REVIEWING_OFFICER,),
        within_ms=settings.custody.acknowledge_ms,
        words=told,
        source=source,
    )


def _bail(found: Detention, settings: Settings) -> Iterator[Due]:
    if found.bail is None:
        return
    by = found.bail.next_by
    more = "there is no further step" if by is None else f"or have it extended by {in_words(by)} or above"
    yield Due(
        what=What.BAIL_LIMIT,
        at=found.bail.ends_at,
        warn_ms=settings.custody.bail_warn_ms,
        roles=(*_DESK, Role.REVIEWING_OFFICER),
        then=_ABOVE,
        within_ms=settings.custody.acknowledge_ms,
        words=f"Bail before charge ends with {words.day(found.bail.last_day)} ({found.bail.months} months): decide, "
        f"{more}.",
        source=found.bail.source,
    )
