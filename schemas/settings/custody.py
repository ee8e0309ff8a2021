"""How long people are held and how often that is reviewed: what forces differ in, and what the law may change.

Times are in ms and counted, not clock, time where a clock of the detention stops. Sources: PACE 1984 sections 34 to 47
and Code C section 15. Ranks go by the words of `schemas.kinds.detention.Rank`.
"""

from typing import Annotated, Final

import msgspec

from schemas.ids import SlugText

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

Months = Annotated[int, msgspec.Meta(ge=1, le=100)]
"""A number of calendar months: bail is for no more than some years."""


class CustodySettings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text.

    Attributes:
        detention_limit_ms: without charge, from the relevant time, on the custody officer's authority (section 41).
        extension_limit_ms: the most that a superintendent may allow (section 42).
        warrant_hours_max: the longest period of one warrant, or of one extension of it, in hours (sections 43 and 44).
        absolute_limit_ms: the most that any warrant may come to (section 44(3)(b)).
        court_sits_within_ms: how long after the extended limit a court that could not sit may be waited for (43(5)(b)).
        warrant_extension_adds: whether an extension of a warrant runs from the end of its period; otherwise it runs
            from the hearing, which is never later.
        arrest_to_station_ms: how long after the arrest the detention clock starts when no station has been reached.
        arrest_to_station_always: whether that holds for every arrest; otherwise only for those of section 41(2)(a).
        extension_rank: who may extend detention, at least (section 42(1)).
        reviews_before_extension: how many reviews must have been carried out before that (section 42(4)(b)).
        review_first_ms: the first review, from when detention was first authorised (section 40(3)(a)).
        review_then_ms: each later review, from the one before (section 40(3)(b) and (c)).
        review_rank: who may review before charge, at least (section 40(1)(b)).
        review_rank_charged: who may review after charge, at least: the custody officer (section 40(1)(a)).
        reviews_stop_in_hospital: whether the review clock too leaves hospital out. Section 41(6) speaks of any period
            of that part of the Act; without it a review falls due by the clock on the wall, and never later.
        same_step_ms: two entries of one decision (a review, an extension, a hearing) this close together tell of one.
        same_time_ms: two accounts of one moment that differ by less than this do not contradict each other.
        bail_arrest_pause_ms: after an arrest for breach of bail or for not answering it, the detention clock stands
            still for this long from the arrival at the station.
        bail_months: the steps of bail before charge, in calendar months from the day after the arrest.
        bail_ranks: who may allow each of them, at least.
        review_warn_ms: how long before a review is due somebody is told, the earliest first.
        limit_warn_ms: the same, before detention must end.
        bail_warn_ms: the same, before bail must end.
        away_prompt_ms: how long after the last word from a hospital somebody is asked whether the person is back.
        journey_prompt_ms: the same, after the person left the hospital or for another suite, or was arrested for breach
            of bail.
        unclear_prompt_ms: how long status and steps may say two things of where a person is before somebody is asked.
        acknowledge_ms: how long there is to acknowledge such a warning before more people are told.
    """

    detention_limit_ms: int = 24 * HOUR_MS
    extension_limit_ms: int = 36 * HOUR_MS
    warrant_hours_max: int = 36
    absolute_limit_ms: int = 96 * HOUR_MS
    court_sits_within_ms: int = 6 * HOUR_MS
    warrant_extension_adds: bool = True
    arrest_to_station_ms: int = 24 * HOUR_MS
    arrest_to_station_always: bool = True
    extension_rank: SlugText = "superintendent"
    reviews_before_extension: int = 2
    review_first_ms: int = 6 * HOUR_MS
    review_then_ms: int = 9 * HOUR_MS
    review_rank: SlugText = "inspector"
    review_rank_charged: SlugText = "sergeant"
    reviews_stop_in_hospital: bool = False
    same_step_ms: int = 30 * MINUTE_MS
    same_time_ms: int = MINUTE_MS
    bail_arrest_pause_ms: int = 3 * HOUR_MS
    bail_months: tuple[Months, ...] = (3, 6, 9, 12, 18)
    bail_ranks: tuple[SlugText, ...] = ("sergeant", "inspector", "superintendent", "court", "court")
    review_warn_ms: tuple[int, ...] = (60 * MINUTE_MS, 30 * MINUTE_MS, 0)
    limit_warn_ms: tuple[int, ...] = (180 * MINUTE_MS, 60 * MINUTE_MS, 30 * MINUTE_MS, 0)
    bail_warn_ms: tuple[int, ...] = (14 * DAY_MS, 7 * DAY_MS, DAY_MS, 0)
    away_prompt_ms: int = 4 * HOUR_MS
    journey_prompt_ms: int = HOUR_MS
    unclear_prompt_ms: int = 10 * MINUTE_MS
    acknowledge_ms: int = 10 * MINUTE_MS
