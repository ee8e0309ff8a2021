"""What falls due in a detention: the next review, the end of lawful detention or of bail, and word from outside.

An absence that stops the detention clock and is not heard of again would stop it for ever, and no check falls due of
somebody who is not in the suite. So while somebody is in hospital, on the way, or arrested on bail and not brought in,
a person is asked; so they are where status and steps say two things of where somebody is. The answer is an entry.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from schemas.ids import Millis
from schemas.kinds import Kind
from schemas.kinds.booking import BookingStatus, CustodyBooking
from schemas.kinds.detention import Step
from schemas.roles import Role
from schemas.settings import Settings
from sync.policing.custody import clocks, safety, words
from sync.policing.custody.clocks import Detention
from sync.policing.custody.events import held
from sync.policing.custody.ranks import in_words
from sync.policing.custody.record import Stay, Where, is_over, stays
from sync.policing.custody.whereabouts import Place
from sync.policing.due import LATE_MS_MAX, Due, What

AWAY: Final = "away"
"""Key of the dues that ask after somebody who is not in the suite, or may not be."""
_REASON_CHARS_MAX: Final = 200
"""Of a reason in an alarm; the record has all of it."""
_DESK: Final = (Role.CUSTODY_OFFICER,)
_REVIEWERS: Final = (Role.REVIEWING_OFFICER, Role.CUSTODY_OFFICER)
_ABOVE: Final = (Role.SUPERINTENDENT,)


def dues(record: Kind, settings: Settings, now: Millis) -> Iterator[Due]:
    """What is still to come, or is overdue, in a custody booking; nothing once the person was released.

    A booking that says it is over, of a program that records no steps, is taken at its word. Bail before charge has its
    end all the same, whatever the status says: there is none for whoever is on bail.
    """
    if not isinstance(record, CustodyBooking):
        return
    found = clocks.of_booking(record, settings.custody, now)
    if found.released_at is not None:
        yield from _released(record, found, settings)
        return
    if found.place is Place.ON_BAIL:
        yield from _bail(found, settings)
        return
    if is_over(record, now):
        return
    yield from _review(found, settings)
    # Whoever is held for an assessment is not charged: their limit is that of section 136, and is told as that.
    if safety.ends_at(record, settings, now) is None:
        yield from _limit(found, settings)
    yield from _away(found, settings)
    yield from _unseen(stays(record, now), found, settings)


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


def _unseen(there: Sequence[Stay], found: Detention, settings: Settings) -> Iterator[Due]:
    """Nobody checks a person who is not in the suite: that they still are not is asked."""
    if not there:
        return
    since, where = there[-1].since, there[-1].where
    if found.place is Place.HOSPITAL:
        if found.charged_at is not None:
            after = settings.custody.journey_prompt_ms if found.travelling else settings.custody.away_prompt_ms
            words = "Still in hospital, or on the way? If they are back, record when: no check falls due meanwhile."
            yield _asked(Millis(found.last_word_at + after), words, settings)
    elif where is Where.TRAVELLING and found.place is not Place.BAIL_ARREST:
        words = "On the way to another suite? Record the arrival there: no check falls due meanwhile."
        yield _asked(Millis(since + settings.custody.journey_prompt_ms), words, settings)
    elif where is Where.HOSPITAL:
        words = (
            "In hospital or not? Status and steps say two things. Record when they left or came back, or set the "
            "status: no check falls due meanwhile."
        )
        yield _asked(Millis(since + settings.custody.unclear_prompt_ms), words, settings)


def _released(booking: CustodyBooking, found: Detention, settings: Settings) -> Iterator[Due]:
    """A step says that they were released, perhaps one meant for somebody else, and the status that they are here."""
    if found.released_at is None or booking.status == BookingStatus.RELEASED:
        return
    last = held(booking.detention, found.now).of(Step.HANDED_TO_COURT, Step.RELEASED)[-1]
    if last.what is Step.HANDED_TO_COURT and booking.status == BookingStatus.COURT:
        return
    words = (
        "Released or not? A step says so, and the status does not. Set the status, or withdraw the step: no check and "
        "no review falls due meanwhile."
    )
    yield _asked(Millis(found.released_at + settings.custody.unclear_prompt_ms), words, settings)


def _asked(at: Millis, words: str, settings: Settings) -> Due:
    return Due(
        what=What.CHECK,
        key=AWAY,
        at=at,
        roles=_DESK,
        then=(Role.REVIEWING_OFFICER,),
        within_ms=settings.custody.acknowledge_ms,
        words=words,
        source="PACE Code C 9.3",
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
