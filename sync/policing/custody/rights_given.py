"""A detained person's rights: what is still to be given, and what a delay must have to be one (PACE Code C 3, Annex B).

To have someone informed (section 56), to have free and independent legal advice (section 58) and to consult the Codes.
They can be delayed with authority and for a time; there is no way to record that one was denied. Where an appropriate
adult is needed, they are given again in the adult's presence (Code C 3.17).
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.ids import Millis
from schemas.kinds import CustodyBooking
from schemas.kinds.admission import Adult, HelpStep, Interpreting, Right, RightEntry, RightStep
from schemas.kinds.timed import standing
from schemas.settings import Settings
from schemas.settings.care import CareSettings
from sync.policing.custody.record import came_at, needs_adult

RIGHTS: Final = tuple(Right)
_TOLD: Final = (RightStep.GIVEN, RightStep.ASKED, RightStep.WAIVED, RightStep.DONE)
"""What shows that the person knows of the right."""


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A right that is still to be given.

    Attributes:
        right: which.
        at: when at the latest (ms since 1970).
        with_adult: whether it is to be given again in the adult's presence.
        delayed: whether it was delayed, and the delay ends then.
        unlawful: whether that delay lacks what it must have: then it has ended where it began.
    """

    right: Right
    at: Millis
    with_adult: bool = False
    delayed: bool = False
    unlawful: bool = False


def owed(booking: CustodyBooking, settings: Settings, now: Millis) -> tuple[Owed, ...]:
    """The rights that are still to be given, in the order of the Code."""
    entries = tuple(one for one in standing(booking.rights) if one.at <= now)
    came_in = came_at(booking, now)
    by = Millis(came_in + settings.care.rights_within_ms)
    start = booking.relevant_time or came_in
    adult = arrived(booking.adults, now) if needs_adult(booking, settings, now) else None
    return tuple(
        one
        for right in RIGHTS
        if (one := _owed(right, [e for e in entries if e.right == right], by, adult, start, settings.care))
    )


def _owed(  # noqa: PLR0917  what is known of one right
    right: Right, entries: list[RightEntry], by: Millis, adult: Millis | None, start: Millis, settings: CareSettings
) -> Owed | None:
    delay = _running_delay(entries)
    if delay is not None and delay.until is not None and delay_problem(delay, start, settings) is None:
        return Owed(right=right, at=delay.until, delayed=True)
    if delay is not None:
        # It came by a merge, or of a program that asks no rule: it delays nothing.
        return Owed(right=right, at=Millis(delay.at), delayed=True, unlawful=True)
    if not any(one.step in _TOLD for one in entries):
        return Owed(right=right, at=by)
    again = [one for one in entries if one.adult_present and one.step in _TOLD]
    if adult is not None and not again:
        return Owed(right=right, at=Millis(adult + settings.rights_within_ms), with_adult=True)
    return None


def _running_delay(entries: Iterable[RightEntry]) -> RightEntry | None:
    """The delay that has not ended: by an entry that ends it, or because the right was exercised."""
    running = None
    for one in entries:
        if one.step == RightStep.DELAYED:
            running = one
        elif one.step in {RightStep.DELAY_ENDED, RightStep.DONE}:
            running = None
    return running


def arrived(entries: tuple[Adult, ...] | tuple[Interpreting, ...], now: Millis) -> Millis | None:
    """Since when somebody who was asked to come is there (ms since 1970); None when they are not, or left again."""
    here: Millis | None = None
    held: tuple[Adult | Interpreting, ...] = standing(entries)
    for one in held:
        if one.at <= now and one.step == HelpStep.ARRIVED:
            here = one.at if here is None else here
        elif one.at <= now and one.step == HelpStep.LEFT:
            here = None
    return here


def came(entries: tuple[Adult, ...], now: Millis) -> bool:
    """Whether somebody who was asked to come has been there."""
    return any(one.step == HelpStep.ARRIVED and one.at <= now for one in standing(entries))


def delay_problem(entry: RightEntry, start: Millis, settings: CareSettings) -> str | None:
    """What a delay lacks, in words; None when it is one (Annex B 1, 6, 9; sections 56(2) to (5B), 58(6) to (8A)).

    Args:
        entry: the entry.
        start: the relevant time, or else the arrival: the longest delay is counted from there (ms since 1970).
        settings: the force's.
    """
    ranks = {
        Right.SOMEONE_INFORMED: settings.informing_delay_ranks,
        Right.LEGAL_ADVICE: settings.advice_delay_ranks,
        Right.CODES: settings.codes_delay_ranks,
    }.get(entry.right, ())
    if not ranks:
        return "this right cannot be delayed"
    if entry.authority is None or entry.rank is None or entry.rank.value not in ranks:
        return f"it is for a rank of {' or '.join(one.replace('-', ' ') for one in ranks)} to authorise, by name"
    if entry.reason is None:
        return "the grounds are recorded"
    if entry.until is None or entry.until <= entry.at:
        return "it ends at a time that is recorded"
    if entry.until > start + settings.rights_delay_max_ms:
        return f"it ends {settings.rights_delay_max_ms // 3_600_000} hours after the relevant time at the latest"
    return None
