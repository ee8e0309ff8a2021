"""Meals and rest in the day: what a detainee was offered, and what is due next (PACE Code C 8.6, 12.2).

At least two light meals and one main meal in any 24 hours; in any 24 hours a continuous period of at least 8 hours for
rest. A meal that was offered and declined was offered.
"""

from typing import Final

import msgspec

from schemas.ids import Millis
from schemas.kinds import CustodyBooking
from schemas.kinds.care import Care, Provision
from schemas.kinds.timed import standing
from schemas.settings import Settings
from sync.policing.custody.record import here_since

MEALS: Final = (Provision.MAIN_MEAL, Provision.LIGHT_MEAL)


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen to in the day that ends now.

    Attributes:
        main_meals, light_meals, drinks: how many were offered.
        rest_ms: the longest continuous rest in it (ms).
        lacking: what is below the Code, in words; of a day that has not passed yet nothing is.
    """

    main_meals: int
    light_meals: int
    drinks: int
    rest_ms: int
    lacking: tuple[str, ...]


def done(booking: CustodyBooking, now: Millis, *what: Provision) -> list[Care]:
    """What was seen to by now, of some sorts, in order of time."""
    return [one for one in standing(booking.care) if one.what in what and one.at <= now]


def day(booking: CustodyBooking, settings: Settings, now: Millis) -> Day:
    """The tally of the 24 hours before a moment (ms since 1970)."""
    care = settings.care
    start = now - care.day_ms
    main, light, drinks = (
        sum(one.at > start for one in done(booking, now, what))
        for what in (Provision.MAIN_MEAL, Provision.LIGHT_MEAL, Provision.DRINK)
    )
    rests = [min(one.until or now, now) - max(one.at, start) for one in done(booking, now, Provision.REST)]
    rest = max([0, *rests])
    lacking = []
    here = here_since(booking, now)
    if here is not None and here <= start:
        if main < care.main_meals:
            lacking.append(f"{main} of {care.main_meals} main meals")
        # A second main meal does for a light one.
        if light + max(0, main - care.main_meals) < care.light_meals:
            lacking.append(f"{light} of {care.light_meals} light meals")
        if rest < care.rest_ms:
            lacking.append(f"{rest // 3_600_000} of {care.rest_ms // 3_600_000} hours of continuous rest")
    return Day(main_meals=main, light_meals=light, drinks=drinks, rest_ms=rest, lacking=tuple(lacking))


def next_meal(booking: CustodyBooking, settings: Settings, now: Millis) -> Millis | None:
    """When a meal is to have been offered (ms since 1970); None while the person is not in the suite."""
    here = here_since(booking, now)
    if here is None:
        return None
    return Millis(max([here, *(one.at for one in done(booking, now, *MEALS))]) + settings.care.meal_every_ms)


def next_main_meal(booking: CustodyBooking, settings: Settings, now: Millis) -> Millis | None:
    """When a main meal is to have been offered (ms since 1970); None while the person is not in the suite."""
    here = here_since(booking, now)
    if here is None:
        return None
    last = max([here, *(one.at for one in done(booking, now, Provision.MAIN_MEAL))])
    return Millis(last + settings.care.day_ms // max(1, settings.care.main_meals))


def next_rest(booking: CustodyBooking, settings: Settings, now: Millis) -> Millis | None:
    """When a rest must begin at the latest, to be whole within the day (ms since 1970).

    None while the person rests, or is not in the suite. A rest that was broken before it was whole does not count.
    """
    here = here_since(booking, now)
    if here is None:
        return None
    care = settings.care
    last = here
    for one in done(booking, now, Provision.REST):
        if one.until is None or one.until > now:
            return None
        if not one.declined and one.until - one.at >= care.rest_ms:
            last = max(last, one.until)
    return Millis(last + care.day_ms - care.rest_ms)
