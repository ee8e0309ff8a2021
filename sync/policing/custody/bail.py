"""Bail before charge: until when, and who may extend it (PACE 1984 sections 47ZA to 47ZM; arrests from 28 Oct. 2022).

The period begins with the day after the arrest and is of calendar months, so it ends at a midnight in London, never at
an hour of the day. The steps and ranks are settings.
"""

from datetime import date, timedelta
from typing import Final

import msgspec

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, Rank, Step, ref
from schemas.settings import CustodySettings
from sync.policing.custody.days import day_of, midnight, months_after
from sync.policing.custody.events import Contradiction, Held
from sync.policing.custody.ranks import at_least, in_words

SOURCE: Final = "PACE 1984 ss.47ZB to 47ZG"


class BailLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How long somebody may be on bail without charge.

    Attributes:
        begins: the first day of the period: the day after the arrest.
        last_day: its last.
        ends_at: the midnight after that (ms since 1970).
        months: how many it is now.
        next_months: the next step; None when there is none.
        next_by: the rank that may allow it, at least.
        source: where that is laid down.
    """

    begins: date
    last_day: date
    ends_at: Millis
    months: int
    next_months: int | None
    next_by: Rank | None
    source: str


def limit(
    arrested_at: Millis, entries: Held, settings: CustodySettings
) -> tuple[BailLimit | None, list[Contradiction]]:
    """The limit on bail, and what is wrong with the extensions that have no effect.

    Args:
        arrested_at: the earliest arrest (ms since 1970).
        entries: the entries that hold.
        settings: the force's; without a step of bail in them there is no limit.
    """
    steps = tuple(zip(settings.bail_months, map(Rank, settings.bail_ranks), strict=False))
    if not steps:
        return None, []
    found: list[Contradiction] = []
    begins = day_of(arrested_at) + timedelta(days=1)
    at = 0
    for event in entries.of(Step.BAIL_EXTENDED):
        wanted, wrong = _wanted(event, steps, at, _end(begins, steps[at][0]))
        if wrong is not None:
            found.append(
                Contradiction(
                    rule="custody-bail-extension",
                    words=f"An extension of bail has no effect: {wrong} (PACE 1984 ss.47ZC to 47ZG).",
                    refs=(ref(event),),
                )
            )
        at = wanted
    ends = months_after(begins, steps[at][0])
    following = steps[at + 1] if at + 1 < len(steps) else None
    return BailLimit(
        begins=begins,
        last_day=ends - timedelta(days=1),
        ends_at=midnight(ends),
        months=steps[at][0],
        next_months=None if following is None else following[0],
        next_by=None if following is None else following[1],
        source=SOURCE,
    ), found


def _wanted(
    event: DetentionEvent, steps: tuple[tuple[int, Rank], ...], at: int, ends_at: Millis
) -> tuple[int, str | None]:
    """The step that bail is at after an extension, and why that is the one before, if it is."""
    months = [one for one, _ in steps]
    if event.months not in months:
        return at, f"the months that it allows must be one of {', '.join(map(str, months[1:]))}"
    wanted = months.index(event.months)
    needed = steps[wanted][1]
    if wanted <= at:
        return at, f"bail of {months[at]} months is allowed already" if wanted < at else None
    if event.at >= ends_at:
        return at, "bail had run out"
    # A step may be passed over only where the same rank allows both, as magistrates do 12 and 18 months.
    if any(rank != needed for _, rank in steps[at + 1 : wanted]):
        return at, f"the step to {months[at + 1]} months comes first"
    if not at_least(event.rank, needed):
        return at, f"it takes {in_words(needed)} or above, and the entry does not say so"
    return wanted, None


def _end(begins: date, months: int) -> Millis:
    return midnight(months_after(begins, months))
