"""The clocks of a detention in plain words, with the time left: for the desk's screens, the handheld and the alarms.

Clock times are Europe/London, as on the wall; amounts are hours and minutes. Time left is rounded down and time over is
rounded up, so that no screen promises a minute that there is not.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from schemas.settings.custody import HOUR_MS, MINUTE_MS
from sync.policing.custody.clocks import Detention
from sync.policing.custody.days import local
from sync.policing.custody.intervals import Span, Why
from sync.policing.custody.limits import Authority, By
from sync.policing.custody.ranks import in_words
from sync.policing.custody.whereabouts import Place

_WHY: Final[Mapping[Why, str]] = {
    Why.DETAINED: "in detention",
    Why.QUESTIONED_IN_HOSPITAL: "questioned in hospital or on the way",
    Why.HOSPITAL: "in hospital or on the way",
    Why.ON_BAIL: "on bail",
    Why.BAIL_ARREST_JOURNEY: "arrested on bail, on the way to the station",
    Why.BAIL_ARREST_PAUSE: "pause after the arrest on bail",
}
_BY: Final[Mapping[By, str]] = {
    By.CUSTODY_OFFICER: "custody officer's authority",
    By.SUPERINTENDENT: "superintendent's extension",
    By.COURT_HEARING: "until the court hears the application",
    By.WARRANT: "warrant of further detention",
    By.WARRANT_EXTENDED: "extended warrant of further detention",
    By.ABSOLUTE: "the most that there is",
}
_PLACE: Final[Mapping[Place, str]] = {
    Place.NOT_YET: "Not at a station yet",
    Place.STATION: "At the station",
    Place.HOSPITAL: "In hospital or on the way",
    Place.ON_BAIL: "On bail",
    Place.BAIL_ARREST: "Arrested on bail, on the way to the station",
    Place.RELEASED: "Released",
}


def lines(found: Detention) -> tuple[str, ...]:
    """The whole of it for a screen, the most pressing first; what contradicts itself stands above all."""
    return (
        *(f"LOOK: {one.words}" for one in found.contradictions),
        where(found),
        detention_clock(found),
        review_clock(found),
        *_bail(found),
        *(f"  {span(one, found.now)}" for one in found.clock.told_at(found.now)),
        *(f"  {authority(one)}" for one in found.limits.authorities if found.limits.binding is not None),
    )


def where(found: Detention) -> str:
    """Where the person is."""
    if found.place is Place.NOT_YET:
        return f"{_PLACE[found.place]}."
    return f"{_PLACE[found.place]} since {at(found.since, found.now)}."


def detention_clock(found: Detention) -> str:
    """The detention clock in one line."""
    start = f"relevant time {at(found.relevant.at, found.now)} ({found.relevant.source})"
    counted = duration(found.counted_ms)
    if found.charged_at is not None:
        return f"Detention: charged {at(found.charged_at, found.now)}, {counted} had counted; {start}."
    if found.released_at is not None:
        return f"Detention: released {at(found.released_at, found.now)}, {counted} had counted; {start}."
    binding = found.limits.binding
    if binding is None:
        return f"Detention: {counted} counted; {start}."
    allowed = f"{duration(binding.counted_ms)} ({_BY[binding.by]})"
    if binding.left_ms <= 0:
        over = duration(-binding.left_ms, up=True)
        return f"Detention: OVER the limit of {allowed} by {over}: charge or release. {start.capitalize()}."
    left = f"{duration(binding.left_ms)} left of {allowed}"
    if found.now < found.relevant.at:
        return f"Detention: not started; {left}; {start}."
    if not found.running:
        ends = "" if binding.at is None else f", until {at(binding.at, found.now)}"
        return f"Detention: STOPPED at {counted}; {left}{ends}; {start}."
    if binding.at is None:
        return f"Detention: {counted} counted; {left}; {start}."
    return f"Detention: {counted} counted; {left}, until {at(binding.at, found.now)}; {start}."


def review_clock(found: Detention) -> str:
    """The review clock in one line."""
    review = found.reviews
    if review.next_due is None:
        return "Reviews: none is due."
    who = f"by {in_words(review.who)} or above"
    late = "; postponed: " + review.postponed[-1] if review.postponed else ""
    left = review.next_due - found.now
    when = at(review.next_due, found.now)
    if left < 0:
        return f"Reviews: review {review.next_number} is OVERDUE by {duration(-left, up=True)} ({when}), {who}{late}."
    return f"Reviews: review {review.next_number} due in {duration(left)} ({when}), {who}{late}."


def span(one: Span, now: int) -> str:
    """One span of a clock."""
    end = "now" if one.end is None or one.end > now else at(one.end, now)
    counts = "counts" if one.counts else "does not count"
    return f"{at(one.start, now)} to {end}: {_WHY[one.why]}, {counts} ({one.source})"


def authority(one: Authority) -> str:
    """Who may allow more, and why not yet."""
    if one.may:
        return f"{_BY[one.by].capitalize()}: {one.who} may now, if {'; '.join(one.certify)} ({one.source})"
    return f"{_BY[one.by].capitalize()}: not now. {' '.join(one.not_yet)} ({one.source})"


def may_extend(found: Detention) -> str:
    """Who may extend now, for an alarm."""
    may = [one for one in found.limits.authorities if one.may]
    if not may:
        return "nobody may extend it now"
    return " or ".join(dict.fromkeys(f"have it extended by {one.who}" for one in may))


def duration(amount_ms: int, *, up: bool = False) -> str:
    """An amount of time: `5 h 20 min`. Rounded down, or up, to the minute."""
    minutes = -(-amount_ms // MINUTE_MS) if up else amount_ms // MINUTE_MS
    hours, rest = divmod(minutes, HOUR_MS // MINUTE_MS)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest:02} min" if rest else f"{hours} h"


def at(moment: int, now: int) -> str:
    """A moment by the clock on the wall, with the day where it is another: `14:05`, `02:10 on 30 March`.

    In the hour that comes twice in October it says which of them: `01:30 BST`, and an hour later `01:30 GMT`.
    """
    there, here = local(moment), local(now)
    clock = f"{there:%H:%M}{_which(moment)}"
    if there.date() == here.date():
        return clock
    year = "" if there.year == here.year else f" {there.year}"
    return f"{clock} on {there.day} {there:%B}{year}"


def _which(moment: int) -> str:
    if local(moment + HOUR_MS) == local(moment):
        return " BST"
    return " GMT" if local(moment - HOUR_MS) == local(moment) else ""


def day(one: date) -> str:
    """A day: `28 January 2026`."""
    return f"{one.day} {one:%B} {one.year}"


def _bail(found: Detention) -> tuple[str, ...]:
    if found.bail is None or found.place is not Place.ON_BAIL:
        return ()
    by = found.bail.next_by
    more = "" if by is None else f"; {in_words(by)} or above may extend it to {found.bail.next_months} months"
    return (f"Bail before charge until the end of {day(found.bail.last_day)} ({found.bail.months} months){more}.",)
