"""The relevant time: from when the detention clock counts, and by which rule (PACE 1984 section 41(2) to (5)).

Where what is recorded leaves a choice, the earliest is taken, so that the clock is never longer than the law allows: a
later start needs every fact that the Act asks of it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, Step, ref
from schemas.settings import CustodySettings
from schemas.tokens import Token
from sync.policing.custody.events import Contradiction, Held


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a booking says once: the fields of that name (`schemas.kinds.booking.CustodyBooking`), in ms since 1970."""

    arrested_at: Millis
    arrived_at: Millis | None = None
    relevant_time: Millis | None = None
    detention_authorised_at: Millis | None = None


class Rule(Token):
    """Which rule gives the relevant time."""

    FIRST_STATION = "first-station"
    DAY_AFTER_ARREST = "day-after-arrest"
    STATION_ARREST = "station-arrest"
    STREET_BAIL = "street-bail"
    AREA_SOUGHT = "area-sought"
    FROM_ABROAD = "from-abroad"
    SECOND_AREA = "second-area"
    BAIL_ANSWERED = "bail-answered"
    RECORDED = "recorded"
    AUTHORISED = "authorised"
    ARREST = "arrest"


SOURCES: Final = {
    Rule.FIRST_STATION: "PACE 1984 s.41(2)(d)",
    Rule.DAY_AFTER_ARREST: "PACE 1984 s.41(2): 24 hours after the arrest",
    Rule.STATION_ARREST: "PACE 1984 s.41(2)(c)",
    Rule.STREET_BAIL: "PACE 1984 s.41(2)(ca)",
    Rule.AREA_SOUGHT: "PACE 1984 s.41(2)(a) and (3)",
    Rule.FROM_ABROAD: "PACE 1984 s.41(2)(b)",
    Rule.SECOND_AREA: "PACE 1984 s.41(5)",
    Rule.BAIL_ANSWERED: "PACE 1984 ss.34(7) and 47(6)",
    Rule.RECORDED: "the relevant time as recorded",
    Rule.AUTHORISED: "detention authorised before any recorded arrival",
    Rule.ARREST: "no arrival is recorded: counted from the arrest until it is",
}

_ORDINARY: Final = (Rule.FIRST_STATION, Rule.DAY_AFTER_ARREST, Rule.STATION_ARREST, Rule.STREET_BAIL, Rule.ARREST)
"""The rules by which nobody's detention can have been authorised before the relevant time."""


class Relevant(msgspec.Struct, frozen=True, kw_only=True):
    """The relevant time.

    Attributes:
        at: ms since 1970; it may still be to come.
        rule: which rule gives it.
        source: where that is laid down.
        carried_ms: detention in an earlier record that counts (ms, section 47(6)).
        provisional: whether it stands only until an arrival is recorded.
    """

    at: Millis
    rule: Rule
    source: str
    carried_ms: int = 0
    provisional: bool = False


def _is(at: int, rule: Rule, *, carried_ms: int = 0, provisional: bool = False) -> Relevant:
    return Relevant(at=Millis(at), rule=rule, source=SOURCES[rule], carried_ms=carried_ms, provisional=provisional)


def until_now(facts: Facts, now: Millis) -> tuple[Facts, list[Contradiction]]:
    """What the booking says once, without what it says of a time to come: somebody mistyped the day.

    Only the arrest stays, because there is no detention without one.
    """
    ahead = [name for name in Facts.__struct_fields__ if (at := getattr(facts, name)) is not None and at > now]
    found = [
        Contradiction(
            rule="custody-time-to-come",
            words=f"The booking's {name.replace('_', ' ')} is still to come. It is not counted with until then.",
        )
        for name in ahead
    ]
    dropped = {name: None for name in ahead if name != "arrested_at"}
    return msgspec.structs.replace(facts, **dropped), found


def relevant_time(facts: Facts, entries: Held, settings: CustodySettings) -> tuple[Relevant, list[Contradiction]]:
    """The relevant time, and what speaks against it.

    Args:
        facts: what the booking says once.
        entries: the entries that hold.
        settings: the force's.
    """
    found: list[Contradiction] = []
    arrest = _arrest(facts, entries, settings, found)
    by_law = _by_law(facts, arrest, entries, settings, found)
    by_law = _not_after_authority(facts, by_law, entries, settings, found)
    return _recorded(facts, by_law, settings, found), found


def _arrest(facts: Facts, entries: Held, settings: CustodySettings, found: list[Contradiction]) -> Millis:
    """When the arrest was: the earliest that anybody says."""
    told = entries.of(Step.ARREST, Step.STATION_ARREST)
    first = min([facts.arrested_at, *(one.at for one in told)])
    apart = [one for one in told if abs(one.at - facts.arrested_at) >= settings.same_time_ms]
    if apart:
        found.append(_against("custody-arrest-time", "The arrest has two times: the earlier one is taken.", apart))
    return first


def _by_law(
    facts: Facts, arrest: Millis, entries: Held, settings: CustodySettings, found: list[Contradiction]
) -> Relevant:
    answered = _bail_answered(facts, entries, settings, found)
    if answered is not None:
        return answered
    second = _second_area(entries, settings)
    if second is not None:
        return second
    abroad = entries.of(Step.ENTERED_COUNTRY)
    if abroad:
        sought = {one.sought_in for one in (*abroad, *entries.of(Step.ARREST))} - {None}
        at = _first(_arrivals(facts, entries, sought))
        cap = abroad[0].at + settings.arrest_to_station_ms
        return _earlier(at, cap, Rule.FROM_ABROAD)
    sought_in = _sought_elsewhere(entries)
    if sought_in is not None:
        at = _first(_arrivals(facts, entries, {sought_in}))
        return _earlier(at, arrest + settings.arrest_to_station_ms, Rule.AREA_SOUGHT)
    street = entries.of(Step.STREET_BAIL_RETURN)
    if street:
        return _is(street[0].at, Rule.STREET_BAIL)
    return _ordinary(facts, arrest, entries, settings, found)


def _ordinary(
    facts: Facts, arrest: Millis, entries: Held, settings: CustodySettings, found: list[Contradiction]
) -> Relevant:
    """Section 41(2)(c) and (d)."""
    station = entries.of(Step.STATION_ARREST)
    if station:
        return _is(station[0].at, Rule.STATION_ARREST)
    arrivals = _arrivals(facts, entries, set())
    if not arrivals:
        return _is(arrest, Rule.ARREST, provisional=True)
    _same_arrival(facts, entries, settings, found)
    at = min(arrivals)
    if at < arrest:
        found.append(
            Contradiction(
                rule="custody-arrival-before-arrest",
                words="They came to the station before the arrest. The clock counts from their arrival; if they came "
                "of their own will, record an arrest at the station (PACE 1984 s.41(2)(c)).",
            )
        )
    cap = arrest + settings.arrest_to_station_ms
    if settings.arrest_to_station_always and cap < at:
        return _is(cap, Rule.DAY_AFTER_ARREST)
    return _is(at, Rule.FIRST_STATION)


def _bail_answered(
    facts: Facts, entries: Held, settings: CustodySettings, found: list[Contradiction]
) -> Relevant | None:
    """A record that begins with a return on bail: the earlier detention stands in another one, and counts."""
    began = entries.of(
        Step.ARRIVAL, Step.STATION_ARREST, Step.AUTHORISED, Step.BAILED, Step.BAIL_RETURN, Step.BAIL_ARREST
    )
    if not began or began[0].what not in (Step.BAIL_RETURN, Step.BAIL_ARREST):
        return None
    if any(at is not None and at < began[0].at for at in (facts.arrived_at, facts.relevant_time)):
        return None
    first = began[0]
    carried = [one.earlier_ms for one in began if one.earlier_ms is not None]
    if not carried:
        found.append(
            _against(
                "custody-earlier-detention",
                "They answer bail, but how much detention counted before it is not recorded: it is taken for none. "
                "Record it from the earlier custody record (PACE 1984 s.47(6)).",
                (first,),
            )
        )
    at = first.at
    if first.what is Step.BAIL_ARREST:
        came = _first(one.at for one in began if one.what in (Step.ARRIVAL, Step.BAIL_RETURN))
        at = first.at if came is None else Millis(min(came, first.at + settings.arrest_to_station_ms))
    return _is(at, Rule.BAIL_ANSWERED, carried_ms=max(carried, default=0))


def _second_area(entries: Held, settings: CustodySettings) -> Relevant | None:
    """Section 41(5): taken to an area where their arrest for another offence is sought."""
    left = [one for one in entries.of(Step.TRANSFER_LEFT) if one.sought_in is not None and one.area != one.sought_in]
    for one in left:
        if _questioned_in(entries, one.area):
            continue
        came = [
            each.at
            for each in entries.of(Step.TRANSFER_ARRIVED, Step.ARRIVAL)
            if each.at >= one.at and each.area == one.sought_in
        ]
        # Until they have come, the clock of the first area goes on: it is the only one that is sure.
        if came:
            return _earlier(min(came), one.at + settings.arrest_to_station_ms, Rule.SECOND_AREA)
    return None


def _sought_elsewhere(entries: Held) -> str | None:
    """Section 41(3): the area in which the arrest was sought, when all three conditions are recorded."""
    for one in entries.of(Step.ARREST):
        if one.area is None or one.sought_in is None or one.area == one.sought_in:
            continue
        if not _questioned_in(entries, one.area):
            return one.sought_in
    return None


def _questioned_in(entries: Held, area: str | None) -> bool:
    """Whether they were questioned about the offence in the area of the arrest; an unnamed area may be that one."""
    return any(one.area in (area, None) for one in entries.of(Step.QUESTIONED_ELSEWHERE))


def _arrivals(facts: Facts, entries: Held, areas: Iterable[str | None]) -> list[Millis]:
    """Arrivals at a station in one of the areas; one that names no area may be there. Without areas, all of them."""
    wanted = {*areas}
    told = entries.of(Step.ARRIVAL, Step.TRANSFER_ARRIVED)
    ats = [one.at for one in told if not wanted or one.area is None or one.area in wanted]
    # The booking's own arrival says no area: it is where the booking was made, which the entries tell more closely.
    if facts.arrived_at is not None and (not wanted or not told):
        ats.append(facts.arrived_at)
    return ats


def _same_arrival(facts: Facts, entries: Held, settings: CustodySettings, found: list[Contradiction]) -> None:
    told = entries.of(Step.ARRIVAL)
    ats = [*(one.at for one in told), *(() if facts.arrived_at is None else (facts.arrived_at,))]
    # A later one, after hospital or bail, is told where it closes the absence.
    away = entries.of(Step.LEFT_FOR_HOSPITAL, Step.AT_HOSPITAL, Step.BAILED, Step.BAIL_ARREST)
    close = min((one.at for one in away), default=max(ats, default=0) + 1)
    early = [at for at in ats if at <= close]
    if early and max(early) - min(early) >= settings.same_time_ms:
        found.append(_against("custody-two-arrivals", "The arrival has two times: the earlier one is taken.", told))


def _not_after_authority(
    facts: Facts, by_law: Relevant, entries: Held, settings: CustodySettings, found: list[Contradiction]
) -> Relevant:
    """Nobody's detention is authorised before they are at a station; where it seems so, an arrival is wrong."""
    if by_law.rule not in _ORDINARY:
        return by_law
    told = entries.of(Step.AUTHORISED)
    first = _first([*(one.at for one in told), *_maybe(facts.detention_authorised_at)])
    if first is None or by_law.at - first < settings.same_time_ms:
        return by_law
    found.append(
        _against(
            "custody-authorised-before-arrival",
            "Detention was authorised before the clock would start: it counts from the authorisation.",
            told[:1],
        )
    )
    return _is(first, Rule.AUTHORISED)


def _recorded(facts: Facts, by_law: Relevant, settings: CustodySettings, found: list[Contradiction]) -> Relevant:
    """The relevant time that the custody officer recorded: it may shorten the clock, never lengthen it."""
    told = facts.relevant_time
    if told is None:
        return by_law
    if abs(told - by_law.at) >= settings.same_time_ms:
        found.append(
            Contradiction(
                rule="custody-relevant-time",
                words=f"The relevant time as recorded is not the one by {by_law.source}: the earlier of them is taken.",
            )
        )
    if told >= by_law.at:
        return by_law
    return _is(told, Rule.RECORDED, carried_ms=by_law.carried_ms, provisional=False)


def _earlier(at: int | None, cap: int, rule: Rule) -> Relevant:
    """The first of an arrival, if there is one, and the time by which the clock counts in any case."""
    if at is None:
        return _is(cap, rule, provisional=True)
    return _is(at, rule) if at <= cap else _is(cap, Rule.DAY_AFTER_ARREST)


def _first(ats: Iterable[int]) -> Millis | None:
    return min((Millis(at) for at in ats), default=None)


def _maybe(at: Millis | None) -> tuple[Millis, ...]:
    return () if at is None else (at,)


def _against(rule: str, words: str, events: Sequence[DetentionEvent]) -> Contradiction:
    return Contradiction(rule=rule, words=words, refs=tuple(map(ref, events)))
